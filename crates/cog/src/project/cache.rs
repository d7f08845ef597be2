//! ProjectorCache by what they are of, each made once.
//!
//! Scenes of one grid share their view, and so do the rows of many queries: to make one takes a hundred projections there and
//! back, which is more than most geometries do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::projector::GeometryProjector;
use crate::Result;
use crate::crs::Transform;
use crate::geo::GeoTransform;

/// ProjectorCache kept: more grids than a collection has in most cases, in less than ten megabytes.
const MAX_PROJECTORS: usize = 4096;

/// ProjectorCache of images, made by the first who asks.
#[derive(Debug, Default)]
pub struct ProjectorCache(Mutex<HashMap<Key, Arc<GeometryProjector>>>);

/// What a view is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    size: (u32, u32),
    /// The bits of the six numbers.
    to_world: [u64; 6],
    /// Where the transformation is in memory: a view holds on to its own, so that no other comes to be there.
    transform: Option<usize>,
}

impl ProjectorCache {
    /// As [`GeometryProjector::new`], unless the same view is there.
    ///
    /// # Errors
    ///
    /// As [`GeometryProjector::new`].
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
        // Made without the lock: two threads may make the same view, which costs less than waiting for another.
        let made = Arc::new(GeometryProjector::new(width, height, to_world, transform)?);
        let mut views = lock();
        if views.len() >= MAX_PROJECTORS {
            views.clear();
        }
        Ok(views.entry(key).or_insert(made).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crs::Transforms;

    #[test]
    fn a_view_is_shared_by_what_it_is_of() {
        let (views, transforms) = (ProjectorCache::default(), Transforms::default());
        let to_world = |x: f64| GeoTransform::from_array([10.0, 0.0, x, 0.0, -10.0, 4_600_000.0]);
        let view = |size, x, crs: &str| {
            views.get(size, to_world(x), Some(transforms.get(crs, "EPSG:32631").unwrap())).unwrap()
        };
        let first = view((100, 100), 500_000.0, "OGC:CRS84");
        assert!(Arc::ptr_eq(&first, &view((100, 100), 500_000.0, "OGC:CRS84")));
        let others = [
            view((100, 200), 500_000.0, "OGC:CRS84"),
            view((100, 100), 500_010.0, "OGC:CRS84"),
            view((100, 100), 500_000.0, "EPSG:3857"),
            views.get((100, 100), to_world(500_000.0), None).unwrap(),
        ];
        assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other)));
        assert!(views.get((100, 100), GeoTransform::from_array([0.0; 6]), None).is_err());
    }
}
