//! Cache of projectors.
//!
//! Rasters on the same grid share a projector across rows and queries. Creating one takes about a hundred projections
//! in both directions, more than most geometries need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::projector::GeometryProjector;
use crate::Result;
use crate::crs::Transform;
use crate::geo::GeoTransform;

/// Capacity: more grids than most collections have, in less than ten megabytes.
const MAX_PROJECTORS: usize = 4096;

/// Projectors, created on first use.
#[derive(Debug, Default)]
pub struct ProjectorCache(Mutex<HashMap<Key, Arc<GeometryProjector>>>);

/// Inputs of a projector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    size: (u32, u32),
    /// Bit patterns of the six coefficients.
    to_world: [u64; 6],
    /// Address of the transformation. The cached projector keeps it alive, so the address is not reused.
    transform: Option<usize>,
}

impl ProjectorCache {
    /// Returns the cached projector, or creates it as [`GeometryProjector::new`] does.
    ///
    /// # Errors
    ///
    /// See [`GeometryProjector::new`].
    pub fn get(
        &self,
        (width, height): (u32, u32),
        to_world: GeoTransform,
        transform: Option<Arc<Transform>>,
    ) -> Result<Arc<GeometryProjector>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key {
            size: (width, height),
            to_world: to_world.to_array().map(f64::to_bits),
            transform: transform.as_ref().map(|transform| Arc::as_ptr(transform).addr()),
        };
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        // Created without holding the lock: two threads may create the same projector, which is cheaper than waiting.
        let made = Arc::new(GeometryProjector::new(width, height, to_world, transform)?);
        let mut projectors = lock();
        if projectors.len() >= MAX_PROJECTORS {
            projectors.clear();
        }
        Ok(projectors.entry(key).or_insert(made).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crs::Transforms;

    #[test]
    fn a_projector_is_shared_by_equal_inputs() {
        let (projectors, transforms) = (ProjectorCache::default(), Transforms::default());
        let to_world = |x: f64| GeoTransform::from_array([10.0, 0.0, x, 0.0, -10.0, 4_600_000.0]);
        let projector = |size, x, crs: &str| {
            projectors.get(size, to_world(x), Some(transforms.get(crs, "EPSG:32631").unwrap())).unwrap()
        };
        let first = projector((100, 100), 500_000.0, "OGC:CRS84");
        assert!(Arc::ptr_eq(&first, &projector((100, 100), 500_000.0, "OGC:CRS84")));
        let others = [
            projector((100, 200), 500_000.0, "OGC:CRS84"),
            projector((100, 100), 500_010.0, "OGC:CRS84"),
            projector((100, 100), 500_000.0, "EPSG:3857"),
            projectors.get((100, 100), to_world(500_000.0), None).unwrap(),
        ];
        assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other)));
        assert!(projectors.get((100, 100), GeoTransform::from_array([0.0; 6]), None).is_err());
    }
}
