//! Checks of a record other than its bands: id, bounding box and CRS.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};

use super::super::collection::{Collection, Href, column};
use super::problem::{Check, Found};
use crate::Result;
use crate::enrich::Input;
use crate::enrich::cell;
use crate::enrich::record_crs::{self, RecordCrs};
use crate::parquet::Projection;

/// The columns of a batch that checks of records need; metadata columns come first.
#[derive(Debug)]
pub(super) struct Columns {
    id: Option<usize>,
    bbox: Option<usize>,
    error: Option<usize>,
    /// Positions of the columns of [`record_crs::MEMBERS`].
    crs: Vec<(usize, Input)>,
    pub(super) assets: Option<usize>,
    /// Whether metadata is required even if the record has no file of the band, because bands were requested.
    required: bool,
}

impl Columns {
    /// The columns of a collection, added to a projection of its metadata.
    pub(super) fn of(collection: &Collection, mut projection: Projection) -> (Projection, Self) {
        let schema = collection.source.schema();
        let mut positions: HashMap<usize, usize> = HashMap::new();
        let mut read = |column: usize, projection: &mut Projection| {
            *positions.entry(column).or_insert_with(|| {
                *projection = std::mem::take(projection).and(column);
                projection.len() - 1
            })
        };
        let mut take = |name: &str, projection: &mut Projection| {
            let at = schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name))?;
            Some(read(at, projection))
        };
        let id = take("id", &mut projection);
        let bbox = take("bbox", &mut projection);
        let error = take("rasteret_error", &mut projection);
        let crs = record_crs::MEMBERS.iter().filter_map(|name| Input::find(schema, name));
        let crs = crs.map(|input| (read(input.column, &mut projection), input)).collect();
        let assets = collection.assets.as_ref().ok().map(|assets| {
            projection = collection.and_assets(std::mem::take(&mut projection), assets);
            projection.len() - 1
        });
        (projection, Self { id, bbox, error, crs, assets, required: collection.requested })
    }

    fn column<'a>(
        &self,
        collection: &Collection,
        batch: &'a RecordBatch,
        at: Option<usize>,
    ) -> Result<Option<&'a ArrayRef>> {
        at.map(|at| column(&collection.source, batch, at)).transpose()
    }

    /// Name of each record in problems.
    pub(super) fn names(&self, collection: &Collection, batch: &RecordBatch, first: u64) -> Result<Vec<String>> {
        let ids = self.column(collection, batch, self.id)?;
        let position = |row: usize| (first + row as u64).to_string();
        Ok((0..batch.num_rows())
            .map(|row| ids.and_then(|ids| text(ids, row)).unwrap_or_else(|| position(row)))
            .collect())
    }

    /// Looks at ids and boxes.
    pub(super) fn check(
        &self,
        collection: &Collection,
        batch: &RecordBatch,
        first: u64,
        ids: &mut HashMap<String, u64>,
        found: &mut Found<'_>,
    ) -> Result<()> {
        if let Some(column) = self.column(collection, batch, self.id)? {
            for row in 0..batch.num_rows() {
                let position = first + row as u64;
                if column.is_null(row) {
                    found.say(Some(row), None, Check::Id, "expected an id, found NULL".to_owned());
                } else if let Some(id) = text(column, row)
                    && let other = *ids.entry(id).or_insert(position)
                    && other != position
                {
                    found.say(Some(row), None, Check::Id, format!("record {position} has the id of record {other}"));
                }
            }
        }
        if let Some(column) = self.column(collection, batch, self.bbox)?
            && let Some(boxes) = column.as_struct_opt()
        {
            let sides = ["xmin", "ymin", "xmax", "ymax"].map(|side| boxes.column_by_name(side));
            if let [Some(xmin), Some(ymin), Some(xmax), Some(ymax)] = sides {
                for row in (0..batch.num_rows()).filter(|row| boxes.is_valid(*row)) {
                    let sides = [xmin, ymin, xmax, ymax].map(|side| cell::number(side, row).unwrap_or(f64::NAN));
                    let [xmin, ymin, xmax, ymax] = sides;
                    // xmin > xmax is a box across the antimeridian (RFC 7946, 5.2).
                    if !(sides.iter().all(|side| side.is_finite()) && ymin <= ymax) {
                        let message = format!("expected ymin <= ymax, found ({xmin}, {ymin}, {xmax}, {ymax})");
                        found.say(Some(row), None, Check::Bbox, message);
                    }
                }
            }
        }
        Ok(())
    }

    /// The CRS of each record's own columns.
    pub(super) fn crs(&self, collection: &Collection, batch: &RecordBatch) -> Result<Vec<Option<RecordCrs>>> {
        let columns: Vec<Option<ArrayRef>> = (self.crs.iter())
            .map(|(at, input)| Ok(input.of(column(&collection.source, batch, *at)?)))
            .collect::<Result<_>>()?;
        let of = |row: usize| record_crs::first(columns.iter().flatten().map(|column| RecordCrs::of_cell(column, row)));
        Ok((0..batch.num_rows()).map(of).collect())
    }

    /// The problem with NULL metadata; None if it is valid.
    pub(super) fn missing(
        &self,
        collection: &Collection,
        batch: &RecordBatch,
        row: usize,
        knows_hrefs: bool,
        href: Option<&Href>,
    ) -> Option<String> {
        let error =
            self.column(collection, batch, self.error).ok().flatten().and_then(|errors| cell::text(errors, row));
        let without = knows_hrefs && href.is_none();
        if without && !self.required && error.is_none() {
            return None;
        }
        Some(match error {
            Some(error) => format!("expected metadata, found NULL: {error}"),
            None if without => "expected metadata, found NULL, and no href".to_owned(),
            None => "expected metadata, found NULL".to_owned(),
        })
    }
}

fn text(ids: &ArrayRef, row: usize) -> Option<String> {
    cell::text(ids, row).map(str::to_owned).or_else(|| cell::integer(ids, row).map(|id| id.to_string()))
}
