//! The options of an enrichment, checked against its source.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;

use super::EnrichOptions;
use super::assets::{self, Assets, Form, listed};
use super::href::Rewrites;
use super::normalize::Normalizer;
use crate::parquet::{ParquetSource, Projection};
use crate::{Error, OnError, Result};

/// Name of the column of errors.
pub(super) const ERROR: &str = "rasteret_error";

/// Number of records sampled to find assets: large enough to include rare ones, small enough to bind quickly.
const SURVEYED: usize = 10_000;

/// The length of DuckDB's vectors.
const MAX_ROWS: usize = 2_048;

/// A source with its bands and options, shared by the runs of one plan.
#[derive(Debug)]
pub(super) struct ResolvedPlan {
    pub(super) source: ParquetSource,
    pub(super) assets: Assets,
    pub(super) bands: Vec<Band>,
    pub(super) names: Vec<String>,
    pub(super) rewrites: Rewrites,
    pub(super) normalizer: Normalizer,
    pub(super) on_error: OnError,
    /// Whether a band may be in no record, because the type of the assets does not define it and not all records were sampled.
    pub(super) unproven: bool,
    /// Whether the bands were discovered: a record without one of them is then valid.
    pub(super) discovered: bool,
    pub(super) normalize: bool,
    pub(super) max_concurrent: usize,
    pub(super) rows: usize,
}

/// A requested band.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) name: String,
    /// By option.
    pub(super) index: Option<u32>,
}

pub(super) fn metadata_name(band: &str) -> String {
    format!("{band}_metadata")
}

/// Checks the options against the source.
pub(super) async fn resolve(source: ParquetSource, options: EnrichOptions) -> Result<ResolvedPlan> {
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
        return Err(wrong("stac_scale: expected assets, found href_column, which has no scale".to_owned()));
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
    Ok(ResolvedPlan {
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

/// The error if several bands are in one file, and one of them has no position in it.
pub fn positions_of_all(band: &str) -> String {
    format!("band_index: expected a position for every band with href_column, found none for '{band}'")
}

fn unknown(band: &str, keys: &str) -> Error {
    wrong(format!("bands: no asset '{band}'; assets: {keys}"))
}

/// The keys of the first records' assets, whether those are all records, and whether the source is empty.
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

/// Names in DuckDB are case-insensitive.
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
            return Err(wrong(format!("bands: '{band}' is given twice (names are case-insensitive)")));
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
