//! Traverses edges over the tile grid: the tiles that they pass through, and their crossings with the centre line of
//! each row of tiles.

use std::ops::Range;

use geo_types::Coord;
use robust::orient2d;

use crate::geo::BBox;
use crate::geometry::{Geometry, rings};
use crate::grid::Tiling;

/// Error bound of the estimated position of an edge, in pixels: tiles within it are tested exactly.
const SLACK: f64 = 1e-4;

/// Condition under which an edge intersects a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// The edge passes through the interior of the tile.
    Through,
    /// The edge and the tile share a point.
    Touch,
}

/// The tile grid in floating point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    width: f64,
    height: f64,
    tile_width: f64,
    tile_height: f64,
    /// Tiles per pixel: columns and rows.
    tiles_per_pixel: (f64, f64),
    across: u32,
    down: u32,
}

impl Grid {
    pub(crate) fn new(tiling: &Tiling) -> Self {
        let (tile_width, tile_height) = (tiling.tile_width.max(1), tiling.tile_height.max(1));
        Self {
            width: tiling.image_width.into(),
            height: tiling.image_height.into(),
            tile_width: tile_width.into(),
            tile_height: tile_height.into(),
            tiles_per_pixel: (1.0 / f64::from(tile_width), 1.0 / f64::from(tile_height)),
            across: tiling.image_width.div_ceil(tile_width),
            down: tiling.image_height.div_ceil(tile_height),
        }
    }

    /// Calls `visit` with the row and column of every tile that an edge intersects, each once.
    pub(super) fn walk(&self, a: Coord<f64>, b: Coord<f64>, contact: Contact, mut visit: impl FnMut(u32, u32)) {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        let (left, right) = (a.x.min(b.x), a.x.max(b.x));
        let slope = (high.x - low.x) / (high.y - low.y);
        for row in tiles(low.y, high.y, self.tile_height, self.down) {
            let (top, bottom) = self.rows_of(row);
            // The part of the edge in this row of tiles; all of it if horizontal.
            let at = |y: f64| low.x + (y - low.y) * slope;
            let (start, end) = if slope.is_finite() {
                let (enter, leave) = (at(top.clamp(low.y, high.y)), at(bottom.clamp(low.y, high.y)));
                (enter.min(leave).clamp(left, right), enter.max(leave).clamp(left, right))
            } else {
                (left, right)
            };
            for col in tiles(start, end, self.tile_width, self.across) {
                if self.meets(low, high, row, col, contact) {
                    visit(row, col);
                }
            }
        }
    }

    /// Calls `visit` with every row of tiles whose centre line an edge crosses, and the x of the crossing.
    pub(super) fn scan(&self, a: Coord<f64>, b: Coord<f64>, mut visit: impl FnMut(u32, f64)) {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        for row in tiles(low.y, high.y, self.tile_height, self.down) {
            let (top, bottom) = self.rows_of(row);
            let middle = f64::midpoint(top, bottom);
            // Half open, so that a vertex on the line counts for one of its two edges.
            if low.y <= middle && middle < high.y {
                visit(row, low.x + (middle - low.y) * ((high.x - low.x) / (high.y - low.y)));
            }
        }
    }

    /// The tile (row, col) whose interior contains a box. Also None if rounding selects another tile.
    pub(super) fn tile_around(&self, bbox: &BBox) -> Option<(u32, u32)> {
        let (columns, rows) = self.tiles_per_pixel;
        let (row, col) = (cut(bbox.ymin * rows, self.down), cut(bbox.xmin * columns, self.across));
        let ((top, bottom), (left, right)) = (self.rows_of(row), self.columns_of(col));
        let is_inside = (top < bbox.ymin) & (bbox.ymax < bottom) & (left < bbox.xmin) & (bbox.xmax < right);
        is_inside.then_some((row, col))
    }

    /// The columns of tiles that a connected geometry intersects, if its left side lies in `outer.0..=inner.0` and its
    /// right side in `inner.1..=outer.1`; None if that is ambiguous.
    #[inline]
    pub(super) fn columns_reached(&self, outer: (f64, f64), inner: (f64, f64)) -> Option<Reached> {
        reached(outer, inner, self.width, self.tile_width, self.across, |col| self.columns_of(col))
    }

    /// Like [`columns_reached`](Self::columns_reached), for rows.
    #[inline]
    pub(super) fn rows_reached(&self, outer: (f64, f64), inner: (f64, f64)) -> Option<Reached> {
        reached(outer, inner, self.height, self.tile_height, self.down, |row| self.rows_of(row))
    }

    /// Whether the cover is independent of an error of `by` pixels in each vertex: no vertex is that close to a tile
    /// boundary, and no edge to a tile corner. Also false if edges span many tiles.
    pub(crate) fn is_clear_of(&self, geometry: &Geometry, by: f64) -> bool {
        let is_vertex_clear = |Coord { x, y }: Coord<f64>| {
            let (row, col) = (tile_at(y, self.tile_height, self.down), tile_at(x, self.tile_width, self.across));
            let ((top, bottom), (left, right)) = (self.rows_of(row), self.columns_of(col));
            [y - top, y - bottom, x - left, x - right].iter().all(|distance| distance.abs() > by)
        };
        let polygons = geometry.polygons.iter().flat_map(rings);
        let mut edges = geometry.lines.iter().chain(polygons).flat_map(|line| line.0.windows(2));
        geometry.vertices().all(is_vertex_clear) && edges.all(|edge| self.is_edge_clear(edge[0], edge[1], by))
    }

    fn is_edge_clear(&self, a: Coord<f64>, b: Coord<f64>, by: f64) -> bool {
        const FEW: u32 = 4;
        let rows = tiles(a.y.min(b.y) - by, a.y.max(b.y) + by, self.tile_height, self.down);
        let columns = tiles(a.x.min(b.x) - by, a.x.max(b.x) + by, self.tile_width, self.across);
        if rows.end - rows.start > FEW || columns.end - columns.start > FEW {
            return false;
        }
        let along = b - a;
        // Twice the distance, which also covers the rounding below.
        let near = 2.0 * by * along.x.hypot(along.y);
        rows.flat_map(|row| columns.clone().map(move |col| (row, col))).all(|(row, col)| {
            let ((top, bottom), (left, right)) = (self.rows_of(row), self.columns_of(col));
            [(left, top), (right, top), (left, bottom), (right, bottom)]
                .iter()
                .all(|(x, y)| ((x - a.x) * along.y - (y - a.y) * along.x).abs() > near)
        })
    }

    /// The first column whose centre is right of `x`, or the number of columns. Relevant crossings lie in a tile that
    /// was visited or on its boundary, and so never near the centre of another.
    pub(super) fn column_after(&self, x: f64) -> u32 {
        let near = tile_at(x, self.tile_width, self.across);
        let (left, right) = self.columns_of(near);
        if f64::midpoint(left, right) > x { near } else { near + 1 }
    }

    /// Top and bottom of a row of tiles, clipped to the image.
    fn rows_of(&self, row: u32) -> (f64, f64) {
        let top = f64::from(row) * self.tile_height;
        (top, (top + self.tile_height).min(self.height))
    }

    /// Left and right of a column of tiles, clipped to the image.
    fn columns_of(&self, col: u32) -> (f64, f64) {
        let left = f64::from(col) * self.tile_width;
        (left, (left + self.tile_width).min(self.width))
    }

    /// Exact intersection test by separating axes: horizontal, vertical and the edge's normal.
    fn meets(&self, low: Coord<f64>, high: Coord<f64>, row: u32, col: u32, contact: Contact) -> bool {
        let ((top, bottom), (left, right)) = (self.rows_of(row), self.columns_of(col));
        let (start, end) = (low.x.min(high.x), low.x.max(high.x));
        let boxes = match contact {
            Contact::Through => end > left && start < right && high.y > top && low.y < bottom,
            Contact::Touch => end >= left && start <= right && high.y >= top && low.y <= bottom,
        };
        if !boxes {
            return false;
        }
        // The two corners that can lie on different sides of the line.
        let (one, other) =
            if low.x <= high.x { ((left, bottom), (right, top)) } else { ((left, top), (right, bottom)) };
        let side = |(x, y)| orient2d(point(low), point(high), robust::Coord { x, y });
        let (one, other) = (side(one), side(other));
        match contact {
            Contact::Through => one > 0.0 && other < 0.0 || one < 0.0 && other > 0.0,
            Contact::Touch => !(one > 0.0 && other > 0.0 || one < 0.0 && other < 0.0),
        }
    }
}

/// Tiles along one axis.
pub(super) struct Reached {
    pub(super) tiles: Range<u32>,
    /// Whether everything lies inside one tile.
    pub(super) is_within_one: bool,
}

/// See [`Grid::columns_reached`]; `sides` returns both sides of a tile clipped to the image.
#[inline]
fn reached(
    outer: (f64, f64),
    inner: (f64, f64),
    end_of_image: f64,
    size: f64,
    count: u32,
    sides: impl Fn(u32) -> (f64, f64),
) -> Option<Reached> {
    if outer.1 < 0.0 || outer.0 > end_of_image {
        return Some(Reached { tiles: 0..0, is_within_one: false });
    }
    let first = tile_at(outer.0, size, count);
    let (start, start_end) = sides(first);
    let last = if outer.1 < start_end { first } else { tile_at(outer.1, size, count) };
    let (end_start, end) = sides(last);
    let is_met = |from: f64, to: f64| (inner.0 < to) & (inner.1 > from);
    // All conditions are evaluated without branches, which would be unpredictable.
    let (is_first, is_last) = (start < outer.0, outer.1 < end);
    let is_decided =
        (is_first | (first == 0)) & (is_last | (last + 1 == count)) & is_met(start, start_end) & is_met(end_start, end);
    is_decided.then(|| Reached { tiles: first..last + 1, is_within_one: (first == last) & is_first & is_last })
}

fn point(coord: Coord<f64>) -> robust::Coord<f64> {
    robust::Coord { x: coord.x, y: coord.y }
}

/// The tiles along one axis that may contain coordinates from `start` to `end`.
fn tiles(start: f64, end: f64, size: f64, count: u32) -> Range<u32> {
    if end < -SLACK || start > f64::from(count) * size + SLACK {
        return 0..0;
    }
    tile_at(start - SLACK, size, count)..(tile_at(end + SLACK, size, count) + 1).min(count)
}

/// The tile along one axis that contains a coordinate, clamped to the grid.
fn tile_at(coordinate: f64, size: f64, count: u32) -> u32 {
    cut(coordinate / size, count)
}

/// Truncates to a tile index and clamps to the grid.
fn cut(tiles: f64, count: u32) -> u32 {
    // The cast saturates at 0 and at u32::MAX.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let tile = tiles as u32;
    tile.min(count.saturating_sub(1))
}
