use geo_types::{Coord, LineString, Polygon};

use super::{Extent, Grid, TileSpan, Tiling};
use crate::geo::BBox;
use crate::{Geometry, ParsedGeometry};

/// Three columns and two rows of tiles of 10 x 10 pixels; the image contains 5 columns and 6 rows of the last ones.
const TILING: Tiling = Tiling { image_width: 25, image_height: 16, tile_width: 10, tile_height: 10 };

fn cover(text: &str) -> Vec<(u32, u32)> {
    let spans = TILING.cover(&ParsedGeometry::from_text(text).unwrap().geometry);
    assert!(spans.is_sorted() && spans.windows(2).all(|pair| pair[0].row < pair[1].row || pair[0].end < pair[1].start));
    spans.into_iter().flat_map(|TileSpan { row, start, end }| (start..end).map(move |col| (row, col))).collect()
}

const ALL: [(u32, u32); 6] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];

#[test]
fn polygons_intersect_tiles_in_an_area() {
    assert_eq!(cover("POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"), [(0, 0)]);
    // The box of a tile, and a box that shares edges with four tiles.
    assert_eq!(cover("POLYGON((10 0, 20 0, 20 10, 10 10, 10 0))"), [(0, 1)]);
    assert_eq!(cover("POLYGON((10 0, 20 0, 20 16, 10 16, 10 0))"), [(0, 1), (1, 1)]);
    assert_eq!(cover("POLYGON((-99 -99, 99 -99, 99 99, -99 99, -99 -99))"), ALL);
    // A diagonal through the corner of four tiles, two of which are only touched in a point.
    assert_eq!(cover("POLYGON((0 0, 1 0, 20 19, 20 20, 19 20, 0 1, 0 0))"), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(cover("POLYGON((0 0, 20 20, 0 20, 0 0))"), [(0, 0), (1, 0), (1, 1)]);
    assert_eq!(cover("POLYGON((10 10, 20 0, 20 10, 10 10))"), [(0, 1)]);
}

#[test]
fn tiles_in_holes_are_excluded() {
    let shell = "-5 -5, 30 -5, 30 30, -5 30, -5 -5";
    assert_eq!(
        cover(&format!("POLYGON(({shell}),(10 0, 20 0, 20 10, 10 10, 10 0))")),
        [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]
    );
    assert_eq!(
        cover(&format!("POLYGON(({shell}),(9 -1, 21 -1, 21 11, 9 11, 9 -1))")),
        [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]
    );
    assert_eq!(cover(&format!("POLYGON(({shell}),(11 1, 19 1, 19 9, 11 9, 11 1))")), ALL);
}

#[test]
fn only_the_part_inside_the_image_is_covered() {
    // In the padding of the last column, and of the last row.
    assert_eq!(cover("POLYGON((26 1, 29 1, 29 9, 26 9, 26 1))"), []);
    assert_eq!(cover("POLYGON((1 17, 9 17, 9 19, 1 19, 1 17))"), []);
    assert_eq!(cover("POLYGON((25 0, 30 0, 30 10, 25 10, 25 0))"), []);
    assert_eq!(cover("LINESTRING(25 0, 30 0)"), [(0, 2)]);
    assert_eq!(cover("POINT(25.1 1)"), []);
    assert_eq!(cover("POLYGON((-9 1, -1 1, -1 9, -9 1))"), []);
}

#[test]
fn lines_and_points_intersect_touched_tiles() {
    assert_eq!(cover("POINT(1 1)"), [(0, 0)]);
    assert_eq!(cover("POINT(10 1)"), [(0, 0), (0, 1)]);
    assert_eq!(cover("POINT(10 10)"), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(cover("POINT(25 16)"), [(1, 2)]);
    assert_eq!(cover("LINESTRING(1 1, 24 1)"), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(cover("LINESTRING(1 10, 9 10)"), [(0, 0), (1, 0)]);
    assert_eq!(cover("LINESTRING(0 20, 20 0)"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]);
    assert_eq!(cover("LINESTRING(10 1, 10 9)"), [(0, 0), (0, 1)]);
    assert_eq!(cover("LINESTRING(1 1, 1 1)"), [(0, 0)]);
    assert_eq!(cover("LINESTRING(-5 3, 3 -5)"), []);
}

#[test]
fn collections_are_the_union_of_their_parts() {
    assert_eq!(
        cover("GEOMETRYCOLLECTION(POINT(1 1),POLYGON((11 11, 19 11, 19 15, 11 11)),POINT(2 2))"),
        [(0, 0), (1, 1)]
    );
    assert_eq!(cover("GEOMETRYCOLLECTION EMPTY"), []);
}

#[test]
fn the_cost_depends_on_the_result_not_on_the_raster() {
    let tiling = Tiling { image_width: u32::MAX, image_height: u32::MAX, tile_width: 1, tile_height: 1 };
    let geometry =
        ParsedGeometry::from_text("POLYGON((5e8 5e8, 500000003 5e8, 5e8 500000003, 5e8 5e8))").unwrap().geometry;
    assert_eq!(tiling.cover(&geometry).iter().map(|span| span.end - span.start).sum::<u32>(), 6);
}

#[test]
fn the_cover_of_an_extent_is_exact_or_none() {
    let (mut decided, mut spread) = (0, 0);
    // Corners on and off borders of tiles, inside and outside of the image, with different tolerances.
    let places = [-3.0, 0.0, 1.0, 9.5, 10.0, 11.0, 19.0, 20.5, 24.0, 25.0, 27.0];
    let corners = || places.iter().flat_map(|y| places.iter().map(move |x| (*x, *y)));
    for (a, b) in corners().flat_map(|a| corners().map(move |b| (a, b))) {
        let ((x0, y0), (x1, y1)) = (a, b);
        let line = format!("LINESTRING({x0} {y0}, {x1} {y1})");
        let triangle = format!("POLYGON(({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y0}))");
        for (text, is_connected) in
            [(line, true), (triangle, true), (format!("MULTIPOINT({x0} {y0}, {x1} {y1})"), false)]
        {
            let Ok(parsed) = ParsedGeometry::from_text(&text) else { continue };
            let bounds = parsed.geometry.bbox().unwrap();
            let expected = TILING.cover(&parsed.geometry);
            for known_to in [0.0, 0.25, 1.5, 7.0] {
                let grown = |by: f64| BBox {
                    xmin: bounds.xmin - by,
                    ymin: bounds.ymin - by,
                    xmax: bounds.xmax + by,
                    ymax: bounds.ymax + by,
                };
                let extent = Extent { outer: grown(known_to), inner: grown(-known_to) };
                let mut spans = Vec::new();
                if Grid::new(&TILING).cover_of(&extent, is_connected, &mut spans) {
                    assert_eq!(spans, expected, "{text}, known to {known_to}");
                    decided += 1;
                    spread += u32::from(expected.iter().map(|span| span.end - span.start).sum::<u32>() > 1);
                }
            }
        }
    }
    assert!(decided > 10_000 && spread > 1000, "{decided} {spread}");
}

#[test]
fn an_unambiguous_cover_does_not_depend_on_small_shifts() {
    const BY: f64 = 0.05;
    let mut state = 7u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (grid, mut clear, mut others) = (Grid::new(&TILING), 0, 0);
    for _ in 0..20_000 {
        let mut vertex = || Coord { x: number() * 31.0 - 3.0, y: number() * 22.0 - 3.0 };
        let corners = [vertex(), vertex(), vertex()];
        let geometry = |moved: [Coord<f64>; 3]| Geometry {
            lines: vec![LineString(moved[..2].to_vec())],
            polygons: vec![Polygon::new(LineString(moved.to_vec()), Vec::new())],
            ..Geometry::default()
        };
        let seeming = geometry(corners);
        if !grid.is_clear_of(&seeming, BY) {
            others += 1;
            continue;
        }
        clear += 1;
        let expected = TILING.cover(&seeming);
        for _ in 0..4 {
            let step = |number: f64| BY * (1.4 * number - 0.7);
            let moved = corners.map(|corner| corner + Coord { x: step(number()), y: step(number()) });
            assert_eq!(TILING.cover(&geometry(moved)), expected, "{corners:?} {moved:?}");
        }
    }
    assert!(clear > 5000 && others > 1000, "{clear} {others}");
}
