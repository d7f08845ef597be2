//! Decodes rows of eight pixels, encoded code by code.

use proptest::prelude::*;

use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, tile};
use crate::tiff::{Compression, DataType, Encoding, FillOrder, Photometric};

/// Four white, three black, one white.
const MIXED: &str = "1011 10 000111";
const BLACK: &str = "00110101 000101";
const WHITE: &str = "10011";
const EOL: &str = "000000000001";
/// Equal to the previous row, which must be the mixed one: three times vertical mode 0.
const SAME: &str = "1 1 1";

fn of(compression: Compression) -> Encoding {
    Encoding { bits_per_sample: vec![1], ..encoding(compression, DataType::Uint8, 1) }
}

fn group_3(options: u32) -> Encoding {
    Encoding { t4_options: Some(options), ..of(Compression::CcittFax3) }
}

/// Concatenates codes; `|` pads to the next byte, `>` pads such that an end-of-line code ends at a byte.
fn bits(codes: &[&str]) -> Vec<u8> {
    let mut bits = String::new();
    for code in codes.concat().chars() {
        match code {
            '0' | '1' => bits.push(code),
            '|' => bits.extend(std::iter::repeat_n('0', bits.len().next_multiple_of(8) - bits.len())),
            '>' => bits.extend(std::iter::repeat_n('0', (bits.len() + 12).next_multiple_of(8) - bits.len() - 12)),
            _ => {}
        }
    }
    bits.extend(std::iter::repeat_n('0', bits.len().next_multiple_of(8) - bits.len()));
    bits.as_bytes().chunks(8).map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect()
}

fn rows(rows: &[&str]) -> Vec<u8> {
    let row = |name: &&str| match *name {
        MIXED => [0, 0, 0, 0, 1, 1, 1, 0],
        BLACK => [1; 8],
        _ => [0; 8],
    };
    rows.iter().flat_map(row).collect()
}

#[test]
fn modified_huffman_rows_start_at_bytes() {
    let bytes = bits(&[MIXED, "|", BLACK, "|", WHITE, "|", MIXED]);
    let got = tile(&bytes, &of(Compression::CcittRle), 8, 4).unwrap();
    assert_eq!(bytes_of(got), rows(&[MIXED, BLACK, WHITE, MIXED]));
}

#[test]
fn group_3_may_have_end_of_line_codes() {
    let want = rows(&[MIXED, BLACK, WHITE]);
    for bytes in [
        bits(&[EOL, MIXED, EOL, BLACK, EOL, WHITE]),
        bits(&[EOL, MIXED, EOL, BLACK, EOL, WHITE, EOL, EOL, EOL, EOL, EOL, EOL]),
        bits(&[">", EOL, MIXED, ">", EOL, BLACK, ">", EOL, WHITE]),
        bits(&[MIXED, BLACK, WHITE]),
    ] {
        for options in [0, 4] {
            let got = tile(&bytes, &group_3(options), 8, 3).unwrap();
            assert_eq!(bytes_of(got), want, "{bytes:02x?} {options}");
        }
    }
}

#[test]
fn group_3_may_be_two_dimensional() {
    for (gap, options) in [("", 1), (">", 5)] {
        let bytes = bits(&[gap, EOL, "1", MIXED, gap, EOL, "0", SAME, gap, EOL, "1", BLACK, gap, EOL, "0", "0001"]);
        let got = tile(&bytes, &group_3(options), 8, 4).unwrap();
        assert_eq!(bytes_of(got), rows(&[MIXED, MIXED, BLACK, WHITE]));
    }
}

#[test]
fn group_4_is_two_dimensional() {
    let horizontal = "001";
    let codes = [horizontal, "1011 10", "1", SAME, horizontal, BLACK, "0001", EOL, EOL];
    let got = tile(&bits(&codes), &of(Compression::CcittFax4), 8, 4).unwrap();
    assert_eq!(bytes_of(got), rows(&[MIXED, MIXED, BLACK, WHITE]));
}

#[test]
fn fill_order_2_reverses_bits() {
    let bytes: Vec<u8> = bits(&[MIXED, "|", BLACK]).iter().map(|byte| byte.reverse_bits()).collect();
    let turned = Encoding { fill_order: FillOrder::LsbFirst, ..of(Compression::CcittRle) };
    assert_eq!(bytes_of(tile(&bytes, &turned, 8, 2).unwrap()), rows(&[MIXED, BLACK]));
}

/// As in libtiff, the codec returns black and white; their display is left to the reader.
#[test]
fn photometric_is_ignored() {
    for photometric in [Photometric::WhiteIsZero, Photometric::BlackIsZero] {
        let encoding = Encoding { photometric: Some(photometric), ..of(Compression::CcittRle) };
        assert_eq!(bytes_of(tile(&bits(&[MIXED]), &encoding, 8, 1).unwrap()), rows(&[MIXED]));
    }
}

#[test]
fn missing_and_broken_rows_are_errors() {
    for compression in [Compression::CcittRle, Compression::CcittFax3, Compression::CcittFax4] {
        for bytes in [vec![], bits(&["001", "1011 10", "1"]), vec![0; 20], vec![0, 1, 0x80]] {
            tile(&bytes, &of(compression), 8, 3).unwrap_err();
        }
    }
}

#[test]
fn other_depths_and_uncompressed_rows_are_not_supported() {
    let bytes = bits(&[MIXED]);
    for encoding in [encoding(Compression::CcittRle, DataType::Uint8, 1), group_3(2)] {
        let error = tile(&bytes, &encoding, 8, 1).unwrap_err();
        assert!(matches!(error, crate::Error::Unsupported { .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_decoded_or_errors(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        damaged in damaged(bits(&[EOL, "1", MIXED, EOL, "0", SAME, EOL, "1", BLACK])),
        width in 1..2600_u32,
    ) {
        for encoding in [of(Compression::CcittRle), group_3(0), group_3(1), group_3(5), of(Compression::CcittFax4)] {
            check_untrusted(&bytes, &encoding, width, 4);
            check_untrusted(&damaged, &encoding, 8, 3);
        }
    }
}
