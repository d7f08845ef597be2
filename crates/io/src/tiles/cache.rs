//! Cache of decoded tiles.
//!
//! A key contains the version of the file, so that tiles of different versions are never mixed up.

use std::sync::Arc;

use rasteret_cog::codec::DecodedTile;

use super::key::TileKey;
use crate::runtime::byte_cache::ByteCache;

/// Shared by all threads of a session.
pub(super) type TileCache = ByteCache<TileKey, Arc<DecodedTile>>;

/// Bytes of a usual tile: 256 x 256 pixels of one byte.
const USUAL_BYTES: u64 = 65_536;

/// A cache for `bytes` of decoded tiles.
pub(super) fn tile_cache(bytes: u64) -> TileCache {
    ByteCache::new(bytes, USUAL_BYTES, |_, tile| {
        (size_of::<TileKey>() + size_of::<DecodedTile>()) as u64 + bytes_of(tile)
    })
}

/// Bytes of memory that a tile takes.
pub(super) fn bytes_of(tile: &DecodedTile) -> u64 {
    let pixels = u64::from(tile.width) * u64::from(tile.height);
    let samples = pixels * u64::from(tile.samples_per_pixel) * tile.samples.data_type().size() as u64;
    samples + tile.valid.as_ref().map_or(0, |valid| valid.len() as u64)
}
