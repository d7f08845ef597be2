//! Which pixels a geometry covers, and how much of each.
//!
//! ```text
//!      0    1    2    3    4          edges are walked from pixel to pixel, and leave in each the part of its height
//!   0 ┌────┬────┬────┬────┬────┐      that they cross and the area on their left; what lies between two edges of a
//!     │    │  ╱─┼────┼──╲ │    │      row is one run, whatever its length
//!   1 ├────┼─╱──┼────┼───╲┼────┤
//!     │    │╱.6 │ 1  │ 1  │╲.3 │      row 1: (1..2, 0.6), (2..4, 1), (4..5, 0.3)
//!     └────┴────┴────┴────┴────┘
//! ```
//!
//! Works in the pixel coordinates of one level: x = column, y = row, pixel (c, r) is the square from (c, r) to (c + 1, r + 1).
//! Only the image counts: what of a geometry lies outside changes nothing inside.
//!
//! Expects finite coordinates and polygons that are valid, as [`ParsedGeometry`](crate::ParsedGeometry) gives them; others
//! give some coverage, but no panic and no endless loop. Knows nothing of CRSs, files and values.
//!
//! The cost grows with the pixels that edges pass through and with the rows of the result; not with the pixels inside, nor with the
//! rows of a rectangle. [`Coverage::check_size`] bounds it before anything is computed: a raster may declare 2^31 rows.

mod extent;
mod fraction;
mod length;
mod rasterize;

use geo_types::LineString;

use crate::geo::GeoTransform;
use crate::geometry::Geometry;
use crate::grid::Coverage;

/// When a pixel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// By the exact fraction of its area that the geometry covers; lines weigh by their length inside, points by one.
    ///
    /// Parts that overlap are summed, as exactextract does, so that a weight may exceed 1. A weight is of one kind: in a
    /// collection, lines and points beside polygons have no area and weigh nothing, nor do points beside lines.
    Fraction,
    /// Wholly, when its centre is inside, as rasterio and GDAL rasterise by default; lines and points as they burn them.
    Center,
    /// Wholly, when the geometry touches it, as GDAL's ALL_TOUCHED.
    AllTouched,
}

impl Coverage {
    /// The pixels of an image of `width` x `height` that a geometry in pixel coordinates covers, north being up. Lengths of
    /// lines are in pixels.
    #[must_use]
    pub fn of(geometry: &Geometry, width: u32, height: u32, method: Method) -> Self {
        let north_up = GeoTransform { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: -1.0, f: 0.0 };
        Self::on_ground(geometry, width, height, method, &north_up)
    }

    /// The same on a raster with the affine `to_world`, which says two things that pixels do not: how long a line is in the
    /// raster's units, which is what exactextract weighs by; and what is clockwise there, which GDAL asks where centres lie on
    /// an edge.
    #[must_use]
    pub fn on_ground(geometry: &Geometry, width: u32, height: u32, method: Method, to_world: &GeoTransform) -> Self {
        match extent::shortened(geometry, height) {
            Some((short, row, times)) => {
                Self::of_rows(&short, width, height - times, method, to_world).repeating(row, times)
            }
            None => Self::of_rows(geometry, width, height, method, to_world),
        }
    }

    /// Coverage with each row computed.
    fn of_rows(geometry: &Geometry, width: u32, height: u32, method: Method, to_world: &GeoTransform) -> Self {
        let Geometry { points, lines, polygons } = geometry;
        match method {
            Method::Fraction if !polygons.is_empty() => fraction::polygons(polygons, width, height),
            Method::Fraction if !lines.is_empty() => length::lines(lines, width, height, to_world),
            Method::Fraction => length::points(points, width, height),
            Method::Center => rasterize::center(geometry, width, height, to_world),
            Method::AllTouched => rasterize::all_touched(geometry, width, height, to_world),
        }
    }
}

/// Coordinates of any image are far below this, and sums of some of it fit an i64.
const FAR: f64 = 9_007_199_254_740_992.0;

/// The whole number at or below a coordinate; coordinates that no image has are brought nearer.
fn floor(coordinate: f64) -> i64 {
    let near = coordinate.clamp(-FAR, FAR);
    // Whole numbers up to 2^53 fit both types.
    #[expect(clippy::cast_possible_truncation)]
    let whole = near as i64;
    whole - i64::from(self::coordinate(whole) > near)
}

/// A whole number of rows or columns as a coordinate. Those of images are exact.
fn coordinate(whole: i64) -> f64 {
    whole as f64
}

/// The row or column of a coordinate, of so many; None outside.
fn index(coordinate: f64, count: u32) -> Option<u32> {
    u32::try_from(floor(coordinate)).ok().filter(|index| *index < count)
}

/// Twice the area of a ring, relative to its first vertex; positive where x turns towards y.
fn doubled_area(ring: &LineString<f64>) -> f64 {
    let Some(&origin) = ring.0.first() else { return 0.0 };
    ring.0.windows(2).map(|pair| (pair[0] - origin, pair[1] - origin)).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
}
