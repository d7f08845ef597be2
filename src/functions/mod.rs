//! The SQL functions, one file each.

mod asks;
mod cog_bounds;
mod cog_byte_ranges;
mod cog_footprint;
mod cog_ifds;
mod cog_info;
mod cog_metadata;
mod cog_metadata_table;
mod cog_pixels;
mod cog_read;
mod cog_tiles;
mod cog_tiles_for_geometry;
mod cog_tiles_for_geometry_table;
mod cog_value;
mod cog_values;
mod cog_zonal_classes;
mod cog_zonal_quantiles;
mod cog_zonal_stats;
mod collection;
mod documentation;
mod file_scan;
mod files;
mod major_tom_cell;
mod rasteret_enrich;
mod rasteret_enrich_sql;
mod rasteret_normalize;
mod rasteret_python_metadata;
mod rasteret_refresh;
mod rasteret_split;
mod rasteret_validate;
mod rasteret_version;
mod read_stac;
mod shared_metadata;
mod stac_items;
mod stac_search;
mod try_cog_metadata;

use crate::error::Result;
use crate::vector::{SharedSession, scalar_function, table_function};
use duckdb::ffi;

pub use documentation::{Documentation, Example, Kind, Parameter};

/// Registers every function.
///
/// # Safety
/// `connection` must be live.
pub(crate) unsafe fn register(connection: ffi::duckdb_connection, session: &SharedSession) -> Result<()> {
    // SAFETY: the caller's contract.
    unsafe {
        scalar_function::register::<cog_bounds::CogBounds>(connection, session)?;
        scalar_function::register::<cog_byte_ranges::CogByteRanges>(connection, session)?;
        scalar_function::register::<cog_footprint::CogFootprint>(connection, session)?;
        scalar_function::register::<cog_metadata::CogMetadata>(connection, session)?;
        scalar_function::register::<cog_read::CogRead>(connection, session)?;
        scalar_function::register::<cog_value::CogValue>(connection, session)?;
        scalar_function::register::<cog_values::CogValues>(connection, session)?;
        scalar_function::register::<cog_zonal_classes::CogZonalClasses>(connection, session)?;
        scalar_function::register::<cog_zonal_quantiles::CogZonalQuantiles>(connection, session)?;
        scalar_function::register::<cog_zonal_stats::CogZonalStats>(connection, session)?;
        scalar_function::register::<cog_tiles_for_geometry::CogTilesForGeometry>(connection, session)?;
        scalar_function::register::<major_tom_cell::MajorTomCellFunction>(connection, session)?;
        scalar_function::register::<rasteret_enrich_sql::RasteretEnrichSql>(connection, session)?;
        scalar_function::register::<rasteret_normalize::RasteretNormalize>(connection, session)?;
        scalar_function::register::<rasteret_python_metadata::RasteretPythonMetadata>(connection, session)?;
        scalar_function::register::<rasteret_split::RasteretSplit>(connection, session)?;
        scalar_function::register::<rasteret_version::RasteretVersion>(connection, session)?;
        scalar_function::register::<try_cog_metadata::TryCogMetadata>(connection, session)?;
        table_function::register::<cog_ifds::CogIfds>(connection, session)?;
        table_function::register::<cog_info::CogInfo>(connection, session)?;
        table_function::register::<cog_metadata_table::CogMetadataTable>(connection, session)?;
        table_function::register::<cog_pixels::CogPixels>(connection, session)?;
        table_function::register::<cog_tiles::CogTiles>(connection, session)?;
        table_function::register::<cog_tiles_for_geometry_table::CogTilesForGeometryTable>(connection, session)?;
        table_function::register::<rasteret_enrich::RasteretEnrich>(connection, session)?;
        table_function::register::<rasteret_refresh::RasteretRefresh>(connection, session)?;
        table_function::register::<rasteret_validate::RasteretValidate>(connection, session)?;
        table_function::register::<read_stac::ReadStac>(connection, session)?;
        table_function::register::<stac_search::StacSearch>(connection, session)?;
    }
    Ok(())
}

/// The documentation of every function, in the order of the reference.
#[must_use]
pub fn documentation() -> Vec<&'static Documentation> {
    vec![
        &cog_metadata::DOC,
        &cog_metadata_table::DOC,
        &try_cog_metadata::DOC,
        &cog_info::DOC,
        &cog_ifds::DOC,
        &cog_tiles::DOC,
        &cog_tiles_for_geometry::DOC,
        &cog_tiles_for_geometry_table::DOC,
        &cog_byte_ranges::DOC,
        &cog_bounds::DOC,
        &cog_footprint::DOC,
        &cog_read::DOC,
        &cog_pixels::DOC,
        &cog_value::DOC,
        &cog_values::DOC,
        &cog_zonal_stats::DOC,
        &cog_zonal_quantiles::DOC,
        &cog_zonal_classes::DOC,
        &read_stac::DOC,
        &stac_search::DOC,
        &rasteret_enrich::DOC,
        &rasteret_enrich_sql::DOC,
        &rasteret_normalize::DOC,
        &rasteret_python_metadata::DOC,
        &rasteret_validate::DOC,
        &rasteret_refresh::DOC,
        &major_tom_cell::DOC,
        &rasteret_split::DOC,
        &rasteret_version::DOC,
    ]
}
