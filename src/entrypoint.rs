//! The entrypoint of `LOAD rasteret`: stores DuckDB's API and registers all functions, without keeping anything of the
//! caller's database.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::panic::catch_unwind;

use duckdb::ffi;
use rasteret_io::Session;

use crate::error::{Error, Result};
use crate::functions;
use crate::host::{Host, api, memory, replacement, settings};
use crate::vector::SharedSession;
use crate::vector::exception::{call, take_postponed};

/// The entrypoint, named after the file `rasteret.duckdb_extension`.
///
/// # Safety
///
/// Called by DuckDB with `info` and `access` that are live during the call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rasteret_init_c_api(
    info: ffi::duckdb_extension_info,
    access: *const ffi::duckdb_extension_access,
) -> bool {
    // SAFETY: the caller's contract; `access` is live during the call.
    let outcome = catch_unwind(|| unsafe { load(info, access) })
        .unwrap_or_else(|_| Err(Error::Internal("a panic while loading".to_owned())));
    let Err(error) = outcome else { return true };
    let message = CString::new(error.named("rasteret")).unwrap_or_default();
    // SAFETY: `access` and `info` are live; DuckDB copies the message.
    unsafe {
        if let Some(set_error) = (*access).set_error {
            set_error(info, message.as_ptr());
        }
    }
    false
}

/// # Safety
/// As for the entrypoint.
unsafe fn load(info: ffi::duckdb_extension_info, access: *const ffi::duckdb_extension_access) -> Result<()> {
    // SAFETY: `access` is live; its functions take the `info` of this call. The API struct outlives the host. The
    // connection is closed before returning, because keeping it open would break the caller's database.
    unsafe {
        #[cfg(unix)]
        crate::host::fork::register();
        let padded = api::take(info, access)?;
        let initialised = ffi::duckdb_rs_extension_api_init(info, &raw const padded, api::VERSION);
        if !initialised.map_err(|what| Error::Internal(what.to_owned()))? {
            return Err(Error::Internal("DuckDB gave no API".to_owned()));
        }
        let get_database = (*access).get_database.ok_or_else(|| Error::Internal("no database".to_owned()))?;
        let database = get_database(info);
        if database.is_null() {
            return Err(Error::Internal("DuckDB gave no database".to_owned()));
        }
        let mut connection: ffi::duckdb_connection = std::ptr::null_mut();
        if call(|api| api.duckdb_connect, (*database, &raw mut connection))? != ffi::DuckDBSuccess {
            return Err(Error::Internal("no connection to the database".to_owned()));
        }
        let outcome = Session::from_env().map_err(Error::from).and_then(|session| {
            if let Some(threads) = threads(connection)? {
                session.set_host_threads(threads);
            }
            if let Some(limit) = memory_limit(connection)? {
                session.set_memory_limit(limit);
            }
            if Host::current().has_late_slots() {
                settings::register(connection, session.options())?;
            }
            functions::register(connection, &SharedSession::new(session))?;
            replacement::register(*database)?;
            take_postponed()
        });
        ffi::duckdb_disconnect(&raw mut connection);
        outcome
    }
}

/// DuckDB's `threads` setting; None if unknown. It also limits decoding threads, because DuckDB runs a query of few
/// rows on a single thread.
///
/// # Safety
/// `connection` must be live.
unsafe fn threads(connection: ffi::duckdb_connection) -> Result<Option<usize>> {
    // SAFETY: the result and its chunk are destroyed here; a BIGINT vector of one row contains one i64.
    unsafe {
        let mut result = MaybeUninit::<ffi::duckdb_result>::zeroed().assume_init();
        let question = c"SELECT current_setting('threads')::BIGINT";
        let state = call(|api| api.duckdb_query, (connection, question.as_ptr(), &raw mut result))?;
        let mut threads = None;
        if state == ffi::DuckDBSuccess {
            let mut chunk = call(|api| api.duckdb_fetch_chunk, (result,))?;
            if !chunk.is_null() && ffi::duckdb_data_chunk_get_size(chunk) == 1 {
                let vector = ffi::duckdb_data_chunk_get_vector(chunk, 0);
                let data = call(|api| api.duckdb_vector_get_data, (vector,))?;
                threads = usize::try_from(data.cast::<i64>().read()).ok();
            }
            ffi::duckdb_destroy_data_chunk(&raw mut chunk);
        }
        ffi::duckdb_destroy_result(&raw mut result);
        Ok(threads)
    }
}

/// DuckDB's `memory_limit` when the extension is loaded, which is all that DuckDB 1.4 provides.
///
/// # Safety
/// `connection` must be live.
unsafe fn memory_limit(connection: ffi::duckdb_connection) -> Result<Option<u64>> {
    // SAFETY: the result and its chunk are destroyed here; a VARCHAR vector of one row contains one string, whose bytes
    // live as long as the chunk.
    unsafe {
        let mut result = MaybeUninit::<ffi::duckdb_result>::zeroed().assume_init();
        let question = c"SELECT current_setting('memory_limit')::VARCHAR";
        let state = call(|api| api.duckdb_query, (connection, question.as_ptr(), &raw mut result))?;
        let mut limit = None;
        if state == ffi::DuckDBSuccess {
            let mut chunk = call(|api| api.duckdb_fetch_chunk, (result,))?;
            if !chunk.is_null() && ffi::duckdb_data_chunk_get_size(chunk) == 1 {
                let vector = ffi::duckdb_data_chunk_get_vector(chunk, 0);
                let text = call(|api| api.duckdb_vector_get_data, (vector,))?.cast::<ffi::duckdb_string_t>();
                let length = usize::try_from(ffi::duckdb_string_t_length(text.read())).unwrap_or(0);
                let bytes = std::slice::from_raw_parts(ffi::duckdb_string_t_data(text).cast::<u8>(), length);
                limit = memory::bytes(&String::from_utf8_lossy(bytes));
            }
            ffi::duckdb_destroy_data_chunk(&raw mut chunk);
        }
        ffi::duckdb_destroy_result(&raw mut result);
        Ok(limit)
    }
}
