//! Copies values from the blocks of a raster to the pixels of another grid.

use std::sync::Arc;

use super::block::{Block, Pixels, Visitor};
use super::mapped_values::MappedValues;
use super::sample::Sample;
use crate::grid::{MappedCols, MappedPixels, MappedRun, Window};

impl MappedValues {
    /// Adds the pixels of a block. The caller must reject complex samples.
    pub fn add(&mut self, block: &Block) {
        take(&self.pixels, block, &mut self.values, || Values);
    }

    /// Copies the values of a part of the window.
    pub fn paste(&mut self, part: &Self) {
        paste((self.pixels.window, &mut self.values), (part.pixels.window, &part.values));
    }
}

impl Block {
    /// The block with a weight for each of its pixels, for weighted statistics.
    #[must_use]
    pub fn weighted(self, weights: MappedValues) -> Self {
        Self { weights: Some(Arc::new(weights)), ..self }
    }

    /// The weights of its pixels, if it has any.
    pub(crate) fn weights(&self) -> Option<&MappedValues> {
        self.weights.as_deref()
    }
}

/// Visits the pixels of a block and writes the results to the grid pixels mapped to them.
pub(super) fn take<T: Copy, V: Visitor<Output = Vec<T>>>(
    pixels: &MappedPixels,
    block: &Block,
    out: &mut [T],
    visitor: impl Fn() -> V,
) {
    let all = block.window.col_off..block.window.col_end();
    // The columns that are mapped to, which may be a small part of the block.
    let cols = pixels.cols().map_or(all.clone(), |cols| cols.start.max(all.start)..cols.end.min(all.end));
    // The row of the block that was read last, and where it was written.
    let mut row: Option<(u32, Vec<T>, usize)> = None;
    for run in pixels.runs() {
        if !(block.window.row_off..block.window.row_end()).contains(&run.row) {
            continue;
        }
        match &row {
            // Consecutive grid rows may map to the same row of the block, with the same columns.
            Some((read, _, start)) if *read == run.row && matches!(run.cols, MappedCols::Cols(_)) => {
                let written = *start..start.saturating_add(run.len());
                if written.end <= run.start && run.start.saturating_add(run.len()) <= out.len() {
                    out.copy_within(written, run.start);
                }
                continue;
            }
            Some((read, ..)) if *read == run.row => {}
            _ => row = Some((run.row, block.visit(run.row, cols.clone(), visitor()), run.start)),
        }
        if let Some((_, row, _)) = &row {
            write(&run, cols.start, row, out.get_mut(run.start..).unwrap_or_default());
        }
    }
}

/// Copies the pixels of a window, in row-major order, to those of another that contains it.
pub(super) fn paste<T: Copy>((window, out): (Window, &mut [T]), (part, pixels): (Window, &[T])) {
    let (width, part_width) = (window.width as usize, part.width as usize);
    let col = part.col_off.saturating_sub(window.col_off) as usize;
    for (row, pixels) in (part.row_off..).zip(pixels.chunks(part_width.max(1))) {
        let start = row.saturating_sub(window.row_off) as usize * width + col;
        if let Some(out) = out.get_mut(start..start + part_width) {
            out.copy_from_slice(pixels);
        }
    }
}

/// Writes a row of a block that starts at `col_off` to the pixels of a run.
fn write<T: Copy>(run: &MappedRun<'_>, col_off: u32, row: &[T], out: &mut [T]) {
    // Columns outside of the block, and those outside of the raster, are beyond its row.
    let place = |col: u32| row.get(col.wrapping_sub(col_off) as usize);
    match run.cols {
        MappedCols::Cols(cols) => out.iter_mut().zip(cols).for_each(|(value, col)| {
            if let Some(found) = place(*col) {
                *value = *found;
            }
        }),
        MappedCols::Pixels(pixels) => out.iter_mut().zip(pixels).for_each(|(value, (col, _))| {
            if let Some(found) = place(*col) {
                *value = *found;
            }
        }),
    }
}

/// The valid values.
struct Values;

impl Visitor for Values {
    type Output = Vec<Option<f64>>;

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) -> Self::Output {
        let mut values = Vec::with_capacity(pixels.len());
        pixels.for_each(|sample, is_valid| values.push(is_valid.then(|| sample.to_f64())));
        values
    }
}
