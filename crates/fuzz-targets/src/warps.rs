//! Resamples to other grids and writes files, with any grids, samples and options.

use std::sync::{Arc, LazyLock};

use rasteret_cog::crs::Transforms;
use rasteret_cog::geo::{BBox, GeoTransform};
use rasteret_cog::pixel::{Band, WindowWriter};
use rasteret_cog::tiff::{Compression, Predictor};
use rasteret_cog::warp::{Composite, Resampling, SourcePixels, TargetGrid, Warp, WarpedBlock, level_for_grid};
use rasteret_cog::write::{
    BigTiff, CogLayout, CogOptions, CogProfile, EncodedTile, OverviewResampling, PredictorChoice, Pyramid, TileEncoder,
};
use rasteret_cog::{DecodeResult, Error, HeaderDecoder, Limits, RasterInfo, Window};

use super::input::Input;
use super::{grids, index};

static TRANSFORMS: LazyLock<Transforms> = LazyLock::new(Transforms::default);

const METHODS: [Resampling; 7] = [
    Resampling::Nearest,
    Resampling::Bilinear,
    Resampling::Cubic,
    Resampling::Average,
    Resampling::Mode,
    Resampling::Min,
    Resampling::Max,
];

const COMPOSITES: [Composite; 8] = [
    Composite::First,
    Composite::Last,
    Composite::Min,
    Composite::Max,
    Composite::Mean,
    Composite::Median,
    Composite::Count,
    Composite::Stddev,
];

/// Maximum number of resampled pixels of source and target.
const MOST: u64 = 1 << 14;

/// Checks that blocks of the target require windows inside of the source, and have the expected number of pixels.
pub(crate) fn warp(data: &[u8]) {
    let mut input = Input::new(data);
    let header = Arc::new(index::header(&mut input));
    let (info, level) = (header.raster_info(), u32::from(input.u8() % 3));
    let Some(grid) = grid(&mut input, &info) else { return };
    let Some(method) = input.one_of(&METHODS) else { return };
    let composite = input.one_of(&COMPOSITES);
    let (masked, scaled) = (input.bool(), input.bool());
    let window = Window { col_off: input.size(), row_off: input.size(), width: input.size(), height: input.size() };
    let Some(window) = window.intersection(&Window::of_image(grid.width, grid.height)) else { return };
    let _ = level_for_grid(&header, &grid, window, &TRANSFORMS);
    let Ok(band) = Band::new(header, level, 0, masked) else { return };
    let tiling = band.tiling();
    let transform = info.transform.map(|_| band.transform());
    let source = RasterInfo { width: tiling.image_width, height: tiling.image_height, transform, ..info };
    let Ok(warp) = Warp::new(&band, &source, (&grid, window), (method, scaled), &TRANSFORMS) else { return };
    for block in Warp::blocks(window).take(2) {
        assert_eq!(block.intersection(&window), Some(block));
        resampled(&warp, &band, block, composite, &mut input);
    }
}

fn resampled(warp: &Warp, band: &Band, window: Window, composite: Option<Composite>, input: &mut Input<'_>) {
    let Ok(planned) = warp.plan(window) else { return };
    let pixels: u64 = planned.iter().map(|block| block.window.pixels()).sum();
    assert_eq!(pixels, window.pixels());
    let image = Window::of_image(band.tiling().image_width, band.tiling().image_height);
    for block in planned.iter().take(4) {
        assert!(warp.source_bytes(block) < 1 << 30);
        let needed: u64 = block.sources.iter().map(Window::pixels).sum();
        let mut sources = Vec::new();
        for source in &block.sources {
            assert_eq!(source.intersection(&image), Some(*source));
            let Ok(writer) = WindowWriter::of_window(band, *source, warp.window_options()) else { return };
            if needed + block.window.pixels() > MOST {
                continue;
            }
            let Ok(mut pixels) = SourcePixels::new(writer.profile()) else { return };
            let buffers = pixels.buffers();
            let bytes = input.bytes(buffers.data.len());
            buffers.data.iter_mut().zip(bytes.iter().cycle()).for_each(|(byte, found)| *byte = *found);
            let valid = input.u8();
            buffers.mask.iter_mut().zip(0u8..=254).for_each(|(byte, at)| *byte = if at & valid == 0 { 255 } else { 0 });
            sources.push(pixels);
        }
        if sources.len() < block.sources.len() {
            continue;
        }
        let Ok(warped) = warp.resample(block, &sources) else { continue };
        let size = warp.data_type().size();
        let check = |block: &WarpedBlock, size: usize| {
            assert_eq!(block.mask.len() as u64, block.window.pixels());
            assert_eq!(block.data.len(), block.mask.len() * size);
            for (pixel, mask) in block.data.chunks(size).zip(&block.mask) {
                assert!(*mask == 255 || (*mask == 0 && pixel.len() == size));
            }
        };
        check(&warped, size);
        if let Some(composite) = composite {
            let Ok(again) = warp.resample(block, &sources) else { continue };
            let (data_type, window, blocks) = (composite.data_type(warp.data_type()), block.window, [warped, again]);
            let fill = composite.fill(warp.data_type(), warp.fill());
            check(&composite.combine(window, warp.data_type(), &fill, &blocks), data_type.size());
        }
    }
}

/// A grid, defined in any of the possible forms.
fn grid(input: &mut Input<'_>, raster: &RasterInfo) -> Option<TargetGrid> {
    let crs = input.one_of(&grids::CRSS)?.to_owned();
    let grid = match input.u8() % 4 {
        0 => {
            let (transform, crs) = (GeoTransform::from_array(input.affine()), input.option(|_| crs));
            TargetGrid::new(transform, crs, input.size(), input.size())
        }
        1 => {
            let bounds = BBox { xmin: input.f64(), ymin: input.f64(), xmax: input.f64(), ymax: input.f64() };
            TargetGrid::aligned(crs, input.f64(), bounds)
        }
        2 => {
            let transform = raster.transform_from(&crs, &TRANSFORMS).ok()?;
            TargetGrid::around_raster(raster, transform.as_ref(), &crs, input.f64())
        }
        _ => TargetGrid::of_raster(raster)
            .and_then(|grid| grid.at((input.f64(), input.f64()), (input.size(), input.size()))),
    };
    grid.ok()
}

/// Checks that a written file can be read, with the same pixels.
pub(crate) fn cog_writer(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(dtype) = input.one_of(&index::TYPES).and_then(|name| name.parse().ok()) else { return };
    let (width, height) = (u32::from(input.u8() % 80), u32::from(input.u8() % 80));
    let profile = CogProfile {
        transform: input.option(|input| GeoTransform::from_array(input.affine())),
        crs: input.option(|input| input.one_of(&grids::CRSS).map(str::to_owned)).flatten(),
        nodata: input.option(Input::f64),
        has_mask: input.bool(),
        band_names: input.list(Input::text),
        scaling: input.list(|input| (input.f64(), input.f64())),
        ..CogProfile::new(width, height, u16::from(input.u8() % 5), dtype)
    };
    let overviews = [OverviewResampling::Average, OverviewResampling::Nearest, OverviewResampling::Mode];
    let predictors = [Predictor::None, Predictor::Horizontal, Predictor::FloatingPoint];
    let options = CogOptions {
        compression: input.one_of(&CogOptions::COMPRESSIONS).unwrap_or(Compression::None),
        level: input.option(|input| input.u8() % 8),
        predictor: match input.option(|input| input.one_of(&predictors)).flatten() {
            Some(predictor) => PredictorChoice::Exactly(predictor),
            None => PredictorChoice::Auto,
        },
        block_size: u32::from(input.u8() % 8) * 16,
        overviews: input.option(|input| input.one_of(&overviews)).flatten(),
        big_tiff: input.one_of(&[BigTiff::Auto, BigTiff::Yes, BigTiff::No]).unwrap_or(BigTiff::Auto),
    };
    let pixels = width as usize * height as usize;
    let repeated = |input: &mut Input<'_>, count: usize| -> Vec<u8> {
        let bytes = input.bytes(count.min(4096));
        if bytes.is_empty() { vec![0; count] } else { bytes.iter().copied().cycle().take(count).collect() }
    };
    let mask: Vec<u8> =
        repeated(&mut input, pixels).into_iter().map(|byte| if byte & 1 == 0 { 255 } else { 0 }).collect();
    let samples = repeated(&mut input, pixels.saturating_mul(profile.pixel_bytes()));
    if let Ok(file) = written(&profile, options, &samples, &mask) {
        read_back(&file, &profile, options);
    }
}

/// A tile and its mask.
type Encoded = (Vec<u8>, Option<Vec<u8>>);

/// Writes a file in memory.
fn written(profile: &CogProfile, options: CogOptions, samples: &[u8], mask: &[u8]) -> Result<Vec<u8>, Error> {
    let layout = CogLayout::new(profile.clone(), options)?;
    let mut encoder = TileEncoder::new(profile, &options)?;
    let mut encoded: Vec<Vec<Encoded>> = vec![Vec::new(); layout.levels().len()];
    let mut pyramid = Pyramid::new(profile, &options);
    let width = profile.width as usize;
    let mut masks = mask.chunks(width.max(1));
    for row in samples.chunks((width * profile.pixel_bytes()).max(1)) {
        pyramid.push(row, masks.next().unwrap_or_default(), &mut |tiles| {
            for column in 0..tiles.tiles {
                let (mut samples, mask) = tiles.tile(column);
                let mask = mask.map(|mask| encoder.encode_mask(&mask)).transpose()?;
                encoded[tiles.level].push((encoder.encode(&mut samples)?, mask));
            }
            Ok::<_, Error>(())
        })?;
    }
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let sizes = |tile: &Encoded| EncodedTile { image: size(&tile.0), mask: tile.1.as_deref().map_or(0, size) };
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

/// Checks that the header equals the written one, and that every tile can be decoded.
fn read_back(file: &[u8], profile: &CogProfile, options: CogOptions) {
    let mut decoder = HeaderDecoder::new(Limits::default(), u64::try_from(file.len()).ok());
    decoder.push(0, file.to_vec().into());
    let header = match decoder.try_decode() {
        Ok(DecodeResult::Data(header)) => header,
        other => unreachable!("{other:?} of {profile:?} {options:?}"),
    };
    super::headers::check(&header);
    let image = &header.image;
    assert_eq!((image.image_width, image.image_height), (profile.width, profile.height));
    assert_eq!(image.encoding.samples_per_pixel, profile.bands);
    assert_eq!(image.encoding.dtype, profile.dtype);
    assert_eq!(header.masks.is_empty(), !profile.has_mask);
    for level in std::iter::once(image).chain(&header.overviews).chain(&header.masks) {
        let shape = rasteret_cog::codec::BlockShape {
            width: level.tile_width,
            height: level.tile_height,
            samples_per_pixel: level.encoding.samples_per_pixel,
        };
        for (offset, count) in level.tile_offsets.iter().zip(&level.tile_byte_counts) {
            let start = usize::try_from(*offset).unwrap_or(usize::MAX);
            let tile =
                file.get(start..start + *count as usize).unwrap_or_else(|| unreachable!("a tile behind the end"));
            let decoded = rasteret_cog::codec::decode(tile, &level.encoding, header.byte_order, shape, 0);
            assert!(decoded.is_ok(), "{decoded:?} of {profile:?} {options:?}");
        }
    }
}
