//! `FROM rasteret_stats()`: requests, bytes and cache hits of the process, per origin.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rasteret_io::{OriginStats, Session};

use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::schema::{Cell, Field, plain};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "rasteret_stats",
    kind: Kind::Table,
    signatures: &["FROM rasteret_stats()"],
    description: "Returns the numbers of requests, bytes and cache hits per origin since the extension was loaded, over all databases and sessions of \
        the process. A forked process counts from zero.",
    parameters: &[],
    options: &[],
    returns: "One row per origin, sorted by `origin`: `https://host:port`, a bucket such as `s3://bucket`, or `file://` for local files. \
        `requests`: HTTP requests, including retries and redirects; reads of local files; opens and reads through DuckDB's file system. \
        `bytes`: bytes received or read. `retries`: repeated requests. `errors`: requests that failed after all retries. \
        `headers_from_cache` and `tiles_from_cache`: headers and tiles that needed no request. `in_flight`: requests without a response. \
        From the 1,001st origin on, counts are summed as `(other)`.",
    examples: &[
        Example { sql: "SELECT cog_metadata('test/data/cog.tif').image_width", result: "64" },
        Example {
            sql: "SELECT requests > 0, bytes > 0, retries FROM rasteret_stats() WHERE origin = 'file://'",
            result: "true\ttrue\t0",
        },
    ],
};

/// BIGINT of a count.
fn count(value: u64) -> Option<i64> {
    Some(i64::try_from(value).unwrap_or(i64::MAX))
}

const COLUMNS: &[Field<OriginStats>] = &[
    Field { name: "origin", cell: Cell::Text(|row| Some(Cow::Borrowed(&row.origin))) },
    Field { name: "requests", cell: plain!(Bigint, |row| count(row.requests)) },
    Field { name: "bytes", cell: plain!(Bigint, |row| count(row.bytes)) },
    Field { name: "retries", cell: plain!(Bigint, |row| count(row.retries)) },
    Field { name: "errors", cell: plain!(Bigint, |row| count(row.errors)) },
    Field { name: "headers_from_cache", cell: plain!(Bigint, |row| count(row.headers_from_cache)) },
    Field { name: "tiles_from_cache", cell: plain!(Bigint, |row| count(row.tiles_from_cache)) },
    Field { name: "in_flight", cell: plain!(Bigint, |row| count(row.in_flight)) },
];

/// The table function.
pub(crate) struct RasteretStats;

impl TableFunction for RasteretStats {
    type Bind = ();
    /// The rows that are not written yet, the last one first.
    type Global = Mutex<Vec<OriginStats>>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        Vec::new()
    }

    fn bind(_session: &Session, _info: &BindInfo) -> Result<Bind<()>> {
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state: (), columns, rows: None })
    }

    fn init((): &(), _columns: &[usize]) -> Result<Init<Self::Global>> {
        let mut rows = rasteret_io::stats();
        rows.reverse();
        Ok(Init { state: Mutex::new(rows), max_threads: 1 })
    }

    fn next((): &(), rows: &Self::Global, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let mut left = rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = left.len().saturating_sub(output.capacity());
        let mut chunk = left.split_off(rest);
        chunk.reverse();
        output.write_fields(COLUMNS, &chunk.iter().map(Some).collect::<Vec<_>>())
    }
}
