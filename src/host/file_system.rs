//! DuckDB's file system, through which a query reads files with `SET rasteret_file_system = 'duckdb'`. Hosts from 1.5.2 on.
//!
//! Manages the lifetime of contexts and file handles, and converts DuckDB's errors, whose text may contain URLs with signatures.
//!
//! ```text
//! bind, each thread of an execution ─> Lease ─┐
//! threads that read ─> open, read ────────────┴─> QueryFiles: context, file handles
//! ```
//!
//! DuckDB aborts the process if a context is used after its connection was closed. A [`Lease`] keeps files open: those of bind end
//! with bind, those of an execution with its last state, which DuckDB destroys while the connection lives. When the last lease ends,
//! running calls of DuckDB in other threads are completed, all handles are destroyed, and later reads are errors.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use duckdb::ffi;
use rasteret_io::{HostFile, HostFileSystem, StoreError, redacted};

use super::Context;
use crate::error::{Error, Result};
use crate::vector::exception::call;

/// Time after an execution during which the plan may reuse data. While planning, DuckDB repeatedly evaluates a failing call with
/// constant arguments; a prepared statement that is executed later reads files again.
const AGAIN: Duration = Duration::from_secs(3);

/// The files of one plan, open while it is bound or executed.
#[derive(Default)]
pub(crate) struct QueryFiles {
    /// None while no query runs. DuckDB is called with a read lock.
    context: RwLock<Option<Arc<Context>>>,
    handles: Mutex<Handles>,
    leases: Mutex<Leases>,
}

#[derive(Default)]
struct Leases {
    count: usize,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// Open handles by number.
#[derive(Default)]
struct Handles {
    next: u64,
    open: HashMap<u64, Arc<Handle>>,
}

/// A file handle of DuckDB, null once it is destroyed. One thread at a time uses it.
struct Handle(Mutex<RawHandle>);

struct RawHandle(ffi::duckdb_file_handle);

// SAFETY: DuckDB's file handles belong to no thread; this one is used under a lock.
unsafe impl Send for RawHandle {}

/// Keeps the files of a plan open.
pub(crate) struct Lease(Arc<QueryFiles>);

/// A file of a query.
struct OpenFile {
    files: Arc<QueryFiles>,
    number: u64,
    handle: Arc<Handle>,
    size: u64,
}

impl QueryFiles {
    /// Opens the files of the plan for the query that runs on the context's connection.
    pub(crate) fn lease(self: &Arc<Self>, context: &Arc<Context>) -> Lease {
        let mut leases = lock(&self.leases);
        leases.count += 1;
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = Some(context.clone());
        Lease(self.clone())
    }

    /// Whether the plan is being executed, or was within [`AGAIN`].
    pub(crate) fn is_current(&self) -> bool {
        let leases = lock(&self.leases);
        leases.count > 0 || leases.ended.is_none_or(|ended| ended.elapsed() < AGAIN)
    }

    /// Ends a lease; with the last one, all files are closed.
    fn release(&self) {
        let mut leases = lock(&self.leases);
        leases.count = leases.count.saturating_sub(1);
        if leases.count > 0 {
            return;
        }
        leases.ended = Some(Instant::now());
        // Waits for calls that other threads have begun.
        let mut context = self.context.write().unwrap_or_else(PoisonError::into_inner);
        for handle in std::mem::take(&mut lock(&self.handles).open).into_values() {
            handle.destroy();
        }
        *context = None;
    }

    /// The context of the running query, which does not end before the guard is dropped.
    fn running(&self) -> RwLockReadGuard<'_, Option<Arc<Context>>> {
        self.context.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl HostFileSystem for QueryFiles {
    fn open(self: Arc<Self>, path: &str) -> Result<Box<dyn HostFile>, StoreError> {
        let running = self.running();
        let context = running.as_ref().ok_or_else(ended)?;
        // SAFETY: the query runs as long as `running` is held.
        let opened = unsafe { open(context, path) }.map_err(|error| internal(&error))?;
        let (raw, size) = opened.map_err(|error| fault(&error, path))?;
        let handle = Arc::new(Handle(Mutex::new(RawHandle(raw))));
        let mut handles = lock(&self.handles);
        let number = handles.next;
        handles.next += 1;
        handles.open.insert(number, handle.clone());
        drop((handles, running));
        Ok(Box::new(OpenFile { files: self, number, handle, size }))
    }

    fn listing_hint(&self) -> &'static str {
        "globs are not expanded with rasteret_file_system = 'duckdb': expected file names, such as those of DuckDB's table function \
         glob('…')"
    }
}

impl HostFile for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn is_open(&self) -> bool {
        let _running = self.files.running();
        !lock(&self.handle.0).0.is_null()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let _running = self.files.running();
        let raw = lock(&self.handle.0);
        if raw.0.is_null() {
            return Err(ended());
        }
        // SAFETY: handles are destroyed when their query ends, which does not happen as long as `_running` is held.
        let read = unsafe { read(raw.0, offset, buffer) }.map_err(|error| internal(&error))?;
        read.map_err(|error| fault(&error, ""))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // If the query has ended, the handle was destroyed.
        let _running = self.files.running();
        lock(&self.files.handles).open.remove(&self.number);
        self.handle.destroy();
    }
}

impl Handle {
    /// Destroys the handle, unless that is done; waits for a thread that reads.
    fn destroy(&self) {
        let mut raw = lock(&self.0);
        // SAFETY: the handle is owned, and null afterwards; DuckDB takes null.
        unsafe { ffi::duckdb_destroy_file_handle(&raw mut raw.0) };
        raw.0 = null_mut();
    }
}

/// An error of DuckDB's.
struct HostError {
    kind: ffi::duckdb_error_type,
    message: String,
}

impl HostError {
    /// Takes over an error.
    ///
    /// # Safety
    /// `raw` must be an error that the caller has to destroy.
    unsafe fn take(mut raw: ffi::duckdb_error_data) -> Result<Self> {
        // SAFETY: the caller's contract; the message lives as long as its error.
        unsafe {
            let kind = call(|api| api.duckdb_error_data_error_type, (raw,));
            let message = call(|api| api.duckdb_error_data_message, (raw,)).map(|message| match message.is_null() {
                true => String::new(),
                false => CStr::from_ptr(message).to_string_lossy().into_owned(),
            });
            ffi::duckdb_destroy_error_data(&raw mut raw);
            Ok(Self { kind: kind?, message: message? })
        }
    }
}

type HostResult<T> = std::result::Result<T, HostError>;

/// Opens a file for reading; returns its handle and size.
///
/// # Safety
/// A query of the context's connection must be running.
unsafe fn open(context: &Context, path: &str) -> Result<HostResult<(ffi::duckdb_file_handle, u64)>> {
    let path = CString::new(path).map_err(|_| Error::Internal("a path with a NUL".to_owned()))?;
    // SAFETY: the caller's contract. All handles except for that of the file are created and destroyed here, and DuckDB's destructors take null.
    unsafe {
        let mut system = context.file_system()?;
        let opened = call(|api| api.duckdb_create_file_open_options, ()).and_then(|mut options| {
            let mut file: ffi::duckdb_file_handle = null_mut();
            let flag = ffi::duckdb_file_flag_DUCKDB_FILE_FLAG_READ;
            let state = call(|api| api.duckdb_file_open_options_set_flag, (options, flag, true))
                .and_then(|_| call(|api| api.duckdb_file_system_open, (system, path.as_ptr(), options, &raw mut file)));
            ffi::duckdb_destroy_file_open_options(&raw mut options);
            if state? != ffi::DuckDBSuccess || file.is_null() {
                return Ok(Err(HostError::take(call(|api| api.duckdb_file_system_error_data, (system,))?)?));
            }
            match call(|api| api.duckdb_file_handle_size, (file,)).map(u64::try_from) {
                Ok(Ok(size)) => Ok(Ok((file, size))),
                unknown => {
                    let error =
                        call(|api| api.duckdb_file_handle_error_data, (file,)).and_then(|raw| HostError::take(raw));
                    ffi::duckdb_destroy_file_handle(&raw mut file);
                    unknown.and(error).map(Err)
                }
            }
        });
        ffi::duckdb_destroy_file_system(&raw mut system);
        opened
    }
}

/// Reads at an offset; returns the number of bytes.
///
/// # Safety
/// The handle must be live, and used by no other thread.
unsafe fn read(file: ffi::duckdb_file_handle, offset: u64, buffer: &mut [u8]) -> Result<HostResult<usize>> {
    let (offset, length) = (i64::try_from(offset).unwrap_or(i64::MAX), i64::try_from(buffer.len()).unwrap_or(i64::MAX));
    // SAFETY: the caller's contract; DuckDB writes at most `length` bytes.
    unsafe {
        let state = call(|api| api.duckdb_file_handle_seek, (file, offset))?;
        let read = match state == ffi::DuckDBSuccess {
            true => call(|api| api.duckdb_file_handle_read, (file, buffer.as_mut_ptr().cast(), length))?,
            false => -1,
        };
        match usize::try_from(read) {
            Ok(read) => Ok(Ok(read.min(buffer.len()))),
            Err(_) => Ok(Err(HostError::take(call(|api| api.duckdb_file_handle_error_data, (file,))?)?)),
        }
    }
}

fn ended() -> StoreError {
    StoreError::Other("the query has ended".to_owned())
}

/// An exception of a function that should not throw any.
fn internal(error: &Error) -> StoreError {
    StoreError::Other(shown(&error.named("duckdb"), ""))
}

/// Converts an error of DuckDB about a file, without parts that may be secret.
fn fault(error: &HostError, path: &str) -> StoreError {
    let message = error.message.lines().next().unwrap_or_default();
    if error.kind == ffi::duckdb_error_type_DUCKDB_ERROR_PERMISSION {
        return StoreError::Denied(shown(message, path));
    }
    if let Some(status) = http_status(message) {
        return StoreError::Http { status, code: None };
    }
    let missing = ["No such file or directory", "FileNotFoundError", "No files found"];
    if missing.iter().any(|text| message.contains(text)) {
        return StoreError::NoSuchFile;
    }
    match shown(message, path) {
        text if text.is_empty() => StoreError::Other("DuckDB cannot read the file".to_owned()),
        text => StoreError::Other(text),
    }
}

/// The status in errors of httpfs and azure: `(HTTP 403)`, `HTTP code 403`, `(404 Not Found)`.
fn http_status(message: &str) -> Option<u16> {
    const MARKS: [&str; 4] = ["(HTTP ", "HTTP code ", "HTTP ", "("];
    MARKS.iter().find_map(|mark| {
        message.match_indices(mark).find_map(|(at, _)| {
            let rest = &message[at + mark.len()..];
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let status = rest[..digits].parse().ok().filter(|status| digits == 3 && (300..600).contains(status))?;
            // A number in parentheses without text after it may be anything.
            (*mark != "(" || rest[digits..].starts_with(' ')).then_some(status)
        })
    })
}

/// A text of DuckDB's that may be shown: the path as locations are shown, no URL with a query string, nothing that assigns a value.
fn shown(message: &str, path: &str) -> String {
    const MAX_WORDS: usize = 40;
    let message = if path.is_empty() { message.to_owned() } else { message.replace(path, &redacted(path)) };
    let words = message.split_whitespace().take(MAX_WORDS).map(|word| {
        let text = word.trim_matches(|letter: char| matches!(letter, '\'' | '"' | '(' | ')' | ',' | '.' | ';'));
        match text.contains("://") {
            true => word.replace(text, &redacted(text)),
            false if text.contains(['=', '&', '?', '@']) => "…".to_owned(),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ffi::duckdb_error_type, message: &str, path: &str) -> StoreError {
        fault(&HostError { kind, message: message.to_owned() }, path)
    }

    #[test]
    fn errors_are_classified() {
        let io = ffi::duckdb_error_type_DUCKDB_ERROR_IO;
        let http = |status| StoreError::Http { status, code: None };
        let url = "https://b.s3.amazonaws.com/k.tif?X-Amz-Signature=SECRET";
        for (message, expected) in [
            (format!("HTTP GET error on '{url}' (HTTP 403)"), http(403)),
            (
                format!("Unable to connect to URL \"{url}\": 404 (Not Found)."),
                StoreError::Other(
                    "Unable to connect to URL \"https://b.s3.amazonaws.com/k.tif\": 404 (Not Found).".to_owned(),
                ),
            ),
            (format!("HTTP HEAD error on '{url}' (HTTP 404 Not Found)"), http(404)),
            ("Cannot open file \"/a/b.tif\": No such file or directory".to_owned(), StoreError::NoSuchFile),
            ("FileNotFoundError: a.tif".to_owned(), StoreError::NoSuchFile),
            ("key_id=SECRET secret=SECRET were refused".to_owned(), StoreError::Other("… … were refused".to_owned())),
            (String::new(), StoreError::Other("DuckDB cannot read the file".to_owned())),
        ] {
            let found = of(io, &message, url);
            assert_eq!(found, expected);
            assert!(!found.to_string().contains("SECRET"), "{found}");
        }
    }

    #[test]
    fn errors_of_locks_are_unchanged() {
        let permission = ffi::duckdb_error_type_DUCKDB_ERROR_PERMISSION;
        let message =
            "Cannot access file \"memory://a.tif?sig=SECRET\" - file system operations are disabled by configuration";
        let expected = "Cannot access file \"memory://a.tif\" - file system operations are disabled by configuration";
        assert_eq!(of(permission, message, "memory://a.tif?sig=SECRET"), StoreError::Denied(expected.to_owned()));
    }
}
