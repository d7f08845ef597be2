//! Globs on object stores: listing requests and results.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use rasteret_io::Session;
use support::session;
use support::store::Counting;

const KEYS: &[&str] = &[
    "2024/01/B04.tif",
    "2024/01/B08.tif",
    "2024/02/B04.tif",
    "2024/02/meta.json",
    "2024/x/deep/B04.tif",
    "2025/01/B04.tif",
    "top.tif",
    "odd %20#?/ü b.tif",
];

fn bucket() -> (Session, Arc<Counting<InMemory>>) {
    let (session, store) = (session(&[]), Counting::new(InMemory::new()));
    session
        .block_on(async {
            for key in KEYS {
                store.put(&Path::parse(key).unwrap(), PutPayload::new()).await.unwrap();
            }
        })
        .unwrap();
    session.serve_bucket("b", store.clone());
    (session, store)
}

#[test]
fn matches_of_globs() {
    let (session, _) = bucket();
    let keys = |pattern: &str| -> Vec<String> {
        let hrefs = session.files(&[&format!("s3://b/{pattern}")]).unwrap_or_default();
        hrefs.iter().map(|href| href.strip_prefix("s3://b/").unwrap().to_owned()).collect()
    };
    assert_eq!(keys("*.tif"), ["top.tif"]);
    assert_eq!(keys("2024/*/B04.tif"), ["2024/01/B04.tif", "2024/02/B04.tif"]);
    assert_eq!(keys("2024/0[12]/B0?.tif"), ["2024/01/B04.tif", "2024/01/B08.tif", "2024/02/B04.tif"]);
    assert_eq!(keys("20*/01/*"), ["2024/01/B04.tif", "2024/01/B08.tif", "2025/01/B04.tif"]);
    assert_eq!(keys("2024/**/B04.tif"), ["2024/01/B04.tif", "2024/02/B04.tif", "2024/x/deep/B04.tif"]);
    assert_eq!(keys("**/*.tif").len(), 7);
    assert_eq!(keys("**").len(), KEYS.len());
    assert_eq!(keys("2024/02/**"), ["2024/02/B04.tif", "2024/02/meta.json"]);
    assert_eq!(keys("odd*/*.tif"), ["odd %20#?/ü b.tif"]);
    assert_eq!(keys("2023/*.tif"), [""; 0]);
}

#[test]
fn only_prefixes_of_the_pattern_are_listed() {
    let (session, store) = bucket();
    session.files(&["s3://b/2024/01/B0*.tif"]).unwrap();
    assert_eq!(store.log(), ["list 2024/01"]);
    session.files(&["s3://b/2024/*/B04.tif"]).unwrap();
    let mut listed = store.log()[1..].to_vec();
    listed.sort();
    assert_eq!(listed, ["list 2024", "list 2024/01", "list 2024/02", "list 2024/x"]);
    session.files(&["s3://b/2024/**/*.tif"]).unwrap();
    assert_eq!(store.log().last().unwrap(), "list all 2024");
    let before = store.log().len();
    assert_eq!(session.files(&["s3://b/none.tif"]).unwrap(), ["s3://b/none.tif"]);
    assert_eq!(store.log().len(), before);
}

#[test]
fn errors_of_patterns() {
    let (session, _) = bucket();
    let error = |pattern: &str| session.files(&[pattern]).unwrap_err().to_string();
    assert_eq!(error("s3://b/*.png"), "no files found that match the pattern: 's3://b/*.png'");
    assert!(error("s3://b*/a.tif").starts_with("expected a bucket or container without wildcards"));
    assert!(error("s3://b/[a.tif").starts_with("not a glob"));
    let http = error("https://host/a/*.tif?sig=SECRET");
    assert!(http.starts_with("http has no listing") && !http.contains("SECRET"), "{http}");
    assert!(error("ftp://host/*.tif").contains("scheme ftp:// cannot be read"));
    // `?` and brackets are not wildcards in a URL.
    let literal = "https://host/a[1].tif?x=*";
    assert_eq!(session.files(&[literal]).unwrap(), [literal]);
}

#[test]
fn a_missing_object_is_not_found() {
    let (session, _) = bucket();
    let error = session.headers(&["s3://b/none.tif"]).remove(0).unwrap_err();
    assert_eq!(error.to_string(), "s3://b/none.tif: not found (HTTP 404)");
}

#[test]
fn an_azure_container_needs_an_account() {
    let error = session(&[]).headers(&["az://container/a.tif"]).remove(0).unwrap_err().to_string();
    assert!(error.starts_with("az://container/a.tif: no storage account"), "{error}");
}
