//! Whether two geometries have a point in common, and a geometry as GeoJSON.
//!
//! Coordinates are longitudes and latitudes, and edges are straight in this plane, as in STAC's `intersects`. Longitudes that
//! differ by multiples of 360 degrees are equivalent: items and searches may be beyond 180, before -180, or across.

use rasteret_cog::Geometry;
use serde_json::{Value, json};

/// xmin, ymin, xmax, ymax; xmin > xmax across the antimeridian (RFC 7946, section 5.2).
pub(super) type Sides = [f64; 4];

/// Degrees of a turn.
const TURN: f64 = 360.0;

/// Maximum number of multiples of 360 degrees to test: two geometries within 360 degrees can intersect at three.
const MAX_TURNS: u8 = 16;

type Point = [f64; 2];
type Segment = [Point; 2];

/// The parts of a geometry.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// At least one point of each part. If a part is inside of another one without crossing it, so are all its points.
    points: Vec<Point>,
    segments: Vec<Segment>,
    /// Rings of each polygon. Points surrounded by an odd number of rings are inside.
    polygons: Vec<Vec<Segment>>,
}

impl Parts {
    pub(super) fn of(geometry: &Geometry) -> Self {
        let mut parts = Self::default();
        parts.points.extend(geometry.points.iter().map(|point| [point.x, point.y]));
        let segments = |line: &[Point]| line.windows(2).map(|pair| [pair[0], pair[1]]).collect::<Vec<Segment>>();
        for line in &geometry.lines {
            let line: Vec<Point> = line.0.iter().map(|vertex| [vertex.x, vertex.y]).collect();
            parts.points.extend(line.first());
            parts.segments.extend(segments(&line));
        }
        for polygon in &geometry.polygons {
            let mut rings = Vec::new();
            for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
                let ring: Vec<Point> = ring.0.iter().map(|vertex| [vertex.x, vertex.y]).collect();
                parts.points.extend(ring.first());
                rings.extend(segments(&ring));
            }
            parts.segments.extend(&rings);
            parts.polygons.push(rings);
        }
        parts
    }

    /// A box.
    pub(super) fn of_box([west, south, east, north]: Sides) -> Self {
        let east = if west > east { east + TURN } else { east };
        let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
        let segments: Vec<Segment> = ring.windows(2).map(|pair| [pair[0], pair[1]]).collect();
        Self { points: vec![ring[0]], segments: segments.clone(), polygons: vec![segments] }
    }

    /// Whether any single part spans more degrees of longitude.
    pub(super) fn is_wider_than(&self, degrees: f64) -> bool {
        self.polygons.iter().map(|rings| extent(rings.iter().flatten(), 0)).any(|[west, east]| east - west > degrees)
    }

    /// Whether they have a point in common when one of them is moved by whole turns.
    pub(super) fn meets_at_any_turn(&self, other: &Self) -> bool {
        let ([south, north], [other_south, other_north]) = (self.extent(1), other.extent(1));
        if south > other_north || other_south > north {
            return false;
        }
        let ([west, east], [other_west, other_east]) = (self.extent(0), other.extent(0));
        // One more at both ends, because the quotients are rounded; additional ones do not intersect.
        let first = ((west - other_east) / TURN).floor();
        let last = ((east - other_west) / TURN).ceil();
        if !(first.is_finite() && last.is_finite()) {
            return false;
        }
        let mut turns = (0..MAX_TURNS).map(|turn| first + f64::from(turn)).take_while(|turn| *turn <= last);
        turns.any(|turn| match turn == 0.0 {
            true => self.meets(other),
            false => self.meets(&other.moved(turn * TURN)),
        })
    }

    fn extent(&self, axis: usize) -> [f64; 2] {
        extent(self.points.iter().chain(self.segments.iter().flatten()), axis)
    }

    fn moved(&self, degrees: f64) -> Self {
        let point = |[x, y]: &Point| [x + degrees, *y];
        let segments = |segments: &[Segment]| segments.iter().map(|[a, b]| [point(a), point(b)]).collect::<Vec<_>>();
        Self {
            points: self.points.iter().map(point).collect(),
            segments: segments(&self.segments),
            polygons: self.polygons.iter().map(|rings| segments(rings)).collect(),
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        let crossing = self.segments.iter().any(|a| other.segments.iter().any(|b| cross(a, b)));
        crossing || self.holds_any(&other.points) || other.holds_any(&self.points)
    }

    /// Whether one of the points is on or in this.
    fn holds_any(&self, points: &[Point]) -> bool {
        points.iter().any(|point| {
            self.points.contains(point)
                || self.segments.iter().any(|segment| on(segment, point))
                || self.polygons.iter().any(|rings| inside(rings, point))
        })
    }
}

/// From the least to the largest coordinate; reversed if there are none.
fn extent<'a>(points: impl Iterator<Item = &'a Point>, axis: usize) -> [f64; 2] {
    points.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], point| [low.min(point[axis]), high.max(point[axis])])
}

/// Twice the area of the triangle; its sign is the side of the segment that the point is on.
fn side([a, b]: &Segment, point: &Point) -> f64 {
    (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
}

fn on(segment: &Segment, point: &Point) -> bool {
    let within = |axis: usize| {
        let [a, b] = [segment[0][axis], segment[1][axis]];
        point[axis] >= a.min(b) && point[axis] <= a.max(b)
    };
    within(0) && within(1) && side(segment, point) == 0.0
}

fn cross(a: &Segment, b: &Segment) -> bool {
    let (first, second) = (side(a, &b[0]), side(a, &b[1]));
    let (third, fourth) = (side(b, &a[0]), side(b, &a[1]));
    let apart = |one: f64, other: f64| (one > 0.0 && other < 0.0) || (one < 0.0 && other > 0.0);
    (apart(first, second) && apart(third, fourth)) || on(a, &b[0]) || on(a, &b[1]) || on(b, &a[0]) || on(b, &a[1])
}

/// Even-odd rule: a ray to the right.
fn inside(rings: &[Segment], point: &Point) -> bool {
    let crossings = rings.iter().filter(|[a, b]| {
        let spans = (a[1] > point[1]) != (b[1] > point[1]);
        spans && point[0] < a[0] + (point[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
    });
    crossings.count() % 2 == 1
}

/// The geometry in the simplest type that holds it.
pub(super) fn geojson(geometry: &Geometry) -> Value {
    fn list(points: impl Iterator<Item = Point>) -> Vec<Value> {
        points.map(|[x, y]| json!([x, y])).collect()
    }
    let points = list(geometry.points.iter().map(|point| [point.x, point.y]));
    let lines: Vec<Value> =
        geometry.lines.iter().map(|line| list(line.0.iter().map(|vertex| [vertex.x, vertex.y])).into()).collect();
    let polygons: Vec<Value> = geometry
        .polygons
        .iter()
        .map(|polygon| {
            let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
            rings.map(|ring| Value::from(list(ring.0.iter().map(|vertex| [vertex.x, vertex.y])))).collect()
        })
        .collect();
    let parts: Vec<Value> = [("Point", points), ("LineString", lines), ("Polygon", polygons)]
        .into_iter()
        .filter_map(|(name, mut parts)| match parts.len() {
            0 => None,
            1 => Some(json!({"type": name, "coordinates": parts.pop()})),
            _ => Some(json!({"type": format!("Multi{name}"), "coordinates": parts})),
        })
        .collect();
    match <[Value; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(parts) => json!({"type": "GeometryCollection", "geometries": parts}),
    }
}

#[cfg(test)]
mod tests {
    use rasteret_cog::ParsedGeometry;

    use super::*;

    fn parsed(wkt: &str) -> Geometry {
        ParsedGeometry::from_text(wkt).unwrap().geometry
    }

    #[test]
    fn intersecting_geometries() {
        let meets = |a: &str, b: &str| {
            let (a, b) = (Parts::of(&parsed(a)), Parts::of(&parsed(b)));
            assert_eq!(a.meets(&b), b.meets(&a));
            a.meets(&b)
        };
        let square = "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))";
        let ring = "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 3 1, 3 3, 1 3, 1 1))";
        for (a, b, expected) in [
            (square, "POINT(2 2)", true),
            (square, "POINT(4 2)", true),
            (square, "POINT(5 2)", false),
            (ring, "POINT(2 2)", false),
            (ring, "POINT(1 2)", true),
            (ring, "POLYGON((1.5 1.5, 2.5 1.5, 2 2.5, 1.5 1.5))", false),
            (square, "POLYGON((1 1, 2 1, 2 2, 1 1))", true),
            (square, "POLYGON((-1 -1, 9 -1, 9 9, -1 9, -1 -1))", true),
            (square, "POLYGON((4 4, 5 4, 5 5, 4 4))", true),
            (square, "LINESTRING(-1 2, 5 2)", true),
            (square, "LINESTRING(-1 5, 5 5)", false),
            ("LINESTRING(0 0, 2 2)", "LINESTRING(0 2, 2 0)", true),
            ("LINESTRING(0 0, 2 0)", "LINESTRING(1 0, 3 0)", true),
            ("LINESTRING(0 0, 1 0)", "LINESTRING(2 0, 3 0)", false),
            ("POINT(1 1)", "MULTIPOINT(0 0, 1 1)", true),
            ("POINT(1 1)", "POINT(1 2)", false),
        ] {
            assert_eq!(meets(a, b), expected, "{a} and {b}");
        }
    }

    #[test]
    fn geojson_has_the_simplest_type() {
        assert_eq!(geojson(&parsed("POINT(1 2)")), json!({"type": "Point", "coordinates": [1.0, 2.0]}));
        let lines =
            json!({"type": "MultiLineString", "coordinates": [[[0.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [3.0, 3.0]]]});
        assert_eq!(geojson(&parsed("MULTILINESTRING((0 0, 1 1), (2 2, 3 3))")), lines);
        let mixed = geojson(&parsed("GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))"));
        assert_eq!(
            (&mixed["type"], mixed["geometries"].as_array().map(Vec::len)),
            (&json!("GeometryCollection"), Some(2))
        );
    }
}
