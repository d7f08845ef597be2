//! Tiles in flight: memory limit, shared fetches, cancelled fetches.

use crate::support::raster::Raster;
use crate::support::server::Reply;
use crate::support::server::Server;
use crate::support::session;
use crate::{FAR, NEAR, all, assert_idle, read, store, until};
use rasteret_io::Keep;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

#[test]
fn bytes_in_flight_are_bounded() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 3 };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "40000")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    // A single thread that does not take blocks: decoded tiles are charged as well.
    let stream = session.blocks(requests, Keep::Nothing);
    let mut used = 0;
    while let Some((number, block)) = stream.next() {
        raster.assert_block(number as u32, &block.unwrap());
        used += 1;
        let requested = store.log().len();
        assert!((requested - used) * raster.tile_bytes() <= 40_000, "{requested} requested, {used} used");
    }
    assert_eq!((used, store.log().len()), (100, 100));
    assert!(store.peak_bytes() <= 40_000, "{}", store.peak_bytes());
    assert!(store.peak() > 1, "requests overlap");
}

#[test]
fn fetching_starts_before_the_first_block_is_taken() {
    let raster = Raster { side: 64, ..FAR };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "40000")], &[("a.tif", raster)]);
    let stream = session.blocks(raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster)), Keep::Nothing);
    assert_eq!(store.log().len(), 0);
    stream.start();
    // As many as fit into the limit.
    let room = 40_000 / raster.tile_bytes();
    until(|| store.log().len() >= room);
    assert_eq!(store.log().len(), room);
    assert_eq!(std::iter::from_fn(|| stream.next()).filter(|(_, block)| block.is_ok()).count(), 16);
    // Dropping a started stream releases its tiles.
    let given_up = session.blocks(raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster)), Keep::Nothing);
    given_up.start();
    drop((stream, given_up));
    assert_idle(&session);
}

#[test]
fn tiles_are_returned_before_their_request_is_complete() {
    let raster = Raster { side: 64, ..NEAR };
    let go_on = Arc::new(Notify::new());
    let (file, told) = (raster.bytes(), go_on.clone());
    // The last three and a half tiles are delayed.
    let last = 3 * raster.tile_bytes() + raster.tile_bytes() / 2;
    let server = Server::start(move |_, _| Reply::Halting(file.clone(), last, told.clone()));
    let session = session(&[("AWS_ENDPOINT_URL", &server.url(""))]);
    for href in [&server.url("a.tif"), "s3://b/a.tif"] {
        let requested = server.log().len();
        let stream = session.blocks(raster.requests(href, &raster.unversioned(), all(raster)), Keep::Nothing);
        let next = |_| {
            let (number, block) = stream.next().unwrap();
            raster.assert_block(number as u32, &block.unwrap());
            number
        };
        let first: BTreeSet<usize> = (0..12).map(next).collect();
        assert!(first.into_iter().eq(0..12), "{href}");
        go_on.notify_one();
        let rest: BTreeSet<usize> = (12..16).map(next).collect();
        assert!(rest.into_iter().eq(12..16), "{href}");
        assert_eq!(server.log().len() - requested, 1);
    }
    assert_idle(&session);
}

#[test]
fn tiles_of_an_incomplete_response_are_requested_again() {
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
fn a_tile_larger_than_the_budget_is_fetched_alone() {
    let raster = Raster { side: 256, gap: 300 << 10, ..FAR };
    let (session, store) = store(&[("RASTERET_READ_BUDGET_BYTES", "1000")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    read(&session, raster, requests, &all(raster));
    assert_eq!(store.log().len(), 16);
    assert!(store.peak_bytes() <= 2 * raster.tile_bytes() as u64, "{}", store.peak_bytes());
}

#[test]
fn a_stalled_call_does_not_block_others() {
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
fn a_stalled_call_shares_its_tiles() {
    let raster = Raster { side: 64, ..FAR };
    let (session, store) = store(&[("RASTERET_TILE_CACHE_BYTES", "0")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    let paused = session.blocks(requests.clone(), Keep::Nothing);
    paused.next().unwrap().1.unwrap();
    read(&session, raster, requests, &all(raster));
    // The tile of the returned block may have been released.
    assert!((16..=17).contains(&store.log().len()), "{}", store.log().len());
    assert_eq!(std::iter::from_fn(|| paused.next()).count(), 15);
}

#[test]
fn tiles_of_cancelled_calls_are_not_fetched() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 0 };
    let (file, is_open) = (raster.bytes(), Arc::new(AtomicBool::new(false)));
    let opened = is_open.clone();
    // All responses except the first one are delayed.
    let server = Server::start(move |_, before| match before == 0 || opened.load(Ordering::SeqCst) {
        true => Reply::File(file.clone()),
        false => Reply::Late(Duration::from_secs(60), Box::new(Reply::File(file.clone()))),
    });
    let session = session(&[("RASTERET_MAX_CONCURRENT", "2"), ("RASTERET_READ_BUDGET_BYTES", "10000000")]);
    let requests = raster.requests(&server.url("a.tif"), &raster.unversioned(), all(raster));
    let stream = session.blocks(requests.clone(), Keep::Nothing);
    stream.next().unwrap().1.unwrap();
    until(|| server.log().len() == 3);
    drop(stream);
    assert_idle(&session);
    assert_eq!(server.log().len(), 3);
    // A later call fetches them again.
    is_open.store(true, Ordering::SeqCst);
    read(&session, raster, requests, &all(raster));
    assert_eq!(server.log().len(), 3 + 100);
}

#[test]
fn a_call_continues_fetches_of_a_cancelled_call() {
    let raster = Raster { across: 10, down: 10, side: 64, gap: 300 << 10, seed: 0 };
    let (session, _) = store(&[("RASTERET_MAX_CONCURRENT", "2")], &[("a.tif", raster)]);
    let requests = raster.requests("s3://b/a.tif", &raster.unversioned(), all(raster));
    let (first, second) = (session.blocks(requests.clone(), Keep::Nothing), session.blocks(requests, Keep::Nothing));
    first.next().unwrap().1.unwrap();
    second.next().unwrap().1.unwrap();
    drop(first);
    assert_eq!(std::iter::from_fn(|| second.next()).filter(|(_, block)| block.is_ok()).count(), 99);
}
