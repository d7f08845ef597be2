//! Zstandard.

use std::cell::RefCell;

use zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

use crate::Result;

use super::block::malformed;

thread_local! {
    /// Reused per thread: setting up the decoder's tables, about 100 KB, is expensive.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Fills `output` and returns the number of bytes written.
///
/// # Errors
///
/// [`crate::Error::Malformed`] if the frame is invalid before `output` is full.
pub(super) fn decode(bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    CONTEXT.with_borrow_mut(|context| match context.decompress(output, bytes) {
        Ok(filled) => Ok(filled),
        // The frame is longer than `output`, invalid, or truncated.
        Err(_) => decode_part(context, bytes, output),
    })
}

/// Decompresses the start of a frame.
fn decode_part(context: &mut DCtx<'static>, bytes: &[u8], output: &mut [u8]) -> Result<usize> {
    let expected = output.len();
    let broken = |filled: usize, code| {
        let error = zstd_safe::get_error_name(code);
        malformed(format!("expected {expected} bytes of a zstd frame, found {filled}: {error}"))
    };
    context.reset(ResetDirective::SessionOnly).map_err(|code| broken(0, code))?;
    let mut input = InBuffer::around(bytes);
    let mut output = OutBuffer::around(output);
    loop {
        let before = (input.pos(), output.pos());
        let left = context.decompress_stream(&mut output, &mut input).map_err(|code| broken(before.1, code))?;
        // End of the frame, or no progress: the input is exhausted or the output is full.
        if left == 0 || (input.pos(), output.pos()) == before {
            return Ok(output.pos());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// `printf abcdefghijklmnopabcdefghijklmnop | zstd --check` (v1.5): 32 bytes with a checksum.
    const FRAME: [u8; 35] = [
        0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x58, 0xB5, 0x00, 0x00, 0x80, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
        0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x01, 0x00, 0x06, 0x99, 0x4B, 0x0F, 0x93, 0x7F, 0x64,
    ];

    #[test]
    fn whole_and_part() {
        for length in 0..=32u8 {
            let mut output = vec![0; usize::from(length)];
            assert_eq!(decode(&FRAME, &mut output).unwrap(), usize::from(length));
            assert!(output.iter().copied().eq((0..length).map(|index| b'a' + index % 16)), "{length}");
        }
    }

    #[test]
    fn a_truncated_frame_returns_less() {
        assert_eq!(decode(&FRAME[..20], &mut [0; 32]).unwrap(), 0);
        assert_eq!(decode(&[], &mut [0; 32]).unwrap(), 0);
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut wrong = FRAME;
        wrong[34] ^= 1;
        assert!(decode(&wrong, &mut [0; 32]).is_err());
        assert!(decode(b"not a frame", &mut [0; 32]).is_err());
    }
}
