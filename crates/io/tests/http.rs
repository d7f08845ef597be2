//! Failures over HTTP: number of retries, duration, and error messages.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::time::{Duration, Instant};

use rasteret_io::{Error, Options, Session, StoreError};
use support::server::{Reply, Server};
use support::session;
use support::tiff::Tiff;

const SECRET: &str = "?sv=2024&sig=SECRET&token=SECRET";

/// Reads one header; returns the error, which must contain the file and no secrets.
fn error_of(server: &Server, variables: &[(&str, &str)]) -> String {
    let url = server.url(&format!("dir/a%20b.tif{SECRET}"));
    let error = session(variables).headers(&[&url]).remove(0).unwrap_err();
    assert!(!format!("{error} {error:?} {error:#?}").contains("SECRET"), "{error:?}");
    let text = error.to_string();
    let file = format!("http://127.0.0.1:{}/dir/a%20b.tif: ", server.port);
    text.strip_prefix(&file).unwrap_or_else(|| panic!("no {file} in {text}")).to_owned()
}

fn refusing(status: u16) -> Server {
    Server::start(move |_, _| Reply::Status(status, String::new(), "never shown: SECRET".to_owned()))
}

#[test]
fn permanent_errors_are_not_retried() {
    for (status, words) in [
        (400, "request refused (HTTP 400)"),
        (401, "unauthorized (HTTP 401); the request was made with the query of the location, and no other credentials"),
        (403, "forbidden (HTTP 403); the request was made with the query of the location, and no other credentials"),
        (404, "not found (HTTP 404)"),
        (410, "gone (HTTP 410)"),
        (501, "server error (HTTP 501)"),
    ] {
        let server = refusing(status);
        assert_eq!(error_of(&server, &[]), words);
        assert_eq!(server.log().len(), 1, "HTTP {status}");
    }
}

#[test]
fn temporary_errors_are_retried() {
    let server = refusing(503);
    assert_eq!(error_of(&server, &[("RASTERET_MAX_RETRIES", "2")]), "server error (HTTP 503)");
    assert_eq!(server.log().len(), 3);

    for status in [429, 500, 502, 503, 504] {
        let bytes = Tiff::default().bytes();
        let server = Server::start(move |_, before| match before {
            0 => Reply::Status(status, String::new(), String::new()),
            _ => Reply::File(bytes.clone()),
        });
        let url = server.url("a.tif");
        session(&[]).headers(&[&url]).remove(0).unwrap();
        assert_eq!(server.log().len(), 2, "HTTP {status}");
    }
}

#[test]
fn retry_after_is_respected() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |_, before| match before {
        0 => Reply::Status(429, "Retry-After: 1\r\n".to_owned(), String::new()),
        _ => Reply::File(bytes.clone()),
    });
    let start = Instant::now();
    session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn errors_contain_only_the_code_of_a_stores_response() {
    let xml = "Content-Type: application/xml\r\n".to_owned();
    let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>SECRET</Message></Error>";
    let server = Server::start(move |_, _| Reply::Status(403, xml.clone(), body.to_owned()));
    assert_eq!(
        error_of(&server, &[]),
        "forbidden (HTTP 403), AccessDenied; the request was made with the query of the location, and no other credentials"
    );

    let server =
        Server::start(|_, _| Reply::Status(404, "x-ms-error-code: BlobNotFound\r\n".to_owned(), String::new()));
    assert_eq!(error_of(&server, &[]), "not found (HTTP 404), BlobNotFound");
}

#[test]
fn a_refused_connection_fails_immediately() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = Instant::now();
    let url = format!("http://127.0.0.1:{port}/a.tif{SECRET}");
    let error = session(&[]).headers(&[&url]).remove(0).unwrap_err();
    assert_eq!(error.to_string(), format!("http://127.0.0.1:{port}/a.tif: connection refused"));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn an_unknown_host_is_reported() {
    let url = format!("http://user:SECRET@no-such-host.invalid/a.tif{SECRET}");
    let error = session(&[("RASTERET_MAX_RETRIES", "0")]).headers(&[&url]).remove(0).unwrap_err();
    assert_eq!(error.to_string(), "http://no-such-host.invalid/a.tif: unknown host");
    assert!(!format!("{error:?}").contains("SECRET"));
}

#[test]
fn requests_time_out_and_are_not_retried() {
    let server = Server::start(|_, _| Reply::Silence(Duration::from_secs(60)));
    assert_eq!(error_of(&server, &[("RASTERET_TIMEOUT", "0.3")]), "no response within 0.3 s");
    assert_eq!(server.log().len(), 1);
}

#[test]
fn an_incomplete_response_is_retried() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |_, before| match before {
        0 => Reply::Cut(bytes.clone()),
        _ => Reply::File(bytes.clone()),
    });
    session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
    assert_eq!(server.log().len(), 2);

    let bytes = Tiff::default().bytes();
    let server = Server::start(move |_, _| Reply::Cut(bytes.clone()));
    let words = error_of(&server, &[("RASTERET_MAX_RETRIES", "1")]);
    assert_eq!(words, "connection closed before the response was complete");
    assert_eq!(server.log().len(), 2);
}

#[test]
fn tag_date_and_size_may_be_missing() {
    let server = Server::start(|_, _| Reply::Anonymous(Tiff::default().bytes()));
    let file = session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
    assert_eq!((file.version.size, file.version.etag, file.version.last_modified), (None, None, None));
    assert_eq!(server.log().len(), 1);

    let far = Tiff { across: 100, down: 100, overviews: 2, ..Tiff::default() }.bytes();
    let server = Server::start(move |_, _| Reply::Anonymous(far.clone()));
    let file = session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
    assert_eq!(file.header.overviews.len(), 2);
}

#[test]
fn a_server_without_ranges_serves_headers_at_the_start() {
    let size = 50_000_000;
    let bytes = Tiff { min_size: size, ..Tiff::default() }.bytes();
    let server = Server::start(move |_, _| Reply::Whole(bytes.clone()));
    let start = Instant::now();
    let file = session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
    assert_eq!(file.version.size, Some(size as u64));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    let small = Tiff { min_size: 0, ..Tiff::default() }.bytes();
    let server = Server::start(move |_, _| Reply::Whole(small.clone()));
    session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap();
}

#[test]
fn a_server_without_ranges_is_not_read_to_the_end_of_a_large_file() {
    let bytes = Tiff { min_size: 5_000_000, ifd_at_end: true, ..Tiff::default() }.bytes();
    let server = Server::start(move |_, _| Reply::Whole(bytes.clone()));
    let words = error_of(&server, &[]);
    assert!(words.ends_with("the server does not support range requests (answered with HTTP 200)"), "{words}");
}

#[test]
fn redirects_are_followed() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/new.tif?sig=OTHER" => Reply::File(bytes.clone()),
        _ => Reply::Status(302, "Location: /new.tif?sig=OTHER\r\n".to_owned(), String::new()),
    });
    session(&[]).headers(&[&server.url("old.tif?sig=SECRET")]).remove(0).unwrap();
    let log = server.log();
    assert_eq!(log.len(), 2);
    // The signature is only sent to its host.
    assert!(!log[1].head.to_lowercase().contains("secret"), "{}", log[1].head);

    let server = Server::start(|_, _| Reply::Status(302, "Location: /a?sig=SECRET\r\n".to_owned(), String::new()));
    assert_eq!(error_of(&server, &[]), "too many redirects");
}

#[test]
fn user_and_password_are_sent_but_not_shown() {
    let server = refusing(401);
    let url = server.url("a.tif").replace("http://", "http://me:SECRET@");
    let error = session(&[]).headers(&[&url]).remove(0).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
    assert!(
        server.log()[0].head.to_lowercase().contains("authorization: basic bwu6u0vduk"),
        "{}",
        server.log()[0].head
    );
}

#[test]
fn paths_are_sent_as_written() {
    let server = Server::of_file(Tiff::default().bytes());
    let session = session(&[]);
    for (written, sent) in [
        ("a%20b+c.tif", "/a%20b+c.tif"),
        ("a b.tif", "/a%20b.tif"),
        ("%C3%BC.tif", "/%C3%BC.tif"),
        ("ü.tif", "/%C3%BC.tif"),
        ("a%2Fb%23.tif", "/a%2Fb%23.tif"),
        ("a.tif#page", "/a.tif"),
    ] {
        session.headers(&[&server.url(written)]).remove(0).unwrap();
        assert_eq!(server.log().last().unwrap().target, sent);
    }
}

#[test]
fn gdal_prefixes_are_supported() {
    let server = Server::of_file(Tiff::default().bytes());
    let session = session(&[]);
    session.headers(&[&format!("/vsicurl/{}", server.url("a.tif?x=1"))]).remove(0).unwrap();
    assert_eq!(server.log()[0].target, "/a.tif?x=1");
}

#[test]
fn invalid_empty_and_truncated_tiffs_are_errors_of_the_file() {
    let header_error = |bytes: Vec<u8>| {
        let server = Server::of_file(bytes);
        let error = session(&[]).headers(&[&server.url("a.tif")]).remove(0).unwrap_err();
        assert!(matches!(error, Error::Header { .. }), "{error:?}");
    };
    header_error(b"<html>not a TIFF, but long enough to be one</html>".to_vec());
    header_error(Vec::new());
    header_error(b"II*\0".to_vec());
    let whole = Tiff { across: 100, down: 100, min_size: 0, ..Tiff::default() }.bytes();
    header_error(whole[..50_000].to_vec());
}

#[test]
fn errors_are_only_cached_for_a_while() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |_, before| match before {
        0 => Reply::Status(404, String::new(), String::new()),
        _ => Reply::File(bytes.clone()),
    });
    let mut options = Options::default();
    options.failure_lifetime = Duration::ZERO;
    let (session, url) = (Session::new(options), server.url("a.tif"));
    let answers = session.headers(&[&url, &url, &url]);
    for answer in answers {
        match answer.unwrap_err() {
            Error::Store { fault, .. } => {
                assert!(fault.is_not_found());
                assert_eq!(fault, StoreError::Http { status: 404, code: None });
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(server.log().len(), 1);
    session.headers(&[&url]).remove(0).unwrap();
}

#[test]
fn results_keep_the_order_of_the_hrefs() {
    let server = Server::start(|request, _| {
        let tiles: u32 = request.target.trim_start_matches('/').parse().unwrap();
        let tiff = Tiff { across: tiles, down: 1, ..Tiff::default() }.bytes();
        Reply::Late(Duration::from_millis(u64::from(20 - tiles % 20)), Box::new(Reply::File(tiff)))
    });
    let urls: Vec<String> = (1..200).map(|tiles| server.url(&tiles.to_string())).collect();
    let mut hrefs: Vec<&str> = urls.iter().map(String::as_str).collect();
    hrefs.insert(50, "");
    for (index, answer) in session(&[]).headers(&hrefs).into_iter().enumerate() {
        match index {
            50 => assert!(matches!(answer, Err(Error::InvalidArgument { .. }))),
            _ => {
                let tiles = if index < 50 { index + 1 } else { index };
                assert_eq!(answer.unwrap().header.image.tile_offsets.len(), tiles);
            }
        }
    }
}
