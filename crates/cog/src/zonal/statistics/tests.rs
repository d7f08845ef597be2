use geo_types::{LineString, Polygon};
use proptest::prelude::*;

use super::super::{Coverage, Method};
use super::{Statistics, ValueStatistics, ZonalStats};
use crate::geometry::Geometry;
use crate::pixel::tests::{File, level};
use crate::tiff::DataType;

fn triangle(corners: [(f64, f64); 3]) -> Geometry {
    let [a, b, c] = corners;
    Geometry { polygons: vec![Polygon::new(LineString::from(vec![a, b, c, a]), vec![])], ..Geometry::default() }
}

/// Statistics of each block, row by row.
fn parts(file: &File, masked: bool, coverage: &Coverage) -> Vec<ZonalStats> {
    let band = file.band(0, 0, masked);
    let tiles = coverage.tiles(&band.tiling());
    let part = |(row, col): (u32, u32)| {
        let mut part = ZonalStats::default();
        part.add(&file.block(&band, row, col), coverage);
        part
    };
    tiles.into_iter().map(part).collect()
}

fn merged(parts: &[ZonalStats]) -> ZonalStats {
    let mut all = ZonalStats::default();
    parts.iter().for_each(|part| all.merge(part));
    all
}

/// Reference implementation, from the values and weights of all pixels, in two passes.
fn naive(pixels: &[(f64, f64)]) -> Statistics {
    let count: f64 = pixels.iter().map(|pixel| pixel.1).sum();
    if pixels.is_empty() {
        return Statistics { count, values: None, weighted: None };
    }
    let sum: f64 = pixels.iter().map(|(value, weight)| value * weight).sum();
    let mean = sum / count;
    let variance = pixels.iter().map(|(value, weight)| (value - mean).powi(2) * weight).sum::<f64>() / count;
    let min = pixels.iter().map(|pixel| pixel.0).fold(f64::INFINITY, f64::min);
    let max = pixels.iter().map(|pixel| pixel.0).fold(f64::NEG_INFINITY, f64::max);
    Statistics {
        count,
        values: Some(ValueStatistics { sum, mean, min, max, stddev: variance.sqrt(), variance }),
        weighted: None,
    }
}

/// Returns value and weight of each valid pixel.
fn valid_pixels(file: &File, masked: bool, coverage: &Coverage) -> Vec<(f64, f64)> {
    let band = file.band(0, 0, masked);
    let mut found = Vec::new();
    for (row, col) in coverage.tiles(&band.tiling()) {
        let block = file.block(&band, row, col);
        for run in coverage.within(block.window) {
            let pixels = block.pixels(&run).filter(|pixel| pixel.is_valid && !pixel.value.is_nan());
            found.extend(pixels.map(|pixel| (pixel.value, run.weight)));
        }
    }
    found
}

fn is_close(found: f64, expected: f64, size: f64) -> bool {
    (found - expected).abs() <= 1e-12 * size
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn statistics_equal_the_reference_implementation(
        dtype in proptest::sample::select(&DataType::DECODED[..11]),
        (base, spread) in (prop_oneof![Just(0.0), Just(100.0), Just(30_000.0), Just(1e12)], prop_oneof![Just(0.0), Just(7.0), Just(200.0)]),
        corners in proptest::array::uniform3((-10.0..50.0, -10.0..40.0)),
        method in proptest::sample::select(&[Method::Fraction, Method::Center, Method::AllTouched][..]),
        nodata in proptest::option::of(0u32..9),
        (bands, is_masked) in (1u16..3, any::<bool>()),
    ) {
        // Regular values, some of which are NaN or clipped to the type.
        let value = move |_: u16, x: u32, y: u32| {
            let step = f64::from((x * 31 + y * 17) % 9);
            if spread == 7.0 && step == 8.0 && x.is_multiple_of(2) { f64::NAN } else { base + step * spread }
        };
        let mut file = File::new(level((41, 29), (16, 16), bands, false, dtype), value);
        file.header.nodata = nodata.map(|step| base + f64::from(step) * spread);
        if is_masked {
            file = file.with_mask(level((41, 29), (16, 16), 1, false, DataType::Uint8), |_, x, y| f64::from((x + y) % 3));
        }
        let coverage = Coverage::of(&triangle(corners), 41, 29, method);
        let found = merged(&parts(&file, is_masked, &coverage));
        let pixels = valid_pixels(&file, is_masked, &coverage);
        let (found, expected) = (found.finish(None), naive(&pixels));
        prop_assert!(is_close(found.count, expected.count, expected.count), "{found:?} {expected:?}");
        prop_assert_eq!(found.values.is_some(), expected.values.is_some());
        let (Some(found), Some(expected)) = (found.values, expected.values) else { return Ok(()) };
        if expected.max.is_infinite() {
            // The difference of infinities is NaN.
            prop_assert!(found.sum.is_infinite() && found.variance.is_nan());
            return Ok(());
        }
        let size = expected.min.abs().max(expected.max.abs()).max(1e-30);
        prop_assert_eq!((found.min, found.max), (expected.min, expected.max));
        prop_assert!(is_close(found.sum, expected.sum, size * expected.sum.abs() / size.max(1.0) + size), "{found:?} {expected:?}");
        prop_assert!(is_close(found.mean, expected.mean, size), "{found:?} {expected:?}");
        // The rounding error of the mean changes the variance by its square.
        let range = expected.max - expected.min;
        prop_assert!(is_close(found.variance, expected.variance, range * (range + 1e-3 * size) + 1e-15 * size * size), "{found:?} {expected:?}");
        if range == 0.0 {
            prop_assert_eq!((found.mean, found.variance), (found.min, 0.0));
        }
    }

    #[test]
    fn results_do_not_depend_on_threads(corners in proptest::array::uniform3((-10.0..50.0, -10.0..40.0)), dtype in proptest::sample::select(&DataType::DECODED[..11])) {
        let file = File::new(level((41, 29), (16, 16), 1, false, dtype), |_, x, y| f64::from(x * 5 + y) * 0.7);
        let coverage = Coverage::of(&triangle(corners), 41, 29, Method::Fraction);
        let parts = parts(&file, false, &coverage);
        let band = file.band(0, 0, false);
        let mut one = ZonalStats::default();
        for (row, col) in coverage.tiles(&band.tiling()) {
            one.add(&file.block(&band, row, col), &coverage);
        }
        prop_assert_eq!(one, merged(&parts));
    }
}

#[test]
fn integers_are_exact() {
    let whole = Geometry {
        polygons: vec![Polygon::new(
            LineString::from(vec![(0.0, 0.0), (64.0, 0.0), (64.0, 64.0), (0.0, 64.0), (0.0, 0.0)]),
            vec![],
        )],
        ..Geometry::default()
    };
    let coverage = Coverage::of(&whole, 64, 64, Method::Fraction);
    // 4096 values around 2^32 - 3, which differ by at most one.
    let file = File::new(level((64, 64), (16, 16), 1, false, DataType::Uint32), |_, x, y| {
        4_294_967_293.0 + f64::from((x + y * 64) % 3)
    });
    let found = merged(&parts(&file, false, &coverage)).finish(None);
    let values = found.values.unwrap();
    let thirds: i128 = (0..4096).map(|at| 4_294_967_293 + at % 3).sum();
    assert_eq!((found.count, values.sum), (4096.0, thirds as f64));
    let rest = (0..4096).map(|at| at % 3).sum::<i64>() as f64;
    let expected = (0..4096).map(|at| (f64::from(at % 3) - rest / 4096.0).powi(2)).sum::<f64>() / 4096.0;
    assert!((values.variance / expected - 1.0).abs() < 1e-14, "{} {expected}", values.variance);
}

#[test]
fn rows_of_any_length_are_summed_exactly() {
    let size = (10_001, 2);
    let coverage = Coverage::whole(size.0, size.1);
    // The limits of each type, and values between.
    let ends = [
        (DataType::Uint8, 0, 255),
        (DataType::Int8, -128, 127),
        (DataType::Uint16, 0, 65_535),
        (DataType::Int16, -32_768, 32_767),
    ];
    for ((dtype, least, most), bands, is_masked) in
        ends.into_iter().flat_map(|end| [(end, 1, false), (end, 1, true), (end, 2, false), (end, 2, true)])
    {
        let value = move |x: u32, y: u32| if (x + y).is_multiple_of(3) { least } else { most - i64::from(x % 2) };
        let mut file = File::new(level(size, (0, 1), bands, false, dtype), move |_, x, y| value(x, y) as f64);
        if is_masked {
            let mask = level(size, (0, 1), 1, false, DataType::Uint8);
            file = file.with_mask(mask, |_, x, _| f64::from(u8::from(!x.is_multiple_of(5))));
        }
        let pixels = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
        let kept = pixels.filter(|(x, _)| !is_masked || !x.is_multiple_of(5));
        let kept: Vec<i64> = kept.map(|(x, y)| value(x, y)).collect();
        let found = merged(&parts(&file, is_masked, &coverage)).finish(None);
        let values = found.values.unwrap();
        let expected = naive(&kept.iter().map(|value| (*value as f64, 1.0)).collect::<Vec<_>>()).values.unwrap();
        assert_eq!((found.count, values.sum), (kept.len() as f64, kept.iter().sum::<i64>() as f64), "{dtype}, {bands}");
        assert_eq!((values.min, values.max), (least as f64, most as f64), "{dtype}, {bands}");
        assert!((values.variance / expected.variance - 1.0).abs() < 1e-12, "{dtype}, {bands}");
    }
}

#[test]
fn large_integers_are_as_accurate_as_doubles() {
    let geometry = triangle([(0.0, 0.0), (20.0, 0.0), (0.0, 20.0)]);
    let coverage = Coverage::of(&geometry, 10, 10, Method::Center);
    let file = File::new(level((10, 10), (16, 16), 1, false, DataType::Uint64), |_, _, _| 18_446_744_073_709_551_615.0);
    let values = merged(&parts(&file, false, &coverage)).finish(None).values.unwrap();
    assert_eq!(
        (values.min, values.max, values.mean, values.variance),
        (1.8446744073709552e19, 1.8446744073709552e19, 1.8446744073709552e19, 0.0)
    );
}

#[test]
fn scale_and_offset_are_applied_to_results() {
    let geometry = triangle([(0.0, 0.0), (8.0, 0.0), (0.0, 8.0)]);
    let coverage = Coverage::of(&geometry, 10, 10, Method::Fraction);
    let file = File::new(level((10, 10), (16, 16), 1, false, DataType::Uint16), |_, x, y| f64::from(x + 10 * y));
    let all = merged(&parts(&file, false, &coverage));
    let (plain, scaled) = (all.finish(None).values.unwrap(), all.finish(Some((-0.5, 3.0))).values.unwrap());
    assert_eq!(all.finish(Some((-0.5, 3.0))).count, 32.0);
    assert!((scaled.sum - (plain.sum * -0.5 + 32.0 * 3.0)).abs() < 1e-10);
    assert!((scaled.mean - (plain.mean * -0.5 + 3.0)).abs() < 1e-12);
    assert_eq!((scaled.min, scaled.max), (plain.max * -0.5 + 3.0, plain.min * -0.5 + 3.0));
    assert!(
        (scaled.stddev - plain.stddev * 0.5).abs() < 1e-12 && (scaled.variance - plain.variance * 0.25).abs() < 1e-12
    );
}

#[test]
fn a_zone_without_valid_pixels_has_no_values() {
    let geometry = triangle([(0.0, 0.0), (8.0, 0.0), (0.0, 8.0)]);
    let file = File::new(level((10, 10), (16, 16), 1, false, DataType::Float32), |_, _, _| f64::NAN);
    let coverage = Coverage::of(&geometry, 10, 10, Method::Fraction);
    let expected = Statistics { count: 0.0, values: None, weighted: None };
    assert_eq!(merged(&parts(&file, false, &coverage)).finish(Some((2.0, 1.0))), expected);
    assert_eq!(ZonalStats::default().finish(None), expected);
}
