//! Blocks of pixels: which requests they cost, that a changed file is an error, and that no call waits for another.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStoreExt, PutPayload};
use rasteret_cog::pixel::Block;
use rasteret_io::{BlockRequest, Error, Keep, ObjectVersion, Options, Session};
use support::raster::Raster;
use support::server::{Reply, Server};
use support::store::Counting;
use support::{Scratch, session};
use tokio::sync::Notify;

/// Further apart than what is read along.
const FAR: Raster = Raster { across: 4, down: 4, side: 16, gap: 300 << 10, seed: 0 };
const NEAR: Raster = Raster { gap: 0, ..FAR };

/// Does work with every block.
fn for_all(
    session: &Session,
    requests: Vec<BlockRequest>,
    keep: Keep,
    work: impl Fn(usize, rasteret_io::Result<Block>) + Sync,
) -> rasteret_io::Result<()> {
    session.blocks(requests, keep).for_each(|request, block| {
        work(request, block);
        ControlFlow::Continue(())
    })
}

/// Reads blocks and compares their pixels; `tiles` are those that were asked for.
fn read(session: &Session, raster: Raster, requests: Vec<BlockRequest>, tiles: &[u32]) {
    let answers: Vec<AtomicUsize> = tiles.iter().map(|_| AtomicUsize::new(0)).collect();
    let work = |request: usize, block: rasteret_io::Result<_>| {
        raster.assert_block(tiles[request], &block.unwrap());
        answers[request].fetch_add(1, Ordering::Relaxed);
    };
    for_all(session, requests, Keep::Tiles, work).unwrap();
    assert!(answers.iter().all(|answers| answers.load(Ordering::Relaxed) == 1), "each block once");
}

/// Whether nothing is left of calls that are over; fetches that were given up may take a moment to notice.
fn assert_idle(session: &Session) {
    let is_idle = || format!("{session:?}").contains("Tiles { under_way: 0, bytes_charged: 0, ");
    let start = Instant::now();
    while !is_idle() {
        assert!(start.elapsed() < Duration::from_secs(5), "{session:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn all(raster: Raster) -> Vec<u32> {
    (0..raster.tiles()).collect()
}

#[test]
fn with_metadata_a_read_makes_pixel_requests_only() {
    let server = Server::of_file(FAR.bytes());
    let requests = FAR.requests(&server.url("a.tif"), &FAR.indexed(), [5]);
    read(&session(&[]), FAR, requests, &[5]);
    assert_eq!(server.ranges(), [FAR.range(5)]);
    assert_eq!(server.log().len(), 1);
}

#[test]
fn rows_that_share_tiles_share_requests() {
    let server = Server::of_file(FAR.bytes());
    let tiles: Vec<u32> = (0..2048).map(|row| row * 7 % 16).collect();
    let (url, file) = (server.url("a.tif"), FAR.indexed());
    // Each row names the file for itself, as rows do.
    let requests: Vec<_> = tiles.iter().flat_map(|tile| FAR.requests(&url, &file, [*tile])).collect();
    read(&session(&[]), FAR, requests, &tiles);
    let mut ranges = server.ranges();
    ranges.sort_by_key(|range| range.start);
    assert_eq!(ranges, all(FAR).into_iter().map(|tile| FAR.range(tile)).collect::<Vec<_>>());
}

#[test]
fn neighbours_are_one_request() {
    let server = Server::of_file(NEAR.bytes());
    let requests = NEAR.requests(&server.url("a.tif"), &NEAR.indexed(), [9, 2, 3, 8]);
    read(&session(&[]), NEAR, requests, &[9, 2, 3, 8]);
    assert_eq!(server.ranges(), vec![NEAR.range(2).start..NEAR.range(9).end; 1]);
}

#[test]
fn a_tile_that_is_kept_costs_no_request() {
    let server = Server::of_file(FAR.bytes());
    let url = server.url("a.tif");
    let requests = |session: &Session, tiles: &[u32]| {
        read(session, FAR, FAR.requests(&url, &FAR.indexed(), tiles.iter().copied()), tiles);
        server.log().len()
    };
    let keeping = session(&[]);
    assert_eq!(requests(&keeping, &[1, 2]), 2);
    assert_eq!(requests(&keeping, &[2, 1, 2]), 2);
    assert_eq!(requests(&keeping, &[2, 3]), 3);
    let nothing = session(&[("RASTERET_TILE_CACHE_BYTES", "0")]);
    assert_eq!(requests(&nothing, &[1, 1, 1]), 4);
    assert_eq!(requests(&nothing, &[1]), 5);
}

#[test]
fn a_scan_keeps_nothing_and_uses_what_is_kept() {
    let server = Server::of_file(FAR.bytes());
    let (session, url) = (session(&[]), server.url("a.tif"));
    let scan = |tiles: [u32; 2]| {
        let requests = FAR.requests(&url, &FAR.indexed(), tiles);
        for_all(&session, requests, Keep::Nothing, |_, block| drop(block.unwrap())).unwrap();
        server.log().len()
    };
    assert_eq!(scan([1, 2]), 2);
    assert_eq!(scan([1, 2]), 4);
    read(&session, FAR, FAR.requests(&url, &FAR.indexed(), [1]), &[1]);
    assert_eq!(scan([1, 2]), 6);
}

#[test]
fn without_a_version_tiles_are_kept_no_longer_than_their_file() {
    let server = Server::of_file(FAR.bytes());
    let (session, url) = (session(&[]), server.url("a.tif"));
    let requests = FAR.requests(&url, &FAR.unversioned(), [1]);
    read(&session, FAR, requests.clone(), &[1]);
    read(&session, FAR, requests, &[1]);
    assert_eq!(server.log().len(), 1);
    read(&session, FAR, FAR.requests(&url, &FAR.unversioned(), [1]), &[1]);
    assert_eq!(server.log().len(), 2);
}

#[test]
fn threads_that_need_one_tile_fetch_it_once() {
    let bytes = FAR.bytes();
    let server =
        Server::start(move |_, _| Reply::Late(Duration::from_millis(100), Box::new(Reply::File(bytes.clone()))));
    let (session, url) = (session(&[("RASTERET_TILE_CACHE_BYTES", "0")]), server.url("a.tif"));
    let file = FAR.indexed();
    let calls: Vec<_> = (0..8).map(|_| FAR.requests(&url, &file, [4, 7])).collect();
    let all_started = Barrier::new(calls.len());
    thread::scope(|scope| {
        for requests in calls {
            scope.spawn(|| {
                all_started.wait();
                read(&session, FAR, requests, &[4, 7]);
            });
        }
    });
    assert_eq!(server.log().len(), 2);
}

/// A store that counts, with files of this raster, each get of which takes a while.
fn store(variables: &[(&str, &str)], files: &[(&str, Raster)]) -> (Session, Arc<Counting<ThrottledStore<InMemory>>>) {
    let wait = ThrottleConfig { wait_get_per_call: Duration::from_millis(5), ..Default::default() };
    let (session, store) = (session(variables), Counting::new(ThrottledStore::new(InMemory::new(), wait)));
    for (name, raster) in files {
        let path = Path::from(*name);
        session.block_on(store.put(&path, PutPayload::from(raster.bytes()))).unwrap().unwrap();
    }
    session.serve_bucket("b", store.clone());
    (session, store)
}

#[test]
fn bytes_under_way_are_bounded() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 3 };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "40000")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    // One thread that uses nothing: what is decoded is charged as well.
    let stream = session.blocks(requests, Keep::Nothing);
    let mut used = 0;
    while let Some((request, block)) = stream.next() {
        raster.assert_block(request as u32, &block.unwrap());
        used += 1;
        let asked = store.log().len();
        assert!((asked - used) * raster.tile_bytes() <= 40_000, "{asked} asked for, {used} used");
    }
    assert_eq!((used, store.log().len()), (100, 100));
    assert!(store.peak_bytes() <= 40_000, "{}", store.peak_bytes());
    assert!(store.peak() > 1, "requests overlap");
}

#[test]
fn bytes_are_under_way_before_the_first_block_is_taken() {
    let raster = Raster { side: 64, ..FAR };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "40000")], &[("a.tif", raster)]);
    let stream = session.blocks(raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster)), Keep::Nothing);
    assert_eq!(store.log().len(), 0);
    stream.start();
    let start = Instant::now();
    // As many as there is room for, and no more.
    let room = 40_000 / raster.tile_bytes();
    while store.log().len() < room {
        assert!(start.elapsed() < Duration::from_secs(5), "{} of {room}", store.log().len());
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(store.log().len(), room);
    assert_eq!(std::iter::from_fn(|| stream.next()).filter(|(_, block)| block.is_ok()).count(), 16);
    // What was started and is given up is let go.
    let given_up = session.blocks(raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster)), Keep::Nothing);
    given_up.start();
    drop((stream, given_up));
    assert_idle(&session);
}

#[test]
fn tiles_are_there_before_the_rest_of_their_request() {
    let raster = Raster { side: 64, ..NEAR };
    let go_on = Arc::new(Notify::new());
    let (file, told) = (raster.bytes(), go_on.clone());
    // Three tiles and a half are held back.
    let last = 3 * raster.tile_bytes() + raster.tile_bytes() / 2;
    let server = Server::start(move |_, _| Reply::Halting(file.clone(), last, told.clone()));
    let session = session(&[("AWS_ENDPOINT_URL", &server.url(""))]);
    for href in [&server.url("a.tif"), "s3://b/a.tif"] {
        let asked = server.log().len();
        let stream = session.blocks(raster.requests(href, &raster.unversioned(), all(raster)), Keep::Nothing);
        let next = |_| {
            let (request, block) = stream.next().unwrap();
            raster.assert_block(request as u32, &block.unwrap());
            request
        };
        let first: BTreeSet<usize> = (0..12).map(next).collect();
        assert!(first.into_iter().eq(0..12), "{href}");
        go_on.notify_one();
        let rest: BTreeSet<usize> = (12..16).map(next).collect();
        assert!(rest.into_iter().eq(12..16), "{href}");
        assert_eq!(server.log().len() - asked, 1);
    }
    assert_idle(&session);
}

#[test]
fn tiles_of_an_answer_that_was_cut_off_are_asked_for_again() {
    let raster = Raster { side: 64, ..NEAR };
    let file = raster.bytes();
    let server = Server::start(move |_, before| match before {
        0 => Reply::Cut(file.clone()),
        _ => Reply::File(file.clone()),
    });
    let session = session(&[]);
    read(&session, raster, raster.requests(&server.url("a.tif"), &raster.unversioned(), all(raster)), &all(raster));
    assert_eq!(server.log().len(), 2);
    assert_idle(&session);
}

#[test]
fn a_tile_larger_than_the_budget_passes_alone() {
    let raster = Raster { side: 256, gap: 300 << 10, ..FAR };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "1000")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    read(&session, raster, requests, &all(raster));
    assert_eq!(store.log().len(), 16);
    assert!(store.peak_bytes() <= 2 * raster.tile_bytes() as u64, "{}", store.peak_bytes());
}

#[test]
fn a_call_that_stands_still_holds_up_no_other() {
    let raster = Raster { side: 64, ..FAR };
    let (session, _) = store(&[("RASTERET_READ_BUDGET_BYTES", "20000")], &[("a.tif", raster), ("b.tif", raster)]);
    let file = raster.unversioned();
    let paused = session.blocks(raster.requests("s3://b/a.tif", &file, all(raster)), Keep::Nothing);
    paused.next().unwrap().1.unwrap();
    read(&session, raster, raster.requests("s3://b/b.tif", &file, all(raster)), &all(raster));
    let mut rest = 0;
    while let Some((_, block)) = paused.next() {
        block.unwrap();
        rest += 1;
    }
    assert_eq!(rest, 15);
}

#[test]
fn a_call_that_stands_still_shares_its_tiles() {
    let raster = Raster { side: 64, ..FAR };
    let (session, store) = store(&[("RASTERET_TILE_CACHE_BYTES", "0")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    let paused = session.blocks(requests.clone(), Keep::Nothing);
    paused.next().unwrap().1.unwrap();
    read(&session, raster, requests, &all(raster));
    // The tile of the block that was given out may be gone by then.
    assert!(store.log().len() <= 17, "{}", store.log().len());
    assert_eq!(std::iter::from_fn(|| paused.next()).count(), 15);
}

#[test]
fn what_nobody_waits_for_any_more_is_not_fetched() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 0 };
    let variables = [("RASTERET_MAX_CONCURRENT", "2"), ("RASTERET_READ_BUDGET_BYTES", "10000000")];
    let (session, store) = store(&variables, &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    let stream = session.blocks(requests.clone(), Keep::Nothing);
    stream.next().unwrap().1.unwrap();
    drop(stream);
    thread::sleep(Duration::from_millis(100));
    let asked = store.log().len();
    assert!(asked < 50, "{asked}");
    assert_idle(&session);
    // What was given up is fetched anew by who needs it.
    read(&session, raster, requests, &all(raster));
}

#[test]
fn a_call_takes_over_what_another_gives_up() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 0 };
    let (session, _) = store(&[("RASTERET_MAX_CONCURRENT", "2")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    let (first, second) = (session.blocks(requests.clone(), Keep::Nothing), session.blocks(requests, Keep::Nothing));
    first.next().unwrap().1.unwrap();
    second.next().unwrap().1.unwrap();
    drop(first);
    assert_eq!(std::iter::from_fn(|| second.next()).filter(|(_, block)| block.is_ok()).count(), 99);
}

/// The error of a read of one tile with this index entry.
fn error_of(server: &Server, raster: Raster, file: &rasteret_io::CogFile) -> Error {
    let requests = raster.requests(&server.url("dir/a.tif?token=SECRET"), file, [3]);
    let (_, block) = session(&[]).blocks(requests, Keep::Tiles).next().unwrap();
    let error = block.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    error
}

#[test]
fn a_file_that_changed_since_it_was_indexed_is_an_error() {
    let server = Server::of_file(FAR.bytes());
    let words = |file: &rasteret_io::CogFile| {
        let error = error_of(&server, FAR, file);
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
        let text = error.to_string();
        let start =
            format!("http://127.0.0.1:{}/dir/a.tif: the file changed since it was indexed: expected ", server.port);
        text.strip_prefix(&start).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let size = FAR.bytes().len() as u64;
    let indexed = FAR.indexed();
    let with = |change: &dyn Fn(&mut ObjectVersion)| {
        let mut other = indexed.clone();
        change(&mut other.version);
        other
    };
    let other = with(&|version| version.etag = Some("\"v0\"".to_owned()));
    assert_eq!(
        words(&other),
        "etag \"v0\", found \"v1\" (same size and date: if the server's nodes send different tags for one file, set \
         RASTERET_CHECK_VERSION=size)"
    );
    let other = with(&|version| version.size = Some(size - 1));
    assert_eq!(words(&other), format!("{} bytes, found {size}", size - 1));
    let other = with(&|version| (version.etag, version.last_modified) = (None, Some(1_767_225_599_000_000)));
    assert_eq!(words(&other), "last modified 2025-12-31 23:59:59 UTC, found 2026-01-01 00:00:00 UTC");
}

#[test]
fn a_file_that_shrank_is_a_changed_file() {
    let server = Server::of_file(FAR.bytes()[..1000].to_vec());
    let error = error_of(&server, FAR, &FAR.indexed());
    assert!(error.to_string().contains("the file changed since it was indexed: expected "), "{error}");
    let error = error_of(&server, FAR, &FAR.unversioned());
    assert!(error.to_string().ends_with(": beyond the end of the file of 1000 bytes"), "{error}");
}

#[test]
fn a_weak_tag_is_the_same_tag_and_a_missing_one_says_nothing() {
    let server = Server::of_file(FAR.bytes());
    for tag in ["W/\"v1\"", "\"v1-gzip\"", "\"v1\"-gzip", "\"v1--br\""] {
        let mut file = FAR.indexed();
        file.version.etag = Some(tag.to_owned());
        read(&session(&[]), FAR, FAR.requests(&server.url("a.tif"), &file, [3]), &[3]);
    }
    let server = Server::start(|_, _| Reply::Anonymous(FAR.bytes()));
    read(&session(&[]), FAR, FAR.requests(&server.url("a.tif"), &FAR.indexed(), [3]), &[3]);
}

/// The nodes of a server send different tags and dates for one file.
#[test]
fn which_versions_are_compared_is_a_setting() {
    let server = Server::start(|asked, before| {
        let (range, file) = (asked.range.clone().unwrap(), FAR.bytes());
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap().min(file.len()));
        let head = format!(
            "Content-Range: bytes {start}-{}/{}\r\nETag: \"node-{before}\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:0{} GMT\r\n",
            end - 1,
            file.len(),
            before % 10
        );
        Reply::Bytes(206, head, file[start..end].to_vec())
    });
    let requests = |file: &rasteret_io::CogFile| FAR.requests(&server.url("a.tif"), file, [3, 9]);
    let mut file = FAR.indexed();
    let of = |check: &str| session(&[("RASTERET_CHECK_VERSION", check), ("RASTERET_TILE_CACHE_BYTES", "0")]);
    for check in ["size", "none"] {
        read(&of(check), FAR, requests(&file), &[3, 9]);
    }
    let error = of("etag").blocks(requests(&file), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    file.version.size = file.version.size.map(|size| size + 1);
    read(&of("none"), FAR, requests(&file), &[3, 9]);
    let error = of("size").blocks(requests(&file), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains(" bytes, found "), "{error}");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error_without_an_index_too() {
    let server = Server::start(|_, before| match before {
        0 => Reply::File(FAR.bytes()),
        _ => Reply::File([FAR.bytes(), vec![0]].concat()),
    });
    let (session, url) = (session(&[]), server.url("a.tif"));
    let requests = FAR.requests(&url, &FAR.unversioned(), [1, 9]);
    let one = |request: usize| session.blocks(vec![requests[request].clone()], Keep::Tiles).next().unwrap().1;
    one(0).unwrap();
    let error = one(1).unwrap_err().to_string();
    assert!(error.contains(": the file changed while it was read: expected "), "{error}");
}

#[test]
fn an_error_of_one_file_disturbs_no_other() {
    let server = Server::start(|asked, _| match asked.target.as_str() {
        "/gone.tif" => Reply::Status(404, String::new(), String::new()),
        "/changed.tif" => Reply::File([FAR.bytes(), vec![0]].concat()),
        _ => Reply::File(FAR.bytes()),
    });
    let mut options = Options::default();
    (options.read_budget_bytes, options.failure_lifetime) = (1000, Duration::ZERO);
    let session = Session::new(options);
    let names = ["a.tif", "gone.tif", "b.tif", "changed.tif", "c.tif"];
    let read = || {
        let requests: Vec<_> =
            names.iter().flat_map(|name| FAR.requests(&server.url(name), &FAR.indexed(), all(FAR))).collect();
        let answers = std::sync::Mutex::new(vec![None; requests.len()]);
        for_all(&session, requests, Keep::Tiles, |request, block| {
            answers.lock().unwrap()[request] = Some(block.map(|block| FAR.assert_block(request as u32 % 16, &block)));
        })
        .unwrap();
        for (request, answer) in answers.into_inner().unwrap().into_iter().enumerate() {
            let error = answer.unwrap().err().map(|error| error.to_string());
            match names[request / 16] {
                "gone.tif" => assert!(error.unwrap().ends_with("not found (HTTP 404)")),
                "changed.tif" => assert!(error.unwrap().contains("the file changed since it was indexed")),
                _ => assert_eq!(error, None),
            }
        }
    };
    let start = Instant::now();
    read();
    assert_eq!(server.log().len(), 5 * 16);
    // Errors are not kept, and what they had charged is given back: nobody waits for it.
    read();
    assert_eq!(server.log().len(), 7 * 16);
    assert_idle(&session);
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// Those that DuckDB makes by evaluating a failing constant again and again.
#[test]
fn tiles_that_failed_are_not_asked_for_again_for_a_while() {
    let broken = Raster { side: 16, ..NEAR };
    let server = Server::start(move |asked, _| match asked.target.as_str() {
        "/gone.tif" => Reply::Status(404, String::new(), String::new()),
        "/bare.tif" => Reply::Status(503, String::new(), String::new()),
        _ => Reply::File(broken.bytes()),
    });
    let mut options = Options::default();
    (options.max_retries, options.failure_lifetime) = (0, Duration::from_secs(3600));
    let session = Session::new(options);
    // A tile whose bytes cannot be decoded, because the index has one of them too few.
    let mut header = (*broken.header()).clone();
    header.image.tile_byte_counts[1] -= 1;
    let undecodable = rasteret_io::CogFile { header: Arc::new(header), ..broken.indexed() };
    let ask = |name: &str, file: &rasteret_io::CogFile, tile: u32| {
        let before = server.log().len();
        let error = |_| {
            let stream = session.blocks(broken.requests(&server.url(name), file, [tile]), Keep::Tiles);
            stream.next().unwrap().1.err().map(|error| error.to_string())
        };
        let errors: Vec<Option<String>> = (0..4).map(error).collect();
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
        (server.log().len() - before, errors[0].clone().unwrap_or_default())
    };
    for (name, file, words) in [
        ("gone.tif", broken.indexed(), "not found (HTTP 404)"),
        ("bare.tif", broken.unversioned(), "server error (HTTP 503)"),
        ("a.tif", undecodable, "level 0, tile 1: "),
    ] {
        let (requests, error) = ask(name, &file, 1);
        assert!(requests == 1 && error.contains(words), "{name}: {requests} requests, {error}");
    }
    // Another tile and another file are not to blame, and a changed file is a matter of the index.
    assert_eq!(ask("a.tif", &broken.indexed(), 2), (1, String::new()));
    let mut other = broken.indexed();
    other.version.etag = Some("\"v0\"".to_owned());
    let (requests, error) = ask("a.tif", &other, 1);
    assert!(requests == 4 && error.contains("the file changed since it was indexed"), "{requests} requests, {error}");
    assert_idle(&session);
}

/// A call that fails because of one tile fetches the others once, not each time that it is evaluated.
#[test]
fn a_call_with_a_tile_that_failed_fails_before_it_fetches() {
    let server = Server::of_file(FAR.bytes());
    let session = session(&[("RASTERET_TILE_CACHE_BYTES", "0"), ("RASTERET_THREADS", "4")]);
    let mut header = (*FAR.header()).clone();
    header.image.tile_byte_counts[9] -= 1;
    let undecodable = rasteret_io::CogFile { header: Arc::new(header), ..FAR.indexed() };
    let requests = || FAR.requests(&server.url("a.tif"), &undecodable, all(FAR));
    let read = |on_error: ControlFlow<()>| {
        let before = server.log().len();
        let stream = session.blocks(requests(), Keep::Nothing);
        stream.start();
        let (right, errors) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
        let work = |request: usize, block: rasteret_io::Result<Block>| match block {
            Ok(block) => {
                FAR.assert_block(request as u32, &block);
                right.fetch_add(1, Ordering::Relaxed);
                ControlFlow::Continue(())
            }
            Err(error) => {
                errors.lock().unwrap().push((request, error.to_string()));
                on_error
            }
        };
        stream.for_each(work).unwrap();
        (errors.into_inner().unwrap(), right.into_inner(), server.log().len() - before)
    };
    let (errors, _, requests_made) = read(ControlFlow::Break(()));
    assert!(errors.len() == 1 && errors[0].0 == 9 && errors[0].1.contains("level 0, tile 9: "), "{errors:?}");
    assert!(requests_made > 0);
    // Requests that were started before the call failed may still be on their way.
    assert_idle(&session);
    thread::sleep(Duration::from_millis(50));
    for _ in 0..4 {
        assert_eq!(read(ControlFlow::Break(())), (errors.clone(), 0, 0));
    }
    // Where the call goes on, all others are read and that tile is not fetched.
    assert_eq!(read(ControlFlow::Continue(())), (errors, 15, 15));
    assert_idle(&session);
}

#[test]
fn a_panicking_fetch_is_an_error_of_its_tiles() {
    let (session, store) = store(&[], &[("a.tif", FAR), ("bad.tif", FAR)]);
    store.panic_at("bad.tif");
    let file = FAR.unversioned();
    let mut requests = FAR.requests("s3://b/a.tif", &file, [1]);
    requests.extend(FAR.requests("s3://b/bad.tif", &file, [1, 2]));
    let (good, bad) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_all(&session, requests, Keep::Tiles, |_, block| match block {
        Ok(_) => drop(good.fetch_add(1, Ordering::Relaxed)),
        Err(error) => {
            assert_eq!(error.to_string(), "s3://b/bad.tif: internal error: reading tiles panicked");
            bad.fetch_add(1, Ordering::Relaxed);
        }
    })
    .unwrap();
    assert_eq!((good.into_inner(), bad.into_inner()), (1, 2));
    assert_idle(&session);
}

#[test]
fn panicking_work_is_an_error_and_ends_the_call() {
    let (session, _) = store(&[("RASTERET_THREADS", "4")], &[("a.tif", FAR)]);
    let file = FAR.unversioned();
    let requests = || FAR.requests("s3://b/a.tif", &file, all(FAR));
    let panicked = for_all(&session, requests(), Keep::Tiles, |request, _| assert_ne!(request, 7, "as told"));
    assert_eq!(panicked.unwrap_err().to_string(), "internal error: work on pixels panicked");
    let panicked = session.for_each(1000, |item| assert_ne!(item, 500, "as told"));
    assert_eq!(panicked.unwrap_err().to_string(), "internal error: work on pixels panicked");
    read(&session, FAR, requests(), &all(FAR));
}

#[test]
fn a_tile_that_cannot_be_decoded_is_named() {
    // The last bytes of the last tile are missing from the table's count.
    let mut header = (*FAR.header()).clone();
    header.image.tile_byte_counts[5] -= 1;
    let file = rasteret_io::CogFile { header: Arc::new(header), ..FAR.indexed() };
    let server = Server::of_file(FAR.bytes());
    let requests = FAR.requests(&server.url("a.tif"), &file, [5]);
    let error = session(&[]).blocks(requests, Keep::Tiles).next().unwrap().1.unwrap_err();
    let start = format!("http://127.0.0.1:{}/a.tif: level 0, tile 5: ", server.port);
    assert!(matches!(error, Error::Pixels { .. }) && error.to_string().starts_with(&start), "{error}");
}

#[test]
fn metadata_that_decodes_in_another_way_is_another_tile() {
    let server = Server::of_file(FAR.bytes());
    let (session, url) = (session(&[]), server.url("a.tif"));
    read(&session, FAR, FAR.requests(&url, &FAR.indexed(), [5]), &[5]);
    let mut header = (*FAR.header()).clone();
    header.image.encoding.sample_format = vec![rasteret_cog::tiff::SampleFormat::Int];
    let file = rasteret_io::CogFile { header: Arc::new(header), ..FAR.indexed() };
    let block = session.blocks(FAR.requests(&url, &file, [5]), Keep::Tiles).next().unwrap().1.unwrap();
    assert_eq!(block.data_type().name(), "int8");
    assert_eq!(server.log().len(), 2);
}

#[test]
fn helpers_are_bounded_over_all_callers() {
    let session = session(&[("RASTERET_THREADS", "3")]);
    session.set_host_threads(64);
    let peak = |callers: usize| {
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    let work = |_| {
                        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(1));
                        now.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    };
                    session.for_each(50, work).unwrap();
                });
            }
        });
        assert_eq!(done.into_inner(), 50 * callers);
        peak.into_inner()
    };
    assert_eq!(peak(1), 3);
    // Between a caller's coming and the leaving of a helper there may be one too many.
    assert!((3..=4).contains(&peak(3)), "helpers of several callers");
    assert!(peak(6) <= 6, "callers themselves are never held up");
    session.for_each(0, |_| panic!("no items")).unwrap();
    for_all(&session, Vec::new(), Keep::Tiles, |_, _| panic!("no blocks")).unwrap();
}

#[test]
fn local_files() {
    let (scratch, session) = (Scratch::new("tiles-local"), session(&[]));
    let path = scratch.file("a.tif", &FAR.bytes());
    let file = session.headers(&[&path]).remove(0).unwrap();
    let requests = |tiles: &[u32]| FAR.requests(&path, &file, tiles.iter().copied());
    read(&session, FAR, requests(&all(FAR)), &all(FAR));
    // What is kept is not used for a file that changed.
    let changed = Raster { seed: 1, ..FAR };
    scratch.file("a.tif", &[changed.bytes(), vec![0]].concat());
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    let size = FAR.bytes().len();
    assert_eq!(
        error.to_string(),
        format!("{path}: the file changed since it was indexed: expected {size} bytes, found {}", size + 1)
    );
    // Nor where only its date tells.
    scratch.file("a.tif", &changed.bytes());
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains("the file changed since it was indexed: expected last modified "), "{error}");
    let unversioned = changed.requests(&path, &changed.unversioned(), [3]);
    read(&session, changed, unversioned.clone(), &[3]);
    scratch.file("a.tif", &FAR.bytes());
    let error = session.blocks(unversioned, Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().contains("the file changed while it was read: expected last modified "), "{error}");
    let short = scratch.file("short.tif", &FAR.bytes()[..100_000]);
    let error =
        session.blocks(FAR.requests(&short, &FAR.unversioned(), [9]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert!(error.to_string().ends_with(": beyond the end of the file of 100000 bytes"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = session.blocks(requests(&[3]), Keep::Tiles).next().unwrap().1.unwrap_err();
    assert_eq!(error.to_string(), format!("{path}: no such file or directory"));
}

#[test]
fn more_local_files_than_a_process_may_open() {
    let (scratch, session) = (Scratch::new("tiles-many"), session(&[]));
    let small = Raster { across: 2, down: 1, ..NEAR };
    let file = small.unversioned();
    let requests: Vec<_> = (0..2048)
        .flat_map(|index| {
            let raster = Raster { seed: (index % 251) as u8, ..small };
            small.requests(&scratch.file(&format!("{index}.tif"), &raster.bytes()), &file, [0, 1])
        })
        .collect();
    for_all(&session, requests, Keep::Nothing, |request, block| {
        let raster = Raster { seed: (request / 2 % 251) as u8, ..small };
        raster.assert_block(request as u32 % 2, &block.unwrap());
    })
    .unwrap();
}

#[test]
fn many_threads_calls_and_files_in_little_memory() {
    let rasters: Vec<(String, Raster)> = (0..6)
        .map(|file| (format!("{file}.tif"), Raster { gap: file * 1000, seed: file as u8, side: 32, ..FAR }))
        .collect();
    let scratch = Scratch::new("tiles-stress");
    for (budget, cache) in [("1", "0"), ("5000", "3000"), ("100000", "20000"), ("100000000", "100000000")] {
        let named: Vec<_> = rasters.iter().map(|(name, raster)| (name.as_str(), *raster)).collect();
        let variables = [("RASTERET_READ_BUDGET_BYTES", budget), ("RASTERET_TILE_CACHE_BYTES", cache)];
        let (session, _) = store(&variables, &named);
        thread::scope(|scope| {
            for thread in 0..6_u32 {
                let (session, rasters, scratch) = (&session, &rasters, &scratch);
                scope.spawn(move || {
                    for round in 0..3_u32 {
                        let pick = |n: u32| (thread * 7 + round * 13 + n * n * 5) % 96;
                        let picks: Vec<u32> = (0..24).map(pick).collect();
                        let requests = picks.iter().flat_map(|pick| {
                            let (name, raster) = &rasters[(pick / 16) as usize];
                            let href = match (pick / 16) % 2 {
                                0 => format!("s3://b/{name}"),
                                _ => scratch.file(&format!("{thread}-{round}-{name}"), &raster.bytes()),
                            };
                            raster.requests(&href, &raster.unversioned(), [pick % 16])
                        });
                        let keep = if round % 2 == 0 { Keep::Tiles } else { Keep::Nothing };
                        let check = |request: usize, block: rasteret_io::Result<_>| {
                            let pick = picks[request];
                            rasters[(pick / 16) as usize].1.assert_block(pick % 16, &block.unwrap());
                        };
                        for_all(session, requests.collect(), keep, check).unwrap();
                        // Some calls end in the middle.
                        let stream = session
                            .blocks(rasters[0].1.requests("s3://b/0.tif", &rasters[0].1.unversioned(), 0..16), keep);
                        stream.next().unwrap().1.unwrap();
                    }
                });
            }
        });
        assert_idle(&session);
    }
}
