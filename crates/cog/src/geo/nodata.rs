//! GDAL_NODATA (42113): a number as text, read by the type of the samples as GDAL 3.10 does.
//!
//! Integers of 33 to 64 bits are read as integers, exactly; others as a double. An empty text is no nodata, one of blanks is 0.

use super::number::{float, signed, unsigned};
use crate::tiff::{Encoding, SampleFormat};

/// The text as a double; None for an empty one.
pub(crate) fn number(text: &str, encoding: &Encoding) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is documented; exact() has the number")]
    let number = match exact(text, encoding) {
        Some(whole) => whole as f64,
        None => float(text.as_bytes()),
    };
    (!text.is_empty()).then_some(number)
}

/// The integer of 64 bits that the text stands for; None for samples of other types.
pub(crate) fn exact(text: &str, encoding: &Encoding) -> Option<i128> {
    let (bits, format) = (encoding.bits_per_sample.first()?, encoding.sample_format.first()?);
    match (bits, format) {
        (33..=64, SampleFormat::Uint) => Some(unsigned(text.as_bytes()).into()),
        (33..=64, SampleFormat::Int) => Some(signed(text.as_bytes()).into()),
        _ => None,
    }
}
