//! Scalar functions: registration and the call per chunk.

use std::ffi::c_void;
use std::sync::Arc;

use duckdb::ffi;
use rasteret_io::{PerProcess, Session};

use super::callback::{contain, drop_box, forked, throwing};
use super::exception::call;
use super::logical_type::c_string;
use super::{LogicalType, Reader, SharedSession, Writer};
use crate::documentation::Documentation;
use crate::error::{Error, Result};
use crate::host::{Context, Host, PlanFiles, QuerySession, session_of_query};

/// A scalar function with its overloads.
pub(crate) trait ScalarFunction: 'static {
    /// Its name, options and documentation.
    const DOC: &'static Documentation;
    /// Whether DuckDB must neither fold nor merge calls with the same arguments: their results may differ, or are too large for a plan.
    const VOLATILE: bool = false;

    /// The overloads.
    fn signatures() -> Vec<Signature>;

    /// Computes the rows `0..arguments.rows()` of `output`. NULL arguments are passed unchanged.
    fn invoke(session: &Session, arguments: &Arguments<'_>, output: Writer<'_>) -> Result<()>;
}

/// The signature of an overload.
pub(crate) struct Signature {
    /// Parameter types, in order.
    pub(crate) parameters: Vec<LogicalType>,
    /// The result type.
    pub(crate) returns: LogicalType,
}

/// The arguments of a call, one vector each.
pub(crate) struct Arguments<'a> {
    columns: Vec<Reader<'a>>,
    rows: usize,
}

impl<'a> Arguments<'a> {
    /// The number of rows of the chunk.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of arguments.
    pub(crate) fn count(&self) -> usize {
        self.columns.len()
    }

    /// An argument by position; None if the overload has fewer.
    pub(crate) fn optional(&self, index: usize) -> Option<&Reader<'a>> {
        self.columns.get(index)
    }

    /// An argument that every overload has.
    pub(crate) fn required(&self, index: usize) -> Result<&Reader<'a>> {
        self.optional(index).ok_or_else(|| Error::Internal(format!("argument {index} is missing")))
    }
}

/// Registers `F` on a connection.
///
/// # Safety
/// `connection` must be live.
pub(crate) unsafe fn register<F: ScalarFunction>(
    connection: ffi::duckdb_connection,
    session: &SharedSession,
) -> Result<()> {
    let name = c_string(F::DOC.name);
    // SAFETY: all handles are created and destroyed here; DuckDB copies functions into the set and the set into its
    // catalog. DuckDB frees the extra info with the function.
    unsafe {
        let mut set = call(|api| api.duckdb_create_scalar_function_set, (name.as_ptr(),))?;
        for signature in F::signatures() {
            let mut function = call(|api| api.duckdb_create_scalar_function, ())?;
            call(|api| api.duckdb_scalar_function_set_name, (function, name.as_ptr()))?;
            for parameter in &signature.parameters {
                call(|api| api.duckdb_scalar_function_add_parameter, (function, parameter.raw()))?;
            }
            call(|api| api.duckdb_scalar_function_set_return_type, (function, signature.returns.raw()))?;
            ffi::duckdb_scalar_function_set_special_handling(function);
            if F::VOLATILE {
                ffi::duckdb_scalar_function_set_volatile(function);
            }
            let extra = Box::into_raw(Box::new(session.clone()));
            ffi::duckdb_scalar_function_set_extra_info(function, extra.cast(), Some(drop_box::<SharedSession>));
            ffi::duckdb_scalar_function_set_function(function, Some(throwing!(invoke::<F>, _, _, _)));
            if Host::current().has_late_slots() {
                call(|api| api.duckdb_scalar_function_set_bind, (function, Some(throwing!(bind::<F>, _))))?;
                call(|api| api.duckdb_scalar_function_set_init, (function, Some(throwing!(init::<F>, _))))?;
            }
            call(|api| api.duckdb_add_scalar_function_to_set, (set, function))?;
            ffi::duckdb_destroy_scalar_function(&mut function);
        }
        let state = call(|api| api.duckdb_register_scalar_function_set, (connection, set))?;
        ffi::duckdb_destroy_scalar_function_set(&mut set);
        if state == ffi::DuckDBSuccess {
            Ok(())
        } else {
            Err(Error::Internal(format!("DuckDB refused the scalar function {}", F::DOC.name)))
        }
    }
}

/// The state of a thread's execution: the session of the query.
type State = PerProcess<QuerySession>;

/// The files that all executions of a plan share, also those of copies of the plan.
type Plan = Arc<PerProcess<PlanFiles>>;

/// Called once for each call in a plan.
///
/// # Safety
/// Called by DuckDB with a live bind info.
unsafe extern "C-unwind" fn bind<F: ScalarFunction>(info: ffi::duckdb_bind_info) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: `info` is live; DuckDB owns the plan's data, and its copies.
        unsafe {
            let plan = Box::into_raw(Box::new(Plan::default()));
            let destroy: unsafe extern "C" fn(*mut c_void) = drop_box::<Plan>;
            call(|api| api.duckdb_scalar_function_set_bind_data, (info, plan.cast(), Some(destroy)))?;
            let copy: unsafe extern "C" fn(*mut c_void) -> *mut c_void = copy_plan;
            call(|api| api.duckdb_scalar_function_set_bind_data_copy, (info, Some(copy)))
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_scalar_function_bind_set_error) };
    }
}

/// # Safety
/// `data` must be a `Plan` of [`bind`].
unsafe extern "C" fn copy_plan(data: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's contract.
    let plan = unsafe { &*data.cast::<Plan>() };
    Box::into_raw(Box::new(plan.clone())).cast()
}

/// Called once per thread and execution: creates the session of the query with the current locks of DuckDB. Bind would
/// use those at the time when a statement was prepared.
///
/// # Safety
/// Called by DuckDB with a live init info.
unsafe extern "C-unwind" fn init<F: ScalarFunction>(info: ffi::duckdb_init_info) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: `info` carries the session that `register` boxed, and its context that of the running query; DuckDB owns the state.
        unsafe {
            let extra = call(|api| api.duckdb_scalar_function_init_get_extra_info, (info,))?;
            let shared = &*extra.cast::<SharedSession>();
            let mut context = std::ptr::null_mut();
            call(|api| api.duckdb_scalar_function_init_get_client_context, (info, &raw mut context))?;
            let plan = call(|api| api.duckdb_scalar_function_init_get_bind_data, (info,))?.cast::<Plan>().as_ref();
            let plan = plan.ok_or_else(|| Error::Internal("a call without its plan".to_owned()))?;
            let files = plan.get_or_make(|_| PlanFiles::default());
            let query = session_of_query(shared, Some(&Arc::new(Context::from_raw(context)?)), files)?;
            let state = Box::into_raw(Box::new(State::from(query)));
            ffi::duckdb_scalar_function_init_set_state(info, state.cast(), Some(drop_box::<State>));
            Ok(())
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_scalar_function_init_set_error) };
    }
}

/// The session of a call: that of the query if the host supports it, else a new one.
///
/// # Safety
/// `info` must be live.
unsafe fn session(info: ffi::duckdb_function_info) -> Result<Session> {
    // SAFETY: the caller's contract; both are boxes that outlive the call.
    unsafe {
        if Host::current().has_late_slots() {
            let state = call(|api| api.duckdb_scalar_function_get_state, (info,))?.cast::<State>().as_ref();
            let state = state.ok_or_else(|| Error::Internal("a call without its session".to_owned()))?;
            return state.get().map(|query| query.session.clone()).ok_or_else(forked);
        }
        let shared = &*ffi::duckdb_scalar_function_get_extra_info(info).cast::<SharedSession>();
        Ok(session_of_query(shared, None, &PlanFiles::default())?.into_parts().0)
    }
}

/// The callback of all scalar functions.
///
/// # Safety
/// Called by DuckDB with a live info, an input chunk of flat vectors, and an output vector for as many rows.
unsafe extern "C-unwind" fn invoke<F: ScalarFunction>(
    info: ffi::duckdb_function_info,
    input: ffi::duckdb_data_chunk,
    output: ffi::duckdb_vector,
) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: `info` carries the session that `register` boxed; vectors belong to this call.
        unsafe {
            let session = session(info)?;
            let rows = usize::try_from(ffi::duckdb_data_chunk_get_size(input)).unwrap_or(0);
            let columns = (0..ffi::duckdb_data_chunk_get_column_count(input))
                .map(|i| Reader::new(ffi::duckdb_data_chunk_get_vector(input, i), rows))
                .collect::<Result<_>>()?;
            let output = Writer::new(output, rows)?;
            session.interruptibly(|| F::invoke(&session, &Arguments { columns, rows }, output))
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and this frame is the last one before DuckDB's.
        unsafe { failure.report(info, |api| api.duckdb_scalar_function_set_error) };
    }
}
