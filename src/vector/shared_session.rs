//! The session of a loaded extension.

use std::sync::Arc;

use rasteret_io::{Options, PerProcess, Session};

/// The session that all functions share. A forked child starts one of its own, with the same settings.
#[derive(Clone)]
pub(crate) struct SharedSession(Arc<PerProcess<Session>>);

impl SharedSession {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new(PerProcess::from(session)))
    }

    /// The session of this process.
    pub(crate) fn here(&self) -> &Session {
        self.0.get_or_make(|parent| parent.map_or_else(|| Session::new(Options::default()), Session::anew))
    }
}
