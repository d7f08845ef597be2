//! Mapping of pixels from one raster to another, in integers.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tiling::Tiling;
use super::window::Window;

/// Marks a missing column or row.
const NONE: u32 = u32::MAX;

/// For each pixel of a window of a grid, the pixel of another raster.
#[derive(Debug)]
pub struct MappedPixels {
    /// The window of the grid.
    pub(crate) window: Window,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Columns and rows are mapped independently.
    Apart { cols: Vec<u32>, rows: Vec<u32> },
    /// The column and row of each pixel, row by row.
    Each(Vec<(u32, u32)>),
}

/// Consecutive pixels of a row of the window whose pixels of the other raster are in one row.
#[derive(Debug)]
pub(crate) struct MappedRun<'a> {
    /// Position of the first pixel in the window, in row-major order.
    pub(crate) start: usize,
    /// The row of the other raster.
    pub(crate) row: u32,
    /// The columns of the other raster.
    pub(crate) cols: MappedCols<'a>,
}

/// The columns of a run; `u32::MAX` outside of the other raster.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MappedCols<'a> {
    /// Those of every row of the window.
    Cols(&'a [u32]),
    /// Columns and rows.
    Pixels(&'a [(u32, u32)]),
}

impl MappedRun<'_> {
    /// Number of pixels.
    pub(crate) fn len(&self) -> usize {
        match self.cols {
            MappedCols::Cols(cols) => cols.len(),
            MappedCols::Pixels(pixels) => pixels.len(),
        }
    }
}

#[cfg(test)]
impl MappedCols<'_> {
    /// The column of each pixel of the run; None outside of the other raster.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        let (cols, pixels) = match self {
            Self::Cols(cols) => (*cols, &[][..]),
            Self::Pixels(pixels) => (&[][..], *pixels),
        };
        let all = cols.iter().copied().chain(pixels.iter().map(|(col, _)| *col));
        all.map(|col| (col != NONE).then_some(col))
    }
}

impl MappedPixels {
    /// Maps nothing.
    pub(crate) fn none(window: Window) -> Self {
        Self { window, kind: Kind::Each(Vec::new()) }
    }

    /// Maps columns and rows independently; None outside of the other raster.
    pub(crate) fn apart(
        window: Window,
        cols: impl Iterator<Item = Option<u32>>,
        rows: impl Iterator<Item = Option<u32>>,
    ) -> Self {
        let places =
            |places: &mut dyn Iterator<Item = Option<u32>>| places.map(|place| place.unwrap_or(NONE)).collect();
        let (mut cols, mut rows) = (cols, rows);
        Self { window, kind: Kind::Apart { cols: places(&mut cols), rows: places(&mut rows) } }
    }

    /// Maps each pixel, in row-major order, to a column and row; None outside of the other raster.
    pub(crate) fn each(window: Window, pixels: impl Iterator<Item = Option<(u32, u32)>>) -> Self {
        Self { window, kind: Kind::Each(pixels.map(|pixel| pixel.unwrap_or((NONE, NONE))).collect()) }
    }

    /// The tiles (row, col) of the other raster that contain mapped pixels, each once.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        let row_of = |row: u32| row / tiling.tile_height.max(1);
        let col_of = |col: u32| col / tiling.tile_width.max(1);
        let set: BTreeSet<(u32, u32)> = match &self.kind {
            Kind::Apart { cols, rows } => {
                let is_there = |place: &&u32| **place != NONE;
                let cols: BTreeSet<u32> = cols.iter().filter(is_there).map(|col| col_of(*col)).collect();
                let rows: BTreeSet<u32> = rows.iter().filter(is_there).map(|row| row_of(*row)).collect();
                rows.iter().flat_map(|row| cols.iter().map(|col| (*row, *col))).collect()
            }
            Kind::Each(pixels) => {
                let there = pixels.iter().filter(|(col, _)| *col != NONE);
                there.map(|(col, row)| (row_of(*row), col_of(*col))).collect()
            }
        };
        set.into_iter().collect()
    }

    /// The columns of the other raster that the pixels are mapped to; None if columns and rows are not mapped
    /// independently.
    pub(crate) fn cols(&self) -> Option<Range<u32>> {
        let Kind::Apart { cols, .. } = &self.kind else {
            return None;
        };
        let there = || cols.iter().filter(|col| **col != NONE);
        let least = there().min().copied().unwrap_or(0);
        Some(least..there().max().map_or(least, |most| most.saturating_add(1)))
    }

    /// All pixels, as runs mapped to a single row of the other raster. Runs outside of it are omitted.
    pub(crate) fn runs(&self) -> impl Iterator<Item = MappedRun<'_>> {
        let width = self.window.width as usize;
        let (apart, each) = match &self.kind {
            Kind::Apart { cols, rows } => (Some((cols, rows)), [].as_slice()),
            Kind::Each(pixels) => (None, pixels.as_slice()),
        };
        let of_rows = apart.into_iter().flat_map(move |(cols, rows)| {
            let run = move |(at, row): (usize, &u32)| MappedRun {
                start: at * width,
                row: *row,
                cols: MappedCols::Cols(cols),
            };
            rows.iter().enumerate().map(run)
        });
        let of_pixels = each.chunks(width.max(1)).enumerate().flat_map(move |(at, pixels)| {
            let mut start = at * width;
            pixels.chunk_by(|one, other| one.1 == other.1).map(move |pixels| {
                let run = MappedRun { start, row: pixels[0].1, cols: MappedCols::Pixels(pixels) };
                start += pixels.len();
                run
            })
        });
        of_rows.chain(of_pixels).filter(|run| run.row != NONE)
    }
}
