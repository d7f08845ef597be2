//! Compares the cover with a test of all tiles by the exact predicates of `geo`.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, missing_docs)]

use geo::coordinate_position::CoordPos;
use geo::dimensions::Dimensions;
use geo::{Area, BoundingRect, Intersects, MapCoords, Rect, Relate, Validation, coord};
use geo_types::{Coord, Geometry as AnyGeometry, LineString, Point, Polygon};
use proptest::prelude::*;
use rasteret_cog::{CoalesceConfig, Geometry, Tiling};

fn tiling() -> impl Strategy<Value = Tiling> {
    (1u32..60, 1u32..60, 1u32..25, 1u32..25).prop_map(|(image_width, image_height, tile_width, tile_height)| Tiling {
        image_width,
        image_height,
        tile_width,
        tile_height,
    })
}

/// A coordinate around an image: often a whole number, so that corners and edges coincide with tiles.
fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![(-20i32..80).prop_map(f64::from), -20.0..80.0]
}

fn point() -> impl Strategy<Value = Coord<f64>> {
    (coordinate(), coordinate()).prop_map(|(x, y)| Coord { x, y })
}

/// A star-shaped ring around a centre, which is simple unless two vertices have the same direction.
fn ring() -> impl Strategy<Value = LineString<f64>> {
    (point(), proptest::collection::vec((0.0..std::f64::consts::TAU, 0.5..40.0, any::<bool>()), 3..12)).prop_map(
        |(centre, mut spokes)| {
            spokes.sort_by(|a, b| a.0.total_cmp(&b.0));
            let corner = |(angle, length, whole): (f64, f64, bool)| {
                let corner = coord! { x: centre.x + length * angle.cos(), y: centre.y + length * angle.sin() };
                if whole {
                    coord! { x: corner.x.round(), y: corner.y.round() }
                } else {
                    corner
                }
            };
            let mut ring: Vec<_> = spokes.into_iter().map(corner).collect();
            ring.push(ring[0]);
            LineString(ring)
        },
    )
}

fn rotated(polygon: &Polygon<f64>, degrees: f64) -> Polygon<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    polygon.map_coords(|Coord { x, y }| Coord { x: x * cos - y * sin, y: x * sin + y * cos })
}

/// A valid polygon, rotated, with a hole if possible.
fn polygon() -> impl Strategy<Value = Polygon<f64>> {
    let angle = prop_oneof![Just(0.0), Just(90.0), -180.0..180.0];
    (ring(), 0.1..0.8, any::<bool>(), angle)
        .prop_map(|(shell, shrink, with_hole, angle)| {
            let centre = Polygon::new(shell.clone(), vec![]).bounding_rect().unwrap().center();
            let hole = shell.map_coords(|point| centre + (point - centre) * shrink);
            let holed = Polygon::new(shell.clone(), vec![hole]);
            let plain = Polygon::new(shell, vec![]);
            rotated(if with_hole && holed.is_valid() { &holed } else { &plain }, angle)
        })
        // geo considers collinear vertices valid, and then returns an area for tiles that are only touched.
        .prop_filter("valid", |polygon| polygon.is_valid() && polygon.unsigned_area() > 1e-9)
}

fn cover(tiling: Tiling, geometry: &Geometry) -> Vec<(u32, u32)> {
    let spans = tiling.cover(geometry);
    spans.iter().flat_map(|span| (span.start..span.end).map(|col| (span.row, col))).collect()
}

/// All tiles that satisfy `meets`.
fn brute_force(tiling: Tiling, meets: impl Fn(Rect<f64>) -> bool) -> Vec<(u32, u32)> {
    let Tiling { image_width, image_height, tile_width, tile_height } = tiling;
    let mut found = Vec::new();
    for row in 0..image_height.div_ceil(tile_height) {
        for col in 0..image_width.div_ceil(tile_width) {
            let (left, top) = (col * tile_width, row * tile_height);
            let end = coord! { x: f64::from(image_width.min(left + tile_width)), y: f64::from(image_height.min(top + tile_height)) };
            if meets(Rect::new(coord! { x: f64::from(left), y: f64::from(top) }, end)) {
                found.push((row, col));
            }
        }
    }
    found
}

fn share_an_area(polygon: &Polygon<f64>, tile: Rect<f64>) -> bool {
    polygon.relate(&tile.to_polygon()).get(CoordPos::Inside, CoordPos::Inside) == Dimensions::TwoDimensional
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn polygons(tiling in tiling(), polygon in polygon()) {
        let geometry = Geometry { polygons: vec![polygon.clone()], ..Geometry::default() };
        let found = cover(tiling, &geometry);
        prop_assert_eq!(&found, &brute_force(tiling, |tile| share_an_area(&polygon, tile)));
        let bounds = Polygon::from(polygon.bounding_rect().unwrap());
        let boxed = brute_force(tiling, |tile| share_an_area(&bounds, tile));
        prop_assert!(found.iter().all(|tile| boxed.contains(tile)));
    }

    #[test]
    fn lines_and_points(tiling in tiling(), line in proptest::collection::vec(point(), 2..6), point in point()) {
        let line = LineString(line);
        let geometry = Geometry { lines: vec![line.clone()], points: vec![point], ..Geometry::default() };
        let parts = [AnyGeometry::LineString(line), AnyGeometry::Point(Point(point))];
        let expected = brute_force(tiling, |tile| parts.iter().any(|part| part.intersects(&tile)));
        prop_assert_eq!(cover(tiling, &geometry), expected);
    }

    #[test]
    fn several_parts(tiling in tiling(), polygons in proptest::collection::vec(polygon(), 1..4)) {
        let geometry = Geometry { polygons: polygons.clone(), ..Geometry::default() };
        let expected = brute_force(tiling, |tile| polygons.iter().any(|polygon| share_an_area(polygon, tile)));
        prop_assert_eq!(cover(tiling, &geometry), expected);
    }

    #[test]
    fn requests_cover_their_ranges(
        ranges in proptest::collection::vec((0u64..10_000, 0u64..500), 0..40),
        max_gap in 0u64..300,
        max_size in 1u64..2_000,
    ) {
        let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
        let requests = CoalesceConfig { max_gap, max_size }.serve(&ranges);
        let bytes = |ranges: &[std::ops::Range<u64>]| ranges.iter().cloned().flatten().collect::<std::collections::BTreeSet<_>>();
        let spans: Vec<_> = requests.iter().map(|(range, _)| range.clone()).collect();
        let (asked, fetched) = (bytes(&ranges), bytes(&spans));
        prop_assert!(asked.is_subset(&fetched));
        prop_assert!(spans.iter().all(|request| !request.is_empty() && request.end - request.start <= max_size));
        prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "requests overlap");
        // Only gaps up to the limit are included.
        let unused: Vec<u64> = fetched.difference(&asked).copied().collect();
        prop_assert!(unused.chunk_by(|a, b| a + 1 == *b).all(|gap| gap.len() as u64 <= max_gap));
        let distinct: std::collections::BTreeSet<_> = ranges.iter().filter(|r| !r.is_empty()).map(|r| (r.start, r.end)).collect();
        prop_assert_eq!(requests.iter().map(|(_, count)| count).sum::<usize>(), distinct.len());
    }
}
