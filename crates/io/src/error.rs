//! Errors with their location; never a query string, a token or a signature.

use std::sync::Arc;

/// What went wrong with one file, or with a request of the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The header of a file could not be understood.
    #[error("{location}: {source}")]
    Header {
        /// Redacted location of the file.
        location: String,
        /// The fault in its bytes.
        source: rasteret_cog::Error,
    },
    /// The store said no, or nothing.
    #[error("{location}: {what}")]
    Store {
        /// Redacted location of the file.
        location: String,
        /// In words: `not found (HTTP 404)`, `connection refused`, `no answer within 30 s`.
        what: String,
        /// The store's own error.
        source: Option<Arc<object_store::Error>>,
    },
    /// The caller's argument is wrong.
    #[error("{what}")]
    InvalidArgument {
        /// What was expected and what was given.
        what: String,
    },
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
