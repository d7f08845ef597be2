//! One encoded tile on its way to samples, shared by all calls that need it.
//!
//! ```text
//! Idle ── someone claims it ──> Fetching ── bytes ──> Encoded ── first who needs it ──> Decoding ── samples ──> Ready
//!   ^──── given up ───────────────┘    └── fault ──────────────> Failed <── fault ────────┘
//! ```
//!
//! Owns the single flight: who finds a tile under way waits for it instead of asking again. Bytes are fetched by tasks that
//! depend on no caller, and decoded by whoever needs them first, so that nobody ever waits for a call that stands still.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rasteret_cog::codec::DecodedTile;
use rasteret_cog::pixel::Image;

use super::budget::Charge;
use super::cache::TileCache;
use super::raster::FileKey;
use super::stream::Shared;
use crate::Error;
use crate::failures::Failures;

/// One encoded tile of one version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TileKey {
    pub(super) file: FileKey,
    pub(super) image: Image,
    pub(super) position: u64,
    /// Where its bytes stand: an index may be wrong about that, and then speaks of another tile.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The tiles that calls need now, and those that failed a moment ago.
#[derive(Debug)]
pub(super) struct Board {
    slots: Mutex<HashMap<TileKey, Arc<Slot>>>,
    failures: Failures<TileKey>,
}

/// A call to tell when there is something to take, and what it calls this tile.
pub(super) type Waiter = (Weak<Shared>, usize);

/// See the module's picture.
#[derive(Debug, Default)]
pub(super) struct Slot {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) stage: Stage,
    waiters: Vec<Waiter>,
}

#[derive(Debug, Default)]
pub(super) enum Stage {
    #[default]
    Idle,
    Fetching,
    /// Bytes, and the charge of the span that they are a part of and keep in memory.
    Encoded(Bytes, Arc<Charge>),
    Decoding,
    Ready(Arc<DecodedTile>, #[expect(dead_code, reason = "it gives its bytes back when the samples go")] Charge),
    Failed(Error),
}

/// A call's hold on a slot. The last one to leave takes the slot off the board.
#[derive(Debug)]
pub(super) struct Seat {
    board: Arc<Board>,
    key: TileKey,
    slot: Arc<Slot>,
}

/// What the board has for a tile.
pub(super) enum Found {
    Decoded(Arc<DecodedTile>),
    Seat(Seat),
}

impl Stage {
    /// Whether someone is at work on it, so that the others wait.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::Fetching | Self::Decoding)
    }
}

impl TileKey {
    /// What its failure is remembered by; nothing for a tile of a local file.
    fn of_failure(&self) -> Option<Self> {
        Some(Self { file: self.file.of_failure()?, ..self.clone() })
    }
}

impl Board {
    /// A board that remembers failures for so long.
    pub(super) fn new(failure_lifetime: Duration) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::default(), failures: Failures::new(failure_lifetime) })
    }

    fn failure(&self, key: &TileKey) -> Option<Error> {
        if self.failures.is_empty() {
            return None;
        }
        self.failures.get(&key.of_failure()?)
    }

    fn note(&self, key: &TileKey, stage: &Stage) {
        if let Stage::Failed(error) = stage
            && let Some(key) = key.of_failure()
        {
            self.failures.remember(key, error);
        }
    }

    /// For each tile its samples, where they are kept, or a seat.
    pub(super) fn seats(self: &Arc<Self>, keys: Vec<TileKey>, cache: &TileCache) -> Vec<Found> {
        let mut slots = self.slots();
        let seat = |key: TileKey| {
            let known = slots.get(&key).cloned();
            // An error is for those who waited for it, and for a moment; who comes later tries again.
            if let Some(slot) = known.filter(|slot| !matches!(slot.lock().stage, Stage::Failed(_))) {
                return Found::Seat(Seat { board: self.clone(), key, slot });
            }
            // Kept before its slot leaves the board: what is on neither has to be fetched.
            if let Some(tile) = cache.get(&key) {
                return Found::Decoded(tile);
            }
            if let Some(error) = self.failure(&key) {
                let slot = Slot { inner: Mutex::new(Inner { stage: Stage::Failed(error), waiters: Vec::new() }) };
                return Found::Seat(Seat { board: self.clone(), key, slot: Arc::new(slot) });
            }
            let slot = Arc::<Slot>::default();
            slots.insert(key.clone(), slot.clone());
            Found::Seat(Seat { board: self.clone(), key, slot })
        };
        keys.into_iter().map(seat).collect()
    }

    /// How many tiles calls hold on to.
    pub(super) fn len(&self) -> usize {
        self.slots().len()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<TileKey, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on to a stage and tells those who wait.
    fn set(&self, stage: Stage) {
        let mut inner = self.lock();
        inner.stage = stage;
        let waiters = std::mem::take(&mut inner.waiters);
        // A call's own lock is never taken under a slot's: calls take them the other way around.
        drop(inner);
        tell(waiters);
    }

    /// Moves on with what was fetched, unless someone else fetched it meanwhile. Those who wait are the caller's to tell.
    #[must_use]
    fn land(&self, stage: Stage) -> Vec<Waiter> {
        let mut inner = self.lock();
        if !matches!(inner.stage, Stage::Idle | Stage::Fetching) {
            return Vec::new();
        }
        inner.stage = stage;
        std::mem::take(&mut inner.waiters)
    }

    /// Gives up a fetch. Whoever waits for it nevertheless fetches it anew.
    pub(super) fn give_back(&self) {
        let mut inner = self.lock();
        if matches!(inner.stage, Stage::Fetching) {
            inner.stage = Stage::Idle;
            let waiters = std::mem::take(&mut inner.waiters);
            drop(inner);
            tell(waiters);
        }
    }

    /// Whether a call waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.lock().waiters.iter().any(|(call, _)| call.strong_count() > 0)
    }
}

impl Inner {
    /// Has a call told as soon as there is something to take.
    pub(super) fn wait(&mut self, call: Weak<Shared>, tile: usize) {
        self.waiters.push((call, tile));
    }
}

/// Tells calls that there is something to take: each once for the tiles of its that stand together.
pub(super) fn tell(waiters: impl IntoIterator<Item = Waiter>) {
    let mut waiters = waiters.into_iter().peekable();
    while let Some((call, tile)) = waiters.next() {
        let mut tiles = vec![tile];
        while let Some((_, tile)) = waiters.next_if(|(other, _)| other.ptr_eq(&call)) {
            tiles.push(tile);
        }
        if let Some(call) = call.upgrade() {
            call.tiles_are_available(&tiles);
        }
    }
}

impl Seat {
    /// Another hold on the same slot.
    pub(super) fn share(&self) -> Self {
        Self { board: self.board.clone(), key: self.key.clone(), slot: self.slot.clone() }
    }

    pub(super) fn key(&self) -> &TileKey {
        &self.key
    }

    /// As [`Slot::set`]; a failure is remembered.
    pub(super) fn set(&self, stage: Stage) {
        self.board.note(&self.key, &stage);
        self.slot.set(stage);
    }

    /// As [`Slot::land`]; a failure is remembered.
    #[must_use]
    pub(super) fn land(&self, stage: Stage) -> Vec<Waiter> {
        self.board.note(&self.key, &stage);
        self.slot.land(stage)
    }
}

impl Deref for Seat {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let own = std::mem::take(&mut self.slot);
        let mut slots = self.board.slots();
        let is_on_board = slots.get(&self.key).is_some_and(|slot| Arc::ptr_eq(slot, &own));
        // Two: this seat's and the board's. Others are only made from a seat, or under the lock that is held here.
        let last = (is_on_board && Arc::strong_count(&own) == 2).then(|| slots.remove(&self.key));
        if is_on_board && last.is_none() {
            // Given up under the lock: of two seats left at once, one has to see that it is the last.
            drop(own);
            return;
        }
        // What the slot holds is let go without the lock.
        drop(slots);
    }
}
