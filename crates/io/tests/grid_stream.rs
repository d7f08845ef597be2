//! Pixels of several rasters on one grid: requests made in advance of the current tile.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rasteret_cog::pixel::{MaskRule, ValueRows};
use rasteret_cog::{Run, Window};
use rasteret_io::query::{
    BesidePixels, BesideTarget, GridStream, GridTile, LevelChoice, MaskSource, ReadRequest, Target,
};
use rasteret_io::{Location, OnError, RasterFile, Session};
use support::raster::Raster;
use support::server::{Reply, Server};
use support::session;
use tokio::sync::Notify;

/// Gaps between tiles exceed the limit for coalescing, so that each tile is one request.
const RASTER: Raster = Raster { across: 4, down: 4, side: 16, gap: 300 << 10, seed: 0 };

fn file(href: &str) -> Arc<RasterFile> {
    Arc::new(RasterFile::new(Location::parse(href).unwrap(), &RASTER.indexed()))
}

/// A raster at a URL, masked by another.
fn target(session: &Session, href: &str, mask: Option<(&str, MaskRule)>) -> Arc<Target> {
    let mask = mask.map(|(href, rule)| Arc::new(MaskSource { file: file(href), band_index: None, rule }));
    let request = ReadRequest {
        file: file(href),
        level: LevelChoice::Index(0),
        band_index: None,
        masked: true,
        mask,
        weights: None,
        geometry: None,
        geometry_crs: None,
        type_crs: None,
        on_error: OnError::Fail,
    };
    let resolved = session.prepare(vec![Some(request)]).unwrap().pop().unwrap().unwrap();
    Arc::clone(&resolved.target)
}

/// All tiles of the rasters, on the grid of the first one.
fn stream(session: &Session, targets: &[Arc<Target>]) -> GridStream {
    let first = &targets[0];
    let beside =
        |target: &Arc<Target>| Arc::new(BesideTarget::new(session, first, Arc::clone(target)).unwrap().unwrap());
    let tiles: Vec<_> = (0..RASTER.tiles()).map(|tile| (tile / RASTER.across, tile % RASTER.across)).collect();
    GridStream::new(session, first.band.tiling(), targets.iter().map(beside).collect(), tiles.into())
}

/// A session with groups of `tiles` tiles of RASTER.
fn session_of_groups(tiles: u64) -> Session {
    let probe = target(&session(&[]), "/nowhere.tif", None);
    session(&[("RASTERET_READ_BUDGET_BYTES", &(4 * tiles * probe.band.tile_bytes()).to_string())])
}

fn number(window: Window) -> u32 {
    window.row_off / RASTER.side * RASTER.across + window.col_off / RASTER.side
}

/// Requests per path.
fn requests(server: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    server.log().into_iter().for_each(|request| *counts.entry(request.target).or_default() += 1);
    counts
}

/// Waits for the expected requests, and then as long again for unexpected ones.
fn assert_requests(server: &Server, expected: &[(&str, usize)]) {
    let expected: BTreeMap<String, usize> = expected.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect();
    let start = Instant::now();
    while requests(server) != expected {
        assert!(start.elapsed() < Duration::from_secs(10), "expected {expected:?}, found {:?}", requests(server));
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(start.elapsed() + Duration::from_millis(50));
    assert_eq!(requests(server), expected, "unexpected requests");
}

#[test]
fn the_next_group_of_all_rasters_is_prefetched() {
    let go_on = Arc::new(Notify::new());
    let (bytes, told) = (RASTER.bytes(), go_on.clone());
    // The first tile of the last raster is delayed.
    let server = Server::start(move |request, _| {
        let is_held = request.target == "/c.tif" && request.range == Some(RASTER.range(0));
        if is_held { Reply::Halting(bytes.clone(), 1, told.clone()) } else { Reply::File(bytes.clone()) }
    });
    // A group is two tiles of three rasters.
    let session = session_of_groups(6);
    let targets: Vec<_> =
        ["a", "b", "c"].map(|name| target(&session, &server.url(&format!("{name}.tif")), None)).into();
    let stream = stream(&session, &targets);
    assert_requests(&server, &[]);
    let check = |GridTile { window, pixels }: GridTile| {
        assert_eq!(pixels.len(), 3);
        for pixels in pixels {
            match pixels {
                BesidePixels::Block(block) => RASTER.assert_block(number(window), &block),
                other => panic!("{other:?}"),
            }
        }
        number(window)
    };
    assert_eq!(check(stream.next().unwrap().unwrap()), 1);
    thread::scope(|scope| {
        let rest = scope.spawn(|| {
            let mut tiles: Vec<u32> = std::iter::from_fn(|| stream.next()).map(|tile| check(tile.unwrap())).collect();
            tiles.sort_unstable();
            tiles
        });
        // For each raster, the two tiles of the first group and the two of the next group.
        assert_requests(&server, &[("/a.tif", 4), ("/b.tif", 4), ("/c.tif", 4)]);
        go_on.notify_one();
        assert_eq!(rest.join().unwrap(), std::iter::once(0).chain(2..16).collect::<Vec<_>>());
    });
    assert_requests(&server, &[("/a.tif", 16), ("/b.tif", 16), ("/c.tif", 16)]);
}

#[test]
fn masks_are_fetched_with_their_group() {
    let go_on = Arc::new(Notify::new());
    let (bytes, told) = (RASTER.bytes(), go_on.clone());
    // The first tile of the data is delayed, so that the request for the mask cannot depend on it.
    let server = Server::start(move |request, _| {
        let is_held = request.target == "/a.tif" && request.range == Some(RASTER.range(0));
        if is_held { Reply::Halting(bytes.clone(), 1, told.clone()) } else { Reply::File(bytes.clone()) }
    });
    let session = session_of_groups(1);
    let mask = server.url("mask.tif");
    let targets = [target(&session, &server.url("a.tif"), Some((mask.as_str(), MaskRule::Keep(vec![7]))))];
    let stream = stream(&session, &targets);
    thread::scope(|scope| {
        let rest = scope.spawn(|| std::iter::from_fn(|| stream.next()).map(Result::unwrap).collect::<Vec<_>>());
        assert_requests(&server, &[("/a.tif", 2), ("/mask.tif", 2)]);
        go_on.notify_one();
        let tiles = rest.join().unwrap();
        assert_eq!(tiles.len(), 16);
        for GridTile { window, pixels } in tiles {
            for row in window.row_off..window.row_end() {
                let mut rows = ValueRows::default();
                rows.start(RASTER.side as usize, 1);
                let run = Run { row, start: window.col_off, end: window.col_end(), weight: 1.0 };
                pixels[0].fill(0, &run, (1.0, 0.0), &mut rows);
                let valid = rows.values().iter().enumerate().filter(|(at, _)| !rows.invalid().contains(at));
                let sevens = rows.values().iter().filter(|value| **value == 7.0).count();
                assert_eq!(
                    valid.map(|(_, value)| *value).collect::<Vec<_>>(),
                    vec![7.0; sevens],
                    "the raster masked by itself"
                );
            }
        }
    });
    assert_requests(&server, &[("/a.tif", 16), ("/mask.tif", 16)]);
}

#[test]
fn a_single_raster_is_prefetched_within_the_memory_limit() {
    let bytes = RASTER.bytes();
    let server = Server::start(move |_, _| Reply::File(bytes.clone()));
    let session = session(&[]);
    let stream = stream(&session, &[target(&session, &server.url("a.tif"), None)]);
    assert!(stream.next().unwrap().is_ok());
    assert_requests(&server, &[("/a.tif", 16)]);
    assert_eq!(std::iter::from_fn(|| stream.next()).filter(|tile| tile.is_ok()).count(), 15);
}

#[test]
fn a_file_that_fails_is_an_error_of_its_tile() {
    let bytes = RASTER.bytes();
    let server = Server::start(move |request, _| {
        let is_lost = request.target == "/b.tif" && request.range == Some(RASTER.range(5));
        if is_lost { Reply::Status(404, String::new(), String::new()) } else { Reply::File(bytes.clone()) }
    });
    let session = session(&[]);
    let targets = ["a", "b"].map(|name| target(&session, &server.url(&format!("{name}.tif")), None));
    let tiles: Vec<_> = std::iter::from_fn({
        let stream = stream(&session, &targets);
        move || stream.next()
    })
    .collect();
    let errors: Vec<_> = tiles.iter().filter_map(|tile| tile.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!((tiles.len(), errors.len()), (16, 1), "{errors:?}");
    assert!(errors[0].contains("b.tif") && errors[0].contains("404"), "{errors:?}");
}
