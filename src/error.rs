//! Errors as SQL users read them: `function('location'): place: what was expected, what was found`.

use std::fmt;

use crate::vector::exception::Exception;

/// What a function can fail with; [`Error::named`] puts the function's name before it.
#[derive(Debug)]
pub(crate) enum Error {
    /// A file, its store or its bytes.
    Io(rasteret_io::Error),
    /// An argument: what was expected and what was given.
    Argument(String),
    /// A fault of this extension.
    Internal(String),
    /// What DuckDB threw.
    DuckDb(Exception),
}

/// Shorthand for results at the border.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<rasteret_io::Error> for Error {
    fn from(error: rasteret_io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is wrong with a call, where no file is to be named.
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

    /// DuckDB's own class of error where it has one for this: what a lock forbids, memory, interrupts.
    pub(crate) fn host_class(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Io(error) => error.host_class(),
            _ => None,
        }
    }

    /// The text that DuckDB shows.
    pub(crate) fn named(&self, function: &str) -> String {
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

/// What to do about an error of a file, where its cause alone does not say it.
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
