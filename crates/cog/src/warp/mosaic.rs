//! One block of many: composites of resampled blocks.
//!
//! | method | value | type |
//! |---|---|---|
//! | first, last | the first or last valid value, in the order of the sources | that of the sources |
//! | min, max | the smallest or largest valid value | that of the sources |
//! | mean, median, stddev | of the valid values; the population's standard deviation | `float32`; `float64` for integers of 32 bits and more, and doubles |
//! | count | the number of valid values, also where it is 0 | as of mean |

use std::cmp::Ordering;

use super::patch::WarpedBlock;
use super::values::numbers;
use crate::grid::Window;
use crate::tiff::DataType;
use crate::{Error, Result};

/// How the values of several sources become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Composite {
    /// The first valid value.
    First,
    /// The last valid value.
    Last,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The mean.
    Mean,
    /// The median: the mean of the middle two of an even number.
    Median,
    /// The number of valid values.
    Count,
    /// The standard deviation of the population.
    Stddev,
}

impl Composite {
    /// Type of the result.
    #[must_use]
    pub fn data_type(self, of_sources: DataType) -> DataType {
        match self {
            Self::First | Self::Last | Self::Min | Self::Max => of_sources,
            _ if of_sources.size() >= 4 && of_sources != DataType::Float32 => DataType::Float64,
            _ => DataType::Float32,
        }
    }

    /// Bytes of a pixel without values, given those of the first source.
    #[must_use]
    pub fn fill(self, of_sources: DataType, fill: &[u8]) -> Vec<u8> {
        match (self, self.data_type(of_sources)) {
            (Self::First | Self::Last | Self::Min | Self::Max, _) => fill.to_vec(),
            (Self::Count, data_type) => vec![0; data_type.size()],
            (_, DataType::Float32) => f32::NAN.to_le_bytes().to_vec(),
            _ => f64::NAN.to_le_bytes().to_vec(),
        }
    }

    /// The nodata value of the result, given that of the first source.
    #[must_use]
    pub fn nodata(self, of_source: Option<f64>) -> Option<f64> {
        match self {
            Self::First | Self::Last | Self::Min | Self::Max => of_source,
            Self::Count => None,
            Self::Mean | Self::Median | Self::Stddev => Some(f64::NAN),
        }
    }

    /// Checks the type of the sources.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for complex numbers, unless they are only picked or counted.
    pub fn check(self, of_sources: DataType) -> Result<()> {
        if of_sources.is_complex() && !matches!(self, Self::First | Self::Last | Self::Count) {
            let what =
                format!("method: expected 'first', 'last' or 'count' for sources of {of_sources}, found another");
            return Err(Error::InvalidArgument { what });
        }
        Ok(())
    }

    /// Combines the blocks of the sources, in their order: all of one window and of type `of_sources`. NaN is never a value. `fill` are
    /// the bytes of a pixel without values, see [`fill`](Self::fill).
    #[must_use]
    pub fn combine(self, window: Window, of_sources: DataType, fill: &[u8], blocks: &[WarpedBlock]) -> WarpedBlock {
        let (width, height) = (window.width as usize, window.height as usize);
        let mut data = fill.repeat(width * height);
        let mut mask = vec![if self == Self::Count { u8::MAX } else { 0 }; width * height];
        let mut row = Row::new(width, blocks.len());
        let line = (width * fill.len()).max(1);
        for (at, (data, mask)) in data.chunks_exact_mut(line).zip(mask.chunks_exact_mut(width.max(1))).enumerate() {
            for (block, line) in blocks.iter().zip(row.numbers.chunks_exact_mut(width.max(1))) {
                block.read_row(of_sources, at, line);
            }
            match self {
                Self::First | Self::Last | Self::Min | Self::Max => {
                    let bytes =
                        |source: usize, col: usize| blocks.get(source)?.value(of_sources.size(), at * width + col);
                    self.pick(&mut row, of_sources, &bytes);
                    row.copy_picked(&bytes, (data, mask));
                }
                Self::Median => row.medians(),
                Self::Mean | Self::Count | Self::Stddev => row.moments(self),
            }
            if !self.picks() {
                row.write(self.data_type(of_sources), (data, mask));
            }
        }
        WarpedBlock { window, data, mask }
    }

    /// Whether values are those of a source.
    fn picks(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Min | Self::Max)
    }

    /// Finds the source of each pixel of a row; the first of equal values.
    fn pick<'a>(self, row: &mut Row, of_sources: DataType, bytes: &impl Fn(usize, usize) -> Option<&'a [u8]>) {
        let is_long = matches!(of_sources, DataType::Uint64 | DataType::Int64);
        row.picked.fill(NONE);
        for (source, line) in row.numbers.chunks_exact(row.width.max(1)).enumerate() {
            for (col, ((number, best), picked)) in line.iter().zip(&mut row.results).zip(&mut row.picked).enumerate() {
                // Longs that are one double differ by their bytes.
                let order = |wanted: Ordering| match number.total_cmp(best) {
                    Ordering::Equal if is_long => {
                        compared(of_sources, bytes(source, col), bytes(*picked, col)) == wanted
                    }
                    order => order == wanted,
                };
                let is_better = !number.is_nan()
                    && (*picked == NONE
                        || match self {
                            Self::First => false,
                            Self::Min => order(Ordering::Less),
                            Self::Max => order(Ordering::Greater),
                            _ => true,
                        });
                if is_better {
                    (*best, *picked) = (*number, source);
                }
            }
        }
    }
}

/// No source.
const NONE: usize = usize::MAX;

/// A row of a block of all sources.
struct Row {
    width: usize,
    /// The values, source by source; NaN where they are invalid.
    numbers: Vec<f64>,
    /// The values of the composite; NaN without any.
    results: Vec<f64>,
    /// The sources of picked values.
    picked: Vec<usize>,
    /// Sums and counts.
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// The values of a pixel.
    column: Vec<f64>,
}

impl Row {
    fn new(width: usize, sources: usize) -> Self {
        Self {
            width,
            numbers: vec![f64::NAN; width * sources],
            results: vec![f64::NAN; width],
            picked: vec![NONE; width],
            sums: vec![0.0; width],
            counts: vec![0.0; width],
            column: Vec::with_capacity(sources),
        }
    }

    /// The median: the mean of the middle two of an even number.
    fn medians(&mut self) {
        for (col, result) in self.results.iter_mut().enumerate() {
            let values = self.numbers.iter().skip(col).step_by(self.width.max(1));
            self.column.clear();
            self.column.extend(values.filter(|value| !value.is_nan()));
            *result = median(&mut self.column);
        }
    }

    /// Mean, standard deviation or count.
    fn moments(&mut self, composite: Composite) {
        self.sums.fill(0.0);
        self.counts.fill(0.0);
        for line in self.numbers.chunks_exact(self.width.max(1)) {
            for ((number, sum), count) in line.iter().zip(&mut self.sums).zip(&mut self.counts) {
                let is_value = !number.is_nan();
                *sum += if is_value { *number } else { 0.0 };
                *count += if is_value { 1.0 } else { 0.0 };
            }
        }
        if composite == Composite::Count {
            self.results.copy_from_slice(&self.counts);
            return;
        }
        // 0 / 0 is NaN.
        let means = self.results.iter_mut().zip(self.sums.iter().zip(&self.counts));
        means.for_each(|(mean, (sum, count))| *mean = sum / count);
        if composite == Composite::Mean {
            return;
        }
        self.sums.fill(0.0);
        for line in self.numbers.chunks_exact(self.width.max(1)) {
            for ((number, mean), sum) in line.iter().zip(&self.results).zip(&mut self.sums) {
                let square = (number - mean) * (number - mean);
                *sum += if number.is_nan() { 0.0 } else { square };
            }
        }
        let deviations = self.results.iter_mut().zip(self.sums.iter().zip(&self.counts));
        deviations.for_each(|(result, (sum, count))| *result = (sum / count).sqrt());
    }

    /// Copies the picked values to a row of data and mask.
    fn copy_picked<'a>(&self, bytes: &impl Fn(usize, usize) -> Option<&'a [u8]>, (data, mask): (&mut [u8], &mut [u8])) {
        let size = data.len() / self.width.max(1);
        let pixels = data.chunks_exact_mut(size.max(1)).zip(mask).zip(&self.picked).enumerate();
        for (col, ((out, valid), source)) in pixels.filter(|(_, (_, source))| **source != NONE) {
            if let Some(bytes) = bytes(*source, col) {
                out.copy_from_slice(bytes);
                *valid = u8::MAX;
            }
        }
    }

    /// Writes the results to a row of data and mask. Pixels without values stay as they are, as do sums of infinite values, which are NaN.
    fn write(&self, data_type: DataType, (data, mask): (&mut [u8], &mut [u8])) {
        let pixels = data.chunks_exact_mut(data_type.size()).zip(mask).zip(&self.results);
        for ((out, valid), result) in pixels.filter(|(_, result)| !result.is_nan()) {
            match data_type {
                #[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
                DataType::Float32 => out.copy_from_slice(&(*result as f32).to_le_bytes()),
                _ => out.copy_from_slice(&result.to_le_bytes()),
            }
            *valid = u8::MAX;
        }
    }
}

/// The median of values; NaN without any.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return f64::NAN;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = if is_even { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) } else { upper };
    if lower.total_cmp(&upper).is_eq() { upper } else { f64::midpoint(lower, upper) }
}

impl WarpedBlock {
    /// The bytes of the value of a pixel.
    fn value(&self, size: usize, at: usize) -> Option<&[u8]> {
        self.data.get(at * size..(at + 1) * size)
    }

    /// Reads the values of a row as numbers, NaN for invalid ones; valid complex numbers as 0.
    fn read_row(&self, data_type: DataType, row: usize, line: &mut [f64]) {
        let (size, width) = (data_type.size(), line.len());
        let places = row * width..(row + 1) * width;
        let data = self.data.get(places.start * size..places.end * size).unwrap_or_default();
        let mask = self.mask.get(places).unwrap_or_default();
        line.fill(f64::NAN);
        if data_type.is_complex() {
            line.iter_mut().zip(mask).filter(|(_, byte)| **byte != 0).for_each(|(number, _)| *number = 0.0);
            return;
        }
        numbers(data_type, data, line);
        line.iter_mut().zip(mask).filter(|(_, byte)| **byte == 0).for_each(|(number, _)| *number = f64::NAN);
    }
}

/// Order of two 64-bit integers.
fn compared(data_type: DataType, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    let bytes = |value: Option<&[u8]>| value.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).unwrap_or_default();
    match data_type {
        DataType::Uint64 => u64::from_le_bytes(bytes(a)).cmp(&u64::from_le_bytes(bytes(b))),
        _ => i64::from_le_bytes(bytes(a)).cmp(&i64::from_le_bytes(bytes(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(values: &[Option<i16>]) -> WarpedBlock {
        let data = values.iter().flat_map(|value| value.unwrap_or(-1).to_le_bytes()).collect();
        let mask = values.iter().map(|value| if value.is_some() { 255 } else { 0 }).collect();
        let window = Window { col_off: 0, row_off: 0, width: 3, height: 1 };
        WarpedBlock { window, data, mask }
    }

    #[test]
    fn values_of_three_sources() {
        let blocks =
            [block(&[Some(5), None, None]), block(&[Some(-2), Some(7), None]), block(&[Some(3), Some(4), None])];
        let window = blocks[0].window;
        let of = |composite: Composite| {
            let fill = composite.fill(DataType::Int16, &(-1_i16).to_le_bytes());
            let found = composite.combine(window, DataType::Int16, &fill, &blocks);
            let mut values = [0.0; 3];
            numbers(composite.data_type(DataType::Int16), &found.data, &mut values);
            let valid = found.mask.iter().map(|byte| *byte != 0);
            values.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value)).collect::<Vec<_>>()
        };
        let mean = [Some(2.0), Some(5.5), None];
        assert_eq!(of(Composite::First), [Some(5.0), Some(7.0), None]);
        assert_eq!(of(Composite::Last), [Some(3.0), Some(4.0), None]);
        assert_eq!(of(Composite::Min), [Some(-2.0), Some(4.0), None]);
        assert_eq!(of(Composite::Max), [Some(5.0), Some(7.0), None]);
        assert_eq!(of(Composite::Mean), mean);
        assert_eq!(of(Composite::Median), [Some(3.0), Some(5.5), None]);
        assert_eq!(of(Composite::Count), [Some(3.0), Some(2.0), Some(0.0)]);
        let deviation = (26.0_f64 / 3.0).sqrt();
        let found = of(Composite::Stddev);
        assert!((found[0].unwrap() - deviation).abs() < 1e-6 && found[1] == Some(1.5) && found[2].is_none());
    }

    #[test]
    fn nan_is_no_value_and_integers_are_exact() {
        let window = Window { col_off: 0, row_off: 0, width: 2, height: 1 };
        let of = |values: [f32; 2]| WarpedBlock {
            window,
            data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            mask: vec![255; 2],
        };
        let blocks = [of([f32::NAN, f32::NAN]), of([2.5, f32::NAN])];
        for composite in [Composite::First, Composite::Last, Composite::Min, Composite::Mean, Composite::Median] {
            let found = composite.combine(window, DataType::Float32, &(-1.0_f32).to_le_bytes(), &blocks);
            assert_eq!((found.data[..4].to_vec(), found.mask), (2.5_f32.to_le_bytes().to_vec(), vec![255, 0]));
            assert_eq!(found.data[4..], (-1.0_f32).to_le_bytes());
        }
        let of = |value: u64| WarpedBlock {
            window: Window { width: 1, ..window },
            data: value.to_le_bytes().to_vec(),
            mask: vec![255],
        };
        let blocks = [of(u64::MAX - 1), of(u64::MAX), of(u64::MAX - 2)];
        let of = |composite: Composite| composite.combine(blocks[0].window, DataType::Uint64, &[0; 8], &blocks).data;
        assert_eq!(of(Composite::Max), u64::MAX.to_le_bytes());
        assert_eq!(of(Composite::Min), (u64::MAX - 2).to_le_bytes());
        assert_eq!(of(Composite::First), (u64::MAX - 1).to_le_bytes());
        assert!(
            Composite::Mean.check(DataType::Complex64).is_err() && Composite::Last.check(DataType::Complex64).is_ok()
        );
    }

    #[test]
    fn types() {
        let of = Composite::data_type;
        assert_eq!(of(Composite::First, DataType::Uint8), DataType::Uint8);
        assert_eq!(of(Composite::Mean, DataType::Uint16), DataType::Float32);
        assert_eq!(of(Composite::Median, DataType::Float32), DataType::Float32);
        for wide in [DataType::Int32, DataType::Uint32, DataType::Int64, DataType::Float64] {
            assert_eq!(of(Composite::Median, wide), DataType::Float64);
        }
    }
}
