//! Headers that were read before, and those that are being read: one request for any number of askers.
//!
//! Owns the bound in bytes and the single flight. An error is given to everyone who waits for it, and to those who ask again a moment
//! later ([`Failures`]). A header in a store is kept for the session, or until newer ones need its room; one of a local file is checked
//! against the file each time.
//!
//! The flights are thirty lines over tokio's `OnceCell`, which also hands a flight on when the one who started it is cancelled.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rasteret_cog::{CogHeader, Level};
use tokio::sync::OnceCell;

use crate::runtime::byte_cache::ByteCache;
use crate::runtime::failures::Failures;
use crate::types::stamp::Stamp;
use crate::{CogFile, Result};

/// A header of an ordinary COG.
const USUAL_BYTES: u64 = 4096;

type Flight = Arc<OnceCell<Result<CogFile>>>;

/// Shared by all threads of a session.
pub(crate) struct HeaderCache {
    kept: ByteCache<String, Entry>,
    flights: Mutex<HashMap<String, Flight>>,
    failures: Failures<String>,
}

#[derive(Clone)]
struct Entry {
    file: CogFile,
    /// Of a local file.
    stamp: Option<Stamp>,
}

impl HeaderCache {
    /// A cache that keeps headers of so many bytes together, and failures for so long.
    pub(crate) fn new(bytes: u64, failure_lifetime: Duration) -> Self {
        let weigh = |key: &String, entry: &Entry| key.len() as u64 + bytes_of(&entry.file.header);
        let kept = ByteCache::new(bytes, USUAL_BYTES, weigh);
        Self { kept, flights: Mutex::default(), failures: Failures::new(failure_lifetime) }
    }

    /// The header that was read from a store before.
    pub(crate) fn get(&self, key: &str) -> Option<CogFile> {
        Some(self.kept.get(key)?.file)
    }

    /// The header of a local file that has not changed since.
    pub(crate) fn get_local(&self, key: &str, now: Stamp) -> Option<CogFile> {
        let entry = self.kept.get(key)?;
        (entry.stamp == Some(now)).then_some(entry.file)
    }

    /// Keeps the header of a local file.
    pub(crate) fn put_local(&self, key: &str, file: &CogFile, stamp: Stamp) {
        self.put(key, file, Some(stamp));
    }

    /// Keeps the header of a file in a store.
    pub(crate) fn put_remote(&self, key: &str, file: &CogFile) {
        self.put(key, file, None);
    }

    /// Keeps headers of so many bytes from now on.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.kept.set_bytes(bytes);
    }

    /// Bytes of the cached headers.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.bytes()
    }

    /// Headers that are being read.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Keeps this header no longer.
    pub(crate) fn forget(&self, key: &str) {
        self.kept.forget(key);
        self.failures.forget(key);
    }

    fn put(&self, key: &str, file: &CogFile, stamp: Option<Stamp>) {
        self.kept.put(key.to_owned(), Entry { file: file.clone(), stamp });
    }

    /// The header that was read before, is being read, or is read now by `load`.
    pub(crate) async fn get_or_load<F>(&self, key: &str, load: impl FnOnce() -> F) -> Result<CogFile>
    where
        F: Future<Output = Result<CogFile>>,
    {
        if let Some(file) = self.get(key) {
            return Ok(file);
        }
        if let Some(error) = self.failures.get(key) {
            return Err(error);
        }
        let boarding = Boarding::new(self, key);
        let keep = || async {
            // A flight may have landed between the look into the cache and the boarding of a new one.
            if let Some(file) = self.get(key) {
                return Ok(file);
            }
            if let Some(error) = self.failures.get(key) {
                return Err(error);
            }
            let loaded = load().await;
            match &loaded {
                Ok(file) => self.put(key, file, None),
                Err(error) => self.failures.remember(key.to_owned(), error),
            }
            loaded
        };
        boarding.flight.get_or_init(keep).await.clone()
    }
}

/// One asker's seat on a flight; the last one to leave takes the flight off the board, also when it is cancelled.
struct Boarding<'a> {
    cache: &'a HeaderCache,
    key: &'a str,
    flight: Flight,
}

impl<'a> Boarding<'a> {
    fn new(cache: &'a HeaderCache, key: &'a str) -> Self {
        let mut flights = cache.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // A flight that has landed is a result that was forgotten, if it was an error: it is not boarded.
        let flight = match flights.get(key) {
            Some(flight) if !flight.initialized() => flight.clone(),
            _ => {
                let flight = Flight::default();
                flights.insert(key.to_owned(), flight.clone());
                flight
            }
        };
        Self { cache, key, flight }
    }
}

impl Drop for Boarding<'_> {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = flights.get(self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // Two: this seat and the board. Seats are only taken under the lock that is held here.
        if is_ours && (self.flight.initialized() || Arc::strong_count(&self.flight) <= 2) {
            flights.remove(self.key);
        }
    }
}

impl std::fmt::Debug for HeaderCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys may hold query strings.
        f.debug_struct("HeaderCache")
            .field("in_flight", &self.in_flight())
            .field("bytes", &self.bytes())
            .field("failures", &self.failures)
            .finish()
    }
}

/// Bytes that a header holds on to, about.
fn bytes_of(header: &CogHeader) -> u64 {
    let levels = std::iter::once(&header.image).chain(&header.overviews).chain(&header.masks);
    let vectors = [&header.pixel_scale, &header.tiepoint, &header.scale, &header.offset];
    let numbers: usize = vectors.into_iter().flatten().map(Vec::len).sum();
    levels.map(bytes_of_level).sum::<u64>() + (size_of::<CogHeader>() + numbers * size_of::<f64>()) as u64
}

fn bytes_of_level(level: &Level) -> u64 {
    let tables =
        level.tile_offsets.capacity() * size_of::<u64>() + level.tile_byte_counts.capacity() * size_of::<u32>();
    let jpeg = level.encoding.jpeg_tables.as_ref().map_or(0, |tables| tables.len());
    let samples = level.encoding.bits_per_sample.len() * 2 * size_of::<u16>();
    (size_of::<Level>() + tables + jpeg + samples) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn failing(loads: &AtomicUsize) -> Result<CogFile> {
        loads.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(Error::InvalidArgument { what: "no".to_owned() })
    }

    #[tokio::test]
    async fn an_error_is_shared_and_forgotten() {
        let (cache, loads) = (HeaderCache::new(1000, Duration::from_secs(60)), AtomicUsize::new(0));
        let asks = (0..10).map(|_| cache.get_or_load("k", || failing(&loads)));
        assert!(futures::future::join_all(asks).await.iter().all(Result::is_err));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        assert!(cache.flights.lock().unwrap().is_empty());
        assert!(cache.get_or_load("k", || failing(&loads)).await.is_err());
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_flight_outlives_who_started_it() {
        let (cache, loads) = (HeaderCache::new(1000, Duration::from_secs(60)), AtomicUsize::new(0));
        let mut first = Box::pin(cache.get_or_load("k", || failing(&loads)));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut first).await.is_err());
        let second = cache.get_or_load("k", || failing(&loads));
        drop(first);
        assert!(second.await.is_err());
        assert_eq!(loads.load(Ordering::SeqCst), 2);
        assert!(cache.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_cancelled_flight_leaves_nothing() {
        let (cache, loads) = (HeaderCache::new(1000, Duration::from_secs(60)), AtomicUsize::new(0));
        let ask = cache.get_or_load("k", || failing(&loads));
        assert!(tokio::time::timeout(Duration::from_millis(1), ask).await.is_err());
        assert!(cache.flights.lock().unwrap().is_empty());
    }
}
