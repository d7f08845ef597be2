//! Compares coverage with stored results of GDAL and exactextract, areas of `geo`, point samples and partitions.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, missing_docs)]

use std::collections::BTreeMap;

use geo::{Area, BooleanOps, BoundingRect, Contains, Distance, Euclidean, MapCoords, Rect, Validation, coord};
use geo_types::{Coord, LineString, Point, Polygon};
use proptest::prelude::*;
use rasteret_cog::Window;
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::zonal::{Coverage, Method, Run};
use rasteret_cog::{Geometry, ParsedGeometry, Tiling};

type Pixels = BTreeMap<(u32, u32), f64>;

/// Returns the weight of each pixel. Checks that pixels are in order, without repetitions.
fn pixels(coverage: &Coverage) -> Pixels {
    let mut pixels = Pixels::new();
    let mut before: Option<Run> = None;
    for run in coverage.runs() {
        assert!(run.start < run.end && run.weight > 0.0, "{run:?}");
        if let Some(before) = before {
            assert!((before.row, before.end) <= (run.row, run.start), "{before:?} {run:?}");
            assert!(
                before.row < run.row || before.end < run.start || before.weight != run.weight,
                "{before:?} {run:?}"
            );
        }
        before = Some(run);
        pixels.extend((run.start..run.end).map(|col| ((run.row, col), run.weight)));
    }
    pixels
}

fn of(wkt: &str, width: u32, height: u32, method: Method) -> Vec<(u32, u32, u32, f64)> {
    let coverage = Coverage::of(&ParsedGeometry::from_text(wkt).unwrap().geometry, width, height, method);
    coverage.runs().map(|run| (run.row, run.start, run.end, run.weight)).collect()
}

#[test]
fn the_interior_is_one_run_per_row() {
    let square = "POLYGON((1.5 1, 8 1, 8 3.25, 1.5 3.25, 1.5 1))";
    let expected = [(1, 1, 2, 0.5), (1, 2, 8, 1.0), (2, 1, 2, 0.5), (2, 2, 8, 1.0), (3, 1, 2, 0.125), (3, 2, 8, 0.25)];
    assert_eq!(of(square, 10, 10, Method::Fraction), expected);
    // Clipped by the right and lower side of the image.
    assert_eq!(of(square, 4, 2, Method::Fraction), [(1, 1, 2, 0.5), (1, 2, 4, 1.0)]);
    let holed = "POLYGON((-5 -5, 15 -5, 15 15, -5 15, -5 -5),(2 0, 4 0, 4 1, 2 1, 2 0))";
    assert_eq!(of(holed, 10, 2, Method::Fraction), [(0, 0, 2, 1.0), (0, 4, 10, 1.0), (1, 0, 10, 1.0)]);
}

#[test]
fn rows_of_a_rectangle_are_stored_once() {
    let wkt = |points: &str| format!("POLYGON(({points}))");
    for (left, top, right, bottom) in [
        (1.25, 2.5, 7.75, 190.25),
        (0.0, 0.0, 8.0, 200.0),
        (-3.0, -5.5, 20.0, 500.0),
        (2.0, 7.0, 5.0, 140.0),
        (3.2, 1.5, 3.7, 120.5),
    ] {
        let box_of = wkt(&format!("{left} {top}, {right} {top}, {right} {bottom}, {left} {bottom}, {left} {top}"));
        // The same rectangle with an additional vertex is computed row by row.
        let middle = f64::midpoint(top, bottom).floor() + 0.5;
        let split = wkt(&format!(
            "{left} {top}, {right} {top}, {right} {bottom}, {left} {bottom}, {left} {middle}, {left} {top}"
        ));
        for method in [Method::Fraction, Method::Center, Method::AllTouched] {
            let coverage = |wkt: &str| Coverage::of(&ParsedGeometry::from_text(wkt).unwrap().geometry, 8, 200, method);
            let (once, each) = (coverage(&box_of), coverage(&split));
            assert_eq!(pixels(&once), pixels(&each), "{box_of} {method:?}");
            assert_eq!((once.weight(), once.window()), (each.weight(), each.window()));
            assert!(once.byte_len() < 600, "{}", once.byte_len());
            for (width, height) in [(3, 7), (16, 64), (1, 1)] {
                let tiling = Tiling { image_width: 8, image_height: 200, tile_width: width, tile_height: height };
                assert_eq!(once.tiles(&tiling), each.tiles(&tiling));
                for (row, col) in once.tiles(&tiling) {
                    let window = Window { col_off: col * width, row_off: row * height, width, height };
                    assert!(once.within(window).eq(each.within(window)));
                    let fold = |coverage: &Coverage| coverage.within(window).fold(0.0, |all, run| all + run.weight);
                    assert_eq!(fold(&once), fold(&each));
                }
            }
        }
    }
    let whole = Coverage::whole(u32::MAX, u32::MAX);
    assert_eq!(whole.weight(), f64::from(u32::MAX) * f64::from(u32::MAX));
    assert_eq!(whole.window(), Some(Window::of_image(u32::MAX, u32::MAX)));
    assert_eq!(
        Coverage::whole(3, 2).runs().map(|run| (run.row, run.start, run.end)).collect::<Vec<_>>(),
        [(0, 0, 3), (1, 0, 3)]
    );
    assert!(Coverage::whole(0, 5).is_empty() && Coverage::whole(5, 0).is_empty());
}

#[test]
fn the_size_is_checked_in_advance() {
    let fits = |wkt: &str, height: u32, bytes: u64| {
        Coverage::check_size(&ParsedGeometry::from_text(wkt).unwrap().geometry, 1000, height, bytes).is_ok()
    };
    let line = "LINESTRING(0 0, 900 100000)";
    assert!(fits(line, 100, 20_000_000));
    assert!(fits(line, 1_000_000, 20_000_000) && !fits(line, 1_000_000, 9_000_000));
    assert!(fits("POLYGON((0 0, 900 0, 900 1000000, 0 1000000, 0 0))", 2_000_000, 10_000));
    assert!(!fits("POLYGON((0 0, 900 1, 900 1000000, 0 1000000, 0 0))", 2_000_000, 10_000));
}

#[test]
fn the_smallest_polygon_keeps_its_area() {
    let triangle = "POLYGON((7.25 3.5, 7.250000001 3.5, 7.25 3.500000001, 7.25 3.5))";
    let found = of(triangle, 10, 10, Method::Fraction);
    assert_eq!((found.len(), found[0].0, found[0].1), (1, 3, 7));
    assert!((found[0].3 / 5e-19 - 1.0).abs() < 1e-6, "{found:?}");
}

#[test]
fn touched_corners_and_sides_have_no_coverage() {
    // Edges through corners of pixels, with slopes that are not exact in binary.
    for step in 1..40 {
        let (x, y) = (f64::from(step) * 20.0, 60.0);
        let found = of(&format!("POLYGON((0 0, {x} {y}, 0 {y}, 0 0))"), 1000, 100, Method::Fraction);
        assert!(found.iter().all(|run| run.3 > 1e-6), "{step} {found:?}");
        let area: f64 = found.iter().map(|run| f64::from(run.2 - run.1) * run.3).sum();
        assert!((area - x * y / 2.0).abs() < 1e-9 * area, "{step} {area}");
    }
    assert_eq!(of("POLYGON((2 2, 3 2, 3 3, 2 3, 2 2))", 10, 10, Method::Fraction), [(2, 2, 3, 1.0)]);
    assert_eq!(of("POLYGON((10 2, 12 2, 12 3, 10 3, 10 2))", 10, 10, Method::Fraction), []);
}

#[test]
fn parts_are_summed() {
    let twice = "MULTIPOLYGON(((0 0, 2 0, 2 1, 0 1, 0 0)),((1 0, 3 0, 3 1, 1 1, 1 0)))";
    assert_eq!(of(twice, 10, 10, Method::Fraction), [(0, 0, 1, 1.0), (0, 1, 2, 2.0), (0, 2, 3, 1.0)]);
    assert_eq!(of(twice, 10, 10, Method::Center), [(0, 0, 3, 1.0)]);
    // More parts than could be summed with the coverage of the whole image.
    let square =
        Polygon::new(LineString::from(vec![(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5), (0.5, 0.5)]), vec![]);
    let many = Coverage::of(&polygons(vec![square; 5000]), 10, 10, Method::Fraction);
    assert_eq!(
        pixels(&many),
        Pixels::from_iter([
            ((0, 0), 1250.0),
            ((0, 1), 2500.0),
            ((0, 2), 1250.0),
            ((1, 0), 2500.0),
            ((1, 1), 5000.0),
            ((1, 2), 2500.0),
            ((2, 0), 1250.0),
            ((2, 1), 2500.0),
            ((2, 2), 1250.0),
        ])
    );
}

#[test]
fn lines_are_weighted_by_length_and_points_by_one() {
    let line = "LINESTRING(0.5 0.25, 2.25 0.25, 2.25 1.5)";
    assert_eq!(of(line, 9, 9, Method::Fraction), [(0, 0, 1, 0.5), (0, 1, 3, 1.0), (1, 2, 3, 0.5)]);
    let geometry = ParsedGeometry::from_text("LINESTRING(0 0, 3 4)").unwrap().geometry;
    let to_world = GeoTransform { a: 20.0, b: 0.0, c: 0.0, d: 0.0, e: -10.0, f: 0.0 };
    let world = Coverage::on_ground(&geometry, 9, 9, Method::Fraction, &to_world);
    assert!((world.weight() - 60f64.hypot(40.0)).abs() < 1e-12);
    // On the side between two pixels, the right one contains the point; a point on the right side of the image is outside.
    assert_eq!(of("LINESTRING(2 1, 2 3)", 9, 9, Method::Fraction), [(1, 2, 3, 1.0), (2, 2, 3, 1.0)]);
    assert_eq!(of("LINESTRING(2 3, 2 1)", 9, 9, Method::Fraction), [(1, 2, 3, 1.0), (2, 2, 3, 1.0)]);
    assert_eq!(of("LINESTRING(9 1, 9 3)", 9, 9, Method::Fraction), []);
    assert_eq!(of("MULTIPOINT(1 1, 1.5 1.5, 8.9 0, 9 0)", 9, 9, Method::Fraction), [(0, 8, 9, 1.0), (1, 1, 2, 2.0)]);
    assert_eq!(
        of(
            "GEOMETRYCOLLECTION(POINT(5 5),LINESTRING(0 0, 1 0),POLYGON((0 0, 1 0, 1 1, 0 1, 0 0)))",
            9,
            9,
            Method::Fraction
        ),
        [(0, 0, 1, 1.0)]
    );
}

fn polygons(polygons: impl IntoIterator<Item = Polygon<f64>>) -> Geometry {
    Geometry { polygons: polygons.into_iter().collect(), ..Geometry::default() }
}

/// Cases of `scripts/make-coverage-cases`; `RASTERET_COVERAGE_CASES` is the path of another file of cases.
#[test]
fn pixels_equal_gdal_and_exactextract() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/coverage_cases.tsv");
    let path = std::env::var("RASTERET_COVERAGE_CASES").unwrap_or_else(|_| kept.to_owned());
    let cases = std::fs::read_to_string(path).unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (number, case) in cases.lines().enumerate() {
        let fields: Vec<&str> = case.split('\t').collect();
        let [method, world, width, height, wkt, expected] = fields[..] else { panic!("case {number}: {case}") };
        let kind = match method {
            "center" => Method::Center,
            "all_touched" => Method::AllTouched,
            _ => Method::Fraction,
        };
        let geometry = ParsedGeometry::from_text(wkt).unwrap().geometry;
        let to_world =
            GeoTransform { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: if world == "up" { -1.0 } else { 1.0 }, f: 0.0 };
        let (width, height) = (width.parse().unwrap(), height.parse().unwrap());
        let found = pixels(&Coverage::on_ground(&geometry, width, height, kind, &to_world));
        let expected = expected_pixels(expected);
        // exactextract computes coverage in f64 and stores it as f32; that of GDAL is 0 or 1.
        let tolerance = if kind == Method::Fraction { 1e-6 } else { 0.0 };
        let differing: Vec<_> = found
            .keys()
            .chain(expected.keys())
            .filter(|pixel| {
                let (found, expected) = (found.get(pixel).unwrap_or(&0.0), expected.get(pixel).unwrap_or(&0.0));
                (found - expected).abs() > tolerance
            })
            .collect();
        if !differing.is_empty() {
            wrong.push(format!("case {number}, {method} {world} {width} x {height} {wkt}: {differing:?}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(count > 2000);
}

fn expected_pixels(text: &str) -> Pixels {
    let mut pixels = Pixels::new();
    for part in text.split_whitespace() {
        let (row, rest) = part.split_once(':').unwrap();
        let row: u32 = row.parse().unwrap();
        if let Some((col, weight)) = rest.split_once('=') {
            pixels.insert((row, col.parse().unwrap()), weight.parse().unwrap());
        } else {
            let (start, end) = rest.split_once('-').unwrap();
            let columns = start.parse::<u32>().unwrap()..end.parse().unwrap();
            pixels.extend(columns.map(|col| ((row, col), 1.0)));
        }
    }
    pixels
}

/// A coordinate around an image: often on a side or a centre of pixels.
fn around() -> impl Strategy<Value = f64> {
    prop_oneof![(-20i32..80).prop_map(|half| f64::from(half) / 2.0), -10.0..40.0]
}

fn point() -> impl Strategy<Value = Coord<f64>> {
    (around(), around()).prop_map(|(x, y)| Coord { x, y })
}

/// A star-shaped ring around a centre.
fn ring() -> impl Strategy<Value = LineString<f64>> {
    let spokes = proptest::collection::vec((0.0..std::f64::consts::TAU, 0.3..1.0), 3..15);
    let grid = prop_oneof![Just(0.0), Just(1.0), Just(2.0), Just(8.0)];
    (point(), spokes, -7.0..4.5f64, grid, any::<bool>()).prop_map(|(centre, mut spokes, size, grid, reversed)| {
        spokes.sort_by(|a, b| if reversed { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) });
        let snap = |x: f64| if grid == 0.0 { x } else { (x * grid).round() / grid };
        let length = size.exp();
        let corner = |(angle, part): (f64, f64)| {
            coord! {
                x: snap(centre.x + part * length * angle.cos()), y: snap(centre.y + part * length * angle.sin())
            }
        };
        let mut ring: Vec<_> = spokes.into_iter().map(corner).collect();
        ring.push(ring[0]);
        LineString(ring)
    })
}

/// Whether a polygon has an area that rounding errors of its computation do not reach. The vertices of the shell may be collinear,
/// which `is_valid` accepts.
fn has_area(polygon: &Polygon<f64>) -> bool {
    let size = polygon.bounding_rect().map_or(0.0, |bounds| bounds.width().max(bounds.height()));
    polygon.unsigned_area() > 1e-6 * size * size
}

/// A valid polygon, with a hole if possible.
fn polygon() -> impl Strategy<Value = Polygon<f64>> {
    (ring(), 0.1..0.9, any::<bool>())
        .prop_map(|(shell, part, with_hole)| {
            let plain = Polygon::new(shell.clone(), vec![]);
            let centre = plain.bounding_rect().unwrap().center();
            let hole = shell.map_coords(|point| centre + (point - centre) * part);
            let holed = Polygon::new(shell, vec![hole]);
            if with_hole && holed.is_valid() { holed } else { plain }
        })
        .prop_filter("valid, with an area", |polygon| polygon.is_valid() && has_area(polygon))
}

/// A square and its partition into triangles: a lattice with moved inner vertices, whose cells are split along a diagonal.
fn partition() -> impl Strategy<Value = (Polygon<f64>, Vec<Polygon<f64>>)> {
    let jitter = proptest::collection::vec((-0.2..0.2, -0.2..0.2, any::<bool>()), 36);
    (jitter, 0.3..9.0, prop_oneof![Just(0.0), -7.0..0.0], any::<bool>()).prop_map(|(jitter, size, start, exact)| {
        let at = |row: usize, col: usize| {
            let (x, y, _) = jitter[row * 6 + col];
            let is_moved = !exact && (1..5).contains(&row) && (1..5).contains(&col);
            let (x, y) = if is_moved { (x, y) } else { (0.0, 0.0) };
            coord! { x: start + (col as f64 + x) * size, y: start + (row as f64 + y) * size }
        };
        let polygon = |corners: &[Coord<f64>]| {
            Polygon::new(LineString(corners.iter().chain(&corners[..1]).copied().collect()), vec![])
        };
        let mut triangles = Vec::new();
        for (row, col) in (0..25).map(|cell| (cell / 5, cell % 5)) {
            let [a, b, c, d] = [at(row, col), at(row, col + 1), at(row + 1, col + 1), at(row + 1, col)];
            let halves = if jitter[row * 6 + col].2 { [[a, b, c], [a, c, d]] } else { [[a, b, d], [b, c, d]] };
            triangles.extend(halves.map(|half| polygon(&half)));
        }
        (polygon(&[at(0, 0), at(0, 5), at(5, 5), at(5, 0)]), triangles)
    })
}

const WIDTH: u32 = 31;
const HEIGHT: u32 = 27;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn weights_sum_to_the_area(polygon in polygon(), off_x in 0u32..8_000_000, off_y in 0u32..8_000_000) {
        let inside = |x: f64, y: f64| polygon.map_coords(|point| coord! { x: point.x + x, y: point.y + y });
        // Large coordinates lose digits, so the area of the rounded polygon is expected.
        let moved = inside(f64::from(off_x) + 200.0, f64::from(off_y) + 200.0);
        prop_assume!(moved.is_valid() && has_area(&moved));
        let coverage = Coverage::of(&polygons([moved.clone()]), 9_000_000, 9_000_000, Method::Fraction);
        let area = moved.unsigned_area();
        prop_assert!((coverage.weight() - area).abs() <= 1e-9 * area, "{} {}", coverage.weight(), area);
        prop_assert!(pixels(&coverage).values().all(|weight| *weight <= 1.0));
    }

    #[test]
    fn each_weight_is_the_area_of_the_intersection(polygon in polygon()) {
        let found = pixels(&Coverage::of(&polygons([polygon.clone()]), 13, 11, Method::Fraction));
        for (row, col) in (0..11).flat_map(|row| (0..13).map(move |col| (row, col))) {
            let corner = coord! { x: f64::from(col), y: f64::from(row) };
            let pixel = Rect::new(corner, corner + coord! { x: 1.0, y: 1.0 }).to_polygon();
            let weight = found.get(&(row, col)).copied().unwrap_or(0.0);
            // The weight equals the share of 16 x 16 points inside of the polygon, except for points near an edge.
            let samples = (0..256).filter(|at| {
                let point = corner + coord! { x: (f64::from(at % 16) + 0.5) / 16.0, y: (f64::from(at / 16) + 0.5) / 16.0 };
                polygon.contains(&Point(point))
            });
            let share = samples.count() as f64 / 256.0;
            prop_assert!((weight - share).abs() < 0.5 && (share == 0.0 || weight > 0.0), "{row} {col} {weight} {share}");
            if weight > 0.0 && weight < 1.0 {
                let area = polygon.intersection(&pixel).unsigned_area();
                prop_assert!((weight - area).abs() < 1e-6, "{row} {col} {weight} {area}");
            }
        }
    }

    #[test]
    fn weights_of_a_partition_add_up((square, triangles) in partition()) {
        let whole = pixels(&Coverage::of(&polygons([square]), WIDTH, HEIGHT, Method::Fraction));
        let together = pixels(&Coverage::of(&polygons(triangles.clone()), WIDTH, HEIGHT, Method::Fraction));
        let mut sums = Pixels::new();
        for triangle in triangles {
            for (pixel, weight) in pixels(&Coverage::of(&polygons([triangle]), WIDTH, HEIGHT, Method::Fraction)) {
                *sums.entry(pixel).or_default() += weight;
            }
        }
        prop_assert!(whole.keys().eq(sums.keys()) && whole.keys().eq(together.keys()));
        for (pixel, weight) in &whole {
            prop_assert!((sums[pixel] - weight).abs() < 1e-12, "{pixel:?} {} {weight}", sums[pixel]);
            prop_assert!((together[pixel] - weight).abs() < 1e-12, "{pixel:?} {} {weight}", together[pixel]);
            prop_assert!(*weight != 1.0 || together[pixel] == 1.0, "{pixel:?} {}", together[pixel]);
        }
    }

    // Without ALL_TOUCHED: if an edge runs through a corner, the pixels touched according to GDAL depend on clipping.
    #[test]
    fn parts_outside_do_not_affect_pixels_inside(
        polygon in polygon(), method in prop_oneof![Just(Method::Fraction), Just(Method::Center)],
    ) {
        let shifted = polygon.map_coords(|point| point + coord! { x: 16.0, y: 16.0 });
        let large = pixels(&Coverage::of(&polygons([shifted]), WIDTH + 64, HEIGHT + 64, method));
        let small = pixels(&Coverage::of(&polygons([polygon.clone()]), WIDTH, HEIGHT, method));
        let inner: Pixels = large
            .into_iter()
            .filter(|((row, col), _)| (16..16 + HEIGHT).contains(row) && (16..16 + WIDTH).contains(col))
            .map(|((row, col), weight)| ((row - 16, col - 16), weight))
            .collect();
        if method == Method::Fraction {
            for pixel in small.keys().chain(inner.keys()) {
                let weight = |pixels: &Pixels| pixels.get(pixel).copied().unwrap_or(0.0);
                prop_assert!((weight(&small) - weight(&inner)).abs() < 1e-13);
            }
        } else {
            // If an edge runs through a centre, the rounding of shifted coordinates decides.
            let is_on_edge = |(row, col): &(u32, u32)| {
                let centre = Point::new(f64::from(*col) + 0.5, f64::from(*row) + 0.5);
                std::iter::once(polygon.exterior()).chain(polygon.interiors()).any(|ring| Euclidean.distance(&centre, ring) < 1e-12)
            };
            let differing = small.keys().chain(inner.keys()).filter(|pixel| small.get(pixel) != inner.get(pixel));
            for pixel in differing {
                prop_assert!(is_on_edge(pixel), "{pixel:?}");
            }
        }
    }

    #[test]
    fn lines_are_weighted_by_their_length_in_the_image(line in proptest::collection::vec(point(), 2..6)) {
        let geometry = Geometry { lines: vec![LineString(line.clone())], ..Geometry::default() };
        let coverage = Coverage::of(&geometry, 200, 200, Method::Fraction);
        let quarter = Rect::new(coord! { x: 0.0, y: 0.0 }, coord! { x: 200.0, y: 200.0 });
        let length: f64 = line.windows(2).map(|pair| clipped_length(pair[0], pair[1], quarter)).sum();
        prop_assert!((coverage.weight() - length).abs() <= 1e-12 * (1.0 + length), "{} {length}", coverage.weight());
        let _ = pixels(&coverage);
    }

    #[test]
    fn windows_equal_parts_of_the_whole(
        polygon in polygon(), method in method(), tile_width in 1u32..20, tile_height in 1u32..20,
    ) {
        let coverage = Coverage::of(&polygons([polygon]), WIDTH, HEIGHT, method);
        let tiling = Tiling { image_width: WIDTH, image_height: HEIGHT, tile_width, tile_height };
        let mut together = Pixels::new();
        let mut tiles = Vec::new();
        for (row, col) in (0..HEIGHT.div_ceil(tile_height)).flat_map(|row| (0..WIDTH.div_ceil(tile_width)).map(move |col| (row, col))) {
            let (col_off, row_off) = (col * tile_width, row * tile_height);
            let window = Window { col_off, row_off, width: tile_width, height: tile_height };
            let mut before = None;
            for run in coverage.within(window) {
                prop_assert!(row_off <= run.row && run.row < row_off + tile_height);
                prop_assert!(col_off <= run.start && run.start < run.end && run.end <= col_off + tile_width);
                prop_assert!(before < Some((run.row, run.start)));
                before = Some((run.row, run.start));
                together.extend((run.start..run.end).map(|col| ((run.row, col), run.weight)));
            }
            tiles.extend(before.map(|_| (row, col)));
        }
        prop_assert_eq!(together, pixels(&coverage));
        prop_assert_eq!(tiles, coverage.tiles(&tiling));
    }

    #[test]
    fn no_coordinates_panic_or_hang(
        coords in proptest::collection::vec((wild(), wild()), 4..9), method in method(), width in 0u32..40, height in 0u32..40,
    ) {
        let mut ring: Vec<Coord<f64>> = coords.iter().map(|(x, y)| Coord { x: *x, y: *y }).collect();
        ring.push(ring[0]);
        let polygons = vec![Polygon::new(LineString(ring.clone()), vec![])];
        let lines = vec![LineString(ring.clone())];
        for geometry in [
            Geometry { polygons, ..Geometry::default() },
            Geometry { lines, ..Geometry::default() },
            Geometry { points: ring, ..Geometry::default() },
        ] {
            let coverage = Coverage::of(&geometry, width, height, method);
            prop_assert!(coverage.runs().all(|run| run.row < height && run.end <= width));
        }
    }
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Fraction), Just(Method::Center), Just(Method::AllTouched)]
}

/// Coordinates of any size.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![around(), -1e9..1e9, proptest::num::f64::ANY]
}

fn clipped_length(a: Coord<f64>, b: Coord<f64>, image: Rect<f64>) -> f64 {
    let along = b - a;
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (from, step, low, high) in
        [(a.x, along.x, image.min().x, image.max().x), (a.y, along.y, image.min().y, image.max().y)]
    {
        if step == 0.0 {
            if from < low || from >= high {
                return 0.0;
            }
        } else {
            let (first, second) = ((low - from) / step, (high - from) / step);
            enter = enter.max(first.min(second));
            leave = leave.min(first.max(second));
        }
    }
    (leave - enter).max(0.0) * along.x.hypot(along.y)
}
