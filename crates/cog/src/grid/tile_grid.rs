//! Tiles of a level with their byte ranges: a [`TileLayout`] with the tables of a header.

use std::ops::Range;

use super::layout::{OPEN_END, Tile, TileAddress, TileLayout};
use super::tiling::Tiling;
use crate::geo::GeoTransform;
use crate::header::{CogHeader, Level};
use crate::{Error, Result};

/// Tile grid of one level, with the tile tables.
#[derive(Debug, Clone, Copy)]
pub struct TileGrid<'a> {
    layout: TileLayout,
    level: &'a Level,
}

impl CogHeader {
    /// Number of levels, including the full resolution.
    #[must_use]
    pub fn level_count(&self) -> usize {
        1 + self.overviews.len()
    }

    /// Returns the tile grid of a level; 0 is the full resolution.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no such level, [`Error::Malformed`] if its tables do not match its sizes.
    pub fn grid(&self, index: u32) -> Result<TileGrid<'_>> {
        let level = match index.checked_sub(1) {
            None => Some(&self.image),
            Some(overview) => usize::try_from(overview).ok().and_then(|at| self.overviews.get(at)),
        };
        let level = level.ok_or_else(|| TileLayout::no_level(index, self.level_count()))?;
        let layout = TileLayout::new(&self.raster_info(), index, level.shape())?;
        Ok(TileGrid { layout, level })
    }

    /// Returns the tile grid of a mask, by its index in [`CogHeader::masks`], in pixel coordinates. Masks are never
    /// narrowed to a band.
    pub(crate) fn mask_grid(&self, index: u32) -> Result<TileGrid<'_>> {
        let mask = usize::try_from(index).ok().and_then(|at| self.masks.get(at));
        let level = mask.ok_or_else(|| Error::InvalidArgument {
            what: format!("mask: expected one of the {} masks from 0, found {index}", self.masks.len()),
        })?;
        let pixels = GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        Ok(TileGrid { layout: TileLayout::of("mask", index, level.shape(), pixels, None)?, level })
    }
}

impl TileGrid<'_> {
    /// The layout, without the tables.
    #[must_use]
    pub fn layout(&self) -> TileLayout {
        self.layout
    }

    /// See [`TileLayout::planes`].
    pub(crate) fn planes(&self) -> u64 {
        self.layout.planes()
    }

    /// See [`TileLayout::transform`].
    pub(crate) fn transform(&self) -> GeoTransform {
        self.layout.transform()
    }

    /// See [`TileLayout::tiling`].
    pub(crate) fn tiling(&self) -> Tiling {
        self.layout.tiling()
    }

    /// See [`TileLayout::position`].
    pub(crate) fn position(&self, plane: u64, row: u32, col: u32) -> u64 {
        self.layout.position(TileAddress { plane, row, col })
    }

    /// The tile at a position in the tables; None beyond their end.
    #[must_use]
    pub fn tile(&self, position: u64) -> Option<Tile> {
        let at = usize::try_from(position).ok()?;
        let (offset, byte_count) = (self.level.tile_offsets.get(at)?, self.level.tile_byte_counts.get(at)?);
        Some(self.layout.tile(self.layout.address(position)?, *offset, *byte_count))
    }

    /// Byte range of the tile at a position in the tables; None for a sparse tile, and beyond the end of the tables.
    ///
    /// Some early fax writers left the byte count of a single strip at 0. Like libtiff, reads such a strip to the end
    /// of the file: the range ends at [`OPEN_END`].
    pub(crate) fn bytes(&self, position: u64) -> Option<Range<u64>> {
        if let ([offset], [0]) = (&*self.level.tile_offsets, &*self.level.tile_byte_counts)
            && (*offset > 0 && position == 0 && !self.level.is_tiled)
        {
            return Some(*offset..OPEN_END);
        }
        let tile = self.tile(position)?;
        let offset = tile.offset?;
        Some(offset..offset.saturating_add(tile.byte_count.into()))
    }
}

#[cfg(test)]
mod tests;
