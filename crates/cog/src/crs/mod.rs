//! Transformation of coordinates between reference systems.
//!
//! ```text
//! name (EPSG:n, OGC:CRS84, WKT, PROJ, …) ─ definition ─┐
//!                                                      ├─ Transforms (cached a pair) ─ Transform ─ points there and back
//! name ─────────────────────────────────── definition ─┘
//! ```
//!
//! Parses CRS names and caches transformations. The engine is `terrio-crs`, behind the trait [`PointTransform`]: since
//! that crate is young, its version is pinned, and `tests/crs_oracle.rs` compares it with PROJ. Its datum operations
//! are those of PROJ without grid files.
//!
//! Transformations that are not known to be right are errors: see [`definition`]. Coordinates are in the order x
//! (easting, longitude), y, regardless of the axis order of the CRS.

mod definition;
mod engine;
mod fork;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use geo_types::Coord;

use crate::{Error, Result};
use definition::Definition;
use engine::PointTransform;
use fork::unforked;
pub use fork::{ForkHold, hold_for_fork};

/// CRS name for native coordinates: those of the raster itself.
pub const NATIVE: &str = "native";

/// Default CRS of geometries.
pub const DEFAULT_CRS: &str = "OGC:CRS84";

/// Cache capacity: more than collections use, and small enough that generated names cannot exhaust the memory.
const MAX_PAIRS: usize = 4096;

/// Tolerance for rounding of latitudes at the poles.
const POLE_TOLERANCE: f64 = 1e-9;

/// Latitude used instead of a pole, a tenth of a millimetre from it, since polar projections of the engine fail at the
/// pole itself.
const NEAR_POLE: f64 = 90.0 - 1e-9;

/// A transformation between two CRSs, in both directions.
pub struct Transform {
    from: Side,
    to: Side,
    forward: Option<Box<dyn PointTransform>>,
    backward: Option<Box<dyn PointTransform>>,
    /// Name of the target CRS.
    target: String,
    /// The transformation from longitudes and latitudes to the target CRS, created on demand.
    longitudes: OnceLock<Option<Arc<Transform>>>,
}

/// Properties of the source or target coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    /// Longitudes and latitudes in degrees: x is periodic.
    degrees: bool,
}

/// Cache of transformations by CRS names.
#[derive(Default)]
pub struct Transforms(Mutex<Pairs>);

type Pairs = HashMap<(String, String), Result<Arc<Transform>>>;

impl Transforms {
    /// Returns the transformation between two CRSs, by their names.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an invalid name, or if no transformation is known to be right.
    pub fn get(&self, from: &str, to: &str) -> Result<Arc<Transform>> {
        definition::check_length(from)?;
        definition::check_length(to)?;
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (from.to_owned(), to.to_owned());
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        // Created without holding the lock: two threads may create the same one, which is cheaper than waiting for
        // other pairs.
        let made = Transform::new(from, to).map(Arc::new);
        let mut pairs = lock();
        if pairs.len() >= MAX_PAIRS {
            pairs.clear();
        }
        pairs.insert(key, made.clone());
        made
    }
}

impl fmt::Debug for Transforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        write!(f, "Transforms({pairs} pairs)")
    }
}

impl Transform {
    fn new(from: &str, to: &str) -> Result<Self> {
        unforked(|| Self::of_names(from, to))
    }

    fn of_names(from: &str, to: &str) -> Result<Self> {
        let (source, target) = (Definition::parse(from)?, Definition::parse(to)?);
        let sides = (Side { degrees: source.is_degrees() }, Side { degrees: target.is_degrees() });
        if source.is_same(&target) {
            return Ok(Self {
                from: sides.0,
                to: sides.1,
                forward: None,
                backward: None,
                target: to.to_owned(),
                longitudes: OnceLock::new(),
            });
        }
        let pair = |a: &Definition, b: &Definition| {
            engine::transform(a.reference(), b.reference()).map_err(|cause| Error::InvalidArgument {
                what: format!("no transformation from {source} to {target} is known to be correct: {cause}"),
            })
        };
        Ok(Self {
            from: sides.0,
            to: sides.1,
            forward: Some(pair(&source, &target)?),
            backward: Some(pair(&target, &source)?),
            target: to.to_owned(),
            longitudes: OnceLock::new(),
        })
    }

    /// Returns the transformation from longitudes and latitudes to the target CRS; None if none is known to be right.
    pub(crate) fn to_target_from_degrees(&self) -> Option<&Arc<Self>> {
        let made = || Self::new(DEFAULT_CRS, &self.target).ok().map(Arc::new);
        self.longitudes.get_or_init(made).as_ref()
    }

    /// Whether source and target are the same CRS.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.forward.is_none()
    }

    /// Whether x is a longitude in degrees in the source CRS.
    #[must_use]
    pub fn from_degrees(&self) -> bool {
        self.from.degrees
    }

    /// Whether x is a longitude in degrees in the target CRS.
    #[must_use]
    pub fn to_degrees(&self) -> bool {
        self.to.degrees
    }

    /// Transforms a point to the target CRS; None if undefined. Between longitudes, returns the nearest equivalent one.
    #[must_use]
    pub fn forward(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        apply(self.forward.as_deref(), point, self.from, self.to)
    }

    /// Transforms a point of the target CRS to the source CRS.
    #[must_use]
    pub fn backward(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        apply(self.backward.as_deref(), point, self.to, self.from)
    }
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transform({:?} to {:?})", self.from, self.to)
    }
}

fn apply(transform: Option<&dyn PointTransform>, point: Coord<f64>, from: Side, to: Side) -> Option<Coord<f64>> {
    let on_earth = |side: Side, y: f64| !side.degrees || y.abs() <= 90.0 + POLE_TOLERANCE;
    if !on_earth(from, point.y) {
        return None;
    }
    let Some(transform) = transform else {
        return Some(point);
    };
    let latitude = if from.degrees { point.y.clamp(-NEAR_POLE, NEAR_POLE) } else { point.y };
    let (mut x, y) = transform.point(point.x, latitude)?;
    if !x.is_finite() || !y.is_finite() || !on_earth(to, y) {
        return None;
    }
    if from.degrees && to.degrees {
        x = nearest_longitude(x, point.x);
    }
    Some(Coord { x, y })
}

/// Checks a CRS name; accepts 'native' too.
///
/// # Errors
///
/// [`Error::InvalidArgument`] if it is invalid.
pub fn check_name(name: &str) -> Result<()> {
    if name.trim().eq_ignore_ascii_case(NATIVE) {
        return Ok(());
    }
    unforked(|| Definition::parse(name).map(|_| ()))
}

/// Whether coordinates of the named CRS are longitudes and latitudes in degrees.
pub(crate) fn is_in_degrees(name: &str) -> Result<bool> {
    unforked(|| Ok(Definition::parse(name)?.is_degrees()))
}

/// The equivalent longitude nearest to another.
pub(crate) fn nearest_longitude(longitude: f64, to: f64) -> f64 {
    longitude + 360.0 * ((to - longitude) / 360.0).round()
}

#[cfg(test)]
mod tests;
