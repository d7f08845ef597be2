//! A DuckDB extension to query cloud rasters as tables: the interface between DuckDB and the crates that implement it.
//!
//! ```text
//! DuckDB ── vector/ (the C API made safe) ── functions/ (one file per SQL function) ── schema (headers as STRUCTs)
//!                                                   │
//!                                   rasteret-io (network) ── rasteret-cog (bytes, grids; pure)
//! ```
//!
//! This crate converts arguments and results, without domain logic. The library exports one symbol, the entrypoint
//! called by `LOAD`.

mod documentation;
mod entrypoint;
mod error;
mod functions;
mod geometry;
mod host;
mod options;
mod schema;
mod vector;

pub use documentation::{Documentation, Example, Kind, Parameter, ValueType};
pub use functions::documentation;
pub use host::settings::{SETTINGS, Setting};
pub use host::{Availability, FEATURES, Feature};

/// The allocator of the Rust code. It does not affect the memory of the host: neither frees memory allocated by the
/// other.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
