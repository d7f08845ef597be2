//! Errors that say whose fault it is: the file's, this library's, a limit's or the caller's.

use std::fmt;

use super::tag::Tag;

/// What went wrong with a file's bytes or with a request about them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file breaks TIFF 6.0, BigTIFF or GeoTIFF.
    #[error("{at}: {what}")]
    Malformed {
        /// Where in the file.
        at: FilePosition,
        /// What was expected and what was found.
        what: String,
    },
    /// The file is valid, but what it holds is not supported.
    #[error("{at}: {what}")]
    Unsupported {
        /// Where in the file.
        at: FilePosition,
        /// What is not supported.
        what: String,
    },
    /// The file asks for more than a limit of [`crate::Limits`] allows.
    #[error("{at}: {limit} of {asked} exceeds the limit of {max}")]
    LimitExceeded {
        /// Where in the file.
        at: FilePosition,
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
pub struct FilePosition {
    /// Position of the IFD in file order (main chain first), if inside one.
    pub ifd: Option<u32>,
    /// TIFF tag code, if inside one.
    pub tag: Option<u16>,
    /// Byte offset in the file.
    pub byte: Option<u64>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl FilePosition {
    /// A byte of the file outside any IFD.
    pub(crate) const fn byte(byte: u64) -> Self {
        Self { ifd: None, tag: None, byte: Some(byte) }
    }
}

impl fmt::Display for FilePosition {
    /// `IFD 0, tag TileWidth (322) at byte 118`, with the parts that are known; `file` when none is.
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
    fn errors_name_the_place() {
        let at = FilePosition { ifd: Some(0), tag: Some(322), byte: Some(118) };
        let error = Error::Malformed { at, what: "expected SHORT or LONG, found ASCII".to_owned() };
        assert_eq!(error.to_string(), "IFD 0, tag TileWidth (322) at byte 118: expected SHORT or LONG, found ASCII");
        assert_eq!(FilePosition::byte(4).to_string(), "file at byte 4");
    }
}
