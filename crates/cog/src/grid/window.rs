//! Rectangles of pixels.

use std::ops::Range;

use super::tiling::{Tiling, inside};
use crate::geo::BBox;

/// A rectangle of a level's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first column.
    pub col_off: u32,
    /// The first row.
    pub row_off: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// The window of a whole image.
    #[must_use]
    pub fn of_image(width: u32, height: u32) -> Self {
        Self { col_off: 0, row_off: 0, width, height }
    }

    /// The window around a box in pixel coordinates, as computed by rasterio's `geometry_window`: from the floor of its
    /// start to the ceiling of its end, clipped to the image. None if empty.
    ///
    /// A box of zero width or height on a pixel boundary selects the pixels after it; rasterio returns none.
    #[must_use]
    pub fn around(bounds: BBox, image_width: u32, image_height: u32) -> Option<Self> {
        let part = |start: f64, end: f64, size: u32| {
            let start = start.floor();
            let (start, end) = (inside(start, size), inside(end.ceil().max(start + 1.0), size));
            (start < end).then(|| (start, end - start))
        };
        let (col_off, width) = part(bounds.xmin, bounds.xmax, image_width)?;
        let (row_off, height) = part(bounds.ymin, bounds.ymax, image_height)?;
        Some(Self { col_off, row_off, width, height })
    }

    /// The part of the tile at a row and column of the tile grid that is inside the image; None outside the grid.
    #[must_use]
    pub fn of_tile(tiling: &Tiling, row: u32, col: u32) -> Option<Self> {
        let part = |position: u32, size: u32, end: u32| {
            let start = position.checked_mul(size).filter(|start| *start < end)?;
            Some((start, size.min(end - start)))
        };
        let (col_off, width) = part(col, tiling.tile_width, tiling.image_width)?;
        let (row_off, height) = part(row, tiling.tile_height, tiling.image_height)?;
        Some(Self { col_off, row_off, width, height })
    }

    /// End column, exclusive.
    #[must_use]
    pub fn col_end(&self) -> u32 {
        self.col_off.saturating_add(self.width)
    }

    /// End row, exclusive.
    #[must_use]
    pub fn row_end(&self) -> u32 {
        self.row_off.saturating_add(self.height)
    }

    /// Number of pixels.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Whether the window contains a pixel.
    #[must_use]
    pub fn contains(&self, col: u32, row: u32) -> bool {
        (self.col_off..self.col_end()).contains(&col) && (self.row_off..self.row_end()).contains(&row)
    }

    /// The tiles (row, col) that intersect the window, row by row.
    pub fn tiles(&self, tiling: &Tiling) -> impl Iterator<Item = (u32, u32)> + use<> {
        let (rows, cols) = self.tile_bounds(tiling);
        rows.flat_map(move |row| cols.clone().map(move |col| (row, col)))
    }

    /// The rows and columns of tiles that intersect the window.
    pub(crate) fn tile_bounds(&self, tiling: &Tiling) -> (Range<u32>, Range<u32>) {
        let (width, height) = (tiling.tile_width.max(1), tiling.tile_height.max(1));
        let rows = self.row_off / height..self.row_end().div_ceil(height);
        (rows, self.col_off / width..self.col_end().div_ceil(width))
    }

    /// Intersection of two windows; None if empty.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (left, top) = (self.col_off.max(other.col_off), self.row_off.max(other.row_off));
        let (right, bottom) = (self.col_end().min(other.col_end()), self.row_end().min(other.row_end()));
        (left < right && top < bottom).then(|| Self {
            col_off: left,
            row_off: top,
            width: right - left,
            height: bottom - top,
        })
    }

    /// The window around two windows.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (col_off, row_off) = (self.col_off.min(other.col_off), self.row_off.min(other.row_off));
        let (right, bottom) = (self.col_end().max(other.col_end()), self.row_end().max(other.row_end()));
        Self { col_off, row_off, width: right - col_off, height: bottom - row_off }
    }
}
