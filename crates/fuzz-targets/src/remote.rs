//! Hrefs, and responses of servers and catalogs.

use std::sync::LazyLock;

use rasteret_io::stac::{ReadOptions, SearchOptions, StacTable};
use rasteret_io::{Location, Options, Session};

use super::scratch;

static SESSION: LazyLock<Session> = LazyLock::new(|| Session::new(Options::default()));

/// Checks that any href is a location or an error, without signatures and passwords in their text.
pub(crate) fn href(data: &[u8]) {
    const SECRET: &str = "c4n4ry";
    let Ok(text) = std::str::from_utf8(data) else { return };
    rasteret_io::fuzzing::answer(data);
    for href in
        [text.to_owned(), format!("https://u:{SECRET}@host/{text}"), format!("{text}?sig={SECRET}&token={SECRET}")]
    {
        let shown = match Location::parse(&href) {
            Ok(location) => format!("{location} {location:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        // `?` is an ordinary character of a local path.
        let is_url = href.contains("://") && !href.starts_with("file:");
        assert!(text.contains(SECRET) || !is_url || !shown.contains(SECRET), "{shown}");
    }
}

/// STAC files: Items, ItemCollections, lists, lines, static catalogs, and GeoParquet.
pub(crate) fn stac(data: &[u8]) {
    let path = scratch("json");
    if std::fs::write(&path, data).is_err() {
        return;
    }
    let href = path.to_string_lossy().into_owned();
    let options = SearchOptions { bbox: Some(vec![0.0, 0.0, 1.0, 1.0]), limit: Some(100), ..SearchOptions::default() };
    let tables = [
        StacTable::open(&SESSION, std::slice::from_ref(&href), ReadOptions { ignore_errors: false }),
        StacTable::open(&SESSION, std::slice::from_ref(&href), ReadOptions { ignore_errors: true }),
        StacTable::search(&SESSION, &href, options),
    ];
    for table in tables.into_iter().flatten() {
        let columns: Vec<usize> = (0..table.schema().fields().len()).collect();
        let mut rows = 0;
        let Ok(mut reader) = table.read(&columns) else { continue };
        while let Ok(Some(batch)) = reader.next_batch() {
            rows += batch.num_rows() as u64;
        }
        assert!(rows <= table.rows());
    }
}
