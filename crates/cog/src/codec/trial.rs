//! Helpers for tests of the image codecs: blocks, bytes from text, and damaged streams.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{BlockShape, DecodedTile, Samples, decode};
use crate::tiff::{ByteOrder, Compression, DataType, Encoding, Photometric};
use crate::{Error, Result};

/// A chunky encoding with the default parameters of a codec.
pub(super) fn encoding(compression: Compression, dtype: DataType, samples_per_pixel: u16) -> Encoding {
    let photometric = if samples_per_pixel < 3 { Photometric::BlackIsZero } else { Photometric::Rgb };
    Encoding { compression, photometric: Some(photometric), ..Encoding::uncompressed(dtype, samples_per_pixel) }
}

/// Decodes a tile.
pub(super) fn tile(bytes: &[u8], encoding: &Encoding, width: u32, height: u32) -> Result<DecodedTile> {
    let shape = BlockShape { width, height, samples_per_pixel: encoding.samples_per_pixel };
    decode(bytes, encoding, ByteOrder::Little, shape, 0)
}

/// Decodes an untrusted stream: it must return all samples of the block, or an error of the stream.
pub(super) fn check_untrusted(bytes: &[u8], encoding: &Encoding, width: u32, height: u32) {
    match tile(bytes, encoding, width, height) {
        Ok(tile) => {
            let pixels = usize::try_from(width * height).unwrap();
            assert_eq!((tile.width, tile.height), (width, height));
            assert_eq!(tile.samples.len(), pixels * usize::from(encoding.samples_per_pixel));
            assert_eq!(tile.samples.data_type(), encoding.dtype);
            assert!(tile.valid.is_none_or(|valid| valid.len() == pixels));
        }
        Err(error) => assert!(matches!(error, Error::Malformed { .. } | Error::Unsupported { .. }), "{error}"),
    }
}

/// 8-bit samples of a valid tile.
pub(super) fn bytes_of(tile: DecodedTile) -> Vec<u8> {
    match tile.samples {
        Samples::Uint8(samples) => samples,
        other => panic!("expected 8-bit samples, found {}", other.data_type()),
    }
}

/// Decodes hexadecimal digits; white space is ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let pairs = digits.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A valid stream with some bytes changed and the end possibly cut.
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
