//! Single flight of headers: callers that need one file at the same time share one future.
//!
//! The map holds the futures weakly. A fetch therefore ends when its last caller is dropped, goes on when only the first is, and a
//! header stays shared for as long as any caller holds it, even if the cache has no room for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::{CogFile, Result};

/// A header to come.
pub(crate) type SharedHeader = Shared<BoxFuture<'static, Result<CogFile>>>;

/// Entries below which the map is not searched for dropped ones.
const SWEEP_FROM: usize = 4_096;

/// The headers that callers are waiting for, by key.
pub(crate) struct InFlightHeaders(Mutex<Entries>);

struct Entries {
    headers: HashMap<String, WeakShared<BoxFuture<'static, Result<CogFile>>>>,
    sweep_at: usize,
}

impl InFlightHeaders {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Entries { headers: HashMap::new(), sweep_at: SWEEP_FROM }))
    }

    /// The header that other callers are waiting for or hold, or a new one from `load`; and whether it is new. A header that failed is
    /// loaded again.
    pub(crate) fn get_or_start(
        &self,
        key: &str,
        load: impl FnOnce() -> BoxFuture<'static, Result<CogFile>>,
    ) -> (SharedHeader, bool) {
        let mut entries = self.lock();
        let known = entries.headers.get(key).and_then(WeakShared::upgrade);
        if let Some(header) = known.filter(|header| !matches!(header.peek(), Some(Err(_)))) {
            return (header, false);
        }
        let header = load().shared();
        if let Some(weak) = header.downgrade() {
            entries.headers.insert(key.to_owned(), weak);
        }
        entries.sweep();
        (header, true)
    }

    /// Later callers load this header again.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().headers.remove(key);
    }

    /// Headers that are not loaded yet.
    pub(crate) fn len(&self) -> usize {
        let entries = self.lock();
        entries.headers.values().filter_map(WeakShared::upgrade).filter(|header| header.peek().is_none()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Removes headers that no caller holds.
    fn sweep(&mut self) {
        if self.headers.len() >= self.sweep_at {
            self.headers.retain(|_, header| header.upgrade().is_some());
            self.sweep_at = SWEEP_FROM.max(2 * self.headers.len());
        }
    }
}

/// A header, or an error, that is known already.
pub(crate) fn ready(header: Result<CogFile>) -> SharedHeader {
    std::future::ready(header).boxed().shared()
}
