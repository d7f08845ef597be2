//! Reads STAC Items of files, APIs and static catalogs as one table, from STAC 0.7 to 1.1.
//!
//! Does not read the files of assets; see [`crate::enrich`].
//!
//! ```text
//! files ──> JSON, NDJSON, Parquet ─┐                                      ┌─> schema
//! API ──> pages, `next` links ─────┼─> Item, checked and in one form ──>──┤
//! catalog ──> child, item links ───┘                                      └─> spool ──> batches of Arrow, per projection
//!                              all of it at bind                                        at execution
//! ```
//!
//! The columns are those of all items of the call, so that all of them are read before the first row is returned; none
//! is sampled. Records are stored in memory up to 64 MiB, then in a temporary file; the schema grows with names,
//! not with items.

mod bands;
mod collect;
mod columns;
mod document;
mod files;
mod href;
mod item;
mod parquet;
mod search;
mod shape;
mod spool;
mod table;
mod wkb;

pub use files::ReadOptions;
pub use search::SearchOptions;
pub use table::{StacReader, StacTable};
