//! Requests of rows, and the state that rows share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::pixel::{Band, Block};
use rasteret_cog::zonal::{Coverage, Method};
use rasteret_cog::{CogHeader, DEFAULT_CRS, EncodedGeometry, Geometry, GeometryProjector, ParsedGeometry, RasterInfo};

use super::Reader;
use super::coverage_cache::{CoverageKey, GridKey};
use super::mask::{MaskSource, TargetMask, TargetWeights, WeightSource};
use super::raster_band::{RasterBand, fault};
use crate::OnError;
use crate::tiles::{BlockRequest, RasterFile};
use crate::{Error, Result};

/// The pixels that a row reads.
#[derive(Debug, Clone)]
pub struct ReadRequest<'a> {
    /// The file.
    pub file: Arc<RasterFile>,
    /// The level.
    pub level: LevelChoice,
    /// The band, counted from 0; None: the band that the header was narrowed to, else the first.
    pub band_index: Option<u32>,
    /// Whether the internal mask and the alpha band make pixels invalid.
    pub masked: bool,
    /// Another raster that makes pixels invalid.
    pub mask: Option<Arc<MaskSource>>,
    /// Another raster with the weights of pixels in statistics.
    pub weights: Option<Arc<WeightSource>>,
    /// The geometry; None for the whole image.
    pub geometry: Option<EncodedGeometry<'a>>,
    /// The CRS given by the call for the geometry.
    pub geometry_crs: Option<&'a str>,
    /// The CRS of the geometry's SQL type: used if neither the call nor the geometry names one.
    pub type_crs: Option<&'a str>,
    /// Whether a file that cannot be read makes the row NULL.
    pub on_error: OnError,
}

/// How a row names the level that it reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelChoice {
    /// By number, 0 being the full resolution.
    Index(u32),
    /// The coarsest level whose pixels are no larger than this, in units of the raster's CRS.
    Resolution(f64),
}

/// A band of a level of a file, as rows read it.
#[derive(Debug)]
pub struct Target {
    /// The file.
    pub file: Arc<RasterFile>,
    /// The band.
    pub band: Arc<Band>,
    /// The level that the band is of.
    pub level: u32,
    /// Another raster that makes pixels invalid.
    pub(super) mask: Option<TargetMask>,
    /// The weights in another raster.
    pub(super) weights: Option<TargetWeights>,
    /// The grid, which coverages depend on.
    grid: Arc<GridKey>,
    /// Projectors by CRS.
    projectors: Mutex<HashMap<String, Arc<GeometryProjector>>>,
}

/// A row's request with the target that it shares with others.
#[derive(Debug, Clone)]
pub struct ResolvedRead<'a> {
    /// The raster that it reads.
    pub target: Arc<Target>,
    /// The row's own part of the request.
    pub request: ReadRequest<'a>,
}

/// Bytes of a read while it is prepared, in the lists of its steps.
const BYTES_OF_A_READ: u64 = 1 << 9;

impl Reader {
    /// Finds what rows share: files, bands, ways into pixels. None stays None, and so becomes a row whose `on_error` allows it where
    /// the file's tables contradict its sizes.
    ///
    /// # Errors
    ///
    /// If a file has no such band or level, its tables contradict its sizes, or there are too many requests for memory.
    pub fn prepare<'a>(&self, requests: Vec<Option<ReadRequest<'a>>>) -> Result<Vec<Option<ResolvedRead<'a>>>> {
        self.check_reads(requests.len())?;
        let mut targets: HashMap<TargetKey, Arc<Target>> = HashMap::new();
        let resolved = requests.into_iter().map(|request| {
            self.query().check()?;
            let Some(request) = request else {
                return Ok(None);
            };
            let target = self.target(&mut targets, &request).or_null(request.on_error)?;
            Ok(target.map(|target| ResolvedRead { target, request }))
        });
        resolved.collect()
    }

    /// Returns an error if the reads of a call need more memory than its limit.
    pub(super) fn check_reads(&self, count: usize) -> Result<()> {
        let bytes = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(BYTES_OF_A_READ);
        self.check_memory(bytes, || format!("the {count} reads of a call"))
    }

    /// The target of a row, shared by all rows with the same one.
    fn target(&self, targets: &mut HashMap<TargetKey, Arc<Target>>, request: &ReadRequest<'_>) -> Result<Arc<Target>> {
        let header = request.file.header();
        let level = request.level.of(header).map_err(|source| fault(&request.file, source))?;
        let band = request.band_index.or(header.band_index).unwrap_or(0);
        let beside = (request.mask.as_ref().map(Arc::as_ptr), request.weights.as_ref().map(Arc::as_ptr));
        let key = (Arc::as_ptr(&request.file), level, band, request.masked, beside);
        if let Some(known) = targets.get(&key) {
            return Ok(known.clone());
        }
        let mut target = Target::new(&request.file, level, band, request.masked)?;
        target.check_tiles(self.options().max_tile_bytes)?;
        if let Some(source) = &request.mask {
            let mask = self.target(targets, &ReadRequest::of_raster(&source.file, source.band_index))?;
            target.mask = Some(TargetMask::new(self, source, mask.raster_band(), &target.raster_band())?);
        }
        if let Some(source) = &request.weights {
            let weights = self.target(targets, &ReadRequest::of_raster(&source.file, source.band_index))?;
            target.weights = Some(TargetWeights::new(self, weights.raster_band(), &target.raster_band())?);
        }
        let target = Arc::new(target);
        targets.insert(key, target.clone());
        Ok(target)
    }
}

/// The identity of a target: the file, level, band, whether it is masked, and the rasters that mask and weigh it.
type TargetKey = (*const RasterFile, u32, u32, bool, (Option<*const MaskSource>, Option<*const WeightSource>));

impl ReadRequest<'_> {
    /// The full resolution of a band, of which nothing else is wanted.
    fn of_raster(file: &Arc<RasterFile>, band_index: Option<u32>) -> Self {
        Self {
            file: Arc::clone(file),
            level: LevelChoice::Index(0),
            band_index,
            masked: true,
            mask: None,
            weights: None,
            geometry: None,
            geometry_crs: None,
            type_crs: None,
            on_error: OnError::Fail,
        }
    }
}

/// Results of rows that may be NULL where their file cannot be read.
pub trait OrNull<T> {
    /// None for the error of a file, where `on_error` allows it.
    ///
    /// # Errors
    ///
    /// All other errors.
    fn or_null(self, on_error: OnError) -> Result<Option<T>>;
}

impl<T> OrNull<T> for Result<T> {
    fn or_null(self, on_error: OnError) -> Result<Option<T>> {
        match self {
            Err(error) if on_error == OnError::Null && error.is_of_file() => Ok(None),
            other => other.map(Some),
        }
    }
}

impl LevelChoice {
    /// The level's number.
    fn of(self, header: &CogHeader) -> rasteret_cog::Result<u32> {
        match self {
            Self::Index(level) => Ok(level),
            Self::Resolution(resolution) => header.level_for_resolution(resolution),
        }
    }
}

impl Target {
    fn new(file: &Arc<RasterFile>, level: u32, band_index: u32, masked: bool) -> Result<Self> {
        let band = Band::new(file.header().clone(), level, band_index, masked).map_err(|source| fault(file, source))?;
        let grid = Arc::new(GridKey::of(file.header(), &band));
        Ok(Self {
            file: file.clone(),
            band: Arc::new(band),
            level,
            mask: None,
            weights: None,
            grid,
            projectors: Mutex::default(),
        })
    }

    /// Rejects files whose tiles are too large to be decoded, before anything is planned or fetched.
    fn check_tiles(&self, max: u64) -> Result<()> {
        let bytes = self.band.tile_bytes();
        if bytes <= max {
            return Ok(());
        }
        let at = rasteret_cog::FilePosition { ifd: None, tag: None, byte: None };
        let limit = "size of a decoded tile in bytes (setting RASTERET_MAX_TILE_BYTES)";
        Err(self.fault(rasteret_cog::Error::LimitExceeded { at, limit, asked: bytes, max }))
    }

    /// An error of the file, or of an argument that does not fit it.
    pub fn fault(&self, source: rasteret_cog::Error) -> Error {
        fault(&self.file, source)
    }

    /// A block of the target as its mask, if it has one, leaves it, and with its weights.
    ///
    /// # Errors
    ///
    /// If the mask or the weights cannot be read.
    pub fn masked(&self, reader: &Reader, block: Block) -> Result<Block> {
        let block = match &self.mask {
            Some(mask) => mask.apply(reader, block)?,
            None => block,
        };
        match &self.weights {
            Some(weights) => weights.apply(reader, block),
            None => Ok(block),
        }
    }

    /// The size and place of the level.
    pub(super) fn raster_info(&self) -> RasterInfo {
        let (header, tiling) = (self.file.header(), self.band.tiling());
        let info = header.raster_info();
        let transform = info.transform.map(|_| self.band.transform());
        RasterInfo { width: tiling.image_width, height: tiling.image_height, transform, ..info }
    }

    /// The request of a block at a row and column of the tile grid.
    pub fn block(&self, row: u32, col: u32) -> BlockRequest {
        self.raster_band().block(row, col)
    }

    pub(super) fn raster_band(&self) -> RasterBand {
        RasterBand { file: self.file.clone(), band: self.band.clone() }
    }

    /// The way from a CRS to the level's pixels.
    fn projector(&self, reader: &Reader, crs: &str) -> Result<Arc<GeometryProjector>> {
        let mut projectors = self.projectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(projector) = projectors.get(crs) {
            return Ok(projector.clone());
        }
        let made = || {
            let transform = self.file.header().transform_from(crs, reader.transforms())?;
            let tiling = self.band.tiling();
            reader.projectors().get((tiling.image_width, tiling.image_height), self.band.transform(), transform)
        };
        let projector = made().map_err(|source| self.fault(source))?;
        projectors.insert(crs.to_owned(), projector.clone());
        Ok(projector)
    }
}

impl ResolvedRead<'_> {
    /// The geometry in the pixels of the level; None if there is none.
    ///
    /// # Errors
    ///
    /// If the geometry, or its CRS, is wrong.
    pub fn pixels(&self, reader: &Reader) -> Result<Option<Geometry>> {
        let Some(encoded) = self.request.geometry else {
            return Ok(None);
        };
        self.project(reader, &encoded.parse().map_err(argument)?).map(Some)
    }

    /// The point in the pixels of the level; None if there is none, it is empty, or it lies outside of the raster.
    ///
    /// # Errors
    ///
    /// If the geometry is not a single point, or if it or its CRS is invalid.
    pub(super) fn point(&self, reader: &Reader) -> Result<Option<(f64, f64)>> {
        let Some(encoded) = self.request.geometry else {
            return Ok(None);
        };
        let parsed = encoded.parse().map_err(argument)?;
        let Geometry { points, lines, polygons } = &parsed.geometry;
        if points.len() > 1 || !lines.is_empty() || !polygons.is_empty() {
            let what = "point: expected a single point, found another geometry".to_owned();
            return Err(Error::InvalidArgument { what });
        }
        let pixels = self.project(reader, &parsed)?;
        Ok(pixels.points.first().map(|point| (point.x, point.y)))
    }

    /// A geometry in the pixels of the level.
    fn project(&self, reader: &Reader, parsed: &ParsedGeometry) -> Result<Geometry> {
        let crs = self.request.geometry_crs.or(parsed.crs.as_deref()).or(self.request.type_crs).unwrap_or(DEFAULT_CRS);
        parsed.check_crs(crs).map_err(argument)?;
        self.target.projector(reader, crs)?.pixels(&parsed.geometry).map_err(argument)
    }

    /// The covered pixels and the covered fraction of each: those of the geometry, or all.
    ///
    /// The same geometry over the same grid is covered once for all bands, dates and files, as long as it is kept.
    ///
    /// # Errors
    ///
    /// If the geometry, or its CRS, is wrong.
    pub fn coverage(&self, reader: &Reader, method: Method) -> Result<Arc<Coverage>> {
        let tiling = self.target.band.tiling();
        let Some(geometry) = self.request.geometry else {
            return Ok(Arc::new(Coverage::whole(tiling.image_width, tiling.image_height)));
        };
        let crs = [self.request.geometry_crs, self.request.type_crs];
        let key = CoverageKey::new(geometry, crs, &self.target.grid, method);
        if let Some(known) = reader.coverages().get(&key) {
            return Ok(known);
        }
        let pixels = self.pixels(reader)?.unwrap_or_default();
        Coverage::check_size(&pixels, tiling.image_width, tiling.image_height, reader.memory().of_coverage())
            .map_err(argument)?;
        let coverage = Arc::new(Coverage::on_ground(
            &pixels,
            tiling.image_width,
            tiling.image_height,
            method,
            &self.target.band.transform(),
        ));
        reader.coverages().put(key, coverage.clone());
        Ok(coverage)
    }
}

fn argument(error: rasteret_cog::Error) -> Error {
    Error::InvalidArgument { what: error.to_string() }
}
