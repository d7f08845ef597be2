//! Decodes blobs of 5 x 6 pixels derived from `10 * row + column`, written by Esri's library (`imagecodecs` 2026.3.6).

use proptest::prelude::*;

use crate::Error;
use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, hex, tile};
use crate::codec::{BlockShape, Samples, decode};
use crate::tiff::{ByteOrder, Compression, DataType, Encoding};

const FLOATS: &str = "\
    4c657263322004000000c5d575cb0600000005000000010000001e00000008000000c70000000600000000000000000000000000000000000000\
    0000000000002b4000000000000000000000584101000000000000803e0000003f0000403f0000803f0000204000003040000040400000504000\
    0060400000a0400000a8400000b0400000b8400000c0400000f0400000f84000000041000004410000084100002041000024410000284100002c\
    41000030410000484100004c41000050410000544100005841";
const MASKED_FLOATS: &str = "\
    4c657263322004000000e5ec6d3806000000050000000100000018000000080000001f0100000700000000000000000000000000000000000000\
    0000000000002640080000000400fffbff83008000000000000000000000000000002640010000000000000000000000000000d03f0000000000\
    00e03f000000000000e83f000000000000f03f0000000000000440000000000000064000000000000008400000000000000a400000000000000c\
    4000000000000014400000000000001540000000000000164000000000000018400000000000001e400000000000001f40000000000000204000\
    00000000802040000000000000214000000000000024400000000000802440000000000000254000000000008025400000000000002640";
const MASKED_BYTES: &str = "\
    4c657263322004000000f6d3d89806000000050000000100000018000000080000006800000001000000000000000000e03f0000000000000000\
    0000000000004640080000000400fffbff830080002c00000100861840200c84b2308d435516e67d6028a2a9bab2";
const MASKED_RGB: &str = "\
    4c657263322004000000a3a33d0006000000050000000300000018000000080000009800000001000000000000000000e03f0000000000000000\
    0000000000e06f40080000000400fffbff8300800064d32c90ff00000100861840200c84b2308d435516e67d6028a2a9bab20164861840200c84\
    b2308d435516e67d6028a2a9bab201d38618ecaaa6a818829f875d16e534cca210831000";
const BANDS_OF_FLOATS: &str = "\
    4c6572633220040000004488dafb0600000005000000010000001900000008000000bb0000000600000000000000000000000000000000000000\
    0000000000002b40080000000400f83fffff0080000000000000584101000000000000803e0000003f0000403f0000803f0000a0400000a84000\
    00b0400000b8400000c0400000f0400000f84000000041000004410000084100002041000024410000284100002c41000030410000484100004c\
    410000504100005441000058414c65726332200400000054088bda0600000005000000010000001d00000008000000cb00000006000000000000\
    00000000000000000000002bc00000000000000080080000000400dfffffff0080000058c1000000800100000080000080be000040bf000080bf\
    000020c0000030c0000040c0000050c0000060c00000a0c00000a8c00000b0c00000b8c00000c0c00000f0c00000f8c0000000c1000004c10000\
    08c1000020c1000024c1000028c100002cc1000030c1000048c100004cc1000050c1000054c1000058c1";
const OLD_SHORTS: &str = "\
    4c65726332200200000006000000050000001e000000080000007900000002000000000000000000e03f000000000088b3c00000000000e0c540\
    00000000000178ec8e1ec0120000128403963983bbc0f13c100e18dc8506af21679c2823084709585291bbd827ab4ecc008343ce64323cf18ea9\
    f473f8f080";

fn of(dtype: DataType, samples_per_pixel: u16) -> Encoding {
    encoding(Compression::Lerc, dtype, samples_per_pixel)
}

/// The values, row by row.
fn values() -> impl Iterator<Item = u8> {
    (0..6).flat_map(|row| (0..5).map(move |col| 10 * row + col))
}

/// Mask of the masked blobs: all pixels are valid except one of row 2 and all of row 5.
fn mask() -> Vec<u8> {
    values().map(|value| u8::from(value != 23 && value < 50)).collect()
}

/// Tiles of 4 x 3 pixels in big-endian files, written by GDAL 3.10.3: 300 or 1000 times the pixel number.
const BIG_ENDIAN: [(Compression, DataType, &str); 4] = [
    (
        Compression::Lerc,
        DataType::Uint16,
        "4c6572633220040000003435cb170300000004000000010000000c000000080000006300000003000000000000000000e03f0000000000000000\
         000000008081ec400000000000000ce4010000012c0258038404b005dc0708083409600a8c0bb80ce4",
    ),
    (
        Compression::Lerc,
        DataType::Float64,
        "4c657263322004000000a43ca4b00300000004000000010000000c00000008000000b7000000070000000000000000000000000000000000000040\
         c194000000000000000000000000000000000040c1940000000000010000000000000000408f400000000000409f40000000000040a770000000\
         000040af40000000000040b388000000000040b770000000000040bb58000000000040bf40000000000040c194000000000040c3880000000000\
         40c57c0000000000",
    ),
    (
        Compression::LercDeflate,
        DataType::Float32,
        "789cf3492d4a36526061606078fecb8c9f194883d88c40cc03c41c405c0fc46c0c58c1810c56190b18c74dfb01581f834b1510ff626070b56e60\
         7005b25de73830b8ee06b26f1d6070058abbf12c60709371006b0000d77213d6",
    ),
    (
        Compression::LercZstd,
        DataType::Int32,
        "28b52ffd207f3d030042051422a0ab3928f4a0308aafa07ae018c16e76b6825bce7c8b1fdf59a72b9772975d169902a0c480c308c38fb063b0e5\
         fa52bd99fe3416114c09cce048984c27f49c6772ead6d99ba6b2708f0a8a8704d2080800401105730e08b2122425206e0437f3bb55c2",
    ),
];

#[test]
fn samples_are_swapped_in_big_endian_files() {
    let shape = BlockShape { width: 4, height: 3, samples_per_pixel: 1 };
    for (compression, dtype, blob) in BIG_ENDIAN {
        let encoding = encoding(compression, dtype, 1);
        let expected = match dtype {
            DataType::Uint16 => Samples::Uint16((0..12).map(|number| 300 * number).collect()),
            DataType::Int32 => Samples::Int32((0..12).map(|number| 1000 * number).collect()),
            DataType::Float32 => Samples::Float32((0_u16..12).map(|number| 1000.0 * f32::from(number)).collect()),
            _ => Samples::Float64((0_u16..12).map(|number| 1000.0 * f64::from(number)).collect()),
        };
        assert_eq!(decode(&hex(blob), &encoding, ByteOrder::Big, shape, 0).unwrap().samples, expected, "{compression}");
        assert_ne!(
            decode(&hex(blob), &encoding, ByteOrder::Little, shape, 0).unwrap().samples,
            expected,
            "{compression}"
        );
    }
}

#[test]
fn floats_are_exact() {
    let got = tile(&hex(FLOATS), &of(DataType::Float32, 1), 5, 6).unwrap();
    assert_eq!(got.valid, None);
    assert_eq!(got.samples, Samples::Float32(values().map(|value| f32::from(value) / 4.0).collect()));
}

#[test]
fn masked_floats_are_nan() {
    let got = tile(&hex(MASKED_FLOATS), &of(DataType::Float64, 1), 5, 6).unwrap();
    let Samples::Float64(got) = got.samples else { panic!("{:?}", got.samples) };
    for ((got, value), valid) in got.into_iter().zip(values()).zip(mask()) {
        assert!(if valid == 1 { got == f64::from(value) / 4.0 } else { got.is_nan() }, "{value}: {got}");
    }
}

#[test]
fn masked_integers_are_invalid() {
    let got = tile(&hex(MASKED_BYTES), &of(DataType::Uint8, 1), 5, 6).unwrap();
    assert_eq!(got.valid, Some(mask()));
    let want: Vec<u8> = values().zip(mask()).map(|(value, valid)| value * valid).collect();
    assert_eq!(bytes_of(got), want);
}

/// libtiff writes an alpha of 0 and 255 as LERC's mask.
#[test]
fn a_mask_instead_of_the_last_sample_is_alpha() {
    let got = tile(&hex(MASKED_RGB), &of(DataType::Uint8, 4), 5, 6).unwrap();
    assert_eq!(got.valid, None);
    let pixel = |(value, valid): (u8, u8)| [value, value + 100, 255 - value, 255].map(|sample| sample * valid);
    assert_eq!(bytes_of(got), values().zip(mask()).flat_map(pixel).collect::<Vec<u8>>());
    let plain = tile(&hex(MASKED_RGB), &of(DataType::Uint8, 3), 5, 6).unwrap();
    assert_eq!(plain.valid, Some(mask()));
}

#[test]
fn bands_of_floats_become_pixels() {
    let got = tile(&hex(BANDS_OF_FLOATS), &of(DataType::Float32, 2), 5, 6).unwrap();
    let Samples::Float32(got) = got.samples else { panic!("{:?}", got.samples) };
    for (pixel, value) in got.chunks_exact(2).zip(values()) {
        let want = f32::from(value) / 4.0;
        assert!(if value / 10 == 1 { pixel[0].is_nan() } else { pixel[0] == want }, "{value}: {pixel:?}");
        assert!(if value == 2 { pixel[1].is_nan() } else { pixel[1] == -want }, "{value}: {pixel:?}");
    }
}

#[test]
fn version_2_is_read() {
    let got = tile(&hex(OLD_SHORTS), &of(DataType::Int16, 1), 5, 6).unwrap();
    assert_eq!(got.samples, Samples::Int16(values().map(|value| i16::from(value) * 300 - 5000).collect()));
}

#[test]
fn other_sizes_types_and_versions_are_errors() {
    for (dtype, samples, width, height, what) in [
        (DataType::Float32, 1, 6, 5, "found 5 x 6 of type Float"),
        (DataType::Float32, 1, 5, 7, "found 5 x 6 of type Float"),
        (DataType::Int32, 1, 5, 6, "found 5 x 6 of type Float"),
        (DataType::Float32, 2, 5, 6, "found depth 1 and 1 bands"),
        (DataType::Float16, 1, 5, 6, "LERC of float16 samples"),
    ] {
        let error = tile(&hex(FLOATS), &of(dtype, samples), width, height).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    let mut newer = hex(FLOATS);
    newer[6] = 7;
    for bytes in [newer, b"CntZImage \0\0".to_vec()] {
        let error = tile(&bytes, &of(DataType::Float32, 1), 5, 6).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}

#[test]
fn a_changed_byte_fails_the_checksum() {
    let mut bytes = hex(MASKED_BYTES);
    *bytes.last_mut().unwrap() ^= 1;
    let error = tile(&bytes, &of(DataType::Uint8, 1), 5, 6).unwrap_err();
    assert!(error.to_string().contains("checksum mismatch"), "{error}");
}

/// Updates the checksum, so that damaged blobs are decoded.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() > 14 {
        let sum = lerc::checksum::fletcher32(&bytes[14..]);
        bytes[10..14].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_streams_are_decoded_or_errors(
        floats in damaged(hex(BANDS_OF_FLOATS)),
        integers in damaged(hex(MASKED_RGB)),
        is_summed in any::<bool>(),
    ) {
        let [floats, integers] = if is_summed { [floats, integers].map(with_checksum) } else { [floats, integers] };
        check_untrusted(&floats, &of(DataType::Float32, 2), 5, 6);
        check_untrusted(&integers, &of(DataType::Uint8, 4), 5, 6);
    }
}
