//! Exact areas of polygons per pixel: edges leave fragments in the pixels that they pass through, and a sweep along
//! each row accumulates them.
//!
//! ```text
//!      col                a fragment of an edge in a pixel: `cover`, how much of the pixel's height it crosses, and `inner`,
//!   ┌───────┐ ─┬─         the area between it and the pixel's left side (dotted)
//!   │....╱  │  │ cover
//!   │...╱   │  │          the area of the polygon in a pixel = sum of covers in and left of it - sum of `inner` in it
//!   │  ╱    │ ─┴─         the area in every pixel up to the next fragment = sum of covers so far
//!   └───────┘
//! ```
//!
//! Covers are integers in a unit of which all coordinates are multiples, so their sums are exact: an interior pixel
//! without edges has a weight of exactly 1. Positions inside a pixel are relative to the pixel, and edges are always
//! traversed downwards, so that two polygons with a common edge have the same fragments.

use geo_types::{Coord, Polygon};

use super::coordinate::{coordinate, doubled_area, floor};
use crate::geometry::{bbox, rings};
use crate::grid::{Coverage, Runs};

/// Resolution of a pixel's height in bits: that of an f64 of at least 1.
const MOST_BITS: u32 = f64::MANTISSA_DIGITS - 1;

/// Weights within this of 1 are rounded to 1: hundreds of parts that share edges within a pixel, as at a pole, sum to 1
/// except for rounding.
const ROUNDING: f64 = 1e-12;

/// Sums the areas of polygons per pixel.
pub(super) fn polygons(polygons: &[Polygon<f64>], width: u32, height: u32) -> Coverage {
    if width == 0 || height == 0 {
        return Coverage::default();
    }
    // Sums of covers must fit an i64 for the maximum number of overlapping polygons.
    let bits = MOST_BITS.min(polygons.len().leading_zeros().saturating_sub(3));
    let mut edges = Edges::new(width, height, bits);
    for polygon in polygons {
        edges.polygon(polygon);
    }
    sweep(sorted(edges.fragments), width, bits)
}

/// Contribution of an edge to a pixel.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    /// Row and column, combined to a sort key.
    pixel: u64,
    cover: i64,
    inner: f64,
}

impl Fragment {
    fn row(&self) -> u32 {
        // Upper half.
        (self.pixel >> 32) as u32
    }

    fn col(&self) -> u32 {
        // Lower half.
        #[expect(clippy::cast_possible_truncation)]
        let col = self.pixel as u32;
        col
    }
}

/// Collects the fragments of edges.
struct Edges {
    width: i64,
    height: i64,
    /// Units of cover per pixel height.
    one: i64,
    unit: f64,
    fragments: Vec<Fragment>,
}

/// Point where an edge enters or leaves a row: `x` relative to the column of the edge's upper end, and the depth in the
/// row, in units.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    x: f64,
    depth: i64,
}

impl Edges {
    fn new(width: u32, height: u32, bits: u32) -> Self {
        let one = 1i64 << bits;
        Self { width: width.into(), height: height.into(), one, unit: coordinate(one), fragments: Vec::new() }
    }

    fn polygon(&mut self, polygon: &Polygon<f64>) {
        let Some(bounds) = bbox(polygon.exterior().0.iter().copied()) else { return };
        let (width, height) = (coordinate(self.width), coordinate(self.height));
        let meets_image = bounds.xmin < width && bounds.xmax > 0.0 && bounds.ymin < height && bounds.ymax > 0.0;
        if !meets_image {
            return;
        }
        let (col, row) = (floor(bounds.xmin), floor(bounds.ymin));
        if bounds.xmax <= coordinate(col + 1) && bounds.ymax <= coordinate(row + 1) {
            // A polygon inside a single pixel is not split, so that its area keeps full precision.
            let area: f64 = polygon.interiors().iter().map(|hole| -doubled_area(hole).abs()).sum();
            self.push(row, col, 0, -0.5 * (doubled_area(polygon.exterior()).abs() + area));
            return;
        }
        let perimeter =
            (bounds.xmax.min(width) - bounds.xmin.max(0.0)) + (bounds.ymax.min(height) - bounds.ymin.max(0.0));
        let likely = usize::try_from(floor(2.0 * perimeter)).unwrap_or(0) + polygon.exterior().0.len();
        self.fragments.reserve(likely.min(1 << 16));
        for (index, ring) in rings(polygon).enumerate() {
            // Edges going down have the interior of a ring of negative area on their right.
            let down = if (doubled_area(ring) < 0.0) == (index == 0) { 1 } else { -1 };
            for pair in ring.0.windows(2) {
                if pair[0].y < pair[1].y {
                    self.edge(pair[0], pair[1], down);
                } else if pair[0].y > pair[1].y {
                    self.edge(pair[1], pair[0], -down);
                }
            }
        }
    }

    /// Traverses an edge downwards; `sign` is 1 if the interior is on its right.
    fn edge(&mut self, top: Coord<f64>, bottom: Coord<f64>, sign: i64) {
        let width = coordinate(self.width);
        if top.x >= width && bottom.x >= width {
            return;
        }
        let (first, last) = (floor(top.y).max(0), floor(bottom.y).min(self.height - 1));
        let slope = (bottom.x - top.x) / (bottom.y - top.y);
        let base = floor(top.x);
        let (start, end) = (top.x - coordinate(base), bottom.x - coordinate(base));
        let (least, most) = (start.min(end), start.max(end));
        // Crossings within their error of a corner snap to it; otherwise rounding would touch other pixels.
        let noise = 4.0 * f64::EPSILON * (1.0 + (most - least));
        let at = |row: i64| {
            let x = (start + (coordinate(row) - top.y) * slope).max(least).min(most);
            let near = coordinate(floor(x + 0.5));
            if (x - near).abs() <= noise { near.max(least).min(most) } else { x }
        };
        let mut enter = if top.y < coordinate(first) {
            Crossing { x: at(first), depth: 0 }
        } else {
            Crossing { x: start, depth: self.depth(top.y, first) }
        };
        for row in first..=last {
            let leave = if bottom.y <= coordinate(row + 1) {
                Crossing { x: end, depth: self.depth(bottom.y, row) }
            } else {
                Crossing { x: at(row + 1), depth: self.one }
            };
            if leave.depth > enter.depth {
                let (left, right) = if enter.x <= leave.x { (enter, leave) } else { (leave, enter) };
                self.piece(row, base, left, right, sign);
            }
            enter = Crossing { x: leave.x, depth: 0 };
        }
    }

    /// Adds the part of an edge in a row, from left to right; columns are relative to `base`.
    fn piece(&mut self, row: i64, base: i64, left: Crossing, right: Crossing, sign: i64) {
        let first = floor(left.x);
        let col = base + first;
        if 0 <= col && col < self.width && right.x <= coordinate(first + 1) {
            let cover = sign * (right.depth - left.depth).abs();
            let distance = 0.5 * ((left.x - coordinate(first)) + (right.x - coordinate(first)));
            self.fragment(row, col, cover, distance);
        } else if col < self.width {
            self.columns(row, base, left, right, sign);
        }
    }

    /// As above, for an edge that crosses columns or lies left of the image, where it covers the whole row.
    fn columns(&mut self, row: i64, base: i64, left: Crossing, right: Crossing, sign: i64) {
        let rise = coordinate(right.depth - left.depth) / (right.x - left.x);
        let (lower, upper) = (left.depth.min(right.depth), left.depth.max(right.depth));
        let at = |col: i64| {
            let x = coordinate(col - base);
            if x >= right.x {
                right
            } else {
                let steps = floor((x - left.x) * rise + 0.5);
                Crossing { x, depth: left.depth.saturating_add(steps).clamp(lower, upper) }
            }
        };
        let mut enter = left;
        let mut col = base + floor(left.x);
        if col < 0 {
            enter = at(0);
            self.fragment(row, 0, sign * (enter.depth - left.depth).abs(), 0.0);
            col = 0;
        }
        while col < self.width && enter.x < right.x {
            let leave = at(col + 1);
            let side = coordinate(col - base);
            let cover = sign * (leave.depth - enter.depth).abs();
            self.fragment(row, col, cover, 0.5 * ((enter.x - side) + (leave.x - side)));
            enter = leave;
            col += 1;
        }
    }

    /// Depth of a coordinate in a row, in units.
    fn depth(&self, y: f64, row: i64) -> i64 {
        floor((y - coordinate(row)) * self.unit).clamp(0, self.one)
    }

    /// Adds the contribution of a piece of an edge to a pixel: its cover, and its mean distance from the pixel's left
    /// side.
    fn fragment(&mut self, row: i64, col: i64, cover: i64, distance: f64) {
        if cover != 0 {
            self.push(row, col, cover, distance * (coordinate(cover) / self.unit));
        }
    }

    fn push(&mut self, row: i64, col: i64, cover: i64, inner: f64) {
        let (Ok(row), Ok(col)) = (u32::try_from(row), u32::try_from(col)) else { return };
        let pixel = u64::from(row) << 32 | u64::from(col);
        match self.fragments.last_mut() {
            Some(last) if last.pixel == pixel => {
                last.cover = last.cover.wrapping_add(cover);
                last.inner += inner;
            }
            _ => self.fragments.push(Fragment { pixel, cover, inner }),
        }
    }
}

/// Sorts fragments by row and column.
fn sorted(mut fragments: Vec<Fragment>) -> Vec<Fragment> {
    let rows = fragments.iter().map(Fragment::row).fold(None, |rows: Option<(u32, u32)>, row| {
        rows.map_or(Some((row, row)), |(first, last)| Some((first.min(row), last.max(row))))
    });
    // Most polygons have a few fragments in each row, for which a counting sort by row is linear.
    if let Some((first, last)) = rows
        && (last - first) as usize <= fragments.len()
    {
        fragments = by_row(&fragments, first, last);
        for row in fragments.chunk_by_mut(|a, b| a.row() == b.row()) {
            row.sort_unstable_by_key(|fragment| fragment.pixel);
        }
        return fragments;
    }
    fragments.sort_unstable_by_key(|fragment| fragment.pixel);
    fragments
}

/// Counting sort by row, for the rows from `first` to `last`.
fn by_row(fragments: &[Fragment], first: u32, last: u32) -> Vec<Fragment> {
    let place = |fragment: &Fragment| (fragment.row() - first) as usize;
    // Next position for each row.
    let mut next = vec![0usize; (last - first) as usize + 1];
    for fragment in fragments {
        next[place(fragment)] += 1;
    }
    let mut end = 0;
    for count in &mut next {
        end += std::mem::replace(count, end);
    }
    let mut placed = fragments.to_vec();
    for fragment in fragments {
        let at = &mut next[place(fragment)];
        placed[*at] = *fragment;
        *at += 1;
    }
    placed
}

/// Accumulates fragments along each row.
fn sweep(fragments: Vec<Fragment>, width: u32, bits: u32) -> Coverage {
    let scale = 1.0 / coordinate(1i64 << bits);
    let mut runs = Runs::with_capacity(fragments.len() + fragments.len() / 2);
    for row in fragments.chunk_by(|a, b| a.row() == b.row()) {
        let (mut cover, mut next, mut number) = (0i64, 0, 0);
        for pixel in row.chunk_by(|a, b| a.pixel == b.pixel) {
            let col = pixel[0].col();
            if cover != 0 {
                runs.push(number, next, col, coordinate(cover) * scale);
            }
            // Intermediate sums within a pixel can be large if many edges pass through it; the final sum is in range.
            cover = pixel.iter().fold(cover, |sum, fragment| sum.wrapping_add(fragment.cover));
            let inner: f64 = pixel.iter().map(|fragment| fragment.inner).sum();
            let weight = coordinate(cover) * scale - inner;
            number = pixel[0].row();
            runs.push(number, col, col + 1, if (weight - 1.0).abs() <= ROUNDING { 1.0 } else { weight });
            next = col + 1;
        }
        if cover != 0 {
            runs.push(number, next, width, coordinate(cover) * scale);
        }
    }
    runs.finish()
}
