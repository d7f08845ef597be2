//! What DuckDB calls back: Rust that may fail or panic, but never unwinds into C++.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::exception::{Failure, take_postponed};
use super::logical_type::c_string;
use crate::error::{Error, Result};

/// Runs `body`; its error, or its panic as an error, is a failure to report to DuckDB. An error that was postponed comes first: what
/// followed may be its consequence.
pub(crate) fn contain<T>(function: &str, body: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let outcome = outcome.unwrap_or_else(|payload| Err(Error::Internal(panic_text(payload.as_ref()))));
    take_postponed().and(outcome).map_err(|error| {
        // Formatting runs outside of `catch_unwind` above, so it is contained on its own.
        let failure = catch_unwind(AssertUnwindSafe(|| Failure::of(error, function)));
        failure.unwrap_or_else(|_| Failure::Message(c_string(&format!("{function}: internal error"))))
    })
}

/// A callback that may throw, in the type that DuckDB's header gives it: to the C++ that calls it, both are the same. For each
/// argument there is an `_`.
macro_rules! throwing {
    ($callback:expr, $($argument:tt),+) => {
        std::mem::transmute::<unsafe extern "C-unwind" fn($($argument),+), unsafe extern "C" fn($($argument),+)>($callback)
    };
}
pub(crate) use throwing;

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without text").to_owned()
}

/// The error of a child that goes on with a query of its parent.
pub(super) fn forked() -> Error {
    Error::argument("the query was started in the process that this one was forked from")
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
