//! Errors of single files and tiles.

use crate::support::raster::Raster;
use crate::support::server::Reply;
use crate::support::server::Server;
use crate::support::session;
use crate::{FAR, NEAR, all, assert_idle, for_all, read, store};
use rasteret_cog::pixel::Block;
use rasteret_io::Error;
use rasteret_io::Keep;
use rasteret_io::Options;
use rasteret_io::Session;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use std::time::Instant;

#[test]
fn an_error_of_one_file_does_not_affect_others() {
    let server = Server::start(|request, _| match request.target.as_str() {
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
    // Errors are not cached, and their memory is released.
    read();
    assert_eq!(server.log().len(), 7 * 16);
    assert_idle(&session);
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// DuckDB repeats a call when it evaluates a failing constant.
#[test]
fn failed_tiles_are_not_requested_again_for_a_while() {
    let broken = Raster { side: 16, ..NEAR };
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/gone.tif" => Reply::Status(404, String::new(), String::new()),
        "/bare.tif" => Reply::Status(503, String::new(), String::new()),
        _ => Reply::File(broken.bytes()),
    });
    let mut options = Options::default();
    (options.max_retries, options.failure_lifetime) = (0, Duration::from_secs(3600));
    let session = Session::new(options);
    // A tile that cannot be decoded, because its byte count in the index is too small by one.
    let mut header = (*broken.header()).clone();
    header.image.tile_byte_counts[1] -= 1;
    let undecodable = rasteret_io::CogFile { header: Arc::new(header), ..broken.indexed() };
    let read_tile = |name: &str, file: &rasteret_io::CogFile, tile: u32| {
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
        let (requests, error) = read_tile(name, &file, 1);
        assert!(requests == 1 && error.contains(words), "{name}: {requests} requests, {error}");
    }
    // Other tiles and files are requested, and a changed file is an error of the index.
    assert_eq!(read_tile("a.tif", &broken.indexed(), 2), (1, String::new()));
    let mut other = broken.indexed();
    other.version.etag = Some("\"v0\"".to_owned());
    let (requests, error) = read_tile("a.tif", &other, 1);
    assert!(requests == 4 && error.contains("the file changed since it was indexed"), "{requests} requests, {error}");
    assert_idle(&session);
}

/// A repeated call that fails because of one tile does not fetch the others each time.
#[test]
fn a_call_with_a_failed_tile_fails_before_fetching() {
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
    // Requests started before the call failed may still be in flight.
    assert_idle(&session);
    thread::sleep(Duration::from_millis(50));
    for _ in 0..4 {
        assert_eq!(read(ControlFlow::Break(())), (errors.clone(), 0, 0));
    }
    // If errors are allowed, all other tiles are read and the failed tile is not fetched.
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
fn errors_contain_the_tile_that_cannot_be_decoded() {
    // The byte count of the last tile is too small.
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
fn metadata_with_another_encoding_does_not_share_tiles() {
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
