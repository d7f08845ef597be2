//! Finds problems in the rows of a column of metadata STRUCTs.

use std::str::FromStr;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::DataType;
use rasteret_cog::tiff::{Compression, DataType as SampleType};

use super::problem::Check;
use crate::enrich::cell;
use crate::enrich::record_crs::RecordCrs;

/// Fields without which nothing can be read.
const REQUIRED: [&str; 8] = [
    "image_width",
    "image_height",
    "tile_width",
    "tile_height",
    "dtype",
    "compression",
    "tile_offsets",
    "tile_byte_counts",
];

/// STRUCTs of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a>(&'a StructArray);

/// The sizes of a level.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    image: (i64, i64),
    tile: (i64, i64),
}

impl Sizes {
    fn tiles(self) -> i64 {
        let count = |image: i64, tile: i64| (image - 1) / tile + 1;
        count(self.image.0, self.tile.0).saturating_mul(count(self.image.1, self.tile.1))
    }
}

impl<'a> Stored<'a> {
    /// None if the column holds no STRUCTs.
    pub(super) fn of(column: &'a ArrayRef) -> Option<Self> {
        column.as_struct_opt().map(Self)
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }

    fn field(&self, name: &str, row: usize) -> Option<&'a ArrayRef> {
        self.0.column_by_name(name).filter(|field| field.is_valid(row))
    }

    pub(super) fn integer(&self, name: &str, row: usize) -> Option<i64> {
        cell::integer(self.field(name, row)?, row)
    }

    pub(super) fn number(&self, name: &str, row: usize) -> Option<f64> {
        cell::number(self.field(name, row)?, row)
    }

    pub(super) fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        cell::text(self.field(name, row)?, row)
    }

    /// A list; a NULL in it is None.
    pub(super) fn numbers(&self, name: &str, row: usize) -> Option<Vec<Option<f64>>> {
        let list = self.field(name, row)?.as_list_opt::<i32>()?.value(row);
        Some((0..list.len()).map(|at| cell::number(&list, at)).collect())
    }

    /// A list of integers; a NULL in it is None.
    pub(super) fn integers(&self, name: &str, row: usize) -> Option<Vec<Option<i64>>> {
        let list = self.field(name, row)?.as_list_opt::<i32>()?.value(row);
        // Tile tables are long, and most often of these types.
        Some(match list.data_type() {
            DataType::Int64 => list.as_primitive::<Int64Type>().iter().collect(),
            DataType::Int32 => list.as_primitive::<Int32Type>().iter().map(|value| value.map(i64::from)).collect(),
            _ => (0..list.len()).map(|at| cell::integer(&list, at)).collect(),
        })
    }

    /// The transform as six numbers, converted from the four of Python Rasteret if necessary.
    pub(super) fn transform(&self, row: usize) -> Option<[f64; 6]> {
        let numbers: Vec<f64> = self.numbers("transform", row)?.into_iter().collect::<Option<_>>()?;
        match *numbers.as_slice() {
            [scale_x, translate_x, scale_y, translate_y] => {
                Some([scale_x, 0.0, translate_x, 0.0, scale_y, translate_y])
            }
            [a, b, c, d, e, f] => Some([a, b, c, d, e, f]),
            _ => None,
        }
    }

    /// The codec, from GDAL's name or the TIFF code.
    pub(super) fn compression(&self, row: usize) -> Option<Compression> {
        match self.integer("compression", row) {
            Some(code) => u16::try_from(code).ok().map(Compression::from_code),
            None => self.text("compression", row)?.parse().ok(),
        }
    }

    /// Finds the problems of a row that is not NULL and whose fields have valid types.
    pub(super) fn check(&self, row: usize, record: Option<&RecordCrs>, say: &mut impl FnMut(Check, String)) {
        let before = REQUIRED.iter().filter(|name| self.field(name, row).is_none());
        let mut complete = true;
        for name in before {
            say(Check::Null, format!("field {name}: expected a value, found NULL"));
            complete = false;
        }
        self.transform_check(row, say);
        self.crs(row, record, say);
        if !complete {
            return;
        }
        if SampleType::from_str(self.text("dtype", row).unwrap_or_default()).is_err() {
            let found = self.text("dtype", row).unwrap_or_default();
            say(Check::Value, format!("field dtype: expected a numpy type name, found '{found}'"));
        }
        if self.compression(row).is_none() {
            say(Check::Value, "field compression: expected a GDAL name or a TIFF code, found another value".to_owned());
        }
        let samples = self.integer("samples_per_pixel", row).unwrap_or(1);
        let planar = self.integer("planar_configuration", row).unwrap_or(1);
        if samples < 1 {
            say(Check::Value, format!("field samples_per_pixel: expected 1 or more, found {samples}"));
        }
        if !(1..=2).contains(&planar) {
            say(Check::Value, format!("field planar_configuration: expected 1 or 2, found {planar}"));
        }
        let band = self.integer("band_index", row);
        if let Some(band) = band.filter(|band| !(0..samples.max(1)).contains(band)) {
            say(Check::Value, format!("field band_index: expected one of {samples} bands from 0, found {band}"));
        }
        let planes = if planar == 2 && band.is_none() { samples.max(1) } else { 1 };
        let file_size = self.integer("file_size", row);
        let Some(image) = self.sizes(row, "", say) else { return };
        self.tables(row, "", image.tiles().saturating_mul(planes), file_size, say);
        self.levels(row, image, planes, file_size, say);
    }

    fn sizes(&self, row: usize, context: &str, say: &mut impl FnMut(Check, String)) -> Option<Sizes> {
        let names = ["image_width", "image_height", "tile_width", "tile_height"];
        let sizes = names.map(|name| self.integer(name, row).unwrap_or(0));
        for (name, size) in names.iter().zip(sizes).filter(|(_, size)| *size < 1) {
            say(Check::Value, format!("{context}field {name}: expected 1 or more, found {size}"));
        }
        let [width, height, tile_width, tile_height] = sizes;
        sizes.iter().all(|size| *size > 0).then_some(Sizes { image: (width, height), tile: (tile_width, tile_height) })
    }

    /// Tile tables against the number of tiles and the file's size.
    fn tables(
        &self,
        row: usize,
        context: &str,
        tiles: i64,
        file_size: Option<i64>,
        say: &mut impl FnMut(Check, String),
    ) {
        let offsets = self.integers("tile_offsets", row).unwrap_or_default();
        let counts = self.integers("tile_byte_counts", row).unwrap_or_default();
        if [offsets.len(), counts.len()].iter().any(|length| i64::try_from(*length) != Ok(tiles)) {
            say(
                Check::Tables,
                format!(
                    "{context}expected {tiles} entries, found {} in tile_offsets and {} in tile_byte_counts",
                    offsets.len(),
                    counts.len()
                ),
            );
            return;
        }
        // Only the first is reported: a table that was truncated or shifted is wrong in most of its entries.
        let wrong = offsets.iter().zip(&counts).enumerate().find_map(|(tile, (offset, count))| match (offset, count) {
            (Some(offset @ 0..), Some(count @ 0..)) => {
                let end = offset.saturating_add(*count);
                let beyond = *count > 0 && *offset > 0 && file_size.is_some_and(|size| end > size);
                beyond.then(|| {
                    format!("tile {tile} ends at byte {end}, beyond the file of {} bytes", file_size.unwrap_or(0))
                })
            }
            (Some(offset), Some(count)) => {
                Some(format!("tile {tile}: expected no negative number, found offset {offset} and byte count {count}"))
            }
            _ => Some(format!("tile {tile}: expected an offset and a byte count, found NULL")),
        });
        if let Some(wrong) = wrong {
            say(Check::Tables, format!("{context}{wrong}"));
        }
    }

    /// Overviews and masks, which are separate images.
    fn levels(
        &self,
        row: usize,
        image: Sizes,
        planes: i64,
        file_size: Option<i64>,
        say: &mut impl FnMut(Check, String),
    ) {
        for name in ["overviews", "masks"] {
            let Some(list) = self.field(name, row).and_then(|field| field.as_list_opt::<i32>()) else { continue };
            let elements = list.value(row);
            let Some(levels) = Stored::of(&elements) else { continue };
            for at in 0..elements.len() {
                let context = format!("{name} {at}: ");
                let Some(sizes) = levels.sizes(at, &context, say) else { continue };
                if sizes.image.0 > image.image.0 || sizes.image.1 > image.image.1 {
                    let (width, height) = sizes.image;
                    say(
                        Check::Value,
                        format!("{context}expected no more pixels than the image has, found {width} by {height}"),
                    );
                }
                // A mask has one plane for any image.
                let planes = if name == "masks" { 1 } else { planes };
                levels.tables(at, &context, sizes.tiles().saturating_mul(planes), file_size, say);
            }
        }
    }

    fn transform_check(&self, row: usize, say: &mut impl FnMut(Check, String)) {
        let Some(numbers) = self.numbers("transform", row) else { return };
        match self.transform(row) {
            None => {
                let found = numbers.len();
                let nulls = if numbers.contains(&None) { ", some of them NULL" } else { "" };
                say(
                    Check::Transform,
                    format!("expected six numbers (or Python Rasteret's four), found {found}{nulls}"),
                );
            }
            Some(transform @ [a, b, _, d, e, _]) => {
                let determinant = a * e - b * d;
                if !transform.iter().all(|number| number.is_finite()) || determinant == 0.0 {
                    say(Check::Transform, format!("expected numbers that can be inverted, found {transform:?}"));
                }
            }
        }
    }

    fn crs(&self, row: usize, record: Option<&RecordCrs>, say: &mut impl FnMut(Check, String)) {
        let header = self.text("crs", row).and_then(RecordCrs::parse).and_then(|crs| crs.epsg);
        if let (Some(header), Some(record)) = (header, record.and_then(|record| record.epsg))
            && header != record
        {
            say(Check::Crs, format!("the header has EPSG:{header}, the record EPSG:{record}"));
        }
    }
}
