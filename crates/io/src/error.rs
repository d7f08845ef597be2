//! Errors with their location and the cause in words; never a query string, a token or a signature.
//!
//! The stores' own error values hold whole URLs, so none is kept as a `source`: a store's answer is reduced to a [`Fault`]
//! where it comes in, and nothing else of it goes on.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::Location;

/// What went wrong with one file, or with a request of the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The header of a file could not be understood.
    #[error("{location}: {source}")]
    Header {
        /// The file; displays redacted.
        location: Location,
        /// The fault in its bytes.
        source: rasteret_cog::Error,
    },
    /// The store said no, or nothing.
    #[error("{location}: {}{fault}", DisplayRange(range))]
    Store {
        /// The file; displays redacted.
        location: Location,
        /// The bytes asked for, where the request was for some.
        range: Option<Range<u64>>,
        /// Why there is no answer.
        fault: Fault,
    },
    /// The caller's argument is wrong.
    #[error("{what}")]
    InvalidArgument {
        /// What was expected and what was given.
        what: String,
    },
    /// This library's own fault: a task that panicked.
    #[error("{what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// Why a store gave no bytes. Displays in words: `not found (HTTP 404)`, `connection refused`, `no answer within 30 s`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No such local file or directory.
    NoSuchFile,
    /// HTTP 404, or an object store's word for it.
    NotFound,
    /// HTTP 403.
    Forbidden,
    /// HTTP 401.
    Unauthorized,
    /// Another HTTP status.
    Status(u16),
    /// No complete answer within the time-out.
    Timeout(Duration),
    /// Nobody listens there.
    Refused,
    /// The host's name has no address.
    UnknownHost,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended before the answer did.
    Interrupted,
    /// The server answered a range request with the whole file.
    RangeIgnored,
    /// The range starts at or beyond the end of the file, whose size follows.
    BeyondEnd(Option<u64>),
    /// Anything else, in words that hold no URL.
    Other(String),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchFile => f.write_str("no such file or directory"),
            Self::NotFound => f.write_str("not found (HTTP 404)"),
            Self::Forbidden => f.write_str("forbidden (HTTP 403)"),
            Self::Unauthorized => f.write_str("unauthorized (HTTP 401)"),
            Self::Status(429) => f.write_str("too many requests (HTTP 429)"),
            Self::Status(status @ 500..=599) => write!(f, "server error (HTTP {status})"),
            Self::Status(status) => write!(f, "unexpected answer (HTTP {status})"),
            Self::Timeout(limit) => write!(f, "no answer within {} s", limit.as_secs_f64()),
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost => f.write_str("unknown host"),
            Self::Tls => f.write_str("no secure connection (TLS handshake failed)"),
            Self::Interrupted => f.write_str("connection closed before the answer was complete"),
            Self::RangeIgnored => f.write_str("the server does not support range requests (answered HTTP 200)"),
            Self::BeyondEnd(Some(size)) => write!(f, "beyond the end of the file of {size} bytes"),
            Self::BeyondEnd(None) => f.write_str("beyond the end of the file (HTTP 416)"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Fault {}

/// `bytes 0-32767: `, or nothing.
struct DisplayRange<'a>(&'a Option<Range<u64>>);

impl fmt::Display for DisplayRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(range) => write!(f, "bytes {}-{}: ", range.start, range.end.saturating_sub(1)),
            None => Ok(()),
        }
    }
}
