//! Decodes streams of 5 x 6 pixels derived from `10 * row + column`, written by libjxl (`imagecodecs` 2026.3.6).

use proptest::prelude::*;

use crate::Error;
use crate::codec::Samples;
use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, hex, tile};
use crate::tiff::{Compression, DataType, Encoding};

const RGB: &str = "\
    ff0a280008804808040100e0004b2836561fdc2b28882868ba10c6188cd6317864e40b8407300266d9f3db1c91809a80649400b16dd608312895\
    97803f2760705d8d548006";
const GREY_16: &str = "\
    0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000096a786c6c0a000000566a786c63ff0a280008e007285a\
    0408040100f8004b188b15526c2088db427be9afa75b1c06c391237d13d0a143872eac9ee6bfe7d4af8c94d98f5ec8852e65a04f11e8d0a54cc1\
    764e842e6516332ba04307";
const FLOATS: &str = "\
    0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000096a786c6c0a000000836a786c63ff0a28000890038a16\
    0108040100ac014b188b15427ac85d0100e46f6d4f3475000000fd0700e00c0000200000800300500c17007e050300000cbf4859e9d45ce667de\
    1833074ae25242263929424f0c0000246f2b8841e75f0000409a9f61000008d088ca9a1c3a1d0da0c51800007915d64a765e000000000000";
const FIVE: &str = "\
    ff0a280008800a1d4007d00174008a1b0108000400010074014b283426fe5641c184881177218c8c61636c8c9191bc48eae90b4c00f000368002\
    00f45825a655913c24b54d548050050cd800ce043c51506460922945140de06fe00515b3f8eb02026e4a4180b47e04c08f7e0024e601502faec0\
    e60a";
const GREY_ALPHA: &str = "\
    ff0a2800088045712308101000b4004b2824c6b71414cc148512a728c4513de20ae0bbc001800e0012121212126e10080402810f0e88f10a0505\
    0505";
const HALF: &str = "\
    0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000096a786c6c0a0000004e6a786c63ff0a28000830028a16\
    0108040100d8004b188b15c23938b713945383cf2c00fa0150000ac0425506e851d52f1a0b70129b1ac02b0504a281ee410820c60004080810d9\
    184e01";
const TWELVE: &str = "\
    ff0a280008c0a0681108040100b4004b188b15526c0091dbac0bd1683b644144cc3fc31863f27ce13fbd31bb95ee32d9d1138dc96ed65d263b73\
    8531";
/// 700 x 600 pixels of one value.
const LARGE_GREY_16: &str = "\
    0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000096a786c6c0a000000486a786c63ff0aba126857e00728\
    5a04080201003400000080000880000880000880000880004b2824c64541c20c14352db403030703070307030703070307030703070307";

fn of(dtype: DataType, samples_per_pixel: u16) -> Encoding {
    encoding(Compression::Jxl, dtype, samples_per_pixel)
}

/// The values, row by row.
fn values() -> impl Iterator<Item = u8> {
    (0..6).flat_map(|row| (0..5).map(move |col| 10 * row + col))
}

fn rgb(value: u8) -> [u8; 3] {
    [value, value + 100, 255 - value]
}

#[test]
fn colors_and_extra_channels_are_exact() {
    let three: Vec<u8> = values().flat_map(rgb).collect();
    assert_eq!(bytes_of(tile(&hex(RGB), &of(DataType::Uint8, 3), 5, 6).unwrap()), three);
    let two: Vec<u8> = values().flat_map(|value| [value, 4 * value]).collect();
    assert_eq!(bytes_of(tile(&hex(GREY_ALPHA), &of(DataType::Uint8, 2), 5, 6).unwrap()), two);
    let five: Vec<u8> = values().flat_map(|value| rgb(value).into_iter().chain([2 * value, 4 * value])).collect();
    assert_eq!(bytes_of(tile(&hex(FIVE), &of(DataType::Uint8, 5), 5, 6).unwrap()), five);
}

#[test]
fn every_type_is_exact() {
    let got = tile(&hex(GREY_16), &of(DataType::Uint16, 1), 5, 6).unwrap().samples;
    assert_eq!(got, Samples::Uint16(values().map(|value| u16::from(value) * 1000 + 7).collect()));
    // 12-bit samples are not scaled to 16 bits.
    let got = tile(&hex(TWELVE), &of(DataType::Uint16, 1), 5, 6).unwrap().samples;
    assert_eq!(got, Samples::Uint16(values().map(|value| u16::from(value) * 70).collect()));
    let got = tile(&hex(FLOATS), &of(DataType::Float32, 1), 5, 6).unwrap().samples;
    assert_eq!(got, Samples::Float32(values().map(|value| f32::from(value) / 4.0).collect()));
    let got = tile(&hex(HALF), &of(DataType::Float16, 1), 5, 6).unwrap().samples;
    let half = |value| half::f16::from_f32(f32::from(value) / 4.0).to_bits();
    assert_eq!(got, Samples::Float16(values().map(half).collect()));
}

/// The memory limit of the decoder depends on the block, not on the samples per pixel.
#[test]
fn large_tiles_of_one_sample_are_within_the_limit() {
    let got = tile(&hex(LARGE_GREY_16), &of(DataType::Uint16, 1), 700, 600).unwrap().samples;
    assert_eq!(got, Samples::Uint16(vec![4321; 700 * 600]));
}

#[test]
fn other_sizes_and_types_are_errors() {
    for (dtype, samples, width, height, what) in [
        (DataType::Uint8, 3, 6, 5, "found 5 x 6 of 3"),
        (DataType::Uint8, 4, 5, 6, "found 5 x 6 of 3"),
        (DataType::Uint8, 1, 5, 6, "found 5 x 6 of 3"),
        (DataType::Float32, 3, 5, 6, "found one of 8 bits"),
        (DataType::Int16, 3, 5, 6, "JPEG XL of int16 samples"),
    ] {
        let error = tile(&hex(RGB), &of(dtype, samples), width, height).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    let error = tile(&hex(GREY_16), &of(DataType::Uint8, 1), 5, 6).unwrap_err();
    assert!(error.to_string().contains("found one of 16 bits"), "{error}");
    for length in [0, 2, 10, hex(RGB).len() - 8] {
        let error = tile(&hex(RGB)[..length], &of(DataType::Uint8, 3), 5, 6).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_streams_are_decoded_or_errors(colors in damaged(hex(FIVE)), floats in damaged(hex(FLOATS))) {
        check_untrusted(&colors, &of(DataType::Uint8, 5), 5, 6);
        check_untrusted(&floats, &of(DataType::Float32, 1), 5, 6);
    }
}
