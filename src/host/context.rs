//! The client context of a query: settings and DuckDB's file system. Hosts from 1.5.2 on.

use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;

use duckdb::ffi;

use crate::error::{Error, Result};
use crate::vector::Value;
use crate::vector::exception::call;

/// A client context. DuckDB aborts the process if a context is used after its connection was closed, so a query does
/// not keep it beyond its end, and a plan only uses it during its execution.
pub(crate) struct Context(ffi::duckdb_client_context);

// SAFETY: a reference to DuckDB's `ClientContext`, whose settings and file system are read under its own locks.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// Takes ownership of a context created by DuckDB.
    ///
    /// # Safety
    /// `raw` must be null or a context that the caller owns.
    pub(crate) unsafe fn from_raw(raw: ffi::duckdb_client_context) -> Result<Self> {
        match raw.is_null() {
            false => Ok(Self(raw)),
            true => Err(Error::Internal("DuckDB gave no client context".to_owned())),
        }
    }

    /// The DuckDB object that the handle refers to: a `ClientContext`, which begins with a pointer to itself (it is an
    /// `enable_shared_from_this`). None if this is not the case, in a release with a different layout.
    pub(super) fn object(&self) -> Option<*const c_void> {
        let handle = self.0.cast::<*const *const c_void>();
        // SAFETY: since 1.5.2 the handle is a struct of one reference, to an object that lives as long as its
        // connection.
        unsafe {
            let object = handle.read();
            let is_itself = !object.is_null() && object.is_aligned() && object.read() == object.cast();
            is_itself.then_some(object.cast())
        }
    }

    /// The value of a setting; None if the host has no setting of this name.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    pub(super) unsafe fn setting(&self, name: &CStr) -> Result<Option<Value>> {
        // SAFETY: the context is live while a query runs; the value is owned, or null if there is none.
        unsafe {
            let arguments = (self.0, name.as_ptr(), null_mut());
            Ok(Value::from_raw(call(|api| api.duckdb_client_context_get_config_option, arguments)?))
        }
    }

    /// DuckDB's file system for the connection, which the caller has to destroy.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    pub(super) unsafe fn file_system(&self) -> Result<ffi::duckdb_file_system> {
        // SAFETY: the context is live while a query runs.
        unsafe { call(|api| api.duckdb_client_context_get_file_system, (self.0,)) }
    }

    /// The error of DuckDB when it opens a file; None if it succeeds.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    pub(super) unsafe fn error_of_opening(&self, path: &str) -> Result<Option<String>> {
        let path = CString::new(path).map_err(|_| Error::Internal("a path with a NUL".to_owned()))?;
        // SAFETY: the context is live while a query runs. All handles are created and destroyed here, and DuckDB's
        // destructors accept null; the message lives as long as its error.
        unsafe {
            let mut system = self.file_system()?;
            let mut options = call(|api| api.duckdb_create_file_open_options, ())?;
            let read = ffi::duckdb_file_flag_DUCKDB_FILE_FLAG_READ;
            let flagged = call(|api| api.duckdb_file_open_options_set_flag, (options, read, true));
            let mut file: ffi::duckdb_file_handle = null_mut();
            let opened = flagged
                .and_then(|_| call(|api| api.duckdb_file_system_open, (system, path.as_ptr(), options, &raw mut file)));
            let message = opened.and_then(|state| match state == ffi::DuckDBSuccess {
                true => Ok(None),
                false => {
                    let mut error = call(|api| api.duckdb_file_system_error_data, (system,))?;
                    let message = call(|api| api.duckdb_error_data_message, (error,))?;
                    let message = (!message.is_null()).then(|| CStr::from_ptr(message).to_string_lossy().into_owned());
                    ffi::duckdb_destroy_error_data(&raw mut error);
                    Ok(Some(message.unwrap_or_default()))
                }
            });
            ffi::duckdb_destroy_file_handle(&raw mut file);
            ffi::duckdb_destroy_file_open_options(&raw mut options);
            ffi::duckdb_destroy_file_system(&raw mut system);
            message
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is owned and destroyed once; this only drops a reference to DuckDB's object.
        unsafe { ffi::duckdb_destroy_client_context(&raw mut self.0) };
    }
}
