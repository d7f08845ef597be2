//! The values of pixels as numbers.

use crate::tiff::DataType;

/// Calls `take` with the position and value of each pixel; NaN for complex values.
#[inline]
pub(super) fn each(data_type: DataType, data: &[u8], mut take: impl FnMut(usize, f64)) {
    macro_rules! read {
        ($type:ty) => {
            for (at, bytes) in data.as_chunks::<{ size_of::<$type>() }>().0.iter().enumerate() {
                #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "64-bit integers are rounded")]
                take(at, <$type>::from_le_bytes(*bytes) as f64);
            }
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
        DataType::Float32 => read!(f32),
        DataType::Float64 => read!(f64),
        DataType::Float16 => {
            for (at, bytes) in data.as_chunks::<2>().0.iter().enumerate() {
                take(at, half::f16::from_le_bytes(*bytes).to_f64());
            }
        }
        DataType::ComplexInt16 | DataType::ComplexInt32 | DataType::Complex64 | DataType::Complex128 => {
            (0..data.len() / data_type.size().max(1)).for_each(|at| take(at, f64::NAN));
        }
    }
}

/// The largest opacity of a type: the largest integer, or 1.
pub(super) fn opaque(data_type: DataType) -> f64 {
    match data_type {
        DataType::Uint8 => u8::MAX.into(),
        DataType::Uint16 => u16::MAX.into(),
        DataType::Uint32 => u32::MAX.into(),
        DataType::Uint64 => u64::MAX as f64,
        DataType::Int8 => i8::MAX.into(),
        DataType::Int16 => i16::MAX.into(),
        DataType::Int32 => i32::MAX.into(),
        DataType::Int64 => i64::MAX as f64,
        _ => 1.0,
    }
}
