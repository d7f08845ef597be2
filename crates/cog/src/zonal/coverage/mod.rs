//! Computes a [`Coverage`]: the pixels that a geometry covers, and the covered fraction of each. The type and its other methods are in
//! `grid/coverage.rs`.
//!
//! ```text
//!      0    1    2    3    4          edges are traversed pixel by pixel; in each, the height that they cross and
//!   0 ┌────┬────┬────┬────┬────┐      the area on their left are recorded; the pixels between two edges of a row
//!     │    │  ╱─┼────┼──╲ │    │      are a single run, whatever its length
//!   1 ├────┼─╱──┼────┼───╲┼────┤
//!     │    │╱.6 │ 1  │ 1  │╲.3 │      row 1: (1..2, 0.6), (2..4, 1), (4..5, 0.3)
//!     └────┴────┴────┴────┴────┘
//! ```
//!
//! Works in the pixel coordinates of one level: x = column, y = row; pixel (c, r) is the square from (c, r) to (c + 1,
//! r + 1). Parts of a geometry outside the image do not affect the result inside.
//!
//! Expects finite coordinates and valid polygons, as [`ParsedGeometry`](crate::ParsedGeometry) returns them; other
//! input yields an arbitrary coverage, but neither panics nor loops.
//!
//! The cost depends on the pixels that edges pass through and on the rows of the result, but not on interior pixels or
//! the rows of a rectangle. [`Coverage::check_size`] bounds it in advance, since a raster may have 2^31 rows.

mod coordinate;
mod extent;
mod fraction;
mod length;
mod rasterize;

use crate::geo::GeoTransform;
use crate::geometry::Geometry;
use crate::grid::Coverage;

/// Weight of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The exact fraction of its area that the geometry covers; for lines, the length inside; for points, their number.
    ///
    /// Overlapping parts are summed, as in exactextract, so weights may exceed 1. Weights are of one kind: lines and
    /// points are ignored if there are polygons, and points if there are lines.
    Fraction,
    /// 1 if its centre is inside, as in rasterio and GDAL by default; lines and points are burnt as GDAL does.
    Center,
    /// 1 if the geometry touches it, as GDAL's ALL_TOUCHED.
    AllTouched,
}

impl Coverage {
    /// Returns the coverage of an image of `width` x `height` pixels by a geometry in pixel coordinates, with north up.
    /// Lengths of lines are in pixels.
    #[must_use]
    pub fn of(geometry: &Geometry, width: u32, height: u32, method: Method) -> Self {
        let north_up = GeoTransform { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: -1.0, f: 0.0 };
        Self::on_ground(geometry, width, height, method, &north_up)
    }

    /// Like [`of`](Self::of), on a raster with the affine `to_world`. It determines lengths in the raster's units, which
    /// exactextract uses as weights, and the orientation of rings in the world, by which GDAL decides for centres on an
    /// edge.
    #[must_use]
    pub fn on_ground(geometry: &Geometry, width: u32, height: u32, method: Method, to_world: &GeoTransform) -> Self {
        match extent::shortened(geometry, height) {
            Some((short, row, times)) => {
                Self::of_rows(&short, width, height - times, method, to_world).repeating(row, times)
            }
            None => Self::of_rows(geometry, width, height, method, to_world),
        }
    }

    /// Computes the coverage row by row.
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
