//! The session of a query: its settings, DuckDB's file access restrictions and memory limit, its interrupts, and the clients that read its files.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_io::{AccessPolicy, HostFiles, Options, Session};

use super::file_system::{Lease, QueryFiles};
use super::locks::access_policy;
use super::{Context, interrupt, memory, settings};
use crate::error::Result;
use crate::vector::{SharedSession, host_version};

/// The session of a query, and the lease of its files.
pub(crate) struct QuerySession {
    pub(crate) session: Session,
    lease: Option<Lease>,
}

/// Files that a plan reads through DuckDB's file system; empty if files are read by the clients of the extension.
///
/// Its session is only used by this plan, because its caches contain bytes that were read with the secrets of one connection, from files
/// of unknown versions.
#[derive(Default)]
pub(crate) struct PlanFiles(Mutex<Option<(Session, Arc<QueryFiles>)>>);

impl QuerySession {
    /// The session and the lease of its files.
    pub(crate) fn into_parts(self) -> (Session, Option<Lease>) {
        (self.session, self.lease)
    }
}

impl PlanFiles {
    /// The session of the plan and its files, opened for the query of the context. New ones if the plan was executed before.
    fn open(&self, shared: &SharedSession, options: &Options, context: &Arc<Context>) -> (Session, Lease) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.take_if(|(session, files)| session.options() != options || !files.is_current());
        let (session, files) = known.get_or_insert_with(|| {
            let files = Arc::<QueryFiles>::default();
            let session = shared.here().with_options(options.clone());
            (session.with_files(HostFiles::new(files.clone())), files)
        });
        (session.clone(), files.lease(context))
    }

    /// Opens the files of the session created by bind; None if another session is needed.
    fn open_again(&self, context: &Arc<Context>) -> Option<Lease> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, files) = known.as_ref()?;
        files.is_current().then(|| files.lease(context))
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// The session of a query: with its settings, under DuckDB's locks and within its memory at this time, and ended by its interrupts.
///
/// # Safety
/// A query of the context's connection must be running, and the session be used for nothing but that connection's queries.
pub(crate) unsafe fn session_of_query(
    shared: &SharedSession,
    context: Option<&Arc<Context>>,
    plan: &PlanFiles,
) -> Result<QuerySession> {
    let Some(context) = context else {
        let session = shared.here().for_query(&AccessPolicy::default());
        session.show_progress(settings::of_old_host(&host_version())?);
        return Ok(QuerySession { session, lease: None });
    };
    // SAFETY: the caller's contract.
    unsafe {
        let settings = settings::of_query(context, shared.here().options())?;
        let (session, lease) = match settings.reads_through_duckdb {
            false => (shared.with_options(settings.options), None),
            true => {
                let (session, lease) = plan.open(shared, &settings.options, context);
                (session, Some(lease))
            }
        };
        let session = session.for_query(&access_policy(context)?).interruptible(interrupt::interrupts(context));
        session.show_progress(settings.shows_progress);
        if let Some(limit) = memory::memory_limit(context)? {
            session.set_memory_limit(limit);
        }
        Ok(QuerySession { session, lease })
    }
}

/// Updates the session of a plan, which objects created by bind share, to the locks and memory limit of another execution, and opens its
/// files. Returns None if the execution has other settings, and therefore another session.
///
/// # Safety
/// See [`session_of_query`].
pub(crate) unsafe fn update_session(
    shared: &SharedSession,
    session: &Session,
    context: Option<&Arc<Context>>,
    plan: &PlanFiles,
) -> Result<Option<Option<Lease>>> {
    let Some(context) = context else {
        session.set_policy(&AccessPolicy::default());
        return Ok(Some(None));
    };
    // SAFETY: the caller's contract.
    unsafe {
        let settings = settings::of_query(context, shared.here().options())?;
        if settings.options != *session.options() || settings.reads_through_duckdb == plan.is_empty() {
            return Ok(None);
        }
        let lease = match settings.reads_through_duckdb {
            false => None,
            true => match plan.open_again(context) {
                Some(lease) => Some(lease),
                None => return Ok(None),
            },
        };
        session.set_policy(&access_policy(context)?);
        session.show_progress(settings.shows_progress);
        if let Some(limit) = memory::memory_limit(context)? {
            session.set_memory_limit(limit);
        }
        Ok(Some(lease))
    }
}
