//! Requests of reads, and cached tiles.

use crate::support::server::Reply;
use crate::support::server::Server;
use crate::support::session;
use crate::{FAR, NEAR, all, for_all, read};
use rasteret_io::Keep;
use rasteret_io::Session;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

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
    // Each row has its own reference to the file.
    let requests: Vec<_> = tiles.iter().flat_map(|tile| FAR.requests(&url, &file, [*tile])).collect();
    read(&session(&[]), FAR, requests, &tiles);
    let mut ranges = server.ranges();
    ranges.sort_by_key(|range| range.start);
    assert_eq!(ranges, all(FAR).into_iter().map(|tile| FAR.range(tile)).collect::<Vec<_>>());
}

#[test]
fn adjacent_tiles_are_one_request() {
    let server = Server::of_file(NEAR.bytes());
    let requests = NEAR.requests(&server.url("a.tif"), &NEAR.indexed(), [9, 2, 3, 8]);
    read(&session(&[]), NEAR, requests, &[9, 2, 3, 8]);
    assert_eq!(server.ranges(), vec![NEAR.range(2).start..NEAR.range(9).end; 1]);
}

#[test]
fn a_cached_tile_needs_no_request() {
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
fn a_scan_uses_cached_tiles_but_caches_none() {
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
fn without_a_version_tiles_are_cached_as_long_as_their_file() {
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
