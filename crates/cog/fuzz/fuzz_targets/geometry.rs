//! [`rasteret_cog::ParsedGeometry`], [`rasteret_cog::View`] and [`rasteret_cog::Tiling`]: any WKB, text or CRS gives tiles or an error.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rasteret_cog::crs::{Transform, Transforms};
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::{ParsedGeometry, Tiling, Views};

static TRANSFORMS: LazyLock<Transforms> = LazyLock::new(Transforms::default);
static VIEWS: LazyLock<Views> = LazyLock::new(Views::default);

fn cover(parsed: &ParsedGeometry, transform: Option<Arc<Transform>>) {
    let to_world = GeoTransform::from_array([10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]);
    let view = VIEWS.get((1000, 700), to_world, transform).expect("a scene in UTM");
    let about = view.about_pixels(&parsed.geometry).map(|(pixels, _)| pixels);
    for pixels in view.pixels(&parsed.geometry).ok().into_iter().chain(about) {
        let tiling = Tiling { image_width: 1000, image_height: 700, tile_width: 64, tile_height: 64 };
        assert!(tiling.cover(&pixels).iter().all(|span| span.row < 11 && span.start < span.end && span.end <= 16));
    }
}

fuzz_target!(|data: &[u8]| {
    let text = std::str::from_utf8(data).ok();
    if let Some(text) = text {
        let _ = TRANSFORMS.get(text, "EPSG:32631");
    }
    let parsed = [ParsedGeometry::from_wkb(data).ok(), text.and_then(|text| ParsedGeometry::from_text(text).ok())];
    for parsed in parsed.iter().flatten() {
        cover(parsed, None);
        cover(parsed, TRANSFORMS.get("OGC:CRS84", "EPSG:32631").ok());
    }
});
