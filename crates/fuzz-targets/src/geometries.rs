//! Any WKB, text or CRS returns a geometry, tiles and weights, or an error.

use std::sync::{Arc, LazyLock};

use rasteret_cog::Window;
use rasteret_cog::crs::{Transform, Transforms};
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::tiff::DataType;
use rasteret_cog::write::{CogLayout, CogOptions, CogProfile};
use rasteret_cog::zonal::{Coverage, Method};
use rasteret_cog::{Geometry, GeometryProjector, ParsedGeometry, ProjectorCache, Tiling};

static TRANSFORMS: LazyLock<Transforms> = LazyLock::new(Transforms::default);
static VIEWS: LazyLock<ProjectorCache> = LazyLock::new(ProjectorCache::default);

/// Columns and rows of the image whose coverage is checked.
const SIZE: (u32, u32) = (100, 70);

/// Tiles of a scene in UTM.
fn tiles(parsed: &ParsedGeometry, transform: Option<Arc<Transform>>) {
    let to_world = GeoTransform::from_array([10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]);
    let Ok(view) = VIEWS.get((1000, 700), to_world, transform) else { return };
    let about = view.approximate_pixels(&parsed.geometry).map(|(pixels, _)| pixels);
    for pixels in view.pixels(&parsed.geometry).ok().into_iter().chain(about) {
        let tiling = Tiling { image_width: 1000, image_height: 700, tile_width: 64, tile_height: 64 };
        assert!(tiling.cover(&pixels).iter().all(|span| span.row < 11 && span.start < span.end && span.end <= 16));
    }
}

fn both(parsed: &ParsedGeometry) {
    tiles(parsed, None);
    tiles(parsed, TRANSFORMS.get("OGC:CRS84", "EPSG:32631").ok());
}

pub(crate) fn wkb(data: &[u8]) {
    if let Ok(parsed) = ParsedGeometry::from_wkb(data) {
        both(&parsed);
    }
}

/// WKT, EWKT, GeoJSON, WKB as hexadecimal digits.
pub(crate) fn text(data: &[u8]) {
    if let Some(parsed) = std::str::from_utf8(data).ok().and_then(|text| ParsedGeometry::from_text(text).ok()) {
        both(&parsed);
    }
}

/// Names of CRSs, WKT and PROJJSON: transformations, and GeoKeys of a file that is written.
pub(crate) fn crs(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let profile = CogProfile { crs: Some(text.to_owned()), ..CogProfile::new(1, 1, 1, DataType::Uint8) };
        let _ = CogLayout::new(profile, CogOptions::default());
        // Without cache, because every input is different.
        let transforms = Transforms::default();
        for transform in [transforms.get(text, "EPSG:32631"), transforms.get("OGC:CRS84", text)].into_iter().flatten() {
            for point in [(0.0, 0.0), (500_000.0, 4_600_000.0), (180.0, 90.0)] {
                let point = point.into();
                let _ = (transform.forward(point), transform.backward(point));
            }
        }
    }
}

/// Checks that weights are inside of the image, in order, and in the tiles of the coverage.
pub(crate) fn coverage(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    let parsed = [ParsedGeometry::from_wkb(data).ok(), text.and_then(|text| ParsedGeometry::from_text(text).ok())];
    let transforms = [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.8, -0.6, 3.0, 0.6, 0.8, -5.0]].map(GeoTransform::from_array);
    for parsed in parsed.iter().flatten() {
        for to_world in &transforms {
            let view = GeometryProjector::new(SIZE.0, SIZE.1, *to_world, None);
            let Some(pixels) = view.ok().and_then(|view| view.pixels(&parsed.geometry).ok()) else {
                continue;
            };
            for method in [Method::Fraction, Method::Center, Method::AllTouched] {
                check(&pixels, to_world, method);
            }
        }
    }
}

fn check(pixels: &Geometry, to_world: &GeoTransform, method: Method) {
    let (width, height) = SIZE;
    let coverage = Coverage::on_ground(pixels, width, height, method, to_world);
    let runs: Vec<_> = coverage.runs().collect();
    for run in &runs {
        assert!(run.start < run.end && run.end <= width && run.row < height, "{run:?}");
        assert!(run.weight > 0.0 && run.weight.is_finite(), "{run:?}");
    }
    for pair in runs.windows(2) {
        assert!((pair[0].row, pair[0].end) <= (pair[1].row, pair[1].start), "{pair:?}");
    }
    let tiling = Tiling { image_width: width, image_height: height, tile_width: 16, tile_height: 16 };
    let within = coverage.tiles(&tiling).into_iter().map(|(row, col)| {
        let window = Window { col_off: 16 * col, row_off: 16 * row, width: 16, height: 16 };
        coverage.within(window).map(|run| u64::from(run.end - run.start)).sum::<u64>()
    });
    assert_eq!(within.sum::<u64>(), runs.iter().map(|run| u64::from(run.end - run.start)).sum::<u64>());
}
