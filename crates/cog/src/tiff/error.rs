//! Errors of this crate, by responsible party: the file, this library, a limit or the caller.

use std::fmt;

use super::tag::Tag;

/// Error in a file's bytes or in a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file violates TIFF 6.0, BigTIFF or GeoTIFF.
    #[error("{at}: {what}")]
    Malformed {
        /// Position in the file.
        at: FilePosition,
        /// Expected and found values.
        what: String,
    },
    /// The file is valid, but uses an unsupported feature.
    #[error("{at}: {what}")]
    Unsupported {
        /// Position in the file.
        at: FilePosition,
        /// The unsupported feature.
        what: String,
    },
    /// The file exceeds a limit of [`crate::Limits`].
    #[error("{at}: {limit} of {asked} exceeds the limit of {max}")]
    LimitExceeded {
        /// Position in the file.
        at: FilePosition,
        /// Description of the limit.
        limit: &'static str,
        /// Requested amount.
        asked: u64,
        /// Maximum amount.
        max: u64,
    },
    /// Invalid argument of the caller, such as a band that the file does not have.
    #[error("{what}")]
    InvalidArgument {
        /// Expected and found values.
        what: String,
    },
}

/// Position in a TIFF file: an IFD, a tag, and a byte offset, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePosition {
    /// Index of the IFD in file order (main chain first).
    pub ifd: Option<u32>,
    /// TIFF tag code.
    pub tag: Option<u16>,
    /// Byte offset in the file.
    pub byte: Option<u64>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl FilePosition {
    /// A byte outside of any IFD.
    pub(crate) const fn byte(byte: u64) -> Self {
        Self { ifd: None, tag: None, byte: Some(byte) }
    }
}

impl fmt::Display for FilePosition {
    /// Formats as `IFD 0, tag TileWidth (322) at byte 118`, with the known parts; `file` if none is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ifd, self.tag) {
            (Some(ifd), Some(tag)) => write!(f, "IFD {ifd}, tag {}", Tag(tag))?,
            (Some(ifd), None) => write!(f, "IFD {ifd}")?,
            (None, Some(tag)) => write!(f, "tag {}", Tag(tag))?,
            (None, None) => f.write_str("file")?,
        }
        match self.byte {
            Some(byte) => write!(f, " at byte {byte}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, FilePosition};

    #[test]
    fn errors_contain_the_position() {
        let at = FilePosition { ifd: Some(0), tag: Some(322), byte: Some(118) };
        let error = Error::Malformed { at, what: "expected SHORT or LONG, found ASCII".to_owned() };
        assert_eq!(error.to_string(), "IFD 0, tag TileWidth (322) at byte 118: expected SHORT or LONG, found ASCII");
        assert_eq!(FilePosition::byte(4).to_string(), "file at byte 4");
    }
}
