//! Recent failures, returned again without another request.
//!
//! While planning, DuckDB repeatedly evaluates a failing call with constant arguments, and each evaluation would repeat the requests, retries
//! and timeouts of its file. Errors caused by a file or its store are cached. Not cached are access restrictions, which depend on the query,
//! changes of a file, which depend on the index, and internal errors.
//!
//! A failure is cached for one lifetime after its last use, so that a slow planning phase does not outlive it, and
//! for at most [`LIFETIMES_MAX`] lifetimes in total.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;

/// Maximum number of cached failures, because an index may contain millions of missing files.
const KEPT_MAX: usize = 10_000;

/// Lifetimes after which a failure is retried, however often it was used meanwhile.
const LIFETIMES_MAX: u32 = 4;

/// Cached failures by key, for any number of threads.
pub(crate) struct Failures<K> {
    kept: Mutex<HashMap<K, Failure>>,
    /// Number of cached failures. Usually there are none, and no lock is taken.
    count: AtomicUsize,
    lifetime: Duration,
}

struct Failure {
    first: Instant,
    last: Instant,
    error: Error,
}

impl<K: Eq + Hash> Failures<K> {
    /// Creates a cache with a lifetime of failures.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { kept: Mutex::default(), count: AtomicUsize::new(0), lifetime }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Returns the cached error.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Error>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if self.is_empty() {
            return None;
        }
        let mut kept = self.lock();
        let failure = kept.get_mut(key).filter(|failure| failure.is_recent(self.lifetime))?;
        failure.last = Instant::now();
        Some(failure.error.clone())
    }

    /// Caches an error, if it is an error of the file or of its store.
    pub(crate) fn remember(&self, key: K, error: &Error) {
        let is_lasting = matches!(error, Error::Store { .. } | Error::Header { .. } | Error::Pixels { .. });
        if !is_lasting || error.denial().is_some() || self.lifetime.is_zero() {
            return;
        }
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, failure| failure.is_recent(self.lifetime));
        }
        if kept.len() < KEPT_MAX {
            let now = Instant::now();
            kept.insert(key, Failure { first: now, last: now, error: error.clone() });
        }
        self.count.store(kept.len(), Ordering::Release);
    }

    /// Removes a failure.
    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut kept = self.lock();
        kept.remove(key);
        self.count.store(kept.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Failure>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn is_recent(&self, lifetime: Duration) -> bool {
        self.last.elapsed() < lifetime && self.first.elapsed() < lifetime.saturating_mul(LIFETIMES_MAX)
    }
}

impl<K> std::fmt::Debug for Failures<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys may hold query strings.
        f.debug_struct("Failures").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, StoreError};

    fn error(fault: StoreError) -> Error {
        Error::Store { location: Location::parse("s3://b/k").unwrap(), range: None, fault }
    }

    #[test]
    fn uses_extend_the_lifetime_of_a_failure_up_to_a_bound() {
        let failures: Failures<String> = Failures::new(Duration::from_millis(400));
        assert!(failures.get("a").is_none());
        let start = Instant::now();
        failures.remember("a".to_owned(), &error(StoreError::Interrupted));
        failures.remember("b".to_owned(), &error(StoreError::Interrupted));
        let mut last = Duration::ZERO;
        while failures.get("a").is_some() {
            last = start.elapsed();
            std::thread::sleep(Duration::from_millis(20));
            assert!(start.elapsed() < Duration::from_secs(20), "expected the failure to expire");
        }
        // Uses extend the lifetime, up to the bound.
        assert!(last > Duration::from_millis(400) && last <= Duration::from_millis(1600), "{last:?}");
        assert!(failures.get("b").is_none());
        failures.remember("b".to_owned(), &error(StoreError::Interrupted));
        failures.forget("b");
        assert!(failures.get("b").is_none());
    }

    #[test]
    fn a_bounded_number_of_faults_of_files_is_cached() {
        let failures: Failures<u64> = Failures::new(Duration::from_secs(3600));
        let changed = Error::Changed { location: Location::parse("s3://b/k").unwrap(), what: String::new() };
        let denied = error(StoreError::Denied("locked".to_owned()));
        for other in [changed, denied, Error::InvalidArgument { what: String::new() }] {
            failures.remember(1, &other);
            assert!(failures.get(&1).is_none(), "{other}");
        }
        (0..2 * KEPT_MAX as u64).for_each(|key| failures.remember(key, &error(StoreError::NoSuchFile)));
        assert_eq!(failures.lock().len(), KEPT_MAX);
        assert!(failures.get(&0).is_some() && failures.get(&(KEPT_MAX as u64)).is_none());
        let none: Failures<u64> = Failures::new(Duration::ZERO);
        none.remember(1, &error(StoreError::NoSuchFile));
        assert!(none.get(&1).is_none());
    }
}
