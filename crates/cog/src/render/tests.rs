//! Renders bands and decodes the PNGs.

use super::{BandPixels, Colormap, Colors, Picture, Range, Stretch};
use crate::grid::Window;
use crate::tiff::DataType;

const VALID: [u8; 4] = [255; 4];

fn band<'a>(data: &'a [u8], mask: &'a [u8]) -> BandPixels<'a> {
    BandPixels { data_type: DataType::Uint8, data, mask }
}

fn plain(bands: &[BandPixels<'_>]) -> Picture {
    Picture::new((2, 2), bands, &Stretch::Automatic.ranges(bands), Colors::Plain).unwrap()
}

/// The type, size and samples of a PNG.
fn decoded(picture: &Picture) -> (png::ColorType, (u32, u32), Vec<u8>) {
    let bytes = picture.to_png().unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    (info.color_type, (info.width, info.height), samples)
}

#[test]
fn one_band_is_grey() {
    let (data, half) = ([1, 2, 3, 4], [255, 0, 255, 0]);
    let (kind, size, samples) = decoded(&plain(&[band(&data, &VALID)]));
    assert_eq!((kind, size, samples), (png::ColorType::Grayscale, (2, 2), vec![1, 2, 3, 4]));
    let picture = plain(&[band(&data, &half)]);
    assert_eq!(decoded(&picture).2, [1, 255, 0, 0, 3, 255, 0, 0]);
    assert!(!picture.is_transparent() && plain(&[band(&data, &[0; 4])]).is_transparent());
}

#[test]
fn three_bands_are_rgb_and_a_fourth_is_opacity() {
    let planes: Vec<[u8; 4]> = (0..4).map(|at| [10 * at, 10 * at + 1, 10 * at + 2, 10 * at + 3]).collect();
    let bands: Vec<_> = planes.iter().map(|plane| band(plane, &VALID)).collect();
    let (kind, _, samples) = decoded(&plain(&bands[..3]));
    assert_eq!((kind, &samples[..6]), (png::ColorType::Rgb, &[0, 10, 20, 1, 11, 21][..]));
    let (kind, _, samples) = decoded(&plain(&bands));
    assert_eq!((kind, &samples[..8]), (png::ColorType::Rgba, &[0, 10, 20, 30, 1, 11, 21, 31][..]));
    // A pixel is transparent if any of its bands is invalid.
    let (kind, _, samples) = decoded(&plain(&[bands[0], band(&planes[1], &[255, 255, 0, 255]), bands[2]]));
    assert_eq!((kind, &samples[8..12]), (png::ColorType::Rgba, &[0, 0, 0, 0][..]));
    let wide = [0x0000_u16, 0x8000, 0xFFFF, 0x00FF].map(u16::to_le_bytes);
    let opacity = BandPixels { data_type: DataType::Uint16, data: wide.as_flattened(), mask: &VALID };
    let samples = decoded(&plain(&[bands[0], bands[1], bands[2], opacity])).2;
    assert_eq!([samples[3], samples[7], samples[11], samples[15]], [0, 127, 255, 0]);
}

#[test]
fn colours_of_maps_and_tables() {
    let data = [0, 1, 2, 255];
    let one = [band(&data, &VALID)];
    let map = Colormap::named("viridis").unwrap();
    let (kind, _, samples) = decoded(&Picture::new((2, 2), &one, &[Range::Bytes], Colors::Map(map)).unwrap());
    assert_eq!((kind, &samples[9..]), (png::ColorType::Rgb, &map.color(255)[..]));
    let table = [[1, 2, 3, 255], [4, 5, 6, 255], [7, 8, 9, 0]];
    let (kind, _, samples) = decoded(&Picture::new((2, 2), &one, &[Range::Bytes], Colors::Table(&table)).unwrap());
    let expected = [1, 2, 3, 255, 4, 5, 6, 255, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!((kind, &samples[..]), (png::ColorType::Rgba, &expected[..]));
    // Values outside of the table, negative values and NaN.
    let odd = [-1.0_f32, 1e10, f32::NAN, 1.5].map(f32::to_le_bytes);
    let odd = [BandPixels { data_type: DataType::Float32, data: odd.as_flattened(), mask: &VALID }];
    let samples = decoded(&Picture::new((2, 2), &odd, &[Range::Bytes], Colors::Table(&table)).unwrap()).2;
    assert_eq!(samples[..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 5, 6, 255]);
}

#[test]
fn nan_is_transparent_and_infinity_is_clamped() {
    let values = [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, 0.5].map(f64::to_le_bytes);
    let one = [BandPixels { data_type: DataType::Float64, data: values.as_flattened(), mask: &VALID }];
    let picture = Picture::new((2, 2), &one, &[Range::Between(0.0, 1.0)], Colors::Plain).unwrap();
    assert_eq!(decoded(&picture).2, [0, 0, 0, 255, 255, 255, 127, 255]);
}

#[test]
fn pixels_outside_of_the_window_are_transparent() {
    let data = [1, 2, 3, 4];
    let part = Window { col_off: 1, row_off: 1, width: 2, height: 2 };
    let (kind, size, samples) = decoded(&plain(&[band(&data, &VALID)]).within((4, 3), part));
    assert_eq!((kind, size), (png::ColorType::GrayscaleAlpha, (4, 3)));
    let expected: Vec<u8> = [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0]
        .into_iter()
        .flat_map(|grey| [grey, if grey > 0 { 255 } else { 0 }])
        .collect();
    assert_eq!(samples, expected);
    let whole = Window::of_image(2, 2);
    assert_eq!(decoded(&plain(&[band(&data, &VALID)]).within((2, 2), whole)).2, data);
}

#[test]
fn every_type_is_read() {
    for data_type in DataType::DECODED {
        let data = vec![0; 4 * data_type.size()];
        let one = [BandPixels { data_type, data: &data, mask: &VALID }];
        let picture = Picture::new((2, 2), &one, &[Range::Between(-1.0, 1.0)], Colors::Plain).unwrap();
        assert_eq!(picture.is_transparent(), data_type.is_complex(), "{data_type}");
        if !data_type.is_complex() {
            assert_eq!(decoded(&picture).2, [127; 4], "{data_type}");
        }
    }
}

#[test]
fn bands_that_do_not_fit_are_errors() {
    let data = [1, 2, 3, 4];
    let one = band(&data, &VALID);
    let new = |size, bands: &[BandPixels<'_>], colors: Colors<'_>| {
        Picture::new(size, bands, &[Range::Bytes; 4], colors).map(|_| ()).map_err(|error| error.to_string())
    };
    let map = Colors::Map(Colormap::named("magma").unwrap());
    assert_eq!(new((2, 2), &[one; 2], Colors::Plain).unwrap_err(), "bands: expected one, three or four bands, found 2");
    assert_eq!(new((2, 2), &[one; 3], map).unwrap_err(), "colormap: expected one band with it, found 3");
    assert!(new((2, 2), &[], Colors::Plain).is_err() && new((2, 2), &[one; 5], Colors::Plain).is_err());
    assert!(new((3, 2), &[one], Colors::Plain).is_err());
    let empty = Picture::new((0, 0), &[band(&[], &[])], &[Range::Bytes], Colors::Plain).unwrap();
    assert!(empty.to_png().is_err());
}
