//! The option `on_error`.

use std::str::FromStr;

use crate::Error;

/// The effect of a file that cannot be read: an asset's header, or the pixels of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The result is NULL; for an asset, `rasteret_error` has the reason.
    #[default]
    Null,
    /// The query fails.
    Fail,
}

impl FromStr for OnError {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "null" => Ok(Self::Null),
            "fail" => Ok(Self::Fail),
            other => {
                Err(Error::InvalidArgument { what: format!("on_error: expected 'null' or 'fail', found '{other}'") })
            }
        }
    }
}
