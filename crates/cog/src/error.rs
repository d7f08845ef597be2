//! Errors that say whose fault it is: the file's, this library's, a limit's or the caller's.

use std::fmt;

/// What went wrong with a file's bytes or with a request about them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file breaks TIFF 6.0, BigTIFF or GeoTIFF.
    #[error("{at}: {what}")]
    Malformed {
        /// Where in the file.
        at: Place,
        /// What was expected and what was found.
        what: String,
    },
    /// The file is valid, but what it holds is not supported.
    #[error("{at}: {what}")]
    Unsupported {
        /// Where in the file.
        at: Place,
        /// What is not supported.
        what: String,
    },
    /// The file asks for more than a limit of [`crate::Limits`] allows.
    #[error("{at}: {limit} of {asked} exceeds the limit of {max}")]
    LimitExceeded {
        /// Where in the file.
        at: Place,
        /// The limit's name, in words.
        limit: &'static str,
        /// What the file asks for.
        asked: u64,
        /// What is allowed.
        max: u64,
    },
    /// The caller asked for something that this file does not have.
    #[error("{what}")]
    InvalidArgument {
        /// What was expected and what was given.
        what: String,
    },
}

/// A place in a TIFF file: file header, an IFD, or a tag of an IFD, and the byte offset where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position of the IFD in file order (main chain first), if inside one.
    pub ifd: Option<u32>,
    /// TIFF tag code, if inside one.
    pub tag: Option<u16>,
    /// Byte offset in the file.
    pub byte: Option<u64>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Place {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
