//! Mapping between the CRS of geometries and the pixels of a raster, in both directions.

use std::sync::Arc;

use geo_types::Coord;

use crate::crs::{Transform, nearest_longitude};
use crate::geo::{BBox, GeoTransform};
use crate::geometry::bbox;

/// Maximum round-trip error of a pixel coordinate, in pixels.
const RETURN_TOLERANCE: f64 = 0.05;

/// Round-trip error in metres within a kilometre of a pole, where azimuthal equal-area projections lose half of the
/// digits.
const POLAR_ERROR: f64 = 0.2;

/// Minimum distance in metres between two datum operations; smaller differences are rounding, which matters near a
/// pole.
const DATUM_STEP: f64 = 1.0;
const METRES_PER_DEGREE: f64 = 111_000.0;

/// Latitude beyond which a turn of 360 degrees may be shorter than that.
const SHORT_TURNS: f64 = 80.0;

/// An image, its affine, and the transformation from the CRS of geometries.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) to_world: GeoTransform,
    /// None for native coordinates.
    pub(crate) transform: Option<Arc<Transform>>,
}

impl Mapping {
    /// Whether x is a longitude in the CRS of geometries.
    pub(crate) fn is_from_degrees(&self) -> bool {
        self.transform.as_ref().is_some_and(|transform| transform.from_degrees())
    }

    /// Whether x is a longitude in the raster's CRS.
    pub(super) fn is_to_degrees(&self) -> bool {
        self.transform.as_ref().is_some_and(|transform| transform.to_degrees())
    }

    /// The pixel of a point; None if undefined. A longitude of the raster is the one nearest to `longitude`.
    pub(crate) fn project(&self, point: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        let mut world = match &self.transform {
            Some(transform) => transform.forward(point)?,
            None => point,
        };
        if self.is_to_degrees() && !self.is_from_degrees() {
            world.x = nearest_longitude(world.x, longitude);
        }
        let pixel = self.pixel(world);
        (pixel.x.abs() < f64::MAX && pixel.y.abs() < f64::MAX).then_some(pixel)
    }

    /// Like [`project`](Self::project), but only if the pixel maps back to the point, and not to another one folded onto
    /// it.
    pub(crate) fn project_checked(&self, point: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        let pixel = self.project(point, longitude)?;
        let Some(transform) = &self.transform else {
            return Some(pixel);
        };
        let back = transform.backward(self.world(pixel))?;
        let leads_back = |back: Coord<f64>| self.is_same_place(point, back, pixel);
        (leads_back(back) || self.shifted_back(transform, back, pixel).is_some_and(leads_back)).then_some(pixel)
    }

    /// Whether two points with the same pixel are one location.
    fn is_same_place(&self, point: Coord<f64>, back: Coord<f64>, pixel: Coord<f64>) -> bool {
        let degrees = self.is_from_degrees();
        let least = if degrees { 1e-6 } else { POLAR_ERROR };
        let tolerance = (1e-6 * point.x.abs().max(point.y.abs())).max(least);
        let is_pole = degrees && point.y.abs() > 90.0 - tolerance;
        let x = if degrees { nearest_longitude(back.x, point.x) } else { back.x };
        // The two ends of a map around the world are the same.
        let is_cut =
            !degrees && (x + point.x).abs() <= tolerance && (self.project_again(back, pixel) <= RETURN_TOLERANCE);
        (is_pole || is_cut || (x - point.x).abs() <= tolerance) && (back.y - point.y).abs() <= tolerance
    }

    /// Moves a point that maps to another pixel by the round-trip error.
    ///
    /// The operation between two datums depends on the areas of use that a point lies in. Near their boundary, the two
    /// directions may use different operations, a hundred metres apart.
    fn shifted_back(&self, transform: &Transform, point: Coord<f64>, pixel: Coord<f64>) -> Option<Coord<f64>> {
        let world = self.forward_near(transform, point, self.world(pixel).x)?;
        let again = transform.backward(world)?;
        let step = Coord { x: self.longitude_step(point.x - again.x), y: point.y - again.y };
        let (east, least) = if self.is_from_degrees() {
            (step.x * point.y.to_radians().cos(), DATUM_STEP / METRES_PER_DEGREE)
        } else {
            (step.x, DATUM_STEP)
        };
        (east.hypot(step.y) > least).then_some(point + step)
    }

    /// Difference of two x; of longitudes, the shortest.
    fn longitude_step(&self, step: f64) -> f64 {
        if self.is_from_degrees() { nearest_longitude(step, 0.0) } else { step }
    }

    /// Distance in pixels between a pixel coordinate and the projection of a point, at any turn.
    fn project_again(&self, point: Coord<f64>, pixel: Coord<f64>) -> f64 {
        let again = self.project(point, self.world(pixel).x);
        again.map_or(f64::INFINITY, |again| distance(again, pixel))
    }

    /// The location of a pixel coordinate; None outside the domain of the raster's CRS.
    pub(crate) fn locate(&self, pixel: Coord<f64>) -> Option<Coord<f64>> {
        let world = self.world(pixel);
        let Some(transform) = &self.transform else {
            return Some(world);
        };
        let point = transform.backward(world)?;
        let leads_here = |point: Coord<f64>| {
            let there = self.pixel(self.forward_near(transform, point, world.x)?);
            let error = distance(there, pixel);
            let is_here = error <= RETURN_TOLERANCE && error <= self.turn_tolerance(transform, point, there);
            is_here.then_some(point)
        };
        let shifted = || self.shifted_back(transform, point, pixel).and_then(leads_here);
        // At the cut of the raster's map, one longitude has two locations.
        let turned = || Coord { x: point.x - 360f64.copysign(point.x), y: point.y };
        let is_at_cut = transform.from_degrees() && point.x.abs() > 180.0 - 1e-6;
        leads_here(point).or_else(|| is_at_cut.then(turned).and_then(leads_here)).or_else(shifted)
    }

    /// World coordinates of a point; a longitude of the raster is the one nearest to `longitude`.
    fn forward_near(&self, transform: &Transform, point: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        let mut world = transform.forward(point)?;
        if transform.to_degrees() {
            world.x = nearest_longitude(world.x, longitude);
        }
        Some(world)
    }

    /// Maximum round-trip error of a pixel coordinate, in pixels, that cannot be a full turn.
    ///
    /// Beyond the edge of a map, the inverse of many projections wraps longitudes, so that the result is off by one or
    /// more turns. Near a pole, a turn is shorter than any fixed tolerance; half a turn at the same latitude is used
    /// there.
    fn turn_tolerance(&self, transform: &Transform, point: Coord<f64>, there: Coord<f64>) -> f64 {
        if !transform.from_degrees() || transform.to_degrees() || point.y.abs() < SHORT_TURNS {
            return f64::INFINITY;
        }
        let opposite = Coord { x: nearest_longitude(point.x + 180.0, 0.0), y: point.y };
        transform.forward(opposite).map_or(f64::INFINITY, |world| distance(self.pixel(world), there))
    }

    /// Converts world to pixel coordinates. Without rotation, each axis is a single division, which preserves integers.
    /// Rounding errors near integers are removed, so that the bounds of a tile do not extend into its neighbours.
    pub(super) fn pixel(&self, world: Coord<f64>) -> Coord<f64> {
        let GeoTransform { a, b, c, d, e, f } = self.to_world;
        let (x, y) = (world.x - c, world.y - f);
        let (col, row, scale) = if b == 0.0 && d == 0.0 {
            (x / a, y / e, 1.0)
        } else {
            let determinant = a * e - b * d;
            (
                (x * e - y * b) / determinant,
                (y * a - x * d) / determinant,
                (a * e).abs().max((b * d).abs()) / determinant.abs(),
            )
        };
        let size = (a.abs() + b.abs()).min(d.abs() + e.abs());
        let noise = 8.0 * f64::EPSILON * scale * (world.x.abs() + c.abs() + world.y.abs() + f.abs()) / size;
        Coord { x: snapped(col, noise), y: snapped(row, noise) }
    }

    /// Converts pixel to world coordinates.
    pub(crate) fn world(&self, pixel: Coord<f64>) -> Coord<f64> {
        let (x, y) = self.to_world.forward(pixel.x, pixel.y);
        Coord { x, y }
    }

    /// Converts a step along x from world to pixel coordinates.
    pub(super) fn pixel_vector(&self, x: f64) -> Coord<f64> {
        let GeoTransform { a, b, d, e, .. } = self.to_world;
        let determinant = a * e - b * d;
        if b == 0.0 && d == 0.0 {
            Coord { x: x / a, y: 0.0 }
        } else {
            Coord { x: x * e / determinant, y: -x * d / determinant }
        }
    }

    /// Centre of the image.
    pub(crate) fn centre(&self) -> Coord<f64> {
        Coord { x: self.width / 2.0, y: self.height / 2.0 }
    }

    /// Bounds of the image in pixels.
    pub(super) fn image(&self) -> BBox {
        BBox { xmin: 0.0, ymin: 0.0, xmax: self.width, ymax: self.height }
    }

    /// Bounds of the image in world coordinates.
    pub(super) fn world_bounds(&self) -> BBox {
        let corners = [(0.0, 0.0), (self.width, 0.0), (0.0, self.height), (self.width, self.height)];
        let corners = corners.map(|(x, y)| self.world(Coord { x, y }));
        bbox(corners).unwrap_or(BBox { xmin: 0.0, ymin: 0.0, xmax: 0.0, ymax: 0.0 })
    }
}

fn snapped(value: f64, noise: f64) -> f64 {
    let whole = value.round();
    if (value - whole).abs() <= noise { whole } else { value }
}

pub(crate) fn distance(a: Coord<f64>, b: Coord<f64>) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}
