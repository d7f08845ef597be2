//! Memory bound of a coverage before it is computed, and rectangles, whose rows are equal.

use geo_types::{Coord, LineString, Polygon, coord};

use super::coordinate::{coordinate, doubled_area, floor};
use crate::geo::BBox;
use crate::geometry::{Geometry, bbox, rings};
use crate::grid::Coverage;
use crate::{Error, Result};

/// Minimum number of rows for rectangles to be shortened; the cost of smaller ones is negligible.
const MANY_ROWS: i64 = 64;

/// Rows kept of a shortened rectangle: the first, which may be partly covered, full ones, and the last.
const ROWS_KEPT: i64 = 4;

/// Bytes per pixel that an edge passes through: its fragments, twice during sorting, and the runs on both sides.
const PIXEL_BYTES: u64 = 96;

impl Coverage {
    /// Checks that the coverage of a geometry can be computed in at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it might take more.
    pub fn check_size(geometry: &Geometry, width: u32, height: u32, max_bytes: u64) -> Result<()> {
        let Geometry { points, lines, polygons } = geometry;
        let edges = polygons.iter().flat_map(rings).chain(lines).map(|line| line.0.len()).sum::<usize>() + points.len();
        let longest = u64::from(width) + u64::from(height) + 2;
        let fits = |pixels: u64| pixels.saturating_mul(PIXEL_BYTES) <= max_bytes;
        // Sufficient for nearly all geometries, without inspecting their edges.
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
                     {pixels} in {width} x {height} pixels: use a smaller geometry or a coarser level",
                    max_bytes / PIXEL_BYTES
                ),
            }),
        }
    }
}

/// Upper bound of the number of pixels that an edge passes through.
fn crossed(a: Coord<f64>, b: Coord<f64>, width: u32, height: u32) -> u64 {
    let along = |from: f64, to: f64, size: u32| {
        let near = |at: f64| floor(at).clamp(-1, i64::from(size));
        near(from).abs_diff(near(to)) + 1
    };
    along(a.x, b.x, width) + along(a.y, b.y, height)
}

/// Removes full rows from a tall rectangle. Returns the shortened one, the row to repeat, and how often.
pub(super) fn shortened(geometry: &Geometry, height: u32) -> Option<(Geometry, u32, u32)> {
    let Geometry { points, lines, polygons } = geometry;
    let ([polygon], [], []) = (&polygons[..], &lines[..], &points[..]) else {
        return None;
    };
    // Cheap test that excludes most geometries.
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
    // Subtracting an integer is exact.
    let up = |vertex: &Coord<f64>| coord! { x: vertex.x, y: if vertex.y == bounds.ymax { vertex.y - coordinate(left_out) } else { vertex.y } };
    let ring = LineString(polygon.exterior().0.iter().map(up).collect());
    let short = Geometry { polygons: vec![Polygon::new(ring, Vec::new())], ..Geometry::default() };
    Some((short, u32::try_from(first + 1).ok()?, u32::try_from(left_out).ok()?))
}

/// Whether a polygon is an axis-aligned rectangle.
fn is_rectangle(polygon: &Polygon<f64>, bounds: BBox) -> bool {
    let ring = polygon.exterior();
    let is_corner = |vertex: &Coord<f64>| {
        (vertex.x == bounds.xmin || vertex.x == bounds.xmax) && (vertex.y == bounds.ymin || vertex.y == bounds.ymax)
    };
    let is_side = |pair: &[Coord<f64>]| (pair[0].x == pair[1].x) != (pair[0].y == pair[1].y);
    ring.0.iter().all(is_corner) && ring.0.windows(2).all(is_side) && doubled_area(ring) != 0.0
}
