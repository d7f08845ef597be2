//! PackBits: runs of bytes (TIFF 6.0, section 9).

/// Bytes of the longest run.
const LONGEST: usize = 128;

/// Fills `output`, and says how much of it there was.
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
            // The next n + 1 bytes as they are. A run that the tile's end cuts short is cut.
            0.. => {
                let run = usize::from(header.unsigned_abs()) + 1;
                // As much as the longest run has is copied at once, where there is room for it: what is too much of it is written
                // over by what follows.
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
            // The next byte -n + 1 times.
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

    /// The example of Apple's technical note TN1023, which TIFF 6.0 refers to.
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
    fn runs_are_cut_at_either_end() {
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
    fn a_header_of_minus_128_is_nothing() {
        let mut output = [0; 2];
        assert_eq!(decode(&[0x80, 0x80, 0x01, 1, 2], &mut output), 2);
        assert_eq!(output, [1, 2]);
    }
}
