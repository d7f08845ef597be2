//! Where a raster lies: its box and its outline, in its own CRS or another.
//!
//! Outlines follow the curves of the raster's sides to a quarter of a pixel. In longitudes and latitudes, a raster across the
//! antimeridian has a box with `xmin > xmax` (RFC 7946, 5.2) and an outline in two parts (RFC 7946, 3.1.9); one around a pole
//! reaches from -180 to 180.

use geo_types::{Coord, Geometry as AnyGeometry, LineString, MultiPolygon, Polygon};
use geozero::{CoordDimensions, ToWkb as _};

use crate::crs::{Transform, nearest_longitude};
use crate::geo::BBox;
use crate::geometry::bbox;
use crate::view::{Densifier, clip_ring, outline};
use crate::{Error, Frame, Result};

/// All longitudes and latitudes.
const EARTH: BBox = BBox { xmin: -180.0, ymin: -90.0, xmax: 180.0, ymax: 90.0 };

/// A raster's outline.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// Closed; longitudes are continuous.
    ring: Vec<Coord<f64>>,
    /// Whether x is a longitude in degrees, which are to be within 180.
    degrees: bool,
}

impl Frame {
    /// The raster's outline in the CRS that `transform` comes from; without one, in the raster's own coordinates.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a part of the outline has no place in that CRS.
    pub fn footprint(&self, transform: Option<&Transform>) -> Result<Footprint> {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let affine = self.native_transform();
        let world = |pixel: Coord<f64>| {
            let (x, y) = affine.forward(pixel.x, pixel.y);
            Coord { x, y }
        };
        let degrees = transform.is_some_and(Transform::from_degrees);
        let Some(transform) = transform.filter(|transform| !transform.is_identity()) else {
            let corners = [(0.0, 0.0), (0.0, height), (width, height), (width, 0.0), (0.0, 0.0)];
            return Ok(Footprint { ring: corners.map(|(x, y)| world(Coord { x, y })).to_vec(), degrees });
        };
        let unreached = || Error::InvalidArgument {
            what: "expected an outline in the named CRS, found parts of the raster that have no place there".to_owned(),
        };
        let back = |pixel: Coord<f64>| transform.backward(world(pixel));
        let outline = outline(width, height, degrees, &back).ok_or_else(unreached)?;
        // The size of a pixel there: what edges are densified against.
        let unit =
            (outline.bbox.xmax - outline.bbox.xmin).min(outline.bbox.ymax - outline.bbox.ymin) / width.min(height);
        let mut ring: Vec<Coord<f64>> = Vec::new();
        let mut densifier = Densifier::new(false);
        for side in outline.sides() {
            // Longitudes are told apart by the nearest: far apart, they are followed from point to point.
            let is_near = side.iter().all(|(_, point)| (point.x - side[0].1.x).abs() < 90.0);
            for ends in side.windows(if degrees && !is_near { 2 } else { side.len() }) {
                let ((start_pixel, start), (end_pixel, _)) = (ends[0], ends[ends.len() - 1]);
                let part = densifier.line(&[start_pixel, end_pixel], &|pixel| {
                    let mut point = back(pixel).ok_or_else(unreached)?;
                    if degrees {
                        point.x = nearest_longitude(point.x, start.x);
                    }
                    Ok(point / unit)
                })?;
                ring.pop();
                ring.extend(part.into_iter().map(|point| point * unit));
            }
        }
        if let (Some(first), Some(last)) = (ring.first().copied(), ring.last().copied())
            && degrees
            && (last.x - first.x).abs() > 180.0
        {
            let pole = if outline.bbox.ymax > -outline.bbox.ymin { 90.0 } else { -90.0 };
            ring.extend([Coord { x: last.x, y: pole }, Coord { x: first.x, y: pole }, first]);
        }
        Ok(Footprint { ring, degrees })
    }
}

impl Footprint {
    /// The box; with `xmin > xmax` across the antimeridian.
    #[must_use]
    pub fn bbox(&self) -> BBox {
        let mut bounds = bbox(self.ring.iter().copied()).unwrap_or(EARTH);
        if !self.degrees {
            return bounds;
        }
        if bounds.xmax - bounds.xmin >= 360.0 {
            return BBox { xmin: -180.0, xmax: 180.0, ..bounds };
        }
        let within = |longitude: f64, bound: f64| {
            if longitude.abs() > 180.0 { nearest_longitude(longitude, bound) } else { longitude }
        };
        (bounds.xmin, bounds.xmax) = (within(bounds.xmin, 0.0), within(bounds.xmax, 0.0));
        bounds
    }

    /// The outline as little-endian WKB: a polygon, or a multipolygon across the antimeridian.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] should the outline not be written.
    pub fn to_wkb(&self) -> Result<Vec<u8>> {
        let geometry = match self.parts() {
            parts if parts.len() == 1 => parts.into_iter().next().map(AnyGeometry::Polygon),
            parts => Some(AnyGeometry::MultiPolygon(MultiPolygon(parts))),
        };
        let geometry = geometry.unwrap_or(AnyGeometry::MultiPolygon(MultiPolygon(Vec::new())));
        geometry
            .to_wkb(CoordDimensions::xy())
            .map_err(|error| Error::InvalidArgument { what: format!("no WKB of the outline: {error}") })
    }

    fn parts(&self) -> Vec<Polygon<f64>> {
        let polygon = |ring: Vec<Coord<f64>>| Polygon::new(LineString(ring), Vec::new());
        if !self.degrees || self.ring.iter().all(|point| point.x.abs() <= 180.0) {
            return vec![polygon(self.ring.clone())];
        }
        let turned = |turn: i32| {
            let ring = self.ring.iter().map(|point| Coord { x: point.x + 360.0 * f64::from(turn), y: point.y });
            clip_ring(&ring.collect::<Vec<_>>(), EARTH)
        };
        // What touches the antimeridian only is a part without area.
        let wide = |ring: &Vec<Coord<f64>>| bbox(ring.iter().copied()).is_some_and(|bounds| bounds.xmax > bounds.xmin);
        [-2, -1, 0, 1, 2].map(turned).into_iter().filter(wide).map(polygon).collect()
    }
}

#[cfg(test)]
mod tests;
