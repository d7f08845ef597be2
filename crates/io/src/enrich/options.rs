//! The arguments of `rasteret_enrich`, as the caller wrote them.

use crate::OnError;
use crate::parquet::HiveOptions;

/// The arguments of `rasteret_enrich`. [`Default`] is the defaults of SQL.
#[derive(Debug, Clone)]
pub struct EnrichOptions {
    /// Asset keys. None: every asset that is a GeoTIFF; see [`crate::enrich`].
    pub bands: Option<Vec<String>>,
    /// The column that holds the assets.
    pub assets_column: String,
    /// A column of hrefs that all bands share, instead of assets.
    pub href_column: Option<String>,
    /// Which band of its file an asset is, counted from 0. The order is that of bands that are not named.
    pub band_index: Vec<(String, u32)>,
    /// Prefixes of hrefs and their replacements; the longest match is replaced.
    pub url_rewrite: Vec<(String, String)>,
    /// Whether to add `"proj:epsg"`, `crs`, `bbox`, `year` and `month` if the source lacks them.
    pub normalize: bool,
    /// Whether geometry columns are returned in the encoding of DuckDB's GEOMETRY; otherwise as stored. True for hosts that
    /// have GEOMETRY: no argument of SQL.
    pub geometry: bool,
    /// Whether scale and offset come from the assets' `bands` or `raster:bands`, if present.
    pub stac_scale: bool,
    /// Whether folders `key=value` of the source are columns.
    pub hive: HiveOptions,
    /// The effect of an asset whose header cannot be read.
    pub on_error: OnError,
    /// Headers fetched at once, at least 1, within the limit of the session.
    pub max_concurrent: usize,
    /// Rows per batch. A batch is returned when it is complete. 1 to 2,048; larger numbers are reduced to 2,048,
    /// the length of DuckDB's vectors. Fetching never waits at the end of a batch.
    pub batch_size: usize,
}

impl Default for EnrichOptions {
    fn default() -> Self {
        Self {
            bands: None,
            assets_column: "assets".to_owned(),
            href_column: None,
            band_index: Vec::new(),
            url_rewrite: Vec::new(),
            normalize: true,
            geometry: true,
            stac_scale: false,
            hive: HiveOptions::default(),
            on_error: OnError::Null,
            // The default of Python Rasteret; also near the point where the throughput of one server stops growing.
            max_concurrent: 300,
            batch_size: 100,
        }
    }
}
