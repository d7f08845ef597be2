//! What tests of the image codecs share: blocks to decode, bytes from text, and streams nobody wrote.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{BlockShape, DecodedTile, Samples, decode};
use crate::Result;
use crate::tiff::{ByteOrder, Compression, DataType, Encoding, Photometric};

/// What TIFF says of an image of these samples, chunky, in the codec's plainest form.
pub(super) fn encoding(compression: Compression, dtype: DataType, samples_per_pixel: u16) -> Encoding {
    let photometric = if samples_per_pixel < 3 { Photometric::BlackIsZero } else { Photometric::Rgb };
    Encoding { compression, photometric: Some(photometric), ..Encoding::uncompressed(dtype, samples_per_pixel) }
}

/// Decodes a whole tile of that many columns and rows.
pub(super) fn tile(bytes: &[u8], encoding: &Encoding, width: u32, height: u32) -> Result<DecodedTile> {
    let shape = BlockShape { width, height, samples_per_pixel: encoding.samples_per_pixel };
    decode(bytes, encoding, ByteOrder::Little, shape, 0)
}

/// 8-bit samples of a tile that decodes.
pub(super) fn bytes_of(tile: DecodedTile) -> Vec<u8> {
    match tile.samples {
        Samples::Uint8(samples) => samples,
        other => panic!("expected 8-bit samples, found {}", other.data_type()),
    }
}

/// Bytes written as hexadecimal digits, spaces and lines between them as one likes.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let pairs = digits.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A stream that began as a good one: cut, and some of its bytes changed.
pub(super) fn damaged(stream: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..6);
    (changes, any::<Index>(), any::<bool>()).prop_map(move |(changes, end, is_cut)| {
        let mut bytes = stream.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(end.index(stream.len() + 1));
        }
        bytes
    })
}
