//! The codecs of bytes: what was compressed as a run of bytes, whatever they mean.
//!
//! Each fills a slice that has the length of the block's rows and says how much of it there was. What a tile holds beyond
//! that is ignored, as libtiff does: writers pad the last strip of an image to the height of the others.

use std::borrow::Cow;

use crate::Result;
use crate::tiff::{Compression, Encoding, FillOrder};

use super::block::{malformed, unsupported};
use super::{deflate, lzma, lzw, packbits, zstd};

/// Fills `output` with what a tile holds.
///
/// # Errors
///
/// [`crate::Error::Malformed`] where the bytes are broken or end before `output` is full, [`crate::Error::Unsupported`] for
/// other codecs.
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

/// Refuses a tile that cannot hold so many bytes, before they are allocated: a header may claim a block of any size.
///
/// # Errors
///
/// [`crate::Error::Malformed`], and [`crate::Error::Unsupported`] for codecs of which nothing is known.
pub(super) fn check_length(bytes: &[u8], encoding: &Encoding, expected: usize) -> Result<()> {
    let expansion = match encoding.compression {
        Compression::None => 1,
        // Two bytes give 128.
        Compression::PackBits => 64,
        // 12 bits give the longest string, which is one byte longer than there are codes for strings.
        Compression::Lzw => 2560,
        // Two bits give 258 bytes (zlib's documentation, "maximum compression factor").
        Compression::Deflate => 1032,
        Compression::Unknown(code) => return Err(unsupported(format!("compression {code} is of no codec known here"))),
        // One bit gives a row of any length.
        Compression::CcittRle | Compression::CcittFax3 | Compression::CcittFax4 => usize::MAX,
        // Zstandard: four bytes give a block of 128 KiB. An LZMA repeat of 273 bytes takes some tenth of a bit at least.
        _ => 1 << 15,
    };
    match bytes.len().saturating_mul(expansion) {
        most if most >= expected => Ok(()),
        most if expansion == 1 => Err(malformed(format!("expected {expected} bytes in a tile, found {most}"))),
        most => Err(malformed(format!("expected {expected} bytes in a tile, found at most {most}"))),
    }
}

/// The bytes with their most significant bit first: FillOrder (266) of 2 has turned each of them around.
///
/// TIFF 6.0 means it for fax and bilevel images; libtiff, whose reading is taken, turns the bytes of every codec but JPEG's.
pub(super) fn fill_order<'a>(bytes: &'a [u8], encoding: &Encoding) -> Cow<'a, [u8]> {
    match encoding.fill_order {
        FillOrder::LsbFirst => bytes.iter().map(|byte| byte.reverse_bits()).collect(),
        _ => Cow::Borrowed(bytes),
    }
}
