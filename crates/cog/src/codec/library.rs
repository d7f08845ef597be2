//! Calls decoder libraries on untrusted bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::block::malformed;
use crate::Result;

/// Runs a decoder and converts a panic to an error about the tile.
///
/// The libraries promise errors for invalid bytes, but contain unchecked indexing and arithmetic; a file must not be
/// able to abort a query. Anything that `decode` borrows mutably is only used if it succeeded.
pub(super) fn guarded<T>(codec: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(malformed(format!("expected a valid {codec} tile, found data that its decoder cannot process")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded("LERC", || Ok(3)).unwrap(), 3);
        let none: Vec<u8> = Vec::new();
        let error = guarded("LERC", || Ok(none[3])).unwrap_err();
        assert!(error.to_string().contains("expected a valid LERC tile"), "{error}");
    }
}
