//! Clipping of polygons to convex pieces of the pixel plane.
//!
//! Unlike [`clip`](super::clip), returns disjoint parts as separate polygons, without zero-area edges along the cut,
//! which would add tiles and pixels.

use geo_types::{Coord, LineString, Polygon};

use crate::geo::BBox;

/// A convex piece of the pixel plane: its vertices, oriented so that x turns towards y.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convex(Vec<Coord<f64>>);

/// End of a chain of vertices on the inner side of a line: its position along the line, and its chain.
#[derive(Debug, Clone, Copy)]
struct End {
    along: f64,
    chain: usize,
}

impl Convex {
    /// Creates a piece; None if its area is zero.
    pub(super) fn new(mut vertices: Vec<Coord<f64>>) -> Option<Self> {
        vertices.dedup();
        let area = doubled_area(&vertices);
        if area < 0.0 {
            vertices.reverse();
        }
        (vertices.len() >= 3 && area != 0.0).then_some(Self(vertices))
    }

    /// A box.
    pub(crate) fn of_box(bbox: BBox) -> Self {
        let BBox { xmin, ymin, xmax, ymax } = bbox;
        Self([(xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax)].map(|(x, y)| Coord { x, y }).to_vec())
    }

    pub(super) fn vertices(&self) -> &[Coord<f64>] {
        &self.0
    }

    /// The piece as a polygon.
    pub(crate) fn polygon(&self) -> Polygon<f64> {
        let closed = self.0.iter().chain(self.0.first()).copied();
        Polygon::new(LineString(closed.collect()), Vec::new())
    }

    fn sides(&self) -> impl Iterator<Item = (Coord<f64>, Coord<f64>)> + '_ {
        self.0.iter().copied().zip(self.0.iter().cycle().skip(1).copied())
    }

    /// Clips an area to the piece. The area is the set of points inside an odd number of `rings`, which must be closed.
    pub(crate) fn polygons(&self, rings: Vec<Vec<Coord<f64>>>) -> Vec<Polygon<f64>> {
        let mut rings: Vec<_> = rings.into_iter().map(open).collect();
        for (start, end) in self.sides() {
            rings = half(rings, start, end);
        }
        nested(rings)
    }
}

/// Removes the repeated last vertex.
fn open(mut ring: Vec<Coord<f64>>) -> Vec<Coord<f64>> {
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    ring
}

/// Distance of a point from a side, times the side's length; positive inside. The sign is exact for horizontal and
/// vertical sides.
fn depth(point: Coord<f64>, start: Coord<f64>, end: Coord<f64>) -> f64 {
    let (along, from) = (end - start, point - start);
    along.x * from.y - along.y * from.x
}

/// Clips an area to the inner side of a line. Chains of edges on that side are joined along the line, in pairs of
/// consecutive ends.
fn half(rings: Vec<Vec<Coord<f64>>>, start: Coord<f64>, end: Coord<f64>) -> Vec<Vec<Coord<f64>>> {
    let inside = |point: &Coord<f64>| depth(*point, start, end) >= 0.0;
    let mut kept = Vec::with_capacity(rings.len());
    let mut chains: Vec<Vec<Coord<f64>>> = Vec::new();
    for ring in rings {
        let count = ring.len();
        let Some(outside) = ring.iter().position(|point| !inside(point)) else {
            kept.push(ring);
            continue;
        };
        let mut before = ring[outside];
        for point in (1..=count).map(|step| ring[(outside + step) % count]) {
            match (inside(&before), inside(&point)) {
                (false, true) => chains.push(vec![crossing(before, point, start, end), point]),
                (true, true) => chains.last_mut().into_iter().for_each(|chain| chain.push(point)),
                (true, false) => {
                    let last = crossing(before, point, start, end);
                    chains.last_mut().into_iter().for_each(|chain| chain.push(last));
                }
                (false, false) => {}
            }
            before = point;
        }
    }
    kept.extend(joined(&chains, end - start));
    kept.retain(|ring| ring.len() >= 3 && doubled_area(ring) != 0.0);
    kept
}

/// Intersection of an edge and a line; exactly on the line if it is horizontal or vertical.
fn crossing(a: Coord<f64>, b: Coord<f64>, start: Coord<f64>, end: Coord<f64>) -> Coord<f64> {
    // Independent of the direction of the edge, so that edges shared by two rings are cut at the same point.
    let (a, b) = if (a.x, a.y) <= (b.x, b.y) { (a, b) } else { (b, a) };
    let (from, to) = (depth(a, start, end), depth(b, start, end));
    let mut point = a + (b - a) * (from / (from - to));
    if start.x == end.x {
        point.x = start.x;
    } else if start.y == end.y {
        point.y = start.y;
    }
    point
}

/// Joins chains whose ends lie on a line in the direction `along`: sorted along the line, the first end is joined with
/// the second, the third with the fourth, and so on.
fn joined(chains: &[Vec<Coord<f64>>], along: Coord<f64>) -> Vec<Vec<Coord<f64>>> {
    let place = |point: Option<&Coord<f64>>| point.map_or(0.0, |point| point.x * along.x + point.y * along.y);
    let ends = chains.iter().enumerate().flat_map(|(chain, points)| {
        [
            End { along: place(points.first()), chain: 2 * chain },
            End { along: place(points.last()), chain: 2 * chain + 1 },
        ]
    });
    let mut ends: Vec<End> = ends.collect();
    ends.sort_by(|a, b| a.along.total_cmp(&b.along));
    // Ends are numbered: the start of a chain is even, its end is odd.
    let mut partner = vec![0; ends.len()];
    for pair in ends.chunks_exact(2) {
        (partner[pair[0].chain], partner[pair[1].chain]) = (pair[1].chain, pair[0].chain);
    }
    let mut is_used = vec![false; chains.len()];
    let mut rings = Vec::new();
    for first in 0..chains.len() {
        let (mut ring, mut end) = (Vec::new(), 2 * first);
        while !is_used[end / 2] {
            is_used[end / 2] = true;
            let chain = &chains[end / 2];
            if end % 2 == 0 {
                ring.extend_from_slice(chain);
            } else {
                ring.extend(chain.iter().rev());
            }
            end = partner[end ^ 1];
        }
        ring.dedup();
        rings.push(open(ring));
    }
    rings
}

/// Assembles polygons from rings that do not cross: rings inside an even number of others are shells, the rest are
/// holes of the smallest shell around them.
fn nested(rings: Vec<Vec<Coord<f64>>>) -> Vec<Polygon<f64>> {
    let closed = |mut ring: Vec<Coord<f64>>| {
        ring.extend(ring.first().copied());
        LineString(ring)
    };
    if rings.len() == 1 {
        return rings.into_iter().map(|ring| Polygon::new(closed(ring), Vec::new())).collect();
    }
    let around = |ring: usize| {
        // Rings may touch at vertices, so the majority of the vertices decides.
        let is_in = |other: &usize| {
            let within = rings[ring].iter().filter(|point| is_around(&rings[*other], **point)).count();
            2 * within > rings[ring].len()
        };
        (0..rings.len()).filter(|other| *other != ring).filter(is_in).collect::<Vec<_>>()
    };
    let around: Vec<Vec<usize>> = (0..rings.len()).map(around).collect();
    let smallest = |of: &[usize]| {
        let shells = of.iter().copied().filter(|ring| around[*ring].len().is_multiple_of(2));
        shells.min_by(|a, b| doubled_area(&rings[*a]).abs().total_cmp(&doubled_area(&rings[*b]).abs()))
    };
    let shells = (0..rings.len()).filter(|ring| around[*ring].len().is_multiple_of(2));
    let polygon = |shell: usize| {
        let is_hole = |ring: &usize| around[*ring].len() % 2 == 1 && smallest(&around[*ring]) == Some(shell);
        let holes = (0..rings.len()).filter(is_hole).map(|hole| closed(rings[hole].clone()));
        Polygon::new(closed(rings[shell].clone()), holes.collect())
    };
    shells.map(polygon).collect()
}

/// Whether a ring, open or closed, contains a point.
pub(super) fn is_around(ring: &[Coord<f64>], point: Coord<f64>) -> bool {
    let crosses = |(a, b): (&Coord<f64>, &Coord<f64>)| {
        (a.y > point.y) != (b.y > point.y) && point.x < a.x + (b.x - a.x) * ((point.y - a.y) / (b.y - a.y))
    };
    ring.iter().zip(ring.iter().cycle().skip(1)).filter(|edge| crosses(*edge)).count() % 2 == 1
}

/// Twice the signed area of a ring, open or closed; positive if x turns towards y.
pub(super) fn doubled_area(ring: &[Coord<f64>]) -> f64 {
    let Some(&origin) = ring.first() else {
        return 0.0;
    };
    ring.windows(2).map(|pair| (pair[0] - origin, pair[1] - origin)).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParsedGeometry;
    use crate::geometry::rings;

    const BOX: BBox = BBox { xmin: 0.0, ymin: 0.0, xmax: 10.0, ymax: 10.0 };

    fn cut(convex: &Convex, text: &str) -> Vec<Polygon<f64>> {
        let polygons = ParsedGeometry::from_text(text).unwrap().geometry.polygons;
        convex.polygons(polygons.iter().flat_map(rings).map(|ring| ring.0.clone()).collect())
    }

    fn areas(polygons: &[Polygon<f64>]) -> Vec<f64> {
        let area = |ring: &LineString<f64>| doubled_area(&ring.0).abs() / 2.0;
        let net = |polygon: &Polygon<f64>| area(polygon.exterior()) - polygon.interiors().iter().map(area).sum::<f64>();
        polygons.iter().map(net).collect()
    }

    #[test]
    fn separated_parts_are_separate_polygons() {
        // A comb with two teeth at the bottom.
        let comb = "POLYGON((1 12, 1 5, 3 5, 3 11, 6 11, 6 7, 8 7, 8 12, 1 12))";
        let parts = cut(&Convex::of_box(BOX), comb);
        assert_eq!(areas(&parts), [10.0, 6.0]);
        assert!(parts.iter().all(|part| part.exterior().0.len() == 5));
        assert_eq!(areas(&cut(&Convex::of_box(BOX), "POLYGON((-5 -5, 20 -5, 20 20, -5 20, -5 -5))")), [100.0]);
        assert!(cut(&Convex::of_box(BOX), "POLYGON((10 2, 12 2, 12 4, 10 2))").is_empty());
        assert!(cut(&Convex::of_box(BOX), "POLYGON((11 2, 12 2, 12 4, 11 2))").is_empty());
    }

    #[test]
    fn holes_remain_holes_until_they_are_cut() {
        let ring = "POLYGON((-5 2, 15 2, 15 8, -5 8, -5 2),(3 4, 5 4, 5 6, 3 6, 3 4))";
        let parts = cut(&Convex::of_box(BOX), ring);
        assert_eq!((areas(&parts), parts[0].interiors().len()), (vec![56.0], 1));
        let opened = "POLYGON((-5 2, 15 2, 15 8, -5 8, -5 2),(-2 4, 5 4, 5 6, -2 6, -2 4))";
        let parts = cut(&Convex::of_box(BOX), opened);
        assert_eq!((areas(&parts), parts[0].interiors().len()), (vec![50.0], 0));
        let through = "POLYGON((-5 2, 15 2, 15 8, -5 8, -5 2),(-2 4, 12 4, 12 6, -2 6, -2 4))";
        assert_eq!(areas(&cut(&Convex::of_box(BOX), through)), [20.0, 20.0]);
    }

    #[test]
    fn pieces_of_any_shape() {
        let triangle =
            Convex::new([(0.0, 0.0), (0.0, 10.0), (10.0, 0.0)].map(|(x, y)| Coord { x, y }).to_vec()).unwrap();
        let corner = areas(&cut(&triangle, "POLYGON((4 4, 9 4, 9 9, 4 9, 4 4))"));
        assert!((corner[0] - 2.0).abs() < 1e-12, "{corner:?}");
        assert_eq!(
            Convex::new(vec![Coord { x: 1.0, y: 1.0 }, Coord { x: 2.0, y: 2.0 }, Coord { x: 3.0, y: 3.0 }]),
            None
        );
    }
}
