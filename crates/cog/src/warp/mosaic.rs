//! One block of many: composites of resampled blocks.
//!
//! | method | value | type |
//! |---|---|---|
//! | first, last | the first or last valid value, in the order of the sources | that of the sources |
//! | min, max | the smallest or largest valid value | that of the sources |
//! | mean, median, stddev | of the valid values; the population's standard deviation | `float32`; `float64` for integers of 32 bits and more, and doubles |
//! | count | the number of valid values, also where it is 0 | as of mean |

use super::patch::WarpedBlock;
use super::values::number;
use crate::grid::Window;
use crate::tiff::DataType;

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

    /// Combines the blocks of the sources, in their order: all of one window and of type `of_sources`.
    #[must_use]
    pub fn combine(self, window: Window, of_sources: DataType, fill: &[u8], blocks: &[WarpedBlock]) -> WarpedBlock {
        let pixels = window.width as usize * window.height as usize;
        let (size, of_result) = (of_sources.size(), self.data_type(of_sources));
        let mut data = self.fill(of_sources, fill).repeat(pixels);
        let mut mask = vec![if self == Self::Count { u8::MAX } else { 0 }; pixels];
        let mut values: Vec<(f64, &[u8])> = Vec::with_capacity(blocks.len());
        let result_size = of_result.size();
        for ((at, valid), out) in mask.iter_mut().enumerate().zip(data.chunks_exact_mut(result_size.max(1))) {
            values.clear();
            let of_block = |block: &'_ WarpedBlock| {
                let is_valid = block.mask.get(at).is_some_and(|byte| *byte != 0);
                is_valid.then_some(at * size..(at + 1) * size)
            };
            for block in blocks {
                if let Some(bytes) = of_block(block).and_then(|range| block.data.get(range)) {
                    values.push((number(of_sources, bytes), bytes));
                    if self == Self::First {
                        break;
                    }
                }
            }
            if let Some(number) = self.of_values(of_sources, &mut values, out) {
                match of_result {
                    #[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
                    DataType::Float32 => out.copy_from_slice(&(number as f32).to_le_bytes()),
                    _ => out.copy_from_slice(&number.to_le_bytes()),
                }
            }
            if !values.is_empty() {
                *valid = u8::MAX;
            }
        }
        WarpedBlock { window, data, mask }
    }

    /// The number that the values come to. A value of a source is copied to `out` instead.
    fn of_values(self, of_sources: DataType, values: &mut [(f64, &[u8])], out: &mut [u8]) -> Option<f64> {
        let count = values.len() as f64;
        let mean = |values: &[(f64, &[u8])]| values.iter().map(|(value, _)| value).sum::<f64>() / count;
        let order = |a: &(f64, &[u8]), b: &(f64, &[u8])| compared(of_sources, a, b);
        let picked = match self {
            Self::Count => return Some(count),
            _ if values.is_empty() => return None,
            Self::Mean => return Some(mean(values)),
            Self::Stddev => {
                let mean = mean(values);
                let squares = values.iter().map(|(value, _)| (value - mean) * (value - mean));
                return Some((squares.sum::<f64>() / count).sqrt());
            }
            Self::Median => {
                values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                let middle = values.len() / 2;
                let upper = values.get(middle)?.0;
                let is_even = values.len().is_multiple_of(2);
                let lower = if is_even { values.get(middle - 1)?.0 } else { upper };
                return Some(if is_even { (lower + upper) / 2.0 } else { upper });
            }
            Self::First => values.first(),
            Self::Last => values.last(),
            Self::Min => values.iter().min_by(|a, b| order(a, b)),
            Self::Max => values.iter().max_by(|a, b| order(a, b)),
        };
        if let Some((_, bytes)) = picked {
            out.copy_from_slice(bytes);
        }
        None
    }
}

/// Order of two values; 64-bit integers exactly.
fn compared(data_type: DataType, a: &(f64, &[u8]), b: &(f64, &[u8])) -> std::cmp::Ordering {
    let bytes = |value: &(f64, &[u8])| <[u8; 8]>::try_from(value.1).unwrap_or_default();
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
            let found = composite.combine(window, DataType::Int16, &(-1_i16).to_le_bytes(), &blocks);
            let data_type = composite.data_type(DataType::Int16);
            let values = found.data.chunks_exact(data_type.size()).map(|bytes| number(data_type, bytes));
            let valid = found.mask.iter().map(|byte| *byte != 0);
            values.zip(valid).map(|(value, valid)| valid.then_some(value)).collect::<Vec<_>>()
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
