//! Headers of files: fetched concurrently, in as few requests as possible, and cached.

mod batch;
mod cache;
mod describe;
mod driver;
mod files;
mod in_flight;

use std::ops::Deref;
use std::sync::Arc;

use rasteret_cog::crs::Transforms;

use self::cache::HeaderCache;
#[cfg(test)]
pub(crate) use self::in_flight::InFlightHeaders;
pub(crate) use self::in_flight::SharedHeader;
use crate::Location;
use crate::store::Stores;

/// Headers of files in [`Stores`], which it derefs to. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct Headers {
    stores: Stores,
    cache: Arc<HeaderCache>,
    transforms: Arc<Transforms>,
}

impl Deref for Headers {
    type Target = Stores;

    fn deref(&self) -> &Stores {
        &self.stores
    }
}

impl Headers {
    pub(crate) fn new(stores: Stores) -> Self {
        let options = stores.options();
        let cache = Arc::new(HeaderCache::new(options.header_cache_bytes, options.failure_lifetime));
        Self { stores, cache, transforms: Arc::default() }
    }

    /// Returns headers with the same cache and the stores of another query.
    pub(crate) fn with_stores(&self, stores: Stores) -> Self {
        Self { stores, cache: Arc::clone(&self.cache), transforms: Arc::clone(&self.transforms) }
    }

    /// Cached transformations between CRSs, shared by all functions.
    pub fn transforms(&self) -> &Transforms {
        &self.transforms
    }

    /// Bytes of cached headers, and the number of headers in flight.
    pub(crate) fn cache_usage(&self) -> (u64, usize) {
        (self.cache.bytes(), self.cache.in_flight())
    }

    /// Removes the cached header of a file that was written.
    pub(crate) fn forget(&self, location: &Location) {
        self.cache.forget(location.key());
    }

    /// Sets the maximum size of cached headers in bytes.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.cache.set_bytes(bytes);
    }
}
