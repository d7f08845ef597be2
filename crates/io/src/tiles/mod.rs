//! From rows that ask for pixels to blocks of samples: what is fetched, when, how often, and in how much memory.
//!
//! ```text
//! requests ── plan ──> distinct encoded tiles ─┬─ decoded before: from the cache ────────────────────────┐
//!                                              ├─ under way for someone else: one slot for all who wait ─┤
//!                                              └─ spans, by file and offset ── budget ──> fetch ──> bytes ┤
//!                                                                  next(): decode, once a tile <──────────┘
//!                                                                  Band::block ──> Block, in any order
//! ```
//!
//! Owns the bound on memory, the single flight of a tile over all threads, the cache of decoded tiles, and the check that
//! a file is still the one that was indexed. tokio's threads wait on sockets; decoding runs on the threads that call.

mod budget;
mod cache;
mod fetch;
mod plan;
mod raster;
mod slot;
mod stream;
mod workers;

use std::fmt;
use std::sync::Arc;

use rasteret_cog::pixel::Band;

use self::budget::Budget;
use self::cache::{TileCache, tile_cache};
use self::slot::Board;
use crate::{Options, VersionCheck};

pub use raster::RasterFile;
pub use stream::BlockStream;
pub(crate) use workers::Workers;

/// What all calls of a session share.
pub(crate) struct Tiles {
    cache: TileCache,
    board: Arc<Board>,
    budget: Arc<Budget>,
    check_version: VersionCheck,
    max_tile_bytes: u64,
}

impl Tiles {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            cache: tile_cache(options.tile_cache_bytes),
            board: Board::new(options.failure_lifetime),
            budget: Budget::new(options.read_budget_bytes),
            check_version: options.check_version,
            max_tile_bytes: options.max_tile_bytes,
        })
    }

    /// Keeps so many bytes of decoded tiles, and has so many under way, from now on.
    pub(crate) fn set_bytes(&self, kept: u64, under_way: u64) {
        self.cache.set_bytes(kept);
        self.budget.set_limit(under_way);
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (under_way, charged) = (self.board.len(), self.budget.charged());
        f.debug_struct("Tiles")
            .field("under_way", &under_way)
            .field("bytes_charged", &charged)
            .field("bytes_kept", &self.cache.bytes())
            .finish_non_exhaustive()
    }
}

/// One block that somebody needs.
#[derive(Debug, Clone)]
pub struct BlockRequest {
    /// The file.
    pub file: Arc<RasterFile>,
    /// A band of one of the file's levels, from the header that the file was made with.
    pub band: Arc<Band>,
    /// Row of the tile grid.
    pub row: u32,
    /// Column of the tile grid.
    pub col: u32,
}

/// What becomes of decoded tiles once all blocks of a call have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They stay in the session's cache, for rows of later calls that need them as well.
    Tiles,
    /// They are let go: a scan of whole images would push out what others come back to, and hold memory for nothing.
    /// What is in the cache already is used.
    Nothing,
}
