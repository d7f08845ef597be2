//! COPY functions: registration, bind, start, the call per chunk, and the end. Hosts from 1.5.2 on.
//!
//! DuckDB calls them on one thread, with flat vectors.

use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::ffi;
use rasteret_io::{PerProcess, Session};

use super::callback::{contain, drop_box, forked, throwing};
use super::exception::{call, call_or_postpone};
use super::logical_type::c_string;
use super::{LogicalType, Reader, SharedSession, Value};
use crate::documentation::Documentation;
use crate::error::{Error, Result};
use crate::host::{Context, PlanFiles, session_of_query, temporary_folder};

/// A function for `COPY … TO … (FORMAT …)`.
///
/// ```text
/// bind (plan time) -> Bind -> start (once an execution) -> Writer -> write (each chunk) -> finish
/// ```
pub(crate) trait CopyFunction: Sized + 'static {
    /// Checked options; shared by all executions of a plan.
    type Bind: Send + Sync;
    /// The state of one execution.
    type Writer: Send;

    /// Its name, which is that of the format, its options and documentation.
    const DOC: &'static Documentation;

    /// Checks columns and options.
    fn bind(columns: &[LogicalType], options: &CopyOptions) -> Result<Self::Bind>;

    /// Begins to write the file at `path`. `temporary` is the folder of DuckDB's temporary files, if it has one.
    fn start(session: &Session, bind: &Self::Bind, path: &str, temporary: Option<&Path>) -> Result<Self::Writer>;

    /// Takes `rows` rows.
    fn write(bind: &Self::Bind, writer: &mut Self::Writer, columns: &[Reader<'_>], rows: usize) -> Result<()>;

    /// Writes the file. A writer that is dropped instead leaves none.
    fn finish(writer: Self::Writer) -> Result<()>;
}

/// The options of a COPY statement.
pub(crate) struct CopyOptions(Vec<(String, Value)>);

impl CopyOptions {
    /// The options of a statement, all of which must be among those of the documentation.
    ///
    /// # Safety
    /// `info` must be live.
    unsafe fn of<F: CopyFunction>(info: ffi::duckdb_copy_function_bind_info) -> Result<Self> {
        // SAFETY: the caller's contract; the value is destroyed here.
        let value = unsafe {
            Value::from_raw(call_or_postpone(|api| api.duckdb_copy_function_bind_get_options, (info,), null_mut()))
        };
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(Self(Vec::new()));
        };
        let names = value.with_kind(LogicalType::fields).into_iter().map(|(name, _)| name);
        let options: Vec<_> = names.enumerate().filter_map(|(at, name)| Some((name, value.field(at)?))).collect();
        let known = || F::DOC.options.iter().map(|option| option.name);
        match options.iter().find(|(name, _)| !known().any(|option| option.eq_ignore_ascii_case(name))) {
            Some((name, _)) => {
                let known: Vec<_> = known().collect();
                Err(Error::argument(format!("expected one of the options {}, found {name}", known.join(", "))))
            }
            None => Ok(Self(options)),
        }
    }

    /// The value of an option; None if it is missing or NULL.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }
}

/// A statement as it was bound.
struct Plan<F: CopyFunction> {
    bind: F::Bind,
}

/// An execution; None once it is finished.
type Execution<F> = PerProcess<Mutex<Option<<F as CopyFunction>::Writer>>>;

/// Registers `F` on a connection.
///
/// # Safety
/// `connection` must be live, and the host have late slots.
pub(crate) unsafe fn register<F: CopyFunction>(
    connection: ffi::duckdb_connection,
    session: &SharedSession,
) -> Result<()> {
    let name = c_string(F::DOC.name);
    // SAFETY: the handle is made and destroyed here; DuckDB copies the function into its catalog, and frees the extra info with it.
    unsafe {
        let mut function = call(|api| api.duckdb_create_copy_function, ())?;
        call(|api| api.duckdb_copy_function_set_name, (function, name.as_ptr()))?;
        let extra = Box::into_raw(Box::new(session.clone()));
        let deleter: unsafe extern "C" fn(_) = drop_box::<SharedSession>;
        call(|api| api.duckdb_copy_function_set_extra_info, (function, extra.cast(), Some(deleter)))?;
        let bind: unsafe extern "C" fn(_) = throwing!(bind::<F>, _);
        call(|api| api.duckdb_copy_function_set_bind, (function, Some(bind)))?;
        let start: unsafe extern "C" fn(_) = throwing!(start::<F>, _);
        call(|api| api.duckdb_copy_function_set_global_init, (function, Some(start)))?;
        let sink: unsafe extern "C" fn(_, _) = throwing!(sink::<F>, _, _);
        call(|api| api.duckdb_copy_function_set_sink, (function, Some(sink)))?;
        let finalize: unsafe extern "C" fn(_) = throwing!(finalize::<F>, _);
        call(|api| api.duckdb_copy_function_set_finalize, (function, Some(finalize)))?;
        let state = call(|api| api.duckdb_register_copy_function, (connection, function))?;
        call(|api| api.duckdb_destroy_copy_function, (&raw mut function,))?;
        if state == ffi::DuckDBSuccess {
            Ok(())
        } else {
            Err(Error::Internal(format!("DuckDB refused the COPY function {}", F::DOC.name)))
        }
    }
}

fn shown<F: CopyFunction>() -> String {
    format!("COPY (FORMAT {})", F::DOC.name)
}

/// # Safety
/// Called by DuckDB with a live bind info.
unsafe extern "C-unwind" fn bind<F: CopyFunction>(info: ffi::duckdb_copy_function_bind_info) {
    let outcome = contain(&shown::<F>(), || {
        // SAFETY: `info` is live; types are destroyed here, and DuckDB owns the bind data.
        unsafe {
            let count = call(|api| api.duckdb_copy_function_bind_get_column_count, (info,))?;
            let columns: Vec<_> = (0..count)
                .map(|at| {
                    let kind = call(|api| api.duckdb_copy_function_bind_get_column_type, (info, at))?;
                    Ok(LogicalType::from_raw(kind))
                })
                .collect::<Result<_>>()?;
            let plan = Plan::<F> { bind: F::bind(&columns, &CopyOptions::of::<F>(info)?)? };
            let plan = Box::into_raw(Box::new(plan));
            let deleter: unsafe extern "C" fn(_) = drop_box::<Plan<F>>;
            call(|api| api.duckdb_copy_function_bind_set_bind_data, (info, plan.cast(), Some(deleter)))
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_copy_function_bind_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live info, after a bind that succeeded.
unsafe extern "C-unwind" fn start<F: CopyFunction>(info: ffi::duckdb_copy_function_global_init_info) {
    let outcome = contain(&shown::<F>(), || {
        // SAFETY: the extra info is the box of `register`, the bind data that of `bind`; the path lives for the call, and the
        // context for the query. DuckDB owns the state.
        unsafe {
            let extra = call(|api| api.duckdb_copy_function_global_init_get_extra_info, (info,))?;
            let plan = call(|api| api.duckdb_copy_function_global_init_get_bind_data, (info,))?;
            let (shared, plan) = (&*extra.cast::<SharedSession>(), &*plan.cast::<Plan<F>>());
            let context = call(|api| api.duckdb_copy_function_global_init_get_client_context, (info,))?;
            let context = Arc::new(Context::from_raw(context)?);
            // Files are written by the extension's own clients, even if they are read through DuckDB.
            let (session, _lease) = session_of_query(shared, Some(&context), &PlanFiles::default())?.into_parts();
            let path = call(|api| api.duckdb_copy_function_global_init_get_file_path, (info,))?;
            let path = std::ffi::CStr::from_ptr(path).to_string_lossy();
            let temporary = temporary_folder(&context)?;
            let writer = F::start(&session, &plan.bind, &path, temporary.as_deref())?;
            let writer: Execution<F> = PerProcess::from(Mutex::new(Some(writer)));
            let state = Box::into_raw(Box::new(writer));
            let deleter: unsafe extern "C" fn(_) = drop_box::<Execution<F>>;
            call(|api| api.duckdb_copy_function_global_init_set_global_state, (info, state.cast(), Some(deleter)))
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_copy_function_global_init_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live info and a flat chunk.
unsafe extern "C-unwind" fn sink<F: CopyFunction>(
    info: ffi::duckdb_copy_function_sink_info,
    chunk: ffi::duckdb_data_chunk,
) {
    let outcome = contain(&shown::<F>(), || {
        // SAFETY: bind data and state are the boxes of `bind` and `start`; the vectors of the chunk live for the call.
        unsafe {
            let plan = call(|api| api.duckdb_copy_function_sink_get_bind_data, (info,))?;
            let state = call(|api| api.duckdb_copy_function_sink_get_global_state, (info,))?;
            let (plan, state) = (&*plan.cast::<Plan<F>>(), &*state.cast::<Execution<F>>());
            let rows = usize::try_from(ffi::duckdb_data_chunk_get_size(chunk)).unwrap_or(0);
            let columns: Vec<_> = (0..ffi::duckdb_data_chunk_get_column_count(chunk))
                .map(|at| Reader::new(ffi::duckdb_data_chunk_get_vector(chunk, at), rows))
                .collect::<Result<_>>()?;
            let mut writer = state.get().ok_or_else(forked)?.lock().unwrap_or_else(PoisonError::into_inner);
            let finished = || Error::Internal("a row after the last one".to_owned());
            F::write(&plan.bind, writer.as_mut().ok_or_else(finished)?, &columns, rows)
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_copy_function_sink_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live info, once all rows were taken.
unsafe extern "C-unwind" fn finalize<F: CopyFunction>(info: ffi::duckdb_copy_function_finalize_info) {
    let outcome = contain(&shown::<F>(), || {
        // SAFETY: the state is the box of `start`.
        let state = unsafe {
            let state = call(|api| api.duckdb_copy_function_finalize_get_global_state, (info,))?;
            &*state.cast::<Execution<F>>()
        };
        let writer = state.get().ok_or_else(forked)?.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.map_or(Ok(()), F::finish)
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_copy_function_finalize_set_error) };
    }
}
