//! Code shared by the STAC functions: a table that was read at bind, and its batches.

use std::sync::{Mutex, PoisonError};

use rasteret_io::stac::{StacReader, StacTable};

use crate::error::Result;
use crate::host::Host;
use crate::vector::{Bind, Init, OutputChunk, arrow};

/// The columns, for the documentation.
pub(super) const COLUMNS: &str = "`id`, `collection`, `datetime` TIMESTAMP (UTC), `geometry` (GEOMETRY if DuckDB \
    supports it, else WKB as BLOB), `bbox` STRUCT(xmin, ymin, xmax, ymax), `assets`, `\"proj:epsg\"`, \
    `\"eo:cloud_cover\"`, the other properties, `stac_version`, `stac_extensions`, `links`, and members of items that \
    are not defined by STAC. `assets` is a STRUCT with one field per asset key, each a STRUCT with `href`, `type`, \
    `title`, `roles`, the other members, and `bands`, for all forms of bands; with more than 4,096 fields in total it \
    is a MAP. Relative hrefs are resolved against the item's `self` link if it is absolute, else against the file. \
    `\"proj:epsg\"` is the code of the first of `proj:code`, `proj:epsg`, `eo:epsg`, `crs`, `proj:wkt2` and \
    `proj:projjson` that names a CRS, else the common CRS of all GeoTIFF assets. Bare `NaN`, `Infinity` and \
    `-Infinity` are read as NULL. The type of a property is the BOOLEAN, BIGINT, DOUBLE, TIMESTAMP, VARCHAR, LIST or \
    STRUCT that fits the values of all items: strings mixed with numbers are VARCHAR, and lists or objects mixed with \
    other types are JSON as VARCHAR. `proj:projjson` and `proj:geometry` are always JSON as VARCHAR.";

/// Items, bound.
pub(crate) struct Items(StacTable);

/// A running query.
pub(crate) struct Execution {
    reader: StacReader,
    /// For each output vector, whether it belongs to a column of the items; a query that uses no column may request
    /// another position.
    vectors: Vec<bool>,
}

impl Items {
    /// Declares the columns.
    pub(super) fn bind(table: StacTable) -> Result<Bind<Self>> {
        let host = Host::current();
        let fields = table.schema().fields().iter();
        let columns = fields.map(|field| Ok((field.name().clone(), arrow::logical_type(field, host)?)));
        let (columns, rows) = (columns.collect::<Result<_>>()?, Some(table.rows()));
        Ok(Bind { state: Self(table), columns, rows })
    }

    /// Starts at the first item.
    pub(super) fn init(&self, columns: &[usize]) -> Result<Init<Mutex<Execution>>> {
        let count = self.0.schema().fields().len();
        let vectors: Vec<bool> = columns.iter().map(|column| *column < count).collect();
        let columns: Vec<usize> = columns.iter().copied().filter(|column| *column < count).collect();
        let reader = self.0.read(&columns)?;
        // A single thread preserves the order of the items.
        Ok(Init { state: Mutex::new(Execution { reader, vectors }), max_threads: 1 })
    }
}

/// The next items of an execution.
pub(super) fn next(execution: &Mutex<Execution>, output: &mut OutputChunk<'_>) -> Result<()> {
    let mut execution = execution.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(batch) = execution.reader.next_batch()? else { return output.set_rows(0) };
    let mut columns = batch.columns().iter();
    let vectors = execution.vectors.iter().enumerate().filter(|(_, is_column)| **is_column);
    for ((index, _), column) in vectors.zip(columns.by_ref()) {
        arrow::write(&mut output.writer(index)?, column)?;
    }
    output.set_rows(batch.num_rows())
}
