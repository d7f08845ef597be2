//! Values of several rasters at the same pixels, as rows with one column per raster.
//!
//! Blocks are arranged band by band, results pixel by pixel. Few rows are filled at a time ([`ValueRows::at_once`]), so that they stay
//! in the first-level cache while one column after the other is written: 64 bands of 1024 x 1024 pixels took 1.8 times as long when the
//! values of each band were collected first.

use super::block::{Block, Pixels, Visitor};
use super::mapped_values::MappedValues;
use super::sample::Sample;
use crate::grid::Run;

/// Rows of values, filled column by column.
#[derive(Debug, Default)]
pub struct ValueRows {
    columns: usize,
    /// Row by row; unspecified where invalid.
    values: Vec<f64>,
    /// Positions of invalid values among `values`, in any order.
    invalid: Vec<usize>,
    /// The values of the column that is being written.
    column: Vec<f64>,
}

impl ValueRows {
    /// The number of values to fill at once: 32 KiB.
    const VALUES_AT_ONCE: usize = 4096;

    /// The number of rows to fill at once.
    #[must_use]
    pub fn at_once(columns: usize) -> u32 {
        u32::try_from(Self::VALUES_AT_ONCE / columns.max(1)).unwrap_or(u32::MAX).max(16)
    }

    /// Starts anew with a number of rows, whose columns must all be filled.
    pub fn start(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        self.values.resize(rows.saturating_mul(columns), 0.0);
        self.invalid.clear();
    }

    /// Fills a column with the values `v * scale + offset` of the pixels of a run inside a block's window. The caller must reject complex
    /// samples.
    pub fn fill_from_block(&mut self, column: usize, block: &Block, run: &Run, scaling: (f64, f64)) {
        block.visit(run.row, run.start..run.end, Fill { rows: self, column, scaling });
    }

    /// Fills a column with the values `v * scale + offset` of a run of pixels.
    pub fn fill_from_values(&mut self, column: usize, values: &MappedValues, run: &Run, scaling: (f64, f64)) {
        let values = values.run(run.row, run.start, run.end);
        self.write(column, values.iter().map(|value| value.unwrap_or_default() * scaling.0 + scaling.1));
        self.mark_invalid(column, values.iter().map(Option::is_some));
    }

    /// Fills a column with the values `v * scale + offset` of numbers, of which those with a mask of 0 are invalid.
    pub fn fill_from_numbers(&mut self, column: usize, numbers: &[f64], mask: &[u8], (scale, offset): (f64, f64)) {
        self.write(column, numbers.iter().map(|number| number * scale + offset));
        if mask.contains(&0) {
            self.mark_invalid(column, mask.iter().map(|byte| *byte != 0));
        }
    }

    /// Marks a column as invalid.
    pub fn fill_with_invalid(&mut self, column: usize) {
        self.invalid.extend((column..self.values.len()).step_by(self.columns.max(1)));
    }

    /// The values, row by row; unspecified where invalid.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The positions of invalid values, in any order.
    #[must_use]
    pub fn invalid(&self) -> &[usize] {
        &self.invalid
    }

    /// Writes values to a column.
    fn write(&mut self, column: usize, values: impl Iterator<Item = f64>) {
        // Conversions are vectorized, stores far apart are not.
        self.column.clear();
        self.column.extend(values);
        for (row, value) in self.values.chunks_exact_mut(self.columns.max(1)).zip(&self.column) {
            if let Some(place) = row.get_mut(column) {
                *place = *value;
            }
        }
    }

    /// Adds the values of a column that are not valid.
    fn mark_invalid(&mut self, column: usize, is_valid: impl Iterator<Item = bool>) {
        let places = (column..self.values.len()).step_by(self.columns.max(1));
        self.invalid.extend(places.zip(is_valid).filter(|(_, is_valid)| !is_valid).map(|(place, _)| place));
    }
}

/// Fills a column with the pixels of a run.
struct Fill<'a> {
    rows: &'a mut ValueRows,
    column: usize,
    scaling: (f64, f64),
}

impl Visitor for Fill<'_> {
    type Output = ();

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) {
        let Self { rows, column, scaling: (scale, offset) } = self;
        let scaled = |sample: &T| sample.to_f64() * scale + offset;
        match pixels.stride() {
            1 => rows.write(column, pixels.samples().iter().map(scaled)),
            0 => rows.write(column, pixels.samples().iter().cycle().take(pixels.len()).map(scaled)),
            stride => rows.write(column, pixels.samples().iter().step_by(stride).map(scaled)),
        }
        // Most runs have no invalid pixel, which a loop without branches finds out.
        if pixels.may_be_invalid() {
            let mut is_valid = Vec::with_capacity(pixels.len());
            pixels.for_each(|_, valid| is_valid.push(valid));
            rows.mark_invalid(column, is_valid.into_iter());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codec::{DecodedTile, Samples};
    use crate::grid::{MappedPixels, Window};
    use crate::pixel::plane::Plane;

    const WINDOW: Window = Window { col_off: 4, row_off: 2, width: 3, height: 1 };
    const RUN: Run = Run { row: 2, start: 4, end: 7, weight: 1.0 };

    fn block(samples: &[u8]) -> Block {
        let samples = Samples::Uint8(samples.to_vec());
        let tile = DecodedTile { width: 3, height: 1, samples_per_pixel: 1, samples, valid: None };
        let data = Plane::new(Arc::new(tile), (4, 2), WINDOW, 0).unwrap();
        let nodata = Some(crate::pixel::Nodata::Whole(0));
        let (others, masks) = (Vec::new(), Vec::new());
        Block { window: WINDOW, data, nodata, others, masks, mask: None, uses_codec_validity: false, weights: None }
    }

    #[test]
    fn columns_are_filled_side_by_side() {
        let mut rows = ValueRows::default();
        // Values of the rows before are overwritten.
        rows.start(4, 5);
        rows.fill_with_invalid(1);
        rows.start(3, 5);
        rows.fill_from_block(0, &block(&[1, 0, 3]), &RUN, (1.0, 0.0));
        let pixels = MappedPixels::apart(WINDOW, [Some(0), None, Some(2)].into_iter(), [Some(0)].into_iter());
        let mut mapped = MappedValues::new(pixels);
        mapped.values = vec![Some(7.0), None, Some(9.0)];
        rows.fill_from_values(1, &mapped, &RUN, (2.0, -1.0));
        rows.fill_with_invalid(2);
        rows.fill_from_block(3, &block(&[4, 5, 6]), &RUN, (0.5, 1.0));
        rows.fill_from_numbers(4, &[1.0, 2.0, 3.0], &[255, 255, 0], (3.0, 1.0));
        let found: Vec<_> = rows
            .values()
            .iter()
            .enumerate()
            .map(|(at, value)| (!rows.invalid().contains(&at)).then_some(*value))
            .collect();
        let expected = [
            [Some(1.0), Some(13.0), None, Some(3.0), Some(4.0)],
            [None, None, None, Some(3.5), Some(7.0)],
            [Some(3.0), Some(17.0), None, Some(4.0), None],
        ];
        assert_eq!(found, expected.concat());
    }
}
