//! Which values of a band are nodata: those that GDAL's masks of nodata leave out.
//!
//! | type | a nodata | values that match |
//! |---|---|---|
//! | integers up to 32 bits | in the type's range; `int8` has that of `int32` | the number without its fraction |
//! | integers of 64 bits | the integer that GDAL_NODATA begins with | that integer, exactly |
//! | `float16`, `float32`, `complex64` | in `float32`'s range, or infinite | about equal ones, see [`near`] |
//! | `float32` | numbers beyond the range as well | the largest for numbers within 1e-10 of it, infinity for others |
//! | `float64`, `complex128` | all | about equal ones |
//! | floating point | NaN | NaN |
//!
//! Complex numbers match by their real part. A nodata that no value matches is none.
//!
//! NODATA_VALUES of GDAL_METADATA, if there is one for each band and bands are of one type, replaces nodata: a pixel is left out where
//! each band is equal to its own value. Integers have it as C converts a double to them on x86-64: without the fraction, and those
//! beyond the range by their low bits. NaN matches no floating-point number.

use crate::geo::nodata::{exact, number};
use crate::header::CogHeader;
use crate::tiff::{DataType, Encoding};

/// The value that samples are compared with, see [`Sample::is`](super::Sample::is).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nodata {
    /// Integers equal to this.
    Whole(i128),
    /// Floating-point numbers from the first to the second.
    Between(f64, f64),
    /// Floating-point numbers that are not numbers.
    Nan,
}

/// The first and the last number of a range.
pub(super) type Bounds = (f64, f64);

/// A number to write, as near as a type comes to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fill {
    Number(f64),
    /// For integers of 64 bits.
    Whole(i128),
}

/// How nodata makes pixels of a band invalid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// What the band's own samples are compared with.
    pub(super) nodata: Option<Nodata>,
    /// Bands, and between which numbers the samples of all of them are where a pixel is invalid as well; empty where there is no
    /// such rule.
    pub(super) bands: Vec<(u16, Bounds)>,
    /// The value of sparse tiles.
    pub(super) sparse: Fill,
    /// The value outside of a geometry.
    pub(super) outside: Fill,
}

impl Rule {
    /// The rule for one band of an image of a file, whose decoded samples have a type.
    pub(super) fn of(header: &CogHeader, encoding: &Encoding, band: u16, data_type: DataType) -> Self {
        let whole = header.nodata_text.as_deref().filter(|text| is_same(number(text, encoding), header.nodata));
        let whole = whole.and_then(|text| exact(text, encoding));
        let (nodata, far) = header.nodata.map_or((None, None), |nodata| {
            // GDAL rounds GDAL_NODATA itself for this type only.
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

/// NODATA_VALUES, where it counts.
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

/// A nodata of `float32` rounded to it, numbers next to the largest to that.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn rounded(nodata: f64, data_type: DataType) -> f64 {
    let largest = f64::from(f32::MAX);
    match data_type {
        DataType::Float32 if (nodata.abs() - largest).abs() < 1e-10 * largest => largest.copysign(nodata),
        DataType::Float32 => f64::from(nodata as f32),
        _ => nodata,
    }
}

/// The values that samples of a type are compared with, and a second range of floating-point numbers where there is one. Integers of 64 bits are
/// `whole` where that is known.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "ranges are looked at before")]
fn compared(data_type: DataType, nodata: f64, whole: Option<i128>) -> (Option<Nodata>, Option<Bounds>) {
    let integer =
        |least: f64, most: f64| ((least..=most).contains(&nodata).then_some(Nodata::Whole(nodata as i128)), None);
    // Without the text, doubles just beyond a type stand for its largest value.
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

/// Between which numbers samples are that are equal to one of NODATA_VALUES; None where none can be.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as GDAL's conversions are compiled")]
fn equal(data_type: DataType, value: f64) -> Option<Bounds> {
    // NaN, and a number that does not fit, become the least integer.
    let short = || if (-2_147_483_649.0 < value) & (value < 2_147_483_648.0) { value as i32 } else { i32::MIN };
    let long = || if value.abs() < 9_223_372_036_854_775_808.0 { value as i64 } else { i64::MIN };
    let number = match data_type {
        DataType::Uint8 => f64::from(short() as u8),
        DataType::Uint16 | DataType::Uint32 => f64::from(long() as u32),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => f64::from(short()),
        DataType::Float16 | DataType::Float32 | DataType::Complex64 if !value.is_nan() => f64::from(value as f32),
        // GDAL compares integers of 64 bits as doubles.
        DataType::Uint64 | DataType::Int64 | DataType::Float64 | DataType::Complex128 if !value.is_nan() => value,
        _ => return None,
    };
    Some((number, number))
}

/// Floating-point numbers by the order of their bits.
trait Near: Sized {
    /// The numbers that GDAL takes for equal to a nodata, the least and the largest of them. Two numbers `a` and `b` are equal if they are,
    /// or if `|a - b| < 2 * epsilon * |a + b|`, with the epsilon of `float32` for doubles too.
    ///
    /// Where `a + b` overflows, that holds for all: the third is the range of other, large numbers for which it does, if there are any.
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
                // The last whose sum with nodata is finite, and the last up to there that is equal.
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

/// The first number from `start` on for which something holds, which holds for all after it; `end` where there is none before.
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
