use proptest::prelude::*;

use super::resampling::Resampling;
use super::scale::{KernelScale, least_step};
use super::source_map::SourceMap;
use super::*;
use crate::codec::Samples;
use crate::crs::Transforms;
use crate::geo::{BBox, GeoTransform};
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::tiff::DataType;

fn grid(epsg: u32, transform: [f64; 6], width: u32, height: u32) -> TargetGrid {
    TargetGrid::new(GeoTransform::from_array(transform), Some(format!("EPSG:{epsg}")), width, height).unwrap()
}

fn map(grid: &TargetGrid, source: &RasterInfo) -> SourceMap {
    SourceMap::new(grid, source, &Transforms::default()).unwrap()
}

fn warp(grid: &TargetGrid, source: &RasterInfo, method: Resampling) -> Warp {
    let map = map(grid, source);
    let scale = KernelScale::new(&map, Window::of_image(grid.width, grid.height));
    Warp {
        map,
        method,
        scale,
        data_type: DataType::Float64,
        nodata_tag: None,
        nodata: None,
        fill: vec![0; 8],
        scaled: false,
    }
}

/// The values of a grid, None where invalid, given those of the whole source.
fn resampled(grid: &TargetGrid, source: &RasterInfo, method: Resampling, values: &[Option<f64>]) -> Vec<Option<f64>> {
    let warp = warp(grid, source, method);
    let width = source.width as usize;
    let mut found = vec![None; grid.width as usize * grid.height as usize];
    for block in Warp::blocks(Window::of_image(grid.width, grid.height)).flat_map(|block| warp.plan(block).unwrap()) {
        let patch = |window: &Window| {
            let rows = window.row_off as usize..window.row_end() as usize;
            let cols = window.col_off as usize..window.col_end() as usize;
            let part: Vec<_> = rows.flat_map(|row| values[row * width..][cols.clone()].to_vec()).collect();
            let mask = part.iter().map(|value| if value.is_some() { 255 } else { 0 }).collect();
            let samples = Samples::Float64(part.into_iter().map(|value| value.unwrap_or(-1e9)).collect());
            SourcePixels { window: *window, samples, mask }
        };
        let patches: Vec<_> = block.sources.iter().map(patch).collect();
        let warped = warp.resample(&block, &patches).unwrap();
        let values = warped.data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        for (at, (value, mask)) in values.zip(&warped.mask).enumerate() {
            let (row, col) = (at / warped.window.width as usize, at % warped.window.width as usize);
            let at =
                (warped.window.row_off as usize + row) * grid.width as usize + warped.window.col_off as usize + col;
            found[at] = (*mask != 0).then_some(value);
        }
    }
    found
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn positions_are_those_of_the_projection() {
    let sources = [
        RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0], 2000, 2000),
        RasterInfo::in_epsg(32632, [10.0, 3.0, 200_000.0, 3.0, -10.0, 5_000_000.0], 2000, 2000),
        RasterInfo::in_epsg(4326, [1e-4, 0.0, 3.0, 0.0, -1e-4, 45.2], 2000, 2000),
        RasterInfo::in_epsg(3035, [10.0, 0.0, 3_700_000.0, 0.0, -10.0, 2_500_000.0], 2000, 2000),
    ];
    let targets = [
        grid(3857, [14.0, 0.0, 334_000.0, 0.0, -14.0, 5_640_000.0], 700, 300),
        grid(32631, [7.0, 2.0, 500_100.0, 2.0, -7.0, 4_999_000.0], 300, 300),
        grid(4326, [9e-5, 0.0, 3.01, 0.0, -9e-5, 45.1], 300, 300),
    ];
    for (source, target) in sources.iter().flat_map(|source| targets.iter().map(move |target| (source, target))) {
        let map = map(target, source);
        let window = Window { col_off: 17, row_off: 5, width: 250, height: 130 };
        for (corners, edges) in [(false, true), (false, false), (true, false)] {
            let positions = map.positions(window, corners, edges);
            for (at, (x, y)) in positions.cols.iter().zip(&positions.rows).enumerate() {
                let offset = if corners { 0.0 } else { 0.5 };
                let (row, col) = (at / positions.width, at % positions.width);
                let exact = map.exact(17.0 + col as f64 + offset, 5.0 + row as f64 + offset).unwrap();
                let error = (x - exact.0).abs().max((y - exact.1).abs());
                assert!(error <= 1e-7, "{source:?} {target:?}: {error} at column {col}, row {row}");
            }
        }
    }
}

#[test]
fn positions_across_the_antimeridian_are_in_the_image() {
    let source = RasterInfo::in_epsg(4326, [0.1, 0.0, -180.0, 0.0, -0.1, 90.0], 3600, 1800);
    let target = grid(32660, [1000.0, 0.0, 700_000.0, 0.0, -1000.0, 1_000_000.0], 400, 64);
    let map = map(&target, &source);
    let positions = map.positions(Window::of_image(400, 64), false, true);
    for (at, (x, y)) in positions.cols.iter().zip(&positions.rows).enumerate() {
        let (row, col) = (at / 400, at % 400);
        let exact = map.homed(map.exact(col as f64 + 0.5, row as f64 + 0.5).unwrap());
        assert!((x - exact.0).abs() < 1e-7 && (y - exact.1).abs() < 1e-7, "{x} {y} {exact:?}");
        assert!((0.0..3600.0).contains(x) && (0.0..1800.0).contains(y));
    }
    assert!(positions.cols.iter().any(|x| *x < 10.0) && positions.cols.iter().any(|x| *x > 3590.0));
    // Two windows, not the whole width.
    let windows = positions.windows(&map, Window::of_image(400, 64), (0.0, 0.0), false).unwrap();
    assert_eq!(windows.len(), 2);
    assert!(windows.iter().all(|window| window.width < 100), "{windows:?}");
}

#[test]
fn areas_may_be_larger_than_half_of_a_raster_in_degrees() {
    let values: Vec<f64> = (0..16).map(f64::from).collect();
    let source = RasterInfo::in_epsg(4326, [1.0, 0.0, 0.0, 0.0, -1.0, 2.0], 8, 2);
    // From column 1 to 7, and beyond both sides.
    let part = grid(4326, [6.0, 0.0, 1.0, 0.0, -2.0, 2.0], 1, 1);
    let whole = grid(4326, [12.0, 0.0, -2.0, 0.0, -12.0, 6.0], 1, 1);
    for (method, expected) in [
        (Resampling::Average, [7.5, 7.5]),
        (Resampling::Mode, [1.0, 0.0]),
        (Resampling::Min, [1.0, 0.0]),
        (Resampling::Max, [14.0, 15.0]),
    ] {
        let found = [&part, &whole].map(|grid| resampled(grid, &source, method, &some(&values))[0]);
        assert_eq!(found, expected.map(Some), "{method:?}");
    }
}

#[test]
fn pixels_of_the_own_grid_are_copied_by_every_method() {
    let source = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0], 4, 3);
    let values: Vec<_> = (0..12).map(|number| (number != 5).then(|| 0.1 + f64::from(number))).collect();
    let target = grid(32631, [10.0, 0.0, 500_010.0, 0.0, -10.0, 5_000_010.0], 4, 4);
    let pixel = |number: usize| values[number];
    let expected = [
        [None; 4],
        [pixel(1), pixel(2), pixel(3), None],
        [None, pixel(6), pixel(7), None],
        [pixel(9), pixel(10), pixel(11), None],
    ];
    for method in [
        Resampling::Nearest,
        Resampling::Bilinear,
        Resampling::Cubic,
        Resampling::Average,
        Resampling::Mode,
        Resampling::Min,
    ] {
        assert_eq!(resampled(&target, &source, method, &values), expected.concat(), "{method:?}");
    }
}

#[test]
fn kernels_halfway_between_pixels() {
    let source = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0], 4, 4);
    let values = some(&(0..16).map(|number| f64::from(number * number)).collect::<Vec<_>>());
    let target = grid(32631, [10.0, 0.0, 500_015.0, 0.0, -10.0, 4_999_985.0], 1, 1);
    let of = |method| resampled(&target, &source, method, &values)[0].unwrap();
    assert_eq!(of(Resampling::Nearest), 100.0);
    assert_eq!(of(Resampling::Bilinear), (25.0 + 36.0 + 81.0 + 100.0) / 4.0);
    let cubic = |values: [f64; 4]| (-values[0] + 9.0 * values[1] + 9.0 * values[2] - values[3]) / 16.0;
    let rows = [0, 4, 8, 12].map(|row| cubic([0, 1, 2, 3].map(|col| f64::from((row + col) * (row + col)))));
    assert!((of(Resampling::Cubic) - cubic(rows)).abs() < 1e-12);
    assert_eq!(of(Resampling::Average), (25.0 + 36.0 + 81.0 + 100.0) / 4.0);
    assert_eq!((of(Resampling::Min), of(Resampling::Max), of(Resampling::Mode)), (25.0, 100.0, 25.0));
}

#[test]
fn invalid_pixels_are_left_out() {
    let source = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0], 2, 2);
    let values = [Some(1.0), Some(3.0), None, Some(8.0)];
    // The centre is in pixel (1, 1), three fifths of the way from the centre of pixel (0, 0).
    let target = grid(32631, [10.0, 0.0, 500_006.0, 0.0, -10.0, 4_999_994.0], 1, 1);
    let of = |method| resampled(&target, &source, method, &values)[0];
    let weights = [0.4 * 0.4, 0.6 * 0.4, 0.6 * 0.6];
    let mean = (weights[0] + 3.0 * weights[1] + 8.0 * weights[2]) / weights.iter().sum::<f64>();
    for method in [Resampling::Bilinear, Resampling::Cubic, Resampling::Average] {
        assert!((of(method).unwrap() - mean).abs() < 1e-12, "{method:?}: {:?} {mean}", of(method));
    }
    assert_eq!(of(Resampling::Mode), Some(8.0));
    // A centre in the invalid pixel has no value by kernels; its area has.
    let target = grid(32631, [10.0, 0.0, 500_002.0, 0.0, -10.0, 4_999_992.0], 1, 1);
    assert_eq!(resampled(&target, &source, Resampling::Bilinear, &values), [None]);
    assert!(resampled(&target, &source, Resampling::Average, &values)[0].is_some());
}

#[test]
fn the_pole_and_what_is_beyond_a_map() {
    let source = RasterInfo::in_epsg(4326, [1.0, 0.0, -180.0, 0.0, -1.0, 90.0], 360, 20);
    let values: Vec<_> = (0..360 * 20).map(|at| Some(f64::from(at / 360))).collect();
    let target = grid(3413, [50_000.0, 0.0, -525_000.0, 0.0, -50_000.0, 525_000.0], 21, 21);
    for method in [Resampling::Nearest, Resampling::Average, Resampling::Max] {
        let found = resampled(&target, &source, method, &values);
        // The value is the distance from the pole in degrees, of some 111 km.
        for (at, value) in found.iter().enumerate() {
            let (x, y) = (at as f64 % 21.0 - 10.0, (at / 21) as f64 - 10.0);
            let degrees = x.hypot(y) * 50_000.0 / 111_000.0;
            let value = value.unwrap();
            assert!((value + 0.5 - degrees).abs() < 1.3, "{method:?} {at}: {value} {degrees}");
        }
    }
    let mollweide = "+proj=moll +lon_0=0 +datum=WGS84 +units=m";
    let target = TargetGrid { crs: Some(mollweide.to_owned()), ..grid(3857, [1e6, 0.0, 17e6, 0.0, -1e6, 9e6], 3, 3) };
    let found = resampled(&target, &source, Resampling::Nearest, &values);
    assert_eq!(found, [None; 9]);
}

#[test]
fn steps_are_those_where_the_source_lies() {
    let least = |target: &TargetGrid, source: &RasterInfo| {
        least_step(&map(target, source), Window::of_image(target.width, target.height))
    };
    // The world in 256 pixels, and 10 km at 3 degrees east, 41.5 degrees north.
    let half = 20_037_508.342_789_244;
    let world = grid(3857, [half / 128.0, 0.0, -half, 0.0, -half / 128.0, half], 256, 256);
    let small = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 1000, 1000);
    let expected = half / 128.0 * 41.5_f64.to_radians().cos() / 10.0;
    let found = least(&world, &small).unwrap();
    assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
    // The same in degrees, across the antimeridian, and of rotated pixels.
    let degrees = RasterInfo::in_epsg(4326, [1e-4, 0.0, 3.0, 0.0, -1e-4, 41.55], 1000, 1000);
    let found = least(&world, &degrees).unwrap();
    assert!((found / (360.0 / 256.0 / 1e-4 * 41.5_f64.to_radians().cos()) - 1.0).abs() < 0.01, "{found}");
    let beyond = RasterInfo::in_epsg(4326, [1e-4, 0.0, 183.0, 0.0, -1e-4, 41.55], 1000, 1000);
    assert!((least(&world, &beyond).unwrap() / found - 1.0).abs() < 1e-6);
    let rotated = RasterInfo::in_epsg(32631, [8.0, 6.0, 500_000.0, 6.0, -8.0, 4_600_000.0], 1000, 1000);
    let found = least(&world, &rotated).unwrap();
    assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
    // Corners that meet in a sixtieth of the window and of the source.
    let corner = grid(32631, [50.0, 0.0, 500_000.0 - 59.0 * 50.0, 0.0, -50.0, 4_600_000.0 + 59.0 * 50.0], 60, 60);
    assert!((least(&corner, &small).unwrap() - 5.0).abs() < 1e-9);
    let apart = grid(32631, [50.0, 0.0, 600_000.0, 0.0, -50.0, 4_600_000.0], 60, 60);
    assert_eq!(least(&apart, &small), None);
}

#[test]
fn aligned_grids_have_edges_at_multiples() {
    let bounds = BBox { xmin: 500_011.0, ymin: -25.0, xmax: 500_060.0, ymax: 40.0 };
    let grid = TargetGrid::aligned("EPSG:32631".to_owned(), 20.0, bounds).unwrap();
    assert_eq!((grid.width, grid.height), (3, 4));
    assert_eq!(grid.transform.to_array(), [20.0, 0.0, 500_000.0, 0.0, -20.0, 40.0]);
    let wrong = |resolution| TargetGrid::aligned("EPSG:4326".to_owned(), resolution, bounds).unwrap_err().to_string();
    assert!(wrong(0.0).contains("expected a number greater than 0"));
    assert!(wrong(1e-9).contains("use a larger resolution"));
}

proptest! {
    /// Shares of a source pixel in all target pixels add up to 1: sums are preserved.
    #[test]
    fn averages_preserve_sums(
        angle in 0.0..std::f64::consts::TAU,
        size in 0.3..3.0f64,
        shift in (0.0..1.0f64, 0.0..1.0f64),
        values in proptest::collection::vec(-100.0..100.0f64, 36),
    ) {
        let source = RasterInfo::in_epsg(32631, [1.0, 0.0, 1000.0, 0.0, -1.0, 1000.0], 6, 6);
        let (sine, cosine) = angle.sin_cos();
        // Large enough to hold the source however it is turned.
        let side = (1..50).find(|side| f64::from(*side) * size >= 14.0).unwrap();
        let half = f64::from(side) / 2.0 * size;
        let corner = (
            1003.0 + shift.0 - half * cosine - half * sine,
            997.0 + shift.1 - half * sine + half * cosine,
        );
        let transform = [size * cosine, size * sine, corner.0, size * sine, -size * cosine, corner.1];
        let target = grid(32631, transform, side, side);
        let warp = warp(&target, &source, Resampling::Average);
        let blocks = warp.plan(Window::of_image(side, side)).unwrap();
        let mut shares = vec![0.0; 36];
        for block in &blocks {
            warp.positions(block.window).each_quadrilateral(&warp.map, block.window, &mut |_, corners| {
                let samples = Samples::Float64((0..36).map(f64::from).collect());
                let patch = SourcePixels { window: Window::of_image(6, 6), samples, mask: vec![255; 36] };
                area::shares(&corners, &patch, |pixel, share| {
                    let at = (0..36).find(|at| f64::from(*at) == pixel).unwrap();
                    shares[usize::try_from(at).unwrap()] += share;
                });
            }).unwrap();
        }
        for share in &shares {
            prop_assert!((share - 1.0).abs() < 1e-9, "{shares:?}");
        }
        // And averages are those shares: a constant stays, and means are between the extremes.
        let found = resampled(&target, &source, Resampling::Average, &some(&values));
        let (least, most) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
        prop_assert!(found.iter().flatten().all(|value| (least - 1e-9..=most + 1e-9).contains(value)));
    }
}

#[test]
fn windows_that_do_not_meet_the_source_need_no_pixels() {
    let sources = [
        RasterInfo::in_epsg(32631, [10.0, 0.0, 700_000.0, 0.0, -10.0, 5_000_000.0], 900, 700),
        RasterInfo::in_epsg(32632, [7.0, 7.0, 250_000.0, 7.0, -7.0, 5_000_000.0], 600, 600),
        RasterInfo::in_epsg(4326, [0.001, 0.0, 5.3, 0.0, -0.001, 45.3], 400, 500),
    ];
    let targets = [
        grid(32631, [10.0, 0.0, 690_000.0, 0.0, -10.0, 5_010_000.0], 2600, 2600),
        grid(3857, [20.0, 0.0, 580_000.0, 0.0, -20.0, 5_680_000.0], 3000, 3000),
        grid(4326, [0.0005, 0.0, 4.9, 0.0, -0.0005, 45.6], 3000, 2000),
    ];
    for (source, target) in sources.iter().flat_map(|source| targets.iter().map(move |target| (source, target))) {
        let map = map(target, source);
        let (mut apart, mut meeting) = (0, 0);
        for window in Warp::blocks(Window::of_image(target.width, target.height)) {
            let windows = map.positions(window, false, true).windows(&map, window, (2.0, 2.0), false).unwrap();
            if map.may_meet(window) {
                meeting += usize::from(!windows.is_empty());
            } else {
                assert!(windows.is_empty(), "{target:?} {window:?}");
                apart += 1;
            }
        }
        // The rotated source, whose western corner is at 5.82 degrees, lies east of the first two targets.
        let is_east = source == &sources[1] && target != &targets[2];
        assert!(apart > 10 && (meeting > 0) != is_east, "{target:?}: {apart} apart, {meeting} meeting");
    }
}

#[test]
fn copies_are_of_the_shared_pixels() {
    let source = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0], 40, 30);
    let window = |col_off, row_off, width, height| Window { col_off, row_off, width, height };
    let target = grid(32631, [10.0, 0.0, 499_950.0, 0.0, -10.0, 5_000_020.0], 100, 100);
    let map = map(&target, &source);
    let part = |source, target| Copied::Part { source, target };
    assert_eq!(map.copied(window(0, 0, 100, 100)), part(window(0, 0, 40, 30), window(5, 2, 40, 30)));
    assert_eq!(map.copied(window(10, 10, 5, 5)), part(window(5, 8, 5, 5), window(10, 10, 5, 5)));
    assert_eq!(map.copied(window(44, 31, 9, 9)), part(window(39, 29, 1, 1), window(44, 31, 1, 1)));
    assert_eq!(map.copied(window(45, 0, 5, 5)), Copied::Outside);
    let shifted = grid(32631, [10.0, 0.0, 499_955.0, 0.0, -10.0, 5_000_020.0], 100, 100);
    assert_eq!(
        SourceMap::new(&shifted, &source, &Transforms::default()).unwrap().copied(window(0, 0, 9, 9)),
        Copied::No
    );
}

#[test]
fn pixels_at_the_edge_of_a_domain_have_the_part_inside() {
    // The disk of a geostationary satellite, on a grid that is mostly outside of it.
    let disk = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80 +units=m";
    let transform = [200_000.0, 0.0, -5_500_000.0, 0.0, -200_000.0, 5_500_000.0];
    let source = RasterInfo { crs: Some(disk.parse().unwrap()), ..RasterInfo::in_epsg(32631, transform, 55, 55) };
    let target = grid(3857, [250_000.0, 0.0, -20_000_000.0, 0.0, -250_000.0, 20_000_000.0], 160, 160);
    let map = map(&target, &source);
    let found = resampled(&target, &source, Resampling::Average, &[Some(7.0); 55 * 55]);
    let mut count = 0;
    for (at, value) in found.iter().enumerate() {
        let (row, col) = ((at / 160) as f64, (at % 160) as f64);
        let inside = (0..25).filter(|point| {
            let (x, y) = (col + 0.1 + 0.2 * f64::from(point % 5), row + 0.1 + 0.2 * f64::from(point / 5));
            map.exact(x, y).is_some_and(|(x, y)| (0.0..55.0).contains(&x) && (0.0..55.0).contains(&y))
        });
        match inside.count() {
            0 => {}
            points => {
                count += 1;
                assert!(
                    value.is_some_and(|value| (value - 7.0).abs() < 1e-9),
                    "{points} points of {col} {row}: {value:?}"
                );
            }
        }
    }
    assert!(count > 3000 && found.iter().flatten().count() < count + 200, "{count}");
}
