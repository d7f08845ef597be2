//! Calls of C API functions that may throw.
//!
//! DuckDB throws C++ exceptions through its C API, in particular an `OutOfMemoryException` where memory is allocated
//! and `memory_limit` is reached. Rust cannot catch them, and an exception that reaches a function with the ABI "C"
//! aborts the process. Such functions are called through [`call`], which catches all exceptions in a few lines of C++
//! (`exception.cpp`) and returns them as values. An exception is passed as [`Error::DuckDb`] to the callback entered by
//! DuckDB, and rethrown there, so that users see the error class and message of DuckDB. DuckDB drops the chunk of a
//! failed call, so a partly written vector is never read.
//!
//! | functions | may throw | called through |
//! |---|---|---|
//! | `vector_assign_string_element_len`, `list_vector_reserve`, `list_vector_set_size` | at the memory limit: vectors allocate from the buffer manager | [`call`] |
//! | `vector_get_data`, `vector_ensure_validity_writable`, `vector_get_validity`, `list_vector_get_child` and other children, `data_chunk_set_size` | an internal error, if a vector is not flat or a chunk too small; the mask is allocated | [`call`] |
//! | `vector_get_column_type`, `bind_add_result_column`, `bind_set_cardinality`, and all registration functions | `std::bad_alloc` | [`call`] |
//! | `create_*_type`, child types, names, aliases and the CRS of types | `std::bad_alloc` | [`call_or_postpone`] |
//! | `bind_get_parameter`, `get_varchar`, `get_blob` and other parts of values | a failed cast, `std::bad_alloc` | [`call_or_postpone`] |
//! | `client_context_get_*`, `*_get_client_context`, `scalar_function_set_bind`, `scalar_function_set_init`, `*_set_bind_data_copy`, `file_system_open`, `file_handle_*`, file options, `error_data_*` | `std::bad_alloc` | [`call`], also in `crate::host` |
//! | `add_replacement_scan`, `replacement_scan_set_function_name`, `replacement_scan_add_parameter`, `create_varchar` | `std::bad_alloc` | [`call`], in `crate::host` |
//! | `create_copy_function`, `copy_function_*`, `register_copy_function` | `std::bad_alloc` | [`call`], in `super::copy_function` |
//! | `*_set_error` | `std::bad_alloc` | [`Failure::report`], which lets it pass into DuckDB |
//! | `connect`, `query`, `fetch_chunk` in the entrypoint | errors that DuckDB does not convert to states | [`call`] |
//! | `destroy_*`, `free`, `disconnect` | no: destructors | `ffi` |
//! | `get_type_id`, `get_value_type`, `decimal_*`, `struct_type_child_count`, `array_type_array_size`, `string_*`, `vector_size`, `library_version`, `*_get_*_data`, `*_get_extra_info`, `data_chunk_get_*`, `init_get_column_*`, `init_set_max_threads`, `*_set_bind_data`, `*_set_init_data` | no: they read or set a field | `ffi` |
//!
//! Add each newly used function to this table. Functions that allocate, cast or check in DuckDB must be called through
//! [`call`].

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};

use duckdb::ffi;

use super::logical_type::c_string;
use crate::error::{Error, Result};
use crate::host::api::api;

/// A caught C++ exception: a `std::exception_ptr`, which is one pointer, or two with MSVC.
#[repr(C)]
pub(crate) struct Exception {
    room: [MaybeUninit<*mut c_void>; 2],
}

// SAFETY: a `std::exception_ptr` has an atomic reference count, and the exception is only read.
unsafe impl Send for Exception {}
// SAFETY: as above.
unsafe impl Sync for Exception {}

unsafe extern "C" {
    fn rasteret_exception_catch(
        call: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
        room: *mut Exception,
    ) -> bool;
    fn rasteret_exception_make(what: *const c_char, room: *mut Exception) -> bool;
    fn rasteret_exception_drop(room: *mut Exception);
    fn rasteret_exception_text(room: *const Exception, text: *mut c_char, capacity: usize) -> usize;
}

unsafe extern "C-unwind" {
    fn rasteret_exception_throw(room: *mut Exception) -> !;
}

impl Exception {
    /// Creates an exception of a DuckDB class, such as `Permission`, which DuckDB reports as an error of that class
    /// when it is thrown. None if there is no memory for it.
    fn of_class(class: &str, message: &str) -> Option<Self> {
        let escaped: String = message.chars().filter(|character| !character.is_control()).fold(
            String::new(),
            |mut escaped, character| {
                if matches!(character, '"' | '\\') {
                    escaped.push('\\');
                }
                escaped.push(character);
                escaped
            },
        );
        let what = c_string(&format!("{{\"exception_type\":\"{class}\",\"exception_message\":\"{escaped}\"}}"));
        let mut exception = MaybeUninit::uninit();
        // SAFETY: the text is a C string that is copied; the exception is initialized if the result is true.
        unsafe {
            let is_made = rasteret_exception_make(what.as_ptr(), exception.as_mut_ptr());
            is_made.then(|| exception.assume_init())
        }
    }

    /// Throws the exception into the calling C++ code.
    ///
    /// # Safety
    /// All Rust frames up to the C++ caller must have the ABI "C-unwind" or be inlined into such frames, and must not
    /// catch panics.
    unsafe fn throw(self) -> ! {
        let mut exception = ManuallyDrop::new(self);
        // SAFETY: the exception is owned, and forgotten here; the rest is the caller's contract.
        unsafe { rasteret_exception_throw(&raw mut *exception) }
    }

    /// Whether DuckDB would close the database if this exception were rethrown. Here it is the result of a single call,
    /// and the database is intact.
    fn invalidates_database(&self) -> bool {
        ["INTERNAL", "FATAL"].iter().any(|class| self.text().starts_with(class))
    }

    /// The error message of DuckDB.
    pub(crate) fn text(&self) -> String {
        let mut text = [0u8; 2048];
        // SAFETY: the exception is live; at most `capacity` bytes are written.
        let length = unsafe { rasteret_exception_text(self, text.as_mut_ptr().cast(), text.len()) };
        worded(&String::from_utf8_lossy(text.get(..length).unwrap_or_default()))
    }
}

impl Drop for Exception {
    fn drop(&mut self) {
        // SAFETY: the exception is owned and dropped once.
        unsafe { rasteret_exception_drop(self) };
    }
}

impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exception").field(&self.text()).finish()
    }
}

/// The class and message of an exception, whose text is JSON:
/// `{"exception_type":"Out of Memory","exception_message":"…"}`.
fn worded(what: &str) -> String {
    match (json_text(what, "exception_type"), json_text(what, "exception_message")) {
        (Some(class), Some(message)) => format!("{class} Error: {message}"),
        _ if what.is_empty() => "an exception without text".to_owned(),
        _ => what.to_owned(),
    }
}

/// A string member of a flat JSON object. An unterminated string, in a truncated object, extends to the end.
fn json_text(object: &str, key: &str) -> Option<String> {
    let (_, value) = object.split_once(&format!("\"{key}\":\""))?;
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'b' | 'f' => text.push(' '),
                'u' => {
                    let code = characters.by_ref().take(4).collect::<String>();
                    let code = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Some(text)
}

/// A function of the C API that takes a tuple of arguments.
pub(crate) trait Callable<A> {
    /// The return type.
    type Output;

    /// Calls the function, which may unwind.
    ///
    /// # Safety
    /// Those of the called function.
    unsafe fn call_unwinding(self, arguments: A) -> Self::Output;
}

macro_rules! callable {
    ($($argument:ident: $kind:ident),*) => {
        impl<R, $($kind),*> Callable<($($kind,)*)> for unsafe extern "C" fn($($kind),*) -> R {
            type Output = R;

            #[inline]
            unsafe fn call_unwinding(self, ($($argument,)*): ($($kind,)*)) -> R {
                // SAFETY: "C" and "C-unwind" differ only in whether they may unwind, and this function is C++ that may.
                let function: unsafe extern "C-unwind" fn($($kind),*) -> R = unsafe { std::mem::transmute(self) };
                // SAFETY: the caller's contract.
                unsafe { function($($argument),*) }
            }
        }
    };
}

callable!();
callable!(a: A);
callable!(a: A, b: B);
callable!(a: A, b: B, c: C);
callable!(a: A, b: B, c: C, d: D);

/// A call through C++: the function, its arguments, and the location of the result.
struct Call<F, A, R> {
    function: F,
    arguments: A,
    output: MaybeUninit<R>,
}

/// Calls a function of the C API, selected by its slot:
/// `call(|api| api.duckdb_list_vector_reserve, (vector, capacity))`. An exception is returned as an error.
///
/// # Safety
/// Those of the called function.
#[inline]
pub(crate) unsafe fn call<F, A>(
    slot: impl FnOnce(&ffi::duckdb_ext_api_v1) -> Option<F>,
    arguments: A,
) -> Result<F::Output>
where
    F: Callable<A> + Copy,
    A: Copy,
{
    let missing = || Error::Internal("a function of DuckDB's C API is missing".to_owned());
    let function = api().and_then(slot).ok_or_else(missing)?;
    // SAFETY: the caller's contract.
    unsafe { attempt(function, arguments) }.map_err(Error::DuckDb)
}

/// Calls a function that may throw.
///
/// # Safety
/// Those of the called function.
#[inline]
unsafe fn attempt<F: Callable<A> + Copy, A: Copy>(function: F, arguments: A) -> Result<F::Output, Exception> {
    let mut call = Call { function, arguments, output: MaybeUninit::uninit() };
    let mut exception = MaybeUninit::uninit();
    // SAFETY: `run` receives the matching `Call`; it has nothing to drop if an exception passes through, and cannot
    // panic.
    let is_done = unsafe { rasteret_exception_catch(run::<F, A>, (&raw mut call).cast(), exception.as_mut_ptr()) };
    // SAFETY: the result is initialized if the call returned, the exception if it threw.
    unsafe { if is_done { Ok(call.output.assume_init()) } else { Err(exception.assume_init()) } }
}

/// # Safety
/// `data` must be a `Call<F, A, F::Output>` whose call is valid.
unsafe extern "C-unwind" fn run<F: Callable<A> + Copy, A: Copy>(data: *mut c_void) {
    // SAFETY: the caller's contract.
    unsafe {
        let call = &mut *data.cast::<Call<F, A, F::Output>>();
        call.output.write(call.function.call_unwinding(call.arguments));
    }
}

thread_local! {
    /// The first error of this callback that could not be returned as a `Result`.
    static POSTPONED: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Like [`call`], for functions that do not return a `Result`: after an exception the result is `otherwise`, and the
/// callback fails when it returns.
///
/// # Safety
/// Those of the called function.
pub(super) unsafe fn call_or_postpone<F, A>(
    slot: impl FnOnce(&ffi::duckdb_ext_api_v1) -> Option<F>,
    arguments: A,
    otherwise: F::Output,
) -> F::Output
where
    F: Callable<A> + Copy,
    A: Copy,
{
    // SAFETY: the caller's contract.
    unsafe { call(slot, arguments) }.unwrap_or_else(|error| {
        POSTPONED.with_borrow_mut(|postponed| {
            postponed.get_or_insert(error);
        });
        otherwise
    })
}

/// Takes the postponed error of this thread.
pub(crate) fn take_postponed() -> Result<()> {
    POSTPONED.take().map_or(Ok(()), Err)
}

/// The reason for the failure of a callback.
pub(crate) enum Failure {
    /// A message of this extension.
    Message(CString),
    /// An exception thrown by DuckDB.
    Exception(Exception),
}

impl Failure {
    /// The failure of a function with the given name.
    pub(super) fn of(error: Error, function: &str) -> Self {
        match error {
            Error::DuckDb(exception) if !exception.invalidates_database() => Self::Exception(exception),
            // Errors due to DuckDB's locks and memory limit have DuckDB's error classes.
            error => match error.host_class().and_then(|(class, what)| Exception::of_class(class, &what)) {
                Some(exception) => Self::Exception(exception),
                None => Self::Message(c_string(&error.named(function))),
            },
        }
    }

    /// Reports the failure to DuckDB, by setting the message or throwing the exception.
    ///
    /// # Safety
    /// `set_error` must accept `info`. There must only be frames with the ABI "C-unwind" between the caller and DuckDB.
    pub(crate) unsafe fn report<I>(
        self,
        info: I,
        set_error: impl FnOnce(&ffi::duckdb_ext_api_v1) -> Option<unsafe extern "C" fn(I, *const c_char)>,
    ) {
        match self {
            Self::Message(message) => {
                if let Some(set_error) = api().and_then(set_error) {
                    // SAFETY: DuckDB copies the message; if that throws, the exception passes to DuckDB like the ones
                    // thrown here.
                    unsafe { set_error.call_unwinding((info, message.as_ptr())) };
                }
            }
            // SAFETY: the caller's contract.
            Self::Exception(exception) => unsafe { exception.throw() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Throws the exception of an empty `std::exception_ptr`, a `std::bad_exception`.
    unsafe extern "C-unwind" fn throws(number: u32) -> u32 {
        let nothing = Exception { room: [MaybeUninit::new(std::ptr::null_mut()); 2] };
        // SAFETY: an empty `std::exception_ptr` is null, and all frames up to `attempt` have the ABI "C-unwind".
        if number > 1 { unsafe { nothing.throw() } } else { number }
    }

    #[test]
    fn exceptions_are_caught() {
        // SAFETY: the types are the same except for the ABI; `attempt` accepts functions that throw.
        let (ok, caught) = unsafe {
            let function = std::mem::transmute::<
                unsafe extern "C-unwind" fn(u32) -> u32,
                unsafe extern "C" fn(u32) -> u32,
            >(throws);
            (attempt(function, (1,)), attempt(function, (2,)))
        };
        assert_eq!(ok.ok(), Some(1));
        let text = caught.map_err(|exception| exception.text()).unwrap_err();
        assert!(text.contains("bad_exception") || text.contains("bad exception"), "{text}");
    }

    #[test]
    fn exceptions_have_a_class() {
        let exception = Exception::of_class("Permission", "Cannot access file \"a\\b\"\n").unwrap();
        assert_eq!(exception.text(), "Permission Error: Cannot access file \"a\\b\"");
    }

    #[test]
    fn exceptions_have_the_messages_of_duckdb() {
        let what = r#"{"exception_type":"Out of Memory","exception_message":"could not allocate \"x\"\n\u00e9\\ (1/2)","extra":"a"}"#;
        assert_eq!(worded(what), "Out of Memory Error: could not allocate \"x\"\né\\ (1/2)");
        assert_eq!(worded(r#"{"exception_type":"INTERNAL","exception_message":"cut o"#), "INTERNAL Error: cut o");
        assert_eq!(worded(r#"{"exception_type":"IO"}"#), r#"{"exception_type":"IO"}"#);
        assert_eq!(worded("std::bad_alloc"), "std::bad_alloc");
        assert_eq!(worded(""), "an exception without text");
    }
}
