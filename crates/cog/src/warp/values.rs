//! Values of resampled blocks as numbers.

use crate::tiff::DataType;

/// A little-endian value as a double; NaN for complex types.
pub(super) fn number(data_type: DataType, bytes: &[u8]) -> f64 {
    macro_rules! read {
        ($type:ty) => {
            bytes.try_into().map_or(f64::NAN, |bytes| {
                #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "64-bit integers are rounded")]
                let value = <$type>::from_le_bytes(bytes) as f64;
                value
            })
        };
    }
    match data_type {
        DataType::Uint8 => read!(u8),
        DataType::Uint16 => read!(u16),
        DataType::Uint32 => read!(u32),
        DataType::Uint64 => read!(u64),
        DataType::Int8 => read!(i8),
        DataType::Int16 => read!(i16),
        DataType::Int32 => read!(i32),
        DataType::Int64 => read!(i64),
        DataType::Float16 => bytes.try_into().map_or(f64::NAN, |bytes| half::f16::from_le_bytes(bytes).to_f64()),
        DataType::Float32 => read!(f32),
        DataType::Float64 => read!(f64),
        _ => f64::NAN,
    }
}

/// Whether single floats hold all values of a type: integers of more than 24 bits and complex numbers do not fit. Doubles are rounded.
#[must_use]
pub fn fits_single(data_type: DataType) -> bool {
    !data_type.is_complex()
        && !matches!(data_type, DataType::Uint32 | DataType::Uint64 | DataType::Int32 | DataType::Int64)
}

/// Appends the values of a window as single floats, with `fill` for invalid ones. Returns the number of valid ones.
pub fn to_singles(data_type: DataType, data: &[u8], mask: &[u8], fill: f32, out: &mut Vec<f32>) -> usize {
    let mut valid = 0;
    let values = data.chunks_exact(data_type.size().max(1)).zip(mask).map(|(bytes, mask)| {
        if *mask == 0 {
            return fill;
        }
        valid += 1;
        #[expect(clippy::cast_possible_truncation, reason = "doubles are rounded")]
        let single = number(data_type, bytes) as f32;
        single
    });
    out.extend(values);
    valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singles_of_every_type() {
        let singles = |data_type, data: &[u8]| {
            let (mut out, pixels) = (Vec::new(), data.len() / DataType::size(data_type));
            let mut mask = vec![255; pixels];
            mask[0] = 0;
            assert_eq!(to_singles(data_type, data, &mask, -1.0, &mut out), pixels - 1);
            out
        };
        assert_eq!(singles(DataType::Uint8, &[7, 200]), [-1.0, 200.0]);
        assert_eq!(singles(DataType::Int16, &[0, 0, 0xFE, 0xFF]), [-1.0, -2.0]);
        assert_eq!(singles(DataType::Float16, &[0, 0, 0x00, 0x3E]), [-1.0, 1.5]);
        let doubles: Vec<u8> = [1.0, 0.1].iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        assert_eq!(singles(DataType::Float64, &doubles), [-1.0, 0.1]);
        assert!(fits_single(DataType::Uint16) && fits_single(DataType::Float64));
        assert!(!fits_single(DataType::Int32) && !fits_single(DataType::Complex64));
    }
}
