//! Errors as shown to SQL users: `function('location'): place: expected …, found …`.

use std::fmt;

use crate::vector::exception::Exception;

/// An error of a function; [`Error::named`] adds the name of the function.
#[derive(Debug)]
pub(crate) enum Error {
    /// An error of a file, its store or its contents.
    Io(rasteret_io::Error),
    /// An invalid argument: the expected and the actual value.
    Argument(String),
    /// A bug in this extension.
    Internal(String),
    /// An exception thrown by DuckDB.
    DuckDb(Exception),
}

/// The result type of this crate.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<rasteret_io::Error> for Error {
    fn from(error: rasteret_io::Error) -> Self {
        Self::Io(error)
    }
}

/// The errors of calls that do not refer to a file.
impl From<rasteret_cog::Error> for Error {
    fn from(error: rasteret_cog::Error) -> Self {
        Self::Argument(error.to_string())
    }
}

impl Error {
    /// An argument error.
    pub(crate) fn argument(what: impl Into<String>) -> Self {
        Self::Argument(what.into())
    }

    /// The error class of DuckDB, for locks, memory and interrupts.
    pub(crate) fn host_class(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Io(error) => error.host_class(),
            _ => None,
        }
    }

    /// The message shown by DuckDB.
    pub(crate) fn named(&self, function: &str) -> String {
        shortened(self.whole_message(function))
    }

    fn whole_message(&self, function: &str) -> String {
        match self {
            Self::Io(error) => {
                let text = error.to_string();
                let location = error.location().map(ToString::to_string).unwrap_or_default();
                let hint = hint(error, &location);
                match text.strip_prefix(&format!("{location}: ")) {
                    Some(cause) if !location.is_empty() => {
                        format!("{function}('{location}'): {cause}{hint}")
                    }
                    _ => format!("{function}: {text}{hint}"),
                }
            }
            Self::Argument(what) => format!("{function}: {what}"),
            Self::Internal(what) => format!("{function}: internal error, please report it: {what}"),
            Self::DuckDb(exception) => format!("{function}: {}", exception.text()),
        }
    }
}

/// Maximum length of a message in bytes: an argument that is shown in it may have megabytes.
const MAX_MESSAGE: usize = 1 << 17;

/// Cuts a message that is too long.
fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A hint for an error of a file, if its cause alone does not suggest a solution.
fn hint(error: &rasteret_io::Error, location: &str) -> &'static str {
    match error {
        rasteret_io::Error::Changed { what, .. } if what.contains("since it was indexed") => {
            "; or the metadata is that of another file. Index the file again, or see RASTERET_CHECK_VERSION"
        }
        rasteret_io::Error::Store { fault, .. } if fault.is_not_found() && location.contains('*') => {
            "; table functions expand globs: FROM cog_metadata('*.tif')"
        }
        _ => "",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Argument(what) | Self::Internal(what) => f.write_str(what),
            Self::DuckDb(exception) => f.write_str(&exception.text()),
        }
    }
}

impl std::error::Error for Error {}
