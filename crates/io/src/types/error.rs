//! Errors with their location and a description of the cause, without query strings, tokens and signatures.

use std::fmt;
use std::ops::Range;

use crate::{Location, StoreError};

/// An error of one file or of a request of the caller.
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
    /// The store refused the request or did not respond.
    #[error("{location}: {}{fault}", DisplayRange(range))]
    Store {
        /// The file; displays redacted.
        location: Location,
        /// The requested bytes, unless the request began at the start of the file.
        range: Option<Range<u64>>,
        /// The reason for the missing response.
        fault: StoreError,
    },
    /// The file is not the version that was indexed: the offsets of the index would lead to wrong pixels.
    #[error("{location}: {what}")]
    Changed {
        /// The file; displays redacted.
        location: Location,
        /// The expected and the found version.
        what: String,
    },
    /// Pixels could not be decoded.
    #[error("{location}: {tile}: {}", DisplayCause(source))]
    Pixels {
        /// The file; displays redacted.
        location: Location,
        /// Which part of the image: `level 0, tile 17`.
        tile: String,
        /// The fault in its bytes, or the unsupported feature.
        source: rasteret_cog::Error,
    },
    /// A Parquet file could not be read as records.
    #[error("{location}: {what}")]
    Records {
        /// The file; displays redacted.
        location: Location,
        /// Expected and found.
        what: String,
    },
    /// The caller's argument is wrong.
    #[error("{what}")]
    InvalidArgument {
        /// Expected and found.
        what: String,
    },
    /// A result takes more memory than the limit allows.
    #[error("{what}")]
    OutOfMemory {
        /// The result, its size, and the setting that limits it.
        what: String,
    },
    /// The host has interrupted the query.
    #[error("interrupted")]
    Interrupted,
    /// This library's own fault: a task that panicked.
    #[error("{location}: internal error: {what}")]
    Internal {
        /// The file; displays redacted.
        location: Location,
        /// The fault.
        what: String,
    },
    /// The system failed this process, for example because a temporary file could not be written.
    #[error("{what}")]
    System {
        /// The resource and the reason.
        what: String,
    },
    /// A fault of this library or of its runtime that concerns no single file.
    #[error("internal error: {what}")]
    Unexpected {
        /// The fault.
        what: String,
    },
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether a file could not be read, as opposed to a fault of the caller or of this library: rows of other files
    /// have results.
    pub fn is_of_file(&self) -> bool {
        match self {
            Self::Header { source, .. } | Self::Pixels { source, .. } => {
                !matches!(source, rasteret_cog::Error::InvalidArgument { .. })
            }
            // A denial by a lock of the host concerns the query, not the file.
            Self::Store { fault, .. } => !matches!(fault, StoreError::Denied(_)),
            Self::Changed { .. } | Self::Records { .. } | Self::Internal { .. } => true,
            Self::InvalidArgument { .. }
            | Self::OutOfMemory { .. }
            | Self::Interrupted
            | Self::System { .. }
            | Self::Unexpected { .. } => false,
        }
    }

    /// The message of the host if its configuration forbids to open a file.
    pub fn denial(&self) -> Option<&str> {
        match self {
            Self::Store { fault: StoreError::Denied(what), .. } => Some(what),
            _ => None,
        }
    }

    /// The host's class of error with its text, if it has a class for this error.
    pub fn host_class(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Store { fault: StoreError::Denied(what), .. } => Some(("Permission", what.clone())),
            Self::OutOfMemory { what } => Some(("Out of Memory", what.clone())),
            Self::Interrupted => Some(("INTERRUPT", "Interrupted!".to_owned())),
            _ => None,
        }
    }

    /// The file that the error is about, if it is about one.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Header { location, .. }
            | Self::Store { location, .. }
            | Self::Changed { location, .. }
            | Self::Pixels { location, .. }
            | Self::Internal { location, .. }
            | Self::Records { location, .. } => Some(location),
            Self::InvalidArgument { .. }
            | Self::OutOfMemory { .. }
            | Self::Interrupted
            | Self::System { .. }
            | Self::Unexpected { .. } => None,
        }
    }
}

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

/// The error of a tile without the prefix `file: `, because decoders do not have its position in the file.
struct DisplayCause<'a>(&'a rasteret_cog::Error);

impl fmt::Display for DisplayCause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rasteret_cog::{Error, FilePosition};
        match self.0 {
            Error::Malformed { at: FilePosition { ifd: None, tag: None, byte: None }, what }
            | Error::Unsupported { at: FilePosition { ifd: None, tag: None, byte: None }, what } => f.write_str(what),
            other => other.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use rasteret_cog::{Error as Cog, FilePosition};

    use super::Error;
    use crate::{Location, StoreError};

    #[test]
    fn errors_of_arguments_are_not_errors_of_files() {
        let location = || Location::parse("a.tif").unwrap();
        let header = |source| Error::Header { location: location(), source };
        let at = FilePosition { ifd: None, tag: None, byte: None };
        assert!(header(Cog::Malformed { at, what: String::new() }).is_of_file());
        assert!(header(Cog::Unsupported { at, what: String::new() }).is_of_file());
        assert!(!header(Cog::InvalidArgument { what: String::new() }).is_of_file());
        assert!(Error::Store { location: location(), range: None, fault: StoreError::NoSuchFile }.is_of_file());
        assert!(Error::Changed { location: location(), what: String::new() }.is_of_file());
        assert!(!Error::InvalidArgument { what: String::new() }.is_of_file());
    }
}
