//! A metadata STRUCT for planning: sizes are read, tile tables stay in DuckDB's memory.
//!
//! A small geometry needs one or two tiles of a raster that may have a million: copying the tables would cost more than
//! the plan. Their lengths are checked against the grid, and an entry is read and checked on demand.

use std::ops::Range;

use rasteret_cog::{LevelShape, RasterInfo, TileLayout, Tiling};

use super::read::Fields;
use crate::error::{Error, Result};
use crate::vector::{Integers, Reader};

/// The raster of a row.
pub(crate) struct IndexedRaster<'a> {
    fields: Fields<'a>,
    info: RasterInfo,
}

/// The byte ranges of the tiles of a level, by position in its tile tables.
pub(crate) struct TileTables<'a> {
    offsets: Table<'a>,
    byte_counts: Table<'a>,
}

/// A list of integers that is read on demand.
struct Table<'a> {
    /// The names of the STRUCT and the field, for errors.
    place: (&'static str, &'static str),
    rows: Range<usize>,
    elements: &'a Reader<'a>,
    /// The elements as a slice, if they have the usual types.
    integers: Option<Integers<'a>>,
}

impl<'a> IndexedRaster<'a> {
    pub(super) fn new(fields: Fields<'a>, info: RasterInfo) -> Self {
        Self { fields, info }
    }

    /// The size, bands and georeferencing of the raster.
    pub(crate) fn raster_info(&self) -> &RasterInfo {
        &self.info
    }

    /// The tiles of a level, 0 being the full resolution.
    pub(crate) fn level(&self, level: u32) -> Result<(TileLayout, TileTables<'a>)> {
        let fields = match level.checked_sub(1) {
            None => self.fields,
            Some(overview) => self.overview(level, overview)?,
        };
        let (offsets, byte_counts) = (Table::new(&fields, "tile_offsets")?, Table::new(&fields, "tile_byte_counts")?);
        let shape = LevelShape {
            tiling: Tiling {
                image_width: fields.required("image_width", fields.integer("image_width")?)?,
                image_height: fields.required("image_height", fields.integer("image_height")?)?,
                tile_width: fields.required("tile_width", fields.integer("tile_width")?)?,
                tile_height: fields.required("tile_height", fields.integer("tile_height")?)?,
            },
            is_planar: fields.integer("planar_configuration")? == Some(2)
                && fields.integer("samples_per_pixel")?.unwrap_or(1) > 1,
            offsets: offsets.rows.len(),
            byte_counts: byte_counts.rows.len(),
        };
        Ok((TileLayout::new(&self.info, level, shape)?, TileTables { offsets, byte_counts }))
    }

    /// The fields of an overview; the first one is level 1.
    fn overview(&self, level: u32, overview: u32) -> Result<Fields<'a>> {
        let list = self.fields.field("overviews").and_then(|field| field.list(self.fields.row));
        let count = list.as_ref().map_or(0, |(rows, _)| rows.len());
        let found = list.and_then(|(mut rows, reader)| Some((rows.nth(usize::try_from(overview).ok()?)?, reader)));
        let (row, reader) = found.ok_or_else(|| TileLayout::no_level(level, 1 + count))?;
        Ok(Fields { reader, row, context: "overviews" })
    }
}

impl TileTables<'_> {
    /// The offset and byte count of the tile at a position.
    pub(crate) fn entry(&self, position: u64) -> Result<(u64, u32)> {
        Ok((self.offsets.number(position)?, self.byte_counts.number(position)?))
    }
}

impl<'a> Table<'a> {
    fn new(fields: &Fields<'a>, name: &'static str) -> Result<Self> {
        let field = fields.required(name, fields.field(name))?;
        let (rows, elements) = field.list(fields.row).ok_or_else(|| fields.unexpected(name, "a list of integers"))?;
        let integers = elements.integers(&rows);
        Ok(Self { place: (fields.context, name), rows, elements, integers })
    }

    fn number<T: TryFrom<i128>>(&self, position: u64) -> Result<T> {
        let at = usize::try_from(position).unwrap_or(usize::MAX);
        let value = match self.integers {
            Some(Integers::Four(values)) => values.get(at).copied().map(i128::from),
            Some(Integers::Eight(values)) => values.get(at).copied().map(i128::from),
            None => self.rows.clone().nth(at).and_then(|row| self.elements.integer(row)),
        };
        value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
            let (context, name) = self.place;
            let found = value.map_or_else(|| "none".to_owned(), |value| value.to_string());
            Error::argument(format!(
                "{context}, field {name}: expected an integer in range at {position}, found {found}"
            ))
        })
    }
}
