//! GDAL_NODATA (42113): a number as text, parsed by sample type as in GDAL 3.10.
//!
//! 33- to 64-bit integers are parsed exactly, others as doubles. An empty text means no nodata, a blank one 0.

use super::number::{float, signed, unsigned};
use crate::tiff::{Encoding, SampleFormat};

/// Parses the text as a double; None if empty.
pub(crate) fn number(text: &str, encoding: &Encoding) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "documented as the nearest double; see exact()")]
    let number = match exact(text, encoding) {
        Some(whole) => whole as f64,
        None => float(text.as_bytes()),
    };
    (!text.is_empty()).then_some(number)
}

/// Parses the text as a 64-bit integer; None for other sample types.
pub(crate) fn exact(text: &str, encoding: &Encoding) -> Option<i128> {
    let (bits, format) = (encoding.bits_per_sample.first()?, encoding.sample_format.first()?);
    match (bits, format) {
        (33..=64, SampleFormat::Uint) => Some(unsigned(text.as_bytes()).into()),
        (33..=64, SampleFormat::Int) => Some(signed(text.as_bytes()).into()),
        _ => None,
    }
}
