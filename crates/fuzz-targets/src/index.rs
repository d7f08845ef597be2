//! Any values in the metadata of an index return plans and pixels, or errors, even if they contradict each other and the file.

use std::sync::{Arc, LazyLock};

use rasteret_cog::geo::{Crs, GeoTransform};
use rasteret_cog::pixel::{Interpolation, MaskRule, ValueOptions, WindowBuffers, WindowOptions};
use rasteret_cog::tiff::{
    ByteOrder, Compression, DataType, ExtraSample, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat,
};
use rasteret_cog::zonal::Method;
use rasteret_cog::{CogHeader, Corners, EncodedGeometry, Encoding, Level, ProjectorCache, TileLayout, TilePlan};
use rasteret_io::query::{LevelChoice, MaskSource, ReadRequest, ResolvedRead, WeightSource, ZoneOptions};
use rasteret_io::{CogFile, Location, ObjectVersion, OnError, Options, RasterFile, Session};

use super::codecs::CODES;
use super::input::Input;
use super::scratch;

/// Maximum number of pixels of images that are read completely. Larger images, which may be sparse, are only read near a corner.
const WHOLE_MAX: u64 = 1 << 16;

/// Limits tiles to small sizes and numbers, so that a slow input is a fault.
static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let mut options = Options::default();
    options.memory_limit_bytes = Some(256 << 20);
    options.max_tile_bytes = 1 << 20;
    options.threads = Some(1);
    Session::new(options)
});

static PROJECTORS: LazyLock<ProjectorCache> = LazyLock::new(ProjectorCache::default);

pub(crate) const TYPES: [&str; 16] = [
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex_int16",
    "complex_int32",
    "complex64",
    "complex128",
    "uint8",
];

const CRSS: [&str; 6] = ["EPSG:32631", "EPSG:4326", "EPSG:3857", "ESRI:54009", "EPSG:0", "PROJCS[\"x\",GEOGCS[\"y\"]]"];

/// Fields in the order of the index, then the bytes of the file.
pub(crate) fn metadata(data: &[u8]) {
    let mut input = Input::new(data);
    let header = header(&mut input);
    let query = Query::of(&mut input);
    let path = scratch("tif");
    if std::fs::write(&path, input.rest()).is_err() {
        return;
    }
    let version = ObjectVersion { size: input.option(|input| input.u32().into()), ..ObjectVersion::default() };
    super::headers::check(&header);
    plan(&header, &query);
    if let Ok(location) = Location::parse(&path.to_string_lossy()) {
        let file = CogFile { header: Arc::new(header), version };
        read(&Arc::new(RasterFile::new(location, &file)), &query);
    }
}

/// The read of a raster.
struct Query {
    level: LevelChoice,
    band_index: Option<u32>,
    masked: bool,
    rule: Option<MaskRule>,
    weights: bool,
    corners: Corners,
    whole: bool,
    scaled: bool,
    on_error: OnError,
}

impl Query {
    fn of(input: &mut Input<'_>) -> Self {
        let level = match input.u8() {
            255 => LevelChoice::Resolution(input.f64()),
            byte => LevelChoice::Index(u32::from(byte % 4)),
        };
        let values = input.list(|input| i64::from(input.u8()) - 8);
        let rule = match input.u8() % 4 {
            0 => None,
            1 => Some(MaskRule::Keep(values)),
            2 => Some(MaskRule::Drop(values)),
            _ => MaskRule::bits(&values).ok(),
        };
        let (x, y) = (f64::from(input.u8()), f64::from(input.u8()));
        Self {
            level,
            band_index: input.option(|input| input.u8().into()),
            masked: input.bool(),
            rule,
            weights: input.bool(),
            corners: Corners { xmin: x, ymin: y, xmax: x + f64::from(input.u8()), ymax: y + f64::from(input.u8()) },
            whole: input.bool(),
            scaled: input.bool(),
            on_error: if input.bool() { OnError::Null } else { OnError::Fail },
        }
    }
}

pub(crate) fn header(input: &mut Input<'_>) -> CogHeader {
    let image = level(input);
    CogHeader {
        byte_order: if input.bool() { ByteOrder::Big } else { ByteOrder::Little },
        overviews: (0..input.u8() % 3).map(|_| level(input)).collect(),
        masks: (0..input.u8() % 3).map(|_| level(input)).collect(),
        band_index: input.option(|input| input.u8().into()),
        extra_samples: input.option(|input| input.list(|input| ExtraSample::from_code((input.u8() % 4).into()))),
        transform: input.option(|input| GeoTransform::from_array(input.affine())),
        pixel_scale: input.option(|input| input.list(Input::f64)),
        tiepoint: input.option(|input| input.list(Input::f64)),
        crs: input.option(|input| input.one_of(&CRSS)?.parse::<Crs>().ok()).flatten(),
        nodata: input.option(Input::f64),
        nodata_text: input.option(Input::text),
        nodata_values: input.option(|input| input.list(Input::f64)),
        scale: input.option(|input| input.list(Input::f64)),
        offset: input.option(|input| input.list(Input::f64)),
        image,
    }
}

fn level(input: &mut Input<'_>) -> Level {
    let [image_width, image_height, tile_width, tile_height] = std::array::from_fn(|_| input.size());
    let encoding = encoding(input);
    let tiles = |image: u32, tile: u32| u64::from(image.div_ceil(tile.max(1)));
    let planes = if encoding.is_planar() { u64::from(encoding.samples_per_pixel).max(1) } else { 1 };
    let grid = tiles(image_width, tile_width).saturating_mul(tiles(image_height, tile_height)).saturating_mul(planes);
    // One entry per tile, or any number.
    let entries = match input.u8() {
        byte @ 0..=9 => byte.into(),
        _ => usize::try_from(grid).unwrap_or(usize::MAX).min(4096),
    };
    let (start, step, count) = (u64::from(input.u16()), u64::from(input.u8()), input.u16());
    let mut tile_offsets: Vec<u64> = (0..entries as u64).map(|at| start + at * step).collect();
    let mut tile_byte_counts = vec![u32::from(count); entries];
    for _ in 0..input.u8() % 4 {
        let at = usize::from(input.u8()) % entries.max(1);
        let offset = u64::from(input.u32()) << (input.u8() % 32);
        tile_offsets.iter_mut().skip(at).take(1).for_each(|found| *found = offset);
        let count = input.u32() >> 1;
        tile_byte_counts.iter_mut().skip(at).take(1).for_each(|found| *found = count);
    }
    let is_tiled = input.bool();
    Level { image_width, image_height, tile_width, tile_height, is_tiled, tile_offsets, tile_byte_counts, encoding }
}

fn encoding(input: &mut Input<'_>) -> Encoding {
    let samples_per_pixel = match input.u8() {
        byte @ 0..=239 => u16::from(byte % 6),
        _ => input.u16(),
    };
    let dtype = input.one_of(&TYPES).and_then(|name| name.parse().ok()).unwrap_or(DataType::Uint8);
    let bits = u16::try_from(dtype.size() * 8).unwrap_or(0);
    let depths = vec![bits; samples_per_pixel.into()];
    let formats = vec![SampleFormat::of(dtype); samples_per_pixel.into()];
    Encoding {
        compression: Compression::from_code(input.one_of(&CODES).unwrap_or(1)),
        predictor: Predictor::from_code((input.u8() % 5).into()),
        planar_configuration: PlanarConfiguration::from_code((input.u8() % 4).into()),
        photometric: input.option(|input| Photometric::from_code((input.u8() % 9).into())),
        samples_per_pixel,
        bits_per_sample: input.option(|input| input.list(|input| input.u8().into())).unwrap_or(depths),
        sample_format: input
            .option(|input| input.list(|input| SampleFormat::from_code((input.u8() % 7).into())))
            .unwrap_or(formats),
        dtype,
        fill_order: FillOrder::from_code((input.u8() % 3).into()),
        jpeg_tables: input.option(|input| input.text().into_bytes().into()),
        ycbcr_subsampling: input.option(|input| [input.u8().into(), input.u8().into()]),
        lerc_parameters: input.option(|input| input.list(|input| input.u8().into())),
        t4_options: input.option(|input| input.u8().into()),
    }
}

/// Checks that the tiles of a plan are those of the tables.
fn plan(header: &CogHeader, query: &Query) {
    let LevelChoice::Index(number) = query.level else { return };
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let levels: Vec<&Level> = std::iter::once(&header.image).chain(&header.overviews).collect();
    let Some(level) = levels.get(number) else { return };
    let info = header.raster_info();
    let Ok(layout) = TileLayout::new(&info, u32::try_from(number).unwrap_or(0), level.shape()) else { return };
    let Ok(geometry) = query.geometry().parse() else { return };
    let crs = ["native", "OGC:CRS84"].map(|crs| info.transform_from(crs, SESSION.transforms()));
    for transform in crs.into_iter().flatten() {
        let plan = TilePlan::new(layout, info.bands, query.band_index, transform, &PROJECTORS);
        let Ok(mut plan) = plan else { continue };
        for address in plan.tiles(&geometry.geometry).unwrap_or_default() {
            let position = usize::try_from(layout.position(*address)).unwrap_or(usize::MAX);
            let (offset, count) = (level.tile_offsets.get(position), level.tile_byte_counts.get(position));
            let (offset, count) = offset.zip(count).unwrap_or_else(|| unreachable!("a tile outside of the tables"));
            let tile = layout.tile(*address, *offset, *count);
            assert!(tile.offset.is_some() || tile.byte_count == 0);
        }
    }
}

impl Query {
    fn geometry(&self) -> EncodedGeometry<'static> {
        EncodedGeometry::Box(self.corners)
    }

    fn request(&self, file: &Arc<RasterFile>, geometry: Option<EncodedGeometry<'static>>) -> ReadRequest<'static> {
        let rule = self.rule.clone();
        let mask = rule.map(|rule| Arc::new(MaskSource { file: file.clone(), band_index: None, rule }));
        let weights = self.weights.then(|| Arc::new(WeightSource { file: file.clone(), band_index: None }));
        ReadRequest {
            file: file.clone(),
            level: self.level,
            band_index: self.band_index,
            masked: self.masked,
            mask,
            weights,
            geometry,
            geometry_crs: Some("native"),
            type_crs: None,
            on_error: self.on_error,
        }
    }
}

/// Checks that windows, values and statistics have the requested number and planned size.
fn read(file: &Arc<RasterFile>, query: &Query) {
    let image = &file.header().image;
    let is_small = u64::from(image.image_width) * u64::from(image.image_height) <= WHOLE_MAX;
    let area = (!query.whole || !is_small).then(|| query.geometry());
    let Ok(resolved) = SESSION.prepare(vec![Some(query.request(file, area))]) else { return };
    let options = WindowOptions { all_touched: true, scaled: query.scaled };
    let rows: Vec<_> = resolved.iter().map(|resolved| Some((resolved.clone()?, options))).collect();
    windows(&rows);
    let zones = ZoneOptions { method: Method::Fraction, scaled: query.scaled };
    let rows: Vec<_> = resolved.iter().map(|resolved| Some((resolved.clone()?, zones))).collect();
    for statistics in SESSION.zonal_statistics(&rows).into_iter().flatten().flatten() {
        assert!(statistics.count >= 0.0, "{statistics:?}");
    }
    let _ = SESSION.zonal_histograms(&rows);
    let text = format!("POINT({} {})", query.corners.xmin, query.corners.ymin);
    values(file, query, &text);
}

fn windows(rows: &[Option<(ResolvedRead<'_>, WindowOptions)>]) {
    let Ok(planned) = SESSION.plan_windows(rows) else { return };
    let sizes = planned.iter().flatten().map(|window| (window.profile().data_len(), window.profile().mask_len()));
    let mut memory: Vec<(Vec<u8>, Vec<u8>)> = sizes.map(|(data, mask)| (vec![0; data], vec![0; mask])).collect();
    let buffers = memory.iter_mut().map(|(data, mask)| WindowBuffers { data, mask });
    let _ = SESSION.start_windows(planned.iter().flatten()).fill(buffers);
    for (_, mask) in &memory {
        assert!(mask.iter().all(|byte| *byte == 0 || *byte == 255));
    }
}

fn values(file: &Arc<RasterFile>, query: &Query, point: &str) {
    let request = ReadRequest { geometry: Some(EncodedGeometry::Text(point)), ..query.request(file, None) };
    let Ok(resolved) = SESSION.prepare(vec![Some(request)]) else { return };
    for (interpolation, max_distance_pixels) in [
        (Interpolation::Nearest, 0),
        (Interpolation::Nearest, 3),
        (Interpolation::Bilinear, 3),
        (Interpolation::Cubic, 3),
    ] {
        let options = ValueOptions { interpolation, max_distance_pixels, scaled: query.scaled };
        let rows: Vec<_> = resolved.iter().map(|resolved| Some((resolved.clone()?, options))).collect();
        let _ = SESSION.values(&rows);
        let bands = |(resolved, options)| (resolved, options, vec![0, 1]);
        let _ = SESSION.band_values(&rows.into_iter().map(|row| row.map(bands)).collect::<Vec<_>>());
    }
}
