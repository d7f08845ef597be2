//! `FROM rasteret_enrich(source, …)`: records with the headers of their assets.

use std::sync::{Mutex, PoisonError};

use rasteret_io::Session;
use rasteret_io::enrich::{Column, EnrichOptions, EnrichPlan, EnrichStream, EnrichedBatch};

use super::collection::{HIVE_PARTITIONING, hive, with_folder_hint};
use super::documentation::{Documentation, Example, Kind, Parameter};
use super::{files, rasteret_normalize};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::schema::{Field, METADATA};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId, Value, arrow};

const STAC_SCALE: Parameter = Parameter {
    name: "stac_scale",
    kind: "BOOLEAN",
    default: Some("false"),
    description: "Take `scale` and `offset` of the metadata from the asset: `raster:scale` and `raster:offset` of its `bands` or of the \
        asset (STAC 1.1), or `scale` and `offset` of its `raster:bands` (STAC 1.0). Where the asset has none, they are those of \
        the file's header, as without the option.",
};

pub(super) static DOC: Documentation = Documentation {
    name: "rasteret_enrich",
    kind: Kind::Table,
    signatures: &["FROM rasteret_enrich(source [, bands := NULL, assets_column := 'assets', href_column := NULL, \
        band_index := MAP {}, url_rewrite := MAP {}, normalize := true, on_error := 'null', max_concurrent := 300, \
        batch_size := 100, stac_scale := false, hive_partitioning := NULL])"],
    description: "Records of Parquet files with the headers of their assets: builds an index. The files of all bands and \
        rows are fetched concurrently, once each.",
    parameters: &[
        Parameter {
            name: "source",
            kind: "VARCHAR or VARCHAR[]",
            default: None,
            description: "Parquet files: a path, a URL, a glob, or a list of them. STAC GeoParquet, or any table with hrefs.",
        },
        Parameter {
            name: "bands",
            kind: "VARCHAR or VARCHAR[]",
            default: Some("NULL"),
            description: "Asset keys. NULL: every asset that is a GeoTIFF by media type or extension.",
        },
        Parameter {
            name: "assets_column",
            kind: "VARCHAR",
            default: Some("'assets'"),
            description: "The column of assets: a STRUCT or a MAP of STRUCTs with an `href`, or STAC's JSON. Of columns of hrefs, write \
                `{B04: {href: red_href}, B08: {href: nir_href}} AS assets`.",
        },
        Parameter {
            name: "href_column",
            kind: "VARCHAR",
            default: Some("NULL"),
            description: "A column of hrefs, instead of assets: every band is in the same file, told apart by `band_index`, \
                which several bands must all have.",
        },
        Parameter {
            name: "band_index",
            kind: "MAP(VARCHAR, BIGINT)",
            default: Some("MAP {}"),
            description: "For a band, its position in its file, counted from 0.",
        },
        Parameter {
            name: "url_rewrite",
            kind: "MAP(VARCHAR, VARCHAR)",
            default: Some("MAP {}"),
            description: "Prefixes of hrefs and what to put in their place; the longest that fits counts.",
        },
        Parameter {
            name: "normalize",
            kind: "BOOLEAN",
            default: Some("true"),
            description: "Add `\"proj:epsg\"`, `crs`, `bbox`, `year` and `month` where the source lacks them; see `rasteret_normalize`.",
        },
        Parameter {
            name: "on_error",
            kind: "VARCHAR",
            default: Some("'null'"),
            description: "`'null'`: a file that fails has NULL metadata, and its reason in `rasteret_error`. `'fail'`: the \
                query fails. When every file fails, the query fails either way.",
        },
        Parameter {
            name: "max_concurrent",
            kind: "BIGINT",
            default: Some("300"),
            description: "Requests in flight at once.",
        },
        Parameter {
            name: "batch_size",
            kind: "BIGINT",
            default: Some("100"),
            description: "Rows that are complete before the first of them is seen; fetching goes on across batches.",
        },
        STAC_SCALE,
        HIVE_PARTITIONING,
    ],
    returns: "The source's columns, in order, unchanged; one `{band}_metadata` per band; the columns of `normalize`; and \
        `rasteret_error`: NULL, or which band failed and why.",
    examples: &[Example {
        sql: "SELECT id, B04_metadata.dtype, B08_metadata.image_width, year, month, rasteret_error \
              FROM rasteret_enrich('test/data/items.parquet', bands := ['B04', 'B08']) ORDER BY id LIMIT 1",
        result: "scene-0\tuint16\t64\t2023\t12\tNULL",
    }],
};

/// The table function.
pub(super) struct RasteretEnrich;

impl TableFunction for RasteretEnrich {
    type Bind = EnrichPlan;
    type Global = Mutex<Execution>;
    type Local = ();

    const NAME: &'static str = "rasteret_enrich";

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn named_parameters() -> Vec<(&'static str, LogicalType)> {
        let of = LogicalType::of;
        vec![
            // ANY: a band may stand alone, and the types of empty lists and maps are open.
            ("bands", of(TypeId::Any)),
            ("assets_column", of(TypeId::Varchar)),
            ("href_column", of(TypeId::Varchar)),
            ("band_index", of(TypeId::Any)),
            ("url_rewrite", of(TypeId::Any)),
            ("normalize", of(TypeId::Boolean)),
            ("on_error", of(TypeId::Varchar)),
            ("max_concurrent", of(TypeId::Bigint)),
            ("batch_size", of(TypeId::Bigint)),
            ("stac_scale", of(TypeId::Boolean)),
            ("hive_partitioning", of(TypeId::Boolean)),
        ]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<EnrichPlan>> {
        let source = info.argument(0).ok_or_else(|| Error::argument("expected a source, found no argument"))?;
        let source = files::texts("source", source)?;
        let source: Vec<&str> = source.iter().map(String::as_str).collect();
        let plan = EnrichPlan::new(session, &source, options(info)?).map_err(|error| with_hint(error, &source))?;
        let host = Host::current();
        let columns = plan
            .columns()
            .into_iter()
            .map(|(name, column)| Ok((name, column_type(&plan, column, host)?)))
            .collect::<Result<_>>()?;
        Ok(Bind { state: plan, columns, rows: None })
    }

    fn init(plan: &EnrichPlan, columns: &[usize]) -> Result<Init<Mutex<Execution>>> {
        let all = plan.columns();
        let projection: Vec<Option<Column>> =
            columns.iter().map(|&at| all.get(at).map(|(_, column)| *column)).collect();
        let stream = plan.start(&projection.iter().flatten().copied().collect::<Vec<_>>())?;
        // One thread keeps the records' order; fetching is concurrent all the same.
        Ok(Init { state: Mutex::new(Execution { stream, projection }), max_threads: 1 })
    }

    fn next(_plan: &EnrichPlan, execution: &Mutex<Execution>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let execution = execution.lock().unwrap_or_else(PoisonError::into_inner);
        match execution.stream.next()? {
            Some(batch) => execution.write(batch, output),
            None => output.set_rows(0),
        }
    }
}

/// A running query.
pub(super) struct Execution {
    stream: EnrichStream,
    /// What each output vector holds; None where the query asked for no column at all.
    projection: Vec<Option<Column>>,
}

impl Execution {
    /// Writes a batch, whose parts hold the projection's columns of their kind in the projection's order.
    fn write(&self, batch: EnrichedBatch, output: &mut OutputChunk<'_>) -> Result<()> {
        let rows = batch.source.num_rows();
        let mut source = batch.source.columns().iter();
        let mut metadata = batch.metadata.iter();
        let mut normalized = batch.normalized.iter();
        let missing = || Error::Internal("a column of the projection is missing".to_owned());
        for (index, column) in self.projection.iter().enumerate() {
            let Some(column) = column else { continue };
            let writer = &mut output.writer(index)?;
            match column {
                Column::Source(_) => arrow::write(writer, source.next().ok_or_else(missing)?)?,
                Column::Normalized(_) => arrow::write(writer, normalized.next().ok_or_else(missing)?)?,
                Column::Metadata(_) => {
                    let files = metadata.next().ok_or_else(missing)?;
                    Field::write_struct(METADATA, writer, &files.iter().map(Option::as_ref).collect::<Vec<_>>())?;
                }
                Column::Error => writer.texts(batch.errors.iter().map(Option::as_deref))?,
            }
        }
        output.set_rows(rows)
    }
}

/// The error, and how to enrich a table where a name of one was taken for a path.
fn with_hint(error: rasteret_io::Error, source: &[&str]) -> Error {
    let is_file = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains(['/', '\\', '*']) || [".parquet", ".parq", ".pq"].iter().any(|end| name.ends_with(end))
    };
    match (&error, source) {
        (rasteret_io::Error::Store { fault, .. }, [name]) if fault.is_not_found() && !is_file(name) => {
            Error::argument(format!(
                "source: expected Parquet files, found no file '{name}'; tables, views and queries go through \
                 rasteret_enrich_sql: FROM query(rasteret_enrich_sql('{}', ['band', ...]))",
                name.replace('\'', "''")
            ))
        }
        _ => with_folder_hint(error, source),
    }
}

fn column_type(plan: &EnrichPlan, column: Column, host: Host) -> Result<LogicalType> {
    Ok(match column {
        Column::Source(index) => arrow::logical_type(plan.source_schema().field(index), host)?,
        Column::Metadata(_) => Field::struct_of(METADATA),
        Column::Normalized(column) => rasteret_normalize::logical_type(column),
        Column::Error => LogicalType::varchar(),
    })
}

/// The named arguments; NULL is as good as none.
fn options(info: &BindInfo) -> Result<EnrichOptions> {
    let given = |name| info.named(name).filter(|value| !value.is_null());
    let mut options =
        EnrichOptions { geometry: Host::current().has_geometry(), hive: hive(info), ..EnrichOptions::default() };
    if let Some(value) = given("bands") {
        options.bands = Some(files::texts("bands", value)?);
    }
    if let Some(name) = given("assets_column").and_then(|value| value.text()) {
        options.assets_column = name;
    }
    options.href_column = given("href_column").and_then(|value| value.text());
    if let Some(value) = given("band_index") {
        options.band_index = pairs("band_index", "MAP(VARCHAR, BIGINT)", value, |band| {
            band.integer().and_then(|band| u32::try_from(band).ok())
        })?;
    }
    if let Some(value) = given("url_rewrite") {
        options.url_rewrite = pairs("url_rewrite", "MAP(VARCHAR, VARCHAR)", value, Value::text)?;
    }
    if let Some(normalize) = given("normalize").and_then(|value| value.boolean()) {
        options.normalize = normalize;
    }
    options.stac_scale = given("stac_scale").and_then(|value| value.boolean()).unwrap_or(false);
    if let Some(text) = given("on_error").and_then(|value| value.text()) {
        options.on_error = text.parse()?;
    }
    if let Some(value) = given("max_concurrent") {
        options.max_concurrent = count("max_concurrent", value)?;
    }
    if let Some(value) = given("batch_size") {
        options.batch_size = count("batch_size", value)?;
    }
    Ok(options)
}

/// A number of at least 1.
pub(super) fn count(name: &str, value: &Value) -> Result<usize> {
    let number = value.integer().unwrap_or(0);
    usize::try_from(number)
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| Error::argument(format!("{name}: expected a number of at least 1, found {number}")))
}

/// The entries of a MAP with text keys.
pub(super) fn pairs<T>(
    name: &str,
    expected: &str,
    value: &Value,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<(String, T)>> {
    let unexpected = || Error::argument(format!("{name}: expected {expected}, found {}", value.type_name()));
    let entries = value.map().ok_or_else(unexpected)?;
    entries.iter().map(|(key, value)| Some((key.text()?, read(value)?))).collect::<Option<_>>().ok_or_else(unexpected)
}
