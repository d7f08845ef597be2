//! The size of a coverage before it is computed: what it takes in memory at most, and rectangles, whose rows are equal.

use geo_types::{Coord, LineString, Polygon, coord};

use super::{coordinate, doubled_area, floor};
use crate::geo::BBox;
use crate::geometry::{Geometry, bbox, rings};
use crate::grid::Coverage;
use crate::{Error, Result};

/// Rows from which a rectangle is computed with a part of them. Smaller ones cost nothing worth saving.
const MANY_ROWS: i64 = 64;

/// Rows that are computed of such a rectangle: the first, which it may cover in part, full ones, and the last.
const ROWS_KEPT: i64 = 4;

/// Bytes for each pixel that an edge passes through: what the edge leaves there, twice while it is sorted, and the runs on both sides.
const PIXEL_BYTES: u64 = 96;

impl Coverage {
    /// Checks that the coverage of a geometry over an image fits into so many bytes while it is computed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where it may not.
    pub fn check_size(geometry: &Geometry, width: u32, height: u32, max_bytes: u64) -> Result<()> {
        let Geometry { points, lines, polygons } = geometry;
        let edges = polygons.iter().flat_map(rings).chain(lines).map(|line| line.0.len()).sum::<usize>() + points.len();
        let longest = u64::from(width) + u64::from(height) + 2;
        let fits = |pixels: u64| pixels.saturating_mul(PIXEL_BYTES) <= max_bytes;
        // So it is for nearly all geometries, none of which need be looked at.
        if fits(longest.saturating_mul(edges as u64)) || shortened(geometry, height).is_some() {
            return Ok(());
        }
        let lines = polygons.iter().flat_map(rings).chain(lines);
        let crossed = lines.flat_map(|line| line.0.windows(2)).map(|pair| crossed(pair[0], pair[1], width, height));
        let pixels = crossed.fold(points.len() as u64, u64::saturating_add);
        match fits(pixels) {
            true => Ok(()),
            false => Err(Error::InvalidArgument {
                what: format!(
                    "expected a geometry whose edges pass through at most {} pixels of the raster ({max_bytes} bytes), found up to \
                     {pixels} in {width} x {height} pixels: a smaller geometry or a coarser level fits",
                    max_bytes / PIXEL_BYTES
                ),
            }),
        }
    }
}

/// Pixels of an image that an edge passes through, at most.
fn crossed(a: Coord<f64>, b: Coord<f64>, width: u32, height: u32) -> u64 {
    let along = |from: f64, to: f64, size: u32| {
        let near = |at: f64| floor(at).clamp(-1, i64::from(size));
        near(from).abs_diff(near(to)) + 1
    };
    along(a.x, b.x, width) + along(a.y, b.y, height)
}

/// A rectangle over many rows with some of them left out, the row that stands for them, and how many they are.
pub(super) fn shortened(geometry: &Geometry, height: u32) -> Option<(Geometry, u32, u32)> {
    let Geometry { points, lines, polygons } = geometry;
    let ([polygon], [], []) = (&polygons[..], &lines[..], &points[..]) else {
        return None;
    };
    // All that most geometries cost here.
    if polygon.exterior().0.len() != 5 || !polygon.interiors().is_empty() || i64::from(height) <= MANY_ROWS {
        return None;
    }
    let bounds = bbox(polygon.exterior().0.iter().copied())?;
    let first = floor(bounds.ymin).max(0);
    let last = floor(bounds.ymax).min(i64::from(height) - 1);
    if last - first < MANY_ROWS || !is_rectangle(polygon, bounds) {
        return None;
    }
    let left_out = last - first + 1 - ROWS_KEPT;
    // Whole numbers of rows: what is left of a coordinate has all its digits.
    let up = |vertex: &Coord<f64>| coord! { x: vertex.x, y: if vertex.y == bounds.ymax { vertex.y - coordinate(left_out) } else { vertex.y } };
    let ring = LineString(polygon.exterior().0.iter().map(up).collect());
    let short = Geometry { polygons: vec![Polygon::new(ring, Vec::new())], ..Geometry::default() };
    Some((short, u32::try_from(first + 1).ok()?, u32::try_from(left_out).ok()?))
}

/// Whether a polygon is its own box: each vertex is a corner, and each edge a side.
fn is_rectangle(polygon: &Polygon<f64>, bounds: BBox) -> bool {
    let ring = polygon.exterior();
    let is_corner = |vertex: &Coord<f64>| {
        (vertex.x == bounds.xmin || vertex.x == bounds.xmax) && (vertex.y == bounds.ymin || vertex.y == bounds.ymax)
    };
    let is_side = |pair: &[Coord<f64>]| (pair[0].x == pair[1].x) != (pair[0].y == pair[1].y);
    ring.0.iter().all(is_corner) && ring.0.windows(2).all(is_side) && doubled_area(ring) != 0.0
}
