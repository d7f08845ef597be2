//! Compares whole bands of the corpus, read by the tile pipeline, with GDAL by their SHA-256: sparse tiles, masks and alpha planes, planar and
//! chunky files, read by several threads with so little memory that tiles are fetched in turns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

#[path = "../../cog/tests/support/corpus.rs"]
mod corpus;
mod support;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use corpus::{corpus, is_exact, sha256};
use object_store::local::LocalFileSystem;
use rasteret_cog::pixel::Band;
use rasteret_io::{BlockRequest, CogFile, Error, Keep, Location, RasterFile, Session};
use serde_json::Value;
use support::session;

/// Reads `count` bands of the full resolution in one call, in little-endian order.
fn bands(session: &Session, href: &str, cog: &CogFile, count: usize) -> Result<Vec<Vec<u8>>, Error> {
    let pixels = |source| Error::Pixels { location: Location::parse(href).unwrap(), tile: "band".to_owned(), source };
    let file = Arc::new(RasterFile::new(Location::parse(href)?, cog));
    let mut requests = Vec::new();
    let mut outputs = Vec::new();
    for index in 0..count {
        let band = Arc::new(Band::new(cog.header.clone(), 0, index as u32, true).map_err(pixels)?);
        let tiling = band.tiling();
        let size = band.data_type().size();
        let (width, height) = (tiling.image_width as usize, tiling.image_height as usize);
        outputs.push((size, width * size, Mutex::new(vec![0; width * height * size])));
        let (across, down) = (width.div_ceil(tiling.tile_width as usize), height.div_ceil(tiling.tile_height as usize));
        for tile in 0..across * down {
            let (row, col) = ((tile / across) as u32, (tile % across) as u32);
            requests.push((index, BlockRequest { file: file.clone(), band: band.clone(), row, col }));
        }
    }
    let fault = Mutex::new(None);
    let (of, requests): (Vec<usize>, Vec<BlockRequest>) = requests.into_iter().unzip();
    session.blocks(requests, Keep::Tiles).for_each(|request, block| match block {
        Ok(block) => {
            let (size, stride, output) = &outputs[of[request]];
            let mut output = output.lock().unwrap();
            let window = block.window;
            for row in window.row_off..window.row_off + window.height {
                let start = row as usize * stride + window.col_off as usize * size;
                let bytes = &mut output[start..start + window.width as usize * size];
                block.copy(row, window.col_off..window.col_off + window.width, bytes);
            }
            ControlFlow::Continue(())
        }
        Err(error) => {
            *fault.lock().unwrap() = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match fault.into_inner().unwrap() {
        Some(error) => Err(error),
        None => Ok(outputs.into_iter().map(|(_, _, output)| output.into_inner().unwrap()).collect()),
    }
}

/// Compares every file with a lossless codec, at the location returned by `href`.
fn compare(session: &Session, corpus: &Path, href: impl Fn(&str) -> String) {
    let oracle = std::fs::read_to_string(corpus.join("oracle.jsonl")).unwrap();
    let manifest = std::fs::read_to_string(corpus.join("manifest.csv")).unwrap();
    let (mut right, mut unsupported, mut wrong, mut refused) = (0, 0, Vec::new(), Vec::new());
    for record in oracle.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        // GDAL widens half floats; complex integers are not supported.
        let dtypes = record["gdal"]["dtypes"].to_string();
        let name = record["file"].as_str().unwrap();
        if !is_exact(&record) || dtypes.contains("complex_int") {
            continue;
        }
        let row = manifest.lines().find(|row| row.starts_with(&format!("{name},")));
        let is_crafted = row.is_some_and(|row| row.contains("fuzz-or-crafted"));
        let href = href(name);
        let cog = match session.headers(&[&href]).remove(0) {
            Ok(cog) => cog,
            Err(error) if is_crafted => {
                refused.push(format!("{error}"));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let image = &cog.header.image;
        // A tile without a byte count is sparse, but GDAL guesses the length of a strip with an offset.
        let guessed =
            image.tile_offsets.iter().zip(&image.tile_byte_counts).any(|(offset, count)| *offset > 0 && *count == 0);
        if image.encoding.dtype.name() == "float16" || guessed {
            continue;
        }
        let want = record["gdal"]["bands"].as_array().unwrap();
        match bands(session, &href, &cog, want.len()) {
            Ok(found) => {
                let differ: Vec<usize> =
                    (0..want.len()).filter(|band| want[*band]["sha256"] != sha256(&found[*band])).collect();
                match differ.is_empty() {
                    true => right += 1,
                    false => wrong.push(format!("{name}: bands {differ:?} differ")),
                }
            }
            // The set of supported codecs is tested in rasteret-cog.
            Err(Error::Pixels { source: rasteret_cog::Error::Unsupported { .. }, .. }) => unsupported += 1,
            Err(error) if is_crafted => refused.push(format!("{error}")),
            Err(error) => wrong.push(format!("{error}")),
        }
    }
    eprintln!("{right} files equal, {unsupported} in unsupported codecs; rejected:\n{}", refused.join("\n"));
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 100);
}

const LITTLE: [(&str, &str); 3] =
    [("RASTERET_THREADS", "3"), ("RASTERET_READ_BUDGET_BYTES", "20000"), ("RASTERET_TILE_CACHE_BYTES", "50000")];

#[test]
fn local_files_equal_gdal() {
    let Some(corpus) = corpus() else { return };
    let session = session(&LITTLE);
    compare(&session, &corpus, |name| corpus.join(name).to_str().unwrap().to_owned());
}

#[test]
fn objects_equal_gdal() {
    let Some(corpus) = corpus() else { return };
    let session = session(&LITTLE);
    session.serve_bucket("corpus", Arc::new(LocalFileSystem::new_with_prefix(&corpus).unwrap()));
    compare(&session, &corpus, |name| format!("s3://corpus/{name}"));
}
