//! Decodes JPEGs of one colour, which have only a DC coefficient per component.

use proptest::prelude::*;

use crate::codec::trial::{bytes_of, check_untrusted, damaged, encoding, tile};
use crate::tiff::{Compression, DataType, Encoding, Photometric};

/// A JPEG of one colour. The Huffman tables have two DC codes (a difference of 0 or of six bits), and one AC code (end of block).
#[derive(Debug, Clone)]
struct Jpeg {
    width: u16,
    height: u16,
    /// Name, sampling factors (horizontal << 4 | vertical) and value of each component.
    components: Vec<(u8, u8, u8)>,
    /// Segments before the frame header.
    application: Vec<u8>,
}

impl Jpeg {
    fn new(width: u16, height: u16, values: &[u8]) -> Self {
        let components = (1..).zip(values).map(|(name, value)| (name, 0x11, *value)).collect();
        Self { width, height, components, application: Vec::new() }
    }

    /// Quantization table 0 (8 everywhere) and Huffman tables 0.
    fn table_segments() -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xDB, 0, 67, 0];
        bytes.extend([8; 64]);
        bytes.extend([0xFF, 0xC4, 0, 21, 0x00, 1, 1]);
        bytes.extend([0; 14]);
        bytes.extend([0, 6]);
        bytes.extend([0xFF, 0xC4, 0, 20, 0x10, 1]);
        bytes.extend([0; 15]);
        bytes.push(0);
        bytes
    }

    fn tables() -> Vec<u8> {
        [vec![0xFF, 0xD8], Self::table_segments(), vec![0xFF, 0xD9]].concat()
    }

    /// Without tables.
    fn abbreviated(&self) -> Vec<u8> {
        let count = u8::try_from(self.components.len()).unwrap();
        let mut bytes = vec![0xFF, 0xD8];
        bytes.extend(&self.application);
        bytes.extend([0xFF, 0xC0, 0, 8 + 3 * count, 8]);
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.width.to_be_bytes());
        bytes.push(count);
        bytes.extend(self.components.iter().flat_map(|(name, sampling, _)| [*name, *sampling, 0]));
        bytes.extend([0xFF, 0xDA, 0, 6 + 2 * count, count]);
        bytes.extend(self.components.iter().flat_map(|(name, ..)| [*name, 0]));
        bytes.extend([0, 63, 0]);
        let across = self.components.iter().map(|(_, sampling, _)| sampling >> 4).max().unwrap();
        let down = self.components.iter().map(|(_, sampling, _)| sampling & 15).max().unwrap();
        let units = self.width.div_ceil(u16::from(across) * 8) * self.height.div_ceil(u16::from(down) * 8);
        let mut bits = String::new();
        for unit in 0..units {
            for (_, sampling, value) in &self.components {
                for block in 0..(sampling >> 4) * (sampling & 15) {
                    let steps = i32::from(*value) - 128;
                    match steps {
                        _ if unit > 0 || block > 0 => bits.push('0'),
                        0 => bits.push('0'),
                        32..=63 => bits.push_str(&format!("10{steps:06b}")),
                        -63..=-32 => bits.push_str(&format!("10{:06b}", steps + 63)),
                        _ => panic!("no code for {steps}"),
                    }
                    bits.push('0');
                }
            }
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
            bytes.push(byte);
            if byte == 0xFF {
                bytes.push(0);
            }
        }
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    fn whole(&self) -> Vec<u8> {
        [vec![0xFF, 0xD8], Self::table_segments(), self.abbreviated()[2..].to_vec()].concat()
    }
}

fn of(samples_per_pixel: u16, photometric: u16) -> Encoding {
    let encoding = encoding(Compression::Jpeg, DataType::Uint8, samples_per_pixel);
    Encoding { photometric: Some(Photometric::from_code(photometric)), ..encoding }
}

fn with_tables(encoding: Encoding) -> Encoding {
    Encoding { jpeg_tables: Some(Jpeg::tables().into()), ..encoding }
}

#[test]
fn tables_come_from_the_tile_or_the_file() {
    let jpeg = Jpeg::new(24, 16, &[170]);
    for (encoding, bytes) in [
        (of(1, 1), jpeg.whole()),
        (with_tables(of(1, 1)), jpeg.abbreviated()),
        (with_tables(of(1, 1)), jpeg.whole()),
        (Encoding { jpeg_tables: Some(Vec::new().into()), ..of(1, 1) }, jpeg.whole()),
    ] {
        assert_eq!(bytes_of(tile(&bytes, &encoding, 24, 16).unwrap()), [170; 24 * 16]);
    }
    let error = tile(&jpeg.abbreviated(), &of(1, 1), 24, 16).unwrap_err();
    assert!(error.to_string().contains("expected a JPEG"), "{error}");
}

/// The colour space is that of Photometric, not of JPEG markers.
#[test]
fn only_ycbcr_is_converted_to_rgb() {
    let mut jpeg = Jpeg::new(16, 16, &[170, 90, 80]);
    let rgb: Vec<u8> = [103, 218, 103].repeat(256);
    let stored: Vec<u8> = [170, 90, 80].repeat(256);
    let adobe = |transform| [&[0xFF, 0xEE, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, transform]].concat();
    let jfif = [&[0xFF, 0xE0, 0, 16][..], b"JFIF\0", &[1, 1, 0, 0, 1, 0, 1, 0, 0]].concat();
    for application in [Vec::new(), adobe(0), adobe(1), jfif] {
        jpeg.application = application;
        let converted = bytes_of(tile(&jpeg.whole(), &of(3, 6), 16, 16).unwrap());
        assert!(converted.iter().zip(&rgb).all(|(got, want)| got.abs_diff(*want) <= 1), "{:?}", &converted[..3]);
        assert_eq!(bytes_of(tile(&jpeg.whole(), &of(3, 2), 16, 16).unwrap()), stored);
    }
    let cmyk = Jpeg::new(16, 16, &[170, 90, 80, 128]);
    for application in [Vec::new(), adobe(0), adobe(2)] {
        let jpeg = Jpeg { application, ..cmyk.clone() };
        assert_eq!(bytes_of(tile(&jpeg.whole(), &of(4, 5), 16, 16).unwrap()), [170, 90, 80, 128].repeat(256));
    }
    let two = Jpeg::new(16, 16, &[170, 90]);
    assert_eq!(bytes_of(tile(&two.whole(), &of(2, 1), 16, 16).unwrap()), [170, 90].repeat(256));
}

#[test]
fn components_named_rgb_are_unchanged() {
    let mut jpeg = Jpeg::new(16, 16, &[170, 90, 80]);
    for (component, name) in jpeg.components.iter_mut().zip(*b"RGB") {
        component.0 = name;
    }
    assert_eq!(bytes_of(tile(&jpeg.whole(), &of(3, 2), 16, 16).unwrap()), [170, 90, 80].repeat(256));
    let error = tile(&jpeg.whole(), &of(3, 6), 16, 16).unwrap_err();
    assert!(error.to_string().contains("named R, G and B"), "{error}");
}

#[test]
fn chroma_of_any_subsampling_is_upsampled() {
    for luma in [0x11, 0x21, 0x12, 0x22, 0x41, 0x42, 0x44, 0x14] {
        for (width, height) in [(64, 64), (48, 40), (17, 9), (1, 1), (8, 65)] {
            let mut jpeg = Jpeg::new(width, height, &[170, 90, 80]);
            jpeg.components[0].1 = luma;
            let (columns, rows) = (u32::from(width), u32::from(height));
            let got = tile(&jpeg.whole(), &of(3, 2), columns, rows);
            let got = got.unwrap_or_else(|error| panic!("{luma:x} {width} x {height}: {error}"));
            let want = [170, 90, 80].repeat(usize::from(width) * usize::from(height));
            assert!(bytes_of(got) == want, "{luma:x} {width} x {height}");
        }
    }
}

#[test]
fn grey_with_sampling_factors_is_grey() {
    for sampling in [0x22, 0x21, 0x12] {
        // Sampling factors do not affect a scan of one component: T.81 A.2.2.
        let mut jpeg = Jpeg::new(40, 24, &[170]);
        let bytes = jpeg.whole();
        jpeg.components[0].1 = sampling;
        let place = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap() + 11;
        let mut changed = bytes.clone();
        changed[place] = sampling;
        assert_eq!(bytes_of(tile(&changed, &of(1, 1), 40, 24).unwrap()), [170; 40 * 24], "{sampling:x}");
    }
}

/// The last strip of an image is encoded with all rows, or only with those inside of the image.
#[test]
fn streams_may_have_more_or_fewer_rows_than_the_block() {
    let jpeg = Jpeg::new(16, 40, &[170, 90, 80]);
    let taller = tile(&jpeg.whole(), &of(3, 2), 16, 11).unwrap();
    assert_eq!((taller.height, taller.valid.clone()), (11, None));
    assert_eq!(bytes_of(taller), [170, 90, 80].repeat(16 * 11));
    let shorter = tile(&jpeg.whole(), &of(3, 2), 16, 48).unwrap();
    assert_eq!(shorter.valid, Some([vec![1; 16 * 40], vec![0; 16 * 8]].concat()));
    assert_eq!(bytes_of(shorter), [[170, 90, 80].repeat(16 * 40), vec![0; 3 * 16 * 8]].concat());
}

#[test]
fn other_columns_and_components_are_errors() {
    let jpeg = Jpeg::new(16, 16, &[170, 90, 80]);
    for (encoding, width) in [(of(3, 2), 15), (of(3, 2), 17), (of(1, 1), 16), (of(4, 5), 16)] {
        let error = tile(&jpeg.whole(), &encoding, width, 16).unwrap_err();
        assert!(error.to_string().contains("found 16 x 16 pixels of 3"), "{error}");
    }
}

#[test]
fn errors_name_unsupported_features() {
    let jpeg = Jpeg::new(16, 16, &[170]);
    let place = jpeg.whole().windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    for (at, byte, what) in [(4, 12, "12 bits"), (1, 0xC3, "SOF3"), (1, 0xC9, "SOF9")] {
        let mut bytes = jpeg.whole();
        bytes[place + at] = byte;
        let error = tile(&bytes, &of(1, 1), 16, 16).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(matches!(error, crate::Error::Unsupported { .. }), "{error}");
    }
    let wide = encoding(Compression::Jpeg, DataType::Uint16, 1);
    let error = tile(&jpeg.whole(), &wide, 16, 16).unwrap_err();
    assert!(error.to_string().contains("JPEG of uint16"), "{error}");
}

#[test]
fn a_stream_that_ends_too_early_is_an_error() {
    let bytes = Jpeg::new(256, 256, &[170, 90, 80]).whole();
    for length in [0, 1, 2, 3, 100, 180, 200, bytes.len() / 2] {
        tile(&bytes[..length], &of(3, 6), 256, 256).unwrap_err();
    }
    // A missing end marker is not an error.
    tile(&bytes[..bytes.len() - 2], &of(3, 6), 256, 256).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_streams_are_decoded_or_errors(
        bytes in damaged(Jpeg { components: vec![(1, 0x22, 170), (2, 0x11, 90), (3, 0x11, 80)], ..Jpeg::new(48, 40, &[]) }.whole()),
        photometric in prop::sample::select(vec![2, 6]),
    ) {
        check_untrusted(&bytes, &of(3, photometric), 48, 40);
    }

    #[test]
    fn any_bytes_are_decoded_or_errors(mut bytes in prop::collection::vec(any::<u8>(), 0..200), has_start in any::<bool>()) {
        if has_start {
            bytes.splice(0..0, [0xFF, 0xD8, 0xFF]);
        }
        check_untrusted(&bytes, &of(3, 6), 48, 40);
    }
}
