//! LZMA2 in an xz container.

use liblzma::stream::{Action, Status, Stream};

use crate::Result;

use super::block::malformed;

/// Memory limit of the decoder, mostly for the dictionary: twice the largest preset, 64 MiB, which libtiff writes.
const MAX_MEMORY: u64 = 128 << 20;

/// Fills `output` and returns the number of bytes written.
///
/// # Errors
///
/// [`crate::Error::Malformed`] if the stream or its checksum is invalid, or if its dictionary exceeds the limit.
pub(super) fn decode(bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    let expected = output.len();
    let broken = |filled: u64, error: liblzma::stream::Error| {
        malformed(format!("expected {expected} bytes of an xz stream, found {filled}: {error}"))
    };
    let mut stream = Stream::new_stream_decoder(MAX_MEMORY, 0).map_err(|error| broken(0, error))?;
    loop {
        let before = (stream.total_in(), stream.total_out());
        let position = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let input = bytes.get(position(before.0)..).unwrap_or_default();
        let room = output.get_mut(position(before.1)..).unwrap_or_default();
        let status = stream.process(input, room, Action::Finish).map_err(|error| broken(before.1, error))?;
        // End of the stream, or no progress: the input is exhausted or the output is full.
        let after = (stream.total_in(), stream.total_out());
        if matches!(status, Status::StreamEnd) || after == before {
            return Ok(position(after.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// `lzma.compress(b"abcdefghijklmnop" * 2, preset=9)` in Python.
    const STREAM: [u8; 84] = [
        0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00, 0x00, 0x04, 0xE6, 0xD6, 0xB4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x1C, 0x00,
        0x00, 0x00, 0x10, 0xCF, 0x58, 0xCC, 0xE0, 0x00, 0x1F, 0x00, 0x16, 0x5D, 0x00, 0x30, 0x98, 0x88, 0x98, 0x3E,
        0xCB, 0xE2, 0x6F, 0x34, 0xB3, 0x4C, 0x11, 0x5F, 0x19, 0xE4, 0xBD, 0x2D, 0x64, 0xB1, 0xCA, 0x00, 0x00, 0x00,
        0x00, 0x00, 0xE0, 0x46, 0xBA, 0x0C, 0xAC, 0x28, 0xBD, 0xDC, 0x00, 0x01, 0x32, 0x20, 0x92, 0xC1, 0x98, 0xF6,
        0x1F, 0xB6, 0xF3, 0x7D, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5A,
    ];

    #[test]
    fn whole_and_part() {
        for length in 0..=32u8 {
            let mut output = vec![0; usize::from(length)];
            assert_eq!(decode(&STREAM, &mut output).unwrap(), usize::from(length));
            assert!(output.iter().copied().eq((0..length).map(|index| b'a' + index % 16)), "{length}");
        }
    }

    #[test]
    fn a_truncated_stream_returns_less() {
        assert!(decode(&STREAM[..30], &mut [0; 32]).unwrap() < 32);
        assert_eq!(decode(&[], &mut [0; 32]).unwrap(), 0);
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut wrong = STREAM;
        let check = 56;
        wrong[check] ^= 1;
        assert!(decode(&wrong, &mut [0; 32]).is_err());
        assert!(decode(b"not a stream", &mut [0; 32]).is_err());
    }
}
