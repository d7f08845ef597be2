//! Coverages that were computed before: a field is asked about for each band and each date, over one grid.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::DefaultLifecycle};
use rasteret_cog::coverage::{Coverage, Method};
use rasteret_cog::pixel::Band;
use rasteret_cog::{CogHeader, EncodedGeometry};

/// What a coverage depends on besides the geometry: the level's pixels and the CRS that they are in.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Grid {
    transform: [u64; 6],
    width: u32,
    height: u32,
    crs: Option<String>,
}

impl Grid {
    pub(super) fn of(header: &CogHeader, band: &Band) -> Self {
        let tiling = band.tiling();
        Self {
            transform: band.transform().to_array().map(f64::to_bits),
            width: tiling.image_width,
            height: tiling.image_height,
            crs: header.crs.as_ref().map(ToString::to_string),
        }
    }
}

/// A geometry over a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZoneKey {
    geometry: Box<[u8]>,
    is_text: bool,
    crs: [Option<Box<str>>; 2],
    grid: Arc<Grid>,
    method: Method,
}

impl ZoneKey {
    pub(super) fn new(geometry: EncodedGeometry<'_>, crs: [Option<&str>; 2], grid: &Arc<Grid>, method: Method) -> Self {
        let (bytes, is_text) = match geometry {
            EncodedGeometry::Text(text) => (text.as_bytes(), true),
            EncodedGeometry::Wkb(bytes) => (bytes, false),
        };
        Self { geometry: bytes.into(), is_text, crs: crs.map(|crs| crs.map(Into::into)), grid: grid.clone(), method }
    }
}

/// Of the grid only the affine: a CRS may be a page of WKT, and rarely tells grids apart that the affine does not.
impl Hash for ZoneKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.geometry.hash(state);
        self.grid.transform.hash(state);
        self.method.hash(state);
    }
}

/// Coverages of a session, as many as fit.
pub(crate) struct ZoneCache(Option<Cache<ZoneKey, Arc<Coverage>, ByBytes>>);

impl ZoneCache {
    /// A cache that keeps coverages of so many bytes together.
    pub(crate) fn new(bytes: u64) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            // A field of some thousand pixels takes about 2 KiB; this only sizes the tables to begin with.
            .estimated_items_capacity(usize::try_from(bytes / 2048).unwrap_or(usize::MAX).min(65_536))
            .build();
        let cache =
            |options| Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self(options.ok().filter(|_| bytes > 0).map(cache))
    }

    pub(super) fn get(&self, key: &ZoneKey) -> Option<Arc<Coverage>> {
        self.0.as_ref()?.get(key)
    }

    pub(super) fn put(&self, key: ZoneKey, coverage: &Arc<Coverage>) {
        if let Some(kept) = &self.0 {
            kept.insert(key, coverage.clone());
        }
    }
}

impl std::fmt::Debug for ZoneCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZoneCache").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<ZoneKey, Arc<Coverage>> for ByBytes {
    fn weight(&self, key: &ZoneKey, coverage: &Arc<Coverage>) -> u64 {
        (size_of::<ZoneKey>() + key.geometry.len() + coverage.byte_len()) as u64
    }
}
