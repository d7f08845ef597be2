//! The two-way mapping between the CRS of a geometry and the pixels of a raster.

use std::sync::Arc;

use geo_types::Coord;

use crate::crs::{Transform, nearest_longitude};
use crate::geo::{BBox, GeoTransform};
use crate::geometry::bbox;

/// How far from itself a pixel coordinate may come back, in pixels.
const RETURN_TOLERANCE: f64 = 0.05;

/// How exactly points within a kilometre of a pole come back in metres: azimuthal equal-area maps lose half of the digits there.
const POLAR_ERROR: f64 = 0.2;

/// Two operations between datums are at least so many metres apart; less is rounding, which near a pole counts.
const DATUM_STEP: f64 = 1.0;
const METRES_PER_DEGREE: f64 = 111_000.0;

/// Latitudes from which on a turn of 360 degrees may be shorter than that.
const SHORT_TURNS: f64 = 80.0;

/// An image, its affine, and the transformation from the CRS of geometries.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) to_world: GeoTransform,
    /// None where coordinates are the raster's own.
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

    /// The pixel of a point; None where it has none. A longitude of the raster is the one nearest to `longitude`.
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

    /// As [`project`](Self::project), if the pixel leads back to the point and not to another that the map folds onto it.
    pub(crate) fn project_checked(&self, point: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        let pixel = self.project(point, longitude)?;
        let Some(transform) = &self.transform else {
            return Some(pixel);
        };
        let back = transform.backward(self.world(pixel))?;
        let leads_back = |back: Coord<f64>| self.is_same_place(point, back, pixel);
        (leads_back(back) || self.shifted_back(transform, back, pixel).is_some_and(leads_back)).then_some(pixel)
    }

    /// Whether two points of the same pixel are one place.
    fn is_same_place(&self, point: Coord<f64>, back: Coord<f64>, pixel: Coord<f64>) -> bool {
        let degrees = self.is_from_degrees();
        let least = if degrees { 1e-6 } else { POLAR_ERROR };
        let tolerance = (1e-6 * point.x.abs().max(point.y.abs())).max(least);
        let is_pole = degrees && point.y.abs() > 90.0 - tolerance;
        let x = if degrees { nearest_longitude(back.x, point.x) } else { back.x };
        // Both ends of a map that goes around are the same.
        let is_cut =
            !degrees && (x + point.x).abs() <= tolerance && (self.project_again(back, pixel) <= RETURN_TOLERANCE);
        (is_pole || is_cut || (x - point.x).abs() <= tolerance) && (back.y - point.y).abs() <= tolerance
    }

    /// A point that leads back to another pixel, moved by as much as the way there and back moves it.
    ///
    /// Which operation between two datums is taken depends on where a point lies in the area of use of each; around its edge, the way there
    /// and the way back may be different ones, a hundred metres apart.
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

    /// A difference of two x, of longitudes the shortest.
    fn longitude_step(&self, step: f64) -> f64 {
        if self.is_from_degrees() { nearest_longitude(step, 0.0) } else { step }
    }

    /// How far from a pixel coordinate a point is projected, in pixels, at whatever turn.
    fn project_again(&self, point: Coord<f64>, pixel: Coord<f64>) -> f64 {
        let again = self.project(point, self.world(pixel).x);
        again.map_or(f64::INFINITY, |again| distance(again, pixel))
    }

    /// The point that a pixel coordinate is the place of; None where the raster's CRS does not reach.
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
        // At the cut of the raster's map one longitude is two places.
        let turned = || Coord { x: point.x - 360f64.copysign(point.x), y: point.y };
        let is_at_cut = transform.from_degrees() && point.x.abs() > 180.0 - 1e-6;
        leads_here(point).or_else(|| is_at_cut.then(turned).and_then(leads_here)).or_else(shifted)
    }

    /// The world coordinates of a point; a longitude of the raster is the one nearest to `longitude`.
    fn forward_near(&self, transform: &Transform, point: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        let mut world = transform.forward(point)?;
        if transform.to_degrees() {
            world.x = nearest_longitude(world.x, longitude);
        }
        Some(world)
    }

    /// How far from a pixel coordinate a point may lead back and still be its place and not one turn away, in pixels.
    ///
    /// Beyond the edge of a map, the inverse of many projections wraps longitudes. The result leads back one or more turns away,
    /// and a turn is shorter than any fixed tolerance near a pole. Half a turn of the same latitude is the measure there.
    fn turn_tolerance(&self, transform: &Transform, point: Coord<f64>, there: Coord<f64>) -> f64 {
        if !transform.from_degrees() || transform.to_degrees() || point.y.abs() < SHORT_TURNS {
            return f64::INFINITY;
        }
        let opposite = Coord { x: nearest_longitude(point.x + 180.0, 0.0), y: point.y };
        transform.forward(opposite).map_or(f64::INFINITY, |world| distance(self.pixel(world), there))
    }

    /// World coordinates in pixels. Without rotation each axis is one division, which gives whole numbers back as such; what
    /// is left of rounding at a whole number is taken away, so that a tile's own box does not reach into its neighbours.
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

    /// Pixel coordinates in the world.
    pub(crate) fn world(&self, pixel: Coord<f64>) -> Coord<f64> {
        let (x, y) = self.to_world.forward(pixel.x, pixel.y);
        Coord { x, y }
    }

    /// A step along x in the world, in pixels.
    pub(super) fn pixel_vector(&self, x: f64) -> Coord<f64> {
        let GeoTransform { a, b, d, e, .. } = self.to_world;
        let determinant = a * e - b * d;
        if b == 0.0 && d == 0.0 {
            Coord { x: x / a, y: 0.0 }
        } else {
            Coord { x: x * e / determinant, y: -x * d / determinant }
        }
    }

    /// The middle of the image.
    pub(crate) fn centre(&self) -> Coord<f64> {
        Coord { x: self.width / 2.0, y: self.height / 2.0 }
    }

    /// The image, in pixels.
    pub(super) fn image(&self) -> BBox {
        BBox { xmin: 0.0, ymin: 0.0, xmax: self.width, ymax: self.height }
    }

    /// The box around the image in the world.
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
