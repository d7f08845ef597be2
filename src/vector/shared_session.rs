//! The sessions of a loaded extension: one per set of options used by its connections.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_io::{Options, PerProcess, Session};

/// The maximum number of sessions with options that differ from the environment. Each has its own caches; the least
/// recently used one is dropped first.
const MAX_OTHERS: usize = 4;

/// The sessions shared by all functions. A forked child process creates new ones with the same options.
#[derive(Clone)]
pub(crate) struct SharedSession(Arc<PerProcess<Sessions>>);

struct Sessions {
    /// Has the options of the environment.
    base: Session,
    /// Have the options of DuckDB settings; the most recently used session is last.
    others: Mutex<Vec<Session>>,
}

impl Sessions {
    fn new(base: Session) -> Self {
        Self { base, others: Mutex::default() }
    }
}

impl SharedSession {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new(PerProcess::from(Sessions::new(session))))
    }

    /// The session of this process.
    pub(crate) fn here(&self) -> &Session {
        &self.sessions().base
    }

    /// The session of this process with the given options.
    pub(crate) fn with_options(&self, options: Options) -> Session {
        let Sessions { base, others } = self.sessions();
        if *base.options() == options {
            return base.clone();
        }
        let mut others = others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others.iter().position(|session| *session.options() == options);
        let session = known.map_or_else(|| base.with_options(options), |at| others.remove(at));
        others.push(session.clone());
        if others.len() > MAX_OTHERS {
            others.remove(0);
        }
        session
    }

    fn sessions(&self) -> &Sessions {
        self.0.get_or_make(|parent| {
            Sessions::new(parent.map_or_else(|| Session::new(Options::default()), |parent| parent.base.anew()))
        })
    }
}
