//! Globs on buckets with unusual keys, with servers that list like S3, GCS and Azure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use percent_encoding::percent_decode_str;
use rasteret_io::Session;
use support::server::{Reply, Server};
use support::session;
use support::tiff::Tiff;

/// Keys of files that can be read, under exactly this name.
const FILES: &[&str] = &[
    "d/a.tif",
    "d/b c+d.tif",
    "d/%20%zz.tif",
    "d/q?x=1&y#z.tif",
    "d/\u{fc}\u{1f30d}.tif",
    "d/...tif",
    "d/sub/[x]{y}|^`\\\"<>.tif",
    "d/sub/deep/a.tif",
    "e.tif",
];

/// Keys that cannot be requested, and folder markers.
const ODD: &[&str] = &[
    "d/",
    "d/sub/",
    "d/empty/",
    "d/marker.tif/",
    "/",
    "//",
    "/e.tif",
    "/d/a.tif",
    "d//a.tif",
    "d//",
    "d/./a.tif",
    "d/../a.tif",
    "./e.tif",
    "d/sub//deep//a.tif",
    "d/control\u{1}.tif",
    "d/line\nbreak.tif",
    "d/\u{7f}.tif",
];

/// Keys per page; small, so that unusual keys are also at the ends of pages.
const PAGE: usize = 3;

/// Serves all keys in pages of S3 and GCS, or of Azure.
fn server() -> Server {
    let bytes = Tiff::default().bytes();
    Server::start(move |request, _| {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        if value("list-type") == Some("2") || value("comp") == Some("list") {
            let is_azure = value("comp").is_some();
            let after = value("continuation-token").or_else(|| value("marker"));
            let (entries, next) = page(value("prefix").unwrap_or(""), value("delimiter").is_some(), after);
            return Reply::Status(
                200,
                "Content-Type: application/xml\r\n".to_owned(),
                document(&entries, next, is_azure),
            );
        }
        let key = percent_decode_str(path).decode_utf8().unwrap();
        match FILES.iter().any(|file| key.strip_prefix("/b/") == Some(file)) {
            true => Reply::File(bytes.clone()),
            false => Reply::Status(404, String::new(), String::new()),
        }
    })
}

/// Returns a page of keys and prefixes (true) after `after`, and the start of the next page.
fn page(prefix: &str, is_delimited: bool, after: Option<&str>) -> (Vec<(String, bool)>, Option<String>) {
    let entries: BTreeSet<(String, bool)> = FILES
        .iter()
        .chain(ODD)
        .filter(|key| key.starts_with(prefix))
        .map(|key| match key[prefix.len()..].find('/').filter(|_| is_delimited) {
            Some(slash) => (key[..=prefix.len() + slash].to_owned(), true),
            None => ((*key).to_owned(), false),
        })
        .filter(|(entry, _)| after.is_none_or(|after| entry.as_str() > after))
        .collect();
    let next = entries.iter().nth(PAGE - 1).filter(|_| entries.len() > PAGE).map(|(entry, _)| entry.clone());
    (entries.into_iter().take(PAGE).collect(), next)
}

fn document(entries: &[(String, bool)], next: Option<String>, is_azure: bool) -> String {
    let mut text = String::new();
    for (entry, is_prefix) in entries {
        let name = escaped(entry);
        match (is_azure, is_prefix) {
            (false, true) => write!(text, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            (false, false) => write!(
                text,
                "<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>"
            ),
            (true, true) => write!(text, "<BlobPrefix><Name>{name}</Name></BlobPrefix>"),
            (true, false) => write!(
                text,
                "<Blob><Name>{name}</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified>\
                 <Content-Length>1</Content-Length><Content-Type>image/tiff</Content-Type></Properties></Blob>"
            ),
        }
        .unwrap();
    }
    let next = next.map(|next| escaped(&next));
    match (is_azure, next) {
        (false, Some(next)) => {
            format!("<ListBucketResult>{text}<NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>")
        }
        (false, None) => format!("<ListBucketResult>{text}</ListBucketResult>"),
        (true, next) => format!(
            "<EnumerationResults><Blobs>{text}</Blobs><NextMarker>{}</NextMarker></EnumerationResults>",
            next.unwrap_or_default()
        ),
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '<' | '>' | '&' | '"' | '\0'..' ' | '\u{7f}' => write!(escaped, "&#{};", u32::from(character)).unwrap(),
            _ => escaped.push(character),
        }
        escaped
    })
}

/// Returns a session for each cloud, and the start of its hrefs.
fn clouds(server: &Server) -> [(Session, &'static str); 3] {
    let endpoint = server.url("").trim_end_matches('/').to_owned();
    [
        (session(&[("AWS_ENDPOINT_URL", &endpoint)]), "s3://b/"),
        (session(&[("STORAGE_EMULATOR_HOST", &endpoint)]), "gs://b/"),
        (session(&[("AZURE_STORAGE_ENDPOINT", &endpoint), ("AZURE_STORAGE_ACCOUNT_NAME", "acc")]), "az://b/"),
    ]
}

#[test]
fn unusable_keys_are_skipped_and_others_are_found_and_read() {
    let server = server();
    for (session, head) in clouds(&server) {
        let keys = |pattern: &str| -> Vec<String> {
            let hrefs = session.files(&[&format!("{head}{pattern}")]).unwrap();
            hrefs.iter().map(|href| href.strip_prefix(head).unwrap().to_owned()).collect()
        };
        let files = |is_match: &dyn Fn(&str) -> bool| -> Vec<String> {
            let files: BTreeSet<_> = FILES.iter().filter(|key| is_match(key)).map(|key| (*key).to_owned()).collect();
            files.into_iter().collect()
        };
        assert_eq!(keys("**"), files(&|_| true), "{head}");
        assert_eq!(keys("d/**"), files(&|key| key.starts_with("d/")), "{head}");
        assert_eq!(keys("*"), ["e.tif"], "{head}");
        assert_eq!(keys("d/*"), files(&|key| key.starts_with("d/") && key.matches('/').count() == 1), "{head}");
        assert_eq!(keys("d/*/*"), files(&|key| key.matches('/').count() == 2), "{head}");
        assert_eq!(keys("*/sub/*/*.tif"), ["d/sub/deep/a.tif"], "{head}");
        let hrefs: Vec<String> = FILES.iter().map(|key| format!("{head}{key}")).collect();
        let hrefs: Vec<&str> = hrefs.iter().map(String::as_str).collect();
        for (href, file) in hrefs.iter().zip(session.headers(&hrefs)) {
            assert_eq!(file.unwrap().version.size, Some(100_000), "{href}");
        }
    }
}

#[test]
fn errors_of_requested_unusable_keys_contain_the_key() {
    let server = server();
    for (session, head) in clouds(&server) {
        for key in ["d//a.tif", "d/./a.tif", "d/../a.tif", "/e.tif", "d/line\nbreak.tif"] {
            let error = session.headers(&[&format!("{head}{key}")]).remove(0).unwrap_err().to_string();
            let shown = format!("{head}{}: expected a key", key.replace('\n', "\u{fffd}"));
            assert!(error.starts_with(&shown), "{error:?}");
        }
    }
    assert!(server.log().is_empty(), "{:?}", server.log());
}

/// Lists these keys and prefixes in one page, for any requested prefix.
fn listing_always(entries: &[(&str, bool)]) -> Server {
    let entries: Vec<(String, bool)> = entries.iter().map(|(entry, kind)| ((*entry).to_owned(), *kind)).collect();
    Server::start(move |request, _| {
        let page = document(&entries, None, request.target.contains("comp=list"));
        Reply::Status(200, "Content-Type: application/xml\r\n".to_owned(), page)
    })
}

#[test]
fn keys_outside_of_the_directory_are_skipped() {
    let keys = ["", "x", "dir", "dir2/a.tif", "di\u{20ac}/a.tif", "other/dir/a.tif", "dir/sub/a.tif", "dir/a.tif"];
    let prefixes = ["other/", "di/", "dir/sub/", "dir/sub/deep/", "d\u{20ac}/"];
    let entries = keys.iter().map(|key| (*key, false)).chain(prefixes.iter().map(|prefix| (*prefix, true)));
    let server = listing_always(&entries.collect::<Vec<_>>());
    for (session, head) in clouds(&server) {
        for (pattern, expected) in [
            ("dir/**", vec!["dir/a.tif", "dir/sub/a.tif"]),
            ("dir/**/a.tif", vec!["dir/a.tif", "dir/sub/a.tif"]),
            ("dir/*.tif", vec!["dir/a.tif"]),
            ("dir/*/*.tif", vec!["dir/sub/a.tif"]),
        ] {
            let found = session.files(&[&format!("{head}{pattern}")]).unwrap();
            assert_eq!(found, expected.iter().map(|key| format!("{head}{key}")).collect::<Vec<_>>(), "{pattern}");
        }
        assert!(session.files(&[&format!("{head}a-longer-directory/**")]).is_err());
        assert!(session.files(&[&format!("{head}*/*/*/*.tif")]).is_err());
    }
}

#[test]
fn a_pattern_of_many_directories_is_matched_in_time() {
    let key = format!("{}c", "a/".repeat(200));
    let server = listing_always(&[(&key, false)]);
    for (session, head) in clouds(&server) {
        let pattern = |last: &str| format!("{head}{}{last}", "**/a/".repeat(60));
        assert_eq!(session.files(&[&pattern("**/c")]).unwrap(), [format!("{head}{key}")]);
        assert!(session.files(&[&pattern("b")]).is_err());
        assert_eq!(session.files(&[&format!("{head}**")]).unwrap(), [format!("{head}{key}")]);
    }
}

/// Returns the entries of a page, and the token of the next one, from the number of the page.
type Page = fn(usize) -> (Vec<(String, bool)>, String);

/// Lists pages without end.
fn endless(page: Page) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request, _| {
        let (entries, next) = page(count.fetch_add(1, Ordering::Relaxed));
        let page = document(&entries, Some(next), request.target.contains("comp=list"));
        Reply::Status(200, "Content-Type: application/xml\r\n".to_owned(), page)
    })
}

#[test]
fn a_listing_without_end_is_an_error() {
    let repeated: Page = |number| (vec![(format!("{number}.tif"), false)], "token".to_owned());
    let cycle: Page = |number| (Vec::new(), format!("token {}", number % 3));
    let empty: Page = |number| (Vec::new(), format!("token {number}"));
    let same: Page = |number| (vec![("a.tif".to_owned(), false)], format!("token {number}"));
    for (page, pattern, expected, requests) in [
        (repeated, "*", "repeats a page", 6),
        (repeated, "**", "repeats a page", 6),
        (cycle, "**", "repeats a page", 14),
        (empty, "*", "more than 1000 consecutive pages without new entries", 1001),
        (same, "**", "more than 1000 consecutive pages without new entries", 1002),
    ] {
        for (cloud, head) in ["s3", "gs", "az"].into_iter().enumerate() {
            let server = endless(page);
            let (session, bucket) = &clouds(&server)[cloud];
            let error = session.files(&[&format!("{bucket}{pattern}")]).unwrap_err().to_string();
            assert!(error.contains(expected), "{head} {pattern}: {error}");
            assert_eq!(server.log().len(), requests, "{head} {pattern}");
        }
    }
}

#[test]
fn the_entries_of_a_listing_are_bounded_by_memory() {
    let new: Page = |number| {
        let names = (0..100).map(|key| (format!("{number}/{key}.tif"), false));
        (names.collect(), format!("token {number}"))
    };
    for pattern in ["**", "*"] {
        let server = endless(new);
        for (session, head) in clouds(&server) {
            session.set_memory_limit(1 << 20);
            let error = session.files(&[&format!("{head}{pattern}")]).unwrap_err().to_string();
            assert!(error.contains("take more than 524288 bytes"), "{head}{pattern}: {error}");
        }
        // An entry takes about 170 bytes.
        assert!((85..110).contains(&server.log().len()), "{}", server.log().len());
    }
}
