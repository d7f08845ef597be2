//! Bounds and footprint of a raster, in its own CRS or another.
//!
//! Footprints follow the curves of the raster's sides to a quarter of a pixel. In longitudes and latitudes, a raster
//! across the antimeridian has bounds with `xmin > xmax` (RFC 7946, 5.2) and a footprint in two parts (RFC 7946,
//! 3.1.9). A raster around a pole extends from -180 to 180, and one around the world is a box between its latitudes. If
//! the raster is larger than its projection, the footprint is that of the defined part.
//!
//! Footprints are valid: polygons are simple, and parts touch at most in points. A footprint that the raster's map
//! folds onto itself is replaced by its bounds.

mod trace;

use std::sync::Arc;

use geo_types::{Coord, Geometry as AnyGeometry, LineString, MultiPolygon, Polygon};
use geozero::{CoordDimensions, ToWkb as _};

use crate::crs::{Transform, nearest_longitude};
use crate::geo::BBox;
use crate::geometry::{are_valid, bbox, invalid};
use crate::header::RasterInfo;
use crate::project::cut::Convex;
use crate::project::mapping::Mapping;
use crate::{Error, Result};

/// Bounds of all longitudes and latitudes.
const EARTH: BBox = BBox { xmin: -180.0, ymin: -90.0, xmax: 180.0, ymax: 90.0 };

/// Tolerance, in pixels, for points at the edge of all longitudes and latitudes.
const NEAR_EDGE: f64 = 4e-6;

/// Outline of a raster.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// Closed ring; longitudes are continuous.
    ring: Vec<Coord<f64>>,
    /// Whether x is a longitude in degrees, to be normalized to ±180.
    degrees: bool,
}

impl RasterInfo {
    /// Returns the outline of the raster in the source CRS of `transform`; without one, in native coordinates.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the raster is undefined in that CRS, or if the edge of its map cuts the outline.
    pub fn footprint(&self, transform: Option<&Arc<Transform>>) -> Result<Footprint> {
        let degrees = transform.is_some_and(|transform| transform.from_degrees());
        let mapping = Mapping {
            width: self.width.into(),
            height: self.height.into(),
            to_world: self.native_transform(),
            transform: transform.cloned(),
        };
        if transform.is_none_or(|transform| transform.is_identity()) {
            let (width, height) = (mapping.width, mapping.height);
            let corners = [(0.0, 0.0), (0.0, height), (width, height), (width, 0.0), (0.0, 0.0)];
            let ring = corners.map(|(x, y)| mapping.world(Coord { x, y })).to_vec();
            return Ok(Footprint { ring, degrees });
        }
        if mapping.to_world.inverse().is_none() {
            let numbers = mapping.to_world.to_array();
            return Err(invalid(format!("expected pixels with an area, found transform {numbers:?}")));
        }
        let mut ring = trace::trace(&mapping)?;
        if degrees {
            let bounds = bbox(ring.iter().copied()).unwrap_or(EARTH);
            let size = (bounds.xmax - bounds.xmin).max(bounds.ymax - bounds.ymin) / mapping.width.min(mapping.height);
            ring.iter_mut().for_each(|point| *point = at_edge(*point, NEAR_EDGE * size));
            ring = around_pole(&mapping, ring);
        } else if let (Some(first), Some(last)) = (ring.first().copied(), ring.last_mut()) {
            *last = first;
        }
        ring.dedup();
        Ok(Footprint { ring, degrees })
    }
}

/// Snaps a point to the edge of all longitudes and latitudes if rounding keeps it away.
fn at_edge(point: Coord<f64>, tolerance: f64) -> Coord<f64> {
    let snapped = |value: f64, edge: f64| {
        let near = edge.copysign(value);
        if (value - near).abs() <= tolerance { near } else { value }
    };
    Coord { x: snapped(point.x, 180.0), y: snapped(point.y, 90.0) }
}

/// Closes a ring of continuous longitudes; one around a pole is closed by way of the pole, from -180 to 180.
fn around_pole(mapping: &Mapping, mut ring: Vec<Coord<f64>>) -> Vec<Coord<f64>> {
    let (Some(first), Some(last)) = (ring.first().copied(), ring.last().copied()) else {
        return ring;
    };
    let around = last.x - first.x;
    if around.abs() < 180.0 {
        ring.pop();
        ring.push(first);
        return ring;
    }
    // Start where the ring passes 180.
    let turn = 360f64.copysign(around);
    ring.pop();
    let start = 180.0 + 360.0 * ((first.x.max(first.x + turn) - 180.0) / 360.0).floor();
    let next = |at: usize| ring.get(at + 1).copied().unwrap_or(Coord { x: first.x + turn, y: first.y });
    let passes = |at: &usize| (ring[*at].x - start) * (next(*at).x - start) <= 0.0 && ring[*at].x != next(*at).x;
    let at = (0..ring.len()).find(passes).unwrap_or(0);
    let (before, after) = (ring[at], next(at));
    let share = (start - before.x) / (after.x - before.x);
    let crossing = before.y + (after.y - before.y) * share;
    let begin = -180f64.copysign(around);
    let moved = |point: &Coord<f64>, by: f64| Coord { x: point.x - start + begin + by, y: point.y };
    let mut turned = vec![Coord { x: begin, y: crossing }];
    turned.extend(ring[at + 1..].iter().map(|point| moved(point, 0.0)));
    turned.extend(ring[..=at].iter().map(|point| moved(point, turn)));
    turned.push(Coord { x: begin + turn, y: crossing });
    let is_inside = |latitude: f64| {
        let pixel = mapping.project_checked(Coord { x: 0.0, y: latitude }, 0.0);
        pixel.is_some_and(|pixel| (0.0..=mapping.width).contains(&pixel.x) && (0.0..=mapping.height).contains(&pixel.y))
    };
    let middle: f64 = turned.iter().map(|point| point.y).sum();
    let pole = match (is_inside(90.0), is_inside(-90.0)) {
        (true, false) => 90.0,
        (false, true) => -90.0,
        _ => 90f64.copysign(middle),
    };
    turned.extend([Coord { x: begin + turn, y: pole }, Coord { x: begin, y: pole }, Coord { x: begin, y: crossing }]);
    turned
}

impl Footprint {
    /// Bounds; `xmin > xmax` across the antimeridian.
    #[must_use]
    pub fn bbox(&self) -> BBox {
        let mut bounds = bbox(self.ring.iter().copied()).unwrap_or(EARTH);
        if !self.degrees {
            return bounds;
        }
        // Rows beyond a pole, as in pixel-centred global rasters, are undefined.
        (bounds.ymin, bounds.ymax) = (bounds.ymin.max(EARTH.ymin), bounds.ymax.min(EARTH.ymax));
        if bounds.xmax - bounds.xmin >= 360.0 {
            return BBox { xmin: -180.0, xmax: 180.0, ..bounds };
        }
        let within = |longitude: f64, bound: f64| {
            if longitude.abs() > 180.0 { nearest_longitude(longitude, bound) } else { longitude }
        };
        (bounds.xmin, bounds.xmax) = (within(bounds.xmin, 0.0), within(bounds.xmax, 0.0));
        bounds
    }

    /// Returns the outline as little-endian WKB: a polygon, or a multipolygon across the antimeridian.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the WKB cannot be written.
    pub fn to_wkb(&self) -> Result<Vec<u8>> {
        let geometry = match self.parts() {
            parts if parts.len() == 1 => parts.into_iter().next().map(AnyGeometry::Polygon),
            parts => Some(AnyGeometry::MultiPolygon(MultiPolygon(parts))),
        };
        let geometry = geometry.unwrap_or(AnyGeometry::MultiPolygon(MultiPolygon(Vec::new())));
        geometry
            .to_wkb(CoordDimensions::xy())
            .map_err(|error| Error::InvalidArgument { what: format!("cannot encode the outline as WKB: {error}") })
    }

    fn parts(&self) -> Vec<Polygon<f64>> {
        let bounds = bbox(self.ring.iter().copied()).unwrap_or(EARTH);
        let on_earth = |point: &Coord<f64>| point.x.abs() <= EARTH.xmax && point.y.abs() <= EARTH.ymax;
        let parts = if !self.degrees || self.ring.iter().all(on_earth) {
            vec![Polygon::new(LineString(self.ring.clone()), Vec::new())]
        } else if bounds.xmax - bounds.xmin >= 360.0 {
            Vec::new()
        } else {
            let turned = |turn: i32| {
                let x = 360.0 * f64::from(turn);
                let ring = self.ring.iter().map(|point| Coord { x: point.x + x, y: point.y }).collect();
                Convex::of_box(EARTH).polygons(vec![ring])
            };
            [-2, -1, 0, 1, 2].into_iter().flat_map(turned).collect()
        };
        if !parts.is_empty() && are_valid(&parts) { parts } else { self.boxes() }
    }

    /// The bounds as polygons.
    fn boxes(&self) -> Vec<Polygon<f64>> {
        let mut bounds = self.bbox();
        if self.degrees {
            (bounds.ymin, bounds.ymax) = (bounds.ymin.max(EARTH.ymin), bounds.ymax.min(EARTH.ymax));
        }
        let part = |xmin: f64, xmax: f64| Convex::of_box(BBox { xmin, xmax, ..bounds }).polygon();
        if bounds.xmin > bounds.xmax {
            vec![part(bounds.xmin, 180.0), part(-180.0, bounds.xmax)]
        } else {
            vec![part(bounds.xmin, bounds.xmax)]
        }
    }
}

#[cfg(test)]
mod tests;
