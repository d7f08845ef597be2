//! Whole pixels as GDAL and rasterio burn geometries: by centre, or all touched.
//!
//! Matches GDAL's conventions for centres on an edge and its floating-point arithmetic for touches, because a
//! difference of a single pixel is a different result:
//!
//! - A row is filled between the crossings of its centre line with edges, including the upper end of an edge and
//!   excluding the lower. From one crossing to the next, centres right of the first are inside, up to and including the
//!   second.
//! - Centres on a horizontal edge are inside if the edge goes left, with rings oriented clockwise in the world.
//! - All-touched adds the pixels that edges pass through; an edge along a pixel boundary touches neither side.
//! - Lines are drawn by Bresenham's algorithm between the pixels of their vertices, from the last to the first.
//!   All-touched adds the pixels that a line passes through.
//!
//! Parts are burnt one by one; overlaps count once.

use geo_types::{Coord, LineString, Polygon};

use super::coordinate::{coordinate, doubled_area, floor, index};
use crate::geo::GeoTransform;
use crate::geometry::{Geometry, rings};
use crate::grid::{Coverage, Spans};

/// GDAL's tolerance for edges on a pixel boundary.
const NEAR_BORDER: f64 = 1e-4;

/// GDAL treats edges with a smaller extent along an axis as horizontal or vertical.
const NEAR_LEVEL: f64 = 0.01;

/// GDAL's minimum step across row boundaries, which guarantees progress.
const LEAST_STEP: f64 = 1e-9;

/// The pixels with their centre in a polygon, on a rasterized line, or at a point.
pub(super) fn center(geometry: &Geometry, width: u32, height: u32, to_world: &GeoTransform) -> Coverage {
    let mut burner = Burner::new(width, height, to_world);
    for polygon in &geometry.polygons {
        burner.fill(polygon);
    }
    for pair in geometry.lines.iter().flat_map(|line| line.0.windows(2)) {
        burner.draw(pair[1], pair[0]);
    }
    burner.points(&geometry.points);
    burner.spans.finish()
}

/// The pixels that a geometry touches, including those of [`center`] for polygons.
pub(super) fn all_touched(geometry: &Geometry, width: u32, height: u32, to_world: &GeoTransform) -> Coverage {
    let mut burner = Burner::new(width, height, to_world);
    for polygon in &geometry.polygons {
        burner.fill(polygon);
        for ring in rings(polygon) {
            burner.touch(ring, true);
        }
    }
    for line in &geometry.lines {
        burner.touch(line, false);
    }
    burner.points(&geometry.points);
    burner.spans.finish()
}

/// An image and the spans burnt into it.
struct Burner {
    width: u32,
    height: u32,
    /// Whether clockwise in the world is clockwise in pixels (x towards y), as on north-up rasters.
    is_mirrored: bool,
    spans: Spans,
}

impl Burner {
    fn new(width: u32, height: u32, to_world: &GeoTransform) -> Self {
        let is_mirrored = to_world.a * to_world.e - to_world.b * to_world.d < 0.0;
        Self { width, height, is_mirrored, spans: Spans::default() }
    }

    fn points(&mut self, points: &[Coord<f64>]) {
        for point in points {
            self.pixel(floor(point.x), floor(point.y));
        }
    }

    fn pixel(&mut self, col: i64, row: i64) {
        self.span(row, col, col.saturating_add(1));
    }

    /// Adds the pixels of a row from `start` to `end` (exclusive), clipped to the image.
    fn span(&mut self, row: i64, start: i64, end: i64) {
        let clamped = |col: i64| u32::try_from(col.clamp(0, self.width.into())).unwrap_or(self.width);
        match u32::try_from(row) {
            Ok(row) if row < self.height => self.spans.push(row, clamped(start), clamped(end)),
            _ => {}
        }
    }

    /// Burns the pixels whose centre is in a polygon.
    fn fill(&mut self, polygon: &Polygon<f64>) {
        let mut crossings: Vec<(i64, i64)> = Vec::new();
        let height = i64::from(self.height);
        for ring in rings(polygon) {
            let is_clockwise = (doubled_area(ring) > 0.0) == self.is_mirrored;
            for pair in ring.0.windows(2) {
                let (from, to) = if is_clockwise { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                let (top, bottom) = if from.y < to.y { (from, to) } else { (to, from) };
                // Candidate rows; each is tested exactly.
                let (first, last) = (floor(top.y).max(0), floor(bottom.y).min(height - 1));
                for row in first..=last {
                    let middle = coordinate(row) + 0.5;
                    if top.y <= middle && middle < bottom.y {
                        let x = (middle - top.y) * (bottom.x - top.x) / (bottom.y - top.y) + top.x;
                        crossings.push((row, floor(x + 0.5)));
                    } else if from.y == middle && to.y == middle && from.x > to.x {
                        self.span(row, floor(to.x + 0.5), floor(from.x + 0.5));
                    }
                }
            }
        }
        crossings.sort_unstable();
        // Rings are closed: each row has an even number of crossings.
        for pair in crossings.chunks_exact(2) {
            self.span(pair[0].0, pair[0].1, pair[1].1);
        }
    }

    /// Burns one pixel per step between the pixels of two vertices, along the longer axis.
    fn draw(&mut self, from: Coord<f64>, to: Coord<f64>) {
        let (from, to) = ((floor(from.x), floor(from.y)), (floor(to.x), floor(to.y)));
        let (across, down) = (to.0.saturating_sub(from.0), to.1.saturating_sub(from.1));
        let is_flat = across.unsigned_abs() >= down.unsigned_abs();
        let (main, side) = if is_flat { (across, down) } else { (down, across) };
        let (start, size) = if is_flat { (from.0, self.width) } else { (from.1, self.height) };
        // Only steps inside the image are taken.
        let last = i64::from(size) - 1;
        let (enter, leave) = if main >= 0 {
            (start.saturating_neg(), last.saturating_sub(start))
        } else {
            (start.saturating_sub(last), start)
        };
        for step in enter.max(0)..=leave.min(main.saturating_abs()) {
            let along = step * main.signum();
            // Number of positive error terms in the skipped steps. The error starts at twice the slope minus 1, in
            // units of `main`.
            let (twice, whole) = (2 * i128::from(step) * i128::from(side).abs(), i128::from(main).abs());
            let aside = if whole == 0 { 0 } else { (twice + whole - 1).div_euclid(2 * whole) };
            let aside = i64::try_from(aside).unwrap_or(i64::MAX) * side.signum();
            if is_flat {
                self.pixel(from.0.saturating_add(along), from.1.saturating_add(aside));
            } else {
                self.pixel(from.0.saturating_add(aside), from.1.saturating_add(along));
            }
        }
    }

    /// Burns the pixels that a line passes through; with `inside_only`, not those beside an edge along a boundary.
    fn touch(&mut self, line: &LineString<f64>, inside_only: bool) {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        for pair in line.0.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let is_beside = a.y < 0.0 && b.y < 0.0
                || a.y > height && b.y > height
                || a.x < 0.0 && b.x < 0.0
                || a.x > width && b.x > width;
            if is_beside {
                continue;
            }
            let (a, b) = if a.x > b.x { (b, a) } else { (a, b) };
            if floor(a.x) == floor(b.x) || (a.x - b.x).abs() < NEAR_LEVEL {
                if inside_only && is_near_border(a.x) && is_near_border(b.x) {
                    continue;
                }
                let (top, bottom) = (a.y.min(b.y), a.y.max(b.y));
                if index(b.x, self.width).is_some() {
                    let last = floor(bottom - NEAR_BORDER).min(i64::from(self.height) - 1);
                    for row in floor(top).max(0)..=last {
                        self.pixel(floor(b.x), row);
                    }
                }
            } else if floor(a.y) == floor(b.y) || (a.y - b.y).abs() < NEAR_LEVEL {
                if !(inside_only && is_near_border(a.y) && is_near_border(b.y)) {
                    self.span(floor(a.y), floor(a.x), floor(b.x - NEAR_BORDER).saturating_add(1));
                }
            } else {
                self.step(a, b);
            }
        }
    }

    /// Burns the pixels that a sloped edge passes through, from left to right.
    fn step(&mut self, a: Coord<f64>, b: Coord<f64>) {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let slope = (b.y - a.y) / (b.x - a.x);
        let (mut x, mut y, mut end, mut end_y) = (a.x, a.y, b.x, b.y);
        if end > width {
            end_y -= (end - width) * slope;
            end = width;
        }
        if x < 0.0 {
            y += (0.0 - x) * slope;
            x = 0.0;
        }
        if slope > 0.0 {
            if y < 0.0 {
                x += (0.0 - y) / slope;
                y = 0.0;
            }
            if end_y >= height {
                end = (end + (end_y - height) / slope).min(width);
            }
        } else {
            if y >= height {
                x += (height - y) / slope;
                y = height;
            }
            if end_y < 0.0 {
                end -= end_y / slope;
            }
        }
        // Beyond the image, an edge does not return.
        let is_past = |y: f64| if slope < 0.0 { y < 0.0 } else { y >= height };
        while x >= 0.0 && x < end && !is_past(y) {
            let (col, row) = (floor(x), floor(y));
            self.pixel(col, row);
            let step = coordinate(floor(x + 1.0)) - x;
            let rise = step * slope;
            if floor(y + rise) == row {
                x += step;
                y += rise;
                continue;
            }
            let rise = if slope < 0.0 {
                (coordinate(row) - y).min(-LEAST_STEP)
            } else {
                (coordinate(row + 1) - y).max(LEAST_STEP)
            };
            x += rise / slope;
            // If coordinates are too coarse for the minimum step, the next representable one.
            y = match y + rise {
                next if next != y => next,
                _ if slope < 0.0 => y.next_down(),
                _ => y.next_up(),
            };
        }
    }
}

fn is_near_border(coordinate: f64) -> bool {
    (coordinate - coordinate.round()).abs() < NEAR_BORDER
}
