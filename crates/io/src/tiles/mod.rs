//! Reads blocks of samples: plans, fetches and decodes their tiles in bounded memory.
//!
//! ```text
//! requests ── Plan ──> distinct tiles ─┬─ cached, or in flight for another call ────────────────────────────┐
//!                                      ├─ in a store: spans ── memory limit ──> SpanFetch ──> encoded bytes ┤
//!                                      └─ local: encoded bytes are read by the thread that decodes ─────────┤
//!                                         BlockStream::next(): decode each tile once ──> Band::block <──────┘
//! ```
//!
//! Contains the memory limit for tiles being fetched or decoded, fetching each tile once for all threads, the cache of decoded tiles, and
//! the check that a file has not changed since it was indexed. tokio's threads wait for sockets; tiles are decoded on the calling threads.
//!
//! Locks are taken in this order: a call's state, the map of tiles in flight, the cache.

mod budget;
mod cache;
mod entry;
mod fetch;
mod key;
mod make;
mod plan;
mod raster;
mod reader;
mod splitter;
mod stream;

use std::fmt;
use std::sync::Arc;

use rasteret_cog::pixel::Band;

use self::budget::Budget;
use self::cache::{TileCache, tile_cache};
use self::entry::InFlightTiles;
use self::key::TileKey;
use crate::runtime::failures::Failures;
use crate::{Error, Options, VersionCheck};

pub use raster::RasterFile;
pub use reader::TileReader;
pub use stream::BlockStream;

/// Tiles of a session, shared by all its calls.
pub(crate) struct Tiles {
    cache: TileCache,
    in_flight: Arc<InFlightTiles>,
    failures: Failures<TileKey>,
    budget: Budget,
    check_version: VersionCheck,
    max_tile_bytes: u64,
}

impl Tiles {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            cache: tile_cache(options.tile_cache_bytes),
            in_flight: Arc::default(),
            failures: Failures::new(options.failure_lifetime),
            budget: Budget::new(options.read_budget_bytes),
            check_version: options.check_version,
            max_tile_bytes: options.max_tile_bytes,
        })
    }

    /// Sets the bytes of decoded tiles that are cached, and of tiles being fetched or decoded.
    pub(crate) fn set_bytes(&self, cached: u64, in_flight: u64) {
        self.cache.set_bytes(cached);
        self.budget.set_limit(in_flight);
    }

    pub(crate) fn cached_bytes(&self) -> u64 {
        self.cache.bytes()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(crate) fn charged_bytes(&self) -> usize {
        self.budget.charged()
    }

    /// The cached failure of a tile.
    fn failure(&self, key: &TileKey) -> Option<Error> {
        if self.failures.is_empty() {
            return None;
        }
        self.failures.get(&key.of_failure()?)
    }

    /// Caches the failure of a tile in a store.
    fn remember(&self, key: &TileKey, error: &Error) {
        if let Some(key) = key.of_failure() {
            self.failures.remember(key, error);
        }
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiles")
            .field("in_flight", &self.in_flight())
            .field("charged_bytes", &self.charged_bytes())
            .field("cached_bytes", &self.cached_bytes())
            .finish_non_exhaustive()
    }
}

/// A request for one block.
#[derive(Debug, Clone)]
pub struct BlockRequest {
    /// The file.
    pub file: Arc<RasterFile>,
    /// A band of one of the file's levels, from the header of the file.
    pub band: Arc<Band>,
    /// Row of the tile grid.
    pub row: u32,
    /// Column of the tile grid.
    pub col: u32,
}

/// Whether decoded tiles are cached after all blocks of a call were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Tiles are cached, for rows of later calls.
    Tiles,
    /// Tiles are not cached: a scan of whole images would evict tiles that other calls use again. Tiles that are in the cache
    /// already are used.
    Nothing,
}
