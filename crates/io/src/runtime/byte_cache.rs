//! A cache bounded by bytes, for headers, decoded tiles and coverages.
//!
//! # Why quick_cache
//!
//! Weighted eviction with one lock, without a background thread and with four small dependencies; it is resistant to
//! scans, which queries over many files are. moka does the same, with single flight, at ten times the code.

use std::hash::Hash;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Values by their keys, as many as fit. For any number of threads at once.
pub(crate) struct ByteCache<K, V> {
    /// None if caching is disabled.
    kept: Option<Cache<K, V, Weigh<K, V>>>,
}

/// Bytes that a key and its value take.
struct Weigh<K, V>(fn(&K, &V) -> u64);

impl<K: Eq + Hash, V: Clone> ByteCache<K, V> {
    /// A cache with a maximum size in bytes; 0 disables it. `usual` is the approximate size of a value, for the initial size of the tables.
    pub(crate) fn new(bytes: u64, usual: u64, weigh: fn(&K, &V) -> u64) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            .estimated_items_capacity(usize::try_from(bytes / usual).unwrap_or(usize::MAX).min(65_536))
            // Without shards, because a large value could exceed the share of a shard and would never be cached.
            .shards(1)
            .build();
        let cache = |options| {
            Cache::with_options(options, Weigh(weigh), DefaultHashBuilder::default(), DefaultLifecycle::default())
        };
        Self { kept: options.ok().filter(|_| bytes > 0).map(cache) }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + quick_cache::Equivalent<K> + ?Sized,
    {
        self.kept.as_ref()?.get(key)
    }

    /// Bytes of all cached values.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        if let Some(kept) = &self.kept {
            kept.insert(key, value);
        }
    }

    /// Sets the maximum size in bytes. A disabled cache remains disabled.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        if let Some(kept) = &self.kept {
            kept.set_capacity(bytes);
        }
    }

    /// Removes a value.
    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        Q: Hash + quick_cache::Equivalent<K> + ?Sized,
    {
        if let Some(kept) = &self.kept {
            kept.remove(key);
        }
    }
}

impl<K, V> Weighter<K, V> for Weigh<K, V> {
    fn weight(&self, key: &K, value: &V) -> u64 {
        (self.0)(key, value)
    }
}

impl<K, V> Clone for Weigh<K, V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<K, V> std::fmt::Debug for ByteCache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys may hold query strings.
        f.debug_struct("ByteCache").finish_non_exhaustive()
    }
}
