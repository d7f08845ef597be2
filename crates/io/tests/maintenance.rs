//! Requests and results of a refresh of an index.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod records;
mod support;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use rasteret_io::maintenance::{CollectionOptions, FileStatus, Refresh, Status};
use rasteret_io::{ObjectVersion, Result, Session};
use support::server::{Reply, Server};

/// A session with an index of these files, with entity tags and sizes, as `s3://b/index.parquet`.
fn index(files: &[(&str, Option<&str>, Option<i64>)]) -> Session {
    records::session(&[("index.parquet", &index_file(files))])
}

fn index_file(files: &[(&str, Option<&str>, Option<i64>)]) -> Vec<u8> {
    let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let field = |name: &str, array: &ArrayRef| {
        (Arc::new(arrow_schema::Field::new(name, array.data_type().clone(), true)), Arc::clone(array))
    };
    let width = Arc::new(Int32Array::from(vec![64; files.len()])) as ArrayRef;
    let sizes = Arc::new(files.iter().map(|(_, _, size)| *size).collect::<Int64Array>()) as ArrayRef;
    let tags = text(files.iter().map(|(_, etag, _)| *etag).collect());
    let fields = vec![field("image_width", &width), field("file_size", &sizes), field("etag", &tags)];
    let metadata = Arc::new(StructArray::from(fields)) as ArrayRef;
    let hrefs = text(files.iter().map(|(href, _, _)| Some(*href)).collect());
    let batch = RecordBatch::try_from_iter([("href", hrefs), ("x_metadata", metadata)]).unwrap();
    records::arrow(&[batch], 3, &[])
}

fn refresh(session: &Session, max_concurrent: usize) -> Result<Vec<FileStatus>> {
    let options = CollectionOptions { href_column: Some("href".to_owned()), ..CollectionOptions::default() };
    let stream = Refresh::new(session, &["s3://b/index.parquet"], options, max_concurrent)?.start()?;
    let mut files = Vec::new();
    while let Some(more) = stream.next()? {
        files.extend(more);
    }
    Ok(files)
}

fn statuses(files: &[FileStatus]) -> Vec<&'static str> {
    files.iter().map(|file| file.status.name()).collect()
}

#[test]
fn an_unchanged_file_is_one_304() {
    let server = Server::start(|request, _| match request.head.contains("if-none-match: \"v1\"") {
        true => Reply::Status(304, String::new(), String::new()),
        false => Reply::Status(206, "Content-Range: bytes 0-0/9\r\nETag: \"v2\"\r\n".to_owned(), "I".to_owned()),
    });
    // The URL is signed for GET: the query string is sent, and HEAD is not used.
    let url = server.url("a.tif?X-Amz-Signature=secret");
    let session = index(&[(&url, Some("\"v1\""), Some(9)), (&url, Some("\"v1\""), Some(9))]);
    let files = refresh(&session, 300).unwrap();
    assert_eq!(statuses(&files), ["unchanged"]);
    assert_eq!((&files[0].found, files[0].href.as_str()), (&files[0].indexed, url.as_str()));
    let log = server.log();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].method.as_str(), log[0].range.clone()), ("GET", Some(0..1)));
    assert!(log[0].target.ends_with("X-Amz-Signature=secret"));
}

#[test]
fn records_with_different_versions_are_compared_separately() {
    let server = Server::start(|request, _| match request.head.contains("if-none-match: \"v2\"") {
        true => Reply::Status(304, String::new(), String::new()),
        false => Reply::Status(206, "Content-Range: bytes 0-0/9\r\nETag: \"v2\"\r\n".to_owned(), "I".to_owned()),
    });
    let url = server.url("a.tif");
    let session = index(&[(&url, Some("\"v1\""), None), (&url, Some("\"v2\""), None), (&url, Some("\"v1\""), None)]);
    let files = refresh(&session, 300).unwrap();
    assert_eq!(statuses(&files), ["changed", "unchanged"]);
    assert_eq!(files[0].found, ObjectVersion { size: Some(9), etag: Some("\"v2\"".to_owned()), last_modified: None });
    assert_eq!(server.log().len(), 2);
}

/// A weak tag may be shared by different files (RFC 9110, 8.8.1), so the size is compared too, as in reads of pixels.
#[test]
fn tags_are_compared_as_in_reads() {
    let server = Server::start(|request, _| match request.head.contains("if-none-match") {
        true => Reply::Status(304, String::new(), String::new()),
        false => Reply::Status(206, "Content-Range: bytes 0-0/9\r\nETag: W/\"v1\"\r\n".to_owned(), "I".to_owned()),
    });
    let urls = ["a.tif", "b.tif", "c.tif"].map(|name| server.url(name));
    let files = [
        (urls[0].as_str(), Some("W/\"v1\""), Some(10)),
        (urls[1].as_str(), Some("W/\"v1-gzip\""), Some(9)),
        (urls[2].as_str(), Some("v1"), Some(9)),
    ];
    let files = refresh(&index(&files), 1).unwrap();
    assert_eq!(statuses(&files), ["changed", "unchanged", "unchanged"]);
    assert!(server.log().iter().all(|request| !request.head.contains("if-none-match")));
}

#[test]
fn the_version_check_is_a_setting() {
    let server = Server::start(|_, _| {
        Reply::Status(206, "Content-Range: bytes 0-0/9\r\nETag: \"node-2\"\r\n".to_owned(), "I".to_owned())
    });
    let (url, larger) = (server.url("a.tif"), server.url("b.tif"));
    let files = [(url.as_str(), Some("\"node-1\""), Some(9)), (larger.as_str(), Some("\"node-2\""), Some(10))];
    let with = |check: &str| {
        let session = support::session(&[("RASTERET_CHECK_VERSION", check)]);
        records::serve(&session, &[("index.parquet", &index_file(&files))]);
        statuses(&refresh(&session, 1).unwrap())
    };
    assert_eq!(with("etag"), ["changed", "changed"]);
    assert_eq!(with("size"), ["unchanged", "changed"]);
    assert_eq!(with("none"), ["unknown", "unknown"]);
}

#[test]
fn results_are_in_order_and_bounded() {
    let files: Vec<String> = (0..40).map(|file| format!("{file}.tif")).collect();
    // Responses for earlier files are later.
    let server = Server::start(|request, _| {
        let file: u64 = request.target.trim_matches(['/', '.', 't', 'i', 'f']).parse().unwrap();
        let reply = Reply::Status(404, String::new(), String::new());
        Reply::Late(Duration::from_millis(40 - file), Box::new(reply))
    });
    let urls: Vec<String> = files.iter().map(|file| server.url(file)).collect();
    let session = index(&urls.iter().map(|url| (url.as_str(), None, Some(9))).collect::<Vec<_>>());
    let found = refresh(&session, 7).unwrap();
    assert_eq!(found.iter().map(|file| file.href.clone()).collect::<Vec<_>>(), urls);
    assert!(found.iter().all(|file| file.status == Status::Gone && file.error.is_none()));
    assert_eq!(server.log().len(), 40);
}

#[test]
fn a_lost_response_is_an_error() {
    let server = Server::start(|_, _| Reply::Status(403, String::new(), String::new()));
    let url = server.url("a.tif?sig=secret");
    let files = refresh(&index(&[(&url, Some("\"v1\""), None)]), 1).unwrap();
    assert_eq!(statuses(&files), ["error"]);
    let error = files[0].error.as_ref().unwrap().to_string();
    assert!(error.contains("forbidden (HTTP 403)") && !error.contains("secret"), "{error}");
}

#[test]
fn unusual_responses() {
    let empty = "Content-Range: bytes */0\r\n".to_owned();
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/empty.tif" => Reply::Status(416, empty.clone(), String::new()),
        "/whole.tif" => Reply::Whole(vec![0; 5_000_000]),
        _ => Reply::Status(206, "Content-Range: bytes 5-5/9\r\n".to_owned(), "I".to_owned()),
    });
    let urls = ["empty.tif", "whole.tif", "wrong.tif"].map(|file| server.url(file));
    let files = refresh(&index(&urls.each_ref().map(|url| (url.as_str(), None, Some(9)))), 1).unwrap();
    assert_eq!(statuses(&files), ["changed", "changed", "error"]);
    assert_eq!((files[0].found.size, files[1].found.size), (Some(0), Some(5_000_000)));
}

#[test]
fn objects_of_stores_need_one_head_request() {
    let session = index(&[("s3://c/a.tif", Some("\"x\""), None), ("s3://c/b.tif", Some("\"x\""), None)]);
    let store = Arc::new(InMemory::new());
    session.block_on(async { store.put(&"a.tif".into(), PutPayload::from_static(b"I")).await.unwrap() }).unwrap();
    session.serve_bucket("c", store);
    assert_eq!(statuses(&refresh(&session, 300).unwrap()), ["changed", "gone"]);
}

/// A changed file must not be indexed again with its cached header.
#[test]
fn a_changed_file_is_read_again() {
    let read = |name: &str| std::fs::read(format!("{}/../../test/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (old, new) = (read("cog.tif"), read("bigtiff.tif"));
    let server = Server::start(move |_, before| Reply::File(if before == 0 { old.clone() } else { new.clone() }));
    let url = server.url("a.tif");
    let session = index(&[(&url, Some("\"another\""), Some(1))]);
    let header = |session: &Session| session.headers(&[&url]).remove(0).unwrap();
    let first = header(&session);
    assert_eq!(first.header.image.tile_offsets, header(&session).header.image.tile_offsets);
    assert_eq!(server.log().len(), 1);
    assert_eq!(statuses(&refresh(&session, 300).unwrap()), ["changed"]);
    assert_ne!(first.header.image.tile_offsets, header(&session).header.image.tile_offsets);
    assert_eq!(server.log().len(), 3);
}
