//! Pictures of rasters.

mod cog_map_tile;
mod cog_preview;
mod options;

pub(super) use cog_map_tile::CogMapTile;
pub(super) use cog_preview::CogPreview;
