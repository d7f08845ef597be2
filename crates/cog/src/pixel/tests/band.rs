use std::sync::Arc;

use proptest::prelude::*;

use super::{File, level};
use crate::Error;
use crate::codec::DecodedTile;
use crate::grid::Window;
use crate::pixel::{Band, Block, Image, Pixels, Sample, Visitor};
use crate::tiff::{DataType, ExtraSample};
use crate::zonal::Run;

/// A value that identifies its band, column and row, in the range of all types.
fn marked(band: u16, col: u32, row: u32) -> f64 {
    f64::from((u32::from(band) * 31 + col * 3 + row * 7) % 100)
}

/// Values of all pixels of a band, None for invalid ones. Checks that each pixel is in exactly one block.
fn read(file: &File, band: &Band) -> Vec<Vec<Option<f64>>> {
    let tiling = band.tiling();
    let mut image = vec![vec![None; tiling.image_width as usize]; tiling.image_height as usize];
    for block in file.blocks(band) {
        for row in block.window.row_off..block.window.row_end() {
            for pixel in block.pixels(&Run { row, start: 0, end: u32::MAX, weight: 1.0 }) {
                let place = &mut image[pixel.row as usize][pixel.col as usize];
                assert_eq!(*place, None);
                *place = Some(pixel.is_valid.then_some(pixel.value));
            }
        }
    }
    image
        .into_iter()
        .map(|row| row.into_iter().map(|pixel| pixel.expect("each pixel is in a block")).collect())
        .collect()
}

/// Expected result of [`read`], by a rule.
fn image(size: (u32, u32), rule: impl Fn(u32, u32) -> Option<f64>) -> Vec<Vec<Option<f64>>> {
    (0..size.1).map(|row| (0..size.0).map(|col| rule(col, row)).collect()).collect()
}

#[test]
fn every_type_and_layout() {
    for dtype in DataType::DECODED {
        for (is_planar, tile) in [(false, (4, 3)), (true, (4, 3)), (false, (0, 3)), (true, (0, 3))] {
            let file = File::new(level((10, 7), tile, 3, is_planar, dtype), marked);
            for index in 0..3 {
                let band = file.band(0, index, true);
                assert_eq!(band.data_type(), dtype);
                let expected = image((10, 7), |col, row| Some(marked(index as u16, col, row)));
                assert_eq!(read(&file, &band), expected, "{dtype} {is_planar} {tile:?}");
            }
        }
    }
}

#[test]
fn edge_blocks_are_clipped_to_the_image() {
    let file = File::new(level((10, 7), (4, 3), 1, false, DataType::Uint8), marked);
    let band = file.band(0, 0, false);
    let block = file.block(&band, 2, 2);
    assert_eq!(block.window, Window { col_off: 8, row_off: 6, width: 2, height: 1 });
    assert_eq!(
        (block.pixel(9, 6).unwrap().value, block.pixel(10, 6), block.pixel(9, 7)),
        (marked(0, 9, 6), None, None)
    );
    assert_eq!(band.sources(3, 0), []);
    assert_eq!(band.sources(u32::MAX, u32::MAX), []);
    assert!(matches!(band.block(0, 3, &[None]), Err(Error::InvalidArgument { .. })));
    assert!(matches!(band.block(0, 0, &[]), Err(Error::InvalidArgument { .. })));
}

#[test]
fn sparse_tiles_are_nodata_or_zero() {
    for dtype in DataType::DECODED {
        let sparse = |nodata: Option<f64>| {
            let file = File::new(level((8, 3), (4, 3), 2, false, dtype), marked);
            let file = file.with(|header| (header.image.tile_byte_counts[1], header.nodata) = (0, nodata));
            let band = file.band(0, 1, true);
            assert_eq!(band.sources(0, 1)[0].range, None);
            let pixel = file.block(&band, 0, 1).pixel(7, 2).unwrap();
            (pixel.value, pixel.is_valid)
        };
        assert_eq!(sparse(None), (0.0, true), "{dtype}");
        assert_eq!(sparse(Some(50.0)), (50.0, false), "{dtype}");
    }
    let file = File::new(level((4, 3), (4, 3), 1, false, DataType::Uint8), marked);
    let file = file.with(|header| (header.image.tile_offsets[0], header.nodata) = (0, Some(-9999.0)));
    let pixel = file.block(&file.band(0, 0, true), 0, 0).pixel(0, 0).unwrap();
    assert_eq!((pixel.value, pixel.is_valid), (0.0, true));
}

#[test]
fn alpha_is_in_the_same_tile_or_in_a_plane() {
    let alpha =
        |band: u16, col: u32, row: u32| if band == 3 { f64::from((col + row) % 3) } else { marked(band, col, row) };
    for is_planar in [false, true] {
        let file = File::new(level((10, 7), (4, 3), 4, is_planar, DataType::Uint8), alpha);
        let file = file.with(|header| header.extra_samples = Some(vec![ExtraSample::UnassociatedAlpha]));
        let masked = file.band(0, 1, true);
        let sources = masked.sources(1, 2);
        assert_eq!(sources.len(), if is_planar { 2 } else { 1 });
        if is_planar {
            assert_eq!([sources[0].position, sources[1].position], [9 + 5, 27 + 5]);
            assert_eq!(sources[1].range, Some(1032..1033));
        }
        let expected = image((10, 7), |col, row| ((col + row) % 3 != 0).then(|| marked(1, col, row)));
        assert_eq!(read(&file, &masked), expected);
        let unmasked = image((10, 7), |col, row| Some(marked(1, col, row)));
        assert_eq!(read(&file, &file.band(0, 1, false)), unmasked);
        let own = image((10, 7), |col, row| Some(f64::from((col + row) % 3)));
        assert_eq!(read(&file, &file.band(0, 3, true)), own);
    }
    // Extra samples of other types, and more extra samples than bands, are not alpha.
    for extra in [vec![0], vec![], vec![2; 5]] {
        let file = File::new(level((10, 7), (4, 3), 4, false, DataType::Uint8), alpha);
        let file =
            file.with(|header| header.extra_samples = Some(extra.into_iter().map(ExtraSample::from_code).collect()));
        assert!(read(&file, &file.band(0, 0, true)).iter().flatten().all(Option::is_some));
    }
    let file = File::new(level((10, 7), (4, 3), 4, true, DataType::Uint8), alpha);
    let file =
        file.with(|header| header.extra_samples = Some(vec![ExtraSample::Unspecified, ExtraSample::AssociatedAlpha]));
    assert_eq!(file.band(0, 0, true).sources(0, 0)[1].position, 27);
}

#[test]
fn a_sparse_alpha_tile_is_transparent() {
    let file = File::new(level((8, 3), (4, 3), 2, true, DataType::Uint8), |_, _, _| 9.0).with(|header| {
        header.extra_samples = Some(vec![ExtraSample::AssociatedAlpha]);
        header.image.tile_offsets[3] = 0;
    });
    let expected = image((8, 3), |col, _| (col < 4).then_some(9.0));
    assert_eq!(read(&file, &file.band(0, 0, true)), expected);
}

#[test]
fn a_mask_may_have_another_tile_grid() {
    let data = || level((10, 7), (4, 3), 2, true, DataType::Uint16);
    let is_valid = |col: u32, row: u32| !(col * row).is_multiple_of(4);
    for (mask_tile, count) in [((4, 3), 1), ((3, 2), 4), ((0, 2), 2), ((16, 16), 1)] {
        let mask = level((10, 7), mask_tile, 1, false, DataType::Uint8);
        let file =
            File::new(data(), marked).with_mask(mask, move |_, col, row| f64::from(u8::from(is_valid(col, row)) * 7));
        let band = file.band(0, 1, true);
        let sources = band.sources(0, 1);
        assert_eq!((sources[0].image, sources[1].image), (Image::Level(0), Image::Mask(0)));
        assert!(sources.len() > count, "{mask_tile:?}: {}", sources.len());
        assert_eq!(read(&file, &band), image((10, 7), |col, row| is_valid(col, row).then(|| marked(1, col, row))));
        assert_eq!(file.band(0, 1, false).sources(0, 1).len(), 1);
    }
    // A mask per band, and a mask of another size, which belongs to another level.
    for is_planar in [false, true] {
        let mask = level((10, 7), (5, 5), 2, is_planar, DataType::Uint8);
        let file = File::new(data(), marked).with_mask(mask, |band, col, _| f64::from(col % 2) + f64::from(band));
        assert_eq!(
            read(&file, &file.band(0, 0, true)),
            image((10, 7), |col, row| (col % 2 == 1).then(|| marked(0, col, row)))
        );
        assert!(read(&file, &file.band(0, 1, true)).iter().flatten().all(Option::is_some));
    }
    let file = File::new(data(), marked).with_mask(level((5, 4), (4, 3), 1, false, DataType::Uint8), |_, _, _| 0.0);
    let file = file.with_overview(level((5, 4), (4, 3), 2, true, DataType::Uint16), marked);
    assert!(read(&file, &file.band(0, 0, true)).iter().flatten().all(Option::is_some));
    assert!(read(&file, &file.band(1, 0, true)).iter().flatten().all(Option::is_none));
}

#[test]
fn a_sparse_tile_of_a_mask_is_invalid() {
    let mut mask = level((10, 7), (5, 7), 1, false, DataType::Uint8);
    mask.tile_byte_counts[1] = 0;
    let file = File::new(level((10, 7), (4, 3), 1, false, DataType::Uint16), marked).with_mask(mask, |_, _, _| 1.0);
    assert_eq!(read(&file, &file.band(0, 0, true)), image((10, 7), |col, row| (col < 5).then(|| marked(0, col, row))));
}

#[test]
fn nodata_mask_and_alpha_apply_together() {
    let values = |band: u16, col: u32, _: u32| match (band, col) {
        (0, 0) => 9.0,
        (0, _) => 5.0,
        (_, 1) => 0.0,
        _ => 255.0,
    };
    let mask = level((4, 1), (4, 1), 1, false, DataType::Uint8);
    let file = File::new(level((4, 1), (4, 1), 2, false, DataType::Uint8), values)
        .with_mask(mask, |_, col, _| f64::from(u8::from(col != 2)))
        .with(|header| (header.nodata, header.extra_samples) = (Some(9.0), Some(vec![ExtraSample::UnassociatedAlpha])));
    assert_eq!(read(&file, &file.band(0, 0, true)), [[None, None, None, Some(5.0)]]);
    assert_eq!(read(&file, &file.band(0, 0, false)), [[None, Some(5.0), Some(5.0), Some(5.0)]]);
}

#[test]
fn nodata_is_compared_in_the_bands_type() {
    let first = |dtype, nodata, value: f64| {
        let file = File::new(level((1, 1), (1, 1), 1, false, dtype), move |_, _, _| value);
        let file = file.with(|header| header.nodata = Some(nodata));
        file.block(&file.band(0, 0, false), 0, 0).pixel(0, 0).unwrap().is_valid
    };
    assert!(!first(DataType::Float32, 0.1, 0.1));
    assert!(!first(DataType::Float64, 0.1, 0.1));
    assert!(first(DataType::Float32, 0.1, 0.1001));
    assert!(!first(DataType::Float32, f64::NAN, f64::NAN) && first(DataType::Float32, f64::NAN, 1.0));
    assert!(first(DataType::Float32, 1.0, f64::NAN));
    assert!(first(DataType::Uint8, -1.0, 255.0) && first(DataType::Uint8, 256.0, 0.0));
    assert!(!first(DataType::Uint8, 0.5, 0.0) && first(DataType::Uint8, 0.5, 1.0));
    assert!(first(DataType::Uint8, f64::NAN, 0.0));
    // Nodata is not rounded to a half float, in which -9999 is -10000.
    assert!(first(DataType::Float16, -9999.0, -9999.0) && !first(DataType::Float16, -10_000.0, -9999.0));
    assert!(!first(DataType::Complex64, 3.0, 3.0) && first(DataType::Complex64, 3.5, 3.0));
}

#[test]
fn nodata_values_require_all_bands() {
    // All three values match in column 0, and one less in each other column.
    let values = |band: u16, col: u32, _: u32| if col == u32::from(band) + 1 { 50.0 } else { f64::from(band) };
    for (dtype, is_planar) in DataType::DECODED.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let file = File::new(level((5, 2), (4, 3), 3, is_planar, dtype), values);
        let file = file.with(|header| (header.nodata, header.nodata_values) = (Some(50.0), Some(vec![0.0, 1.0, 2.0])));
        for index in 0..3 {
            let band = file.band(0, index, false);
            assert_eq!(band.sources(0, 0).len(), if is_planar { 3 } else { 1 });
            let expected = image((5, 2), |col, row| (1..4).contains(&col).then(|| values(index as u16, col, row)));
            assert_eq!(read(&file, &band), expected, "{dtype}");
        }
    }
    let planar = File::new(level((5, 2), (4, 3), 3, true, DataType::Uint8), values);
    let planar = planar.with(|header| header.nodata_values = Some(vec![0.0, 1.0, 2.0]));
    let error = Band::new(Arc::new(planar.header.for_band(1).unwrap()), 0, 1, false).unwrap_err();
    assert!(error.to_string().contains("NODATA_VALUES"), "{error}");
    // An ignored list requires no other bands.
    let planar = planar.with(|header| header.nodata_values = Some(vec![0.0, 1.0]));
    assert!(Band::new(Arc::new(planar.header.for_band(1).unwrap()), 0, 1, false).is_ok());
}

#[test]
fn alpha_and_nodata_values_share_planes() {
    let values = |band: u16, col: u32, _: u32| if band == 3 { f64::from(col) } else { 7.0 };
    let file = File::new(level((4, 1), (4, 1), 4, true, DataType::Uint8), values).with(|header| {
        header.extra_samples = Some(vec![ExtraSample::UnassociatedAlpha]);
        header.nodata_values = Some(vec![7.0, 7.0, 7.0, 2.0]);
    });
    let band = file.band(0, 1, true);
    assert_eq!(band.sources(0, 0).len(), 4);
    assert_eq!(read(&file, &band), [[None, Some(7.0), None, Some(7.0)]]);
}

#[test]
fn sparse_tiles_of_64_bits_are_exact() {
    let file = File::new(level((4, 3), (4, 3), 1, false, DataType::Int64), marked).with(|header| {
        header.image.tile_offsets[0] = 0;
        (header.nodata, header.nodata_text) =
            (Some(1_152_921_504_606_846_976.0), Some("1152921504606846977".to_owned()));
    });
    let block = file.block(&file.band(0, 0, true), 0, 0);
    let mut bytes = [0; 8];
    block.copy(0, 0..1, &mut bytes);
    assert_eq!((i64::from_le_bytes(bytes), block.pixel(0, 0).unwrap().is_valid), (1_152_921_504_606_846_977, false));
    // The half float nearest to nodata is nodata, although it is not approximately equal.
    let file = File::new(level((4, 3), (4, 3), 1, false, DataType::Float16), marked);
    let file = file.with(|header| (header.image.tile_offsets[0], header.nodata) = (0, Some(-9999.0)));
    let pixel = file.block(&file.band(0, 0, false), 0, 0).pixel(0, 0).unwrap();
    assert_eq!((pixel.value, pixel.is_valid), (-10_000.0, false));
}

#[test]
fn metadata_of_one_band() {
    for is_planar in [false, true] {
        let file = File::new(level((10, 7), (4, 3), 3, is_planar, DataType::Uint8), marked);
        let narrowed = file.header.for_band(2).unwrap();
        let file = file.with(|header| *header = narrowed);
        let band = file.band(0, 2, true);
        assert_eq!(
            band.sources(0, 1)[0].range,
            Some(1001 + 18 * u64::from(is_planar)..1002 + 18 * u64::from(is_planar))
        );
        assert_eq!(read(&file, &band), image((10, 7), |col, row| Some(marked(2, col, row))));
        assert!(Band::new(Arc::new(file.header.clone()), 0, 1, true).is_err());
    }
    let rgba = File::new(level((10, 7), (4, 3), 4, true, DataType::Uint8), marked);
    let rgba = rgba.with(|header| header.extra_samples = Some(vec![ExtraSample::UnassociatedAlpha]));
    let narrowed = rgba.header.for_band(1).unwrap();
    let error = Band::new(Arc::new(narrowed.clone()), 0, 1, true).unwrap_err().to_string();
    assert!(error.contains("band 3, the alpha band") && error.contains("masked := false"), "{error}");
    assert!(Band::new(Arc::new(narrowed), 0, 1, false).is_ok());
    // The alpha band itself and chunky files need no other plane.
    assert!(Band::new(Arc::new(rgba.header.for_band(3).unwrap()), 0, 3, true).is_ok());
    // Tables of one unknown plane.
    let mut header = rgba.header.for_band(1).unwrap();
    header.band_index = None;
    assert!(matches!(Band::new(Arc::new(header), 0, 1, false), Err(Error::Malformed { .. })));
}

#[test]
fn complex_numbers_are_not_real_and_complex_integers_not_decoded() {
    let header = |dtype| Arc::new(File::new(level((4, 4), (4, 4), 1, false, dtype), marked).header);
    assert!(Band::new(header(DataType::Float32), 0, 0, true).unwrap().check_real().is_ok());
    let error = Band::new(header(DataType::Complex64), 0, 0, true).unwrap().check_real().unwrap_err();
    assert!(error.to_string().contains("complex64"), "{error}");
    assert!(matches!(Band::new(header(DataType::ComplexInt16), 0, 0, true), Err(Error::Unsupported { .. })));
}

#[test]
fn tiles_that_do_not_fit_are_errors() {
    let file = File::new(level((10, 7), (4, 3), 2, false, DataType::Uint16), marked);
    let band = file.band(0, 1, true);
    let good = file.decoded(&band, 0, 0)[0].clone().unwrap();
    let refused = |change: &dyn Fn(&mut DecodedTile)| {
        let mut tile = DecodedTile::clone(&good);
        change(&mut tile);
        matches!(band.block(0, 0, &[Some(Arc::new(tile))]), Err(Error::Malformed { .. }))
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|tile| tile.height = 2));
    assert!(refused(&|tile| (tile.width, tile.height) = (3, 4)));
    assert!(refused(&|tile| (tile.width, tile.samples_per_pixel) = (8, 1)));
    assert!(refused(&|tile| tile.samples = super::samples(DataType::Uint8, &[0.0; 24])));
    assert!(refused(&|tile| tile.samples = super::samples(DataType::Uint16, &[0.0; 23])));
}

#[test]
fn the_mask_of_a_codec_applies_to_integers() {
    for (dtype, masked, is_valid) in [
        (DataType::Int16, true, false),
        (DataType::Int16, false, true),
        // For floats, invalid pixels of the codec are NaN, and nodata decides.
        (DataType::Float32, true, true),
    ] {
        let file = File::new(level((4, 4), (4, 4), 2, false, dtype), marked);
        let band = file.band(0, 0, masked);
        let mut tile = DecodedTile::clone(file.decoded(&band, 0, 0)[0].as_ref().unwrap());
        let mut valid = vec![1; 16];
        valid[4 + 2] = 0;
        tile.valid = Some(valid);
        let block = band.block(0, 0, &[Some(Arc::new(tile))]).unwrap();
        assert_eq!(block.pixel(2, 1).unwrap().is_valid, is_valid);
        assert!(block.pixel(1, 1).unwrap().is_valid && block.pixel(2, 2).unwrap().is_valid);
    }
}

/// The sum of valid pixels, computed with both accessors.
struct Sum;

impl Visitor for Sum {
    type Output = (f64, f64);

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) -> Self::Output {
        let mut sum = 0.0;
        pixels.for_each_valid(|at, sample| sum += sample.to_f64() * (at + 1) as f64);
        let (mut at, mut again) = (0.0, 0.0);
        pixels.for_each(|sample, is_valid| {
            at += 1.0;
            again += if is_valid { sample.to_f64() * at } else { 0.0 };
        });
        (sum, again)
    }
}

#[test]
fn visitors_receive_the_valid_pixels_of_a_run() {
    let sum = |block: &Block, row, cols| block.visit(row, cols, Sum);
    for dtype in &DataType::DECODED[..11] {
        for bands in [1, 3] {
            for nodata in [None, Some(17.0)] {
                for masked in [false, true] {
                    let mask = level((8, 2), (3, 2), 1, false, DataType::Uint8);
                    let file = File::new(level((8, 2), (8, 2), bands, false, *dtype), |_, col, _| f64::from(10 + col));
                    let file = file.with(|header| header.nodata = nodata);
                    let file = file.with_mask(mask, |_, col, _| f64::from(col % 5));
                    let block = file.block(&file.band(0, 0, masked), 0, 0);
                    let expected = |cols: std::ops::Range<u32>| -> f64 {
                        let start = cols.start;
                        cols.filter(|col| nodata != Some(f64::from(10 + col)) && !(masked && col % 5 == 0))
                            .map(|col| f64::from((10 + col) * (col - start + 1)))
                            .sum()
                    };
                    assert_eq!(sum(&block, 1, 0..8), (expected(0..8), expected(0..8)));
                    assert_eq!(sum(&block, 0, 4..20), (expected(4..8), expected(4..8)));
                    assert_eq!(sum(&block, 2, 0..8), (0.0, 0.0));
                    assert_eq!(sum(&block, 0, 5..5), (0.0, 0.0));
                }
            }
        }
    }
}

/// A random file, with all causes of invalid pixels.
#[derive(Debug, Clone)]
struct Drawn {
    size: (u32, u32),
    tile: (u32, u32),
    mask_tile: (u32, u32),
    is_planar: bool,
    bands: u16,
    alpha: Option<u16>,
    has_mask: bool,
    nodata: Option<u8>,
    sparse: usize,
    seed: u32,
}

impl Drawn {
    /// A value that depends on image, band and position; every fourth one is 0.
    fn at(&self, image: u32, band: u16, col: u32, row: u32) -> u8 {
        let mixed =
            (self.seed ^ image.wrapping_mul(97)).wrapping_add(u32::from(band) * 7919 + col * 104_729 + row * 1_299_709);
        let mixed = mixed.wrapping_mul(2_654_435_761) >> 24;
        if mixed < 64 { 0 } else { (mixed % 5) as u8 }
    }

    fn file(&self) -> File {
        let (data, mask) = (self.clone(), self.clone());
        let image = level(self.size, self.tile, self.bands, self.is_planar, DataType::Uint8);
        let mut file = File::new(image, move |band, col, row| data.at(0, band, col, row).into());
        if self.has_mask {
            let image = level(self.size, self.mask_tile, 1, false, DataType::Uint8);
            file = file.with_mask(image, move |_, col, row| mask.at(1, 0, col, row).into());
        }
        file.with(|header| {
            let count = header.image.tile_offsets.len();
            header.image.tile_offsets[self.sparse % count] = 0;
            header.nodata = self.nodata.map(f64::from);
            let extra = |band, alpha| {
                if band == alpha { ExtraSample::UnassociatedAlpha } else { ExtraSample::Unspecified }
            };
            let extra = |alpha| (1..self.bands).map(|band| extra(band, alpha)).collect();
            header.extra_samples = self.alpha.map(extra);
        })
    }

    /// Expected value of a pixel; None if invalid.
    fn pixel(&self, band: u16, col: u32, row: u32, masked: bool) -> Option<f64> {
        let (across, down) = (self.size.0.div_ceil(self.tile.0), self.size.1.div_ceil(self.tile.1));
        let stored = |band: u16| {
            let plane = if self.is_planar { u32::from(band) } else { 0 };
            let tile = plane * across * down + row / self.tile.1 * across + col / self.tile.0;
            let planes = if self.is_planar { u32::from(self.bands) } else { 1 };
            let is_sparse = tile as usize == self.sparse % (across * down * planes) as usize;
            if is_sparse { self.nodata.unwrap_or(0) } else { self.at(0, band, col, row) }
        };
        let value = stored(band);
        let hidden = masked && self.has_mask && self.at(1, 0, col, row) == 0;
        let transparent = masked && self.alpha.is_some_and(|alpha| alpha != band && stored(alpha) == 0);
        (self.nodata != Some(value) && !hidden && !transparent).then_some(value.into())
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let sizes = ((1_u32..12, 1_u32..12), (1_u32..6, 1_u32..6), (1_u32..8, 1_u32..8));
    let alpha = prop::option::of(1_u16..4);
    let rest = (any::<bool>(), 1_u16..5, alpha, any::<bool>(), prop::option::of(0_u8..5), any::<usize>(), any::<u32>());
    (sizes, rest).prop_map(|((size, tile, mask_tile), (is_planar, bands, alpha, has_mask, nodata, sparse, seed))| {
        Drawn {
            size,
            tile,
            mask_tile,
            // A planar file of one band is not distinguished from a chunky one.
            is_planar: is_planar && bands > 1,
            bands,
            alpha: alpha.filter(|alpha| *alpha < bands),
            has_mask,
            nodata,
            sparse,
            seed,
        }
    })
}

proptest! {
    #[test]
    fn blocks_match_the_rules_for_each_pixel(drawn in drawn(), band: prop::sample::Index, masked: bool) {
        let file = drawn.file();
        let band = band.index(drawn.bands.into()) as u16;
        let expected = image(drawn.size, |col, row| drawn.pixel(band, col, row, masked));
        prop_assert_eq!(read(&file, &file.band(0, band.into(), masked)), expected);
    }
}
