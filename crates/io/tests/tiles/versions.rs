//! Files that changed after they were indexed, or while they are read.

use crate::support::raster::Raster;
use crate::support::server::Reply;
use crate::support::server::Server;
use crate::support::session;
use crate::{FAR, read};
use rasteret_io::Error;
use rasteret_io::Keep;
use rasteret_io::ObjectVersion;

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
fn a_file_that_became_smaller_is_a_changed_file() {
    let server = Server::of_file(FAR.bytes()[..1000].to_vec());
    let error = error_of(&server, FAR, &FAR.indexed());
    assert!(error.to_string().contains("the file changed since it was indexed: expected "), "{error}");
    let error = error_of(&server, FAR, &FAR.unversioned());
    assert!(error.to_string().ends_with(": beyond the end of the file of 1000 bytes"), "{error}");
}

#[test]
fn weak_tags_are_compared_and_missing_tags_are_ignored() {
    let server = Server::of_file(FAR.bytes());
    for tag in ["W/\"v1\"", "\"v1-gzip\"", "\"v1\"-gzip", "\"v1--br\""] {
        let mut file = FAR.indexed();
        file.version.etag = Some(tag.to_owned());
        read(&session(&[]), FAR, FAR.requests(&server.url("a.tif"), &file, [3]), &[3]);
    }
    let server = Server::start(|_, _| Reply::Anonymous(FAR.bytes()));
    read(&session(&[]), FAR, FAR.requests(&server.url("a.tif"), &FAR.indexed(), [3]), &[3]);
}

/// Nodes of a server may return different entity tags and dates for the same file.
#[test]
fn the_version_check_is_a_setting() {
    let server = Server::start(|request, before| {
        let (range, file) = (request.range.clone().unwrap(), FAR.bytes());
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
fn a_file_that_changes_while_it_is_read_is_an_error_without_an_index() {
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
