//! Lengths of lines per pixel, and points.
//!
//! The left and upper sides belong to a pixel: a line along the boundary of two pixels counts once, for the right or
//! lower one.

use geo_types::{Coord, LineString};

use super::coordinate::{coordinate, floor, index};
use crate::geo::GeoTransform;
use crate::grid::{Coverage, Runs};

/// Sums the lengths of lines per pixel, in the units of `to_world`.
pub(super) fn lines(lines: &[LineString<f64>], width: u32, height: u32, to_world: &GeoTransform) -> Coverage {
    let GeoTransform { a, b, d, e, .. } = *to_world;
    let mut pieces = Vec::new();
    for pair in lines.iter().flat_map(|line| line.0.windows(2)) {
        let step = pair[1] - pair[0];
        let length = (a * step.x + b * step.y).hypot(d * step.x + e * step.y);
        walk(pair[0], pair[1], width, height, |row, col, part| pieces.push((row, col, part * length)));
    }
    summed(pieces)
}

/// Counts points per pixel.
pub(super) fn points(points: &[Coord<f64>], width: u32, height: u32) -> Coverage {
    let pixels = points.iter().filter_map(|point| Some((index(point.y, height)?, index(point.x, width)?, 1.0)));
    summed(pixels.collect())
}

fn summed(mut pieces: Vec<(u32, u32, f64)>) -> Coverage {
    // A stable sort keeps the order of summation.
    pieces.sort_by_key(|piece| (piece.0, piece.1));
    let mut runs = Runs::with_capacity(pieces.len());
    for pixel in pieces.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (row, col, _) = pixel[0];
        runs.push(row, col, col + 1, pixel.iter().map(|piece| piece.2).sum());
    }
    runs.finish()
}

/// Calls `visit` with the row and column of each pixel that a segment passes through, and the fraction of the segment
/// inside.
fn walk(a: Coord<f64>, b: Coord<f64>, width: u32, height: u32, mut visit: impl FnMut(u32, u32, f64)) {
    let Some((enter, leave)) = inside(a, b, width, height) else { return };
    // Only the part inside the image is traversed.
    let at = |t: f64| if t == 0.0 { a } else { a + (b - a) * t };
    let (start, end) = (at(enter), if leave == 1.0 { b } else { at(leave) });
    let mut x = Axis::new(start.x, end.x, width);
    let mut y = Axis::new(start.y, end.y, height);
    let mut t = 0.0;
    while t < 1.0 {
        let next = x.next().min(y.next()).min(1.0);
        if next > t {
            if let (Some(row), Some(col)) = (y.pixel(), x.pixel()) {
                visit(row, col, (next - t) * (leave - enter));
            }
            t = next;
        }
        x.advance(t);
        y.advance(t);
    }
}

/// The parameters at which a segment enters and leaves an image; None if outside.
fn inside(a: Coord<f64>, b: Coord<f64>, width: u32, height: u32) -> Option<(f64, f64)> {
    let along = b - a;
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (from, step, size) in [(a.x, along.x, f64::from(width)), (a.y, along.y, f64::from(height))] {
        if step == 0.0 {
            if !(0.0..size).contains(&from) {
                return None;
            }
            continue;
        }
        let (first, second) = (-from / step, (size - from) / step);
        enter = enter.max(first.min(second));
        leave = leave.min(first.max(second));
    }
    (enter < leave && along.x.is_finite() && along.y.is_finite()).then_some((enter, leave))
}

/// Traversal of a segment along one axis.
struct Axis {
    from: f64,
    step: f64,
    at: i64,
    count: i64,
}

impl Axis {
    fn new(from: f64, to: f64, count: u32) -> Self {
        let count = i64::from(count);
        let mut axis = Self { from, step: to - from, at: floor(from).clamp(0, count - 1), count };
        // A segment that starts on a boundary and goes backwards starts in the previous row or column.
        axis.advance(0.0);
        axis
    }

    /// The parameter at which the segment leaves its row or column; infinite at the edge of the image.
    fn next(&self) -> f64 {
        let border = if self.step > 0.0 { self.at + 1 } else { self.at };
        if self.step == 0.0 || border <= 0 && self.step < 0.0 || border >= self.count && self.step > 0.0 {
            return f64::INFINITY;
        }
        (coordinate(border) - self.from) / self.step
    }

    /// Advances to the row or column at `t`.
    fn advance(&mut self, t: f64) {
        while self.next() <= t {
            self.at += if self.step > 0.0 { 1 } else { -1 };
        }
    }

    fn pixel(&self) -> Option<u32> {
        u32::try_from(self.at).ok()
    }
}
