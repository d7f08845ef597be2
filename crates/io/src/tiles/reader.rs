//! Tiles of files in stores, and the threads that decode them.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::plan::Plan;
use super::{BlockRequest, Tiles};
use crate::runtime::workers::{ALONE, Workers};
use crate::store::Stores;
use crate::{Error, Result};

/// Blocks of files in [`Stores`], which it derefs to. Cheap to clone; clones share tiles and threads.
#[derive(Debug, Clone)]
pub struct TileReader {
    stores: Stores,
    tiles: Arc<Tiles>,
    workers: Arc<Workers>,
}

impl Deref for TileReader {
    type Target = Stores;

    fn deref(&self) -> &Stores {
        &self.stores
    }
}

impl TileReader {
    pub(crate) fn new(stores: Stores) -> Self {
        let (tiles, workers) = (Tiles::new(stores.options()), Arc::new(Workers::new(stores.options())));
        Self { stores, tiles, workers }
    }

    /// The same tiles and threads, over the stores of another query.
    pub(crate) fn with_stores(&self, stores: Stores) -> Self {
        Self { stores, tiles: Arc::clone(&self.tiles), workers: Arc::clone(&self.workers) }
    }

    /// Calls `work` with each number below `count`, in any order, on the calling thread and on helpers, under the limit on threads.
    /// Fails only if `work` panics. An item should take microseconds at least.
    pub fn for_each(&self, count: usize, work: impl Fn(usize) + Sync) -> Result<()> {
        let next = AtomicUsize::new(0);
        let step = || {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item < count && !self.query().is_interrupted() {
                self.query().interruptibly(|| work(item));
                return true;
            }
            next.store(count, Ordering::Relaxed);
            false
        };
        self.workers.share(ALONE, step, || count.saturating_sub(next.load(Ordering::Relaxed)), || ())?;
        self.query().check()
    }

    /// The error of a block with a tile that failed recently. Makes no request.
    pub(crate) fn recent_failure(&self, request: &BlockRequest) -> Option<Error> {
        if self.tiles.failures.is_empty() {
            return None;
        }
        let request = std::slice::from_ref(request);
        Plan::new(&self.tiles, request, self.access(), self.is_native(), &HashMap::new()).into_error()
    }

    pub(crate) fn tiles(&self) -> &Arc<Tiles> {
        &self.tiles
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }
}
