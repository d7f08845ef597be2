//! Encoded tiles to samples.
//!
//! ```text
//! bytes of a tile ── codec ──> bytes of samples ── fill order, bit depth, byte order, predictor ──> Samples
//!                └── image codecs (JPEG, WebP, LERC, JPEG XL, JPEG 2000) give samples at once ──────────^
//! ```
//!
//! Knows what TIFF says of one image ([`Encoding`]) and nothing of where tiles are. Samples are as stored, see
//! [`DecodedTile`]: no palette is expanded and no colour converted, except that JPEG's YCbCr comes out as RGB.
//!
//! Untrusted input: any bytes give samples or an error; what is allocated is bounded by the block's own size.

mod samples;

use crate::tiff::{ByteOrder, Compression};
use crate::{Encoding, Error, Place, Result};

pub use samples::{DecodedTile, Samples};

/// The size of a block of samples: a tile with its padding, or a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShape {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Samples of one pixel: 1 for a tile of a plane.
    pub samples_per_pixel: u16,
}

/// The samples of one tile or strip; `first_sample` is the band that its first sample belongs to.
///
/// # Errors
///
/// [`Error::Malformed`] where the bytes are not what the encoding says, [`Error::Unsupported`] where the codec, or what it is
/// used for, is not supported, [`Error::LimitExceeded`] where the block is larger than any that can be held.
pub fn decode(
    bytes: &[u8],
    encoding: &Encoding,
    byte_order: ByteOrder,
    shape: BlockShape,
    first_sample: u16,
) -> Result<DecodedTile> {
    let _ = (bytes, byte_order, shape, first_sample);
    let at = Place { ifd: None, tag: None, byte: None };
    match encoding.compression {
        Compression::Unknown(code) => {
            Err(Error::Unsupported { at, what: format!("compression {code} is of no codec known here") })
        }
        compression => Err(Error::Unsupported { at, what: format!("compression {compression}") }),
    }
}
