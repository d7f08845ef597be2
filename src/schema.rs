//! Headers as DuckDB STRUCTs: the only place that maps a `CogFile` to SQL and back.
//!
//! Tables of [`Field`]s give each field its name, its type and where its value comes from: the metadata STRUCT, the columns
//! of `FROM cog_metadata(…)` and the documentation all come from [`METADATA`]. Writing goes column by column, so that a
//! list of tile offsets is one copy. Reading goes by name and accepts what Python Rasteret writes.
//!
//! | module | owns |
//! |---|---|
//! | `fields` | the tables |
//! | `cell` | a field's SQL type, and how its values become a vector |
//! | `read` | STRUCT values back to headers |
//! | `raster` | STRUCT values as plans need them, their tile tables left where they are |

mod cell;
mod fields;
mod raster;
mod read;

pub(crate) use cell::{Cell, Field, each, plain, struct_lists, structs};
pub(crate) use fields::{BOUNDS, METADATA, PYTHON_METADATA, TILE};
pub(crate) use raster::{IndexedRaster, TileTables};
pub(crate) use read::MetadataReader;
