//! Writes files and reads them with the crate's decoders.

use proptest::prelude::*;

use super::{
    BigTiff, CogLayout, CogOptions, CogProfile, EncodedTile, OverviewResampling, PredictorChoice, Pyramid, TileEncoder,
};
use crate::codec::{BlockShape, Samples, decode};
use crate::geo::GeoTransform;
use crate::tiff::{Compression, DataType, Predictor};
use crate::{CogHeader, DecodeResult, Error, HeaderDecoder, Level, Limits};

/// A tile and its mask.
type Encoded = (Vec<u8>, Option<Vec<u8>>);

/// Writes a file in memory.
fn write(profile: &CogProfile, options: CogOptions, samples: &[u8], mask: &[u8]) -> Result<Vec<u8>, Error> {
    let layout = CogLayout::new(profile.clone(), options)?;
    let mut encoder = TileEncoder::new(profile, &options)?;
    let mut encoded: Vec<Vec<Encoded>> = vec![Vec::new(); layout.levels().len()];
    let mut pyramid = Pyramid::new(profile, &options);
    let width = profile.width as usize;
    let mut masks = mask.chunks_exact(width);
    for row in samples.chunks_exact(width * profile.pixel_bytes()) {
        pyramid.push(row, masks.next().unwrap_or_default(), &mut |tiles| {
            for column in 0..tiles.tiles {
                let (mut samples, mask) = tiles.tile(column);
                let mask = mask.map(|mask| encoder.encode_mask(&mask)).transpose()?;
                encoded[tiles.level].push((encoder.encode(&mut samples)?, mask));
            }
            Ok::<_, Error>(())
        })?;
    }
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    let sizes = |(image, mask): &Encoded| EncodedTile { image: size(image), mask: mask.as_deref().map_or(0, size) };
    let tiles: Vec<Vec<_>> = encoded.iter().map(|level| level.iter().map(sizes).collect()).collect();
    let mut file = layout.head(&tiles)?;
    for (image, mask) in encoded.iter().rev().flatten() {
        for part in [Some(image), mask.as_ref()].into_iter().flatten() {
            let (leader, trailer) = CogLayout::frame(part);
            file.extend(leader);
            file.extend(part);
            file.extend(trailer);
        }
    }
    Ok(file)
}

fn header(file: &[u8]) -> CogHeader {
    let mut decoder = HeaderDecoder::new(Limits::default(), u64::try_from(file.len()).ok());
    decoder.push(0, file.to_vec().into());
    match decoder.try_decode().unwrap() {
        DecodeResult::Data(header) => header,
        DecodeResult::NeedsData(ranges) => panic!("missing {ranges:?}"),
    }
}

/// The samples of a level as bytes, without padding.
fn pixels(file: &[u8], header: &CogHeader, level: &Level) -> Vec<u8> {
    let bands = level.encoding.samples_per_pixel;
    let shape = BlockShape { width: level.tile_width, height: level.tile_height, samples_per_pixel: bands };
    let size = usize::from(bands) * level.encoding.dtype.size();
    let (width, height) = (level.image_width as usize, level.image_height as usize);
    let (tile_width, tile_height) = (level.tile_width as usize, level.tile_height as usize);
    let mut image = vec![0; width * height * size];
    for (index, (offset, count)) in level.tile_offsets.iter().zip(&level.tile_byte_counts).enumerate() {
        let start = usize::try_from(*offset).unwrap();
        let end = start + *count as usize;
        assert_eq!(file[start - 4..start], count.to_le_bytes(), "leader");
        assert_eq!(file[end..end + 4], file[end - 4..end], "trailer");
        let tile = decode(&file[start..end], &level.encoding, header.byte_order, shape, 0).unwrap();
        let tile = bytes(&tile.samples);
        let across = width.div_ceil(tile_width);
        let (top, left) = (index / across * tile_height, index % across * tile_width);
        let columns = tile_width.min(width - left);
        for row in 0..tile_height.min(height - top) {
            let at = ((top + row) * width + left) * size;
            image[at..at + columns * size].copy_from_slice(&tile[row * tile_width * size..][..columns * size]);
        }
    }
    image
}

fn bytes(samples: &Samples) -> Vec<u8> {
    match samples {
        Samples::Uint8(samples) => samples.clone(),
        Samples::Uint16(samples) | Samples::Float16(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Uint32(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Uint64(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Int8(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Int16(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Int32(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Int64(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Float32(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Float64(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Complex64(samples) => bytemuck::cast_slice(samples).to_vec(),
        Samples::Complex128(samples) => bytemuck::cast_slice(samples).to_vec(),
    }
}

const COMPRESSIONS: [Compression; 5] =
    [Compression::None, Compression::Lzw, Compression::Deflate, Compression::Zstd, Compression::Lzma];

/// Smooth numbers with some noise.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..count)
        .map(|at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (at / 7).to_le_bytes()[0] ^ (state >> 60).to_le_bytes()[0]
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn pixels_are_read_back(
        (width, height) in (1u32..90, 1u32..70),
        bands in 1u16..5,
        dtype in prop::sample::select(&DataType::DECODED[..]),
        compression in prop::sample::select(&COMPRESSIONS[..]),
        block_size in prop::sample::select(&[16u32, 32, 64][..]),
        has_mask in any::<bool>(),
        is_big in any::<bool>(),
        predictor in prop::sample::select(&[PredictorChoice::Auto, PredictorChoice::Exactly(Predictor::None)][..]),
        seed in any::<u64>(),
    ) {
        let profile = CogProfile { has_mask, ..CogProfile::new(width, height, bands, dtype) };
        let overviews = Some(OverviewResampling::Nearest);
        let big_tiff = if is_big { BigTiff::Yes } else { BigTiff::Auto };
        let options = CogOptions { compression, level: None, predictor, block_size, overviews, big_tiff };
        let samples = noise((width * height) as usize * profile.pixel_bytes(), seed);
        let mask: Vec<u8> = noise((width * height) as usize, seed ^ 5).into_iter().map(|byte| 255 * (byte & 1)).collect();
        let file = write(&profile, options, &samples, &mask).unwrap();
        let header = header(&file);
        prop_assert_eq!(header.image.encoding.dtype, dtype);
        prop_assert_eq!(header.image.encoding.compression, compression);
        prop_assert!(pixels(&file, &header, &header.image) == samples);
        prop_assert_eq!(header.masks.len(), if has_mask { header.overviews.len() + 1 } else { 0 });
        if let Some(level) = header.masks.first() {
            let read: Vec<u8> = pixels(&file, &header, level).into_iter().map(|bit| 255 * bit).collect();
            prop_assert!(read == mask);
        }
        let mut size = (width, height);
        for overview in &header.overviews {
            size = (size.0.div_ceil(2), size.1.div_ceil(2));
            prop_assert_eq!((overview.image_width, overview.image_height), size);
            pixels(&file, &header, overview);
        }
        prop_assert!(size.0.max(size.1) <= block_size);
        // The smallest overview is first.
        let firsts: Vec<_> = header.overviews.iter().rev().chain([&header.image]).map(|level| level.tile_offsets[0]).collect();
        prop_assert!(firsts.is_sorted());
    }

    /// Compares the pixels of an overview, which are means of the covered pixels, with a supersampled reference.
    #[test]
    fn averages_are_weighted_by_area((width, height) in (17u32..60, 17u32..60), seed in any::<u64>(), has_mask in any::<bool>()) {
        let profile = CogProfile { has_mask, ..CogProfile::new(width, height, 1, DataType::Float64) };
        let options = CogOptions { block_size: 32, ..CogOptions::default() };
        prop_assume!(width.max(height) > 32);
        let numbers: Vec<f64> = noise((width * height) as usize, seed).into_iter().map(f64::from).collect();
        let mask: Vec<u8> = noise(numbers.len(), seed ^ 9).into_iter().map(|byte| if byte % 3 == 0 { 0 } else { 255 }).collect();
        let file = write(&profile, options, bytemuck::cast_slice(&numbers), &mask).unwrap();
        let header = header(&file);
        let overview = pixels(&file, &header, &header.overviews[0]);
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        for row in 0..down {
            for col in 0..across {
                let (mut sum, mut weight) = (0.0, 0.0);
                // Each pixel is split into `across` columns and `down` rows of parts.
                for y in row * height..(row + 1) * height {
                    for x in col * width..(col + 1) * width {
                        let at = (y / down * width + x / across) as usize;
                        if !has_mask || mask[at] != 0 {
                            sum += numbers[at];
                            weight += 1.0;
                        }
                    }
                }
                let at = 8 * (row * across + col) as usize;
                let found = f64::from_le_bytes(overview[at..at + 8].try_into().unwrap());
                if weight == 0.0 { prop_assert!(found.is_nan()) } else { prop_assert!((found - sum / weight).abs() < 1e-9) }
            }
        }
    }
}

/// The first two pixels of the overview of an image that starts with `tile`. The image is wider, because files with blocks of 16 have no
/// overviews of smaller images.
fn overview_of(profile: CogProfile, resampling: OverviewResampling, tile: [[u8; 4]; 2]) -> (Vec<u8>, Vec<u8>) {
    let profile = CogProfile { width: 20, height: 2, ..profile };
    let rows: Vec<u8> = tile.iter().flat_map(|row| row.iter().copied().chain([7; 16])).collect();
    let mask: Vec<u8> = rows.iter().map(|value| if *value == 99 { 0 } else { 255 }).collect();
    let options = CogOptions { block_size: 16, overviews: Some(resampling), ..CogOptions::default() };
    let file = write(&profile, options, &rows, &mask).unwrap();
    let header = header(&file);
    let mask = header.masks.get(1).map(|level| pixels(&file, &header, level)[..2].to_vec()).unwrap_or_default();
    (pixels(&file, &header, &header.overviews[0])[..2].to_vec(), mask)
}

#[test]
fn overviews_exclude_invalid_pixels() {
    let profile = CogProfile::new(1, 1, 1, DataType::Uint8);
    let tile = [[1, 2, 99, 99], [2, 99, 99, 99]];
    assert_eq!(overview_of(profile.clone(), OverviewResampling::Average, tile).0, [26, 99]);
    let nodata = CogProfile { nodata: Some(99.0), ..profile.clone() };
    assert_eq!(overview_of(nodata.clone(), OverviewResampling::Average, tile).0, [2, 99]);
    assert_eq!(overview_of(nodata, OverviewResampling::Mode, tile).0, [2, 99]);
    let masked = CogProfile { has_mask: true, ..profile.clone() };
    assert_eq!(overview_of(masked, OverviewResampling::Average, tile), (vec![2, 0], vec![1, 0]));
    // A mean that is equal to nodata is changed.
    let nodata = CogProfile { nodata: Some(2.0), ..profile };
    assert_eq!(overview_of(nodata, OverviewResampling::Average, [[1, 3, 2, 2], [1, 3, 2, 2]]).0, [3, 2]);
}

#[test]
fn the_mode_is_the_smaller_value_on_a_tie() {
    let profile = CogProfile::new(1, 1, 1, DataType::Uint8);
    assert_eq!(overview_of(profile, OverviewResampling::Mode, [[5, 3, 9, 9], [3, 5, 9, 1]]).0, [3, 9]);
}

#[test]
fn georeferencing_and_descriptions_are_read_back() {
    let transform = GeoTransform::from_array([10.0, 0.0, 499_980.0, 0.0, -10.0, 4_200_000.0]);
    let profile = CogProfile {
        transform: Some(transform),
        crs: Some("EPSG:32643".to_owned()),
        nodata: Some(-9999.5),
        band_names: vec!["red & <green>".to_owned()],
        scaling: vec![(0.1, -0.5)],
        ..CogProfile::new(2, 1, 1, DataType::Float32)
    };
    let file = write(&profile, CogOptions::default(), &[0; 8], &[]).unwrap();
    assert!(
        file.starts_with(b"II\x2A\0") && file[8..].starts_with(b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\nLAYOUT=")
    );
    let header = header(&file);
    assert_eq!(header.transform, Some(transform));
    assert_eq!(header.crs.map(|crs| crs.to_string()), Some("EPSG:32643".to_owned()));
    assert_eq!(header.nodata, Some(-9999.5));
    assert_eq!((header.scale, header.offset), (Some(vec![0.1]), Some(vec![-0.5])));
}

#[test]
fn rotated_and_south_up_transforms_are_matrices() {
    for transform in [[1.0, 0.5, 3.0, -0.5, 1.0, 4.0], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]] {
        let transform = Some(GeoTransform::from_array(transform));
        for crs in [None, Some("EPSG:4326".to_owned())] {
            let profile = CogProfile { transform, crs: crs.clone(), ..CogProfile::new(2, 1, 1, DataType::Uint8) };
            let header = header(&write(&profile, CogOptions::default(), &[0; 2], &[]).unwrap());
            assert_eq!((header.transform, header.crs.map(|crs| crs.to_string())), (transform, crs));
        }
    }
}

#[test]
fn invalid_profiles_and_options_are_errors() {
    let profile = CogProfile::new(4, 4, 2, DataType::Uint8);
    let options = CogOptions::default();
    let profiles = [
        (CogProfile { width: 0, ..profile.clone() }, "columns and rows"),
        (CogProfile { nodata: Some(256.0), ..profile.clone() }, "nodata 256 is no uint8 number"),
        (CogProfile { crs: Some("PROJCS[…]".to_owned()), ..profile.clone() }, "EPSG code"),
        (CogProfile { crs: Some("EPSG:4978".to_owned()), ..profile.clone() }, "EPSG code"),
        (
            CogProfile { band_names: vec!["one".to_owned()], ..profile.clone() },
            "expected band names of 2 bands, found 1",
        ),
        (CogProfile { dtype: DataType::ComplexInt16, ..profile.clone() }, "complex_int16"),
    ];
    for (profile, expected) in profiles {
        let error = CogLayout::new(profile, options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let predictor = PredictorChoice::Exactly(Predictor::FloatingPoint);
    let all = [
        (CogOptions { block_size: 100, ..options }, "multiple of 16, found 100"),
        (CogOptions { compression: Compression::Jpeg, ..options }, "found jpeg"),
        (CogOptions { level: Some(13), ..options }, "from 1 to 12, found 13"),
        (CogOptions { compression: Compression::Lzw, level: Some(1), ..options }, "no levels"),
        (CogOptions { predictor, ..options }, "predictor 3 is not defined for samples of type uint8"),
    ];
    for (options, expected) in all {
        let error = CogLayout::new(profile.clone(), options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_number_of_tiles_is_limited_as_for_reading() {
    let layout = |side: u32| {
        let options = CogOptions { block_size: 16, ..CogOptions::default() };
        CogLayout::new(CogProfile::new(side, 32 * 1024, 1, DataType::Uint8), options)
            .map(|layout| layout.levels()[0].tiles())
    };
    assert_eq!(layout(16 * 16_384).unwrap(), 1 << 25);
    let error = layout(16 * 16_384 + 1).unwrap_err().to_string();
    assert!(error.contains("expected at most 33554432 tiles, found 33556480: use a larger block size"), "{error}");
}

#[test]
fn large_files_are_big_tiffs() {
    let profile = CogProfile::new(64, 64, 1, DataType::Uint8);
    let tiles = [
        vec![EncodedTile { image: u32::MAX / 8, mask: 0 }; 16],
        vec![EncodedTile { image: 9, mask: 0 }; 4],
        vec![EncodedTile { image: 9, mask: 0 }],
    ];
    let head = |big_tiff| {
        let layout =
            CogLayout::new(profile.clone(), CogOptions { block_size: 16, big_tiff, ..CogOptions::default() }).unwrap();
        layout.head(&tiles)
    };
    assert_eq!(head(BigTiff::Auto).unwrap()[2], 43);
    assert!(head(BigTiff::No).unwrap_err().to_string().contains("without BigTIFF"));
}
