//! `FROM rasteret_refresh(source, …)`: compares the files of an index with their indexed versions.

use std::borrow::Cow;

use rasteret_io::Session;
use rasteret_io::maintenance::{FileStatus, Refresh, RefreshStream};

use super::collection;
use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::schema::{Cell, Field, plain};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "rasteret_refresh",
    kind: Kind::Table,
    signatures: &["FROM rasteret_refresh(source [, bands := NULL, assets_column := 'assets', href_column := NULL, \
        url_rewrite := MAP {}, max_concurrent := 300, hive_partitioning := NULL])"],
    description: "Compares each file with the version in the index, with one row per file. Each file needs one \
        request for at most one byte. If the index has an entity tag, the request is conditional, and a server \
        responds with status 304 for an unchanged file. Headers are not read; cached headers of changed files are \
        dropped, so that indexing them again fetches the new ones.",
    parameters: &[collection::SOURCE],
    options: &[
        Parameter {
            description: "Bands whose files are checked. NULL: all bands with a metadata column.",
            ..collection::BANDS
        },
        collection::ASSETS_COLUMN,
        collection::HREF_COLUMN,
        collection::URL_REWRITE,
        collection::HIVE_PARTITIONING,
        params::MAX_CONCURRENT,
    ],
    returns: "`href` VARCHAR, as in the record; `status` VARCHAR; `indexed_size` BIGINT, `indexed_etag` VARCHAR and \
        `indexed_last_modified` TIMESTAMP from the index; `found_size`, `found_etag` and `found_last_modified` of the \
        current file; `error` VARCHAR. Status: `unchanged`; `changed` (size or entity tag differ, or the date if \
        there is no tag, see `RASTERET_CHECK_VERSION`; `cog_read` rejects such a file); `gone` (404, 410, no such \
        file); `unknown` (only sizes to compare, or `RASTERET_CHECK_VERSION=none`); `unindexed` (no header in the \
        index; no request is made); `error` (the request failed, with the reason). Rows are in the order of the first \
        occurrence of each file in the index.",
    examples: &[Example {
        sql: "SELECT status, count(*) FROM rasteret_refresh('test/data/index_broken.parquet') GROUP BY ALL ORDER BY ALL",
        result: "changed\t2\ngone\t1\nunindexed\t1\nunknown\t1",
    }],
};

const COLUMNS: &[Field<FileStatus>] = &[
    Field { name: "href", cell: Cell::Text(|file| Some(Cow::Borrowed(&file.href))) },
    Field { name: "status", cell: Cell::Text(|file| Some(Cow::Borrowed(file.status.name()))) },
    Field { name: "indexed_size", cell: plain!(Bigint, |file| i64::try_from(file.indexed.size?).ok()) },
    Field { name: "indexed_etag", cell: Cell::Text(|file| file.indexed.etag.as_deref().map(Cow::Borrowed)) },
    Field { name: "indexed_last_modified", cell: plain!(Timestamp, |file| file.indexed.last_modified) },
    Field { name: "found_size", cell: plain!(Bigint, |file| i64::try_from(file.found.size?).ok()) },
    Field { name: "found_etag", cell: Cell::Text(|file| file.found.etag.as_deref().map(Cow::Borrowed)) },
    Field { name: "found_last_modified", cell: plain!(Timestamp, |file| file.found.last_modified) },
    Field { name: "error", cell: Cell::Text(|file| file.error.as_ref().map(|error| Cow::Owned(error.to_string()))) },
];

/// The table function.
pub(crate) struct RasteretRefresh;

impl TableFunction for RasteretRefresh {
    type Bind = Refresh;
    type Global = RefreshStream;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Refresh>> {
        let source = collection::source(info)?;
        let source: Vec<&str> = source.iter().map(String::as_str).collect();
        // Same as rasteret_enrich: the throughput of a single server does not grow much beyond it.
        let max_concurrent = params::count(info, &params::MAX_CONCURRENT)?.unwrap_or(300);
        let refresh = Refresh::new(session, &source, collection::options(info)?, max_concurrent)
            .map_err(|error| collection::with_folder_hint(error, &source))?;
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state: refresh, columns, rows: None })
    }

    fn init(refresh: &Refresh, _columns: &[usize]) -> Result<Init<RefreshStream>> {
        // A single thread preserves the order of the index; requests are still concurrent.
        Ok(Init { state: refresh.start()?, max_threads: 1 })
    }

    fn next(_: &Refresh, stream: &RefreshStream, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let files = stream.next()?.unwrap_or_default();
        output.write_fields(COLUMNS, &files.iter().map(Some).collect::<Vec<_>>())
    }
}
