//! Clipping of geometries to a box.

use geo_types::{Coord, LineString, Polygon};

use crate::geo::BBox;
use crate::geometry::{Geometry, rings};

/// Clips a geometry to a box (Sutherland-Hodgman). Disjoint parts of a polygon stay connected by zero-area edges along
/// the box, which callers place where they do not matter.
pub(super) fn clip(geometry: &Geometry, window: BBox) -> Geometry {
    let inside = |point: &Coord<f64>| {
        window.xmin <= point.x && point.x <= window.xmax && window.ymin <= point.y && point.y <= window.ymax
    };
    let mut clipped =
        Geometry { points: geometry.points.iter().copied().filter(inside).collect(), ..Geometry::default() };
    for line in &geometry.lines {
        if line.0.iter().all(inside) {
            clipped.lines.push(line.clone());
        } else {
            let pieces = line.0.windows(2).filter_map(|pair| clip_segment(pair[0], pair[1], window));
            clipped.lines.extend(pieces.map(|(a, b)| LineString(vec![a, b])));
        }
    }
    for polygon in &geometry.polygons {
        if rings(polygon).all(|ring| ring.0.iter().all(inside)) {
            clipped.polygons.push(polygon.clone());
            continue;
        }
        let shell = clip_ring(&polygon.exterior().0, window);
        if !shell.is_empty() {
            let holes = polygon.interiors().iter().map(|hole| LineString(clip_ring(&hole.0, window)));
            clipped.polygons.push(Polygon::new(LineString(shell), holes.filter(|hole| !hole.0.is_empty()).collect()));
        }
    }
    clipped
}

/// Clips a segment to a box (Liang-Barsky).
fn clip_segment(a: Coord<f64>, b: Coord<f64>, window: BBox) -> Option<(Coord<f64>, Coord<f64>)> {
    let along = b - a;
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    let sides = [
        (-along.x, a.x - window.xmin),
        (along.x, window.xmax - a.x),
        (-along.y, a.y - window.ymin),
        (along.y, window.ymax - a.y),
    ];
    for (speed, room) in sides {
        if speed == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if speed < 0.0 {
            enter = enter.max(room / speed);
        } else {
            leave = leave.min(room / speed);
        }
    }
    let at = |t: f64| {
        if t <= 0.0 {
            a
        } else if t >= 1.0 {
            b
        } else {
            a + along * t
        }
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// Clips a closed ring to a box; empty if nothing is left.
fn clip_ring(ring: &[Coord<f64>], window: BBox) -> Vec<Coord<f64>> {
    let mut ring = ring.to_vec();
    let x = |point: Coord<f64>| point.x;
    let y = |point: Coord<f64>| point.y;
    let at_x = |x: f64, y: f64| Coord { x, y };
    let at_y = |y: f64, x: f64| Coord { x, y };
    ring = half(&ring, window.xmin, 1.0, x, y, at_x);
    ring = half(&ring, window.xmax, -1.0, x, y, at_x);
    ring = half(&ring, window.ymin, 1.0, y, x, at_y);
    half(&ring, window.ymax, -1.0, y, x, at_y)
}

/// Clips a closed ring to one side of a line: where `across` is at least (`sign` 1) or at most (-1) `bound`.
fn half(
    ring: &[Coord<f64>],
    bound: f64,
    sign: f64,
    across: impl Fn(Coord<f64>) -> f64,
    along: impl Fn(Coord<f64>) -> f64,
    point: impl Fn(f64, f64) -> Coord<f64>,
) -> Vec<Coord<f64>> {
    let inside = |coord: Coord<f64>| (across(coord) - bound) * sign >= 0.0;
    let mut kept = Vec::with_capacity(ring.len() + 4);
    for pair in ring.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if inside(a) {
            kept.push(a);
        }
        if inside(a) != inside(b) {
            let t = (bound - across(a)) / (across(b) - across(a));
            kept.push(point(bound, along(a) + (along(b) - along(a)) * t));
        }
    }
    if let Some(first) = kept.first().copied() {
        kept.push(first);
    }
    kept
}
