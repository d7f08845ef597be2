//! The exact requests and byte ranges of reads of headers, which are guaranteed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStoreExt, PutPayload};
use rasteret_io::{CoalesceConfig, Options, Session};
use support::server::{Reply, Server};
use support::session;
use support::store::Counting;
use support::tiff::Tiff;

const TILES_16: Tiff = Tiff { across: 4, down: 4, big: false, ifd_at_end: false, overviews: 0, min_size: 100_000 };
const TILES_10000: Tiff = Tiff { across: 100, down: 100, min_size: 1_000_000, ..TILES_16 };

/// Reads one header over HTTP and compares the requested ranges.
fn assert_ranges(tiff: Tiff, expected: &[(u64, u64)]) {
    let bytes = tiff.bytes();
    let size = bytes.len() as u64;
    let server = Server::of_file(bytes);
    let url = server.url("a.tif");
    let file = session(&[]).headers(&[&url]).remove(0).unwrap();
    let requested: Vec<(u64, u64)> = server.ranges().into_iter().map(|range| (range.start, range.end)).collect();
    assert_eq!(requested, expected);
    assert_eq!(server.log().len(), expected.len(), "requests without a range");
    assert_eq!(file.header.image.tile_offsets.len(), (tiff.across * tiff.down) as usize);
    assert_eq!(file.header.overviews.len(), tiff.overviews as usize);
    assert_eq!(file.version.size, Some(size));
    assert_eq!(file.version.etag.as_deref(), Some("\"v1\""));
    assert_eq!(file.version.last_modified, Some(1_767_225_600_000_000));
}

#[test]
fn a_normal_cog_is_one_request_of_32_kib() {
    assert_ranges(TILES_16, &[(0, 32_768)]);
    assert_ranges(Tiff { overviews: 2, ..TILES_16 }, &[(0, 32_768)]);
}

#[test]
fn a_bigtiff_is_one_request() {
    assert_ranges(Tiff { big: true, ..TILES_16 }, &[(0, 32_768)]);
}

#[test]
fn a_small_file_is_one_request_that_ends_beyond_it() {
    assert_ranges(Tiff { min_size: 0, ..TILES_16 }, &[(0, 32_768)]);
}

#[test]
fn tables_beyond_the_first_request_are_one_more() {
    // 10 entries, then 80,000 bytes of tables.
    let tables_end = 8 + 2 + 10 * 12 + 4 + 80_000;
    assert_ranges(TILES_10000, &[(0, 32_768), (32_768, tables_end)]);
}

#[test]
fn overviews_after_large_tables_need_no_further_request() {
    let server = Server::of_file(Tiff { overviews: 3, ..TILES_10000 }.bytes());
    let url = server.url("a.tif");
    session(&[]).headers(&[&url]).remove(0).unwrap();
    assert_eq!(server.ranges().len(), 2, "{:?}", server.ranges());
}

#[test]
fn an_ifd_at_the_end_is_one_more_request() {
    let server = Server::of_file(Tiff { ifd_at_end: true, ..TILES_16 }.bytes());
    let url = server.url("a.tif");
    session(&[]).headers(&[&url]).remove(0).unwrap();
    let ranges = server.ranges();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges[1].end - ranges[1].start <= 32_768, "{ranges:?}");
}

#[test]
fn equal_hrefs_are_one_request() {
    let server = Server::of_file(TILES_16.bytes());
    let url = server.url("a.tif");
    let answers = session(&[]).headers(&vec![url.as_str(); 2048]);
    assert_eq!(answers.len(), 2048);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.log().len(), 1);
}

#[test]
fn one_href_in_three_bands_is_one_request() {
    let server = Server::of_file(TILES_16.bytes());
    let url = server.url("a.tif");
    let session = session(&[]);
    for _band in ["B02", "B03", "B04"] {
        session.headers(&[&url]).remove(0).unwrap();
    }
    assert_eq!(server.log().len(), 1);
}

#[test]
fn threads_share_a_request_in_flight() {
    let bytes = TILES_16.bytes();
    let server =
        Server::start(move |_, _| Reply::Late(Duration::from_millis(100), Box::new(Reply::File(bytes.clone()))));
    let (session, url) = (session(&[]), server.url("a.tif"));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| session.headers(&[&url]).remove(0).unwrap());
        }
    });
    assert_eq!(server.log().len(), 1);
}

/// Only the server can verify a signature, so headers read with another signature are not served from the cache.
#[test]
fn each_signature_is_one_request() {
    let server = Server::of_file(TILES_16.bytes());
    let session = session(&[]);
    let read = |query: &str| {
        session.headers(&[&server.url(&format!("a.tif{query}"))]).remove(0).unwrap();
        server.log().len()
    };
    assert_eq!(read("?X-Amz-Date=1&X-Amz-Signature=abc"), 1);
    assert_eq!(read("?X-Amz-Date=1&X-Amz-Signature=abc"), 1);
    assert_eq!(read("?X-Amz-Date=2&X-Amz-Signature=def"), 2);
    assert_eq!(read("?sv=2024&st=1&se=2&sig=abc%2B"), 3);
    assert_eq!(read("?version=2"), 4);
    assert_eq!(read("?version=3"), 5);
    assert_eq!(read("?version=3&sv=2024&sig=x"), 6);
    // The query string is sent unchanged.
    assert_eq!(server.log()[0].target, "/a.tif?X-Amz-Date=1&X-Amz-Signature=abc");
}

#[test]
fn without_a_cache_each_call_makes_a_request() {
    let server = Server::of_file(TILES_16.bytes());
    let (session, url) = (session(&[("RASTERET_HEADER_CACHE_BYTES", "0")]), server.url("a.tif"));
    session.headers(&[&url, &url]).into_iter().for_each(|answer| assert!(answer.is_ok()));
    assert_eq!(server.log().len(), 1);
    session.headers(&[&url]).remove(0).unwrap();
    assert_eq!(server.log().len(), 2);
}

#[test]
fn a_small_cache_evicts_headers() {
    let server = Server::of_file(TILES_16.bytes());
    let session = session(&[("RASTERET_HEADER_CACHE_BYTES", "20000")]);
    let urls: Vec<String> = (0..200).map(|file| server.url(&format!("{file}.tif"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    assert!(session.headers(&urls).iter().all(Result::is_ok));
    assert!(session.headers(&urls).iter().all(Result::is_ok));
    assert!(server.log().len() > 300, "{}", server.log().len());
}

#[test]
fn no_more_requests_in_flight_than_allowed() {
    let inner = InMemory::new();
    let (session, bytes) = (session(&[("RASTERET_MAX_CONCURRENT", "5")]), TILES_16.bytes());
    let store = Counting::new(ThrottledStore::new(
        inner,
        ThrottleConfig { wait_get_per_call: Duration::from_millis(5), ..Default::default() },
    ));
    session
        .block_on(async {
            for file in 0..100 {
                let path = Path::from(format!("{file}.tif"));
                store.put(&path, PutPayload::from(bytes.clone())).await.unwrap();
            }
        })
        .unwrap();
    session.serve_bucket("b", store.clone());
    let hrefs: Vec<String> = (0..100).map(|file| format!("s3://b/{file}.tif")).collect();
    thread::scope(|scope| {
        for part in hrefs.chunks(25) {
            let session = &session;
            scope.spawn(move || {
                let part: Vec<&str> = part.iter().map(String::as_str).collect();
                assert!(session.headers(&part).iter().all(Result::is_ok));
            });
        }
    });
    assert_eq!(store.log().len(), 100);
    assert_eq!(store.peak(), 5);
}

fn with_object(key: &str, bytes: Vec<u8>) -> (Session, Arc<Counting<InMemory>>) {
    let (session, store) = (session(&[]), Counting::new(InMemory::new()));
    let path = Path::parse(key).unwrap();
    session.block_on(store.put(&path, PutPayload::from(bytes))).unwrap().unwrap();
    session.serve_bucket("b", store.clone());
    (session, store)
}

#[test]
fn an_object_needs_the_same_requests_as_a_url() {
    let (session, store) = with_object("x/a.tif", TILES_16.bytes());
    let file = session.headers(&["s3://b/x/a.tif"]).remove(0).unwrap();
    assert_eq!(store.log(), ["get x/a.tif 0-32767"]);
    assert_eq!(file.version.size, Some(100_000));
    assert!(file.version.etag.is_some() && file.version.last_modified.is_some());

    let (session, store) = with_object("x/a.tif", TILES_10000.bytes());
    session.headers(&["s3://b/x/a.tif"]).remove(0).unwrap();
    assert_eq!(store.log(), ["get x/a.tif 0-32767", "get x/a.tif 32768-80133"]);

    let (session, store) = with_object("x/a.tif", Tiff { min_size: 0, ..TILES_16 }.bytes());
    session.headers(&["s3://b/x/a.tif"]).remove(0).unwrap();
    assert_eq!(store.log(), ["get x/a.tif 0-32767"]);
}

#[test]
fn ranges_are_coalesced_and_split() {
    let bytes: Vec<u8> = (0..100_000u32).map(|byte| byte as u8).collect();
    let server = Server::of_file(bytes.clone());
    let session = session(&[]);
    session
        .block_on(async {
            let object = session.open(&server.url("a.bin")).await.unwrap();
            let coalesce = CoalesceConfig { max_gap: 100, max_size: 1_000 };
            let wanted = [50_000..50_010, 0..10, 60..70, 0..0, 70_000..72_500];
            let got = object.ranges(&wanted, coalesce).await.unwrap();
            for (range, got) in wanted.iter().zip(got) {
                assert_eq!(got, bytes[range.start as usize..range.end as usize], "{range:?}");
            }
            assert_eq!(object.size().await.unwrap(), 100_000);
            let (tail, size) = object.tail(10).await.unwrap();
            assert_eq!((&tail[..], size), (&bytes[99_990..], 100_000));
            let error = object.range(99_990..100_010).await.unwrap_err().to_string();
            assert!(error.ends_with("bytes 99990-100009: beyond the end of the file of 100000 bytes"), "{error}");
        })
        .unwrap();
    let mut requested: Vec<_> = server.ranges().into_iter().map(|range| (range.start, range.end)).collect();
    requested.sort_unstable();
    // The first byte is requested to get the size.
    let expected =
        [(0, 1), (0, 70), (50_000, 50_010), (70_000, 71_000), (71_000, 72_000), (72_000, 72_500), (99_990, 100_010)];
    assert_eq!(requested, expected);
}

#[test]
fn a_panic_is_an_error_of_its_file() {
    let (session, store) = with_object("a.tif", TILES_16.bytes());
    store.panic_at("bad.tif");
    let answers = session.headers(&["s3://b/a.tif", "s3://b/bad.tif", "s3://b/a.tif"]);
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let error = answers[1].as_ref().unwrap_err().to_string();
    assert_eq!(error, "s3://b/bad.tif: internal error: reading the header panicked");
}

#[test]
fn a_dump_of_ifds_needs_the_same_requests_as_a_header() {
    let server = Server::of_file(Tiff { overviews: 2, ..TILES_16 }.bytes());
    let url = server.url("a.tif");
    let ifds = session(&[]).ifds(&[&url, &url]).remove(1).unwrap();
    assert_eq!(ifds.len(), 3);
    assert_eq!(server.ranges(), vec![0..32_768; 1]);
}

#[test]
fn a_description_needs_the_same_requests_as_a_header() {
    for tiff in [Tiff { overviews: 2, ..TILES_16 }, TILES_10000, Tiff { ifd_at_end: true, ..TILES_16 }] {
        let server = Server::of_file(tiff.bytes());
        let url = server.url("a.tif");
        let header = session(&[]).headers(&[&url]).remove(0).unwrap();
        let requested = server.ranges();
        let described = session(&[]).descriptions(&[&url, &url]).remove(1).unwrap();
        assert_eq!(server.ranges(), [requested.clone(), requested].concat());
        assert_eq!((&described.info.header, described.file_size), (&*header.header, header.version.size));
    }
}

/// A session that caches failures for `failure_lifetime`.
fn remembering(failure_lifetime: Duration) -> Session {
    let mut options = Options::default();
    (options.max_retries, options.failure_lifetime) = (0, failure_lifetime);
    Session::new(options)
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_failure_is_requested_once_for_a_while() {
    for status in [403, 404, 503] {
        let server = Server::start(move |_, _| Reply::Status(status, String::new(), String::new()));
        let url = server.url("a.tif");
        let session = remembering(LONG);
        let errors: Vec<String> = (0..5).map(|_| session.headers(&[&url]).remove(0).unwrap_err().to_string()).collect();
        assert!(errors.iter().all(|error| error.contains(&format!("HTTP {status}"))), "{errors:?}");
        assert_eq!(server.log().len(), 1);
        // Another file of the same server is requested.
        session.headers(&[&server.url("b.tif")]).remove(0).unwrap_err();
        assert_eq!(server.log().len(), 2);
        let session = remembering(Duration::ZERO);
        (0..3).for_each(|_| drop(session.headers(&[&url])));
        assert_eq!(server.log().len(), 5);
    }
}

#[test]
fn a_file_that_is_not_a_tiff_is_requested_once_for_a_while() {
    let server = Server::of_file(b"no TIFF".repeat(100));
    let session = remembering(LONG);
    let url = server.url("a.tif");
    for _ in 0..5 {
        session.headers(&[&url]).remove(0).unwrap_err();
    }
    assert_eq!(server.log().len(), 1);
}
