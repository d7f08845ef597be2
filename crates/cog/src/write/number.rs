//! Samples and rows of pixels that overviews are computed from.

use half::f16;

/// A row of pixels, and its mask if the file has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PixelRow {
    pub(super) samples: Vec<u8>,
    pub(super) mask: Option<Vec<u8>>,
}

/// A sample that can be averaged.
pub(super) trait Number: Copy + PartialEq + PartialOrd {
    /// Written where no pixel is valid, and there is no nodata.
    const INVALID: Self;

    fn read(bytes: &[u8]) -> Self;
    fn write(self, bytes: &mut Vec<u8>);
    fn to_f64(self) -> f64;
    fn nearest(number: f64) -> Self;
    fn is_nan(self) -> bool;
    fn neighbour(self) -> Self;

    /// A mean of valid pixels that happens to be the nodata value becomes its neighbour, as in GDAL.
    fn unlike(self, nodata: Option<Self>) -> Self {
        if nodata == Some(self) { self.neighbour() } else { self }
    }
}

macro_rules! numbers {
    ($($type:ty, $invalid:expr, $is_nan:expr, $to:expr, $nearest:expr, $neighbour:expr;)*) => {$(
        impl Number for $type {
            const INVALID: Self = $invalid;

            #[inline]
            fn read(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(&bytes[..size_of::<Self>()]);
                Self::from_le_bytes(own)
            }

            #[inline]
            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "64-bit integers are rounded")]
            fn to_f64(self) -> f64 {
                $to(self)
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounds or saturates, as documented")]
            fn nearest(number: f64) -> Self {
                $nearest(number)
            }

            #[inline]
            fn is_nan(self) -> bool {
                $is_nan(self)
            }

            fn neighbour(self) -> Self {
                $neighbour(self)
            }
        }
    )*};
}

macro_rules! integers {
    ($($type:ty)*) => {
        numbers! {$(
            $type, 0, |_| false, |value| value as f64,
            |number: f64| number.round() as $type,
            |value: $type| if value == <$type>::MAX { value - 1 } else { value + 1 };
        )*}
    };
}

integers!(u8 u16 u32 u64 i8 i16 i32 i64);
numbers! {
    f16, f16::NAN, f16::is_nan, f16::to_f64, f16::from_f64, |value: f16| f16::from_f64(value.to_f64() + value.to_f64().abs().max(1.0) * 1e-3);
    f32, f32::NAN, f32::is_nan, f64::from, |number| number as f32, f32::next_up;
    f64, f64::NAN, f64::is_nan, |value| value, |number| number, f64::next_up;
}
