//! Ranges of values that all map tiles of a raster are stretched from.

use rasteret_cog::render::Range;
use rasteret_cog::warp::Resampling;

use crate::ObjectVersion;
use crate::runtime::byte_cache::ByteCache;

/// Everything that the percentiles of bands depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RangeKey {
    pub(super) location: String,
    pub(super) version: ObjectVersion,
    /// Addresses within one call: of the file, if its version is unknown, and of the mask. 0 for none.
    pub(super) call: [usize; 2],
    pub(super) bands: Vec<u32>,
    /// The bits of nodata values, scales and offsets, which the metadata of an index may state differently from the file.
    pub(super) header_numbers: [Option<Vec<u64>>; 4],
    /// The bits of the percentiles.
    pub(super) percentiles: Option<[u64; 2]>,
    pub(super) masked: bool,
    pub(super) scaled: bool,
    pub(super) resampling: Option<Resampling>,
}

impl RangeKey {
    /// Whether the ranges are the same in other calls.
    fn is_lasting(&self) -> bool {
        self.call == [0, 0]
    }
}

/// Ranges of a session.
pub(super) struct RangeCache(ByteCache<RangeKey, Vec<Range>>);

/// Bytes of the ranges that are kept: those of some thousand rasters.
const MAX_BYTES: u64 = 1 << 20;

/// Ranges of three bands.
const USUAL_BYTES: u64 = 256;

impl RangeCache {
    pub(super) fn new() -> Self {
        Self(ByteCache::new(MAX_BYTES, USUAL_BYTES, |key, ranges| {
            let numbers = key.header_numbers.iter().flatten().map(|list| size_of_val(list.as_slice())).sum::<usize>();
            let bytes = size_of::<RangeKey>() + key.location.len() + size_of_val(key.bands.as_slice()) + numbers;
            (bytes + size_of_val(ranges.as_slice())) as u64
        }))
    }

    pub(super) fn get(&self, key: &RangeKey) -> Option<Vec<Range>> {
        if key.is_lasting() { self.0.get(key) } else { None }
    }

    pub(super) fn put(&self, key: RangeKey, ranges: Vec<Range>) {
        if key.is_lasting() {
            self.0.put(key, ranges);
        }
    }
}

impl std::fmt::Debug for RangeCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
