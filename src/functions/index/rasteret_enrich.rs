//! `FROM rasteret_enrich(source, …)`: records with the headers of their assets.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_io::Session;
use rasteret_io::enrich::{Column, EnrichOptions, EnrichPlan, EnrichStream, EnrichedBatch};

use super::collection::{self, with_folder_hint};
use super::progress::Progress;
use super::rasteret_normalize;
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::files;
use crate::functions::params;
use crate::host::Host;
use crate::schema::{Field, METADATA};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, arrow};

static DOC: Documentation = Documentation {
    name: "rasteret_enrich",
    kind: Kind::Table,
    signatures: &["FROM rasteret_enrich(source [, bands := NULL, assets_column := 'assets', href_column := NULL, \
        band_index := MAP {}, url_rewrite := MAP {}, normalize := true, on_error := 'null', max_concurrent := 300, \
        batch_size := 100, stac_scale := false, hive_partitioning := NULL])"],
    description: "Adds the headers of assets to records in Parquet files. The result is an index. The files of all \
        bands and rows are fetched concurrently, once each.",
    parameters: &[Parameter {
        description: "Parquet files: a path, a URL, a glob, or a list of them. STAC GeoParquet, or any table with \
            hrefs.",
        ..collection::SOURCE
    }],
    options: &[
        collection::BANDS,
        collection::ASSETS_COLUMN,
        collection::HREF_COLUMN,
        collection::BAND_INDEX,
        collection::URL_REWRITE,
        collection::NORMALIZE,
        collection::ON_ERROR,
        params::MAX_CONCURRENT,
        BATCH_SIZE,
        collection::STAC_SCALE,
        collection::HIVE_PARTITIONING,
    ],
    returns: "The columns of the source, unchanged and in order; one column `{band}_metadata` per band; the columns \
        of `normalize`; and `rasteret_error`, NULL or a message that names the band and the reason.",
    examples: &[Example {
        sql: "SELECT id, B04_metadata.dtype, B08_metadata.image_width, year, month, rasteret_error \
              FROM rasteret_enrich('test/data/items.parquet', bands := ['B04', 'B08']) ORDER BY id LIMIT 1",
        result: "scene-0\tuint16\t64\t2023\t12\tNULL",
    }],
};

const BATCH_SIZE: Parameter = Parameter {
    name: "batch_size",
    value: ValueType::Integer,
    default: Some("100"),
    description: "The number of rows per batch: rows are returned when their batch is complete, while later batches \
        are already being fetched.",
};

/// The table function.
pub(crate) struct RasteretEnrich;

impl TableFunction for RasteretEnrich {
    type Bind = EnrichPlan;
    type Global = Mutex<Execution>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
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
        let stream = Arc::new(plan.start(&projection.iter().flatten().copied().collect::<Vec<_>>())?);
        let shown = Arc::clone(&stream);
        let progress = plan.shows_progress().then(|| Progress::start(move || shown.progress())).flatten();
        // A single thread preserves the order of the records; fetching is still concurrent.
        Ok(Init { state: Mutex::new(Execution { progress, stream, projection }), max_threads: 1 })
    }

    fn next(_plan: &EnrichPlan, execution: &Mutex<Execution>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let execution = execution.lock().unwrap_or_else(PoisonError::into_inner);
        match execution.next()? {
            Some(batch) => execution.write(batch, output),
            None => output.set_rows(0),
        }
    }
}

/// A running query.
pub(crate) struct Execution {
    /// None if none is shown. Dropped first, because it reads the stream.
    progress: Option<Progress>,
    stream: Arc<EnrichStream>,
    /// The content of each output vector; None if the query uses no column.
    projection: Vec<Option<Column>>,
}

impl Execution {
    fn next(&self) -> Result<Option<EnrichedBatch>> {
        Ok(match &self.progress {
            Some(progress) => progress.during(|| self.stream.next())?,
            None => self.stream.next()?,
        })
    }

    /// Writes a batch, whose parts contain the projected columns of their kind in the order of the projection.
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

/// Adds a hint to enrich a table if its name was used as a path.
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

fn options(info: &BindInfo) -> Result<EnrichOptions> {
    let default = EnrichOptions::default();
    Ok(EnrichOptions {
        bands: collection::bands(info)?,
        assets_column: collection::assets_column(info),
        href_column: collection::href_column(info),
        band_index: collection::band_index(info)?,
        url_rewrite: collection::url_rewrite(info)?,
        normalize: collection::normalize(info),
        stac_scale: collection::stac_scale(info),
        on_error: params::on_error(info)?.unwrap_or(default.on_error),
        max_concurrent: params::count(info, &params::MAX_CONCURRENT)?.unwrap_or(default.max_concurrent),
        batch_size: params::count(info, &BATCH_SIZE)?.unwrap_or(default.batch_size),
        geometry: Host::current().has_geometry(),
        hive: collection::hive(info),
    })
}
