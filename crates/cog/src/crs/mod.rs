//! Coordinates of one reference system in another.
//!
//! ```text
//! name (EPSG:n, OGC:CRS84, WKT, PROJ, …) ─ definition ─┐
//!                                                      ├─ Transforms (cached a pair) ─ Transform ─ points there and back
//! name ─────────────────────────────────── definition ─┘
//! ```
//!
//! Owns the meaning of CRS names and the cache. The mathematics is `terrio-crs`, behind the trait [`PointTransform`]: that
//! crate is young, so it is pinned, used through this module only, and held against PROJ by `tests/crs_oracle.rs`. Its
//! datum operations are those of PROJ without grid files; grids of the user's machine are not looked for.
//!
//! Refuses, by an error, whatever is not known to be right: see [`definition`]. Coordinates are x (easting, longitude) first,
//! whatever a CRS's own axis order.

mod definition;
mod engine;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use geo_types::Coord;

use crate::{Error, Result};
use definition::Definition;
use engine::PointTransform;

/// The name by which coordinates are the raster's own.
pub const NATIVE: &str = "native";

/// The CRS of a geometry for which nothing is said.
pub const DEFAULT_CRS: &str = "OGC:CRS84";

/// CRS pairs kept: far more than a collection has, few enough that names made up row by row cannot fill the memory.
const MAX_PAIRS: usize = 4096;

/// Latitudes beyond the poles by so much are rounding.
const POLE_TOLERANCE: f64 = 1e-9;

/// The latitude taken for a pole, a tenth of a millimetre before it: at the pole itself the engine's polar projections fail.
const NEAR_POLE: f64 = 90.0 - 1e-9;

/// A transformation between two CRSs, both ways.
pub struct Transform {
    from: Side,
    to: Side,
    forward: Option<Box<dyn PointTransform>>,
    backward: Option<Box<dyn PointTransform>>,
    /// The name of the second CRS.
    target: String,
    /// The way from longitudes and latitudes to the second CRS, once it is needed.
    longitudes: OnceLock<Option<Arc<Transform>>>,
}

/// What is to be known of the coordinates of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    /// Longitudes and latitudes in degrees: x comes back to itself after 360.
    degrees: bool,
}

/// Transformations by the names of their CRSs, each made once.
#[derive(Default)]
pub struct Transforms(Mutex<Pairs>);

type Pairs = HashMap<(String, String), Result<Arc<Transform>>>;

impl Transforms {
    /// The transformation from one CRS to another, by their names.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a name is none, or where no transformation is known to be right.
    pub fn get(&self, from: &str, to: &str) -> Result<Arc<Transform>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (from.to_owned(), to.to_owned());
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        // Made without the lock: two threads may make the same pair, which costs less than waiting for another pair.
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
                what: format!("no transformation from {source} to {target} is known to be right: {cause}"),
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

    /// The transformation from longitudes and latitudes to the same CRS; None where none is known to be right.
    pub(crate) fn to_target_from_degrees(&self) -> Option<&Arc<Self>> {
        let made = || Self::new(DEFAULT_CRS, &self.target).ok().map(Arc::new);
        self.longitudes.get_or_init(made).as_ref()
    }

    /// Whether both CRSs are the same.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.forward.is_none()
    }

    /// Whether x is a longitude in degrees before the transformation.
    #[must_use]
    pub fn from_degrees(&self) -> bool {
        self.from.degrees
    }

    /// Whether x is a longitude in degrees after the transformation.
    #[must_use]
    pub fn to_degrees(&self) -> bool {
        self.to.degrees
    }

    /// A point in the second CRS; None where it has none there. Between longitudes, the nearest of all that are the same.
    #[must_use]
    pub fn forward(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        apply(self.forward.as_deref(), point, self.from, self.to)
    }

    /// A point of the second CRS in the first.
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

/// Checks that a name is that of a CRS, or of the raster's own coordinates.
///
/// # Errors
///
/// [`Error::InvalidArgument`] where it is not.
pub fn check_name(name: &str) -> Result<()> {
    if name.trim().eq_ignore_ascii_case(NATIVE) {
        return Ok(());
    }
    Definition::parse(name).map(|_| ())
}

/// Whether coordinates of a CRS, by its name, are longitudes and latitudes in degrees.
pub(crate) fn is_in_degrees(name: &str) -> Result<bool> {
    Ok(Definition::parse(name)?.is_degrees())
}

/// Of all longitudes that are the same, the one nearest to another.
pub(crate) fn nearest_longitude(longitude: f64, to: f64) -> f64 {
    longitude + 360.0 * ((to - longitude) / 360.0).round()
}

#[cfg(test)]
mod tests;
