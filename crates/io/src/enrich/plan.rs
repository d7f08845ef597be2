//! What an enrichment will give, known before the first header is fetched.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};

use super::assets::{self, Assets, Form, listed};
use super::fetch::{self, Fetch};
use super::href::Rewrites;
use super::layout::Layout;
use super::normalize::{Normalizer, bbox_fields};
use super::{EnrichOptions, EnrichStream, OnError};
use crate::parquet::{ParquetSource, Projection, SourceOptions};
use crate::{Error, Result, Session};

/// A column of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// A column of the source, by its index in [`EnrichPlan::source_schema`].
    Source(usize),
    /// `{band}_metadata`, by the band's index in [`EnrichPlan::bands`].
    Metadata(usize),
    /// A column that the source lacks.
    Normalized(Normalized),
    /// `rasteret_error`.
    Error,
}

/// Columns that are computed where the source has none of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalized {
    /// `"proj:epsg"` INTEGER.
    Epsg,
    /// `crs` VARCHAR.
    Crs,
    /// `bbox` STRUCT(xmin, ymin, xmax, ymax DOUBLE).
    Bbox,
    /// `year` INTEGER.
    Year,
    /// `month` INTEGER.
    Month,
}

impl Normalized {
    /// All, in the output's order.
    pub const ALL: [Self; 5] = [Self::Epsg, Self::Crs, Self::Bbox, Self::Year, Self::Month];

    /// The column's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsg => "proj:epsg",
            Self::Crs => "crs",
            Self::Bbox => "bbox",
            Self::Year => "year",
            Self::Month => "month",
        }
    }

    /// The column's Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Epsg | Self::Year | Self::Month => DataType::Int32,
            Self::Crs => DataType::Utf8,
            Self::Bbox => DataType::Struct(bbox_fields()),
        }
    }
}

/// The name of the column of errors.
const ERROR: &str = "rasteret_error";

/// Records looked at to find which assets there are: enough to see rare ones, few enough to bind at once.
const SURVEYED: usize = 10_000;

/// The length of DuckDB's vectors.
const MAX_ROWS: usize = 2_048;

/// An enrichment whose arguments were checked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EnrichPlan {
    session: Session,
    inner: Arc<Inner>,
}

/// What was resolved, shared by the runs of one plan.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) source: ParquetSource,
    pub(super) assets: Assets,
    pub(super) bands: Vec<Band>,
    names: Vec<String>,
    pub(super) rewrites: Rewrites,
    pub(super) normalizer: Normalizer,
    pub(super) on_error: OnError,
    /// Whether a band may turn out to be in no record: the assets' type does not name it and not all records were seen.
    pub(super) unproven: bool,
    /// Whether the bands are those that were found: a record that lacks one of them is then as it should be.
    pub(super) discovered: bool,
    normalize: bool,
    max_concurrent: usize,
    rows: usize,
}

/// A band asked for.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) name: String,
    /// By option.
    pub(super) index: Option<u32>,
}

impl EnrichPlan {
    /// Checks the arguments and resolves bands and columns: reads the first file's footer and, where it needs to see
    /// assets, the first 10,000 of them. Blocks the calling thread.
    ///
    /// `source` are paths, globs or URLs of Parquet files; see [`Session::files`].
    pub fn new(session: &Session, source: &[&str], options: EnrichOptions) -> Result<Self> {
        let files = session.files(source)?;
        let inner = session.block_on(async {
            let how = SourceOptions { canonical_geometry: options.geometry, hive: options.hive };
            resolve(ParquetSource::open_with(session, files, how).await?, options).await
        })??;
        Ok(Self { session: session.clone(), inner: Arc::new(inner) })
    }

    /// The source's columns.
    pub fn source_schema(&self) -> &SchemaRef {
        self.inner.source.schema()
    }

    /// The bands, in the order of their metadata columns.
    pub fn bands(&self) -> &[String] {
        &self.inner.names
    }

    /// All columns of the output, in order, with their names.
    pub fn columns(&self) -> Vec<(String, Column)> {
        let source = self.source_schema().fields().iter().enumerate();
        let source = source.map(|(index, field)| (field.name().clone(), Column::Source(index)));
        let bands = self.inner.names.iter().enumerate();
        let bands = bands.map(|(index, band)| (metadata_name(band), Column::Metadata(index)));
        let missing = self.inner.normalizer.missing().iter().filter(|_| self.inner.normalize);
        let missing = missing.map(|column| (column.name().to_owned(), Column::Normalized(*column)));
        source.chain(bands).chain(missing).chain([(ERROR.to_owned(), Column::Error)]).collect()
    }

    /// Starts reading and fetching for these columns, which are some of [`Self::columns`].
    pub fn start(&self, projection: &[Column]) -> Result<EnrichStream> {
        let session = self.session.clone();
        let fetch: Fetch = Arc::new(move |href| {
            let session = session.clone();
            Box::pin(async move { session.header(&href).await })
        });
        self.session.block_on(async { start(&self.session, Arc::clone(&self.inner), projection, fetch) })?
    }
}

/// Must be called in the runtime.
pub(super) fn start(session: &Session, inner: Arc<Inner>, projection: &[Column], fetch: Fetch) -> Result<EnrichStream> {
    let (rows, max_concurrent) = (inner.rows, inner.max_concurrent);
    let (layout, wanted) = Layout::new(inner, projection)?;
    let layout = Arc::new(layout);
    let batches = layout.inner.source.read(&wanted, rows)?;
    let fetching = fetch::start(batches, Arc::clone(&layout), fetch, max_concurrent);
    Ok(EnrichStream::new(session.clone(), layout, fetching))
}

fn metadata_name(band: &str) -> String {
    format!("{band}_metadata")
}

/// Checks the options against the source.
pub(super) async fn resolve(source: ParquetSource, options: EnrichOptions) -> Result<Inner> {
    if options.max_concurrent == 0 {
        return Err(wrong("max_concurrent: expected at least 1, found 0".to_owned()));
    }
    if options.batch_size == 0 {
        return Err(wrong("batch_size: expected at least 1, found 0".to_owned()));
    }
    if options.bands.as_ref().is_some_and(Vec::is_empty) {
        return Err(wrong(
            "bands: expected at least one band, found an empty list (NULL means every GeoTIFF)".to_owned(),
        ));
    }
    let schema = Arc::clone(source.schema());
    let mut assets = Assets::find(&schema, &options.assets_column, options.href_column.as_deref())?;
    if options.stac_scale && assets.form == Form::Href {
        return Err(wrong("stac_scale: expected assets, found href_column: an href says no scale".to_owned()));
    }
    assets.with_scaling = options.stac_scale;
    let (names, unproven) = bands(&source, &assets, &options).await?;
    unique_columns(&schema, &names)?;
    if let Some((key, _)) = options.band_index.iter().find(|(key, _)| !names.contains(key)) {
        return Err(wrong(format!("band_index: no band '{key}'; bands: {}", listed(names.iter().map(String::as_str)))));
    }
    let index = |name: &str| options.band_index.iter().find(|(key, _)| key == name).map(|(_, index)| *index);
    if assets.form == Form::Href
        && names.len() > 1
        && let Some(band) = names.iter().find(|name| index(name).is_none())
    {
        return Err(wrong(positions_of_all(band)));
    }
    Ok(Inner {
        assets,
        bands: names.iter().map(|name| Band { name: name.clone(), index: index(name) }).collect(),
        names,
        rewrites: Rewrites::new(options.url_rewrite),
        normalizer: Normalizer::new(&schema),
        on_error: options.on_error,
        unproven,
        discovered: options.bands.is_none() && options.href_column.is_none(),
        normalize: options.normalize,
        max_concurrent: options.max_concurrent,
        rows: options.batch_size.min(MAX_ROWS),
        source,
    })
}

/// The bands, and whether it remains to be seen that each is in some record.
async fn bands(source: &ParquetSource, assets: &Assets, options: &EnrichOptions) -> Result<(Vec<String>, bool)> {
    let names = |keys: &[String]| listed(keys.iter().map(String::as_str));
    if assets.form == Form::Href {
        let keys = || options.band_index.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let bands = options.bands.clone().unwrap_or_else(keys);
        return match bands.is_empty() {
            false => Ok((bands, false)),
            true => Err(wrong("bands: expected names of bands, or keys in band_index, with href_column".to_owned())),
        };
    }
    if let (Some(keys), Some(bands)) = (assets.struct_keys(source.schema()), &options.bands) {
        return match bands.iter().find(|band| !keys.contains(band)) {
            None => Ok((bands.clone(), false)),
            Some(band) => Err(unknown(band, &names(&keys))),
        };
    }
    let (keys, complete, empty) = survey(source, assets).await?;
    let all: Vec<String> = keys.iter().map(|(key, _)| key.clone()).collect();
    match &options.bands {
        Some(bands) if complete && !empty => match bands.iter().find(|band| !all.contains(band)) {
            None => Ok((bands.clone(), false)),
            Some(band) => Err(unknown(band, &names(&all))),
        },
        Some(bands) => Ok((bands.clone(), !empty)),
        None => {
            let geotiffs: Vec<String> = keys.into_iter().filter(|(_, geotiff)| *geotiff).map(|(key, _)| key).collect();
            if geotiffs.is_empty() && !empty {
                let what = "bands: no asset is a GeoTIFF by its media type or its href's extension; name the bands";
                return Err(wrong(format!("{what}; assets: {}", names(&all))));
            }
            Ok((geotiffs, false))
        }
    }
}

/// The error where several bands are in one file, and one of them has no position in it.
pub fn positions_of_all(band: &str) -> String {
    format!(
        "band_index: expected the position of every band, since href_column has one file for all, found none of '{band}'"
    )
}

pub(super) fn unknown(band: &str, keys: &str) -> Error {
    wrong(format!("bands: no asset '{band}'; assets: {keys}"))
}

/// The keys of the first records' assets, whether those are all records, and whether there are none.
async fn survey(source: &ParquetSource, assets: &Assets) -> Result<(Vec<(String, bool)>, bool, bool)> {
    let projection = match assets.struct_keys(source.schema()).and_then(|keys| assets.fields(&keys)) {
        Some(fields) => Projection::none().and_fields(assets.column, fields),
        None => Projection::columns([assets.column]),
    };
    let mut reading = source.read(&projection, MAX_ROWS)?;
    let mut keys = Vec::new();
    let mut seen = 0;
    while seen < SURVEYED {
        let Some(records) = reading.next().await else { return Ok((keys, true, seen == 0)) };
        let batch = records?.batch;
        seen += batch.num_rows();
        assets::survey(assets, &batch, &mut keys);
    }
    Ok((keys, false, false))
}

/// DuckDB's names ignore case.
fn unique_columns(schema: &SchemaRef, bands: &[String]) -> Result<()> {
    let source: HashSet<String> = schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
    let mut taken = HashSet::new();
    for band in bands {
        let name = metadata_name(band);
        if source.contains(&name.to_lowercase()) {
            return Err(wrong(format!(
                "bands: the source has a column '{name}' already: leave out '{band}', or drop the column"
            )));
        }
        if !taken.insert(name.to_lowercase()) {
            return Err(wrong(format!("bands: '{band}' is there twice (letter case is ignored)")));
        }
    }
    if source.contains(ERROR) {
        return Err(wrong(format!("the source has a column '{ERROR}' already: it was enriched before")));
    }
    Ok(())
}

fn wrong(what: String) -> Error {
    Error::InvalidArgument { what }
}
