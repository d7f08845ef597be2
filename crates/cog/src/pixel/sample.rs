//! What all types of samples have in common: their value as a number, and what nodata means to them.
//!
//! GDAL_NODATA is a number as text, whatever the type of samples. It is compared in that type:
//!
//! | type | a nodata that can match |
//! |---|---|
//! | integers | whole numbers in range |
//! | floats | any, rounded to the type; NaN matches NaN; numbers beyond the largest float match nothing, infinities match |
//! | complex | as for floats, by the real part, as GDAL's mask does |
//!
//! The header holds nodata as a double, in which 2^64 - 1 and 2^63 - 1, which 64-bit rasters like to use, are 2^64 and 2^63: these
//! two stand for the largest value of the type.

use half::f16;

use crate::tiff::DataType;

/// A type of samples as a tile holds them; half floats are visited as the [`f32`] that they are exactly.
pub trait Sample: bytemuck::NoUninit + PartialEq + Send + Sync + std::fmt::Debug {
    /// Bits of an integer; 0 for other types.
    const WHOLE_BITS: u32;

    /// The value of an integer of up to 32 bits, and of longer ones that fit; else some number.
    fn whole(self) -> i64;

    /// The value; of integers beyond 2^53 the nearest double, of complex numbers the real part.
    fn to_f64(self) -> f64;

    /// Whether this is a nodata of [`held`](Self::held): equal, or both are NaN. Of complex numbers the real parts count.
    fn is(self, nodata: Self) -> bool;

    /// The value that a nodata has in this type; None where the type cannot hold it, so that no sample matches it.
    fn held(nodata: f64) -> Option<Self>;

    /// The nearest value of this type, of halves the one away from zero, and 0 for NaN where there is none: what GDAL reads a
    /// sparse tile as.
    fn nearest(number: f64) -> Self;

    /// Writes the sample little-endian, into as many bytes as it has.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            const WHOLE_BITS: u32 = <$type>::BITS;

            fn whole(self) -> i64 {
                #[allow(clippy::cast_lossless, clippy::cast_possible_wrap, reason = "longer types are said not to fit")]
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

            fn held(nodata: f64) -> Option<Self> {
                // Casts of floats saturate, so that the doubles just beyond 64-bit types become their largest values.
                let held = Self::nearest(nodata);
                (held.to_f64() == nodata).then_some(held)
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

impl Sample for f32 {
    const WHOLE_BITS: u32 = 0;

    fn whole(self) -> i64 {
        0
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn is(self, nodata: Self) -> bool {
        self == nodata || self.is_nan() && nodata.is_nan()
    }

    fn held(nodata: f64) -> Option<Self> {
        let held = rounded(nodata);
        (held.is_finite() || !nodata.is_finite()).then_some(held)
    }

    fn nearest(number: f64) -> Self {
        rounded(number)
    }

    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }
}

impl Sample for f64 {
    const WHOLE_BITS: u32 = 0;

    fn whole(self) -> i64 {
        0
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn is(self, nodata: Self) -> bool {
        self == nodata || self.is_nan() && nodata.is_nan()
    }

    fn held(nodata: f64) -> Option<Self> {
        Some(nodata)
    }

    fn nearest(number: f64) -> Self {
        number
    }

    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }
}

macro_rules! complex {
    ($($part:ty),*) => {$(
        impl Sample for [$part; 2] {
            const WHOLE_BITS: u32 = 0;

            fn whole(self) -> i64 {
                0
            }

            fn to_f64(self) -> f64 {
                self[0].to_f64()
            }

            fn is(self, nodata: Self) -> bool {
                self[0].is(nodata[0])
            }

            fn held(nodata: f64) -> Option<Self> {
                <$part>::held(nodata).map(|real| [real, 0.0])
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

/// The nearest single.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn rounded(number: f64) -> f32 {
    number as f32
}

/// The value that a nodata has among half floats, see [`Sample::held`].
pub(super) fn held_by_half(nodata: f64) -> Option<f32> {
    let held = f16::from_f64(nodata);
    (held.is_finite() || !nodata.is_finite()).then_some(held.to_f32())
}

/// Whether samples of a type can be equal to a nodata, see [`Sample::held`].
pub(super) fn holds(data_type: DataType, nodata: f64) -> bool {
    match data_type {
        DataType::Uint8 => u8::held(nodata).is_some(),
        DataType::Uint16 => u16::held(nodata).is_some(),
        DataType::Uint32 => u32::held(nodata).is_some(),
        DataType::Uint64 => u64::held(nodata).is_some(),
        DataType::Int8 => i8::held(nodata).is_some(),
        DataType::Int16 => i16::held(nodata).is_some(),
        DataType::Int32 => i32::held(nodata).is_some(),
        DataType::Int64 => i64::held(nodata).is_some(),
        DataType::Float16 => held_by_half(nodata).is_some(),
        DataType::Float32 | DataType::Complex64 => f32::held(nodata).is_some(),
        DataType::Float64 | DataType::Complex128 => true,
        DataType::ComplexInt16 | DataType::ComplexInt32 => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, held_by_half};

    #[test]
    fn a_nodata_matches_only_where_the_type_holds_it() {
        assert_eq!(u8::held(255.0), Some(255));
        for nodata in [256.0, -1.0, 0.5, f64::NAN, f64::INFINITY, -9999.0] {
            assert_eq!(u8::held(nodata), None, "{nodata}");
        }
        assert_eq!(i16::held(-32768.0), Some(i16::MIN));
        assert_eq!(i16::held(-32769.0), None);
        assert_eq!(u32::held(4_294_967_295.0), Some(u32::MAX));
        assert_eq!(i64::held(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        // What a tag of 2^63 - 1 and 2^64 - 1 reads as.
        assert_eq!(i64::held(9_223_372_036_854_775_807.0), Some(i64::MAX));
        assert_eq!(u64::held(18_446_744_073_709_551_615.0), Some(u64::MAX));
        assert_eq!(u64::held(3e19), None);
    }

    #[test]
    fn floats_compare_after_rounding() {
        assert_eq!(f32::held(0.1), Some(0.1_f32));
        // As GDAL and others write the smallest float: beyond it by less than half a step.
        assert_eq!(f32::held(-3.402_823_466_385_29e38), Some(f32::MIN));
        assert_eq!(f32::held(-1.797_693_134_862_315_7e308), None);
        assert_eq!(f32::held(f64::NEG_INFINITY), Some(f32::NEG_INFINITY));
        assert!(f32::held(f64::NAN).unwrap().is(f32::NAN));
        assert!(!1.0_f32.is(f32::NAN) && !f32::NAN.is(1.0));
        assert_eq!(held_by_half(-9999.0), Some(-10_000.0));
        assert_eq!(held_by_half(70_000.0), None);
        assert_eq!(held_by_half(f64::INFINITY), Some(f32::INFINITY));
        assert!([1.0_f32, 7.0].is(<[f32; 2]>::held(1.0).unwrap()));
    }

    #[test]
    fn what_a_type_cannot_hold_is_written_as_the_nearest() {
        assert_eq!((u8::nearest(-9999.0), u8::nearest(300.0), u8::nearest(0.5), u8::nearest(f64::NAN)), (0, 255, 1, 0));
        assert_eq!((i8::nearest(-0.5), i8::nearest(-1.4)), (-1, -1));
        assert_eq!((f32::nearest(1e300), f32::nearest(0.1)), (f32::INFINITY, 0.1));
    }
}
