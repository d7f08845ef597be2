//! Conversion of headers to and from DuckDB STRUCTs: the only place that maps a `CogFile` to SQL and back.
//!
//! Tables of [`Field`]s define the name, type and value of each field: the metadata STRUCT, the columns of
//! `FROM cog_metadata(…)` and the documentation are all derived from [`METADATA`]. Vectors are written column by
//! column, so that a list of tile offsets is a single copy. Fields are read by name, and metadata written by Python
//! Rasteret is accepted.
//!
//! | module | contains |
//! |---|---|
//! | `fields` | the tables |
//! | `cell` | the SQL type of a field, and how its values are written to a vector |
//! | `read` | conversion of STRUCT values to headers |
//! | `raster` | STRUCT values for planning, with tile tables that are read on demand |

mod cell;
mod fields;
mod raster;
mod read;

pub(crate) use cell::{Cell, Field, each, plain, struct_lists, structs};
pub(crate) use fields::{BOUNDS, METADATA, PYTHON_METADATA, TILE, field};
pub(crate) use raster::{IndexedRaster, TileTables};
pub(crate) use read::MetadataReader;
