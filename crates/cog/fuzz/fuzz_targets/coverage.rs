//! [`rasteret_cog::coverage::Coverage`]: any geometry has weights from 0 to 1 (lengths aside), inside the image, in order, in the tiles
//! that it names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rasteret_cog::coverage::{Coverage, Method};
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::pixel::Window;
use rasteret_cog::{Geometry, ParsedGeometry, Tiling, View};

const WIDTH: u32 = 100;
const HEIGHT: u32 = 70;

fn check(pixels: &Geometry, to_world: &GeoTransform, method: Method) {
    let coverage = Coverage::on_ground(pixels, WIDTH, HEIGHT, method, to_world);
    let runs: Vec<_> = coverage.runs().collect();
    for run in &runs {
        assert!(run.start < run.end && run.end <= WIDTH && run.row < HEIGHT, "{run:?}");
        assert!(run.weight > 0.0 && run.weight.is_finite(), "{run:?}");
    }
    for pair in runs.windows(2) {
        assert!((pair[0].row, pair[0].end) <= (pair[1].row, pair[1].start), "{pair:?}");
    }
    let tiling = Tiling { image_width: WIDTH, image_height: HEIGHT, tile_width: 16, tile_height: 16 };
    let within = coverage.tiles(&tiling).into_iter().map(|(row, col)| {
        let window = Window { col_off: 16 * col, row_off: 16 * row, width: 16, height: 16 };
        coverage.within(window).map(|run| u64::from(run.end - run.start)).sum::<u64>()
    });
    assert_eq!(within.sum::<u64>(), runs.iter().map(|run| u64::from(run.end - run.start)).sum::<u64>());
}

fuzz_target!(|data: &[u8]| {
    let text = std::str::from_utf8(data).ok();
    let parsed = [ParsedGeometry::from_wkb(data).ok(), text.and_then(|text| ParsedGeometry::from_text(text).ok())];
    let transforms = [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.8, -0.6, 3.0, 0.6, 0.8, -5.0]].map(GeoTransform::from_array);
    for parsed in parsed.iter().flatten() {
        for to_world in &transforms {
            let view = View::new(WIDTH, HEIGHT, *to_world, None).expect("an image of units");
            let Ok(pixels) = view.pixels(&parsed.geometry) else {
                continue;
            };
            for method in [Method::Fraction, Method::Center, Method::AllTouched] {
                check(&pixels, to_world, method);
            }
        }
    }
});
