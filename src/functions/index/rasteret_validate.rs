//! `FROM rasteret_validate(source, …)`: what is wrong in an index.

use std::borrow::Cow;

use rasteret_io::Session;
use rasteret_io::maintenance::{Problem, Validation, ValidationStream};

use super::collection;
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::files;
use crate::options::OptionValues;
use crate::schema::{Cell, Field};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "rasteret_validate",
    kind: Kind::Table,
    signatures: &["FROM rasteret_validate(source [, bands := NULL, headers := false, assets_column := 'assets', \
        href_column := NULL, url_rewrite := MAP {}, hive_partitioning := NULL])"],
    description: "What is wrong in an index, a row a problem; no row where it is sound. The metadata is held against the index \
        format, the tile grid and the record, and with `headers` against the files as they are now.",
    parameters: &[collection::SOURCE],
    options: &[
        Parameter {
            description: "Bands that every record must have. NULL: those with a metadata column; a record without a file of a band may lack \
                its metadata, unless `rasteret_error` names it, as it does where the index was built with that band in `bands`.",
            ..collection::BANDS
        },
        HEADERS,
        collection::ASSETS_COLUMN,
        collection::HREF_COLUMN,
        collection::URL_REWRITE,
        collection::HIVE_PARTITIONING,
    ],
    returns: "`record` VARCHAR, the record's `id`, or its position from 0 where it has none, NULL where it is the index that is \
        wrong; `band` VARCHAR, NULL where it is the whole record; `check` VARCHAR; `message` VARCHAR; `filename` VARCHAR of the \
        Parquet file. Checks: `column` (a band asked for has no column, or there is no metadata at all), `type` (a field of the \
        STRUCT is missing or of another type), `id` (NULL, or that of another record), `bbox` (not finite, or upside down), \
        `missing` (no metadata where there is a file of the band, or the band was asked for), `href` (metadata, but no href), \
        `null` (a field that reading needs), `value` (a size of 0, an unknown dtype, …), `transform` (not six numbers that can \
        be inverted), `tables` (not an entry a tile, or a tile beyond the end of the file), `crs` (the header's EPSG code is not \
        the record's), `header` (the file cannot be read, or its header is not the one indexed).",
    examples: &[
        Example { sql: "SELECT count(*) FROM rasteret_validate('test/data/index_python.parquet')", result: "0" },
        Example {
            sql: "SELECT record, band, \"check\", message FROM rasteret_validate('test/data/index_broken.parquet') \
                  WHERE record IN ('another crs', 'short tables') ORDER BY record",
            result: "another crs\tB04\tcrs\tthe header has EPSG:32633, the record EPSG:32631\n\
                short tables\tB04\ttables\texpected 16 entries, found 15 in tile_offsets and 16 in tile_byte_counts",
        },
    ],
};

const COLUMNS: &[Field<Problem>] = &[
    Field { name: "record", cell: Cell::Text(|problem| problem.record.as_deref().map(Cow::Borrowed)) },
    Field { name: "band", cell: Cell::Text(|problem| problem.band.as_deref().map(Cow::Borrowed)) },
    Field { name: "check", cell: Cell::Text(|problem| Some(Cow::Borrowed(problem.check.name()))) },
    Field { name: "message", cell: Cell::Text(|problem| Some(Cow::Borrowed(&problem.message))) },
    Field {
        name: "filename",
        cell: Cell::Text(|problem| problem.file.as_ref().map(|file| Cow::Owned(file.to_string()))),
    },
];

const HEADERS: Parameter = Parameter {
    name: "headers",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Read every file's header anew and compare. A file with other pixels under the same header is \
        not found so: see `rasteret_refresh`. Without it no file is opened but the index.",
};

/// The table function.
pub(crate) struct RasteretValidate;

impl TableFunction for RasteretValidate {
    type Bind = Validation;
    type Global = ValidationStream;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Validation>> {
        let source = collection::source(info)?;
        let source: Vec<&str> = source.iter().map(String::as_str).collect();
        let headers = info.boolean(&HEADERS).unwrap_or(false);
        let validation = Validation::new(session, &source, collection::options(info)?, headers)
            .map_err(|error| collection::with_folder_hint(error, &source))?;
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state: validation, columns, rows: None })
    }

    fn init(validation: &Validation, _columns: &[usize]) -> Result<Init<ValidationStream>> {
        Ok(Init { state: validation.start()?, max_threads: 1 })
    }

    fn next(_: &Validation, stream: &ValidationStream, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let problems = stream.next()?.unwrap_or_default();
        output.write_fields(COLUMNS, &problems.iter().map(Some).collect::<Vec<_>>())
    }
}
