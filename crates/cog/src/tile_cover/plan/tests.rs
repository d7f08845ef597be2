use std::sync::Arc;

use super::TilePlan;
use crate::crs::{Transform, Transforms};
use crate::header::fixtures::header;
use crate::project::Extent;
use crate::{CogHeader, ParsedGeometry, ProjectorCache, Result, Tile};

fn plan(header: &CogHeader, level: u32, band: Option<u32>, transform: Option<Arc<Transform>>) -> Result<TilePlan> {
    TilePlan::new(header.grid(level)?.layout(), header.bands(), band, transform, &ProjectorCache::default())
}

/// Returns the tiles that intersect a geometry.
fn found(header: &CogHeader, plan: &mut TilePlan, text: &str) -> Vec<Tile> {
    let grid = header.grid(plan.layout().level()).unwrap();
    let geometry = ParsedGeometry::from_text(text).unwrap().geometry;
    let positions: Vec<u64> = plan.tiles(&geometry).unwrap().iter().map(|tile| grid.layout().position(*tile)).collect();
    positions.into_iter().map(|position| grid.tile(position).unwrap()).collect()
}

/// Level, band, position in the plane and offset of the tiles of a native geometry.
fn tiles(header: &CogHeader, level: u32, band: Option<u32>, text: &str) -> Vec<(Option<u32>, u64, Option<u64>)> {
    let mut plan = plan(header, level, band, None).unwrap();
    let tiles = found(header, &mut plan, text);
    assert!(tiles.iter().all(|tile| tile.level == level));
    tiles.iter().map(|tile| (tile.band_index, tile.index, tile.offset)).collect()
}

/// Intersects the second and third tile of the first row of 32 x 32 tiles.
const SQUARE: &str = "POLYGON((500400 4599900, 500700 4599900, 500700 4599950, 500400 4599950, 500400 4599900))";

#[test]
fn levels_and_planes() {
    let chunky = header(100, 100, 32, 1);
    assert_eq!(tiles(&chunky, 0, None, SQUARE), [(None, 1, Some(2000)), (None, 2, Some(3000))]);
    assert_eq!(tiles(&chunky, 0, Some(0), SQUARE), [(None, 1, Some(2000)), (None, 2, Some(3000))]);
    assert_eq!(tiles(&chunky, 1, None, SQUARE), [(None, 0, Some(1000)), (None, 1, Some(2000))]);
    let planar = header(100, 100, 32, 2);
    assert_eq!(tiles(&planar, 0, Some(1), SQUARE), [(Some(1), 1, Some(18_000)), (Some(1), 2, Some(19_000))]);
    let both =
        [(Some(0), 1, Some(2000)), (Some(0), 2, Some(3000)), (Some(1), 1, Some(18_000)), (Some(1), 2, Some(19_000))];
    assert_eq!(tiles(&planar, 0, None, SQUARE), both);
    let narrowed = planar.for_band(1).unwrap();
    assert_eq!(tiles(&narrowed, 0, None, SQUARE), both[2..]);
    assert_eq!(tiles(&narrowed, 0, Some(1), SQUARE), both[2..]);
}

#[test]
fn sparse_tiles_have_no_offset() {
    let mut sparse = header(100, 100, 32, 1);
    sparse.image.tile_offsets[1] = 0;
    assert_eq!(tiles(&sparse, 0, None, SQUARE), [(None, 1, None), (None, 2, Some(3000))]);
}

#[test]
fn missing_levels_and_bands_are_errors() {
    let full = header(100, 100, 32, 1);
    let fault = |level, band| plan(&full, level, band, None).unwrap_err().to_string();
    assert_eq!(fault(2, None), "level: expected one of the 2 levels from 0, found 2");
    assert_eq!(fault(0, Some(1)), "expected a band_index from 0 to 0, found 1: the file has 1 bands");
    let mut short = header(100, 100, 32, 3);
    short.image.tile_offsets.truncate(32);
    short.image.tile_byte_counts.truncate(32);
    let fault = plan(&short, 0, Some(2), None).unwrap_err().to_string();
    assert_eq!(fault, "file: level 0: expected tables of 3 planes, found 2");
}

#[test]
fn crs_of_the_raster() {
    let transforms = Transforms::default();
    let fault = |header: &CogHeader, crs: &str| header.transform_from(crs, &transforms).unwrap_err().to_string();
    let full = header(100, 100, 32, 1);
    assert!(full.transform_from("Native", &transforms).unwrap().is_none());
    assert!(full.transform_from("EPSG:32631", &transforms).unwrap().unwrap().is_identity());
    let plain = CogHeader { transform: None, ..full.clone() };
    assert!(fault(&plain, "OGC:CRS84").starts_with("the raster has no georeferencing"));
    let unnamed = CogHeader { crs: None, ..full };
    assert!(fault(&unnamed, "EPSG:4326").starts_with("the metadata has no crs"));
}

#[test]
fn longitudes_and_latitudes() {
    let header = header(100, 100, 32, 1);
    let transform = header.transform_from("OGC:CRS84", &Transforms::default()).unwrap();
    let mut plan = plan(&header, 0, None, transform).unwrap();
    let mut found = |text| found(&header, &mut plan, text);
    // 500 m east and south of the corner.
    assert_eq!(found("POINT(3.006 41.547)").iter().map(|tile| tile.index).collect::<Vec<_>>(), [5]);
    assert_eq!(found("POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))").len(), 16);
    assert_eq!(found("POINT(4 41.547)"), []);
}

/// Numbers from 0 to 1, the same in every run.
fn numbers() -> impl FnMut() -> f64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn approximate_plans_equal_exact_ones() {
    let transforms = Transforms::default();
    let header = header(10_980, 10_980, 512, 1);
    let mut number = numbers();
    for crs in ["OGC:CRS84", "EPSG:3857", "EPSG:3035"] {
        let transform = header.transform_from(crs, &transforms).unwrap();
        let back = |x: f64, y: f64| {
            let point = transform.as_ref().unwrap().backward(geo_types::Coord { x, y }).unwrap();
            format!("{:?} {:?}", point.x, point.y)
        };
        let plan = || plan(&header, 0, None, transform.clone()).unwrap();
        let (mut many, mut quick) = (plan(), 0);
        for _ in 0..2000 {
            // Close to a border of tiles or anywhere, including outside; from one pixel to ten tiles in size.
            let mut at = || (number() * 24.0 - 1.0) * 5120.0;
            let (x, y) = (at(), at());
            let (x, y) =
                if number() < 0.5 { (x, y) } else { ((x / 5120.0).round() * 5120.0 + 20.0 * number() - 10.0, y) };
            let size = 10f64.powf(1.0 + 3.0 * number());
            let corners = [(0.0, 0.0), (size, 0.0), (size, size * number()), (0.0, size), (0.0, 0.0)];
            let ring = corners.map(|(dx, dy)| back(500_000.0 + x + dx, 4_600_000.0 - y - dy)).join(", ");
            let geometry = ParsedGeometry::from_text(&format!("POLYGON(({ring}))")).unwrap().geometry;
            let exact = plan().projector.pixels(&geometry).unwrap();
            if let Some((about, error)) = many.projector.approximate_pixels(&geometry) {
                assert_eq!(about.vertices().count(), exact.vertices().count(), "{ring}");
                let mut pairs = about.vertices().zip(exact.vertices());
                assert!(pairs.all(|(a, b)| (a.x - b.x).hypot(a.y - b.y) <= error), "{ring}");
                quick += 1;
            }
            if let Some(Extent { outer, inner }) = many.projector.approximate_extent(geometry.bbox().unwrap()) {
                let pixels = exact.bbox().unwrap();
                assert!(outer.xmin <= pixels.xmin && pixels.xmin <= inner.xmin, "{outer:?} {pixels:?} {inner:?}");
                assert!(inner.xmax <= pixels.xmax && pixels.xmax <= outer.xmax, "{outer:?} {pixels:?} {inner:?}");
                assert!(outer.ymin <= pixels.ymin && pixels.ymin <= inner.ymin, "{outer:?} {pixels:?} {inner:?}");
                assert!(inner.ymax <= pixels.ymax && pixels.ymax <= outer.ymax, "{outer:?} {pixels:?} {inner:?}");
                quick += 1;
            }
            let of = |plan: &mut TilePlan| plan.tiles(&geometry).unwrap().to_vec();
            assert_eq!(of(&mut many), of(&mut plan()), "{crs}: {ring}");
        }
        assert!(quick > 2000, "{crs}: {quick}");
    }
}
