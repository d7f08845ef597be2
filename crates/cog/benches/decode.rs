//! Compares header decoding with the `tiff` crate reading the same tags. The time must only depend on the size of the tile table.
//!
//! Files are BigTIFF like large COGs of GDAL: LONG8 offsets, LONG byte counts, georeferencing, one image.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::io::Cursor;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rasteret_cog::{DecodeResult, HeaderDecoder, Limits};
use support::{TiffWriter, Values, tiled};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// GeoKeys that GDAL writes for EPSG:32643.
const GEO_KEYS: [[u16; 4]; 8] = [
    [1, 1, 0, 7],
    [1024, 0, 1, 1],
    [1025, 0, 1, 1],
    [1026, 34737, 22, 0],
    [2049, 34737, 7, 22],
    [2054, 0, 1, 9102],
    [3072, 0, 1, 32643],
    [3076, 0, 1, 9001],
];

/// A square image of `side` by `side` tiles.
fn file(side: u32) -> Bytes {
    let tiles = u64::from(side) * u64::from(side);
    let file = TiffWriter::new(vec![tiled(side * 512, side * 512, 512)])
        .with(324, Values::Long8((0..tiles).map(|n| 70_000 + n * 200_000).collect()))
        .with(325, Values::Long((0..tiles).map(|n| 190_000 + (n % 10_000) as u32).collect()))
        .with(317, Values::Short(vec![2]))
        .with(339, Values::Short(vec![1]))
        .with(33550, Values::Double(vec![10.0, 10.0, 0.0]))
        .with(33922, Values::Double(vec![0.0, 0.0, 0.0, 500_000.0, 4_200_000.0, 0.0]))
        .with(34735, Values::Short(GEO_KEYS.concat()))
        .with(34737, Values::Ascii("WGS 84 / UTM zone 43N|WGS 84|\0"))
        .with(42113, Values::Ascii("0\0"));
    TiffWriter { is_big_tiff: true, ..file }.bytes().into()
}

fn ours(file: &Bytes) -> usize {
    let mut decoder = HeaderDecoder::new(Limits::default(), Some(file.len() as u64));
    decoder.push(0, file.clone());
    match decoder.try_decode().unwrap() {
        DecodeResult::Data(header) => header.image.tile_offsets.len() + header.image.tile_byte_counts.len(),
        DecodeResult::NeedsData(needs) => panic!("{needs:?}"),
    }
}

/// Reads the required and optional tags of a header with the `tiff` crate.
fn tiff_crate(file: &Bytes) -> usize {
    let mut limits = tiff::decoder::Limits::unlimited();
    limits.decoding_buffer_size = usize::MAX;
    let mut decoder = Decoder::new(Cursor::new(&file[..])).unwrap().with_limits(limits);
    let mut read = 0;
    for tag in [
        Tag::ImageWidth,
        Tag::ImageLength,
        Tag::BitsPerSample,
        Tag::Compression,
        Tag::PhotometricInterpretation,
        Tag::SamplesPerPixel,
        Tag::Predictor,
        Tag::TileWidth,
        Tag::TileLength,
        Tag::SampleFormat,
    ] {
        read += decoder.get_tag(tag).unwrap().into_u64_vec().unwrap().len();
    }
    read += decoder.get_tag_f64_vec(Tag::ModelPixelScaleTag).unwrap().len();
    read += decoder.get_tag_f64_vec(Tag::ModelTiepointTag).unwrap().len();
    read += decoder.get_tag_u16_vec(Tag::GeoKeyDirectoryTag).unwrap().len();
    read += decoder.get_tag_ascii_string(Tag::GeoAsciiParamsTag).unwrap().len();
    for absent in [
        Tag::RowsPerStrip,
        Tag::FillOrder,
        Tag::PlanarConfiguration,
        Tag::ExtraSamples,
        Tag::JPEGTables,
        Tag::ChromaSubsampling,
        Tag::ModelTransformationTag,
        Tag::GeoDoubleParamsTag,
        Tag::Unknown(292),
        Tag::Unknown(42112),
        Tag::Unknown(50674),
    ] {
        read += usize::from(decoder.find_tag(absent).unwrap().is_some());
    }
    read += decoder.get_tag_ascii_string(Tag::GdalNodata).unwrap().len();
    read += decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap().len();
    read + decoder.get_tag_u32_vec(Tag::TileByteCounts).unwrap().len()
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for side in [11, 80, 1000] {
        let file = file(side);
        let tiles = u64::from(side * side);
        assert_eq!(ours(&file) as u64, 2 * tiles);
        group.throughput(Throughput::Elements(tiles));
        group.sample_size(if side > 100 { 20 } else { 60 });
        group.bench_with_input(BenchmarkId::new("rasteret-cog", tiles), &file, |bencher, file| {
            bencher.iter(|| ours(black_box(file)));
        });
        group.bench_with_input(BenchmarkId::new("tiff", tiles), &file, |bencher, file| {
            bencher.iter(|| tiff_crate(black_box(file)));
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
