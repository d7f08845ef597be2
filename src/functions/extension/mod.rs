//! Functions about the extension itself.

mod rasteret_functions;
mod rasteret_stats;
mod rasteret_version;

pub(super) use rasteret_functions::RasteretFunctions;
pub(super) use rasteret_stats::RasteretStats;
pub(super) use rasteret_version::RasteretVersion;
