//! Projection of points.
//!
//! A point has one pixel, even if the raster shows its location several times, on a seam or because it is wider than
//! the world. It is the westernmost pixel that contains the point (left and upper edges inclusive, right and lower ones
//! exclusive); if there is none, one with the point on the image's edge.

use geo_types::Coord;

use super::domain::Domain;
use super::mapping::Mapping;
use super::parts::turns;
use crate::crs::nearest_longitude;
use crate::geo::BBox;

/// Projects points to pixels. Points outside the domain of the projection are outside the raster and may be omitted.
pub(super) fn point_pixels(mapping: &Mapping, domain: Domain, points: &[Coord<f64>]) -> Vec<Coord<f64>> {
    let projection = PointProjection { mapping, domain };
    points.iter().filter_map(|point| projection.pixel(*point)).collect()
}

struct PointProjection<'a> {
    mapping: &'a Mapping,
    domain: Domain,
}

impl PointProjection<'_> {
    fn pixel(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        let candidates = if self.mapping.is_to_degrees() {
            self.at_turns_of_raster(point)
        } else if self.mapping.is_from_degrees() {
            self.at_turns_of_point(point)
        } else {
            self.project_point(point).into_iter().collect()
        };
        let (width, height) = (self.mapping.width, self.mapping.height);
        let is_held = |pixel: &&Coord<f64>| (0.0..width).contains(&pixel.x) && (0.0..height).contains(&pixel.y);
        let touches = |pixel: &&Coord<f64>| (0.0..=width).contains(&pixel.x) && (0.0..=height).contains(&pixel.y);
        candidates.iter().find(is_held).or_else(|| candidates.iter().find(touches)).copied()
    }

    fn project_point(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        let longitude = self.mapping.world(self.mapping.centre()).x;
        match self.domain {
            Domain::Nowhere => None,
            Domain::Box(bbox) if !holds(bbox, point) => None,
            Domain::Hard => self.mapping.project_checked(point, longitude),
            _ => self.mapping.project(point, longitude),
        }
    }

    /// On a raster of longitudes: the pixels at every turn, from west to east.
    fn at_turns_of_raster(&self, point: Coord<f64>) -> Vec<Coord<f64>> {
        let Some(pixel) = self.project_point(point) else {
            return Vec::new();
        };
        let world = self.mapping.world(pixel);
        let (here, mut bounds) =
            (BBox { xmin: world.x, ymin: world.y, xmax: world.x, ymax: world.y }, self.mapping.world_bounds());
        // Rounding may put a point on the edge just outside of a raster that ends there.
        (bounds.xmin, bounds.xmax) = (bounds.xmin - 1e-6, bounds.xmax + 1e-6);
        let turned = |turn: i32| pixel + self.mapping.pixel_vector(f64::from(turn) * 360.0);
        turns(here, bounds)
            .map(|turn| if turn == 0 { pixel } else { self.mapping.pixel(self.mapping.world(turned(turn))) })
            .collect()
    }

    /// On other rasters: at every turn inside the domain; at the cut of longitudes, on both sides.
    fn at_turns_of_point(&self, point: Coord<f64>) -> Vec<Coord<f64>> {
        let longitudes = match self.domain {
            Domain::Box(bbox) => {
                let here = BBox { xmin: point.x, ymin: point.y, xmax: point.x, ymax: point.y };
                turns(here, bbox).map(|turn| point.x + 360.0 * f64::from(turn)).collect()
            }
            _ => match nearest_longitude(point.x, 0.0) {
                longitude if longitude.abs() == 180.0 => vec![-180.0, 180.0],
                longitude => vec![longitude],
            },
        };
        longitudes.into_iter().filter_map(|x| self.project_point(Coord { x, y: point.y })).collect()
    }
}

fn holds(bbox: BBox, point: Coord<f64>) -> bool {
    bbox.xmin <= point.x && point.x <= bbox.xmax && bbox.ymin <= point.y && point.y <= bbox.ymax
}
