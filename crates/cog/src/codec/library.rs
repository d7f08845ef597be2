//! Calling decoders of others on bytes that nobody vouches for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::block::malformed;
use crate::Result;

/// Runs a library's decoder; a panic in it is an error about the tile.
///
/// The libraries promise errors for any bytes, but index and subtract without checks in places: a file must not be able
/// to take the query down with it. What `decode` borrows mutably is only looked at again where it succeeded.
pub(super) fn guarded<T>(codec: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(malformed(format!("expected a tile in {codec}, found one that its decoder gives up on")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded("a test", || Ok(3)).unwrap(), 3);
        let none: Vec<u8> = Vec::new();
        let error = guarded("a test", || Ok(none[3])).unwrap_err();
        assert!(error.to_string().contains("expected a tile in a test"), "{error}");
    }
}
