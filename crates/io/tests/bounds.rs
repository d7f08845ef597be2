//! Hostile files and servers: unbounded sizes, pipes, servers that never respond.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rasteret_cog::EncodedGeometry;
use rasteret_cog::pixel::{MaskRule, ValueOptions, WindowOptions};
use rasteret_cog::tiff::DataType;
use rasteret_cog::write::CogOptions;
use rasteret_cog::zonal::{Method, Statistics};
use rasteret_io::OnError;
use rasteret_io::query::{LevelChoice, MaskSource, ReadRequest, ResolvedRead, WeightSource, ZoneOptions};
use rasteret_io::write::{CogDescription, PixelWindow};
use rasteret_io::{Error, Location, RasterFile, Result, Session};
use support::{Scratch, session};

/// A little-endian TIFF of LONG tags, padded with zeros to `size` bytes.
fn tiff(tags: &[(u16, &[u32])]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((tags.len() as u16).to_le_bytes());
    let mut tables = 8 + 2 + 12 * tags.len() + 4;
    let mut behind = Vec::new();
    for (tag, values) in tags {
        file.extend(tag.to_le_bytes());
        file.extend(4u16.to_le_bytes());
        file.extend((values.len() as u32).to_le_bytes());
        let value = if let [value] = values { *value } else { tables as u32 };
        file.extend(value.to_le_bytes());
        if values.len() > 1 {
            tables += 4 * values.len();
            behind.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    file.extend([0; 4]);
    file.extend(behind);
    file
}

/// One band of bytes, whose tiles were never written.
fn sparse(width: u32, height: u32, tile: (u32, u32)) -> Vec<u8> {
    let tiles = vec![0; (width.div_ceil(tile.0) * height.div_ceil(tile.1)) as usize];
    tiff(&[
        (256, &[width]),
        (257, &[height]),
        (258, &[8]),
        (259, &[1]),
        (262, &[1]),
        (277, &[1]),
        (322, &[tile.0]),
        (323, &[tile.1]),
        (324, &tiles),
        (325, &tiles),
    ])
}

/// One strip of bytes with these rows, offset and byte count.
fn strip(width: u32, height: u32, offset: u32, bytes: u32) -> Vec<u8> {
    tiff(&[
        (256, &[width]),
        (257, &[height]),
        (258, &[8]),
        (259, &[1]),
        (262, &[1]),
        (273, &[offset]),
        (277, &[1]),
        (278, &[height]),
        (279, &[bytes]),
    ])
}

const MOST: u32 = i32::MAX as u32;

/// Resolves a read of a whole file, or of a geometry in pixel coordinates.
fn resolved<'a>(session: &Session, path: &str, geometry: Option<&'a str>) -> Result<ResolvedRead<'a>> {
    let cog = session.headers(&[path]).remove(0)?;
    let request = ReadRequest {
        file: Arc::new(RasterFile::new(Location::parse(path)?, &cog)),
        level: LevelChoice::Index(0),
        band_index: None,
        masked: true,
        mask: None,
        weights: None,
        geometry: geometry.map(EncodedGeometry::Text),
        geometry_crs: Some("native"),
        type_crs: None,
        on_error: OnError::Fail,
    };
    Ok(session.prepare(vec![Some(request)])?.remove(0).unwrap())
}

fn statistics(session: &Session, path: &str, geometry: Option<&str>, method: Method) -> Result<Statistics> {
    let resolved = resolved(session, path, geometry)?;
    let options = ZoneOptions { method, scaled: false };
    Ok(session.zonal_statistics(&[Some((resolved, options))])?.remove(0).unwrap())
}

fn value(session: &Session, path: &str, point: &str, max_distance_pixels: u32) -> Result<Option<f64>> {
    let resolved = resolved(session, path, Some(point))?;
    let options = ValueOptions { max_distance_pixels, ..ValueOptions::default() };
    Ok(session.values(&[Some((resolved, options))])?.remove(0))
}

/// Statistics of a whole file with a mask and weights.
fn masked(session: &Session, path: &str, mask: Option<(&str, MaskRule)>, weights: Option<&str>) -> Result<Statistics> {
    let resolved = resolved(session, path, None)?;
    let raster = |path: &str| -> Result<_> {
        Ok(Arc::new(RasterFile::new(Location::parse(path)?, &session.headers(&[path]).remove(0)?)))
    };
    let mask = mask.map(|(path, rule)| Ok(Arc::new(MaskSource { file: raster(path)?, band_index: None, rule })));
    let weights = weights.map(|path| Ok(Arc::new(WeightSource { file: raster(path)?, band_index: None })));
    let request = ReadRequest { mask: mask.transpose()?, weights: weights.transpose()?, ..resolved.request };
    let resolved = session.prepare(vec![Some(request)])?.remove(0).unwrap();
    let options = ZoneOptions { method: Method::Fraction, scaled: false };
    Ok(session.zonal_statistics(&[Some((resolved, options))])?.remove(0).unwrap())
}

/// Runs `work`, which must end in a time too short to process a large input.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = work();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    answer
}

#[test]
fn a_strip_beyond_the_end_is_an_error() {
    let (scratch, session) = (Scratch::new("behind"), session(&[]));
    for (offset, bytes) in [(410, 0), (410, 16), (122, 0), (u32::MAX, 0)] {
        let path = scratch.file("a.tif", &strip(4, 4, offset, bytes));
        let error = soon(|| value(&session, &path, "POINT(0 0)", 0)).unwrap_err().to_string();
        assert!(error.contains("beyond the end of the file"), "{offset} {bytes}: {error}");
    }
}

#[test]
fn the_size_of_tiles_is_limited() {
    let scratch = Scratch::new("largest");
    let strict = session(&[]);
    let path = scratch.file("tall.tif", &strip(MOST, MOST, 0, 0));
    let error = statistics(&strict, &path, None, Method::Fraction).unwrap_err();
    assert!(error.is_of_file());
    let text = error.to_string();
    assert!(text.contains("RASTERET_MAX_TILE_BYTES") && text.contains("exceeds the limit of 268435456"), "{text}");
    let path = scratch.file("a.tif", &sparse(64, 64, (64, 64)));
    assert!(statistics(&session(&[("RASTERET_MAX_TILE_BYTES", "4096")]), &path, None, Method::Fraction).is_ok());
    assert!(statistics(&session(&[("RASTERET_MAX_TILE_BYTES", "4095")]), &path, None, Method::Fraction).is_err());
    // The declared bytes of a tile are limited too, even if the file is long enough.
    let mut long = strip(4, 4, 200, 3000);
    long.resize(4000, 0);
    let path = scratch.file("long.tif", &long);
    let error = value(&session(&[("RASTERET_MAX_TILE_BYTES", "1024")]), &path, "POINT(0 0)", 0).unwrap_err();
    assert!(error.to_string().contains("encoded tile") && error.to_string().contains("limit of 1152"), "{error}");
}

#[test]
fn masks_and_weights_of_tiles_mapped_in_parts() {
    // More columns than are mapped at once.
    let (width, height) = ((1 << 20) + 5, 2);
    let (scratch, session) = (Scratch::new("parts"), session(&[]));
    let file = |name: &str, value: &dyn Fn(u32) -> u8| {
        let mut file = strip(width, height, 122, width * height);
        assert_eq!(file.len(), 122);
        file.extend((0..width * height).map(value));
        scratch.file(name, &file)
    };
    let data = file("a.tif", &|at| (at % 251) as u8);
    let other = file("b.tif", &|at| (at / 3 % 17) as u8);
    let pixels = (0..width * height).map(|at| (f64::from(at % 251), f64::from(at / 3 % 17)));
    let kept: Vec<_> = pixels.clone().filter(|(_, other)| *other != 5.0).map(|(value, _)| value).collect();
    let found = masked(&session, &data, Some((&other, MaskRule::Drop(vec![5]))), None).unwrap();
    assert_eq!((found.count, found.values.unwrap().sum), (kept.len() as f64, kept.iter().sum::<f64>()));
    let found = masked(&session, &data, None, Some(&other)).unwrap().weighted.unwrap();
    assert_eq!(found.sum, pixels.map(|(value, weight)| value * weight).sum::<f64>());
}

#[test]
fn weights_of_a_tile_are_bounded_by_memory() {
    let (scratch, session) = (Scratch::new("weights"), session(&[("RASTERET_THREADS", "3")]));
    let path = scratch.file("a.tif", &sparse(1 << 10, 1 << 10, (1 << 10, 1 << 10)));
    session.set_memory_limit(3 << 24);
    assert_eq!(masked(&session, &path, None, Some(&path)).unwrap().weighted.unwrap().sum, 0.0);
    session.set_memory_limit((3 << 24) - 1);
    let error = masked(&session, &path, None, Some(&path)).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }));
    assert_eq!(
        error.to_string(),
        "the values of another raster in a tile of 1024 x 1024 pixels for each of 3 threads take 50331648 bytes, where \
         memory_limit allows 50331647: use fewer or smaller ones"
    );
}

#[test]
fn the_values_of_zones_are_bounded_by_memory() {
    let (scratch, session) = (Scratch::new("values"), session(&[("RASTERET_THREADS", "1")]));
    // 64 tiles of 64 x 64 pixels of 16 bits, with 4096 distinct values each.
    let (side, tile) = (512_u32, 64_u32);
    let count = (side / tile).pow(2);
    let bytes = 2 * tile * tile;
    let tiles = |at: &dyn Fn(u32) -> u32| (0..count).map(at).collect::<Vec<_>>();
    let tags = |first: u32| {
        tiff(&[
            (256, &[side]),
            (257, &[side]),
            (258, &[32]),
            (259, &[1]),
            (262, &[1]),
            (277, &[1]),
            (322, &[tile]),
            (323, &[tile]),
            (324, &tiles(&|at| first + at * 2 * bytes)),
            (325, &tiles(&|_| 2 * bytes)),
        ])
    };
    let mut file = tags(tags(0).len() as u32);
    file.extend((0..side * side).rev().flat_map(u32::to_le_bytes));
    let path = scratch.file("a.tif", &file);
    let histogram = || {
        let options = ZoneOptions { method: Method::Fraction, scaled: false };
        let row = Some((resolved(&session, &path, None)?, options));
        Ok::<_, Error>(session.zonal_histograms(&[row])?.remove(0).unwrap())
    };
    let found = histogram().unwrap();
    let entries = found.entries();
    assert!(entries.iter().zip(0_u32..).all(|(entry, value)| entry.value == f64::from(value) && entry.weight == 1.0));
    assert_eq!(entries.len() as u32, side * side);
    // 16 bytes per value, twice.
    session.set_memory_limit(u64::from(side * side * 32));
    assert_eq!(histogram().unwrap(), found);
    session.set_memory_limit(u64::from(side * side * 32) - 1);
    let error = histogram().unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }));
    assert!(error.to_string().contains("the distinct values of the zones of a call take 8388608 bytes"), "{error}");
    // One tile exceeds the limit.
    session.set_memory_limit(u64::from(tile * tile) * 48 - 1);
    assert!(histogram().unwrap_err().to_string().contains("the distinct values of the zones"));
}

#[test]
fn huge_sparse_files_are_not_scanned() {
    let scratch = Scratch::new("giants");
    let session = session(&[("RASTERET_MAX_TILE_BYTES", "9000000000000000000")]);
    let path = scratch.file("tall.tif", &strip(MOST, MOST, 0, 0));
    let pixels = f64::from(MOST) * f64::from(MOST);
    for method in [Method::Fraction, Method::Center, Method::AllTouched] {
        let whole = soon(|| statistics(&session, &path, None, method)).unwrap();
        let values = whole.values.unwrap();
        assert_eq!((whole.count, values.sum, values.min, values.max, values.stddev), (pixels, 0.0, 0.0, 0.0, 0.0));
    }
    let zone = "POLYGON((0.5 0.25, 10 0.25, 10 2000000000.5, 0.5 2000000000.5, 0.5 0.25))";
    let part = soon(|| statistics(&session, &path, Some(zone), Method::Fraction)).unwrap();
    assert_eq!(part.count, 9.5 * 2_000_000_000.25);
    let centers = soon(|| statistics(&session, &path, Some(zone), Method::Center)).unwrap();
    assert_eq!(centers.count, 9.0 * 2_000_000_000.0);
    // Many tiles instead of one.
    let path = scratch.file("many.tif", &sparse(1 << 14, 1 << 14, (16, 16)));
    let many = statistics(&session, &path, None, Method::Fraction).unwrap();
    assert_eq!(many.count, f64::from(1 << 14) * f64::from(1 << 14));
}

#[test]
fn geometries_are_bounded_by_their_pixels() {
    let (scratch, session) = (Scratch::new("lines"), session(&[("RASTERET_MAX_TILE_BYTES", "9000000000000000000")]));
    let path = scratch.file("tall.tif", &strip(MOST, MOST, 0, 0));
    for zone in [
        "LINESTRING(0 0, 2000000000 1999999999)",
        "POLYGON((0 0, 2000000000 1000, 2000000000 2000000000, 0 0))",
        "LINESTRING(5 -10, 5 3000000000)",
    ] {
        for method in [Method::Fraction, Method::Center, Method::AllTouched] {
            let error = soon(|| statistics(&session, &path, Some(zone), method)).unwrap_err().to_string();
            assert!(error.contains("edges pass through at most"), "{zone} {method:?}: {error}");
        }
    }
    let line = soon(|| statistics(&session, &path, Some("LINESTRING(5.5 0, 5.5 1000)"), Method::Fraction)).unwrap();
    assert_eq!(line.count, 1000.0);
}

#[test]
fn windows_are_bounded_together() {
    let (scratch, session) = (Scratch::new("windows"), session(&[("RASTERET_MEMORY_LIMIT_BYTES", "200000")]));
    let path = scratch.file("a.tif", &sparse(256, 128, (64, 64)));
    let plan = |rows: usize| {
        let resolved = resolved(&session, &path, None).unwrap();
        let rows: Vec<_> = (0..rows).map(|_| Some((resolved.clone(), WindowOptions::default()))).collect();
        session.plan_windows(&rows).map(|planned| planned.len())
    };
    assert_eq!(plan(1).unwrap(), 1);
    let error = plan(2).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }) && !error.is_of_file());
    assert!(error.to_string().contains("RASTERET_MEMORY_LIMIT_BYTES allows 200000"), "{error}");
    session.set_memory_limit(1000);
    assert!(plan(1).unwrap_err().to_string().contains("memory_limit allows 1000"));
}

#[test]
fn reads_of_a_call_are_bounded_together() {
    let (scratch, session) = (Scratch::new("reads"), session(&[]));
    let path = scratch.file("a.tif", &sparse(64, 64, (64, 64)));
    session.set_memory_limit(1000 * 512);
    let values = |count: usize| {
        let resolved = resolved(&session, &path, Some("POINT(1 1)")).unwrap();
        session.band_values(&[Some((resolved, ValueOptions::default(), vec![0; count]))])
    };
    assert_eq!(values(1000).unwrap(), vec![Some(0.0); 1000]);
    let error = values(1001).unwrap_err().to_string();
    assert!(error.contains("the 1001 reads of a call take 512512 bytes, where memory_limit allows 512000"), "{error}");
}

#[test]
fn the_number_of_pieces_of_a_window_is_limited() {
    let (scratch, session) = (Scratch::new("pieces"), session(&[("RASTERET_MAX_TILE_BYTES", "9000000000000000000")]));
    let path = scratch.file("thin.tif", &strip(1, 1 << 30, 0, 0));
    let resolved = resolved(&session, &path, None).unwrap();
    let error = session.plan_windows(&[Some((resolved, WindowOptions::default()))]).unwrap_err();
    assert!(error.to_string().contains("row segments"), "{error}");
}

#[test]
fn the_search_for_a_valid_pixel_ends() {
    let (scratch, session) = (Scratch::new("search"), session(&[]));
    let path = scratch.file("a.tif", &sparse(1 << 14, 1 << 14, (512, 512)));
    assert_eq!(soon(|| value(&session, &path, "POINT(9000 9000)", 4096)).unwrap(), Some(0.0));
    let error = value(&session, &path, "POINT(9000 9000)", 4097).unwrap_err();
    assert!(error.to_string().contains("max_distance_pixels: expected at most 4096"), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_neither_opened_nor_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let (scratch, session) = (Scratch::new("pipes"), session(&[]));
    let pipe = scratch.path("pipe.tif");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = scratch.path("link.tif");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for path in [pipe.to_str().unwrap(), link.to_str().unwrap(), "/dev/zero", "/dev/null"] {
        let error = soon(|| session.headers(&[path]).remove(0)).unwrap_err().to_string();
        assert!(error.contains("expected a regular file"), "{path}: {error}");
    }
    // They are not replaced by a written file either.
    for path in [pipe.to_str().unwrap(), link.to_str().unwrap()] {
        let error =
            session.write_cog(path, CogOptions::default(), CogDescription::default(), None).unwrap_err().to_string();
        assert!(error.contains("expected a regular file"), "{path}: {error}");
    }
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn many_windows_are_merged_in_time() {
    let (scratch, session) = (Scratch::new("many"), session(&[]));
    let path = scratch.path("a.tif").to_str().unwrap().to_owned();
    let write = |rows: &[i64]| {
        let mut writer = session.write_cog(&path, CogOptions::default(), CogDescription::default(), None).unwrap();
        for &row in rows {
            let window = PixelWindow {
                width: 1,
                height: 1,
                col_off: 0,
                row_off: row,
                bands: 1,
                dtype: DataType::Uint8,
                transform: None,
                crs: None,
                nodata: None,
                data: &[7],
                mask: &[255],
            };
            writer.push(&window).unwrap();
        }
        let start = Instant::now();
        writer.finish().unwrap();
        // Comparing all pairs would take more than half a minute.
        assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
        let header = session.headers(&[&path]).remove(0).unwrap().header;
        (header.image.image_height, header.masks.is_empty())
    };
    assert_eq!(write(&(0..40_000).collect::<Vec<_>>()), (40_000, true));
    assert_eq!(write(&[2, 0, 1, 1]), (3, true));
    assert_eq!(write(&[0, 2]), (3, false));
}

/// A server that accepts connections and never responds.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.tif", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            open.push(stream);
        }
    });
    url
}

#[test]
fn an_interrupted_query_does_not_wait() {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    let session = session(&[]).interruptible(Some(Arc::new(move || flag.load(Ordering::Relaxed))));
    let url = silent();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        interrupted.store(true, Ordering::Relaxed);
    });
    let start = Instant::now();
    let many: Vec<String> = (0..1000).map(|file| format!("{url}?{file}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answers = session.headers(&many);
    assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Interrupted))));
    assert!((300..1300).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}
