//! Functions that read headers, and the metadata that later calls need.

mod cog_cache_header;
mod cog_ifds;
mod cog_info;
mod cog_metadata;
mod cog_metadata_table;
mod cog_tiles;
mod file_scan;
mod try_cog_metadata;

pub(super) use cog_cache_header::CogCacheHeader;
pub(super) use cog_ifds::CogIfds;
pub(super) use cog_info::CogInfo;
pub(super) use cog_metadata::CogMetadata;
pub(super) use cog_metadata_table::CogMetadataTable;
pub(super) use cog_tiles::CogTiles;
pub(super) use try_cog_metadata::TryCogMetadata;
