//! Uses the caches of headers and tiles from many threads, with little memory, failures and cancelled calls: results must be correct, caches
//! must not exceed their limits, and completed calls must not leave anything in memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rasteret_io::{Keep, Session, Usage};
use support::raster::Raster;
use support::server::{Reply, Server};
use support::session;
use support::tiff::Tiff;

const THREADS: usize = 12;
const ROUNDS: usize = 16;

/// Sizes of the caches, sufficient for a few files.
const HEADER_BYTES: u64 = 30_000;
const TILE_BYTES: u64 = 20_000;

/// Returns a number that depends on thread and round, but not on the run.
fn pick(thread: usize, round: usize, number: usize) -> usize {
    (thread * 7919 + round * 104_729 + number * number * 31 + number * 7) % 97
}

/// Samples a number while `run` is running, and returns its maximum.
fn peak(session: &Session, number: fn(Usage) -> u64, run: impl FnOnce()) -> u64 {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peak = 0;
            while !over.load(Ordering::SeqCst) {
                peak = peak.max(number(session.usage()));
                thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        run();
        over.store(true, Ordering::SeqCst);
        watching.join().unwrap()
    })
}

fn until(what: impl Fn() -> bool, session: &Session) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", session.usage());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn headers() {
    // File n has n tiles. Every tenth file is missing, every eleventh is not a TIFF, and every seventh is slow.
    let server = Server::start(|request, before| {
        let tiles: u32 = request.target.trim_start_matches('/').parse().unwrap();
        let reply = match tiles {
            tiles if tiles.is_multiple_of(10) => return Reply::Status(404, String::new(), String::new()),
            tiles if tiles.is_multiple_of(11) => Reply::File(b"no TIFF".repeat(10)),
            tiles => Reply::File(Tiff { across: tiles, down: 1, ..Tiff::default() }.bytes()),
        };
        let wait = if tiles.is_multiple_of(7) { 15 } else { before as u64 % 3 };
        Reply::Late(Duration::from_millis(wait), Box::new(reply))
    });
    let session = session(&[("RASTERET_HEADER_CACHE_BYTES", &HEADER_BYTES.to_string())]);
    let given_up = AtomicUsize::new(0);
    let one_thread = |thread: usize| {
        for round in 0..ROUNDS {
            let files: Vec<usize> = (0..20).map(|number| pick(thread, round, number) + 1).collect();
            let urls: Vec<String> = files.iter().map(|file| server.url(&file.to_string())).collect();
            let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
            if round % 4 == 3 {
                // Cancelled while other calls may wait for the same header.
                let all = futures::future::join_all(urls.iter().map(|url| session.header(url)));
                let limit = Duration::from_micros(500 * (round as u64 + 1));
                let ended = session.block_on(async { tokio::time::timeout(limit, all).await }).unwrap();
                given_up.fetch_add(usize::from(ended.is_err()), Ordering::Relaxed);
                continue;
            }
            for (file, answer) in files.iter().zip(session.headers(&urls)) {
                match (answer, file % 10 == 0 || file % 11 == 0) {
                    (Ok(answer), false) => assert_eq!(answer.header.image.tile_offsets.len(), *file),
                    (Err(error), true) => {
                        assert!(error.to_string().starts_with(&server.url(&format!("{file}: "))), "{error}")
                    }
                    (answer, _) => panic!("file {file}: {answer:?}"),
                }
            }
        }
    };
    let peak = peak(
        &session,
        |usage| usage.header_cache_bytes,
        || {
            thread::scope(|scope| (0..THREADS).for_each(|thread| drop(scope.spawn(move || one_thread(thread)))));
        },
    );
    assert!(peak > HEADER_BYTES / 2 && peak <= HEADER_BYTES, "{peak} bytes");
    assert!(given_up.into_inner() > 10, "cancelled calls");
    until(|| session.usage().headers_in_flight == 0, &session);
    // Files are evicted and read again, but not for every call; without eviction there would be 97 reads.
    assert!((98..THREADS * ROUNDS * 20).contains(&server.log().len()), "{}", server.log().len());
}

#[test]
fn tiles() {
    let rasters: Vec<Raster> =
        (0..5).map(|file| Raster { seed: 31 * file, gap: 2_000 * usize::from(file), ..Raster::default() }).collect();
    let files: Vec<Vec<u8>> = rasters.iter().map(|raster| raster.bytes()).collect();
    // A file that fails sometimes returns an error or the correct result.
    let server = Server::start(move |request, before| {
        let file: usize = request.target.trim_start_matches('/').parse().unwrap();
        let reply = match (file, before % 5) {
            (4, 0) => Reply::Status(404, String::new(), String::new()),
            _ => Reply::File(files[file].clone()),
        };
        Reply::Late(Duration::from_millis(before as u64 % 4), Box::new(reply))
    });
    let session = session(&[
        ("RASTERET_TILE_CACHE_BYTES", &TILE_BYTES.to_string()),
        ("RASTERET_READ_BUDGET_BYTES", "6000"),
        ("RASTERET_THREADS", "4"),
    ]);
    let (right, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one_thread = |thread: usize| {
        for round in 0..ROUNDS {
            let picks: Vec<(usize, u32)> =
                (0..24).map(|number| pick(thread, round, number)).map(|pick| (pick % 5, pick as u32 % 16)).collect();
            let requests = picks.iter().flat_map(|(file, tile)| {
                let raster = rasters[*file];
                raster.requests(&server.url(&file.to_string()), &raster.indexed(), [*tile])
            });
            let left = Mutex::new(if round % 4 == 3 { 5 } else { usize::MAX });
            let work = |request: usize, block: rasteret_io::Result<_>| {
                let (file, tile) = picks[request];
                match block {
                    Ok(block) => {
                        rasters[file].assert_block(tile, &block);
                        right.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        assert!(file == 4 && error.to_string().contains("HTTP 404"), "file {file}: {error}");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Some calls end early.
                let mut left = left.lock().unwrap();
                *left = left.saturating_sub(1);
                if *left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let keep = if round % 3 == 0 { Keep::Nothing } else { Keep::Tiles };
            session.blocks(requests.collect(), keep).for_each(work).unwrap();
        }
    };
    let peak = peak(
        &session,
        |usage| usage.tile_cache_bytes,
        || {
            thread::scope(|scope| (0..THREADS).for_each(|thread| drop(scope.spawn(move || one_thread(thread)))));
        },
    );
    assert!(peak > TILE_BYTES / 2 && peak <= TILE_BYTES, "{peak} bytes");
    assert!(right.into_inner() > THREADS * ROUNDS * 10 && failed.into_inner() > 0, "both happen");
    until(|| session.usage().tiles_in_flight == 0 && session.usage().tile_bytes_in_flight == 0, &session);
}
