//! `FROM cog_metadata(paths)`: one row per file, with the fields of the header as columns.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rasteret_io::{CogFile, Session};

use super::file_scan::{FileList, FileScan, Scanned};
use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::schema::{BOUNDS, Cell, Field, METADATA, structs};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "cog_metadata",
    kind: Kind::Table,
    signatures: &["FROM cog_metadata(paths [, ignore_errors := false])"],
    description: "Reads the headers of GeoTIFF files, with one row per file.",
    parameters: &[params::PATHS],
    options: &[params::IGNORE_ERRORS],
    returns: "`filename`, each field of the metadata STRUCT as a column, and `bounds` in the raster's CRS.",
    examples: &[Example {
        sql: "SELECT filename, image_width, image_height, dtype, bounds.xmin FROM cog_metadata('test/data/cog.tif')",
        result: "test/data/cog.tif\t64\t64\tuint16\t500000.0",
    }],
};

/// The columns before and after the fields of the header.
const FILENAME: Field<Scanned<CogFile>> =
    Field { name: "filename", cell: Cell::Text(|scanned| Some(Cow::Borrowed(&scanned.href))) };
const BOX: Field<Scanned<CogFile>> = Field {
    name: "bounds",
    cell: Cell::Nested(
        || Field::struct_of(BOUNDS),
        |writer, rows| structs(writer, rows, BOUNDS, |scanned| Some(scanned.content.header.native_bounds())),
    ),
};

/// The table function.
pub(crate) struct CogMetadataTable;

impl TableFunction for CogMetadataTable {
    type Bind = FileList;
    type Global = Mutex<FileScan<CogFile>>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<FileList>> {
        let files = FileList::bind(session, info)?;
        let mut columns = vec![(FILENAME.name.to_owned(), FILENAME.cell.kind())];
        columns.extend(METADATA.iter().map(|field| (field.name.to_owned(), field.cell.kind())));
        columns.push((BOX.name.to_owned(), BOX.cell.kind()));
        Ok(Bind { rows: files.exact_len(), state: files, columns })
    }

    fn init(files: &FileList, _columns: &[usize]) -> Result<Init<Mutex<FileScan<CogFile>>>> {
        // A single thread preserves the order of the files, like read_parquet; fetching is still concurrent.
        Ok(Init { state: Mutex::new(files.scan(|session, hrefs| session.headers(hrefs))), max_threads: 1 })
    }

    fn next(
        _files: &FileList,
        scan: &Mutex<FileScan<CogFile>>,
        (): &mut (),
        output: &mut OutputChunk<'_>,
    ) -> Result<()> {
        let batch = scan.lock().unwrap_or_else(PoisonError::into_inner).next_batch()?;
        let rows: Vec<_> = batch.iter().map(Some).collect();
        let files: Vec<_> = batch.iter().map(|scanned| Some(&scanned.content)).collect();
        for (index, column) in output.columns().iter().copied().enumerate() {
            let writer = &mut output.writer(index)?;
            match column.checked_sub(1) {
                None => FILENAME.cell.write(writer, &rows)?,
                Some(field) if field < METADATA.len() => METADATA[field].cell.write(writer, &files)?,
                Some(field) if field == METADATA.len() => BOX.cell.write(writer, &rows)?,
                Some(_) => {}
            }
        }
        output.set_rows(batch.len())
    }
}
