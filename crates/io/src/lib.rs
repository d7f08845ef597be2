//! Object stores, header fetching and enrichment: everything that waits on a network.
//!
//! DuckDB's threads cross into this crate once per chunk, through the blocking calls of [`Session`]; inside, one tokio
//! runtime waits on sockets.
//!
//! ```text
//! Session ── headers(hrefs) ──> cache ──miss──> driver ──> Object ──> ObjectStore (S3, GCS, Azure, HTTP) or a local file
//!         ├─ open(href) ─────────────────────────────────> Object: ranges of one file, coalesced
//!         └─ files(patterns) ───────────────> listing: globs to hrefs
//! ```
//!
//! One semaphore bounds the requests of all threads. No error, log line or `Debug` text holds a query string or a token:
//! see [`Location`].

mod error;
mod location;
mod object;
mod session;

pub use error::{Error, Fault, Result};
pub use location::Location;
pub use object::{CoalesceConfig, Object};
pub use session::{CogFile, Options, Session};
