//! Caches headers in bounded memory, and recent failures.
//!
//! The header of a file in a store is cached for the session unless it is evicted; that of a local file is compared with the file each time.
//! Failures are cached for a short time ([`Failures`]). Headers that are being read are shared ([`InFlightHeaders`]).

use std::sync::Arc;
use std::time::Duration;

use rasteret_cog::{CogHeader, Level};

use super::in_flight::{HeaderEntry, InFlightHeaders};
use crate::runtime::byte_cache::ByteCache;
use crate::runtime::failures::Failures;
use crate::types::stamp::Stamp;
use crate::{CogFile, Result};

/// A header of an ordinary COG.
const USUAL_BYTES: u64 = 4096;

/// Shared by all threads of a session.
pub(crate) struct HeaderCache {
    kept: ByteCache<String, Entry>,
    in_flight: Arc<InFlightHeaders>,
    failures: Failures<String>,
}

#[derive(Clone)]
struct Entry {
    file: CogFile,
    /// Header of a local file.
    stamp: Option<Stamp>,
}

impl HeaderCache {
    /// A cache of headers with a maximum size in bytes, and of failures with a lifetime.
    pub(crate) fn new(bytes: u64, failure_lifetime: Duration) -> Self {
        let weigh = |key: &String, entry: &Entry| key.len() as u64 + bytes_of(&entry.file.header);
        let kept = ByteCache::new(bytes, USUAL_BYTES, weigh);
        Self { kept, in_flight: Arc::default(), failures: Failures::new(failure_lifetime) }
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

    /// Caches the header of a local file.
    pub(crate) fn put_local(&self, key: &str, file: &CogFile, stamp: Stamp) {
        self.put(key, file, Some(stamp));
    }

    /// Caches the header of a file in a store.
    pub(crate) fn put_remote(&self, key: &str, file: &CogFile) {
        self.put(key, file, None);
    }

    /// Sets the maximum size of headers in bytes.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.kept.set_bytes(bytes);
    }

    /// Bytes of the cached headers.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.bytes()
    }

    /// Headers that are being read.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Removes a header.
    pub(crate) fn forget(&self, key: &str) {
        self.kept.forget(key);
        self.in_flight.forget(key);
        self.failures.forget(key);
    }

    fn put(&self, key: &str, file: &CogFile, stamp: Option<Stamp>) {
        self.kept.put(key.to_owned(), Entry { file: file.clone(), stamp });
    }

    /// The header that was read before, or the failure of a moment ago.
    pub(crate) fn known(&self, key: &str) -> Option<Result<CogFile>> {
        self.get(key).map(Ok).or_else(|| self.failures.get(key).map(Err))
    }

    /// The header that is being read, or a new entry for it; and whether it is new.
    pub(crate) fn entry(&self, key: &str) -> (Arc<HeaderEntry>, bool) {
        self.in_flight.entry(key)
    }

    /// Reads a header with `load` and caches it. Called by the caller that fills the entry.
    pub(crate) async fn load<F>(&self, key: &str, load: impl FnOnce() -> F) -> Result<CogFile>
    where
        F: Future<Output = Result<CogFile>>,
    {
        // Another caller may have finished between the lookups in the cache and in the map.
        if let Some(known) = self.known(key) {
            return known;
        }
        let loaded = load().await;
        match &loaded {
            Ok(file) => self.put(key, file, None),
            Err(error) => self.failures.remember(key.to_owned(), error),
        }
        loaded
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

    fn cache() -> HeaderCache {
        HeaderCache::new(1000, Duration::from_secs(60))
    }

    /// Fails after 20 ms, with an error that is not cached.
    async fn failing(cache: &HeaderCache, loads: &AtomicUsize) -> Result<CogFile> {
        let load = || async {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(Error::InvalidArgument { what: "no".to_owned() })
        };
        let (entry, _) = cache.entry("k");
        entry.get_or_load(|| cache.load("k", load)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_shared_but_not_cached() {
        let (cache, loads) = (cache(), AtomicUsize::new(0));
        let mut headers = Box::pin(futures::future::join_all((0..10).map(|_| failing(&cache, &loads))));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut headers).await.is_err());
        assert_eq!(cache.in_flight(), 1);
        assert!(headers.await.iter().all(Result::is_err));
        assert_eq!((loads.load(Ordering::SeqCst), cache.in_flight()), (1, 0));
        assert!(failing(&cache, &loads).await.is_err());
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_header_is_read_again_while_it_is_referenced() {
        let (cache, loads) = (cache(), AtomicUsize::new(0));
        let (held, is_new) = cache.entry("k");
        assert!(is_new && !cache.entry("k").1);
        assert!(failing(&cache, &loads).await.is_err());
        assert!(failing(&cache, &loads).await.is_err());
        assert_eq!(loads.load(Ordering::SeqCst), 2);
        drop(held);
        assert!(cache.entry("k").1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_outlives_its_first_caller() {
        let (cache, loads) = (cache(), AtomicUsize::new(0));
        let mut first = Box::pin(failing(&cache, &loads));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut first).await.is_err());
        let mut second = Box::pin(failing(&cache, &loads));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut second).await.is_err());
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        drop(first);
        assert_eq!(cache.in_flight(), 1);
        assert!(second.await.is_err());
        assert_eq!((loads.load(Ordering::SeqCst), cache.in_flight()), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_ends_with_its_last_caller() {
        let (cache, loads) = (cache(), AtomicUsize::new(0));
        let header = failing(&cache, &loads);
        assert!(tokio::time::timeout(Duration::from_millis(1), header).await.is_err());
        assert_eq!((loads.load(Ordering::SeqCst), cache.in_flight()), (1, 0));
    }
}
