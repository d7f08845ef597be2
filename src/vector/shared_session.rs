//! The sessions of a loaded extension: one for each set of options that its connections use.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_io::{Options, PerProcess, Session};

/// Sessions with other options than those of the environment that are kept. Each has caches of its own; the one that was used longest ago
/// goes first.
const MAX_OTHERS: usize = 4;

/// The sessions that all functions share. A forked child starts with new ones, with the same settings.
#[derive(Clone)]
pub(crate) struct SharedSession(Arc<PerProcess<Sessions>>);

struct Sessions {
    /// With the options of the environment.
    base: Session,
    /// With the options of settings, those last used at the end.
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

    /// The session of this process with these options.
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
