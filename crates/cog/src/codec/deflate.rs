//! Deflate in a zlib wrapper (compression 8, formerly 32946).

use std::cell::RefCell;
use std::io::Read;

use libdeflater::{DecompressionError, Decompressor};

use crate::Result;

use super::block::malformed;

thread_local! {
    /// Reused per thread: setting up the decoder's tables is expensive.
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

/// Fills `output` and returns the number of bytes written.
///
/// # Errors
///
/// [`crate::Error::Malformed`] if the stream or its checksum is invalid.
pub(super) fn decode(bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    match DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.zlib_decompress(bytes, output)) {
        Ok(filled) => Ok(filled),
        // The stream is longer than `output`. libdeflate supports only whole streams, so a streaming decoder is used.
        Err(DecompressionError::InsufficientSpace) => decode_part(bytes, output),
        // Determine the length for the error message: most invalid streams are truncated.
        Err(DecompressionError::BadData) => match decode_part(bytes, output)? {
            filled if filled == output.len() => {
                Err(malformed("expected a zlib stream with a valid checksum, found an invalid one"))
            }
            filled => Ok(filled),
        },
    }
}

/// Decompresses the start of a stream.
fn decode_part(bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    let mut decoder = flate2::read::ZlibDecoder::new(bytes);
    let mut filled = 0;
    while filled < output.len() {
        match decoder.read(&mut output[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => {
                let expected = output.len();
                return Err(malformed(format!("expected {expected} bytes of a zlib stream, found {filled}: {error}")));
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// `zlib.compress(bytes(range(32)))` in Python.
    const RANGE: [u8; 40] = [
        0x78, 0x9C, 0x63, 0x60, 0x64, 0x62, 0x66, 0x61, 0x65, 0x63, 0xE7, 0xE0, 0xE4, 0xE2, 0xE6, 0xE1, 0xE5, 0xE3,
        0x17, 0x10, 0x14, 0x12, 0x16, 0x11, 0x15, 0x13, 0x97, 0x90, 0x94, 0x92, 0x96, 0x91, 0x95, 0x93, 0x07, 0x00,
        0x15, 0x70, 0x01, 0xF1,
    ];

    #[test]
    fn whole_and_part() {
        for length in 0..=32u8 {
            let mut output = vec![0; usize::from(length)];
            assert_eq!(decode(&RANGE, &mut output).unwrap(), usize::from(length));
            assert!(output.iter().copied().eq(0..length));
        }
    }

    #[test]
    fn a_truncated_stream_returns_less() {
        let mut output = [0; 32];
        assert!(decode(&RANGE[..20], &mut output).unwrap() < 32);
        assert_eq!(decode(&[], &mut output).unwrap(), 0);
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut wrong = RANGE;
        wrong[39] ^= 1;
        assert!(decode(&wrong, &mut [0; 32]).is_err());
        assert!(decode(&RANGE[..38], &mut [0; 32]).is_err());
    }
}
