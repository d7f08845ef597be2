//! Memory limit for tiles being fetched or decoded, over all calls of a session.
//!
//! A semaphore with one permit per byte. Spans are charged before they are fetched, first come, first served, and released with
//! their tiles; a decoded tile is charged as far as permits are left, without waiting. To avoid deadlock, a call with nothing in flight
//! and nothing to decode exceeds the limit by the spans of one block: other calls may hold the rest and not be reading.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Time that a stalled call waits for others to release memory: ten times a usual request of 20 ms.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// The same for a call that has already exceeded the limit once, and is stalled again after a block.
pub(super) const PATIENCE_AGAIN: Duration = Duration::from_millis(5);

/// Shared by all calls of a session.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Limit>);

#[derive(Debug, Clone)]
struct Limit {
    bytes: usize,
    permits: Arc<Semaphore>,
}

/// Bytes of the budget, released when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    permits: Arc<Semaphore>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self(Mutex::new(Limit::new(limit)))
    }

    pub(super) fn limit(&self) -> u64 {
        self.lock().bytes as u64
    }

    /// Replaces the limit. Bytes that are charged already still count against the previous limit.
    pub(super) fn set_limit(&self, bytes: u64) {
        let mut limit = self.lock();
        let new = Limit::new(bytes);
        if new.bytes != limit.bytes {
            *limit = new;
        }
    }

    /// Bytes that are charged.
    pub(super) fn charged(&self) -> usize {
        let limit = self.lock();
        limit.bytes.saturating_sub(limit.permits.available_permits())
    }

    /// Charges bytes once there is room for them, or more than the whole limit once nothing else is charged. None if
    /// `is_stalled` is true after `patience`: the call continues without a charge.
    pub(super) async fn acquire(
        &self,
        bytes: u64,
        patience: Duration,
        is_stalled: impl Fn() -> bool,
    ) -> Option<Charge> {
        let Limit { bytes: limit, permits } = self.lock().clone();
        let count = u32::try_from(bytes.min(limit as u64)).unwrap_or(u32::MAX);
        let acquired = permits.acquire_many(count);
        tokio::pin!(acquired);
        loop {
            match timeout(patience, &mut acquired).await {
                Ok(permit) => {
                    // The semaphore is never closed.
                    permit.ok()?.forget();
                    return Some(Charge { permits: permits.clone(), bytes: count as usize });
                }
                Err(_) if is_stalled() => return None,
                Err(_) => {}
            }
        }
    }

    /// Charges as many of these bytes as there is room for.
    pub(super) fn charge(&self, bytes: u64) -> Charge {
        let permits = self.lock().permits.clone();
        let bytes = permits.forget_permits(usize::try_from(bytes).unwrap_or(usize::MAX));
        Charge { permits, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Limit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { bytes, permits: Arc::new(Semaphore::new(bytes)) }
    }
}

impl Charge {
    /// Moves up to `bytes` of the charge to a new charge.
    pub(super) fn split(&mut self, bytes: u64) -> Self {
        let bytes = self.bytes.min(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.bytes -= bytes;
        Self { permits: self.permits.clone(), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.permits.add_permits(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn charges_are_bounded_and_released() {
        let budget = Budget::new(100);
        let acquire = async |bytes| budget.acquire(bytes, PATIENCE, || true).await;
        let mut first = acquire(80).await.unwrap();
        let start = Instant::now();
        assert!(acquire(30).await.is_none());
        assert_eq!(start.elapsed(), PATIENCE);
        let part = first.split(60);
        drop(first);
        let second = acquire(30).await.unwrap();
        assert_eq!(budget.charged(), 90);
        assert!(acquire(30).await.is_none());
        // Decoded tiles use the rest.
        assert_eq!(budget.charge(1000).bytes, 10);
        drop((part, second));
        // A charge above the limit is granted if it is the only one.
        let large = acquire(1000).await.unwrap();
        assert_eq!(budget.charged(), 100);
        assert!(acquire(1).await.is_none());
        assert!(acquire(0).await.is_some());
        drop(large);
        assert_eq!(budget.charged(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_not_stalled_waits_for_memory() {
        let budget = Budget::new(100);
        let charge = budget.acquire(100, PATIENCE, || false).await;
        let release = async {
            tokio::time::sleep(PATIENCE * 5).await;
            drop(charge);
        };
        let start = Instant::now();
        let (charge, ()) = tokio::join!(budget.acquire(10, PATIENCE, || false), release);
        assert_eq!((charge.unwrap().bytes, start.elapsed()), (10, PATIENCE * 5));
    }

    #[tokio::test]
    async fn the_limit_can_change() {
        let budget = Budget::new(100);
        let before = budget.acquire(100, PATIENCE, || false).await;
        budget.set_limit(100);
        assert_eq!(budget.charged(), 100);
        budget.set_limit(10);
        assert_eq!((budget.limit(), budget.charged()), (10, 0));
        let after = budget.acquire(20, PATIENCE, || false).await;
        drop(before);
        assert_eq!(budget.charged(), 10);
        drop(after);
        assert_eq!(budget.charged(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_charged_in_the_order_of_arrival() {
        let budget = Budget::new(100);
        let held = budget.acquire(100, PATIENCE, || false).await;
        let order = Mutex::new(Vec::new());
        let call = async |name: u64, bytes: u64| {
            let charge = budget.acquire(bytes, PATIENCE, || false).await;
            order.lock().unwrap().push(name);
            drop(charge);
        };
        let release = async { drop(held) };
        // Each charge uses the whole limit.
        tokio::join!(call(1, 90), call(2, 95), call(3, 10), release);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }
}
