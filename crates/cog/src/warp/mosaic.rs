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
        let (size, of_result) = (of_sources.size(), self.data_type(of_sources));
        let mut data = fill.repeat(width * height);
        let mut mask = vec![if self == Self::Count { u8::MAX } else { 0 }; width * height];
        // The values of a row, source by source.
        let mut numbers = vec![f64::NAN; blocks.len() * width];
        let mut column = Vec::with_capacity(blocks.len());
        let rows = data.chunks_exact_mut((width * of_result.size()).max(1)).zip(mask.chunks_exact_mut(width.max(1)));
        for (row, (data, mask)) in rows.enumerate() {
            for (block, line) in blocks.iter().zip(numbers.chunks_exact_mut(width.max(1))) {
                block.read_row(of_sources, row, line);
            }
            for ((col, out), valid) in data.chunks_exact_mut(of_result.size()).enumerate().zip(mask) {
                column.clear();
                let values = numbers.iter().skip(col).step_by(width.max(1)).copied().enumerate();
                column.extend(values.filter(|(_, value)| !value.is_nan()));
                if column.is_empty() {
                    continue;
                }
                *valid = u8::MAX;
                let at = row * width + col;
                let bytes = |source: usize| blocks.get(source)?.data.get(at * size..(at + 1) * size);
                match self.of_values(of_sources, &mut column, bytes) {
                    Found::Source(source) => out.copy_from_slice(bytes(source).unwrap_or(fill)),
                    #[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
                    Found::Number(number) if of_result == DataType::Float32 => {
                        out.copy_from_slice(&(number as f32).to_le_bytes());
                    }
                    Found::Number(number) => out.copy_from_slice(&number.to_le_bytes()),
                }
            }
        }
        WarpedBlock { window, data, mask }
    }

    /// The result of values that are not none, each with its source. `bytes` are those of the value of a source.
    fn of_values<'a>(
        self,
        of_sources: DataType,
        values: &mut [(usize, f64)],
        bytes: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> Found {
        let count = values.len() as f64;
        let mean = |values: &[(usize, f64)]| values.iter().map(|(_, value)| value).sum::<f64>() / count;
        let order = |a: &(usize, f64), b: &(usize, f64)| match (bytes(a.0), bytes(b.0)) {
            (Some(first), Some(second)) => compared(of_sources, (a.1, first), (b.1, second)),
            _ => a.1.total_cmp(&b.1),
        };
        let picked = match self {
            Self::Count => return Found::Number(count),
            Self::Mean => return Found::Number(mean(values)),
            Self::Stddev => {
                let mean = mean(values);
                let squares = values.iter().map(|(_, value)| (value - mean) * (value - mean));
                return Found::Number((squares.sum::<f64>() / count).sqrt());
            }
            Self::Median => return Found::Number(median(values)),
            Self::First => values.first(),
            Self::Last => values.last(),
            // The first of equal values.
            Self::Min => values.iter().reduce(|best, next| if order(next, best).is_lt() { next } else { best }),
            Self::Max => values.iter().reduce(|best, next| if order(next, best).is_gt() { next } else { best }),
        };
        Found::Source(picked.map_or(0, |(source, _)| *source))
    }
}

/// The value of a pixel: that of a source, or a number.
enum Found {
    Source(usize),
    Number(f64),
}

/// The median: the mean of the middle two of an even number.
fn median(values: &mut [(usize, f64)]) -> f64 {
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, |a, b| a.1.total_cmp(&b.1));
    let upper = upper.1;
    let lower = if is_even { below.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max) } else { upper };
    if lower == upper { upper } else { f64::midpoint(lower, upper) }
}

impl WarpedBlock {
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

/// Order of two values; 64-bit integers exactly.
fn compared(data_type: DataType, a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    let bytes = |value: (f64, &[u8])| <[u8; 8]>::try_from(value.1).unwrap_or_default();
    match data_type {
        DataType::Uint64 => u64::from_le_bytes(bytes(a)).cmp(&u64::from_le_bytes(bytes(b))),
        DataType::Int64 => i64::from_le_bytes(bytes(a)).cmp(&i64::from_le_bytes(bytes(b))),
        _ => a.0.total_cmp(&b.0),
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
