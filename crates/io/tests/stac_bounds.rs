//! Endless STAC servers and files: pages, catalogs, items.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use rasteret_io::Result;
use rasteret_io::stac::{ReadOptions, SearchOptions, StacTable};
use support::server::{Reply, Server};
use support::{Scratch, session};

fn json(body: impl Into<String>) -> Reply {
    Reply::Bytes(200, "Content-Type: application/json\r\n".to_owned(), body.into().into_bytes())
}

fn item(id: &str) -> String {
    format!(
        r#"{{"type": "Feature", "stac_version": "1.0.0", "id": "{id}", "geometry": null, "assets": {{}}, "links": [],
            "properties": {{"datetime": "2024-01-01T00:00:00Z"}}}}"#
    )
}

/// A page of one item, whose next page is `next`.
fn page(id: &str, next: &str) -> Reply {
    let item = item(id);
    json(format!(
        r#"{{"type": "FeatureCollection", "features": [{item}], "links": [{{"rel": "next", "href": "{next}"}}]}}"#
    ))
}

fn search(server: &Server, path: &str, options: SearchOptions) -> Result<u64> {
    StacTable::search(&session(&[]), &server.url(path), options).map(|table| table.rows())
}

#[test]
fn the_number_of_pages_of_one_item_is_limited() {
    let server = Server::start(|_, number| match number {
        400.. => json(r#"{"type": "FeatureCollection", "features": []}"#),
        _ => page(&number.to_string(), &format!("/search?page={number}")),
    });
    let error = search(&server, "search", SearchOptions::default()).unwrap_err().to_string();
    let expected =
        "expected a tenth of 100 items per page, found 250 items on 250 pages: use a smaller page_size to continue";
    assert!(error.ends_with(expected), "{error}");
    assert_eq!(server.log().len(), 250);

    let page_size = SearchOptions { page_size: Some(10), ..SearchOptions::default() };
    assert_eq!(search(&server, "search", page_size).unwrap(), 150);
}

#[test]
fn repeated_items_end_a_search() {
    let server = Server::start(|_, number| page("always", &format!("/search?page={number}")));
    let error = search(&server, "search", SearchOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("found 5 pages in a row with items of earlier pages only"), "{error}");
    assert_eq!(server.log().len(), 6);
}

#[test]
fn the_depth_of_catalogs_is_limited() {
    let server = Server::start(|_, number| {
        let links = format!(r#"{{"rel": "child", "href": "/{number}.json"}}"#);
        json(format!(r#"{{"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": [{links}]}}"#))
    });
    let error = search(&server, "catalog.json", SearchOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("expected at most 64 levels of Catalogs, found more: search a part"), "{error}");
    assert_eq!(server.log().len(), 65);
}

#[test]
fn documents_and_items_are_limited_by_a_share_of_the_memory_limit() {
    let session = session(&[("RASTERET_MEMORY_LIMIT_BYTES", "67108864")]);
    let scratch = Scratch::new("stac_bounds");
    let read = |name: &str, text: &str, ignore_errors| {
        let files = [scratch.file(name, text.as_bytes())];
        StacTable::open(&session, &files, ReadOptions { ignore_errors }).map(|table| table.rows())
    };
    let long = item(&"x".repeat(2 << 20));
    let error = read("long.json", &long, false).unwrap_err().to_string();
    assert!(
        error.ends_with("expected JSON of at most 1048576 bytes per item (a share of the memory limit), found more"),
        "{error}"
    );
    assert_eq!(read("long.json", &long, true).unwrap(), 0);
    // The length of a collection is not limited.
    let items: Vec<String> = (0..40_000).map(|id| item(&id.to_string())).collect();
    let collection = format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, items.join(","));
    assert!(collection.len() > 4 << 20);
    assert_eq!(read("collection.json", &collection, false).unwrap(), 40_000);

    let server = Server::start(move |_, _| {
        json(format!(r#"{{"type": "Catalog", "id": "{}", "links": []}}"#, "x".repeat(5 << 20)))
    });
    let error = StacTable::search(&session, &server.url("catalog.json"), SearchOptions::default()).unwrap_err();
    assert!(error.to_string().contains("expected a document of at most 4194304 bytes"), "{error}");
    let error = StacTable::search(&session, &server.url("search"), SearchOptions::default()).unwrap_err();
    assert!(error.to_string().contains("expected a response of at most 4194304 bytes, found 5242922"), "{error}");
}
