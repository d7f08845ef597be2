use proptest::prelude::*;

use super::{CASES, File, level};
use crate::pixel::{Interpolation, PointSampler, ValueOptions};
use crate::tiff::DataType;

/// The values in the rasters of `scripts/make-pixel-cases`.
pub(crate) fn pattern(col: u32, row: u32) -> f64 {
    f64::from((37 * col + 101 * row + 13 * col * row) % 97 + 1)
}

/// Returns the value at a point, and the tiles of each round.
fn sample(file: &File, level: u32, point: (f64, f64), options: ValueOptions) -> (Option<f64>, Vec<Vec<(u32, u32)>>) {
    let band = file.band(level, 0, true);
    let Some(mut search) = PointSampler::new(&band, point, options).unwrap() else {
        return (None, Vec::new());
    };
    let mut rounds = Vec::new();
    // One round for the tiles of the kernel, one for rings up to the size of a tile, and one for each doubling of the radius.
    let doublings = options.max_distance_pixels.div_ceil(4).max(1).next_power_of_two().ilog2();
    let most = if options.max_distance_pixels == 0 { 1 } else { 2 + doublings };
    while !search.wanted().is_empty() {
        let mut wanted = search.wanted().to_vec();
        for (row, col) in wanted.iter().rev() {
            search.consume(&file.block(&band, *row, *col));
        }
        wanted.sort_unstable();
        rounds.push(wanted);
        assert!(rounds.len() <= most as usize, "{rounds:?} for {options:?}");
    }
    (search.value(), rounds)
}

fn value(file: &File, point: (f64, f64), interpolation: Interpolation) -> Option<f64> {
    sample(file, 0, point, ValueOptions { interpolation, ..ValueOptions::default() }).0
}

fn nearest(file: &File, point: (f64, f64), max_distance_pixels: u32) -> Option<f64> {
    sample(file, 0, point, ValueOptions { max_distance_pixels, ..ValueOptions::default() }).0
}

/// An image with tiles of 4 x 3 pixels; the given pixels are 0, which is nodata.
fn holed(width: u32, height: u32, invalid: Vec<(u32, u32)>) -> File {
    let rule = move |_, col, row| if invalid.contains(&(col, row)) { 0.0 } else { pattern(col, row) };
    let file = File::new(level((width, height), (4, 3), 1, false, DataType::Float64), rule);
    file.with(|header| header.nodata = Some(0.0))
}

#[test]
fn values_equal_gdals_warper() {
    let mut seen = 0;
    for line in CASES.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let &["value", interpolation, width, height, invalid, x, y, expected] = fields.as_slice() else {
            continue;
        };
        let interpolation = if interpolation == "cubic" { Interpolation::Cubic } else { Interpolation::Bilinear };
        let pair = |text: &str| {
            let (col, row) = text.split_once(':').unwrap();
            (col.parse().unwrap(), row.parse().unwrap())
        };
        let invalid = invalid.split_whitespace().map(pair).collect();
        let file = holed(width.parse().unwrap(), height.parse().unwrap(), invalid);
        let found = value(&file, (x.parse().unwrap(), y.parse().unwrap()), interpolation);
        match (found, expected) {
            (None, "none") => {}
            (Some(found), expected) if expected != "none" => {
                let expected: f64 = expected.parse().unwrap();
                assert!((found - expected).abs() < 1e-6, "{line}: found {found}");
            }
            _ => panic!("{line}: found {found:?}"),
        }
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn pixels_contain_their_left_and_upper_edge() {
    let file = holed(10, 7, vec![]);
    for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Cubic] {
        for outside in [(-1e-9, 1.0), (1.0, -1e-9), (10.0, 1.0), (1.0, 7.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0)] {
            assert_eq!(value(&file, outside, interpolation), None);
            assert_eq!(nearest(&file, outside, 5), None);
        }
    }
    assert_eq!(value(&file, (0.0, 0.0), Interpolation::Nearest), Some(pattern(0, 0)));
    assert_eq!(value(&file, (3.0, 2.999_999), Interpolation::Nearest), Some(pattern(3, 2)));
    assert_eq!(value(&file, (10.0_f64.next_down(), 7.0_f64.next_down()), Interpolation::Nearest), Some(pattern(9, 6)));
    assert_eq!(value(&file, (10.0_f64.next_down(), 7.0_f64.next_down()), Interpolation::Cubic), Some(pattern(9, 6)));
    // At a pixel centre, all methods return the value of the pixel.
    let file = holed(10, 7, vec![(4, 4), (5, 3)]);
    for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Cubic] {
        let found = value(&file, (5.5, 4.5), interpolation).unwrap();
        assert!((found - pattern(5, 4)).abs() < 1e-12, "{found}");
    }
}

#[test]
fn nan_is_a_value_unless_it_is_nodata() {
    let rule = |_, col, _| if col == 1 { f64::NAN } else { 5.0 };
    let file = || File::new(level((4, 1), (4, 1), 1, false, DataType::Float32), rule);
    assert!(value(&file(), (1.5, 0.5), Interpolation::Nearest).unwrap().is_nan());
    assert!(value(&file(), (1.2, 0.5), Interpolation::Bilinear).unwrap().is_nan());
    let file = file().with(|header| header.nodata = Some(f64::NAN));
    assert_eq!(value(&file, (1.5, 0.5), Interpolation::Nearest), None);
    assert_eq!(value(&file, (0.8, 0.5), Interpolation::Bilinear), Some(5.0));
    assert_eq!(nearest(&file, (1.5, 0.5), 1), Some(5.0));
}

#[test]
fn only_tiles_of_required_pixels_are_requested() {
    let file = holed(20, 12, vec![(4, 3), (5, 3), (4, 4), (3, 2), (3, 3)]);
    let tiles = |point, interpolation, max_distance_pixels| {
        sample(&file, 0, point, ValueOptions { interpolation, max_distance_pixels, scaled: false }).1
    };
    assert_eq!(tiles((9.9, 7.2), Interpolation::Nearest, 9), [vec![(2, 2)]]);
    assert_eq!(tiles((9.5, 7.5), Interpolation::Bilinear, 0), [vec![(2, 2)]]);
    assert_eq!(tiles((8.2, 6.3), Interpolation::Bilinear, 0), [vec![(1, 1), (1, 2), (2, 1), (2, 2)]]);
    assert_eq!(tiles((6.9, 7.2), Interpolation::Cubic, 0), [vec![(1, 1), (1, 2), (2, 1), (2, 2)]]);
    // A candidate in the first tile limits the search.
    assert_eq!(tiles((4.2, 3.2), Interpolation::Nearest, 9), [vec![(1, 1)], vec![(0, 0), (0, 1), (1, 0)]]);
    assert_eq!(tiles((4.2, 3.2), Interpolation::Nearest, 0), [vec![(1, 1)]]);
}

#[test]
fn the_search_proceeds_by_rings() {
    // The nearest pixel is in the second ring, but the first ring has a valid pixel.
    let mut invalid: Vec<(u32, u32)> = (0..7).flat_map(|row| (0..10).map(move |col| (col, row))).collect();
    invalid.retain(|at| ![(3, 2), (6, 3)].contains(at));
    let file = holed(10, 7, invalid.clone());
    assert_eq!(nearest(&file, (4.99, 3.5), 0), None);
    assert_eq!(nearest(&file, (4.99, 3.5), 1), Some(pattern(3, 2)));
    invalid.push((3, 2));
    let file = holed(10, 7, invalid.clone());
    assert_eq!(nearest(&file, (4.99, 3.5), 1), None);
    assert_eq!(nearest(&file, (4.99, 3.5), 2), Some(pattern(6, 3)));
    assert_eq!(nearest(&file, (0.5, 6.5), u32::MAX), Some(pattern(6, 3)));
    // The value of the nearest pixel is not resampled.
    let options = ValueOptions { interpolation: Interpolation::Bilinear, max_distance_pixels: 4, scaled: false };
    assert_eq!(sample(&file, 0, (4.99, 3.5), options).0, Some(pattern(6, 3)));
    invalid.push((6, 3));
    assert_eq!(nearest(&holed(10, 7, invalid), (4.99, 3.5), u32::MAX), None);
}

#[test]
fn distances_are_in_units_of_the_raster() {
    // Pixels are four times wider than high: the pixel above is nearer than the one to the right.
    let mut invalid = vec![(1, 1)];
    invalid
        .extend((0..3).flat_map(|row| (0..3).map(move |col| (col, row))).filter(|at| ![(1, 0), (2, 1)].contains(at)));
    let file = holed(3, 3, invalid);
    assert_eq!(nearest(&file, (1.7, 1.4), 1), Some(pattern(2, 1)));
    let wide = |header: &mut crate::CogHeader| header.transform.as_mut().unwrap().a = 40.0;
    assert_eq!(nearest(&file.with(wide), (1.7, 1.4), 1), Some(pattern(1, 0)));
}

#[test]
fn values_of_a_level_and_scaled_ones() {
    let file = holed(10, 7, vec![]).with_overview(level((5, 4), (4, 3), 1, false, DataType::Float64), |_, col, row| {
        f64::from(100 + col * 10 + row)
    });
    let file = file.with(|header| (header.scale, header.offset) = (Some(vec![0.5]), Some(vec![-1000.0])));
    let options = |scaled| ValueOptions { scaled, ..ValueOptions::default() };
    assert_eq!(sample(&file, 1, (4.1, 3.9), options(false)).0, Some(143.0));
    assert_eq!(sample(&file, 1, (4.1, 3.9), options(true)).0, Some(71.5 - 1000.0));
    assert_eq!(sample(&holed(10, 7, vec![]), 0, (4.1, 3.9), options(true)).0, Some(pattern(4, 3)));
    let complex = File::new(level((4, 4), (4, 4), 1, false, DataType::Complex64), |_, _, _| 1.0);
    assert!(PointSampler::new(&complex.band(0, 0, true), (1.0, 1.0), options(false)).is_err());
}

/// Reference implementation of the search: all pixels of the image, in the order of Python Rasteret.
fn by_rings(width: i64, height: i64, invalid: &[(u32, u32)], point: (f64, f64), max_distance: i64) -> Option<f64> {
    let (col, row) = (point.0.floor() as i64, point.1.floor() as i64);
    for ring in 0..=max_distance {
        let mut cells: Vec<(i64, i64)> = vec![(col, row)];
        if ring > 0 {
            cells = (-ring..=ring).map(|at| (col + at, row - ring)).collect();
            cells.extend((-ring..=ring).map(|at| (col + at, row + ring)));
            cells.extend((1 - ring..ring).map(|at| (col - ring, row + at)));
            cells.extend((1 - ring..ring).map(|at| (col + ring, row + at)));
        }
        let mut best: Option<(f64, f64)> = None;
        for (c, r) in cells {
            let is_inside = (0..width).contains(&c) && (0..height).contains(&r);
            if !is_inside || invalid.contains(&(c as u32, r as u32)) {
                continue;
            }
            let (x, y) = (point.0.clamp(c as f64, c as f64 + 1.0), point.1.clamp(r as f64, r as f64 + 1.0));
            let distance = (x - point.0).powi(2) + (y - point.1).powi(2);
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, pattern(c as u32, r as u32)));
            }
        }
        if let Some((_, value)) = best {
            return Some(value);
        }
    }
    None
}

proptest! {
    #[test]
    fn the_search_equals_the_reference_implementation(
        size in (1_u32..14, 1_u32..11),
        at in (0.0..1.0_f64, 0.0..1.0_f64),
        is_snapped: bool,
        max_distance in 0_u32..8,
        seed: u64,
        share in 0_u64..10,
    ) {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % 10
        };
        let invalid: Vec<(u32, u32)> = (0..size.1)
            .flat_map(|row| (0..size.0).map(move |col| (col, row)))
            .filter(|_| draw() < share)
            .collect();
        let point = (at.0 * f64::from(size.0), at.1 * f64::from(size.1));
        let snap = |at: f64| if is_snapped { (at * 2.0).floor() / 2.0 } else { at };
        let point = (snap(point.0), snap(point.1));
        let expected = by_rings(size.0.into(), size.1.into(), &invalid, point, max_distance.into());
        // Pixels are squares, so the order of distances is the same in pixels.
        prop_assert_eq!(nearest(&holed(size.0, size.1, invalid), point, max_distance), expected);
    }
}
