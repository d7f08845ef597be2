//! Cache of coverages: a field is usually read for several bands and dates on the same grid.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rasteret_cog::pixel::Band;
use rasteret_cog::zonal::{Coverage, Method};
use rasteret_cog::{CogHeader, EncodedGeometry};

use crate::runtime::byte_cache::ByteCache;

/// The grid that a coverage depends on: the pixels of the level and their CRS.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GridKey {
    transform: [u64; 6],
    width: u32,
    height: u32,
    crs: Option<String>,
}

impl GridKey {
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

/// The encoding of a geometry's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Wkb,
    Box,
}

/// A geometry over a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoverageKey {
    geometry: Box<[u8]>,
    form: Form,
    crs: [Option<Box<str>>; 2],
    grid: Arc<GridKey>,
    method: Method,
}

impl CoverageKey {
    pub(super) fn new(
        geometry: EncodedGeometry<'_>,
        crs: [Option<&str>; 2],
        grid: &Arc<GridKey>,
        method: Method,
    ) -> Self {
        let (geometry, form) = match geometry {
            EncodedGeometry::Text(text) => (text.as_bytes().into(), Form::Text),
            EncodedGeometry::Wkb(bytes) => (bytes.into(), Form::Wkb),
            EncodedGeometry::Box(corners) => {
                let bytes = corners.to_array().map(f64::to_le_bytes);
                (bytes.as_flattened().into(), Form::Box)
            }
        };
        Self { geometry, form, crs: crs.map(|crs| crs.map(Into::into)), grid: grid.clone(), method }
    }
}

/// Hashes only the affine transform of the grid: a CRS may be a page of WKT and rarely distinguishes grids of the same
/// transform.
impl Hash for CoverageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.geometry.hash(state);
        self.grid.transform.hash(state);
        self.method.hash(state);
    }
}

/// Coverages of a session.
pub(crate) type CoverageCache = ByteCache<CoverageKey, Arc<Coverage>>;

/// A field of some thousand pixels.
const USUAL_BYTES: u64 = 2048;

/// A cache that keeps coverages of so many bytes together.
pub(crate) fn coverage_cache(bytes: u64) -> CoverageCache {
    ByteCache::new(bytes, USUAL_BYTES, |key, coverage| {
        (size_of::<CoverageKey>() + key.geometry.len() + coverage.byte_len()) as u64
    })
}
