//! A tile that is being fetched or decoded, shared by all calls that need it at the same time.
//!
//! ```text
//! InFlightTiles: TileKey ──> Weak<TileEntry> ─┬─ fetched: shared future of the bytes, completed by a SpanFetch
//!                                             └─ decoded: OnceLock, filled by the first thread that needs the samples
//! ```
//!
//! Calls hold entries by [`TileHandle`], the map holds weak references. An entry keeps the task that fetches it running; a fetch is
//! cancelled once no call holds any of its tiles.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use futures::FutureExt;
use futures::future::Shared;
use rasteret_cog::codec::DecodedTile;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::budget::Charge;
use super::cache::TileCache;
use super::fetch::EncodedTile;
use super::key::TileKey;
use crate::{Error, Result};

/// The tiles that calls are fetching or decoding.
#[derive(Debug, Default)]
pub(super) struct InFlightTiles(Mutex<HashMap<TileKey, Weak<TileEntry>>>);

/// A tile that is being fetched or decoded. See the module's diagram.
#[derive(Debug)]
pub(super) struct TileEntry {
    key: TileKey,
    /// None for a tile of a local file, which is read when it is decoded.
    fetched: Option<Fetched>,
    decoded: OnceLock<Result<(Arc<DecodedTile>, Charge)>>,
    is_decoding: AtomicBool,
    in_flight: Weak<InFlightTiles>,
}

/// The future bytes of a tile, and the task that fetches them.
#[derive(Debug)]
pub(super) struct Fetched {
    bytes: Shared<oneshot::Receiver<Result<EncodedTile>>>,
    #[expect(dead_code, reason = "dropping the last handle aborts the task")]
    task: Arc<AbortOnDrop>,
}

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(JoinHandle<()>);

/// A call's reference to a tile.
#[derive(Debug, Clone)]
pub(super) enum TileHandle {
    /// From the cache.
    Decoded(Arc<DecodedTile>),
    InFlight(Arc<TileEntry>),
}

impl InFlightTiles {
    /// Returns a handle for each key. The positions of keys that are neither in flight nor in the cache are passed to `fetch`, which
    /// returns the sources of their bytes, in the same order.
    pub(super) fn handles(
        self: &Arc<Self>,
        keys: &[&TileKey],
        cache: &TileCache,
        fetch: impl FnOnce(&[usize]) -> Vec<Option<Fetched>>,
    ) -> Vec<Option<TileHandle>> {
        // Dropped after the lock is released: dropping an entry takes it.
        let mut failed = Vec::new();
        let mut entries = self.lock();
        // A tile enters the cache before its entry is dropped: one that is in neither has to be fetched. An entry that failed is
        // replaced, so that a later call tries again.
        let mut known = |key: &TileKey| match entries.get(key).and_then(Weak::upgrade) {
            Some(entry) if entry.has_failed() => {
                failed.push(entry);
                None
            }
            Some(entry) => Some(TileHandle::InFlight(entry)),
            None => cache.get(key).map(TileHandle::Decoded),
        };
        let mut handles: Vec<_> = keys.iter().map(|key| known(key)).collect();
        let new: Vec<usize> = (0..keys.len()).filter(|at| handles[*at].is_none()).collect();
        if new.is_empty() {
            return handles;
        }
        for (at, fetched) in new.iter().zip(fetch(&new)) {
            let entry = Arc::new(TileEntry {
                key: keys[*at].clone(),
                fetched,
                decoded: OnceLock::new(),
                is_decoding: AtomicBool::new(false),
                in_flight: Arc::downgrade(self),
            });
            entries.insert(keys[*at].clone(), Arc::downgrade(&entry));
            handles[*at] = Some(TileHandle::InFlight(entry));
        }
        handles
    }

    /// Tiles in flight.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TileKey, Weak<TileEntry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TileEntry {
    /// The samples, decoded by `decode` on the first call; concurrent calls wait for that one.
    pub(super) fn decoded(
        &self,
        decode: impl FnOnce(&TileKey) -> Result<(Arc<DecodedTile>, Charge)>,
    ) -> Result<Arc<DecodedTile>> {
        let decoded = self.decoded.get_or_init(|| {
            self.is_decoding.store(true, Ordering::Relaxed);
            let decoded = decode(&self.key);
            self.is_decoding.store(false, Ordering::Relaxed);
            decoded
        });
        decoded.as_ref().map(|(tile, _)| tile.clone()).map_err(Error::clone)
    }

    /// The encoded bytes after they were fetched; None before, for a local file, and if the task that fetches them panicked.
    pub(super) fn encoded(&self) -> Option<&Result<EncodedTile>> {
        self.fetched.as_ref()?.bytes.peek()?.as_ref().ok()
    }

    fn has_failed(&self) -> bool {
        matches!(self.encoded(), Some(Err(_))) || matches!(self.decoded.get(), Some(Err(_)))
    }
}

impl Drop for TileEntry {
    fn drop(&mut self) {
        if let Some(in_flight) = self.in_flight.upgrade() {
            let mut entries = in_flight.lock();
            // This entry may have been replaced.
            if entries.get(&self.key).is_some_and(|entry| std::ptr::eq(entry.as_ptr(), self)) {
                entries.remove(&self.key);
            }
        }
    }
}

impl Fetched {
    pub(super) fn new(bytes: oneshot::Receiver<Result<EncodedTile>>, task: &Arc<AbortOnDrop>) -> Self {
        Self { bytes: bytes.shared(), task: task.clone() }
    }
}

impl TileHandle {
    /// Completes once the bytes are fetched, or have failed to be.
    pub(super) async fn fetched(self) {
        if let Self::InFlight(entry) = self
            && let Some(fetched) = &entry.fetched
        {
            // The outcome is read when the tile is decoded.
            let _ = fetched.bytes.clone().await;
        }
    }

    /// Whether a thread is decoding it, so that another thread would wait.
    pub(super) fn is_decoding(&self) -> bool {
        matches!(self, Self::InFlight(entry) if entry.is_decoding.load(Ordering::Relaxed))
    }
}

impl AbortOnDrop {
    pub(super) fn new(task: JoinHandle<()>) -> Self {
        Self(task)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
