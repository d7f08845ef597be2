//! Locates the metadata columns of an index, and the hrefs of its records.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

use crate::enrich::assets::{Assets, listed};
use crate::enrich::href::Rewrites;
use crate::parquet::{HiveOptions, ParquetSource, Projection, SourceOptions};
use crate::store::Stores;
use crate::types::location::local_from_remote;
use crate::{Error, Result};

/// The suffix of metadata columns.
const METADATA: &str = "_metadata";

/// Columns of an index to use. [`Default`] is the defaults of SQL.
#[derive(Debug, Clone)]
pub struct CollectionOptions {
    /// Bands that the index must have. None: those that have a metadata column.
    pub bands: Option<Vec<String>>,
    /// The column that holds the assets.
    pub assets_column: String,
    /// A column of hrefs that all bands share, instead of assets.
    pub href_column: Option<String>,
    /// Prefixes of hrefs and their replacements; the longest match is replaced.
    pub url_rewrite: Vec<(String, String)>,
    /// Whether folders `key=value` of the source are columns.
    pub hive: HiveOptions,
}

impl Default for CollectionOptions {
    fn default() -> Self {
        Self {
            bands: None,
            assets_column: "assets".to_owned(),
            href_column: None,
            url_rewrite: Vec::new(),
            hive: HiveOptions::default(),
        }
    }
}

/// An index with resolved columns.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) source: ParquetSource,
    pub(super) bands: Vec<Band>,
    /// The names of the assets of `bands`.
    pub(super) names: Vec<String>,
    /// Requested bands without a column.
    pub(super) missing: Vec<String>,
    /// Whether bands were requested by name.
    pub(super) requested: bool,
    pub(super) assets: Result<Assets>,
    pub(super) rewrites: Rewrites,
    /// Whether one of the files is read over the network.
    is_remote: bool,
}

/// A band of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) name: String,
    /// Its metadata, by the column's index in the source's schema.
    pub(super) column: usize,
}

impl Collection {
    /// Reads the first file's footer. Blocks the calling thread.
    pub(super) fn open(stores: &Stores, source: &[&str], options: CollectionOptions) -> Result<Self> {
        let files = stores.files(source)?;
        let how = SourceOptions { canonical_geometry: false, hive: options.hive };
        let source = stores.block_on(ParquetSource::open_with(stores, files, how))??;
        let schema = source.schema();
        let columns = schema.fields().iter().enumerate();
        let found: Vec<Band> = columns
            .filter(|(_, field)| matches!(field.data_type(), DataType::Struct(_)))
            .filter_map(|(column, field)| Some(Band { name: field.name().strip_suffix(METADATA)?.to_owned(), column }))
            .collect();
        let requested = options.bands.is_some();
        let (bands, missing) = match options.bands {
            None => (found, Vec::new()),
            Some(names) => {
                let of = |name: &String| found.iter().find(|band| band.name == *name).cloned();
                let missing = names.iter().filter(|name| of(name).is_none()).cloned().collect();
                (names.iter().filter_map(of).collect(), missing)
            }
        };
        let assets = Assets::find(schema, &options.assets_column, options.href_column.as_deref());
        if options.href_column.is_some() {
            assets.as_ref().map_err(Clone::clone)?;
        }
        Ok(Self {
            names: bands.iter().map(|band| band.name.clone()).collect(),
            bands,
            missing,
            requested,
            assets,
            rewrites: Rewrites::new(options.url_rewrite),
            is_remote: source.are_remote().contains(&true),
            source,
        })
    }

    /// An error if there is nothing to look at.
    pub(super) fn require_bands(&self) -> Result<()> {
        let columns = self.source.schema().fields().iter().map(|field| field.name().as_str());
        match (self.missing.first(), self.bands.is_empty()) {
            (Some(band), _) => Err(Error::InvalidArgument {
                what: format!("bands: no column '{band}{METADATA}'; columns: {}", listed(columns)),
            }),
            (None, true) => Err(Error::InvalidArgument {
                what: format!(
                    "source: no column that ends in '{METADATA}': not an index; columns: {}",
                    listed(columns)
                ),
            }),
            (None, false) => Ok(()),
        }
    }

    /// Adds the required fields of the column of assets or hrefs to a projection.
    pub(super) fn and_assets(&self, projection: Projection, assets: &Assets) -> Projection {
        match assets.fields(&self.names) {
            Some(fields) => projection.and_fields(assets.column, fields),
            None => projection.and(assets.column),
        }
    }

    /// For each band, each row's href, rewritten; `column` is the batch's column of assets.
    pub(super) fn hrefs(&self, assets: &Assets, column: &ArrayRef) -> Vec<Vec<Option<Href>>> {
        let mut hrefs = vec![Vec::with_capacity(column.len()); self.bands.len()];
        assets.each(column, &self.names, |band, _, asset| {
            if let Some(hrefs) = hrefs.get_mut(band) {
                hrefs.push(asset.ok().map(|asset| {
                    let opened = self.rewrites.apply(asset.href);
                    // A rewritten href may be local.
                    let refused = self.is_remote && *opened == *asset.href && local_from_remote(&opened).is_some();
                    Href { written: asset.href.to_owned(), opened, refused }
                }));
            }
        });
        hrefs
    }
}

/// Location of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Href {
    /// Href of the record.
    pub(super) written: String,
    /// After the caller's rewriting.
    pub(super) opened: Arc<str>,
    /// Whether it is not to be opened: a local file in an index that is not.
    pub(super) refused: bool,
}

/// A column of a batch; an error instead of a panic if the reader returned fewer columns than requested.
pub(super) fn column<'a>(source: &ParquetSource, batch: &'a RecordBatch, position: usize) -> Result<&'a ArrayRef> {
    batch.columns().get(position).ok_or_else(|| Error::Internal {
        location: source.location().clone(),
        what: "a requested column was not read".to_owned(),
    })
}
