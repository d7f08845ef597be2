//! Operations on samples of any type: conversion to numbers and comparison with [`Nodata`].

use super::nodata::Nodata;

/// A sample type of decoded tiles. Half floats are converted to [`f32`], which is exact.
pub trait Sample: bytemuck::NoUninit + PartialEq + Send + Sync + std::fmt::Debug {
    /// A nodata value prepared for comparison.
    type Nodata: Copy + Send + Sync + std::fmt::Debug;

    /// Number of bits of an integer type; 0 for other types.
    const WHOLE_BITS: u32;

    /// The value of an integer that fits; otherwise unspecified.
    fn whole(self) -> i64;

    /// The value as a double: the nearest one for integers beyond 2^53, the real part of complex numbers.
    fn to_f64(self) -> f64;

    /// Whether the sample is nodata. Complex numbers are compared by their real part.
    fn is(self, nodata: Self::Nodata) -> bool;

    /// Converts a nodata value to this type; None if no sample can match it.
    fn held(nodata: Nodata) -> Option<Self::Nodata>;

    /// The nearest value of this type, as GDAL reads a sparse tile: halves are rounded away from zero, and NaN becomes
    /// 0 for integers.
    fn nearest(number: f64) -> Self;

    /// Writes the sample in little-endian order to a slice of its size.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            type Nodata = Self;

            const WHOLE_BITS: u32 = <$type>::BITS;

            fn whole(self) -> i64 {
                #[allow(clippy::cast_lossless, clippy::cast_possible_wrap, reason = "unspecified for longer types")]
                let whole = self as i64;
                whole
            }

            fn to_f64(self) -> f64 {
                #[allow(clippy::cast_lossless, reason = "not all of these types convert without loss")]
                let value = self as f64;
                value
            }

            fn is(self, nodata: Self) -> bool {
                self == nodata
            }

            fn held(nodata: Nodata) -> Option<Self> {
                match nodata {
                    Nodata::Whole(number) => Self::try_from(number).ok(),
                    Nodata::Between(..) | Nodata::Nan => None,
                }
            }

            fn nearest(number: f64) -> Self {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
                let nearest = number.round() as $type;
                nearest
            }

            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i8, i16, i32, i64);

/// A range of floating-point numbers that match nodata.
#[derive(Debug, Clone, Copy)]
pub struct Near<T> {
    /// Bounds of the range.
    low: T,
    high: T,
    /// Whether NaN matches.
    nan: bool,
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            type Nodata = Near<Self>;

            const WHOLE_BITS: u32 = 0;

            fn whole(self) -> i64 {
                0
            }

            fn to_f64(self) -> f64 {
                self.into()
            }

            #[inline(always)]
            fn is(self, nodata: Near<Self>) -> bool {
                // Branch-free, as required for vectorization.
                (self >= nodata.low) & (self <= nodata.high) | nodata.nan & self.is_nan()
            }

            fn held(nodata: Nodata) -> Option<Near<Self>> {
                match nodata {
                    Nodata::Whole(_) => None,
                    Nodata::Between(low, high) => Some(Near { low: Self::nearest(low), high: Self::nearest(high), nan: false }),
                    Nodata::Nan => Some(Near { low: Self::INFINITY, high: Self::NEG_INFINITY, nan: true }),
                }
            }

            fn nearest(number: f64) -> Self {
                #[allow(clippy::cast_possible_truncation, reason = "rounds, as intended")]
                let nearest = number as $type;
                nearest
            }

            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

floats!(f32, f64);

macro_rules! complex {
    ($($part:ty),*) => {$(
        impl Sample for [$part; 2] {
            type Nodata = Near<$part>;

            const WHOLE_BITS: u32 = 0;

            fn whole(self) -> i64 {
                0
            }

            fn to_f64(self) -> f64 {
                self[0].to_f64()
            }

            fn is(self, nodata: Near<$part>) -> bool {
                self[0].is(nodata)
            }

            fn held(nodata: Nodata) -> Option<Near<$part>> {
                <$part>::held(nodata)
            }

            fn nearest(number: f64) -> Self {
                [<$part>::nearest(number), 0.0]
            }

            fn write(self, bytes: &mut [u8]) {
                let (real, imaginary) = bytes.split_at_mut(size_of::<$part>());
                self[0].write(real);
                self[1].write(imaginary);
            }
        }
    )*};
}

complex!(f32, f64);

#[cfg(test)]
mod tests {
    use super::{Nodata, Sample};

    #[test]
    fn nodata_matches_only_if_the_type_can_represent_it() {
        assert_eq!(u8::held(Nodata::Whole(255)), Some(255));
        for nodata in [Nodata::Whole(256), Nodata::Whole(-1), Nodata::Between(0.0, 1.0), Nodata::Nan] {
            assert_eq!(u8::held(nodata), None, "{nodata:?}");
        }
        assert_eq!(i64::held(Nodata::Whole(i128::from(i64::MAX) - 1)), Some(i64::MAX - 1));
        assert_eq!(u64::held(Nodata::Whole(u64::MAX.into())), Some(u64::MAX));
        assert!(f32::held(Nodata::Whole(0)).is_none());
    }

    #[test]
    fn ranges_include_their_ends_and_nan_only_matches_nan() {
        let range = f32::held(Nodata::Between(-1.5, 2.0)).unwrap();
        assert!((-1.5_f32).is(range) && 2.0_f32.is(range) && !2.5_f32.is(range) && !f32::NAN.is(range));
        let nan = f64::held(Nodata::Nan).unwrap();
        assert!(f64::NAN.is(nan) && !0.0.is(nan) && !f64::INFINITY.is(nan) && !f64::NEG_INFINITY.is(nan));
        assert!([1.0_f32, 7.0].is(<[f32; 2]>::held(Nodata::Between(1.0, 1.0)).unwrap()));
    }

    #[test]
    fn values_out_of_range_are_written_as_the_nearest() {
        assert_eq!((u8::nearest(-9999.0), u8::nearest(300.0), u8::nearest(0.5), u8::nearest(f64::NAN)), (0, 255, 1, 0));
        assert_eq!((i8::nearest(-0.5), i8::nearest(-1.4)), (-1, -1));
        assert_eq!((f32::nearest(1e300), f32::nearest(0.1)), (f32::INFINITY, 0.1));
    }
}
