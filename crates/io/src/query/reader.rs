//! The context of the layer `query`: headers, tiles and coverages.

use std::ops::Deref;
use std::sync::Arc;

use rasteret_cog::ProjectorCache;

use super::color_tables::{ColorTables, color_tables};
use super::coverage_cache::{CoverageCache, coverage_cache};
use super::stretches::RangeCache;
use crate::Result;
use crate::headers::Headers;
use crate::store::Stores;
use crate::tiles::{BlockRequest, BlockStream, Keep, TileReader};

/// Computes the results of rows from headers and tiles. Derefs to [`Headers`]. Cheap to clone; clones share all caches.
#[derive(Debug, Clone)]
pub struct Reader {
    headers: Headers,
    tiles: TileReader,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    projectors: ProjectorCache,
    coverages: CoverageCache,
    color_tables: ColorTables,
    ranges: RangeCache,
}

impl Deref for Reader {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

impl Reader {
    pub(crate) fn new(stores: Stores) -> Self {
        let shared = Shared {
            projectors: ProjectorCache::default(),
            coverages: coverage_cache(stores.options().zone_cache_bytes),
            color_tables: color_tables(),
            ranges: RangeCache::new(),
        };
        Self { headers: Headers::new(stores.clone()), tiles: TileReader::new(stores), shared: Arc::new(shared) }
    }

    /// The same caches, over the stores of another query.
    pub(crate) fn with_stores(&self, stores: Stores) -> Self {
        Self {
            headers: self.headers.with_stores(stores.clone()),
            tiles: self.tiles.with_stores(stores),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Returns the blocks of `requests`, see [`TileReader::blocks`].
    pub fn blocks(&self, requests: Vec<BlockRequest>, keep: Keep) -> BlockStream {
        self.tiles.blocks(requests, keep)
    }

    /// Calls `work` with each number below `count`, see [`TileReader::for_each`].
    pub fn for_each(&self, count: usize, work: impl Fn(usize) + Sync) -> Result<()> {
        self.tiles.for_each(count, work)
    }

    /// Projectors from geometries to the pixels of rasters, made once for all functions.
    pub fn projectors(&self) -> &ProjectorCache {
        &self.shared.projectors
    }

    pub(crate) fn tiles(&self) -> &TileReader {
        &self.tiles
    }

    pub(crate) fn coverages(&self) -> &CoverageCache {
        &self.shared.coverages
    }

    pub(super) fn known_color_tables(&self) -> &ColorTables {
        &self.shared.color_tables
    }

    pub(super) fn known_ranges(&self) -> &RangeCache {
        &self.shared.ranges
    }
}
