//! Access policies: locked files are neither requested nor served from a cache, and secrets are only sent to their server.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use rasteret_cog::pixel::Band;
use rasteret_io::stac::{ReadOptions, SearchOptions, StacTable};
use rasteret_io::{AccessPolicy, AllowedFiles, BlockRequest, Error, Keep, Location, RasterFile, Session};
use support::server::{Reply, Server};
use support::tiff::Tiff;
use support::{Scratch, session};

/// The session of a query that may only open files below the directories.
fn locked(session: &Session, directories: &[&str]) -> Session {
    let directories = directories.iter().map(|text| (*text).to_owned()).collect();
    let allowed = Some(AllowedFiles { directories, paths: Vec::new() });
    session.for_query(&AccessPolicy { allowed, ..AccessPolicy::default() })
}

fn denial(session: &Session, href: &str) -> Option<String> {
    match session.headers(&[href]).remove(0) {
        Ok(_) => None,
        Err(error) => Some(error.denial().map_or_else(|| panic!("{error}"), str::to_owned)),
    }
}

#[test]
fn caches_do_not_serve_locked_files() {
    let server = Server::of_file(Tiff::default().bytes());
    let url = server.url("a.tif");
    let open = session(&[]);
    let file = open.headers(&[&url]).remove(0).unwrap();
    let band = Arc::new(Band::new(file.header.clone(), 0, 0, true).unwrap());
    let blocks = |session: &Session| {
        let file = Arc::new(RasterFile::new(Location::parse(&url).unwrap(), &file));
        let request = BlockRequest { file, band: band.clone(), row: 0, col: 0 };
        session.blocks(vec![request], Keep::Tiles).next().unwrap().1
    };
    // The policy is checked before decoding.
    let _ = blocks(&open);
    let before = server.log().len();
    let shut = locked(&open, &["https://elsewhere/"]);
    let words = format!("Cannot access file \"{url}\" - file system operations are disabled by configuration");
    assert_eq!(denial(&shut, &url), Some(words.clone()));
    assert_eq!(blocks(&shut).unwrap_err().denial(), Some(words.as_str()));
    assert!(shut.ifds(&[&url]).remove(0).unwrap_err().denial().is_some());
    assert_eq!(server.log().len(), before);
    assert_eq!(denial(&locked(&open, &[&server.url("")]), &url), None);
}

#[test]
fn an_open_file_is_checked_for_each_query() {
    let server = Server::of_file(Tiff::default().bytes());
    let session = locked(&session(&[]), &[&server.url("")]);
    let object = session.block_on(session.open(&server.url("a.tif"))).unwrap().unwrap();
    session.block_on(object.range(0..4)).unwrap().unwrap();
    session.set_policy(&AccessPolicy { allowed: Some(AllowedFiles::default()), ..AccessPolicy::default() });
    assert!(session.block_on(object.range(0..4)).unwrap().unwrap_err().denial().is_some());
    assert_eq!(server.log().len(), 1);
}

#[test]
fn every_redirect_is_checked() {
    let bytes = Tiff::default().bytes();
    let other = Server::of_file(bytes.clone());
    let (ok, shut) = (other.url("ok/a.tif"), other.url("shut/a.tif"));
    let server = Server::start(move |request, _| {
        let target = match request.target.as_str() {
            "/to_ok" => ok.clone(),
            "/to_shut" => shut.clone(),
            "/twice" => "/to_shut".to_owned(),
            "/to_local" => "file:///etc/passwd".to_owned(),
            _ => return Reply::File(bytes.clone()),
        };
        Reply::Status(302, format!("Location: {target}\r\n"), String::new())
    });
    let session = locked(&session(&[]), &[&server.url(""), &other.url("ok/")]);
    assert_eq!(denial(&session, &server.url("to_ok")), None);
    for path in ["to_shut", "twice"] {
        let words = denial(&session, &server.url(path)).unwrap();
        assert!(words.contains(&other.url("shut/a.tif")), "{words}");
    }
    let error = session.headers(&[&server.url("to_local")]).remove(0).unwrap_err().to_string();
    assert!(error.ends_with("redirected elsewhere (HTTP 302)"), "{error}");
    assert!(other.log().iter().all(|request| request.target == "/ok/a.tif"), "{:?}", other.log());
}

#[test]
fn secrets_stay_with_their_server() {
    let bytes = Tiff::default().bytes();
    let other = Server::of_file(bytes);
    let target = other.url("a.tif").replace("127.0.0.1", "localhost");
    let to_other = move || {
        let target = target.clone();
        Server::start(move |_, _| Reply::Status(307, format!("Location: {target}\r\n"), String::new()))
    };
    // The redirect is followed without the credentials of the URL.
    let server = to_other();
    let url = server.url("a.tif?sig=SECRET").replace("http://", "http://me:SECRET@");
    session(&[]).headers(&[&url]).remove(0).unwrap();
    let head = other.log()[0].head.to_lowercase();
    assert!(
        head.contains("range: bytes=0-32767") && !head.contains("authorization") && !head.contains("secret"),
        "{head}"
    );
    // Redirects of signed requests are not followed.
    let before = other.log().len();
    let endpoint = to_other();
    let endpoint = endpoint.url("");
    for (href, variables) in [
        (
            "s3://b/a.tif",
            vec![
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "SECRET"),
                ("AWS_SESSION_TOKEN", "SECRET"),
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_REGION", "us-east-1"),
            ],
        ),
        (
            "az://c/a.tif",
            vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
                ("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=SECRET"),
                ("AZURE_STORAGE_ENDPOINT", endpoint.as_str()),
            ],
        ),
        (
            "az://c/a.tif",
            vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
                ("AZURE_STORAGE_ACCOUNT_KEY", "U0VDUkVU"),
                ("AZURE_STORAGE_ENDPOINT", endpoint.as_str()),
            ],
        ),
    ] {
        let error = session(&variables).headers(&[href]).remove(0).unwrap_err().to_string();
        assert!(error.contains("HTTP 307"), "{href}: {error}");
    }
    assert_eq!(other.log().len(), before);
}

#[test]
fn headers_are_cached_by_credential() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |request, _| {
        match request.head.contains("authorization: Basic bWU6cHc=") || request.target.ends_with("?sig=good") {
            true => Reply::File(bytes.clone()),
            false => Reply::Status(403, String::new(), String::new()),
        }
    });
    let session = session(&[]);
    let with = |user: &str| server.url("a.tif").replace("http://", &format!("http://{user}@"));
    let (none, login) = ("without credentials", "with the login of the location");
    let query = "with the query of the location, and no other credentials";
    for (good, bad) in [
        (with("me:pw"), [(server.url("a.tif"), none), (with("me:guess"), login)]),
        (server.url("b.tif?sig=good"), [(server.url("b.tif"), none), (server.url("b.tif?sig=guess"), query)]),
    ] {
        session.headers(&[&good]).remove(0).unwrap();
        for (bad, credentials) in bad {
            let error = session.headers(&[&bad]).remove(0).unwrap_err().to_string();
            let expected = format!("forbidden (HTTP 403); the request was made {credentials}");
            assert!(error.ends_with(&expected), "{error}");
        }
        session.headers(&[&good]).remove(0).unwrap();
    }
}

#[test]
fn globs_are_checked() {
    let scratch = Scratch::new("access-globs");
    let tiff = Tiff::default().bytes();
    let inside = scratch.file("ok/a.tif", &tiff);
    scratch.file("no/b.tif", &tiff);
    let session = locked(&session(&[]), &[scratch.path("ok").to_str().unwrap()]);
    let files = |pattern: &str| session.files(&[scratch.path(pattern).to_str().unwrap()]);
    assert_eq!(files("ok/*.tif").unwrap(), [inside]);
    for pattern in ["*/*.tif", "no/*.tif", "ok/../no/*.tif", "**"] {
        assert!(files(pattern).unwrap_err().denial().is_some(), "{pattern}");
    }
    assert!(session.files(&["s3://b/*.tif"]).unwrap_err().denial().is_some());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../no/b.tif", scratch.path("ok/link.tif")).unwrap();
        assert!(files("ok/*.tif").unwrap_err().denial().is_some());
    }
}

#[test]
fn prefixes_of_the_environment() {
    let server = Server::of_file(Tiff::default().bytes());
    let scratch = Scratch::new("access-prefixes");
    let (inside, outside) = (scratch.file("ok/a.tif", &Tiff::default().bytes()), scratch.file("b.tif", b"x"));
    let prefixes = format!("{}, {}", server.url("ok"), scratch.path("ok").display());
    let session = session(&[("RASTERET_ALLOWED_PREFIXES", &prefixes)]);
    for (href, is_allowed) in
        [(&server.url("ok/a.tif"), true), (&inside, true), (&server.url("no/a.tif"), false), (&outside, false)]
    {
        let outcome = denial(&session, href);
        assert_eq!(outcome.is_none(), is_allowed, "{href}: {outcome:?}");
        if let Some(words) = outcome {
            assert_eq!(
                words,
                format!("Cannot access file \"{href}\" - no prefix in RASTERET_ALLOWED_PREFIXES allows it")
            );
        }
    }
}

#[test]
fn remote_documents_cannot_refer_to_local_files() {
    let scratch = Scratch::new("access-stac");
    let item = |href: &str, links: &str| {
        format!(
            r#"{{"type":"Feature","stac_version":"1.0.0","id":"i","geometry":null,
            "properties":{{"datetime":"2024-01-01T00:00:00Z"}},"links":[{links}],"assets":{{"B04":{{"href":"{href}"}}}}}}"#
        )
    };
    let local = scratch.file("item.json", item("a.tif", "").as_bytes());
    let body = {
        let local = local.clone();
        move |path: &str| match path {
            "/file.json" => item("file:///etc/passwd", ""),
            "/vsi.json" => item("/vsicurl/file:///etc/passwd", ""),
            "/self.json" => item("passwd", r#"{"rel":"self","href":"file:///etc/item.json"}"#),
            "/fine.json" => item("/a.tif", ""),
            _ => format!(
                r#"{{"type":"Catalog","id":"c","links":[{{"rel":"item","href":"{}"}}]}}"#,
                if path == "/catalog.json" { local.clone() } else { format!("file://{local}") }
            ),
        }
    };
    let server = Server::start(move |request, _| Reply::File(body(&request.target).into_bytes()));
    let session = session(&[]);
    let read = |name: &str| StacTable::open(&session, &[server.url(name)], ReadOptions::default());
    assert_eq!(read("fine.json").unwrap().rows(), 1);
    for name in ["file.json", "vsi.json", "self.json"] {
        let error = read(name).unwrap_err().to_string();
        assert!(error.ends_with("a remote document cannot refer to a local file"), "{error}");
    }
    let search = |name: &str, ignore_errors| {
        StacTable::search(&session, &server.url(name), SearchOptions { ignore_errors, ..SearchOptions::default() })
    };
    for name in ["catalog2.json", "links.json"] {
        let error = search(name, false).unwrap_err();
        assert!(matches!(&error, Error::Store { location, .. } if location.to_string() == local), "{error}");
        assert_eq!(search(name, true).unwrap().rows(), 0);
    }
    // An absolute path is resolved on the same server.
    assert!(search("catalog.json", true).unwrap().rows() == 0);
    assert_eq!(StacTable::open(&session, &[local], ReadOptions::default()).unwrap().rows(), 1);
}
