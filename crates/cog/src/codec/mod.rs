//! Decoding of tiles to samples.
//!
//! ```text
//! bytes of a tile ── codec ──> bytes of samples ── fill order, bit depth, byte order, predictor ──> Samples
//!                └── image codecs (JPEG, WebP, LERC, JPEG XL, JPEG 2000, fax) decode to samples ────────^
//! ```
//!
//! Depends on the [`Encoding`] of an image, not on the position of tiles. Samples are as stored, see [`DecodedTile`]:
//! palettes and colours are not converted, except that JPEG's YCbCr is decoded to RGB.
//!
//! An image codec is a file with `fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile>`. A byte codec fills a
//! slice of the size of the block's packed rows, `fn decode(bytes: &[u8], output: &mut [u8], ..) -> Result<usize>`, and
//! returns the number of bytes written.
//!
//! Untrusted input: any bytes yield samples or an error, and allocations are bounded by the size of the block.

mod bits;
mod block;
mod bytes;
mod ccitt;
mod deflate;
mod jpeg;
mod jpeg2000;
mod jxl;
mod layout;
mod lerc;
mod library;
mod lzma;
mod lzw;
mod packbits;
mod predictor;
mod samples;
#[cfg(test)]
mod trial;
mod webp;
mod words;
mod zstd;

use crate::Result;
use crate::tiff::{ByteOrder, Compression, Encoding};

use block::Block;

pub use block::{BlockShape, MAX_BLOCK_BYTES};
pub(crate) use block::{data_type, decoding_bytes};
pub use samples::{DecodedTile, Samples};

/// Decodes a tile or strip; `first_sample` is the band of its first sample.
///
/// # Errors
///
/// [`Error::Malformed`](crate::Error::Malformed) if the bytes do not match the encoding,
/// [`Error::Unsupported`](crate::Error::Unsupported) if the codec or a feature is not supported,
/// [`Error::LimitExceeded`](crate::Error::LimitExceeded) if the block exceeds [`MAX_BLOCK_BYTES`].
pub fn decode(
    bytes: &[u8],
    encoding: &Encoding,
    byte_order: ByteOrder,
    shape: BlockShape,
    first_sample: u16,
) -> Result<DecodedTile> {
    let block = Block::new(encoding, byte_order, shape, first_sample)?;
    // As in libtiff, FillOrder does not apply to JPEG.
    if encoding.compression == Compression::Jpeg {
        return jpeg::decode(bytes, &block);
    }
    let decode = match encoding.compression {
        Compression::Lerc | Compression::LercDeflate | Compression::LercZstd => lerc::decode,
        Compression::Webp => webp::decode,
        Compression::Jxl => jxl::decode,
        Compression::Jpeg2000 => jpeg2000::decode,
        Compression::CcittRle | Compression::CcittFax3 | Compression::CcittFax4 => ccitt::decode,
        _ => return layout::decode(bytes, &block),
    };
    decode(&bytes::fill_order(bytes, encoding), &block)
}
