//! Values of resampled blocks as numbers.

use super::patch::WarpedBlock;
use crate::grid::Run;
use crate::tiff::DataType;
use crate::{Error, Result};

/// Reads little-endian values as doubles; complex types are not numbers.
pub(super) fn numbers(data_type: DataType, data: &[u8], out: &mut [f64]) {
    macro_rules! read {
        ($type:ty, $convert:expr) => {{
            let (values, _) = data.as_chunks::<{ size_of::<$type>() }>();
            for (number, bytes) in out.iter_mut().zip(values) {
                *number = $convert(<$type>::from_le_bytes(*bytes));
            }
        }};
    }
    match data_type {
        DataType::Uint8 => read!(u8, f64::from),
        DataType::Uint16 => read!(u16, f64::from),
        DataType::Uint32 => read!(u32, f64::from),
        #[expect(clippy::cast_precision_loss, reason = "64-bit integers are rounded")]
        DataType::Uint64 => read!(u64, |value| value as f64),
        DataType::Int8 => read!(i8, f64::from),
        DataType::Int16 => read!(i16, f64::from),
        DataType::Int32 => read!(i32, f64::from),
        #[expect(clippy::cast_precision_loss, reason = "64-bit integers are rounded")]
        DataType::Int64 => read!(i64, |value| value as f64),
        DataType::Float16 => read!(half::f16, half::f16::to_f64),
        DataType::Float32 => read!(f32, f64::from),
        DataType::Float64 => read!(f64, std::convert::identity),
        _ => out.fill(f64::NAN),
    }
}

impl WarpedBlock {
    /// Reads the values of a run of columns of the grid, inside the block, as doubles, which replace those of `numbers`. Returns their mask.
    pub fn run(&self, data_type: DataType, run: &Run, numbers: &mut Vec<f64>) -> &[u8] {
        let at = |col: u32| {
            let (row, col) = (run.row.checked_sub(self.window.row_off)?, col.checked_sub(self.window.col_off)?);
            Some(row as usize * self.window.width as usize + col as usize)
        };
        let range = at(run.start).zip(at(run.end)).map_or(0..0, |(start, end)| start..end);
        let size = data_type.size();
        let mask = self.mask.get(range.clone()).unwrap_or_default();
        numbers.clear();
        numbers.resize(mask.len(), 0.0);
        self::numbers(data_type, self.data.get(range.start * size..range.end * size).unwrap_or_default(), numbers);
        mask
    }
}

/// Largest integer below which a single float holds all integers.
const MAX_INTEGER: f64 = 16_777_216.0;

/// Integers that are converted at once.
const PART: usize = 1024;

/// Writes the values of a window as single floats, with `fill` for invalid ones. Doubles are rounded. Returns the number of valid ones.
///
/// # Errors
///
/// [`Error::InvalidArgument`] for integers beyond 2^24, which single floats do not hold, and for complex numbers.
pub fn to_singles(data_type: DataType, data: &[u8], mask: &[u8], fill: f32, out: &mut [f32]) -> Result<usize> {
    macro_rules! convert {
        ($type:ty, $convert:expr) => {
            converted(data, mask, fill, out, |bytes| $convert(<$type>::from_le_bytes(bytes)))
        };
    }
    match data_type {
        DataType::Uint8 => convert!(u8, f32::from),
        DataType::Int8 => convert!(i8, f32::from),
        DataType::Uint16 => convert!(u16, f32::from),
        DataType::Int16 => convert!(i16, f32::from),
        DataType::Float16 => convert!(half::f16, half::f16::to_f32),
        DataType::Float32 => convert!(f32, std::convert::identity),
        #[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
        DataType::Float64 => convert!(f64, |value| value as f32),
        DataType::Uint32 | DataType::Int32 | DataType::Uint64 | DataType::Int64 => {
            let mut wide = [0.0; PART];
            let parts = data.chunks(PART * data_type.size()).zip(mask.chunks(PART)).zip(out.chunks_mut(PART));
            for ((data, mask), out) in parts {
                numbers(data_type, data, &mut wide);
                check_integers(data_type, data, &wide, mask)?;
                for ((value, mask), number) in out.iter_mut().zip(mask).zip(wide) {
                    #[expect(clippy::cast_possible_truncation, reason = "checked to be exact")]
                    let single = number as f32;
                    *value = if *mask == 0 { fill } else { single };
                }
            }
        }
        _ => return Err(Error::InvalidArgument { what: format!("expected real numbers, found {data_type}") }),
    }
    Ok(mask.iter().filter(|byte| **byte != 0).count())
}

fn converted<const N: usize>(data: &[u8], mask: &[u8], fill: f32, out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    let (values, _) = data.as_chunks::<N>();
    for ((out, mask), bytes) in out.iter_mut().zip(mask).zip(values) {
        let value = convert(*bytes);
        *out = if *mask == 0 { fill } else { value };
    }
}

/// Rejects valid integers that a single-precision float might round.
fn check_integers(data_type: DataType, data: &[u8], numbers: &[f64], mask: &[u8]) -> Result<()> {
    let is_refused = |(number, mask): (&f64, &u8)| *mask != 0 && number.abs() > MAX_INTEGER;
    let Some(at) = numbers.iter().zip(mask).position(is_refused) else { return Ok(()) };
    let size = data_type.size();
    let is_negative = numbers.get(at).is_some_and(|number| *number < 0.0);
    let mut bytes = [if is_negative { u8::MAX } else { 0 }; 16];
    for (byte, from) in bytes.iter_mut().zip(data.iter().skip(at * size).take(size)) {
        *byte = *from;
    }
    Err(Error::InvalidArgument {
        what: format!(
            "expected values that FLOAT holds exactly, found {} in a band of {data_type}: use cog_read, which returns them as they are",
            i128::from_le_bytes(bytes)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_block() {
        let window = crate::grid::Window { col_off: 10, row_off: 4, width: 3, height: 2 };
        let data = [1_i16, 2, 3, -4, 5, 6].iter().flat_map(|value| value.to_le_bytes()).collect();
        let block = WarpedBlock { window, data, mask: vec![255, 255, 255, 255, 0, 255] };
        let mut numbers = vec![7.0; 9];
        let run = |row, start, end| Run { row, start, end, weight: 1.0 };
        assert_eq!(block.run(DataType::Int16, &run(5, 10, 12), &mut numbers), [255, 0]);
        assert_eq!(numbers, [-4.0, 5.0]);
        assert_eq!(block.run(DataType::Int16, &run(4, 11, 13), &mut numbers), [255, 255]);
        assert_eq!(numbers, [2.0, 3.0]);
        assert!(block.run(DataType::Int16, &run(3, 10, 12), &mut numbers).is_empty() && numbers.is_empty());
    }

    #[test]
    fn singles_of_every_type() {
        let singles = |data_type, data: &[u8]| {
            let pixels = data.len() / DataType::size(data_type);
            let mut out = vec![0.0; pixels];
            let mut mask = vec![255; pixels];
            mask[0] = 0;
            assert_eq!(to_singles(data_type, data, &mask, -1.0, &mut out).unwrap(), pixels - 1);
            out
        };
        assert_eq!(singles(DataType::Uint8, &[7, 200]), [-1.0, 200.0]);
        assert_eq!(singles(DataType::Int8, &[7, 200]), [-1.0, -56.0]);
        assert_eq!(singles(DataType::Int16, &[0, 0, 0xFE, 0xFF]), [-1.0, -2.0]);
        assert_eq!(singles(DataType::Uint16, &[0, 0, 0xFE, 0xFF]), [-1.0, 65534.0]);
        assert_eq!(singles(DataType::Float16, &[0, 0, 0x00, 0x3E]), [-1.0, 1.5]);
        let doubles: Vec<u8> = [1.0, 0.1].iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        assert_eq!(singles(DataType::Float64, &doubles), [-1.0, 0.1]);
        let floats: Vec<u8> = [1.0, 0.1].iter().flat_map(|value: &f32| value.to_le_bytes()).collect();
        assert_eq!(singles(DataType::Float32, &floats), [-1.0, 0.1]);
        // The first value is invalid.
        let longs: Vec<u8> = [i64::MAX, -(1 << 24)].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(singles(DataType::Int64, &longs), [-1.0, -16_777_216.0]);
    }

    #[test]
    fn integers_that_are_rounded_are_refused() {
        let refused = |data_type: DataType, data: &[u8]| {
            to_singles(data_type, data, &[255], 0.0, &mut [0.0]).unwrap_err().to_string()
        };
        let found = refused(DataType::Uint32, &16_777_217_u32.to_le_bytes());
        assert!(found.contains("found 16777217 in a band of uint32: use cog_read"), "{found}");
        assert!(refused(DataType::Int32, &(-16_777_217_i32).to_le_bytes()).contains("found -16777217"));
        assert!(refused(DataType::Uint64, &u64::MAX.to_le_bytes()).contains("found 18446744073709551615 in"));
        assert!(refused(DataType::Int64, &(i64::MIN + 1).to_le_bytes()).contains("found -9223372036854775807 in"));
        assert!(refused(DataType::Complex64, &[0; 8]).contains("expected real numbers, found complex64"));
    }
}
