//! DuckDB extension that makes cloud rasters a table: the border between DuckDB and the crates behind it.
//!
//! ```text
//! DuckDB ── vector/ (the C API made safe) ── functions/ (one file per SQL function) ── schema (headers as STRUCTs)
//!                                                   │
//!                                   rasteret-io (network) ── rasteret-cog (bytes, grids; pure)
//! ```
//!
//! Arguments in, vectors out; no domain logic. The library exports one symbol, the entrypoint that `LOAD` calls.

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

/// What Rust allocates here; the host's own memory is not touched by it. Nothing that one of the two allocates is freed by the other.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
