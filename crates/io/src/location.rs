//! Where a file is.

use std::fmt;

/// Where a file is. `Display` and `Debug` are redacted: no query string, no user, no token.
#[derive(Clone)]
pub struct Location {}

impl fmt::Display for Location {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
