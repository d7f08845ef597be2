//! Structure of files: byte orders, BigTIFF, chains of IFDs, roles, tables, requests, and rejected files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init,
    missing_docs
)]

mod support;

use bytes::Bytes;
use rasteret_cog::tiff::{ByteOrder, Compression, DataType, FillOrder, PlanarConfiguration, Predictor, SampleFormat};
use rasteret_cog::{DecodeResult, Error, HeaderDecoder, Limits};
use support::{TiffWriter, Values, decode, fetches, reduced, refusal, tiled};

fn writer() -> TiffWriter {
    TiffWriter::new(vec![tiled(300, 200, 128)])
}

#[test]
fn byte_orders_and_formats_return_equal_headers() {
    let expected = decode(&writer().bytes()).unwrap();
    assert_eq!(expected.image.tile_offsets, [1000, 2000, 3000, 4000, 5000, 6000]);
    assert_eq!(expected.image.tile_byte_counts, [1, 2, 3, 4, 5, 6]);
    for is_big_endian in [false, true] {
        for is_big_tiff in [false, true] {
            for gap in [0, 600] {
                let file = TiffWriter { is_big_endian, is_big_tiff, gap, ..writer() };
                let mut header = decode(&file.bytes()).unwrap();
                assert_eq!(header.byte_order == ByteOrder::Big, is_big_endian);
                header.byte_order = ByteOrder::Little;
                assert_eq!(header, expected);
            }
        }
    }
}

#[test]
fn missing_tags_have_the_defaults_of_tiff() {
    let file = TiffWriter::new(vec![vec![
        (256, Values::Short(vec![9])),
        (257, Values::Short(vec![5])),
        (273, Values::Long(vec![8])),
        (279, Values::Short(vec![10])),
    ]]);
    let header = decode(&file.bytes()).unwrap();
    let (image, encoding) = (&header.image, &header.image.encoding);
    assert_eq!((image.tile_width, image.tile_height, image.is_tiled), (9, 5, false));
    assert_eq!(
        (encoding.compression, encoding.predictor, encoding.planar_configuration),
        (Compression::None, Predictor::None, PlanarConfiguration::Chunky)
    );
    assert_eq!((encoding.photometric, encoding.samples_per_pixel, encoding.fill_order), (None, 1, FillOrder::MsbFirst));
    assert_eq!((&encoding.bits_per_sample[..], &encoding.sample_format[..]), (&[1][..], &[SampleFormat::Uint][..]));
    assert_eq!(encoding.dtype, DataType::Uint8);
    assert_eq!((header.extra_samples, header.nodata, header.transform, header.crs), (None, None, None, None));
}

#[test]
fn strips_are_tiles_with_the_width_of_the_image() {
    let strips = |rows: u32, count: u32| {
        TiffWriter::new(vec![vec![
            (256, Values::Long(vec![10])),
            (257, Values::Long(vec![7])),
            (258, Values::Short(vec![8])),
            (273, Values::Long((0..count).collect())),
            (278, Values::Long(vec![rows])),
            (279, Values::Short((0..count as u16).collect())),
        ]])
    };
    for (rows, count, height) in [(3, 3, 3), (7, 1, 7), (u32::MAX, 1, 7), (100, 1, 7)] {
        let image = decode(&strips(rows, count).bytes()).unwrap().image;
        assert_eq!((image.tile_width, image.tile_height, image.tile_offsets.len()), (10, height, count as usize));
    }
    let text = refusal(&strips(0, 1).bytes());
    assert_eq!(text, "IFD 0, tag RowsPerStrip (278) at byte 58: expected at least 1, found 0");
    assert_eq!(
        refusal(&strips(3, 2).bytes()),
        "IFD 0, tag StripOffsets (273) at byte 46: expected 3 entries for the image's tiles, found 2"
    );
}

#[test]
fn byte_counts_are_derived_for_one_strip_per_plane() {
    let strips = |planar: u16, compression: u16, offsets: &[u32], rows: u32| {
        TiffWriter::new(vec![vec![
            (256, Values::Long(vec![10])),
            (257, Values::Long(vec![7])),
            (258, Values::Short(vec![12, 12])),
            (259, Values::Short(vec![compression])),
            (273, Values::Long(offsets.to_vec())),
            (277, Values::Short(vec![2])),
            (278, Values::Long(vec![rows])),
            (284, Values::Short(vec![planar])),
        ]])
    };
    let counts = |file: TiffWriter| decode(&file.bytes()).unwrap().image.tile_byte_counts;
    // Rows of 10 x 2 and 10 samples of 12 bits.
    assert_eq!(counts(strips(1, 1, &[8], 7)), [30 * 7]);
    assert_eq!(counts(strips(2, 1, &[8, 9], 7)), [15 * 7, 15 * 7]);
    // A compressed strip extends to the end of the file.
    assert_eq!(counts(strips(1, 5, &[8], 7)), [0]);
    for (planar, offsets) in [(1, &[8, 9, 10, 11][..]), (2, &[8, 9, 10, 11, 12, 13, 14, 15][..])] {
        let text = refusal(&strips(planar, 1, offsets, 2).bytes());
        assert!(text.ends_with("tag StripByteCounts (279): expected the tag, found none"), "{text}");
    }
}

#[test]
fn tables_may_be_short_long_or_long8() {
    for offsets in [Values::Short(vec![7; 6]), Values::Long(vec![7; 6]), Values::Long8(vec![7; 6])] {
        for counts in [Values::Byte(vec![9; 6]), Values::Short(vec![9; 6]), Values::Long8(vec![9; 6])] {
            let image = decode(&writer().with(324, offsets.clone()).with(325, counts).bytes()).unwrap().image;
            assert_eq!((image.tile_offsets, image.tile_byte_counts), (vec![7; 6], vec![9; 6]));
        }
    }
}

#[test]
fn sparse_tiles_are_unchanged() {
    let file = writer().with(324, Values::Long(vec![0, 1, 2, 0, 4, 5])).with(325, Values::Long(vec![0, 0, 2, 3, 4, 5]));
    let image = decode(&file.bytes()).unwrap().image;
    assert_eq!(image.tile_offsets, [0, 1, 2, 0, 4, 5]);
    assert_eq!(image.tile_byte_counts, [0, 0, 2, 3, 4, 5]);
}

#[test]
fn invalid_tables_are_rejected() {
    for (file, text) in [
        (writer().without(325), "tag TileByteCounts (325): expected the tag, found none"),
        (writer().without(324), "tag TileOffsets (324): expected the tag, found none"),
        (writer().with(325, Values::Long(vec![1; 5])), "expected 6 entries for the image's tiles, found 5"),
        (writer().with(325, Values::Long(vec![1; 7])), "expected 6 entries for the image's tiles, found 7"),
        (writer().with(325, Values::Long(vec![1 << 31; 6])), "byte counts of at most 2^31 - 1, found 2147483648"),
        (writer().with(324, Values::Long8(vec![1 << 63; 6])), "offsets of at most 2^63 - 1, found 9223372036854775808"),
        (writer().with(324, Values::Double(vec![1.0; 6])), "expected SHORT or LONG, found DOUBLE"),
        (writer().with(322, Values::Ascii("128\0")), "tag TileWidth (322) at byte 82: expected 1 value, found 4"),
        (writer().with(322, Values::Ascii("1")), "at byte 82: expected SHORT or LONG, found ASCII"),
        (writer().with(322, Values::Short(vec![0])), "expected at least 1, found 0"),
        (writer().with(256, Values::Raw(9, 1, vec![255; 4])), "expected a number of 32 bits without a sign, found -1"),
        (writer().without(256), "tag ImageWidth (256): expected the tag, found none"),
        (writer().with(284, Values::Short(vec![3])), "expected 1 or 2, found 3"),
        (writer().with(258, Values::Short(vec![0])), "samples of 0 bits in sample format 1 are not supported"),
        (writer().with(339, Values::Short(vec![9])), "expected 1 to 6, found 9"),
    ] {
        let refusal = refusal(&file.bytes());
        assert!(refusal.starts_with("IFD 0, tag ") && refusal.ends_with(text), "{refusal}");
    }
}

#[test]
fn unknown_field_types_are_skipped() {
    let file = writer().with(700, Values::Raw(99, 1 << 31, vec![])).with(65000, Values::Raw(0, 5, vec![1, 2, 3, 4]));
    assert_eq!(decode(&file.bytes()), decode(&writer().bytes()));
    let file = writer().with(258, Values::Raw(99, 1, vec![16, 0]));
    assert!(refusal(&file.bytes()).ends_with("expected a known field type, found type 99"));
}

#[test]
fn overviews_and_masks_are_largest_first() {
    let mut thumbnail = reduced(1, 100, 50, 64);
    thumbnail.retain(|(tag, _)| ![277, 258].contains(tag));
    thumbnail.extend([(277, Values::Short(vec![3])), (258, Values::Short(vec![8, 8, 8]))]);
    let mut broken = reduced(1, 90, 45, 64);
    broken.retain(|(tag, _)| *tag != 324);
    let mut old = tiled(80, 40, 64);
    old.push((255, Values::Short(vec![2])));
    let file = TiffWriter::new(vec![
        tiled(400, 200, 64),
        reduced(2, 400, 200, 64),
        reduced(1, 100, 50, 64),
        reduced(4, 400, 200, 64),
        reduced(1, 200, 100, 64),
        reduced(5, 200, 100, 64),
        tiled(33, 33, 64),
        thumbnail,
        broken,
        old,
    ]);
    let header = decode(&file.bytes()).unwrap();
    let widths = |levels: &[rasteret_cog::Level]| levels.iter().map(|level| level.image_width).collect::<Vec<_>>();
    assert_eq!(widths(&header.overviews), [200, 100, 80]);
    assert_eq!(widths(&header.masks), [400, 200]);
}

#[test]
fn an_invalid_mask_is_rejected() {
    let mut mask = reduced(4, 300, 200, 128);
    mask.retain(|(tag, _)| *tag != 324);
    let text = refusal(&TiffWriter::new(vec![tiled(300, 200, 128), mask]).bytes());
    assert_eq!(text, "IFD 1, tag TileOffsets (324): expected the tag, found none");
}

#[test]
fn cyclic_chains_are_rejected_and_dangling_chains_end() {
    let file = TiffWriter { last_next: 8, ..writer() };
    assert_eq!(refusal(&file.bytes()), "IFD 1 at byte 8: the chain of IFDs contains a cycle");
    let file = TiffWriter { last_next: 1 << 20, ..writer() };
    assert_eq!(decode(&file.bytes()), decode(&writer().bytes()));
}

#[test]
fn files_other_than_tiff_are_rejected() {
    for (bytes, text) in [
        (&b""[..], "file at byte 0: expected 8 bytes at byte 0, but the file ends at byte 0"),
        (b"II*\0", "file at byte 0: expected 8 bytes at byte 0, but the file ends at byte 4"),
        (b"\x89PNG\r\n\x1a\n", "file at byte 0: not a TIFF: expected II or MM, found \\x89P"),
        (b"II\x2c\0\0\0\0\0", "file at byte 2: not a TIFF: expected version 42 or 43, found 44"),
        (b"II*\0\0\0\0\0", "file at byte 4: expected the offset of the first IFD, found 0"),
        (b"II*\0\x08\0\0\0", "IFD 0 at byte 8: expected 2 bytes at byte 8, but the file ends at byte 8"),
        (b"MM\0\x2b\0\x04\0\0\0\0\0\0\0\0\0\x10", "file at byte 4: expected 8-byte offsets in a BigTIFF, found 4"),
    ] {
        assert_eq!(refusal(bytes), text);
    }
}

#[test]
fn hostile_counts_are_rejected_before_fetching() {
    let refused = |file: TiffWriter, text: &str| {
        let refusal = refusal(&file.bytes());
        assert!(refusal.contains(text), "{refusal}");
    };
    refused(
        writer().with(324, Values::Raw(4, u64::from(u32::MAX), vec![0; 4])),
        "count of tiles of 4294967295 exceeds the limit of 33554432",
    );
    refused(
        writer().with(347, Values::Raw(7, 1 << 30, vec![])),
        "length in bytes of 1073741824 exceeds the limit of 16777216",
    );
    refused(writer().with(347, Values::Raw(7, 1 << 20, vec![9; 4])), "but the file ends at byte");
    let mut many = writer().bytes();
    many[8..10].copy_from_slice(&[255, 255]);
    assert!(refusal(&many).contains("count of tags of 65535 exceeds the limit of 4096"));
    let levels = vec![reduced(1, 3, 2, 16); 200];
    refused(TiffWriter::new(levels), "count of overviews and masks of 129 exceeds the limit of 128");
}

/// A tile table shared by all overviews must not be stored once for each of them.
#[test]
fn shared_tables_are_rejected() {
    let tiles = 20_000;
    let mut shared = reduced(1, tiles * 16, 16, 16);
    shared.retain(|(tag, _)| ![324, 325].contains(tag));
    shared.extend([324, 325].map(|tag| (tag, Values::At(4, u64::from(tiles), 200))));
    let mut ifds = vec![shared; 100];
    ifds.insert(0, tiled(tiles * 16, 16, 16));
    assert!(refusal(&TiffWriter::new(ifds).bytes()).contains("found values shared by several images"));
}

#[test]
fn a_cog_takes_one_fetch_and_long_tables_one_more() {
    let rounds = |file: &TiffWriter| fetches(&file.bytes(), 32 << 10).unwrap().1.len();
    assert_eq!(rounds(&writer()), 1);
    let file = TiffWriter::new(vec![tiled(128 * 100, 128 * 100, 128), reduced(1, 6400, 6400, 64)]);
    // The tables, the IFD of the overview and its tables are all beyond the first fetch. The IFD must be read before the position of
    // its tables is known, but prefetching includes them or requests all of them at once.
    assert!(rounds(&file) <= 3, "{}", rounds(&file));
    let file = TiffWriter { gap: 200_000, ..writer() };
    assert_eq!(rounds(&file), 2, "an IFD at the end of the file");
    let one_long = TiffWriter::new(vec![tiled(128 * 100, 128 * 100, 128)]);
    let (_, rounds) = fetches(&one_long.bytes(), 32 << 10).unwrap();
    assert_eq!(rounds.len(), 2);
    assert_eq!(rounds[1].len(), 1, "both tables in one range: {:?}", rounds[1]);
}

#[test]
fn decoding_without_new_bytes_is_an_error() {
    let file = Bytes::from(TiffWriter { gap: 100_000, ..writer() }.bytes());
    let mut decoder = HeaderDecoder::new(Limits::default(), None);
    assert_eq!(decoder.try_decode(), Ok(DecodeResult::NeedsData(vec![0..32 << 10])));
    decoder.push(0, file.slice(..100));
    let DecodeResult::NeedsData(needs) = decoder.try_decode().unwrap() else {
        panic!("expected a request for more data")
    };
    assert_eq!(needs, vec![100_008..100_008 + (32 << 10)]);
    decoder.push(100_008, Bytes::new());
    let error = decoder.try_decode().unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }));
    assert_eq!(error.to_string(), "IFD 0 at byte 100008: expected more bytes at byte 100008, but the file ends before");
}

#[test]
fn planar_bands_have_their_own_tiles() {
    let planar = |kind: u32| {
        let mut tags = reduced(kind, 20, 10, 16);
        tags.retain(|(tag, _)| ![277, 258, 324, 325].contains(tag));
        tags.extend([
            (277, Values::Short(vec![3])),
            (258, Values::Short(vec![8, 16, 32])),
            (339, Values::Short(vec![1, 2, 3])),
            (284, Values::Short(vec![2])),
            (324, Values::Long((1..=6).collect())),
            (325, Values::Long((11..=16).collect())),
        ]);
        tags
    };
    let header = decode(&TiffWriter::new(vec![planar(0), planar(1), reduced(4, 20, 10, 16)]).bytes()).unwrap();
    assert_eq!(header.image.encoding.dtype, DataType::Uint8);
    let band = header.for_band(1).unwrap();
    assert_eq!(band.band_index, Some(1));
    for level in [&band.image, &band.overviews[0]] {
        assert_eq!((&level.tile_offsets[..], &level.tile_byte_counts[..]), (&[3, 4][..], &[13, 14][..]));
        assert_eq!(level.encoding.dtype, DataType::Int16);
    }
    assert_eq!(band.masks, header.masks);
    assert_eq!(band.for_band(1).unwrap(), band);
    for (header, index, text) in [
        (&header, 3, "expected a band_index from 0 to 2, found 3: the file has 3 bands"),
        (&band, 0, "expected band_index 1, to which the metadata is restricted, found 0"),
    ] {
        assert_eq!(header.for_band(index).unwrap_err().to_string(), text);
    }
}

#[test]
fn sample_types_are_widened_as_in_gdal() {
    for (bits, format, dtype) in [
        (1, 1, "uint8"),
        (8, 2, "int8"),
        (12, 1, "uint16"),
        (12, 2, "uint16"),
        (15, 1, "uint16"),
        (24, 2, "uint32"),
        (32, 4, "uint32"),
        (40, 1, "uint64"),
        (64, 2, "int64"),
        (16, 3, "float16"),
        (24, 3, "float32"),
        (64, 3, "float64"),
        (32, 5, "complex_int16"),
        (64, 5, "complex_int32"),
        (64, 6, "complex64"),
        (128, 6, "complex128"),
    ] {
        let file = writer().with(258, Values::Short(vec![bits])).with(339, Values::Short(vec![format]));
        assert_eq!(decode(&file.bytes()).unwrap().image.encoding.dtype.to_string(), dtype, "{bits} {format}");
    }
    for (bits, format) in [(8, 3), (12, 3), (65, 1), (128, 3), (32, 6), (16, 5)] {
        let file = writer().with(258, Values::Short(vec![bits])).with(339, Values::Short(vec![format]));
        assert!(matches!(decode(&file.bytes()), Err(Error::Unsupported { .. })), "{bits} {format}");
    }
}

#[test]
fn codec_parameters_are_read() {
    let file = writer()
        .with(259, Values::Short(vec![34887]))
        .with(50674, Values::Long(vec![4, 2]))
        .with(347, Values::Undefined(vec![1, 2, 3, 4, 5]))
        .with(530, Values::Short(vec![2, 1]))
        .with(266, Values::Short(vec![2]))
        .with(292, Values::Long(vec![5]));
    let encoding = decode(&file.bytes()).unwrap().image.encoding;
    assert_eq!(encoding.compression, Compression::LercZstd);
    assert_eq!(encoding.lerc_parameters, Some(vec![4, 2]));
    assert_eq!(encoding.jpeg_tables.as_deref(), Some(&[1, 2, 3, 4, 5][..]));
    assert_eq!(
        (encoding.ycbcr_subsampling, encoding.fill_order, encoding.t4_options),
        (Some([2, 1]), FillOrder::LsbFirst, Some(5))
    );
}
