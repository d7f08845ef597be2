//! Callbacks from DuckDB: Rust code that may fail or panic, but never unwinds into C++.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::exception::{Failure, take_postponed};
use super::logical_type::c_string;
use crate::error::{Error, Result};

/// Runs `body`, and returns its error or panic as a failure to report to DuckDB. A postponed error takes precedence,
/// because later errors may be its consequence.
pub(crate) fn contain<T>(function: &str, body: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let outcome = outcome.unwrap_or_else(|payload| Err(Error::Internal(panic_text(payload.as_ref()))));
    take_postponed().and(outcome).map_err(|error| {
        // Formatting runs outside of the `catch_unwind` above, and may panic too.
        let failure = catch_unwind(AssertUnwindSafe(|| Failure::of(error, function)));
        failure.unwrap_or_else(|_| Failure::Message(c_string(&format!("{function}: internal error"))))
    })
}

/// Converts a callback that may throw to the type declared in DuckDB's header, which is the same to the calling C++.
/// There is one `_` per argument.
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

/// The error of a forked child process that continues a query of its parent.
pub(super) fn forked() -> Error {
    Error::argument("the query was started in the process that this one was forked from")
}

/// Frees a `Box<T>` owned by DuckDB.
///
/// # Safety
/// `pointer` must come from `Box::<T>::into_raw` and be freed once: DuckDB calls a deleter once.
pub(super) unsafe extern "C" fn drop_box<T>(pointer: *mut c_void) {
    if !pointer.is_null() {
        // A panic in a destructor cannot be reported, but must not unwind further.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the caller's contract.
            drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
        }));
    }
}
