//! PackBits: runs of bytes (TIFF 6.0, section 9).

/// Maximum length of a run.
const LONGEST: usize = 128;

/// Fills `output` and returns the number of bytes written.
pub(super) fn decode(mut bytes: &[u8], output: &mut [u8]) -> usize {
    let mut filled = 0;
    while let [header, rest @ ..] = bytes
        && filled < output.len()
    {
        let room = &mut output[filled..];
        let header = header.cast_signed();
        bytes = match header {
            // "If n is -128, noop."
            -128 => rest,
            // Copies the next n + 1 bytes. A run truncated by the end of the tile is shortened.
            0.. => {
                let run = usize::from(header.unsigned_abs()) + 1;
                // Copies the maximum length at once if there is room; the excess is overwritten later.
                if let (Some(to), Some(from)) = (room.first_chunk_mut::<LONGEST>(), rest.first_chunk::<LONGEST>()) {
                    *to = *from;
                    filled += run;
                    bytes = &rest[run..];
                    continue;
                }
                let length = run.min(rest.len()).min(room.len());
                room[..length].copy_from_slice(&rest[..length]);
                filled += length;
                &rest[run.min(rest.len())..]
            }
            // Repeats the next byte -n + 1 times.
            _ => {
                let Some((byte, rest)) = rest.split_first() else {
                    break;
                };
                let length = (usize::from(header.unsigned_abs()) + 1).min(room.len());
                room[..length].fill(*byte);
                filled += length;
                rest
            }
        };
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// Example of Apple's technical note TN1023, cited by TIFF 6.0.
    const PACKED: [u8; 15] = [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
    const UNPACKED: [u8; 24] = [
        0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22, 0xAA, 0xAA, 0xAA, 0xAA,
        0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
    ];

    #[test]
    fn the_example_of_the_specification() {
        let mut output = [0; 24];
        assert_eq!(decode(&PACKED, &mut output), 24);
        assert_eq!(output, UNPACKED);
    }

    #[test]
    fn runs_are_truncated_at_both_ends() {
        for length in 0..=UNPACKED.len() {
            let mut output = vec![0; length];
            assert_eq!(decode(&PACKED, &mut output), length);
            assert_eq!(output, UNPACKED[..length]);
        }
        for length in 0..PACKED.len() {
            let mut output = [0; 24];
            let filled = decode(&PACKED[..length], &mut output);
            assert_eq!(output[..filled], UNPACKED[..filled]);
            assert!(filled < 24);
        }
    }

    #[test]
    fn a_header_of_minus_128_is_ignored() {
        let mut output = [0; 2];
        assert_eq!(decode(&[0x80, 0x80, 0x01, 1, 2], &mut output), 2);
        assert_eq!(output, [1, 2]);
    }
}
