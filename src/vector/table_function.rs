//! Table functions: registration, bind, init and the call per chunk.
//!
//! Projection pushdown is always enabled: [`OutputChunk::columns`] lists the bound columns that the query uses.
//!
//! A prepared statement may be executed in a forked child process. It is then bound again with the same arguments,
//! because the files and connections of the original plan belong to the parent.

use std::ptr::null_mut;
use std::sync::Arc;

use duckdb::ffi;
use rasteret_io::{PerProcess, Session};

use super::callback::{contain, drop_box, forked, throwing};
use super::exception::{call, call_or_postpone};
use super::logical_type::c_string;
use super::{LogicalType, SharedSession, Value, Writer};
use crate::documentation::Documentation;
use crate::error::{Error, Result};
use crate::host::{Context, Host, Lease, PlanFiles, session_of_query, update_session};

/// A table function.
///
/// ```text
/// bind (plan time) -> Bind -> init (once a query) -> Global -> local (once a thread) -> Local -> next, until a chunk is empty
/// ```
pub(crate) trait TableFunction: Sized + 'static {
    /// The result of bind; shared by all threads of all executions of a plan.
    type Bind: Send + Sync;
    /// The state of one execution; shared by its threads.
    type Global: Send + Sync;
    /// The state of one thread of one execution; initialized with its default.
    type Local: Default + Send;

    /// Its name, options and documentation.
    const DOC: &'static Documentation;

    /// The types of the positional parameters.
    fn parameters() -> Vec<LogicalType>;

    /// Reads the arguments and declares the columns.
    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Self::Bind>>;

    /// Starts an execution that uses `columns` (positions in the order of bind).
    fn init(bind: &Self::Bind, columns: &[usize]) -> Result<Init<Self::Global>>;

    /// Fills the next chunk; an empty chunk ends the thread.
    fn next(
        bind: &Self::Bind,
        global: &Self::Global,
        local: &mut Self::Local,
        output: &mut OutputChunk<'_>,
    ) -> Result<()>;
}

/// The result of bind.
pub(crate) struct Bind<B> {
    /// The state for executions.
    pub(crate) state: B,
    /// Names and types of the columns.
    pub(crate) columns: Vec<(String, LogicalType)>,
    /// The number of rows, if known.
    pub(crate) rows: Option<u64>,
}

/// The result of init.
pub(crate) struct Init<G> {
    /// The state for threads.
    pub(crate) state: G,
    /// The maximum number of threads that call `next` concurrently.
    pub(crate) max_threads: usize,
}

/// The arguments of a call.
pub(crate) struct BindInfo {
    positional: Vec<Option<Value>>,
    named: Vec<(&'static str, Value)>,
}

impl BindInfo {
    /// Reads all arguments of a call.
    ///
    /// # Safety
    /// `info` must be live.
    unsafe fn of<F: TableFunction>(info: ffi::duckdb_bind_info) -> Self {
        // SAFETY: the info is live; an index beyond the count and a missing name give null. Values are owned.
        unsafe {
            let positional = (0..F::parameters().len() as ffi::idx_t).map(|index| {
                Value::from_raw(call_or_postpone(|api| api.duckdb_bind_get_parameter, (info, index), null_mut()))
            });
            let named = F::DOC.options.iter().filter_map(|option| {
                let text = c_string(option.name);
                let arguments = (info, text.as_ptr());
                let value = call_or_postpone(|api| api.duckdb_bind_get_named_parameter, arguments, null_mut());
                Some((option.name, Value::from_raw(value)?))
            });
            Self { positional: positional.collect(), named: named.collect() }
        }
    }

    /// A positional argument.
    pub(crate) fn argument(&self, index: usize) -> Option<&Value> {
        self.positional.get(index)?.as_ref()
    }

    /// A named argument; None if it was not given.
    pub(crate) fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// A chunk of results.
pub(crate) struct OutputChunk<'a> {
    chunk: ffi::duckdb_data_chunk,
    columns: &'a [usize],
    capacity: usize,
}

impl<'a> OutputChunk<'a> {
    /// For each vector of the chunk, the position of its column in the order of bind. A query that uses no column
    /// (`count(*)`) may request a position beyond the last one, whose vector is not written.
    pub(crate) fn columns(&self) -> &'a [usize] {
        self.columns
    }

    /// The maximum number of rows.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The writer of the vector at `index` of [`Self::columns`].
    pub(crate) fn writer(&mut self, index: usize) -> Result<Writer<'_>> {
        if index >= self.columns.len() {
            return Err(Error::Internal(format!("no output vector {index}")));
        }
        // SAFETY: the chunk is live and has a vector for each projected column, with DuckDB's standard capacity.
        unsafe { Writer::new(ffi::duckdb_data_chunk_get_vector(self.chunk, index as ffi::idx_t), self.capacity) }
    }

    /// Sets the number of rows that were written.
    pub(crate) fn set_rows(&mut self, rows: usize) -> Result<()> {
        if rows > self.capacity {
            return Err(Error::Internal(format!("{rows} rows in a chunk of {}", self.capacity)));
        }
        // SAFETY: the chunk is live and has room for the rows.
        unsafe { call(|api| api.duckdb_data_chunk_set_size, (self.chunk, rows as ffi::idx_t)) }
    }
}

/// The bind data of a call, which may be a prepared statement.
struct Plan<F: TableFunction> {
    shared: SharedSession,
    /// The context of the connection, for executions of the plan; None if the host does not provide one.
    context: Option<Arc<Context>>,
    arguments: BindInfo,
    columns: Vec<(String, String)>,
    bound: PerProcess<Bound<F::Bind>>,
}

/// The columns of a bound call, and its number of rows if it is known.
struct Shape {
    columns: Vec<(String, LogicalType)>,
    rows: Option<u64>,
}

/// A call bound by this process.
struct Bound<B> {
    state: B,
    /// The session of the call, shared with `state`.
    session: Session,
    /// Files that the session reads through DuckDB's file system.
    files: PlanFiles,
}

impl<F: TableFunction> Plan<F> {
    /// Binds the arguments with the current locks.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    unsafe fn bind(
        shared: &SharedSession,
        context: Option<&Arc<Context>>,
        arguments: &BindInfo,
    ) -> Result<(Bound<F::Bind>, Shape, Option<Lease>)> {
        let files = PlanFiles::default();
        // SAFETY: the caller's contract.
        let query = unsafe { session_of_query(shared, context, &files) }?;
        let Bind { state, columns, rows } = query.session.interruptibly(|| F::bind(&query.session, arguments))?;
        let (session, lease) = query.into_parts();
        Ok((Bound { state, session, files }, Shape { columns, rows }, lease))
    }

    /// The call bound by this process; a forked child binds it again.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    unsafe fn here(&self) -> Result<&Bound<F::Bind>> {
        if let Some(bound) = self.bound.get() {
            return Ok(bound);
        }
        // SAFETY: the caller's contract.
        let (bound, _lease) = unsafe { self.anew() }?;
        Ok(self.bound.get_or_make(|_| bound))
    }

    /// Binds the call again, and checks that the columns are the same.
    ///
    /// # Safety
    /// A query of the context's connection must be running.
    unsafe fn anew(&self) -> Result<(Bound<F::Bind>, Option<Lease>)> {
        // SAFETY: the caller's contract.
        let (bound, shape, lease) = unsafe { Self::bind(&self.shared, self.context.as_ref(), &self.arguments) }?;
        if described(&shape.columns) != self.columns {
            return Err(Error::argument("the columns have changed since the statement was prepared"));
        }
        Ok((bound, lease))
    }
}

/// The names and types of columns, for comparison.
fn described(columns: &[(String, LogicalType)]) -> Vec<(String, String)> {
    columns.iter().map(|(name, kind)| (name.clone(), kind.to_string())).collect()
}

/// The state of an execution: that of the function, and the columns that the query uses.
struct Execution<F: TableFunction> {
    /// The call bound for this execution, if its settings differ from those of the plan.
    bound: Option<PerProcess<Bound<F::Bind>>>,
    state: PerProcess<F::Global>,
    columns: Vec<usize>,
    /// Dropped last: it closes the files that the state may read.
    #[expect(dead_code, reason = "dropping it is what it is for")]
    lease: PerProcess<Option<Lease>>,
}

/// Registers `F` on a connection.
///
/// # Safety
/// `connection` must be live.
pub(crate) unsafe fn register<F: TableFunction>(
    connection: ffi::duckdb_connection,
    session: &SharedSession,
) -> Result<()> {
    let name = c_string(F::DOC.name);
    // SAFETY: the handle is created and destroyed here; DuckDB copies the function into its catalog and frees the extra
    // info with it.
    unsafe {
        let mut function = call(|api| api.duckdb_create_table_function, ())?;
        call(|api| api.duckdb_table_function_set_name, (function, name.as_ptr()))?;
        for parameter in F::parameters() {
            call(|api| api.duckdb_table_function_add_parameter, (function, parameter.raw()))?;
        }
        for option in F::DOC.options {
            let (name, kind) = (c_string(option.name), option.value.logical_type());
            call(|api| api.duckdb_table_function_add_named_parameter, (function, name.as_ptr(), kind.raw()))?;
        }
        let extra = Box::into_raw(Box::new(session.clone()));
        ffi::duckdb_table_function_set_extra_info(function, extra.cast(), Some(drop_box::<SharedSession>));
        ffi::duckdb_table_function_set_bind(function, Some(throwing!(bind::<F>, _)));
        ffi::duckdb_table_function_set_init(function, Some(throwing!(init::<F>, _)));
        ffi::duckdb_table_function_set_local_init(function, Some(throwing!(local_init::<F>, _)));
        ffi::duckdb_table_function_set_function(function, Some(throwing!(next::<F>, _, _)));
        ffi::duckdb_table_function_supports_projection_pushdown(function, true);
        let state = call(|api| api.duckdb_register_table_function, (connection, function))?;
        ffi::duckdb_destroy_table_function(&mut function);
        if state == ffi::DuckDBSuccess {
            Ok(())
        } else {
            Err(Error::Internal(format!("DuckDB refused the table function {}", F::DOC.name)))
        }
    }
}

/// The client context of a call's connection.
///
/// # Safety
/// `info` must be live, and the host must have the slot.
unsafe fn context(info: ffi::duckdb_bind_info) -> Result<Context> {
    let mut context = null_mut();
    // SAFETY: the caller's contract; the context is owned.
    unsafe {
        call(|api| api.duckdb_table_function_get_client_context, (info, &raw mut context))?;
        Context::from_raw(context)
    }
}

/// # Safety
/// Called by DuckDB with a live bind info.
unsafe extern "C-unwind" fn bind<F: TableFunction>(info: ffi::duckdb_bind_info) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: `info` carries the session that `register` boxed; DuckDB copies names and types and owns the bind data.
        unsafe {
            let shared = (*ffi::duckdb_bind_get_extra_info(info).cast::<SharedSession>()).clone();
            let context = Host::current().has_late_slots().then(|| context(info).map(Arc::new)).transpose()?;
            let arguments = BindInfo::of::<F>(info);
            let (bound, shape, _lease) = Plan::<F>::bind(&shared, context.as_ref(), &arguments)?;
            for (name, kind) in &shape.columns {
                let name = c_string(name);
                call(|api| api.duckdb_bind_add_result_column, (info, name.as_ptr(), kind.raw()))?;
            }
            if let Some(rows) = shape.rows {
                call(|api| api.duckdb_bind_set_cardinality, (info, rows, true))?;
            }
            let (columns, bound) = (described(&shape.columns), PerProcess::from(bound));
            let plan = Box::into_raw(Box::new(Plan::<F> { shared, context, arguments, columns, bound }));
            ffi::duckdb_bind_set_bind_data(info, plan.cast(), Some(drop_box::<Plan<F>>));
            Ok(())
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and DuckDB is the direct caller of this frame.
        unsafe { failure.report(info, |api| api.duckdb_bind_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live init info, after a bind that succeeded.
unsafe extern "C-unwind" fn init<F: TableFunction>(info: ffi::duckdb_init_info) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: the bind data is the box of `bind`; DuckDB owns the init data.
        unsafe {
            let plan = &*ffi::duckdb_init_get_bind_data(info).cast::<Plan<F>>();
            let of_plan = plan.here()?;
            // The statement may have been prepared with different locks and settings.
            let updated = update_session(&plan.shared, &of_plan.session, plan.context.as_ref(), &of_plan.files)?;
            let (own, lease) = match updated {
                Some(lease) => (None, lease),
                None => {
                    let (own, lease) = plan.anew()?;
                    (Some(own), lease)
                }
            };
            let bound = own.as_ref().unwrap_or(of_plan);
            let columns: Vec<usize> = (0..ffi::duckdb_init_get_column_count(info))
                .map(|i| usize::try_from(ffi::duckdb_init_get_column_index(info, i)).unwrap_or(usize::MAX))
                .collect();
            let started = F::init(&bound.state, &columns)?;
            ffi::duckdb_init_set_max_threads(info, started.max_threads.max(1) as ffi::idx_t);
            let data = Box::into_raw(Box::new(Execution::<F> {
                bound: own.map(PerProcess::from),
                state: PerProcess::from(started.state),
                columns,
                lease: PerProcess::from(lease),
            }));
            ffi::duckdb_init_set_init_data(info, data.cast(), Some(drop_box::<Execution<F>>));
            Ok(())
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and DuckDB is the direct caller of this frame.
        unsafe { failure.report(info, |api| api.duckdb_init_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live init info, once per thread.
unsafe extern "C-unwind" fn local_init<F: TableFunction>(info: ffi::duckdb_init_info) {
    let outcome = contain(F::DOC.name, || {
        let data = Box::into_raw(Box::new(PerProcess::from(F::Local::default())));
        // SAFETY: `info` is live; DuckDB owns the data and frees it with the thread's state.
        unsafe { ffi::duckdb_init_set_init_data(info, data.cast(), Some(drop_box::<PerProcess<F::Local>>)) };
        Ok(())
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and DuckDB is the direct caller of this frame.
        unsafe { failure.report(info, |api| api.duckdb_init_set_error) };
    }
}

/// # Safety
/// Called by DuckDB with a live info and an empty output chunk, by one thread at a time for each local state.
unsafe extern "C-unwind" fn next<F: TableFunction>(info: ffi::duckdb_function_info, output: ffi::duckdb_data_chunk) {
    let outcome = contain(F::DOC.name, || {
        // SAFETY: the three states are the boxes of `bind`, `init` and `local_init`; the local one belongs to this
        // thread.
        unsafe {
            let plan = &*ffi::duckdb_function_get_bind_data(info).cast::<Plan<F>>();
            let global = &*ffi::duckdb_function_get_init_data(info).cast::<Execution<F>>();
            let local = &mut *ffi::duckdb_function_get_local_init_data(info).cast::<PerProcess<F::Local>>();
            let capacity = usize::try_from(ffi::duckdb_vector_size()).unwrap_or(0);
            let mut chunk = OutputChunk { chunk: output, columns: &global.columns, capacity };
            let bound = global.bound.as_ref().unwrap_or(&plan.bound).get().ok_or_else(forked)?;
            let local = local.get_mut().ok_or_else(forked)?;
            F::next(&bound.state, global.state.get().ok_or_else(forked)?, local, &mut chunk)
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and DuckDB is the direct caller of this frame.
        unsafe { failure.report(info, |api| api.duckdb_function_set_error) };
    }
}

/// The library version of the host, such as `v1.5.6`.
pub(crate) fn host_version() -> String {
    // SAFETY: DuckDB returns a static C string.
    unsafe { std::ffi::CStr::from_ptr(ffi::duckdb_library_version()) }.to_string_lossy().into_owned()
}
