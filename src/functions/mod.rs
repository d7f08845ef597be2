//! The SQL functions, by topic, one file each.

mod extension;
mod files;
mod grids;
mod header;
mod index;
mod masks;
mod params;
mod picture;
mod pixel;
mod plan;
mod raster_files;
mod sampling;
mod shared_metadata;
mod sources;
mod stac;
mod write;
mod zonal;

use crate::documentation::Documentation;
use crate::error::Result;
use crate::host::Host;
use crate::vector::{
    CopyFunction, ScalarFunction, SharedSession, TableFunction, copy_function, scalar_function, table_function,
};
use duckdb::ffi;

/// A SQL function.
struct Function {
    documentation: &'static Documentation,
    register: unsafe fn(ffi::duckdb_connection, &SharedSession) -> Result<()>,
}

const fn scalar<F: ScalarFunction>() -> Function {
    Function { documentation: F::DOC, register: scalar_function::register::<F> }
}

const fn table<F: TableFunction>() -> Function {
    Function { documentation: F::DOC, register: table_function::register::<F> }
}

const fn copy<F: CopyFunction>() -> Function {
    Function { documentation: F::DOC, register: register_copy::<F> }
}

/// Registers a COPY function if the host supports them.
///
/// # Safety
/// `connection` must be live.
unsafe fn register_copy<F: CopyFunction>(connection: ffi::duckdb_connection, session: &SharedSession) -> Result<()> {
    match Host::current().has_late_slots() {
        // SAFETY: the caller's contract, and the host has the slots.
        true => unsafe { copy_function::register::<F>(connection, session) },
        false => Ok(()),
    }
}

/// All functions, in the order of the reference.
const FUNCTIONS: &[Function] = &[
    scalar::<header::CogMetadata>(),
    table::<header::CogMetadataTable>(),
    scalar::<header::TryCogMetadata>(),
    scalar::<header::CogCacheHeader>(),
    table::<header::CogInfo>(),
    table::<header::CogIfds>(),
    table::<header::CogTiles>(),
    scalar::<plan::CogTilesForGeometry>(),
    table::<plan::CogTilesForGeometryTable>(),
    scalar::<plan::CogByteRanges>(),
    scalar::<plan::CogBounds>(),
    scalar::<plan::CogFootprint>(),
    scalar::<pixel::CogRead>(),
    scalar::<pixel::CogChip>(),
    scalar::<pixel::CogMosaic>(),
    table::<pixel::CogPixels>(),
    scalar::<pixel::CogPixelsScalar>(),
    scalar::<pixel::CogValue>(),
    scalar::<pixel::CogValues>(),
    scalar::<picture::CogPreview>(),
    scalar::<picture::CogMapTile>(),
    copy::<write::CopyCog>(),
    scalar::<zonal::CogZonalStats>(),
    scalar::<zonal::CogZonalQuantiles>(),
    scalar::<zonal::CogZonalClasses>(),
    table::<stac::ReadStac>(),
    table::<stac::StacSearch>(),
    table::<index::RasteretEnrich>(),
    scalar::<index::RasteretEnrichSql>(),
    scalar::<index::RasteretNormalize>(),
    scalar::<index::RasteretPythonMetadata>(),
    table::<index::RasteretValidate>(),
    table::<index::RasteretRefresh>(),
    scalar::<sampling::MajorTomCellFunction>(),
    scalar::<sampling::RasteretSplit>(),
    table::<extension::RasteretFunctions>(),
    table::<extension::RasteretStats>(),
    scalar::<extension::RasteretVersion>(),
];

/// Registers every function.
///
/// # Safety
/// `connection` must be live.
pub(crate) unsafe fn register(connection: ffi::duckdb_connection, session: &SharedSession) -> Result<()> {
    // SAFETY: the caller's contract.
    FUNCTIONS.iter().try_for_each(|function| unsafe { (function.register)(connection, session) })
}

/// The documentation of every function, in the order of the reference.
pub fn documentation() -> impl Iterator<Item = &'static Documentation> {
    FUNCTIONS.iter().map(|function| function.documentation)
}
