//! Functions that build and maintain an index.

mod collection;
mod progress;
mod rasteret_enrich;
mod rasteret_enrich_sql;
mod rasteret_normalize;
mod rasteret_python_metadata;
mod rasteret_refresh;
mod rasteret_validate;

pub(super) use rasteret_enrich::RasteretEnrich;
pub(super) use rasteret_enrich_sql::RasteretEnrichSql;
pub(super) use rasteret_normalize::RasteretNormalize;
pub(super) use rasteret_python_metadata::RasteretPythonMetadata;
pub(super) use rasteret_refresh::RasteretRefresh;
pub(super) use rasteret_validate::RasteretValidate;
