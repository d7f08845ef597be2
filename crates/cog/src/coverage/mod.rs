//! Which pixels a geometry covers, and how much of each.
//!
//! Works in the pixel coordinates of one level: x = column, y = row, pixel (c, r) is the square from (c, r) to (c + 1, r + 1).

use crate::Tiling;
use crate::geometry::Geometry;
use crate::pixel::Window;

/// When a pixel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// By the exact fraction of its area that the geometry covers; lines weigh by their length inside, points by one.
    Fraction,
    /// Wholly, when its centre is inside, as rasterio and GDAL rasterise by default.
    Center,
    /// Wholly, when the geometry touches it, as GDAL's ALL_TOUCHED.
    AllTouched,
}

/// Pixels next to one another in a row that weigh the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The row.
    pub row: u32,
    /// The first column.
    pub start: u32,
    /// The column after the last.
    pub end: u32,
    /// The weight of each pixel, greater than 0.
    pub weight: f64,
}

/// The pixels that a geometry covers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    runs: Vec<Run>,
}

impl Coverage {
    /// The pixels of an image of `width` x `height` that a geometry in pixel coordinates covers.
    #[must_use]
    pub fn of(geometry: &Geometry, width: u32, height: u32, method: Method) -> Self {
        let _ = (geometry, width, height, method);
        todo!()
    }

    /// All runs: by row, then by column, none overlapping another.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The tiles (row, col) that hold covered pixels, row-major, each once.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        let _ = tiling;
        todo!()
    }

    /// The parts of runs inside a window.
    pub fn within(&self, window: Window) -> impl Iterator<Item = Run> + '_ {
        let _ = window;
        self.runs.iter().copied()
    }
}
