//! Encoded tiles to samples.
//!
//! ```text
//! bytes of a tile ── codec ──> bytes of samples ── fill order, bit depth, byte order, predictor ──> Samples
//!                └── image codecs (JPEG, WebP, LERC, JPEG XL, JPEG 2000, fax) give samples at once ─────^
//! ```
//!
//! Knows what TIFF says of one image ([`Encoding`]) and nothing of where tiles are. Samples are as stored, see
//! [`DecodedTile`]: no palette is expanded and no colour converted, except that JPEG's YCbCr comes out as RGB.
//!
//! An image codec is a file with `fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile>`; a byte codec fills a
//! slice of the length that the block's packed rows have, `fn decode(bytes: &[u8], output: &mut [u8], ..) -> Result<usize>`,
//! and says how much of it there was.
//!
//! Untrusted input: any bytes give samples or an error; what is allocated is bounded by the block's own size.

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

/// The samples of one tile or strip; `first_sample` is the band that its first sample belongs to.
///
/// # Errors
///
/// [`Error::Malformed`](crate::Error::Malformed) where the bytes are not what the encoding says,
/// [`Error::Unsupported`](crate::Error::Unsupported) where the codec, or what it is used for, is not supported,
/// [`Error::LimitExceeded`](crate::Error::LimitExceeded) where the block has more than [`MAX_BLOCK_BYTES`].
pub fn decode(
    bytes: &[u8],
    encoding: &Encoding,
    byte_order: ByteOrder,
    shape: BlockShape,
    first_sample: u16,
) -> Result<DecodedTile> {
    let block = Block::new(encoding, byte_order, shape, first_sample)?;
    // As in libtiff, JPEG alone is not turned around by FillOrder.
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
