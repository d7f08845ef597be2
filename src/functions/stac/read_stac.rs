//! `FROM read_stac(paths)`: STAC Items in files as a table.

use std::sync::Mutex;

use rasteret_io::Session;
use rasteret_io::stac::{ReadOptions, StacTable};

use super::stac_items::{self, Execution, Items};
use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "read_stac",
    kind: Kind::Table,
    signatures: &["FROM read_stac(paths [, ignore_errors := false])"],
    description: "Reads STAC Items from files, with one row per Item. Supports STAC 0.7 to 1.1, in files of one Item, \
        an ItemCollection, a list of Items, newline-delimited JSON of any of these, and STAC GeoParquet. Catalogs and \
        Collections among the files have no rows. All items are read when the query is planned, to determine their \
        columns; up to 64 MiB of them are kept in memory, more in a temporary file.",
    parameters: &[Parameter {
        description: "A path, a URL, a glob, or a list of them. The format is detected from the content.",
        ..params::PATHS
    }],
    options: &[Parameter {
        description: "Skips items and files that cannot be read. Otherwise the first one is an error that names the \
            file, the item and the problem.",
        ..params::IGNORE_ERRORS
    }],
    returns: super::stac_items::COLUMNS,
    examples: &[Example {
        sql: "SELECT id, datetime, \"proj:epsg\" AS epsg, assets.B04.href, assets.B04.bands[1].name AS band \
              FROM read_stac('test/data/stac/item.json')",
        result: "scene-0\t2023-12-30 10:30:00\t32631\ttest/data/cog.tif\tB04",
    }],
};

/// The table function.
pub(crate) struct ReadStac;

impl TableFunction for ReadStac {
    type Bind = Items;
    type Global = Mutex<Execution>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Items>> {
        let paths = files::paths(session, info)?;
        let ignore_errors = params::ignore_errors(info);
        Items::bind(StacTable::open(session, &paths, ReadOptions { ignore_errors })?)
    }

    fn init(items: &Items, columns: &[usize]) -> Result<Init<Mutex<Execution>>> {
        items.init(columns)
    }

    fn next(_items: &Items, execution: &Mutex<Execution>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        stac_items::next(execution, output)
    }
}
