//! Nodata values of a band, compatible with GDAL's nodata masks.
//!
//! | type | valid nodata | matching values |
//! |---|---|---|
//! | integers up to 32 bits | in the range of the type; for `int8`, of `int32` | the number, truncated |
//! | 64-bit integers | the integer at the start of GDAL_NODATA | that integer, exactly |
//! | `float16`, `float32`, `complex64` | in the range of `float32`, or infinite | approximately equal values, see [`near`] |
//! | `float32` | also beyond the range | the maximum for numbers within 1e-10 of it, infinity for others |
//! | `float64`, `complex128` | all | approximately equal values |
//! | floating point | NaN | NaN |
//!
//! Complex numbers match by their real part. A nodata value that cannot match is ignored.
//!
//! NODATA_VALUES of GDAL_METADATA replaces nodata if it has one value per band and all bands have the same type: a
//! pixel is invalid if every band equals its value. Values are converted to integers as C does on x86-64: truncated,
//! and those out of range reduced to their low bits. NaN matches no floating-point number.

use crate::geo::nodata::{exact, number};
use crate::header::CogHeader;
use crate::tiff::{DataType, Encoding};

/// A nodata value to compare samples with, see [`Sample::is`](super::Sample::is).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nodata {
    /// Integers equal to this.
    Whole(i128),
    /// Floating-point numbers in a closed range.
    Between(f64, f64),
    /// NaN.
    Nan,
}

/// Bounds of a closed range.
pub(super) type Bounds = (f64, f64);

/// A fill value, converted to the nearest value of a type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fill {
    Number(f64),
    /// For 64-bit integers.
    Whole(i128),
}

/// NodataRule by which nodata invalidates the pixels of a band.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodataRule {
    /// The value to compare the band's own samples with.
    pub(super) nodata: Option<Nodata>,
    /// Bands with bounds: a pixel is also invalid if the samples of all of them are within the bounds. Empty without
    /// such a rule.
    pub(super) bands: Vec<(u16, Bounds)>,
    /// Value of sparse tiles.
    pub(super) sparse: Fill,
    /// Value outside of a geometry.
    pub(super) outside: Fill,
}

impl NodataRule {
    /// Returns the rule for one band, given the type of its decoded samples.
    pub(super) fn of(header: &CogHeader, encoding: &Encoding, band: u16, data_type: DataType) -> Self {
        let whole = header.nodata_text.as_deref().filter(|text| is_same(number(text, encoding), header.nodata));
        let whole = whole.and_then(|text| exact(text, encoding));
        let (nodata, far) = header.nodata.map_or((None, None), |nodata| {
            // GDAL rounds GDAL_NODATA to single precision only for this type.
            let is_single = encoding.bits_per_sample.get(usize::from(band)) == Some(&32);
            compared(data_type, if is_single { rounded(nodata, data_type) } else { nodata }, whole)
        });
        let outside = match (nodata, header.nodata) {
            (Some(Nodata::Whole(whole)), _) => Fill::Whole(whole),
            (Some(_), Some(number)) => Fill::Number(number),
            _ => Fill::Number(0.0),
        };
        if let Some(values) = values(header, encoding) {
            let bounds: Option<Vec<_>> = values.iter().map(|value| equal(data_type, *value)).collect();
            let bands = bounds.map_or_else(Vec::new, |bounds| (0..).zip(bounds).collect());
            let sparse = match &header.nodata_text {
                Some(_) => header.nodata.unwrap_or(0.0),
                None => 0.0,
            };
            return Self { nodata: None, bands, sparse: whole.map_or(Fill::Number(sparse), Fill::Whole), outside };
        }
        let sparse = whole.map_or(Fill::Number(header.nodata.unwrap_or(0.0)), Fill::Whole);
        Self { nodata, bands: far.into_iter().map(|bounds| (band, bounds)).collect(), sparse, outside }
    }
}

/// Returns NODATA_VALUES if they apply.
fn values<'a>(header: &'a CogHeader, encoding: &Encoding) -> Option<&'a [f64]> {
    let values = header.nodata_values.as_deref()?;
    let bands = usize::from(encoding.samples_per_pixel);
    let first = encoding.data_type_of(0);
    let is_one_type = (1..bands).all(|band| encoding.data_type_of(band) == first);
    (values.len() == bands && is_one_type).then_some(values)
}

fn is_same(a: Option<f64>, b: Option<f64>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a == b || a.is_nan() && b.is_nan())
}

/// Rounds the nodata of `float32` bands; numbers close to the maximum become the maximum.
#[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
fn rounded(nodata: f64, data_type: DataType) -> f64 {
    let largest = f64::from(f32::MAX);
    match data_type {
        DataType::Float32 if (nodata.abs() - largest).abs() < 1e-10 * largest => largest.copysign(nodata),
        DataType::Float32 => f64::from(nodata as f32),
        _ => nodata,
    }
}

/// Returns the value to compare samples of a type with, and a second range of floating-point numbers if there is one.
/// `whole` is the nodata of 64-bit integers, if known.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "ranges are looked at before")]
fn compared(data_type: DataType, nodata: f64, whole: Option<i128>) -> (Option<Nodata>, Option<Bounds>) {
    let integer =
        |least: f64, most: f64| ((least..=most).contains(&nodata).then_some(Nodata::Whole(nodata as i128)), None);
    // Without the text, doubles just outside of the range represent its limit.
    let long = |least: i128, most: i128| {
        let held = (nodata.trunc() as i128).clamp(least, most);
        let whole = whole.or_else(|| (held as f64 == nodata.trunc()).then_some(held));
        (whole.map(Nodata::Whole), None)
    };
    match data_type {
        DataType::Uint8 => integer(0.0, u8::MAX.into()),
        DataType::Uint16 => integer(0.0, u16::MAX.into()),
        DataType::Uint32 => integer(0.0, u32::MAX.into()),
        DataType::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
        DataType::Int8 | DataType::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
        DataType::Uint64 => long(0, u64::MAX.into()),
        DataType::Int64 => long(i64::MIN.into(), i64::MAX.into()),
        DataType::Float16 | DataType::Float32 | DataType::Complex64 => {
            let largest = f64::from(f32::MAX);
            if nodata.is_finite() && !(-largest..=largest).contains(&nodata) {
                return (None, None);
            }
            let (low, high, far) = f32::near(nodata as f32);
            let far = far.map(|(low, high)| (low.into(), high.into()));
            floats(nodata, (low.into(), high.into()), far)
        }
        DataType::Float64 | DataType::Complex128 => {
            let (low, high, far) = f64::near(nodata);
            floats(nodata, (low, high), far)
        }
        DataType::ComplexInt16 | DataType::ComplexInt32 => (None, None),
    }
}

fn floats(nodata: f64, (low, high): Bounds, far: Option<Bounds>) -> (Option<Nodata>, Option<Bounds>) {
    if nodata.is_nan() { (Some(Nodata::Nan), None) } else { (Some(Nodata::Between(low, high)), far) }
}

/// The bounds of samples that equal a value of NODATA_VALUES; None if there are none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as GDAL's conversions are compiled")]
fn equal(data_type: DataType, value: f64) -> Option<Bounds> {
    // NaN and out-of-range numbers become the minimum.
    let short = || if (-2_147_483_649.0 < value) & (value < 2_147_483_648.0) { value as i32 } else { i32::MIN };
    let long = || if value.abs() < 9_223_372_036_854_775_808.0 { value as i64 } else { i64::MIN };
    let number = match data_type {
        DataType::Uint8 => f64::from(short() as u8),
        DataType::Uint16 | DataType::Uint32 => f64::from(long() as u32),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => f64::from(short()),
        DataType::Float16 | DataType::Float32 | DataType::Complex64 if !value.is_nan() => f64::from(value as f32),
        // GDAL compares 64-bit integers as doubles.
        DataType::Uint64 | DataType::Int64 | DataType::Float64 | DataType::Complex128 if !value.is_nan() => value,
        _ => return None,
    };
    Some((number, number))
}

/// Floating-point numbers ordered by their bits.
trait Near: Sized {
    /// The range of numbers that GDAL considers equal to a nodata value: `a` and `b` are equal if `a == b` or `|a - b|
    /// < 2 * epsilon * |a + b|`, with the epsilon of `float32` for doubles too.
    ///
    /// The inequality holds whenever `a + b` overflows: the third value is the range of other, large numbers for which
    /// it does, if any.
    fn near(nodata: Self) -> (Self, Self, Option<(Self, Self)>);
}

macro_rules! near {
    ($($float:ty, $bits:ty);*) => {$(
        impl Near for $float {
            fn near(nodata: Self) -> (Self, Self, Option<(Self, Self)>) {
                if nodata == 0.0 || !nodata.is_finite() {
                    return (nodata, nodata, None);
                }
                let (size, largest) = (nodata.abs(), Self::MAX.to_bits());
                let epsilon = Self::from(f32::EPSILON);
                let is_equal =
                    |bits: $bits| (Self::from_bits(bits) - size).abs() < epsilon * (Self::from_bits(bits) + size).abs() * 2.0;
                let is_finite = |bits: $bits| (Self::from_bits(bits) + size).is_finite();
                let at = size.to_bits();
                let low = first(0, at, is_equal);
                // The last number with a finite sum, and the last equal number up to there.
                let end = first(at, largest + 1, |bits| !is_finite(bits));
                let high = first(at + 1, end, |bits| !is_equal(bits)).max(at + 1) - 1;
                let (high, far) = match () {
                    () if high + 1 >= end => (largest, None),
                    () if end > largest => (high, None),
                    () => (high, Some((end, largest))),
                };
                let signed = |bits: $bits| Self::from_bits(bits).copysign(nodata);
                let range = |low, high| if nodata < 0.0 { (signed(high), signed(low)) } else { (signed(low), signed(high)) };
                let (least, most) = range(low, high);
                (least, most, far.map(|(low, high)| range(low, high)))
            }
        }
    )*};
}

near!(f32, u32; f64, u64);

/// Binary search for the first number from `start` on that satisfies a monotonic predicate; `end` if there is none.
fn first<B: Bits>(start: B, end: B, holds: impl Fn(B) -> bool) -> B {
    let (mut start, mut end) = (start, end);
    while start < end {
        let middle = start.middle(end);
        if holds(middle) {
            end = middle;
        } else {
            start = middle.next();
        }
    }
    end
}

trait Bits: Copy + PartialOrd {
    fn middle(self, end: Self) -> Self;
    fn next(self) -> Self;
}

macro_rules! bits {
    ($($bits:ty),*) => {$(
        impl Bits for $bits {
            fn middle(self, end: Self) -> Self {
                self.midpoint(end)
            }

            fn next(self) -> Self {
                self + 1
            }
        }
    )*};
}

bits!(u32, u64);

#[cfg(test)]
mod tests;
