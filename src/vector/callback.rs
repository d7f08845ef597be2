//! What DuckDB calls back: Rust that may fail or panic, but never unwinds into C++.

use std::any::Any;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::logical_type::c_string;
use crate::error::{Error, Result};

/// Runs `body`; its error, or its panic as an error, becomes a message for DuckDB.
pub(super) fn contain<T>(function: &str, body: impl FnOnce() -> Result<T>) -> Result<T, CString> {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    outcome.unwrap_or_else(|payload| Err(Error::Internal(panic_text(payload.as_ref())))).map_err(|error| {
        // Formatting runs outside of `catch_unwind` above, so it is contained on its own.
        let text = catch_unwind(AssertUnwindSafe(|| error.named(function)));
        c_string(&text.unwrap_or_else(|_| format!("{function}: internal error")))
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without text").to_owned()
}

/// Frees a `Box<T>` that was handed to DuckDB.
///
/// # Safety
/// `pointer` must come from `Box::<T>::into_raw` and be freed once: DuckDB calls a deleter once.
pub(super) unsafe extern "C" fn drop_box<T>(pointer: *mut c_void) {
    if !pointer.is_null() {
        // A panic in a destructor has nowhere to be told; what matters is that it stops here.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the caller's contract.
            drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
        }));
    }
}
