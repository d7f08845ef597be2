//! Adds the headers of assets to the records of a Parquet source.
//!
//! Determines the hrefs of each record, fetches each header once and many at a time, and computes columns from records and
//! headers. Does not read pixels, drop records, or depend on DuckDB.
//!
//! ```text
//! ParquetSource ── batches ──> hrefs of all bands and rows, each once ── headers, max_concurrent at a time, ahead of
//!                                                                        the reader ──> EnrichStream::next, in order
//! ```
//!
//! # Bands
//!
//! Assets are a `STRUCT(band STRUCT(href VARCHAR, ...), ...)`, a `MAP(VARCHAR, STRUCT(href VARCHAR, ...))` or STAC's JSON as
//! VARCHAR. If no bands are given, they are the assets that are GeoTIFFs in one of the source's first 10,000 records: by
//! a media type `image/tiff; application=geotiff` (with whatever follows) or `image/vnd.stac.geotiff`, or by an href that
//! ends in `.tif` or `.tiff`. Their order is that of the STRUCT's fields, or that in which keys first appear. Named bands
//! are checked against the STRUCT's fields at once; keys of a MAP or of JSON against the first 10,000 records if those are
//! all, else when the last record was read.
//!
//! With `href_column` all bands share one file, and by default, the bands are those of `band_index`.
//!
//! An asset's integer field `band_index` is the band of its file, unless the option with this name defines it.
//!
//! # Hrefs
//!
//! `url_rewrite` replaces the longest of its prefixes that the href starts with, once. A path is relative to the working
//! directory, as in `cog_metadata(href)`, regardless of the location of the Parquet file.
//!
//! # Failures
//!
//! All records are returned: an asset with an unreadable header has NULL metadata, and the record's error text contains it, as
//! `B04: <reason>; B08: <reason>`. The reason `no href` means that a record lacks an asset which was requested by name;
//! if bands were discovered, such a record is valid. If some assets were tried and none could be read,
//! [`EnrichStream::next`] fails after the last record, with the first causes.
//!
//! # Which headers are fetched
//!
//! Only headers that the projection needs: of the bands whose metadata it contains, or of all bands for `rasteret_error`,
//! for a column that can be computed from a header (`"proj:epsg"`, `crs`, `bbox`) and for [`OnError::Fail`], whose
//! outcome must not depend on the projection.

pub(crate) mod assets;
mod calendar;
pub(crate) mod cell;
mod columns;
pub(crate) mod envelope;
mod fetch;
pub(crate) mod href;
mod layout;
mod members;
mod normalize;
mod options;
mod plan;
pub(crate) mod record_crs;
pub(crate) mod resolve;
mod scaling;
mod stream;

pub use columns::{Column, Normalized};
pub(crate) use href::is_geotiff;
pub use normalize::{Georeference, Input, Normalizer};
pub use options::EnrichOptions;
pub use plan::EnrichPlan;
pub use resolve::positions_of_all;
pub use scaling::stac_scaled;
pub use stream::{EnrichProgress, EnrichStream, EnrichedBatch};

#[cfg(test)]
mod tests;
