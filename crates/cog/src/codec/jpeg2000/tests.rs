//! Decodes streams of 5 x 6 pixels derived from `10 * row + column`, written by OpenJPEG (`imagecodecs` 2026.3.6).

use proptest::prelude::*;

use crate::Error;
use crate::codec::Samples;
use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, hex, tile};
use crate::tiff::{Compression, DataType, Encoding};

const RGB: &str = "\
    ff4fff51002f000000000005000000060000000000000000000000050000000600000000000000000003070101070101070101ff52000c000000\
    01010004040001ff5c00044040ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff90000a0000\
    000000500001ff93c1f21010dc3ec3894e4c3c668cc97a06b61371df80d8138c42845d0b4a3474b352e9eba0ce022b8b7f4deb38efbb0c7fdfcf\
    b4381150549a80ca0000611ac3ec847fffd9";
const GREY_16: &str = "\
    ff4fff5100290000000000050000000600000000000000000000000500000006000000000000000000010f0101ff52000c000000010000040400\
    01ff5c00044080ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff90000a00000000004a0001\
    ff93cffc30e010dc3ec3899ef56e70c5a3063367fdb32d81de0720895a9a19408308296f30dededb716285881779293acde1d7ba4f57d1288031\
    d29ca41fffd9";
const FILE: &str = "\
    0000000c6a5020200d0a870a00000014667479706a703220000000006a7032200000002d6a703268000000166968647200000006000000050003\
    070700000000000f636f6c7201000000000010000000c86a703263ff4fff51002f00000000000500000006000000000000000000000005000000\
    0600000000000000000003070101070101070101ff52000c00000001010004040001ff5c00044040ff640025000143726561746564206279204f\
    70656e4a5045472076657273696f6e20322e352e34ff90000a0000000000500001ff93c1f21010dc3ec3894e4c3c668cc97a06b61371df80d813\
    8c42845d0b4a3474b352e9eba0ce022b8b7f4deb38efbb0c7fdfcfb4381150549a80ca0000611ac3ec847fffd9";
const SIGNED: &str = "\
    ff4fff5100290000000000050000000600000000000000000000000500000006000000000000000000018f0101ff52000c000000010000040400\
    01ff5c00044080ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff90000a00000000004b0001\
    ff93cffc30e40346ac92a35e320e1bde3a346259bb438175d37d773f82aac15d592abf3bb947c27dbd09468f752685b7306ddf9ad407f68586d9\
    ff68dc2a3fffd9";

fn of(dtype: DataType, samples_per_pixel: u16) -> Encoding {
    encoding(Compression::Jpeg2000, dtype, samples_per_pixel)
}

/// The values, row by row.
fn values() -> impl Iterator<Item = u8> {
    (0..6).flat_map(|row| (0..5).map(move |col| 10 * row + col))
}

fn rgb(value: u8) -> [u8; 3] {
    [value, value + 100, 255 - value]
}

#[test]
fn codestreams_and_files_are_exact() {
    let three: Vec<u8> = values().flat_map(rgb).collect();
    for bytes in [RGB, FILE] {
        assert_eq!(bytes_of(tile(&hex(bytes), &of(DataType::Uint8, 3), 5, 6).unwrap()), three);
    }
    let got = tile(&hex(GREY_16), &of(DataType::Uint16, 1), 5, 6).unwrap().samples;
    assert_eq!(got, Samples::Uint16(values().map(|value| u16::from(value) * 1000 + 7).collect()));
}

#[test]
fn other_sizes_and_types_are_errors() {
    for (bytes, dtype, samples, width, height, what) in [
        (RGB, DataType::Uint8, 3, 6, 5, "found 5 x 6"),
        (RGB, DataType::Uint8, 4, 5, 6, "of 4 components, found 3"),
        (RGB, DataType::Uint8, 1, 5, 6, "of 1 components, found 3"),
        (GREY_16, DataType::Uint8, 1, 5, 6, "found 16 bits"),
        (RGB, DataType::Float32, 3, 5, 6, "JPEG 2000 of float32 samples"),
        (SIGNED, DataType::Uint16, 1, 5, 6, "signed"),
    ] {
        let error = tile(&hex(bytes), &of(dtype, samples), width, height).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    for length in [0, 3, 41, 60] {
        let error = tile(&hex(RGB)[..length], &of(DataType::Uint8, 3), 5, 6).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

/// Replaces numbers of the size marker, given by their index (0 to 7).
fn sized(stream: &str, numbers: &[(usize, u32)]) -> Vec<u8> {
    let mut bytes = hex(stream);
    let start = bytes.windows(4).position(|window| window == [0xFF, 0x4F, 0xFF, 0x51]).unwrap() + 8;
    for (position, number) in numbers {
        bytes[start + 4 * position..][..4].copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

#[test]
fn sizes_are_checked_before_decoding() {
    for (numbers, what) in [
        (&[(0, 46_000), (1, 46_000)][..], "expected JPEG 2000 of 5 x 6 pixels, found 46000 x 46000"),
        (&[(2, 6)], "found 0 x 6"),
        (&[(4, 0)], "of 1 to 65535 tiles, found 0"),
        (&[(0, 1 << 31), (2, (1 << 31) - 5), (4, 1), (5, 1)], "tiles, found 12884901888"),
    ] {
        for stream in [RGB, FILE] {
            let error = tile(&sized(stream, numbers), &of(DataType::Uint8, 3), 5, 6).unwrap_err();
            assert!(error.to_string().contains(what), "{numbers:?}: {error}");
        }
    }
    // A leading box that resembles the codestream, and a second codestream.
    let (good, bad) = (hex(FILE), sized(RGB, &[(0, 46_000)]));
    let boxed = |kind: &[u8], contents: &[u8]| {
        let length = u32::try_from(8 + contents.len()).unwrap().to_be_bytes();
        [&length[..], kind, contents].concat()
    };
    let front = [&good[..12], &boxed(b"free", &hex(RGB)), &boxed(b"jp2c", &bad)].concat();
    let behind = [&good[..], &boxed(b"jp2c", &bad)].concat();
    for bytes in [front, behind] {
        let error = tile(&bytes, &of(DataType::Uint8, 3), 5, 6).unwrap_err();
        assert!(error.to_string().contains("found 46000 x 6"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_streams_are_decoded_or_errors(stream in damaged(hex(RGB)), file in damaged(hex(FILE))) {
        check_untrusted(&stream, &of(DataType::Uint8, 3), 5, 6);
        check_untrusted(&file, &of(DataType::Uint8, 3), 5, 6);
    }
}
