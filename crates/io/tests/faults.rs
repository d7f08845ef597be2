//! Simulates failures of servers and networks: each read returns the correct result or an error with the file, within seconds, and the next
//! read succeeds.
//!
//! Every fault is tested for a header and for pixels, over HTTP and with the S3 store, once (the next request succeeds) and permanently.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rasteret_io::{CogFile, Error, Keep, Object, Session};
use support::raster::Raster;
use support::server::{End, Reply, Request, Server};
use support::session;
use support::tiff::Tiff;

/// Gaps between tiles exceed the limit for coalescing, so that each tile is one request.
const RASTER: Raster = Raster { across: 2, down: 2, side: 16, gap: 300 << 10, seed: 5 };

/// Tiles to read.
const TILES: [u32; 2] = [0, 2];

/// Maximum duration of a read. Usually a read takes tenths of a second, or one second if it times out; the rest allows for load.
const LIMIT: Duration = Duration::from_secs(30);

const CLOSED: &str = "connection closed before the response was complete";
const TIMEOUT: &str = "no response within ";

/// A faulty response, and the expected results of reads.
struct Fault {
    name: &'static str,
    reply: fn(&Request) -> Reply,
    /// Result if the fault occurs once.
    once: Outcome,
    /// Part of the error of a header and of pixels, `a|b` for alternatives; None if the result is correct nevertheless.
    header: Option<&'static str>,
    pixels: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    /// The result is correct, because the request is retried or the redirect is followed.
    Right,
    /// The same error as for a permanent fault, because the request is not retried.
    Fails,
}

use Outcome::{Fails, Right};

fn file() -> Reply {
    Reply::File(RASTER.bytes())
}

fn status(status: u16, lines: &str) -> Reply {
    Reply::Status(status, lines.to_owned(), "busy".repeat(1000))
}

/// A response with status 206, with the given shifts of its Content-Range and of its bytes.
fn partial(request: &Request, shift: (i64, i64), size: &str, body: (i64, i64)) -> Reply {
    let Some(range) = &request.range else { return status(500, "") };
    let file = RASTER.bytes();
    let (start, end) = (range.start as i64, range.end.min(file.len() as u64) as i64);
    let lines = format!("ETag: \"v1\"\r\nContent-Range: bytes {}-{}/{size}\r\n", start + shift.0, end - 1 + shift.1);
    let at = |offset: i64| offset.clamp(0, file.len() as i64) as usize;
    Reply::Bytes(206, lines, file[at(start + body.0)..at(end + body.1)].to_vec())
}

/// The size of the file, which the S3 client requires in ranges.
fn size() -> String {
    RASTER.bytes().len().to_string()
}

fn multipart(request: &Request) -> Reply {
    let range = request.range.clone().unwrap_or(0..1);
    let bytes = &RASTER.bytes()[range.start as usize..(range.end as usize).min(RASTER.bytes().len())];
    let part = format!("--B\r\nContent-Range: bytes {}-{}/*\r\n\r\n", range.start, range.end - 1);
    let body = [part.as_bytes(), bytes, b"\r\n--B--\r\n"].concat();
    Reply::Bytes(206, "Content-Type: multipart/byteranges; boundary=B\r\n".to_owned(), body)
}

/// A login page without a length, long enough to extend beyond the first tile.
fn login_page(_: &Request) -> Reply {
    let page = "<html>please log in</html>\n".repeat(100_000);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
    Reply::Raw([head.as_bytes(), page.as_bytes()].concat())
}

fn location(target: &str) -> Reply {
    status(302, &format!("Location: {target}\r\n"))
}

const fn fault(name: &'static str, reply: fn(&Request) -> Reply, once: Outcome, says: &'static str) -> Fault {
    Fault { name, reply, once, header: Some(says), pixels: Some(says) }
}

fn faults() -> Vec<Fault> {
    let ends = Right;
    vec![
        fault("reset at once", |_| Reply::Ends(0, End::Reset, Box::new(file())), ends, CLOSED),
        fault("reset in the head", |_| Reply::Ends(30, End::Reset, Box::new(file())), ends, CLOSED),
        fault("reset in the body", |_| Reply::Ends(200, End::Reset, Box::new(file())), ends, CLOSED),
        fault("closed at once", |_| Reply::Ends(0, End::Closed, Box::new(file())), ends, CLOSED),
        fault("closed in the head", |_| Reply::Ends(30, End::Closed, Box::new(file())), ends, CLOSED),
        fault("closed in the body", |_| Reply::Ends(200, End::Closed, Box::new(file())), ends, CLOSED),
        fault("silence", |_| Reply::Silence(Duration::from_secs(20)), Fails, TIMEOUT),
        fault("a drip of the head", |_| drip(1), Fails, TIMEOUT),
        fault("a drip of the body", |_| drip(10), Fails, TIMEOUT),
        fault("429", |_| status(429, ""), Right, "too many requests (HTTP 429)"),
        fault("429, retry at once", |_| status(429, "Retry-After: 0\r\n"), Right, "too many requests (HTTP 429)"),
        fault("503", |_| status(503, ""), Right, "server error (HTTP 503)"),
        fault("503, no number", |_| status(503, "Retry-After: never\r\n"), Right, "server error (HTTP 503)"),
        fault("204", |_| status(204, ""), Fails, ""),
        fault("redirected to itself", |request| location(&request.target), Right, "too many redirects"),
        fault(
            "redirected ever further",
            |request| location(&format!("{}x", request.target)),
            Right,
            "too many redirects",
        ),
        fault("redirected to a file", |_| location("file:///etc/passwd"), Fails, "redirected elsewhere (HTTP 302)"),
        fault("redirected to no URL", |_| location("http://[:::"), Fails, "redirected elsewhere (HTTP 302)"),
        fault("redirected nowhere", |_| status(307, ""), Fails, "redirected elsewhere (HTTP 307)"),
        fault("another range", |request| partial(request, (16, 16), "*", (16, 16)), Fails, "Content-Range of bytes "),
        fault("a longer range", |request| partial(request, (0, 16), "*", (0, 16)), Fails, "Content-Range of bytes "),
        fault(
            "a shorter range",
            |request| partial(request, (0, -16), "9999999", (0, -16)),
            Fails,
            "Content-Range of bytes ",
        ),
        fault(
            "more than it says",
            |request| partial(request, (0, 0), &size(), (0, 16)),
            Fails,
            "more bytes than requested",
        ),
        fault("less than it says", |request| partial(request, (0, 0), &size(), (0, -16)), Right, CLOSED),
        fault("no range", |_| Reply::Bytes(206, String::new(), vec![0; 256]), Fails, "Content-Range"),
        fault(
            "a range of no bytes",
            |request| partial(request, (0, i64::from(i32::MIN)), "*", (0, 0)),
            Fails,
            "Content-Range",
        ),
        fault("ranges in parts", multipart, Fails, "Content-Range"),
        fault("no HTTP", |_| Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Right, CLOSED),
        fault("a head without end", |_| endless_head(), Right, CLOSED),
        Fault {
            header: Some("not a TIFF|range requests"),
            ..fault("a page to log in", login_page, Fails, "range requests")
        },
    ]
}

fn drip(length: usize) -> Reply {
    Reply::Drip(length, Duration::from_millis(100), Box::new(file()))
}

fn endless_head() -> Reply {
    Reply::Raw([b"HTTP/1.1 206 X\r\n".to_vec(), b"X-Filler: aaaaaaaaaaaaaaaa\r\n".repeat(100_000)].concat())
}

/// Number of remaining faults: none, one, or unlimited.
#[derive(Default)]
struct Failing(AtomicUsize);

impl Failing {
    fn next(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// One server, and a session that reads from it.
struct Setting<'a> {
    fault: &'a Fault,
    server: Server,
    session: Session,
    failing: Arc<Failing>,
    files: AtomicUsize,
}

impl<'a> Setting<'a> {
    fn new(fault: &'a Fault) -> Self {
        let failing = Arc::new(Failing::default());
        let (fails, reply) = (failing.clone(), fault.reply);
        let server = Server::start(move |request, _| if fails.next() { reply(request) } else { file() });
        let is_slow = fault.header == Some(TIMEOUT);
        let session = session(&[
            ("RASTERET_TIMEOUT", if is_slow { "1" } else { "10" }),
            ("RASTERET_MAX_RETRIES", "1"),
            ("RASTERET_TILE_CACHE_BYTES", "0"),
            ("AWS_ENDPOINT_URL", &server.url("")),
        ]);
        Self { fault, server, session, failing, files: AtomicUsize::new(0) }
    }

    /// Returns a new href, so that cached results and failures of other files do not affect it.
    fn href(&self, scheme: &str) -> String {
        let name = format!("{}.tif", self.files.fetch_add(1, Ordering::SeqCst));
        if scheme == "s3" { format!("s3://b/{name}") } else { self.server.url(&name) }
    }

    fn read(&self, href: &str, pixels: bool) -> rasteret_io::Result<()> {
        match pixels {
            false => self.session.headers(&[href]).remove(0).map(|file| assert_eq!(file.header, RASTER.header())),
            true => read_pixels(&self.session, href, &RASTER.indexed()),
        }
    }

    /// Reads with a number of faults, and once more without faults.
    fn check(&self, scheme: &str, pixels: bool, faults: usize) {
        let (href, start) = (self.href(scheme), Instant::now());
        self.failing.0.store(faults, Ordering::SeqCst);
        let outcome = self.read(&href, pixels).map_err(|error| error.to_string());
        self.failing.0.store(0, Ordering::SeqCst);
        let case = format!("{}, {href}, pixels: {pixels}, {faults} times: {outcome:?}", self.fault.name);
        let says = if pixels { self.fault.pixels } else { self.fault.header };
        match says.filter(|_| faults > 1 || self.fault.once == Fails) {
            None => assert_eq!(outcome, Ok(()), "{case}"),
            Some(words) => {
                let Err(error) = outcome else { panic!("{case}") };
                assert!(
                    error.starts_with(&format!("{href}: ")) && words.split('|').any(|words| error.contains(words)),
                    "{case}"
                );
            }
        }
        assert!(start.elapsed() < LIMIT, "{case}: {:?}", start.elapsed());
        // Under load, a response may exceed the short timeout of slow faults.
        while let Err(error) = self.read(&self.href(scheme), pixels) {
            let error = error.to_string();
            assert!(self.is_slow() && error.contains(TIMEOUT) && start.elapsed() < LIMIT, "{case}: then {error}");
        }
    }

    fn is_slow(&self) -> bool {
        self.fault.header == Some(TIMEOUT)
    }
}

/// Reads tiles and compares their pixels; returns the first error.
fn read_pixels(session: &Session, href: &str, file: &CogFile) -> rasteret_io::Result<()> {
    let first = std::sync::Mutex::new(Ok(()));
    let work = |request: usize, block: rasteret_io::Result<_>| match block {
        Ok(block) => {
            RASTER.assert_block(TILES[request], &block);
            ControlFlow::Continue(())
        }
        Err(error) => {
            *first.lock().unwrap() = Err(error);
            ControlFlow::Break(())
        }
    };
    session.blocks(RASTER.requests(href, file, TILES), Keep::Tiles).for_each(work)?;
    first.into_inner().unwrap()
}

#[test]
fn faults_are_errors_or_correct_results_and_the_next_read_succeeds() {
    let faults = faults();
    let failed = AtomicBool::new(false);
    thread::scope(|scope| {
        for fault in &faults {
            let failed = &failed;
            scope.spawn(move || {
                let setting = Setting::new(fault);
                for (scheme, pixels, faults) in [
                    ("http", false, 1),
                    ("http", false, usize::MAX),
                    ("http", true, 1),
                    ("http", true, usize::MAX),
                    ("s3", false, 1),
                    ("s3", false, usize::MAX),
                    ("s3", true, 1),
                    ("s3", true, usize::MAX),
                ] {
                    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        setting.check(scheme, pixels, faults)
                    }));
                    failed.fetch_or(checked.is_err(), Ordering::SeqCst);
                }
            });
        }
    });
    assert!(!failed.into_inner(), "see above");
}

/// A file replaced between the requests for its header, so that tables and offsets are of different versions.
#[test]
fn a_file_that_is_replaced_while_its_header_is_read_is_an_error() {
    let large = Tiff { across: 100, down: 100, ..Tiff::default() }.bytes();
    let other = [large.clone(), vec![0]].concat();
    let server = Server::start(move |_, before| Reply::File(if before == 0 { large.clone() } else { other.clone() }));
    let url = server.url("a.tif");
    let error = session(&[]).headers(&[&url]).remove(0).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{url}: the file changed while it was read: expected 100000 bytes, found 100001")
    );
    // The new version can be read, because this error is not cached.
    assert_eq!(server.log().len(), 2);
    let other = server.url("b.tif");
    session(&[]).headers(&[&other]).remove(0).unwrap();
}

/// A file replaced between header and pixels, where only the entity tag differs, has an unknown value or is missing.
#[test]
fn a_file_that_is_replaced_between_its_header_and_its_pixels_is_an_error() {
    let changed = AtomicBool::new(false);
    let changed = Arc::new(changed);
    let is_changed = changed.clone();
    let server = Server::start(move |request, _| match (is_changed.load(Ordering::SeqCst), &request.range) {
        (true, Some(range)) => {
            let file = Raster { seed: 9, ..RASTER }.bytes();
            let (start, end) = (range.start as usize, (range.end as usize).min(file.len()));
            let lines = format!("ETag: \"v2\"\r\nContent-Range: bytes {start}-{}/{}\r\n", end - 1, file.len());
            Reply::Bytes(206, lines, file[start..end].to_vec())
        }
        _ => file(),
    });
    let session = session(&[("AWS_ENDPOINT_URL", &server.url(""))]);
    for href in [server.url("a.tif"), "s3://b/a.tif".to_owned()] {
        changed.store(false, Ordering::SeqCst);
        let indexed = session.headers(&[&href]).remove(0).unwrap();
        read_pixels(&session, &href, &indexed).unwrap();
        changed.store(true, Ordering::SeqCst);
        // Cached tiles are those of the indexed version, so other tiles are requested.
        let error = session.blocks(RASTER.requests(&href, &indexed, [1]), Keep::Tiles).next().unwrap().1.unwrap_err();
        let words = format!("{href}: the file changed since it was indexed: expected etag \"v1\", found \"v2\"");
        assert_eq!(error.to_string(), words);
        read_pixels(&session, &href, &indexed).unwrap();
    }
}

/// Bytes without repeating patterns.
fn numbers(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_le_bytes).collect()
}

/// A file that is read over HTTP or with the S3 store.
fn object(server: &Server, scheme: &str) -> (Session, Object) {
    let endpoint = server.url("");
    let session = session(&[
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_SKIP_SIGNATURE", "true"),
        ("AWS_REGION", "us-east-1"),
    ]);
    let href = if scheme == "s3" { "s3://b/a.bin".to_owned() } else { server.url("a.bin") };
    let object = session.block_on(session.open(&href)).unwrap().unwrap();
    (session, object)
}

/// The next request starts at the last received byte, so that each byte is sent once.
#[test]
fn a_lost_connection_is_resumed_at_the_last_byte() {
    for (scheme, end) in [("http", End::Closed), ("http", End::Reset), ("s3", End::Closed), ("s3", End::Reset)] {
        let file = numbers(100_000);
        let sent = file.clone();
        let server = Server::start(move |_, _| Reply::Ends(150_000, end, Box::new(Reply::File(sent.clone()))));
        let (session, object) = object(&server, scheme);
        let bytes = session.block_on(object.range(1_000..400_000)).unwrap().unwrap();
        assert!(bytes == file[1_000..], "{scheme}, {end:?}");
        let ranges = server.ranges();
        assert_eq!(ranges[0], 1_000..400_000, "{scheme}, {end:?}");
        for (before, after) in ranges.iter().zip(&ranges[1..]) {
            let reached = after.start - before.start;
            // A reset may lose sent bytes. The rest of the 150,000 bytes is the head.
            let least = if matches!(end, End::Closed) { 149_000 } else { 0 };
            assert!((least..150_000).contains(&reached), "{scheme}, {end:?}: {ranges:?}");
            assert_eq!(after.end, 400_000, "{scheme}, {end:?}");
        }
        assert!(ranges.len() == 3 || matches!(end, End::Reset), "{scheme}, {end:?}: {ranges:?}");
    }
}

/// The rest of another version must not be appended to received bytes.
#[test]
fn a_file_that_is_replaced_before_it_is_resumed_is_an_error() {
    for scheme in ["http", "s3"] {
        let server = Server::start(move |_, before| match before {
            0 => Reply::Ends(150_000, End::Closed, Box::new(Reply::File(numbers(100_000)))),
            _ => Reply::File(numbers(100_001)),
        });
        let (session, object) = object(&server, scheme);
        let error = session.block_on(object.range(0..400_000)).unwrap().unwrap_err();
        let says = "the file changed while it was read: expected 400000 bytes, found 400004";
        assert_eq!(error.to_string(), format!("{}: {says}", object.location()));
    }
}
