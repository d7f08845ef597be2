//! Values of a raster at the pixels of another grid, by nearest-neighbour mapping.

use crate::grid::MappedPixels;
use crate::{Tiling, Window};

/// Values at the pixels of a window of a grid, filled by blocks of the raster.
#[derive(Debug)]
pub struct MappedValues {
    pub(super) pixels: MappedPixels,
    /// In row-major order; None outside of the raster and at invalid pixels.
    pub(super) values: Vec<Option<f64>>,
}

impl MappedValues {
    /// Creates empty values for the pixels of a window.
    #[must_use]
    pub fn new(pixels: MappedPixels) -> Self {
        let len = usize::try_from(pixels.window.pixels()).unwrap_or(usize::MAX);
        Self { pixels, values: vec![None; len] }
    }

    /// Creates empty values for a window that [`paste`](Self::paste) fills.
    #[must_use]
    pub fn of_window(window: Window) -> Self {
        Self::new(MappedPixels::none(window))
    }

    /// Memory for the values of a window, in bytes.
    #[must_use]
    pub fn byte_len(window: Window) -> u64 {
        window.pixels().saturating_mul(size_of::<Option<f64>>() as u64)
    }

    /// The tiles (row, col) of the raster whose blocks must be added.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        self.pixels.tiles(tiling)
    }

    /// The values of a run of columns of the grid, inside the window.
    #[must_use]
    pub fn run(&self, row: u32, start: u32, end: u32) -> &[Option<f64>] {
        let window = self.pixels.window;
        let at = |col: u32| {
            let (row, col) = (row.checked_sub(window.row_off)?, col.checked_sub(window.col_off)?);
            Some(row as usize * window.width as usize + col as usize)
        };
        let range = at(start).zip(at(end));
        range.and_then(|(start, end)| self.values.get(start..end)).unwrap_or_default()
    }
}
