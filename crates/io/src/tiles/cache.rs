//! Decoded tiles that later calls may need.
//!
//! A key names the version of the file, so a tile of an old version is never found for a new one. Eviction is `quick_cache`'s,
//! for the reasons given at the header cache; it withstands scans, which is what a query over many files is.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use rasteret_cog::codec::DecodedTile;

use super::slot::TileKey;

/// Shared by all threads of a session.
pub(super) struct TileCache {
    /// None where nothing is to be kept.
    kept: Option<Cache<TileKey, Arc<DecodedTile>, ByBytes>>,
}

impl TileCache {
    /// A cache that keeps tiles of so many bytes together.
    pub(super) fn new(bytes: u64) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            // A tile of 256 x 256 bytes; this only sizes the tables to begin with.
            .estimated_items_capacity(usize::try_from(bytes / 65_536).unwrap_or(usize::MAX).min(65_536))
            // Shards would each hold a share, and a large strip could exceed it.
            .shards(1)
            .build();
        let cache =
            |options| Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { kept: options.ok().filter(|_| bytes > 0).map(cache) }
    }

    pub(super) fn get(&self, key: &TileKey) -> Option<Arc<DecodedTile>> {
        self.kept.as_ref()?.get(key)
    }

    pub(super) fn put(&self, key: &TileKey, tile: &Arc<DecodedTile>) {
        if let Some(kept) = &self.kept {
            kept.insert(key.clone(), tile.clone());
        }
    }
}

impl std::fmt::Debug for TileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys may hold query strings.
        f.debug_struct("TileCache").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<TileKey, Arc<DecodedTile>> for ByBytes {
    fn weight(&self, _: &TileKey, tile: &Arc<DecodedTile>) -> u64 {
        (size_of::<TileKey>() + size_of::<DecodedTile>()) as u64 + bytes_of(tile)
    }
}

/// Bytes that a tile holds on to.
pub(super) fn bytes_of(tile: &DecodedTile) -> u64 {
    let pixels = u64::from(tile.width) * u64::from(tile.height);
    let samples = pixels * u64::from(tile.samples_per_pixel) * tile.samples.data_type().size() as u64;
    samples + tile.valid.as_ref().map_or(0, |valid| valid.len() as u64)
}
