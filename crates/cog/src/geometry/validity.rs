//! Validity of polygons by OGC Simple Features 1.2.1 (6.1.11), with the position of the first violation.
//!
//! Rings must not cross or touch themselves; rings of a polygon must not cross or share an edge; holes must be inside
//! the shell and outside of other holes. Rings may touch in points, vertices may repeat, and polygons may overlap,
//! since they are separate parts. Orientation tests are exact, so that valid polygons are never rejected due to
//! rounding.

use geo_types::{Coord, LineString, Polygon};
use robust::orient2d;

use super::flat::{Geometry, bbox, invalid, rings};
use crate::geo::BBox;
use crate::{Result, interrupt};

/// Rings with at most this many edges are checked pairwise, which is faster than sorting.
const FEW_EDGES: usize = 24;

/// Edges that are compared with those beside them between two checks for interrupts.
const EDGES_BETWEEN_CHECKS: usize = 64;

/// Checks the polygons of a geometry.
pub(super) fn check(geometry: &Geometry) -> Result<()> {
    geometry.polygons.iter().enumerate().try_for_each(|(index, polygon)| {
        check_polygon(polygon).map_err(|fault| invalid(format!("polygon {index}, {fault}: ST_MakeValid may repair it")))
    })
}

/// Whether polygons are valid.
pub(crate) fn are_valid(polygons: &[Polygon<f64>]) -> bool {
    polygons.iter().all(|polygon| check_polygon(polygon).is_ok())
}

/// An edge of a ring.
#[derive(Debug, Clone, Copy)]
struct Edge {
    a: Coord<f64>,
    b: Coord<f64>,
    ring: usize,
    /// Index of its first vertex.
    vertex: usize,
    /// Index among the ring's edges of non-zero length.
    position: usize,
}

impl Edge {
    /// Whether the next edge starts at the end of this one without turning back, so that they only meet there.
    fn leads_away_to(&self, next: &Self) -> bool {
        let (before, after) = (self.b - self.a, next.b - next.a);
        // For collinear edges that turn back, the product is far below 0, regardless of rounding.
        self.position + 1 == next.position && before.x * after.x + before.y * after.y >= 0.0
    }

    fn span(&self, by_x: bool) -> (f64, f64) {
        let (a, b) = if by_x { (self.a.x, self.b.x) } else { (self.a.y, self.b.y) };
        (a.min(b), a.max(b))
    }
}

/// Intersection of two edges.
#[derive(Debug, PartialEq)]
enum Meeting {
    Apart,
    /// A single point that is an end of at least one of them.
    Touch,
    /// A point inside both, or more than one point.
    Cross,
}

fn check_polygon(polygon: &Polygon<f64>) -> Result<(), String> {
    if polygon.interiors().is_empty() && is_convex(polygon.exterior()) {
        return Ok(());
    }
    let (edges, lengths) = edges(polygon)?;
    let mut touching = vec![false; lengths.len()];
    each_near_pair(&edges, |first, second| {
        if first.ring == second.ring && first.leads_away_to(second) {
            return Ok(());
        }
        let meeting = meet(first, second);
        if meeting == Meeting::Apart {
            return Ok(());
        }
        if first.ring != second.ring {
            touching[first.ring] = true;
            touching[second.ring] = true;
            return if meeting == Meeting::Touch { Ok(()) } else { Err(crossing(first, second)) };
        }
        let apart = first.position.abs_diff(second.position);
        let neighbours = apart == 1 || apart + 1 == lengths[first.ring];
        if meeting == Meeting::Touch && neighbours { Ok(()) } else { Err(crossing(first, second)) }
    })?;
    check_holes(polygon, &touching)
}

/// Whether a ring strictly turns to one side at each vertex and winds once: it is then convex, and so simple.
fn is_convex(ring: &LineString<f64>) -> bool {
    let [.., before_last, _] = ring.0.as_slice() else {
        return false;
    };
    // Each turn is less than half a circle, so that counting changes of direction detects every winding.
    let is_forwards = |a: Coord<f64>, b: Coord<f64>| a.x < b.x || (a.x == b.x && a.y < b.y);
    let (mut left, mut right, mut reversals) = (0usize, 0usize, 0usize);
    let (mut a, mut was_forwards) = (*before_last, is_forwards(*before_last, ring.0[0]));
    for edge in ring.0.windows(2) {
        let (b, c) = (edge[0], edge[1]);
        let (turn, forwards) = (side(a, b, c), is_forwards(b, c));
        left += usize::from(turn > 0.0);
        right += usize::from(turn < 0.0);
        reversals += usize::from(forwards != was_forwards);
        (a, was_forwards) = (b, forwards);
    }
    left.max(right) + 1 == ring.0.len() && reversals == 2
}

/// The edges of non-zero length, and their number per ring.
fn edges(polygon: &Polygon<f64>) -> Result<(Vec<Edge>, Vec<usize>), String> {
    let mut edges = Vec::with_capacity(rings(polygon).map(|ring| ring.0.len()).sum());
    let mut lengths = Vec::with_capacity(1 + polygon.interiors().len());
    for (index, ring) in rings(polygon).enumerate() {
        let before = edges.len();
        for (vertex, pair) in ring.0.windows(2).enumerate() {
            if pair[0] != pair[1] {
                edges.push(Edge { a: pair[0], b: pair[1], ring: index, vertex, position: edges.len() - before });
            }
        }
        if edges.len() - before < 3 {
            let Coord { x, y } = ring.0[0];
            return Err(format!("ring {index}: expected an area, found none at ({x} {y})"));
        }
        lengths.push(edges.len() - before);
    }
    Ok((edges, lengths))
}

fn crossing(first: &Edge, second: &Edge) -> String {
    let (first, second) =
        if (first.ring, first.vertex) <= (second.ring, second.vertex) { (first, second) } else { (second, first) };
    let Coord { x, y } = crossing_point(first, second);
    format!(
        "ring {}, edge {} meets ring {}, edge {} near ({x} {y})",
        first.ring, first.vertex, second.ring, second.vertex
    )
}

/// Approximate intersection of two edges.
fn crossing_point(first: &Edge, second: &Edge) -> Coord<f64> {
    let ends = [second.a, second.b, first.a, first.b];
    let on = [(first, second.a), (first, second.b), (second, first.a), (second, first.b)];
    if let Some(at) = on.iter().position(|(edge, end)| side(edge.a, edge.b, *end) == 0.0 && within(edge, *end)) {
        return ends[at];
    }
    let (along, across) = (first.b - first.a, second.b - second.a);
    let t = ((second.a.x - first.a.x) * across.y - (second.a.y - first.a.y) * across.x)
        / (along.x * across.y - along.y * across.x);
    first.a + along * t
}

/// Calls `visit` with every pair of edges whose bounding boxes intersect.
fn each_near_pair(edges: &[Edge], mut visit: impl FnMut(&Edge, &Edge) -> Result<(), String>) -> Result<(), String> {
    let overlap = |first: (f64, f64), second: (f64, f64)| first.0 <= second.1 && second.0 <= first.1;
    if edges.len() <= FEW_EDGES {
        for (at, first) in edges.iter().enumerate() {
            for second in &edges[at + 1..] {
                if overlap(first.span(true), second.span(true)) && overlap(first.span(false), second.span(false)) {
                    visit(first, second)?;
                }
            }
        }
        return Ok(());
    }
    // Sweeps along the axis where edges are short relative to the whole, so that few are active at a time.
    let share = |by_x: bool| {
        let spans = || edges.iter().map(|edge| edge.span(by_x));
        let whole =
            spans().fold((f64::INFINITY, f64::NEG_INFINITY), |all, span| (all.0.min(span.0), all.1.max(span.1)));
        spans().map(|span| span.1 - span.0).sum::<f64>() / (whole.1 - whole.0)
    };
    let by_x = share(true) <= share(false);
    let mut order: Vec<&Edge> = edges.iter().collect();
    order.sort_unstable_by(|first, second| first.span(by_x).0.total_cmp(&second.span(by_x).0));
    let mut under: Vec<&Edge> = Vec::new();
    for (at, edge) in order.into_iter().enumerate() {
        // All edges may be beside one another.
        if at.is_multiple_of(EDGES_BETWEEN_CHECKS) {
            interrupt::check().map_err(|error| error.to_string())?;
        }
        let start = edge.span(by_x).0;
        under.retain(|other| other.span(by_x).1 >= start);
        for other in &under {
            if overlap(edge.span(!by_x), other.span(!by_x)) {
                visit(other, edge)?;
            }
        }
        under.push(edge);
    }
    Ok(())
}

/// Exact orientation of `p` relative to the line through `a` and `b`; 0 if collinear.
#[inline]
fn side(a: Coord<f64>, b: Coord<f64>, p: Coord<f64>) -> f64 {
    let point = |coord: Coord<f64>| robust::Coord { x: coord.x, y: coord.y };
    orient2d(point(a), point(b), point(p))
}

/// Whether a point collinear with an edge lies on the edge.
fn within(edge: &Edge, p: Coord<f64>) -> bool {
    let ((left, right), (low, high)) = (edge.span(true), edge.span(false));
    left <= p.x && p.x <= right && low <= p.y && p.y <= high
}

fn meet(first: &Edge, second: &Edge) -> Meeting {
    let (c, d) = (side(first.a, first.b, second.a), side(first.a, first.b, second.b));
    if c * d > 0.0 {
        return Meeting::Apart;
    }
    let (a, b) = (side(second.a, second.b, first.a), side(second.a, second.b, first.b));
    if a * b > 0.0 {
        return Meeting::Apart;
    }
    if c == 0.0 && d == 0.0 {
        return meet_on_a_line(first, second);
    }
    if c != 0.0 && d != 0.0 && a != 0.0 && b != 0.0 {
        return Meeting::Cross;
    }
    let touches = [(first, second.a, c), (first, second.b, d), (second, first.a, a), (second, first.b, b)];
    let touch = touches.iter().any(|(edge, end, side)| *side == 0.0 && within(edge, *end));
    if touch { Meeting::Touch } else { Meeting::Apart }
}

/// Intersection of two collinear edges.
fn meet_on_a_line(first: &Edge, second: &Edge) -> Meeting {
    let by_x = first.a.x != first.b.x;
    let (first, second) = (first.span(by_x), second.span(by_x));
    match first.1.min(second.1).partial_cmp(&first.0.max(second.0)) {
        Some(std::cmp::Ordering::Greater) => Meeting::Cross,
        Some(std::cmp::Ordering::Equal) => Meeting::Touch,
        _ => Meeting::Apart,
    }
}

/// Edges do not cross: a hole is inside a ring if one of its points is, unless they touch.
fn check_holes(polygon: &Polygon<f64>, touching: &[bool]) -> Result<(), String> {
    if polygon.interiors().is_empty() {
        return Ok(());
    }
    let boxes: Vec<Option<BBox>> = rings(polygon).map(|ring| bbox(ring.0.iter().copied())).collect();
    for (index, hole) in polygon.interiors().iter().enumerate() {
        let ring = index + 1;
        let outside = position(hole, polygon.exterior(), touching[ring]).is_some_and(|inside| !inside);
        if outside {
            let Coord { x, y } = hole.0[0];
            return Err(format!("ring {ring}: expected a hole inside the shell, found ({x} {y}) outside"));
        }
    }
    let mut order: Vec<usize> = (1..boxes.len()).collect();
    let left = |ring: usize| boxes[ring].map_or(0.0, |bbox| bbox.xmin);
    order.sort_unstable_by(|first, second| left(*first).total_cmp(&left(*second)));
    let mut under: Vec<usize> = Vec::new();
    for ring in order {
        under.retain(|other| boxes[*other].is_some_and(|bbox| bbox.xmax >= left(ring)));
        for &other in &under {
            for (inner, outer) in [(ring, other), (other, ring)] {
                let (Some(small), Some(large)) = (boxes[inner], boxes[outer]) else { continue };
                if !contains(large, small) {
                    continue;
                }
                let holes = polygon.interiors();
                if position(&holes[inner - 1], &holes[outer - 1], touching[inner]) == Some(true) {
                    let Coord { x, y } = holes[inner - 1].0[0];
                    return Err(format!("ring {inner}: expected disjoint holes, found ({x} {y}) in ring {outer}"));
                }
            }
        }
        under.push(ring);
    }
    Ok(())
}

fn contains(outer: BBox, inner: BBox) -> bool {
    outer.xmin <= inner.xmin && inner.xmax <= outer.xmax && outer.ymin <= inner.ymin && inner.ymax <= outer.ymax
}

/// Whether a ring is inside another that it does not cross; None if all tested points lie on it. If they may touch,
/// every vertex and the middle of every edge is tested, and one outside decides: a ring may leave another through a
/// vertex.
fn position(ring: &LineString<f64>, other: &LineString<f64>, may_touch: bool) -> Option<bool> {
    if !may_touch {
        return inside(other, ring.0[0]);
    }
    let middles = ring.0.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    let mut found = ring.0.iter().copied().chain(middles).filter_map(|point| inside(other, point));
    let first = found.next()?;
    Some(first && found.all(|inside| inside))
}

/// Whether a point is inside a ring; None if it lies on it.
fn inside(ring: &LineString<f64>, p: Coord<f64>) -> Option<bool> {
    let mut inside = false;
    for pair in ring.0.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        if p.y < low.y || p.y > high.y || p.x > a.x.max(b.x) {
            continue;
        }
        let turn = side(low, high, p);
        if turn == 0.0 && p.x >= a.x.min(b.x) {
            return None;
        }
        // Upward edges turn left towards points on their left; an endpoint counts only for the edge above it.
        if low.y <= p.y && p.y < high.y && turn > 0.0 {
            inside = !inside;
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests;
