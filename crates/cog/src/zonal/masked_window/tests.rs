#![allow(clippy::cast_possible_truncation, reason = "tests choose numbers in range")]

use crate::geo::{BBox, GeoTransform};
use crate::grid::Window;
use crate::pixel::tests::value::pattern;
use crate::pixel::tests::{CASES, File, level};
use crate::pixel::{Band, WindowBuffers, WindowOptions, WindowProfile, WindowWriter};
use crate::tiff::DataType;
use crate::{Geometry, GeometryProjector, ParsedGeometry};

/// A window and its pixels.
#[derive(Debug, PartialEq)]
struct Filled {
    profile: WindowProfile,
    data: Vec<u8>,
    mask: Vec<u8>,
}

fn filled(file: &File, band: &Band, geometry: Option<&Geometry>, options: WindowOptions) -> Option<Filled> {
    let sink = WindowWriter::masked(band, geometry, options, WindowProfile::MAX_BYTES).unwrap()?;
    let profile = sink.profile().clone();
    let (mut data, mut mask) = (vec![0; profile.data_len()], vec![0; profile.mask_len()]);
    let mut parts = sink.parts(WindowBuffers { data: &mut data, mask: &mut mask });
    assert_eq!(parts.len(), sink.tiles().len());
    for (&(row, col), part) in sink.tiles().iter().zip(&mut parts).rev() {
        sink.consume(&file.block(band, row, col), part);
    }
    Some(Filled { profile, data, mask })
}

fn whole(file: &File, options: WindowOptions) -> Filled {
    filled(file, &file.band(0, 0, true), None, options).unwrap()
}

/// A geometry in the pixels of a raster.
fn geometry(text: &str, transform: GeoTransform, size: (u32, u32)) -> Geometry {
    let view = GeometryProjector::new(size.0, size.1, transform, None).unwrap();
    view.pixels(&ParsedGeometry::from_text(text).unwrap().geometry).unwrap()
}

#[test]
fn the_whole_image_is_unchanged() {
    let rule = |_, col, row| f64::from(col + 10 * row);
    let file = File::new(level((10, 7), (4, 3), 2, false, DataType::Int16), rule);
    let file = file.with(|header| header.nodata = Some(12.0));
    let image = whole(&file, WindowOptions::default());
    assert_eq!(image.profile.window, Window::of_image(10, 7));
    assert_eq!((image.profile.data_type, image.profile.nodata), (DataType::Int16, Some(12.0)));
    assert_eq!(image.profile.transform.to_array(), [10.0, 0.0, 500.0, 0.0, -10.0, 900.0]);
    let expected: Vec<u8> =
        (0..7).flat_map(|row| (0..10).flat_map(move |col| i16::to_le_bytes(col + 10 * row))).collect();
    assert_eq!(image.data, expected);
    let mask: Vec<u8> = (0..70).map(|at| if at == 12 { 0 } else { 255 }).collect();
    assert_eq!(image.mask, mask);
}

#[test]
fn every_type_is_little_endian() {
    for (dtype, expected) in [
        (DataType::Uint64, vec![7, 0, 0, 0, 0, 0, 0, 0]),
        (DataType::Int8, vec![7]),
        (DataType::Float16, vec![0, 0x47]),
        (DataType::Float32, vec![0, 0, 0xe0, 0x40]),
        (DataType::Complex64, vec![0, 0, 0xe0, 0x40, 0, 0, 0xf0, 0x40]),
        (DataType::Complex128, vec![0, 0, 0, 0, 0, 0, 0x1c, 0x40, 0, 0, 0, 0, 0, 0, 0x1e, 0x40]),
    ] {
        let image = whole(&File::new(level((1, 1), (2, 2), 3, false, dtype), |_, _, _| 7.0), WindowOptions::default());
        assert_eq!((image.data, image.mask), (expected, vec![255]), "{dtype}");
        // Sparse.
        let file = File::new(level((3, 1), (2, 2), 3, false, dtype), |_, _, _| 7.0);
        let file = file.with(|header| header.image.tile_offsets[1] = 0);
        let image = whole(&file, WindowOptions::default());
        assert_eq!((image.data[2 * dtype.size()..].to_vec(), image.mask), (vec![0; dtype.size()], vec![255; 3]));
    }
}

#[test]
fn masked_pixels_keep_their_values() {
    let mask = level((4, 1), (4, 1), 1, false, DataType::Uint8);
    let file = File::new(level((4, 1), (4, 1), 1, false, DataType::Uint8), |_, col, _| f64::from(col + 1));
    let file = file.with_mask(mask, |_, col, _| f64::from(col % 2)).with(|header| header.nodata = Some(200.0));
    let image = whole(&file, WindowOptions::default());
    assert_eq!((image.data, image.mask), (vec![1, 2, 3, 4], vec![0, 255, 0, 255]));
}

#[test]
fn scaled_values_are_doubles_and_nodata_is_nan() {
    let file =
        File::new(level((3, 1), (4, 1), 2, false, DataType::Uint16), |band, col, _| f64::from(u32::from(band) + col));
    let file = file.with(|header| {
        header.nodata = Some(2.0);
        (header.scale, header.offset) = (Some(vec![2.0, 0.5]), Some(vec![10.0, -1.0]));
    });
    let options = WindowOptions { scaled: true, ..WindowOptions::default() };
    let image = filled(&file, &file.band(0, 1, true), None, options).unwrap();
    assert_eq!(image.profile.data_type, DataType::Float64);
    assert!(image.profile.nodata.unwrap().is_nan());
    let doubles: Vec<f64> = image.data.chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert!(doubles[0] == -0.5 && doubles[1].is_nan() && doubles[2] == 0.5, "{doubles:?}");
    assert_eq!(image.mask, [255, 0, 255]);
    let complex = File::new(level((3, 1), (4, 1), 1, false, DataType::Complex64), |_, _, _| 1.0);
    assert!(WindowWriter::masked(&complex.band(0, 0, true), None, options, WindowProfile::MAX_BYTES).is_err());
}

#[test]
fn too_large_windows_are_errors() {
    let file = File::new(level((60_000, 60_000), (512, 512), 1, false, DataType::Uint8), |_, _, _| 0.0);
    let error = WindowWriter::masked(&file.band(0, 0, true), None, WindowOptions::default(), WindowProfile::MAX_BYTES)
        .unwrap_err()
        .to_string();
    assert!(error.contains("60000 x 60000 pixels of uint8, 7200000000 bytes"), "{error}");
}

#[test]
fn windows_contain_the_bounds_and_are_clipped_to_the_image() {
    let around = |xmin, ymin, xmax, ymax| {
        let window = Window::around(BBox { xmin, ymin, xmax, ymax }, 10, 7);
        window.map(|window| (window.col_off, window.row_off, window.width, window.height))
    };
    assert_eq!(around(2.5, 3.0, 4.1, 5.0), Some((2, 3, 3, 2)));
    assert_eq!(around(-3.0, -1e300, 4.0, 1e300), Some((0, 0, 4, 7)));
    assert_eq!(around(2.0, 3.0, 2.0, 3.0), Some((2, 3, 1, 1)));
    assert_eq!(around(9.5, 6.5, 9.5, 6.5), Some((9, 6, 1, 1)));
    for outside in [(10.0, 0.0, 12.0, 3.0), (-3.0, 0.0, 0.0, 3.0), (0.0, 7.0, 5.0, 7.0), (-5.0, -5.0, -4.0, 12.0)] {
        assert_eq!(around(outside.0, outside.1, outside.2, outside.3), None);
    }
}

/// Numbers separated by blanks.
fn numbers<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn window(text: &str) -> Option<Window> {
    match numbers::<f64>(if text == "none" { "" } else { text })[..] {
        [col_off, row_off, width, height] => Some(Window {
            col_off: col_off as u32,
            row_off: row_off as u32,
            width: width as u32,
            height: height as u32,
        }),
        _ => None,
    }
}

/// Whether two windows are equal, except for sides exactly between pixels, where the rounding of rasterio may add a pixel or return a
/// window instead of None.
fn agree(found: Option<Window>, expected: Option<Window>, bounds: BBox) -> bool {
    let is_even = |side: f64| (side - side.round()).abs() < 1e-6;
    let sides = |window: Window| [window.col_off, window.row_off, window.col_end(), window.row_end()];
    let bounds = [bounds.xmin, bounds.ymin, bounds.xmax, bounds.ymax];
    match (found.map(sides), expected.map(sides)) {
        (Some(found), Some(expected)) => {
            let mut sides = found.into_iter().zip(expected).zip(bounds);
            sides.all(|((found, expected), bound)| found == expected || found.abs_diff(expected) == 1 && is_even(bound))
        }
        (None, None) => true,
        _ => bounds.into_iter().any(is_even),
    }
}

#[test]
fn windows_equal_rasterio() {
    let (mut seen, mut equal) = (0, 0);
    for line in CASES.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let &["window", transform, width, height, text, expected] = fields.as_slice() else {
            continue;
        };
        let transform = GeoTransform::from_array(numbers(transform).try_into().unwrap());
        let size = (width.parse().unwrap(), height.parse().unwrap());
        let bounds = geometry(text, transform, size).bbox().unwrap();
        let (found, expected) = (Window::around(bounds, size.0, size.1), window(expected));
        assert!(agree(found, expected, bounds), "{line}: found {found:?}");
        (seen, equal) = (seen + 1, equal + usize::from(found == expected));
    }
    assert!(seen > 400 && equal * 10 > seen * 8, "{equal} of {seen}");
}

#[test]
fn masks_equal_rasterio() {
    let mut seen = 0;
    for line in CASES.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let &["mask", transform, width, height, nodata, text, all_touched, place, values, valid] = fields.as_slice()
        else {
            continue;
        };
        let transform = GeoTransform::from_array(numbers(transform).try_into().unwrap());
        let size = (width.parse().unwrap(), height.parse().unwrap());
        let file = File::new(level(size, (4, 3), 1, false, DataType::Uint8), |_, col, row| pattern(col, row));
        let file = file.with(|header| (header.transform, header.nodata) = (Some(transform), nodata.parse().ok()));
        let options = WindowOptions { all_touched: all_touched == "true", scaled: false };
        let geometry = geometry(text, transform, size);
        let found = filled(&file, &file.band(0, 0, true), Some(&geometry), options);
        // If rasterio's rounding shifts the window, it also affects pixels along edges.
        let Some(found) = found.filter(|found| window(place) == Some(found.profile.window)) else {
            continue;
        };
        assert_eq!(found.data, numbers::<u8>(values), "{line}");
        let mask: Vec<u8> = valid.bytes().map(|byte| if byte == b'1' { 255 } else { 0 }).collect();
        assert_eq!(found.mask, mask, "{line}");
        assert_eq!(
            found.profile.transform.to_array(),
            transform.window(found.profile.window.col_off, found.profile.window.row_off).to_array()
        );
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn pixels_outside_are_nodata_if_the_type_can_represent_it() {
    let inside = "POLYGON ((0.6 0.6, 2.7 0.6, 0.6 2.7, 0.6 0.6))";
    let read = |nodata, dtype, options| {
        let file = File::new(level((3, 3), (2, 2), 1, false, dtype), |_, col, row| pattern(col, row));
        let file = file.with(|header| (header.nodata, header.transform) = (nodata, None));
        let shape = geometry(inside, GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), (3, 3));
        filled(&file, &file.band(0, 0, true), Some(&shape), options).unwrap()
    };
    let plain = WindowOptions::default();
    for (nodata, fill) in [(None, 0), (Some(200.0), 200), (Some(-9999.0), 0), (Some(f64::NAN), 0), (Some(0.5), 0)] {
        let found = read(nodata, DataType::Uint8, plain);
        assert_eq!(found.data[..5], [fill, fill, fill, fill, pattern(1, 1) as u8], "{nodata:?}");
        assert_eq!(found.mask, [0, 0, 0, 0, 255, 0, 0, 0, 0]);
        assert_eq!(found.profile.nodata.map(f64::to_bits), nodata.map(f64::to_bits));
    }
    let found = read(None, DataType::Uint8, WindowOptions { scaled: true, all_touched: true });
    let double = |at: usize| f64::from_le_bytes(found.data[at * 8..(at + 1) * 8].try_into().unwrap());
    assert!(double(0) == pattern(0, 0) && double(8).is_nan(), "{:?}", found.data);
    assert_eq!(found.mask, [255, 255, 255, 255, 255, 255, 255, 255, 0]);
    // Tiles without covered pixels are not needed; without a geometry, all are.
    let file = File::new(level((9, 9), (2, 2), 1, false, DataType::Uint8), |_, _, _| 1.0)
        .with(|header| header.transform = None);
    let shape = geometry(inside, GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), (9, 9));
    let tiles = |shape| {
        WindowWriter::masked(&file.band(0, 0, true), shape, plain, WindowProfile::MAX_BYTES)
            .unwrap()
            .unwrap()
            .tiles()
            .to_vec()
    };
    assert_eq!(tiles(Some(&shape)), [(0, 0)]);
    assert_eq!(tiles(None).len(), 25);
    let outside = geometry("POINT (9 3)", GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), (9, 9));
    assert!(
        WindowWriter::masked(&file.band(0, 0, true), Some(&outside), plain, WindowProfile::MAX_BYTES)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_level_is_selected_by_pixel_size() {
    let overview = |width, height| level((width, height), (512, 512), 1, false, DataType::Uint8);
    let file = File::new(level((10_981, 10_980), (512, 512), 1, false, DataType::Uint8), |_, _, _| 0.0);
    let header = file
        .with(|header| header.overviews = vec![overview(5490, 5490), overview(2745, 2745), overview(1373, 1373)])
        .header;
    let level = |resolution| header.level_for_resolution(resolution).unwrap();
    let found: Vec<u32> = [1.0, 10.0, 19.0, 20.0, 39.9, 40.0, 79.0, 80.0, 1e9].into_iter().map(level).collect();
    assert_eq!(found, [0, 0, 0, 1, 2, 2, 2, 3, 3]);
    for resolution in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(header.level_for_resolution(resolution).is_err());
    }
}
