//! Checks an index: problems in it, and files that changed since they were indexed.
//!
//! An index is compared with the index format, its records and its files. Nothing is repaired: problems are reported, and
//! records are enriched again in SQL.
//!
//! ```text
//! ParquetSource ── records ──┬─ Validation ── metadata against format, grid and record ──────────> Problem
//!                            │                └─ with headers: against the current files
//!                            └─ Refresh ── each file once, one conditional request, in order ────> FileStatus
//! ```

mod collection;
mod refresh;
mod validate;

pub use collection::CollectionOptions;
pub use refresh::{FileStatus, Refresh, RefreshStream, Status};
pub use validate::{Check, Problem, Validation, ValidationStream};
