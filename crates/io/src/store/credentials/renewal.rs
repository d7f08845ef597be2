//! When credentials are resolved again: once for all requests that were refused with the same ones.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Time between two renewals that requests may cause. Otherwise, each file that is permanently forbidden would renew the credentials.
const PAUSE: Duration = Duration::from_secs(30);

/// Counts the renewals of one set of credentials.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    generation: AtomicU64,
    last: Mutex<Option<Instant>>,
}

impl Renewal {
    /// The credentials that a request is about to use.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether to repeat a request that was rejected with credentials of `generation`: they have been renewed since, or `renew` renews them.
    pub(crate) async fn renew<F>(&self, generation: u64, renew: impl FnOnce() -> F) -> bool
    where
        F: Future<Output = bool>,
    {
        let mut last = self.last.lock().await;
        if self.generation() != generation {
            return true;
        }
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return false;
        }
        *last = Some(Instant::now());
        let renewed = renew().await;
        if renewed {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        renewed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_renewal_serves_all_rejected_requests() {
        let (renewal, count) = (Renewal::default(), AtomicU64::new(0));
        let started = renewal.generation();
        let renew = || async {
            count.fetch_add(1, Ordering::Relaxed);
            true
        };
        let refused = (0..10).map(|_| renewal.renew(started, renew));
        assert!(futures::future::join_all(refused).await.into_iter().all(|repeat| repeat));
        // The renewed credentials are rejected as well.
        assert!(!renewal.renew(renewal.generation(), renew).await);
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
