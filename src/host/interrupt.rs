//! Detects whether a query was interrupted, by Ctrl-C, a client's `interrupt()`, or an error of another thread.
//!
//! The C API has no function for this. `ClientContext::IsInterrupted` is exported by the libraries and Python modules
//! of DuckDB for Linux and macOS since 1.5, like all of its classes; it takes the context that the handle of the C API
//! refers to. If the symbol is missing (in the command line, on Windows, in 1.4), a query continues until its timeouts.

use std::ffi::c_void;
use std::sync::{Arc, OnceLock};

use rasteret_io::IsInterrupted;

use super::Context;

/// `bool duckdb::ClientContext::IsInterrupted() const`.
type Function = unsafe extern "C" fn(*const c_void) -> bool;

/// A check for the connection of a context; None if the host does not export the function. It must only be called while
/// a query of the connection is running.
pub(crate) fn interrupts(context: &Arc<Context>) -> Option<IsInterrupted> {
    static FUNCTION: OnceLock<Option<Function>> = OnceLock::new();
    let function = (*FUNCTION.get_or_init(symbol::find))?;
    let context = Arc::clone(context);
    context.object()?;
    Some(Arc::new(move || {
        // SAFETY: the object is DuckDB's `ClientContext`, which lives as long as its connection; the function reads an
        // atomic.
        context.object().is_some_and(|object| unsafe { function(object) })
    }))
}

#[cfg(unix)]
mod symbol {
    use std::ffi::{c_char, c_int, c_void};
    use std::mem::MaybeUninit;

    use super::Function;

    /// `Dl_info` of dlfcn.h.
    #[repr(C)]
    struct Info {
        file: *const c_char,
        base: *mut c_void,
        symbol: *const c_char,
        address: *mut c_void,
    }

    const LAZY: c_int = 1;
    /// Only finds loaded libraries.
    const NO_LOAD: c_int = if cfg!(target_os = "macos") { 0x10 } else { 4 };

    unsafe extern "C" {
        fn dladdr(address: *const c_void, info: *mut Info) -> c_int;
        fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
        fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    /// Finds the function in the library that provides the C API.
    pub(super) fn find() -> Option<Function> {
        let known = crate::host::api::api()?.duckdb_library_version?;
        let mut info = MaybeUninit::<Info>::zeroed();
        // SAFETY: `dladdr` fills the struct if the result is not 0; names are C strings that outlive the call. The
        // library is loaded, and the handle is never closed, so the function remains valid. Its type is that of the C++
        // declaration: the object is the first argument in the ABIs of Linux and macOS.
        unsafe {
            if dladdr(known as *const c_void, info.as_mut_ptr()) == 0 || (*info.as_ptr()).file.is_null() {
                return None;
            }
            let library = dlopen((*info.as_ptr()).file, LAZY | NO_LOAD);
            if library.is_null() {
                return None;
            }
            let symbol = dlsym(library, c"_ZNK6duckdb13ClientContext13IsInterruptedEv".as_ptr());
            (!symbol.is_null()).then(|| std::mem::transmute::<*mut c_void, Function>(symbol))
        }
    }
}

#[cfg(not(unix))]
mod symbol {
    use super::Function;

    pub(super) fn find() -> Option<Function> {
        None
    }
}
