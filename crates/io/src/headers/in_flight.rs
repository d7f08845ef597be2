//! Single flight of headers: concurrent callers that need the same file share a cell, which the first of them fills.
//!
//! The map holds weak references. If the caller that fills a cell is dropped, another caller continues; a cell is removed with
//! its last reference. A header is shared as long as any caller holds it, even if it does not fit into the cache.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::{CogFile, Result};

/// Reads a header.
type Load = dyn Fn() -> BoxFuture<'static, Result<CogFile>> + Send + Sync;

/// The headers that callers are waiting for or hold, by key.
#[derive(Default)]
pub(crate) struct InFlightHeaders(Mutex<HashMap<String, Weak<HeaderEntry>>>);

/// A header that is being read, or was read for callers that still hold it.
pub(crate) struct HeaderEntry {
    cell: OnceCell<Result<CogFile>>,
    /// Its key in the map, from which it is removed when dropped.
    key: String,
    in_flight: Weak<InFlightHeaders>,
}

/// A pending header, shared by its callers. Cheap to clone.
#[derive(Clone)]
pub(crate) enum SharedHeader {
    Ready(Box<Result<CogFile>>),
    InFlight { entry: Arc<HeaderEntry>, load: Arc<Load> },
}

impl InFlightHeaders {
    /// The header that other callers are waiting for or hold, or a new one; and whether it is new. A header that failed is replaced, so
    /// that it is read again.
    pub(crate) fn entry(self: &Arc<Self>, key: &str) -> (Arc<HeaderEntry>, bool) {
        let mut entries = self.lock();
        let known = entries.get(key).and_then(Weak::upgrade);
        if let Some(entry) = known.as_ref().filter(|entry| !entry.has_failed()) {
            return (Arc::clone(entry), false);
        }
        let entry = HeaderEntry { cell: OnceCell::new(), key: key.to_owned(), in_flight: Arc::downgrade(self) };
        let entry = Arc::new(entry);
        entries.insert(key.to_owned(), Arc::downgrade(&entry));
        drop(entries);
        // Dropping an entry takes the lock.
        drop(known);
        (entry, true)
    }

    /// Later callers read this header again.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Headers that are not read yet.
    pub(crate) fn len(&self) -> usize {
        let entries: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        entries.iter().filter(|entry| !entry.cell.initialized()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<HeaderEntry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeaderEntry {
    /// The header, read by `load` unless another caller is reading it or has read it.
    pub(crate) async fn get_or_load<F>(&self, load: impl FnOnce() -> F) -> Result<CogFile>
    where
        F: Future<Output = Result<CogFile>>,
    {
        self.cell.get_or_init(load).await.clone()
    }

    fn has_failed(&self) -> bool {
        matches!(self.cell.get(), Some(Err(_)))
    }
}

impl Drop for HeaderEntry {
    fn drop(&mut self) {
        if let Some(in_flight) = self.in_flight.upgrade() {
            let mut entries = in_flight.lock();
            // The entry may have been replaced.
            if entries.get(&self.key).is_some_and(|entry| entry.strong_count() == 0) {
                entries.remove(&self.key);
            }
        }
    }
}

impl SharedHeader {
    /// A header, or an error, that is known already.
    pub(crate) fn ready(header: Result<CogFile>) -> Self {
        Self::Ready(Box::new(header))
    }

    /// A header that only its own clones share.
    pub(crate) fn alone(load: impl Fn() -> BoxFuture<'static, Result<CogFile>> + Send + Sync + 'static) -> Self {
        let entry = HeaderEntry { cell: OnceCell::new(), key: String::new(), in_flight: Weak::new() };
        Self::InFlight { entry: Arc::new(entry), load: Arc::new(load) }
    }

    /// The header; the first caller reads it.
    pub(crate) async fn get(&self) -> Result<CogFile> {
        match self {
            Self::Ready(header) => (**header).clone(),
            Self::InFlight { entry, load } => entry.get_or_load(|| load()).await,
        }
    }
}

impl std::fmt::Debug for SharedHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedHeader")
    }
}
