//! Byte codecs, which compress bytes regardless of their meaning.
//!
//! Each fills a slice of the size of the block's rows and returns the number of bytes written. Excess data is ignored,
//! as in libtiff: writers pad the last strip of an image to the height of the others.

use std::borrow::Cow;

use crate::Result;
use crate::tiff::{Compression, Encoding, FillOrder};

use super::block::{malformed, unsupported};
use super::{deflate, lzma, lzw, packbits, zstd};

/// Decompresses a tile to `output`.
///
/// # Errors
///
/// [`crate::Error::Malformed`] if the data is invalid or too short, [`crate::Error::Unsupported`] for other codecs.
pub(super) fn fill(bytes: &[u8], encoding: &Encoding, output: &mut [u8]) -> Result<()> {
    let bytes = fill_order(bytes, encoding);
    let filled = match encoding.compression {
        Compression::None => {
            let length = bytes.len().min(output.len());
            output[..length].copy_from_slice(&bytes[..length]);
            length
        }
        Compression::PackBits => packbits::decode(&bytes, output),
        Compression::Lzw => lzw::decode(&bytes, output)?,
        Compression::Deflate => deflate::decode(&bytes, output)?,
        Compression::Zstd => zstd::decode(&bytes, output)?,
        Compression::Lzma => lzma::decode(&bytes, output)?,
        compression => return Err(unsupported(format!("compression {compression}"))),
    };
    if filled < output.len() {
        return Err(malformed(format!("expected {} bytes in a tile, found {filled}", output.len())));
    }
    Ok(())
}

/// Rejects a tile that is too short for `expected` bytes before they are allocated, since a header may declare any
/// size.
///
/// # Errors
///
/// [`crate::Error::Malformed`] for a short tile, [`crate::Error::Unsupported`] for unknown codecs.
pub(super) fn check_length(bytes: &[u8], encoding: &Encoding, expected: usize) -> Result<()> {
    let expansion = match encoding.compression {
        Compression::None => 1,
        // Two bytes expand to 128.
        Compression::PackBits => 64,
        // 12 bits encode the longest string, which is one byte longer than the number of string codes.
        Compression::Lzw => 2560,
        // Two bits expand to 258 bytes (zlib documentation, "maximum compression factor").
        Compression::Deflate => 1032,
        Compression::Unknown(code) => return Err(unsupported(format!("compression {code} is not supported"))),
        // One bit encodes a row of any length.
        Compression::CcittRle | Compression::CcittFax3 | Compression::CcittFax4 => usize::MAX,
        // Zstandard: four bytes encode a block of 128 KiB. LZMA: a match of 273 bytes takes at least about a tenth of a
        // bit.
        _ => 1 << 15,
    };
    match bytes.len().saturating_mul(expansion) {
        most if most >= expected => Ok(()),
        most if expansion == 1 => Err(malformed(format!("expected {expected} bytes in a tile, found {most}"))),
        most => Err(malformed(format!("expected {expected} bytes in a tile, found at most {most}"))),
    }
}

/// Reverses the bits of each byte if FillOrder (266) is 2.
///
/// TIFF 6.0 intends FillOrder for fax and bilevel images; like libtiff, applies it to all codecs except JPEG.
pub(super) fn fill_order<'a>(bytes: &'a [u8], encoding: &Encoding) -> Cow<'a, [u8]> {
    match encoding.fill_order {
        FillOrder::LsbFirst => bytes.iter().map(|byte| byte.reverse_bits()).collect(),
        _ => Cow::Borrowed(bytes),
    }
}
