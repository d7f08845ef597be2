//! Decodes streams of 5 x 6 pixels derived from `10 * row + column`, written by libwebp (`imagecodecs` 2026.3.6).

use proptest::prelude::*;

use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, hex, tile};
use crate::tiff::{Compression, DataType, Encoding};

const RGB: &str = "\
    5249464634000000574542505650384c280000002f04400100cd5520a2ffb18b88fe0708b38dd2ef38cf9fe3108653209bf833a418c317b90140\
    fe01";
const RGBA: &str = "\
    524946463c000000574542505650384c300000002f04400110cd5520a2ffb18b88fe87814cda86bdd339ff3a26210ca74036f167b8620c8d20db\
    36b4ed1ecf653c54ff01";
const LOSSY: &str = "\
    524946463e000000574542505650382032000000d001009d012a0500060000c01225a00274ba01f80003b000feda26ffeef37ed3d7b4f5fd4cff\
    f8ca9f203fe32a7fc5cc0000";

fn of(samples_per_pixel: u16) -> Encoding {
    encoding(Compression::Webp, DataType::Uint8, samples_per_pixel)
}

/// The values, row by row.
fn values() -> impl Iterator<Item = u8> {
    (0..6).flat_map(|row| (0..5).map(move |col| 10 * row + col))
}

fn rgb(value: u8) -> [u8; 3] {
    [value, value + 100, 255 - value]
}

#[test]
fn the_number_of_samples_is_that_of_the_file() {
    let three: Vec<u8> = values().flat_map(rgb).collect();
    assert_eq!(bytes_of(tile(&hex(RGB), &of(3), 5, 6).unwrap()), three);
    let with = |alpha: fn(u8) -> u8| move |value: u8| rgb(value).into_iter().chain([alpha(value)]);
    let opaque: Vec<u8> = values().flat_map(with(|_| 255)).collect();
    assert_eq!(bytes_of(tile(&hex(RGB), &of(4), 5, 6).unwrap()), opaque);
    let got = bytes_of(tile(&hex(RGBA), &of(4), 5, 6).unwrap());
    // The encoder discards colours of transparent pixels.
    let four: Vec<u8> = values().flat_map(with(|value| 3 * value)).collect();
    assert_eq!(got[4..], four[4..]);
    assert_eq!(got[3], 0);
    assert_eq!(bytes_of(tile(&hex(RGBA), &of(3), 5, 6).unwrap())[3..], three[3..]);
}

#[test]
fn lossy_tiles_are_approximate() {
    let got = bytes_of(tile(&hex(LOSSY), &of(3), 5, 6).unwrap());
    assert_eq!(got.len(), 90);
    assert!(got.chunks(3).all(|pixel| pixel.iter().zip([200, 100, 50]).all(|(got, want)| got.abs_diff(want) < 4)));
}

#[test]
fn other_sizes_and_types_are_errors() {
    for (width, height) in [(6, 5), (5, 7), (4, 6)] {
        let error = tile(&hex(RGB), &of(3), width, height).unwrap_err();
        assert!(error.to_string().contains("found 5 x 6"), "{error}");
    }
    for other in [of(1), of(5), encoding(Compression::Webp, DataType::Uint16, 3)] {
        let error = tile(&hex(RGB), &other, 5, 6).unwrap_err();
        assert!(matches!(error, crate::Error::Unsupported { .. }), "{error}");
    }
    tile(&hex(RGB)[..30], &of(3), 5, 6).unwrap_err();
    tile(&[], &of(3), 5, 6).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_streams_are_decoded_or_errors(lossless in damaged(hex(RGBA)), lossy in damaged(hex(LOSSY))) {
        check_untrusted(&lossless, &of(4), 5, 6);
        check_untrusted(&lossy, &of(3), 5, 6);
    }
}
