//! Functions about the extension itself.

mod rasteret_functions;
mod rasteret_version;

pub(super) use rasteret_functions::RasteretFunctions;
pub(super) use rasteret_version::RasteretVersion;
