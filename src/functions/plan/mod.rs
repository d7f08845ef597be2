//! Functions that are computed from metadata alone, without requests.

mod cog_bounds;
mod cog_byte_ranges;
mod cog_footprint;
mod cog_tiles_for_geometry;
mod cog_tiles_for_geometry_table;

pub(super) use cog_bounds::CogBounds;
pub(super) use cog_byte_ranges::CogByteRanges;
pub(super) use cog_footprint::CogFootprint;
pub(super) use cog_tiles_for_geometry::CogTilesForGeometry;
pub(super) use cog_tiles_for_geometry_table::CogTilesForGeometryTable;
