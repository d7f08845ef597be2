//! Compares decoded pixels of the corpus of real files by the SHA-256 of whole bands at full resolution, for every file with a lossless
//! codec on which two other decoders agree (`exact()` of `check.py`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

#[path = "support/corpus.rs"]
mod corpus;
mod support;

use std::collections::BTreeMap;

use corpus::{corpus, is_exact, sha256};
use rasteret_cog::codec::{BlockShape, DecodedTile, Samples, decode};
use rasteret_cog::tiff::Compression;
use rasteret_cog::{CogHeader, Error};
use serde_json::Value;

/// Converts binary16 to binary32, like GDAL.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * mantissa * 2f32.powi(-24),
        31 if mantissa == 0.0 => sign * f32::INFINITY,
        31 => f32::from_bits(u32::from(bits) >> 15 << 31 | 0x7F80_0000 | u32::from(bits & 1023) << 13),
        _ => sign * (1024.0 + mantissa) * 2f32.powi(exponent - 25),
    }
}

/// Appends one sample in little-endian order; half floats as binary32.
fn put(samples: &Samples, at: usize, out: &mut [u8]) {
    match samples {
        Samples::Uint8(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Uint16(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Uint32(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Uint64(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Int8(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Int16(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Int32(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Int64(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Float16(list) => out.copy_from_slice(&half(list[at]).to_le_bytes()),
        Samples::Float32(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Float64(list) => out.copy_from_slice(&list[at].to_le_bytes()),
        Samples::Complex64(list) => out.copy_from_slice(&list[at].map(f32::to_le_bytes).concat()),
        Samples::Complex128(list) => out.copy_from_slice(&list[at].map(f64::to_le_bytes).concat()),
    }
}

/// One tile of the full resolution; None if it is sparse.
fn tile(file: &[u8], header: &CogHeader, position: usize, row: u32, plane: u16) -> Result<Option<DecodedTile>, Error> {
    let image = &header.image;
    let [offset, count] = [image.tile_offsets[position], u64::from(image.tile_byte_counts[position])];
    if offset == 0 || count == 0 {
        return Ok(None);
    }
    let end = (offset + count).min(file.len() as u64);
    let is_planar = image.encoding.is_planar();
    let rows_left = image.image_height - row * image.tile_height;
    let shape = BlockShape {
        width: image.tile_width,
        height: if image.is_tiled { image.tile_height } else { image.tile_height.min(rows_left) },
        samples_per_pixel: if is_planar { 1 } else { image.encoding.samples_per_pixel },
    };
    let bytes = file.get(offset as usize..end as usize).unwrap_or_default();
    decode(bytes, &image.encoding, header.byte_order, shape, plane).map(Some)
}

/// All bands of the full resolution, little-endian; `size` is that of a sample.
fn bands(file: &[u8], header: &CogHeader, size: usize) -> Result<Vec<Vec<u8>>, Error> {
    let image = &header.image;
    let samples = image.encoding.samples_per_pixel;
    let [width, height] = [image.image_width as usize, image.image_height as usize];
    let [across, down] = [image.image_width.div_ceil(image.tile_width), image.image_height.div_ceil(image.tile_height)];
    let mut bands = vec![vec![0; width * height * size]; usize::from(samples)];
    let planes = if image.encoding.is_planar() { samples } else { 1 };
    for plane in 0..planes {
        for row in 0..down {
            for col in 0..across {
                let position = (u32::from(plane) * down + row) * across + col;
                let Some(tile) = tile(file, header, position as usize, row, plane)? else { continue };
                let [left, top] = [(col * image.tile_width) as usize, (row * image.tile_height) as usize];
                let per_pixel = usize::from(tile.samples_per_pixel);
                for y in 0..(tile.height as usize).min(height - top) {
                    for x in 0..(tile.width as usize).min(width - left) {
                        for sample in 0..per_pixel {
                            let from = (y * tile.width as usize + x) * per_pixel + sample;
                            let to = ((top + y) * width + left + x) * size;
                            let band = &mut bands[usize::from(plane) + sample];
                            put(&tile.samples, from, &mut band[to..to + size]);
                        }
                    }
                }
            }
        }
    }
    Ok(bands)
}

#[test]
fn bands_equal_gdal_and_tifffile() {
    let Some(corpus) = corpus() else { return };
    let oracle = std::fs::read_to_string(corpus.join("oracle.jsonl")).unwrap();
    let manifest = std::fs::read_to_string(corpus.join("manifest.csv")).unwrap();
    let mut wrong = Vec::new();
    let mut refused = Vec::new();
    // Numbers of files and bands by codec.
    let mut right: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in oracle.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if !is_exact(&record) || record["gdal"]["dtypes"][0].as_str().unwrap().starts_with("complex_int") {
            continue;
        }
        let name = record["file"].as_str().unwrap();
        let file = std::fs::read(corpus.join(name)).unwrap();
        let row = manifest.lines().find(|row| row.starts_with(&format!("{name},")));
        let is_crafted = row.is_some_and(|row| row.contains("fuzz-or-crafted"));
        let header = match support::decode(&file) {
            Ok(header) => header,
            Err(error) if is_crafted => {
                refused.push(format!("{name}: {error}"));
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let encoding = &header.image.encoding;
        // Sparse tiles are tested with whole bands, see crates/io/tests/corpus_pixels.rs.
        if header.image.tile_byte_counts.contains(&0) || header.image.tile_offsets.contains(&0) {
            continue;
        }
        let what =
            format!("{name}: {}, predictor {}, {}", encoding.compression, encoding.predictor.code(), encoding.dtype);
        let size = if encoding.dtype.name() == "float16" { 4 } else { encoding.dtype.size() };
        match bands(&file, &header, size) {
            // As in `check.py`, hostile files and unsupported codecs may be rejected.
            Err(error) if is_crafted || matches!(encoding.compression, Compression::Unknown(_)) => {
                refused.push(format!("{what}: {error}"));
            }
            Err(error) => wrong.push(format!("{what}: {error}")),
            Ok(bands) => {
                let want = record["gdal"]["bands"].as_array().unwrap();
                assert!(want.len() <= bands.len(), "{what}");
                let differ: Vec<usize> =
                    (0..want.len()).filter(|band| want[*band]["sha256"] != sha256(&bands[*band])).collect();
                if differ.is_empty() {
                    let counts = right.entry(encoding.compression.to_string()).or_default();
                    *counts = (counts.0 + 1, counts.1 + want.len());
                } else {
                    wrong.push(format!("{what}: bands {differ:?} differ"));
                }
            }
        }
    }
    eprintln!("files and bands by codec: {right:?}; refused:\n{}", refused.join("\n"));
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right.len() > 5);
}

/// `values.lossy` of `check.py`: samples differ by at most 130, and by at most 10 on average per file.
#[test]
fn lossy_samples_are_close_to_gdal() {
    let Some(corpus) = corpus() else { return };
    let oracle = std::fs::read_to_string(corpus.join("oracle.jsonl")).unwrap();
    let manifest = std::fs::read_to_string(corpus.join("manifest.csv")).unwrap();
    let (mut near, mut refused, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for line in oracle.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let agreement = record["tifffile_vs_gdal"]["status"].as_str().unwrap_or_default();
        // GDAL converts CMYK (5) to RGBA.
        if record["gdal"]["lossy"] != true
            || !["equal", "differs"].contains(&agreement)
            || record["tifffile"]["ifds"][0]["photometric"] == 5
        {
            continue;
        }
        let name = record["file"].as_str().unwrap();
        let file = std::fs::read(corpus.join(name)).unwrap();
        let header = support::decode(&file).unwrap();
        let row = manifest.lines().find(|row| row.starts_with(&format!("{name},")));
        match sample_errors(&file, &header, &record) {
            Err(error) if row.is_some_and(|row| row.contains("fuzz-or-crafted")) => {
                refused.push(format!("{name}: {error}"));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(errors) => {
                let worst = errors.iter().copied().fold(0.0, f64::max);
                let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
                let what =
                    format!("{name}: differs by up to {worst}, by {mean:.2} on average of {} samples", errors.len());
                if worst > 130.0 || mean > 10.0 { &mut wrong } else { &mut near }.push(what);
            }
        }
    }
    eprintln!("{} files near:\n{}\nrefused:\n{}", near.len(), near.join("\n"), refused.join("\n"));
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(near.len() > 20);
}

/// Returns the errors of the first three bands at all pixels of the oracle with a tile.
fn sample_errors(file: &[u8], header: &CogHeader, record: &Value) -> Result<Vec<f64>, Error> {
    let image = &header.image;
    let across = image.image_width.div_ceil(image.tile_width);
    let down = image.image_height.div_ceil(image.tile_height);
    let is_planar = image.encoding.is_planar();
    let bands = record["gdal"]["bands"].as_array().unwrap().len().min(3);
    let mut tiles = BTreeMap::new();
    let mut errors = Vec::new();
    for sample in record["gdal"]["samples"].as_array().unwrap() {
        let [row, col] = ["row", "col"].map(|name| sample[name].as_u64().unwrap() as u32);
        let [tile_row, tile_col] = [row / image.tile_height, col / image.tile_width];
        for band in 0..bands {
            let plane = if is_planar { band as u16 } else { 0 };
            let position = ((u32::from(plane) * down + tile_row) * across + tile_col) as usize;
            if let std::collections::btree_map::Entry::Vacant(place) = tiles.entry(position) {
                place.insert(tile(file, header, position, tile_row, plane)?);
            }
            let Some(tile) = &tiles[&position] else { continue };
            let pixel = (row % image.tile_height) as usize * tile.width as usize + (col % image.tile_width) as usize;
            let at = pixel * usize::from(tile.samples_per_pixel) + if is_planar { 0 } else { band };
            let Samples::Uint8(samples) = &tile.samples else { panic!("expected 8-bit samples") };
            errors.push((f64::from(samples[at]) - sample["values"][band].as_f64().unwrap()).abs());
        }
    }
    Ok(errors)
}

/// JPEG XL, which is not supported by the GDAL of the oracle.
#[test]
fn jpeg_xl_bands_equal_tifffile() {
    let Some(corpus) = corpus() else { return };
    let oracle = std::fs::read_to_string(corpus.join("oracle.jsonl")).unwrap();
    let mut count = 0;
    for line in oracle.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let Some(want) = record["tifffile_pixels"]["bands"].as_array() else { continue };
        let name = record["file"].as_str().unwrap();
        let file = std::fs::read(corpus.join(name)).unwrap();
        let Ok(header) = support::decode(&file) else { continue };
        if header.image.encoding.compression != Compression::Jxl {
            continue;
        }
        let got = bands(&file, &header, header.image.encoding.dtype.size()).unwrap();
        assert_eq!(got.len(), want.len(), "{name}");
        for (got, want) in got.iter().zip(want) {
            assert_eq!(want["sha256"], sha256(got), "{name}");
        }
        count += 1;
    }
    eprintln!("{count} files");
    assert!(count > 0);
}
