//! `FROM rasteret_validate(source, …)`: the problems of an index.

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
    description: "Validates an index, with one row per problem. A valid index has no rows. The metadata is checked \
        against the index format, the tile grid and the record, and with `headers` against the current files.",
    parameters: &[collection::SOURCE],
    options: &[
        Parameter {
            description: "Bands that every record must have. NULL: all bands with a metadata column; records without \
                a file for a band may then lack its metadata, unless `rasteret_error` names the band, which means \
                that the index was built with it in `bands`.",
            ..collection::BANDS
        },
        HEADERS,
        collection::ASSETS_COLUMN,
        collection::HREF_COLUMN,
        collection::URL_REWRITE,
        collection::HIVE_PARTITIONING,
    ],
    returns: "`record` VARCHAR, the record's `id`, or its position counted from 0 if it has none, NULL for a problem \
        of the index; `band` VARCHAR, NULL for a problem of the whole record; `check` VARCHAR; `message` VARCHAR; \
        `filename` VARCHAR of the Parquet file. Checks: `column` (a requested band has no column, or there is no \
        metadata at all), `type` (a field of the STRUCT is missing or has a different type), `id` (NULL or \
        duplicate), `bbox` (not finite, or minimum and maximum swapped), `missing` (no metadata although there is a \
        file for the band, or the band was requested), `href` (metadata without an href), `null` (a field required \
        for reading is NULL), `value` (a size of 0, an unknown dtype, …), `transform` (not six numbers, or not \
        invertible), `tables` (not one entry per tile, or a tile beyond the end of the file), `crs` (the EPSG code of \
        the header differs from that of the record), `header` (the file cannot be read, or its header differs from \
        the index).",
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
    description: "Reads the header of every file again and compares it with the index. This does not detect different \
        pixels under the same header; see `rasteret_refresh`. Without this option, only the index is read.",
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
