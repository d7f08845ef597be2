//! The columns to read and the bands to fetch for a projection, and their positions in the result.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};

use super::assets;
use super::columns::{Column, Normalized};
use super::normalize::Input;
use super::resolve::ResolvedPlan;
use crate::parquet::Projection;
use crate::{Error, OnError, Result};

/// One run's view of a plan.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) inner: Arc<ResolvedPlan>,
    /// Names of the fetched bands, in the order of the plan.
    pub(super) bands: Vec<String>,
    /// The same, as indices of the plan's bands.
    pub(super) fetched: Vec<usize>,
    /// The projection's metadata columns, as indices of `fetched`.
    pub(super) metadata: Vec<usize>,
    pub(super) normalized: Vec<Normalized>,
    pub(super) errors: bool,
    /// The projection's source columns, as indices of the columns read.
    source: Vec<usize>,
    /// Source columns that are read, in order.
    read: Vec<usize>,
}

/// A column to be read, whole or in part.
struct Wanted {
    column: usize,
    fields: Option<Vec<Vec<String>>>,
}

impl Layout {
    /// The view and the columns that it needs.
    pub(super) fn new(inner: Arc<ResolvedPlan>, projection: &[Column]) -> Result<(Self, Projection)> {
        let mut source = Vec::new();
        let mut metadata = Vec::new();
        let mut normalized = Vec::new();
        let mut errors = false;
        for column in projection {
            match *column {
                Column::Source(index) if index < inner.source.schema().fields().len() => source.push(index),
                Column::Metadata(band) if band < inner.bands.len() => metadata.push(band),
                Column::Normalized(column) => normalized.push(column),
                Column::Error => errors = true,
                Column::Source(index) | Column::Metadata(index) => {
                    return Err(Error::Unexpected { what: format!("projection: there is no column {index}") });
                }
            }
        }
        let of_headers = |column: &Normalized| matches!(column, Normalized::Epsg | Normalized::Crs | Normalized::Bbox);
        let all = errors || inner.on_error == OnError::Fail || normalized.iter().any(of_headers);
        let fetched: Vec<usize> = (0..inner.bands.len()).filter(|band| all || metadata.contains(band)).collect();
        let bands: Vec<String> =
            fetched.iter().filter_map(|band| inner.bands.get(*band)).map(|band| band.name.clone()).collect();
        let metadata = metadata.iter().filter_map(|band| fetched.binary_search(band).ok()).collect();

        let mut wanted: Vec<Wanted> = Vec::new();
        source.iter().for_each(|column| want(&mut wanted, *column, None));
        if !bands.is_empty() {
            want(&mut wanted, inner.assets.column, inner.assets.fields(&bands));
        }
        for Input { column, field } in inner.normalizer.inputs(&normalized) {
            want(&mut wanted, column, field.map(|field| vec![vec![field]]));
        }
        let read: Vec<usize> = wanted.iter().map(|wanted| wanted.column).collect();
        let source = source.iter().filter_map(|column| read.iter().position(|read| read == column)).collect();
        let projection = wanted.into_iter().fold(Projection::none(), |projection, wanted| match wanted.fields {
            Some(fields) => projection.and_fields(wanted.column, fields),
            None => projection.and(wanted.column),
        });
        Ok((Self { inner, bands, fetched, metadata, normalized, errors, source, read }, projection))
    }

    /// The values of a source column in a batch that was read.
    fn column<'a>(&self, batch: &'a RecordBatch, column: usize) -> Option<&'a ArrayRef> {
        let position = self.read.iter().position(|read| *read == column)?;
        batch.columns().get(position)
    }

    /// The values of an input of the normalizer.
    pub(super) fn input(&self, batch: &RecordBatch, input: &Input) -> Option<ArrayRef> {
        input.of(self.column(batch, input.column)?)
    }

    /// The projection's source columns.
    pub(super) fn source(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        batch.project(&self.source).map_err(|error| Error::Unexpected { what: error.to_string() })
    }

    /// Calls `each(band, row, asset)` for the fetched bands, by their index in `fetched`, and all rows.
    pub(super) fn assets(&self, batch: &RecordBatch, each: impl FnMut(usize, usize, assets::Found<'_>)) {
        if self.bands.is_empty() {
            return;
        }
        if let Some(array) = self.column(batch, self.inner.assets.column) {
            self.inner.assets.each(array, &self.bands, each);
        }
    }
}

/// Adds a column, or some of its fields, to the projection.
fn want(wanted: &mut Vec<Wanted>, column: usize, fields: Option<Vec<Vec<String>>>) {
    match wanted.iter_mut().find(|wanted| wanted.column == column) {
        None => wanted.push(Wanted { column, fields }),
        Some(known) => match (&mut known.fields, fields) {
            (Some(known), Some(more)) => known.extend(more),
            (known, _) => *known = None,
        },
    }
}
