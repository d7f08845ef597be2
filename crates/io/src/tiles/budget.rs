//! A bound on bytes that are under way, over all calls of a session.
//!
//! ```text
//! charge, before a fetch ──> encoded bytes ── decoded ──> charged instead: the decoded tile ── last block made ──> free
//! ```
//!
//! Nobody holds one charge while waiting for another: what is decoded is charged without asking, and a call that has nothing
//! under way goes on after a moment whatever others hold. So calls that share the bound cannot wait for each other for ever,
//! even when somebody stops reading in the middle; the price is that each such call may be one block beyond the bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a call that has nothing under way waits for others to give bytes back. A request takes some 20 ms: who has not
/// given anything back after ten of them is not reading.
const PATIENCE: Duration = Duration::from_millis(200);

/// Shared by all calls of a session.
#[derive(Debug)]
pub(super) struct Budget {
    limit: AtomicU64,
    used: Mutex<Used>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    /// Calls that wait for room.
    waiting: u64,
}

/// What one call has charged. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Account {
    budget: Arc<Budget>,
    own: Arc<AtomicU64>,
}

/// Bytes of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    account: Account,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: AtomicU64::new(limit), used: Mutex::default(), released: Condvar::new() })
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Another limit from now on.
    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that are charged.
    pub(super) fn charged(&self) -> u64 {
        self.used().bytes
    }

    /// An account for a call.
    pub(super) fn account(self: &Arc<Self>) -> Account {
        Account { budget: self.clone(), own: Arc::default() }
    }

    /// What is larger than the whole budget has room when nothing else is charged.
    fn has_room(&self, used: u64, bytes: u64) -> bool {
        used == 0 || bytes == 0 || used.saturating_add(bytes) <= self.limit()
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// The bytes, where there is room for them. While others wait for room, a call gets no more than its share of it:
    /// else one that asks ahead would take what it has just given back.
    pub(super) fn try_charge(&self, bytes: u64) -> Option<Charge> {
        let mut used = self.budget.used();
        let own = self.own.load(Ordering::Relaxed);
        let share = self.budget.limit() / (used.waiting + 1);
        let is_greedy = used.waiting > 0 && bytes > 0 && own > 0 && own.saturating_add(bytes) > share;
        (!is_greedy && self.budget.has_room(used.bytes, bytes)).then(|| self.take(&mut used, bytes))
    }

    /// The bytes, whether there is room or not.
    pub(super) fn charge(&self, bytes: u64) -> Charge {
        self.take(&mut self.budget.used(), bytes)
    }

    /// The bytes, after a wait for others to make room. Blocks for [`PATIENCE`] at most, and not at all where the others
    /// cannot.
    pub(super) fn charge_patiently(&self, bytes: u64) -> Charge {
        let start = Instant::now();
        let mut used = self.budget.used();
        used.waiting += 1;
        while !self.budget.has_room(used.bytes, bytes) {
            let others_can = self.budget.has_room(self.own.load(Ordering::Relaxed), bytes);
            let Some(left) = PATIENCE.checked_sub(start.elapsed()).filter(|left| others_can && !left.is_zero()) else {
                break;
            };
            used = self.budget.released.wait_timeout(used, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        used.waiting -= 1;
        self.take(&mut used, bytes)
    }

    fn take(&self, used: &mut Used, bytes: u64) -> Charge {
        used.bytes = used.bytes.saturating_add(bytes);
        self.own.fetch_add(bytes, Ordering::Relaxed);
        Charge { account: self.clone(), bytes }
    }
}

impl Charge {
    /// A part of the charge, as a charge of its own.
    pub(super) fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { account: self.account.clone(), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let budget = &self.account.budget;
        let mut used = budget.used();
        used.bytes = used.bytes.saturating_sub(self.bytes);
        self.account.own.fetch_sub(self.bytes, Ordering::Relaxed);
        drop(used);
        budget.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_bounded_and_come_back() {
        let budget = Budget::new(100);
        let account = budget.account();
        let mut first = account.try_charge(80).unwrap();
        assert!(account.try_charge(30).is_none());
        let part = first.split(60);
        drop(first);
        let second = account.try_charge(30).unwrap();
        assert!(account.try_charge(30).is_none());
        drop((part, second));
        let large = account.try_charge(1000).unwrap();
        assert!(account.try_charge(1).is_none());
        assert!(account.try_charge(0).is_some());
        drop(large);
        assert_eq!((budget.used().bytes, account.own.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn patience_ends() {
        let budget = Budget::new(100);
        let (mine, other) = (budget.account(), budget.account());
        let kept = other.charge(100);
        let start = Instant::now();
        let forced = mine.charge_patiently(10);
        assert!(start.elapsed() >= PATIENCE);
        assert_eq!(budget.used().bytes, 110);
        drop(forced);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                drop(kept);
            });
            let start = Instant::now();
            drop(mine.charge_patiently(10));
            assert!(start.elapsed() < PATIENCE);
        });
    }

    #[test]
    fn who_asks_ahead_leaves_room_for_who_waits() {
        let budget = Budget::new(100);
        let (ahead, late) = (budget.account(), budget.account());
        let mut charges: Vec<Charge> = (0..10).map(|_| ahead.try_charge(10).unwrap()).collect();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| late.charge_patiently(10));
            while budget.used().waiting == 0 {
                std::thread::yield_now();
            }
            // As soon as it gives something back, the other has it.
            charges.pop();
            assert!(budget.used().waiting == 0 || ahead.try_charge(10).is_none());
            drop(waits.join().unwrap());
        });
        assert!(ahead.try_charge(10).is_some());
    }

    #[test]
    fn nobody_waits_for_himself() {
        let account = Budget::new(100).account();
        let _kept = account.charge(95);
        let start = Instant::now();
        drop(account.charge_patiently(10));
        assert!(start.elapsed() < PATIENCE / 2);
    }
}
