//! Object stores, header fetching and enrichment: everything that waits on a network.
//!
//! DuckDB's threads cross into this crate once per chunk, through the blocking calls of [`Session`]; inside, one tokio
//! runtime waits on sockets.

mod error;
mod session;

pub use error::{Error, Result};
pub use session::{CogFile, Options, Session};
