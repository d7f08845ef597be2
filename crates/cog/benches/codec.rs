//! Measures decoding of tiles like those of `scripts/bench`: 512 x 512 samples of a smooth field with noise, with the predictor of
//! GDAL's `PREDICTOR=YES`. Each codec is compared with alternative libraries, without predictor.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss, missing_docs)]

use std::hint::black_box;
use std::io::{Read, Write};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rasteret_cog::Encoding;
use rasteret_cog::codec::{BlockShape, decode};
use rasteret_cog::tiff::{ByteOrder, Compression, DataType, Predictor, SampleFormat};

/// Columns and rows of a tile.
const SIDE: usize = 512;

/// Two sines and normally distributed noise of 60, about 3,000.
fn field(band: usize) -> Vec<f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64 + band as u64;
    let mut uniform = move || {
        // xorshift64*, Vigna.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..SIDE * SIDE)
        .map(|at| {
            let [x, y] = [at % SIDE, at / SIDE].map(|n| n as f64 / 4096.0 * std::f64::consts::TAU);
            let noise: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            3000.0 + 1500.0 * (3.0 * y + band as f64).sin() * (4.0 * x).cos() + 60.0 * noise
        })
        .collect()
}

/// Differences of the samples of a row.
fn differences(samples: &mut [u16], row: usize, per_pixel: usize) {
    for row in samples.chunks_mut(row) {
        for at in (per_pixel..row.len()).rev() {
            row[at] = row[at].wrapping_sub(row[at - per_pixel]);
        }
    }
}

/// The floating-point predictor.
fn planes(samples: &[f32]) -> Vec<u8> {
    samples
        .chunks(SIDE)
        .flat_map(|row| {
            let plane = |at: usize| row.iter().map(move |number| number.to_bits().to_be_bytes()[at]);
            let mut bytes: Vec<u8> = (0..4).flat_map(plane).collect();
            for at in (1..bytes.len()).rev() {
                bytes[at] = bytes[at].wrapping_sub(bytes[at - 1]);
            }
            bytes
        })
        .collect()
}

fn encode(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
            let length = zstd_safe::compress(&mut out[..], bytes, 9).unwrap();
            out.truncate(length);
            out
        }
        Compression::Lzw => {
            weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(bytes).unwrap()
        }
        Compression::Lzma => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        // Literal runs of 128 bytes.
        Compression::PackBits => bytes.chunks(128).flat_map(|run| [&[run.len() as u8 - 1], run].concat()).collect(),
        _ => bytes.to_vec(),
    }
}

struct Case {
    name: &'static str,
    compression: Compression,
    bits: u16,
    format: u16,
    samples: u16,
    predictor: u16,
    byte_order: ByteOrder,
    bytes: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let numbers: Vec<u16> = field(0).iter().map(|value| *value as u16).collect();
    let mut predicted = numbers.clone();
    differences(&mut predicted, SIDE, 1);
    let bytes = |list: &[u16]| -> Vec<u8> { list.iter().flat_map(|number| number.to_le_bytes()).collect() };
    let floats: Vec<f32> = field(0).iter().map(|value| *value as f32 / 1000.0).collect();
    let bands: Vec<Vec<f64>> = (0..3).map(field).collect();
    let mut rgb: Vec<u16> = (0..3 * SIDE * SIDE).map(|at| (bands[at % 3][at / 3] / 20.0) as u16).collect();
    differences(&mut rgb, 3 * SIDE, 3);
    let rgb: Vec<u8> = rgb.iter().map(|number| *number as u8).collect();
    let twelve: Vec<u8> = numbers
        .chunks(2)
        .flat_map(|pair| [(pair[0] >> 4) as u8, (pair[0] << 4 | pair[1] >> 8 & 15) as u8, pair[1] as u8])
        .collect();
    use ByteOrder::{Big, Little};
    use Compression::{Deflate, Lzma, Lzw, PackBits, Zstd};
    let mut cases = Vec::new();
    let mut add = |name, compression, (bits, format, samples), predictor, byte_order, bytes: &[u8]| {
        let bytes = encode(compression, bytes);
        cases.push(Case { name, compression, bits, format, samples, predictor, byte_order, bytes });
    };
    let swapped: Vec<u8> = predicted.iter().flat_map(|number| number.to_be_bytes()).collect();
    add("none uint16", Compression::None, (16, 1, 1), 1, Little, &bytes(&numbers));
    add("none uint16 big-endian", Compression::None, (16, 1, 1), 1, Big, &bytes(&numbers));
    add("packbits uint16", PackBits, (16, 1, 1), 1, Little, &bytes(&numbers));
    add("deflate uint16 p2", Deflate, (16, 1, 1), 2, Little, &bytes(&predicted));
    add("deflate uint16 p2 big-endian", Deflate, (16, 1, 1), 2, Big, &swapped);
    add("deflate 3 x uint8 p2", Deflate, (8, 1, 3), 2, Little, &rgb);
    add("deflate float32 p3", Deflate, (32, 3, 1), 3, Little, &planes(&floats));
    add("deflate 12 bits", Deflate, (12, 1, 1), 1, Little, &twelve);
    add("zstd uint16 p2", Zstd, (16, 1, 1), 2, Little, &bytes(&predicted));
    add("zstd float32 p3", Zstd, (32, 3, 1), 3, Little, &planes(&floats));
    add("lzw uint16 p2", Lzw, (16, 1, 1), 2, Little, &bytes(&predicted));
    add("lzw 3 x uint8 p2", Lzw, (8, 1, 3), 2, Little, &rgb);
    add("lzma uint16 p2", Lzma, (16, 1, 1), 2, Little, &bytes(&predicted));
    cases
}

/// The libraries that a codec could have been done with.
fn candidates(group: &mut BenchmarkGroup<WallTime>, case: &Case) {
    let size = SIDE * SIDE * usize::from(case.bits) / 8 * usize::from(case.samples);
    let bytes = &case.bytes[..];
    let mut add = |name: &str, decode: &mut dyn FnMut(&mut [u8])| {
        group.bench_function(BenchmarkId::new(name, case.name), |bencher| {
            let mut output = vec![0; size];
            bencher.iter(|| decode(black_box(&mut output)));
        });
    };
    match case.compression {
        Compression::Deflate => {
            let mut decompressor = libdeflater::Decompressor::new();
            add("libdeflate", &mut |output| {
                decompressor.zlib_decompress(bytes, output).unwrap();
            });
            add("zune-inflate", &mut |output| {
                let options = zune_inflate::DeflateOptions::default().set_size_hint(output.len());
                let decoded = zune_inflate::DeflateDecoder::new_with_options(bytes, options).decode_zlib().unwrap();
                output.copy_from_slice(&decoded);
            });
            add("zlib-rs", &mut |output| flate2::read::ZlibDecoder::new(bytes).read_exact(output).unwrap());
        }
        Compression::Zstd => {
            let mut context = zstd_safe::DCtx::create();
            add("zstd", &mut |output| {
                context.decompress(output, bytes).unwrap();
            });
            let mut decoder = ruzstd::decoding::FrameDecoder::new();
            add("ruzstd", &mut |output| {
                decoder.decode_all(bytes, output).unwrap();
            });
        }
        Compression::Lzw => add("weezl", &mut |output| {
            let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
            let (mut read, mut filled) = (0, 0);
            while filled < output.len() {
                let result = decoder.decode_bytes(&bytes[read..], &mut output[filled..]);
                result.status.unwrap();
                (read, filled) = (read + result.consumed_in, filled + result.consumed_out);
            }
        }),
        Compression::Lzma => {
            add("liblzma", &mut |output| liblzma::read::XzDecoder::new(bytes).read_exact(output).unwrap());
            add("lzma-rust2", &mut |output| lzma_rust2::XzReader::new(bytes, true).read_exact(output).unwrap());
        }
        _ => {}
    }
}

fn tiles(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    group.sample_size(20);
    for case in cases() {
        let encoding = Encoding {
            compression: case.compression,
            predictor: Predictor::from_code(case.predictor),
            bits_per_sample: vec![case.bits; usize::from(case.samples)],
            sample_format: vec![SampleFormat::from_code(case.format); usize::from(case.samples)],
            ..Encoding::uncompressed(DataType::Uint8, case.samples)
        };
        let shape = BlockShape { width: SIDE as u32, height: SIDE as u32, samples_per_pixel: case.samples };
        let tile = decode(&case.bytes, &encoding, case.byte_order, shape, 0).unwrap();
        let size = tile.samples.len() * tile.samples.data_type().size();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("rasteret-cog", case.name), |bencher| {
            bencher.iter(|| decode(black_box(&case.bytes), &encoding, case.byte_order, shape, 0).unwrap());
        });
        candidates(&mut group, &case);
    }
    group.finish();
}

criterion_group!(benches, tiles);
criterion_main!(benches);
