//! Writes one file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rasteret_cog::tiff::DataType;
use rasteret_cog::write::{CogLayout, CogOptions, CogProfile, EncodedTile, LevelSize, Pyramid, TileEncoder, TileRow};

use super::grid::{CommonGrid, PixelWindow, Placement, usize_of};
use super::spool::Spool;
use super::target::{Output, failed};
use crate::headers::Headers;
use crate::tiles::TileReader;
use crate::types::location::LocationKind;
use crate::types::stamp::Stamp;
use crate::{Error, Location, Result};

/// Steps in which it is found out whether windows cover the raster: less than a second.
const MAX_STEPS: usize = 1 << 26;

/// Bytes of a tile in the tables of the file while it is written.
const BYTES_OF_A_TILE: u64 = 64;

/// Descriptions of the file that are not in its windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CogDescription {
    /// The value of invalid pixels, in place of that of the windows.
    pub nodata: Option<f64>,
    /// Names of the bands; empty, or one per band.
    pub band_names: Vec<String>,
    /// Scales of the bands; empty, one for all, or one per band.
    pub scales: Vec<f64>,
    /// Offsets of the bands; empty, one for all, or one per band.
    pub offsets: Vec<f64>,
}

/// Collects windows, and writes them as one file.
#[derive(Debug)]
pub struct CogWriter {
    headers: Headers,
    reader: TileReader,
    location: Location,
    /// None for an object.
    target: Option<PathBuf>,
    /// The folder of unnamed temporary files.
    folder: PathBuf,
    options: CogOptions,
    description: CogDescription,
    /// Pixels of the windows.
    pixels: Spool,
    windows: Vec<Window>,
    grid: Option<CommonGrid>,
    /// Whether a window has an invalid pixel.
    any_invalid: bool,
}

/// A window whose pixels are in the spool.
#[derive(Debug, Clone, Copy)]
struct Window {
    placement: Placement,
    data: u64,
    mask: u64,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenCog {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Encoded tiles of all levels.
struct EncodedTiles {
    spool: Spool,
    levels: Vec<Vec<EncodedTile>>,
    /// Where the samples of each tile are, its mask behind them.
    places: Vec<Vec<u64>>,
}

impl CogWriter {
    /// Begins to write a file. Nothing is visible at `href` before [`finish`](Self::finish) returns. `temporary` is the folder for the
    /// temporary files of an object; those of a local file are beside it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a lock of the host forbids the file, or its folder cannot be written to; [`Error::InvalidArgument`]
    /// for a location that is neither a local path nor an object.
    pub(crate) fn new(
        headers: Headers,
        reader: TileReader,
        href: &str,
        options: CogOptions,
        description: CogDescription,
        temporary: Option<&Path>,
    ) -> Result<Self> {
        let location = Location::parse(href)?;
        reader.access().check(&location)?;
        let (target, folder) = match (location.kind(), temporary) {
            (LocationKind::File(target), _) => (Some(target.clone()), folder(target).to_owned()),
            (LocationKind::Object { .. }, Some(temporary)) => (None, existing(temporary)),
            (LocationKind::Object { .. }, None) => {
                let what =
                    format!("{location}: expected a temp_directory for the file before it is uploaded, found none");
                return Err(Error::InvalidArgument { what });
            }
            _ => {
                let what = format!("expected a local path or an object such as s3://bucket/file.tif, found {location}");
                return Err(Error::InvalidArgument { what });
            }
        };
        // A file is replaced, which a device or a pipe must not be.
        if let Some(target) = &target
            && let Ok(metadata) = std::fs::metadata(target)
        {
            let fault = |fault| Error::Store { location: location.clone(), range: None, fault };
            Stamp::of_metadata(&metadata).map_err(fault)?;
        }
        let pixels = Spool::new(&folder).map_err(|error| failed(&location, &error))?;
        Ok(Self {
            headers,
            reader,
            location,
            target,
            folder,
            options,
            description,
            pixels,
            windows: Vec::new(),
            grid: None,
            any_invalid: false,
        })
    }

    /// Adds a window. Where windows overlap, valid pixels of later ones count.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a window of another kind than the first, or off its grid.
    pub fn push(&mut self, window: &PixelWindow<'_>) -> Result<()> {
        let placement = self.grid.get_or_insert_with(|| CommonGrid::new(window)).place(window)?;
        if self.windows.is_empty() {
            // Fails on the first window if the raster cannot be written, before more windows are computed.
            self.profile()?;
        }
        let mut append = |bytes| self.pixels.append(bytes).map_err(|error| failed(&self.location, &error));
        let (data, mask) = (append(window.data)?, append(window.mask)?);
        self.any_invalid |= window.mask.contains(&0);
        self.windows.push(Window { placement, data, mask });
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] without a window, and for properties that cannot be written; [`Error::OutOfMemory`] if a row
    /// of tiles exceeds the limit; [`Error::Interrupted`]; and the errors of the file system.
    pub fn finish(mut self) -> Result<WrittenCog> {
        let (profile, col, row) = self.profile()?;
        for window in &mut self.windows {
            window.placement.col -= col;
            window.placement.row -= row;
        }
        self.pixels.flush().map_err(|error| failed(&self.location, &error))?;
        let layout = CogLayout::new(profile.clone(), self.options).map_err(|error| invalid(&error))?;
        let strip = u64::from(self.options.block_size) * u64::from(profile.width);
        let strip = strip.saturating_mul(u64::try_from(profile.pixel_bytes()).unwrap_or(u64::MAX) + 1);
        let bytes = Pyramid::bytes(&profile, &self.options).saturating_add(strip.saturating_mul(2));
        let tiles: u64 = layout.levels().iter().map(LevelSize::tiles).sum();
        let bytes = bytes.saturating_add(tiles.saturating_mul(BYTES_OF_A_TILE));
        let (columns, size) = (profile.width, self.options.block_size);
        self.reader.check_memory(bytes, || {
            format!("rows of tiles of {columns} columns, and the tables of {tiles} tiles of {size} x {size} pixels,")
        })?;
        let tiles = self.encode(&profile, layout.levels().len())?;
        let bytes = self.write(&layout, &tiles)?;
        // The file may have replaced one whose header is cached.
        self.headers.forget(&self.location);
        Ok(WrittenCog { width: profile.width, height: profile.height, bytes })
    }

    /// The profile of the file, and the place of its first pixel on the grid.
    fn profile(&self) -> Result<(CogProfile, i64, i64)> {
        let Some(grid) = &self.grid else {
            return Err(Error::InvalidArgument { what: "expected a window, found none".to_owned() });
        };
        let (mut profile, col, row) = grid.extent()?;
        let CogDescription { nodata, band_names, scales, offsets } = &self.description;
        profile.nodata = nodata.or(profile.nodata);
        profile.band_names.clone_from(band_names);
        profile.scaling = scaling(scales, offsets, profile.bands)?;
        profile.has_mask = profile.nodata.is_none() && (self.any_invalid || !self.covers(&profile, col, row));
        CogLayout::new(profile.clone(), self.options).map_err(|error| invalid(&error))?;
        Ok((profile, col, row))
    }

    /// Whether each pixel of the raster is in a window. False also where that takes too long to find out: a mask that is
    /// not needed does no harm.
    fn covers(&self, profile: &CogProfile, col: i64, row: i64) -> bool {
        let mut edges: Vec<i64> = Vec::with_capacity(2 * self.windows.len());
        for Window { placement, .. } in &self.windows {
            edges.extend([placement.row - row, placement.row - row + i64::from(placement.height)]);
        }
        edges.sort_unstable();
        edges.dedup();
        let mut windows: Vec<_> = self.windows.iter().map(|window| window.placement).collect();
        windows.sort_unstable_by_key(|placement| placement.row);
        let mut windows = windows.into_iter().peekable();
        let (mut active, mut steps): (Vec<Placement>, usize) = (Vec::new(), 0);
        // Between two edges, all rows meet the same windows.
        edges.windows(2).all(|edge| {
            active.retain(|placement| placement.row - row + i64::from(placement.height) > edge[0]);
            while let Some(placement) = windows.next_if(|placement| placement.row - row <= edge[0]) {
                active.push(placement);
            }
            steps = steps.saturating_add(active.len());
            if steps > MAX_STEPS {
                return false;
            }
            active.sort_by_key(|placement| placement.col);
            let reach = active.iter().try_fold(0, |reach, placement| {
                let start = placement.col - col;
                (start <= reach).then(|| reach.max(start + i64::from(placement.width)))
            });
            reach == Some(profile.width.into())
        })
    }

    /// Encodes the tiles of all levels.
    fn encode(&self, profile: &CogProfile, levels: usize) -> Result<EncodedTiles> {
        let failed = |error: io::Error| failed(&self.location, &error);
        let mut tiles = EncodedTiles {
            spool: Spool::new(&self.folder).map_err(failed)?,
            levels: vec![Vec::new(); levels],
            places: vec![Vec::new(); levels],
        };
        let encoders = Mutex::new(Vec::new());
        let mut pyramid = Pyramid::new(profile, &self.options);
        let keeps_nodata = self.description.nodata.is_none();
        let mut strip = Strip::new(profile, keeps_nodata);
        for top in (0..profile.height).step_by(usize_of(self.options.block_size)) {
            let rows = self.options.block_size.min(profile.height - top);
            self.compose(&mut strip, top, rows).map_err(failed)?;
            for (samples, mask) in strip.rows() {
                pyramid.push(samples, mask, &mut |row| self.encode_row(profile, row, &encoders, &mut tiles))?;
            }
        }
        tiles.spool.flush().map_err(failed)?;
        Ok(tiles)
    }

    /// Encodes a row of tiles, on as many threads as the session allows.
    fn encode_row(
        &self,
        profile: &CogProfile,
        row: &TileRow,
        encoders: &Mutex<Vec<TileEncoder>>,
        tiles: &mut EncodedTiles,
    ) -> Result<()> {
        type Encoded = rasteret_cog::Result<(Vec<u8>, Vec<u8>)>;
        let count = usize_of(row.tiles);
        let results: Vec<Mutex<Option<Encoded>>> = (0..count).map(|_| Mutex::new(None)).collect();
        let encode = |column: u32| -> Encoded {
            let idle = encoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut encoder = idle.map_or_else(|| TileEncoder::new(profile, &self.options), Ok)?;
            let (mut samples, mask) = row.tile(column);
            let encoded = encoder.encode(&mut samples)?;
            let mask = mask.map(|mask| encoder.encode_mask(&mask)).transpose()?.unwrap_or_default();
            encoders.lock().unwrap_or_else(PoisonError::into_inner).push(encoder);
            Ok((encoded, mask))
        };
        self.reader.for_each(count, |at| {
            if let Some(result) = results.get(at) {
                let encoded = encode(u32::try_from(at).unwrap_or(u32::MAX));
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(encoded);
            }
        })?;
        for result in results {
            let encoded = result.into_inner().unwrap_or_else(PoisonError::into_inner);
            let missing = || Error::Unexpected { what: "a tile was not encoded".to_owned() };
            let (samples, mask) = encoded.ok_or_else(missing)?.map_err(|error| invalid(&error))?;
            let at = tiles.spool.append(&samples).and_then(|at| tiles.spool.append(&mask).map(|_| at));
            let at = at.map_err(|error| failed(&self.location, &error))?;
            let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            if let (Some(level), Some(places)) = (tiles.levels.get_mut(row.level), tiles.places.get_mut(row.level)) {
                level.push(EncodedTile { image: size(&samples), mask: size(&mask) });
                places.push(at);
            }
        }
        Ok(())
    }

    /// Puts the windows together in rows `top..top + rows`.
    fn compose(&self, strip: &mut Strip, top: u32, rows: u32) -> io::Result<()> {
        strip.clear(rows);
        let (top, bottom) = (i64::from(top), i64::from(top) + i64::from(rows));
        for window in &self.windows {
            let Placement { row, width, height, .. } = window.placement;
            let (start, end) = (row.max(top), (row + i64::from(height)).min(bottom));
            if start >= end {
                continue;
            }
            let skipped = u64::try_from(start - row).unwrap_or(0) * u64::from(width);
            let pixels = usize::try_from(end - start).unwrap_or(0) * usize_of(width);
            strip.mask_read.resize(pixels, 0);
            self.pixels.read(window.mask + skipped, &mut strip.mask_read)?;
            let size = u64::try_from(strip.sample_bytes).unwrap_or(u64::MAX);
            let band_bytes = u64::from(width) * u64::from(height) * size;
            strip.data_read.resize(pixels * strip.sample_bytes * strip.bands, 0);
            let bands = strip.data_read.chunks_exact_mut((pixels * strip.sample_bytes).max(1));
            for (band, data) in (0u64..).zip(bands) {
                self.pixels.read(window.data + band * band_bytes + skipped * size, data)?;
            }
            strip.merge(window.placement, usize::try_from(start - top).unwrap_or(0));
        }
        Ok(())
    }

    /// Writes head and tiles, and makes the file the target.
    fn write(&self, layout: &CogLayout, tiles: &EncodedTiles) -> Result<u64> {
        let head = layout.head(&tiles.levels).map_err(|error| invalid(&error))?;
        let framed = |size: u32| if size == 0 { 0 } else { u64::from(size) + CogLayout::FRAME };
        let body: u64 = tiles.levels.iter().flatten().map(|tile| framed(tile.image) + framed(tile.mask)).sum();
        let length = u64::try_from(head.len()).unwrap_or(u64::MAX).saturating_add(body);
        let mut output = match &self.target {
            Some(target) => Output::beside(target, &self.location)?,
            None => Output::upload(&self.reader, &self.location, length)?,
        };
        output.write(&head)?;
        let mut bytes = Vec::new();
        for (level, places) in tiles.levels.iter().zip(&tiles.places).rev() {
            for (tile, at) in level.iter().zip(places) {
                self.reader.query().check()?;
                let mut at = *at;
                for size in [tile.image, tile.mask].into_iter().filter(|size| *size > 0) {
                    bytes.resize(usize_of(size), 0);
                    tiles.spool.read(at, &mut bytes).map_err(|error| failed(&self.location, &error))?;
                    let (leader, trailer) = CogLayout::frame(&bytes);
                    output.write(&leader)?;
                    output.write(&bytes)?;
                    output.write(&trailer)?;
                    at += u64::from(size);
                }
            }
        }
        output.finish()?;
        Ok(length)
    }
}

/// The sample of pixels without a value.
struct Fill {
    bytes: Vec<u8>,
    dtype: DataType,
}

impl Fill {
    /// Whether a sample is this one, or NaN as this one is.
    fn is(&self, sample: &[u8]) -> bool {
        let is_nan = |bytes: &[u8]| match self.dtype {
            DataType::Float32 => bytes.first_chunk().is_some_and(|bytes| f32::from_le_bytes(*bytes).is_nan()),
            DataType::Float64 => bytes.first_chunk().is_some_and(|bytes| f64::from_le_bytes(*bytes).is_nan()),
            _ => false,
        };
        sample == self.bytes || (is_nan(sample) && is_nan(&self.bytes))
    }
}

/// Rows of pixels that are being put together.
struct Strip {
    width: usize,
    bands: usize,
    sample_bytes: usize,
    has_mask: bool,
    /// Whether the windows' own nodata is that of the file.
    keeps_nodata: bool,
    /// The sample where no window has a valid pixel.
    fill: Fill,
    samples: Vec<u8>,
    mask: Vec<u8>,
    /// The part of a window that is being merged: its bands one after the other, and its mask.
    data_read: Vec<u8>,
    mask_read: Vec<u8>,
}

impl Strip {
    fn new(profile: &CogProfile, keeps_nodata: bool) -> Self {
        Self {
            width: usize_of(profile.width),
            keeps_nodata,
            bands: profile.bands.into(),
            sample_bytes: profile.dtype.size(),
            has_mask: profile.has_mask,
            fill: Fill { bytes: profile.fill(), dtype: profile.dtype },
            samples: Vec::new(),
            mask: Vec::new(),
            data_read: Vec::new(),
            mask_read: Vec::new(),
        }
    }

    fn clear(&mut self, rows: u32) {
        let pixels = usize_of(rows) * self.width;
        self.samples.clear();
        self.samples.resize(pixels * self.bands * self.sample_bytes, 0);
        if self.fill.bytes.iter().any(|byte| *byte != 0) {
            self.samples
                .chunks_exact_mut(self.sample_bytes)
                .for_each(|sample| sample.copy_from_slice(&self.fill.bytes));
        }
        self.mask.clear();
        self.mask.resize(pixels, 0);
    }

    /// Takes the pixels that were read, from a row of the strip on. Of invalid ones, samples are taken where there are no others
    /// yet: those under a mask, and those of pixels that are invalid because a band has nodata.
    fn merge(&mut self, placement: Placement, first_row: usize) {
        let Self { width, bands, sample_bytes: size, has_mask, keeps_nodata, .. } = *self;
        let columns = usize_of(placement.width);
        let left = usize::try_from(placement.col).unwrap_or(0);
        let stride = bands * size;
        let band_bytes = self.data_read.len() / bands.max(1);
        for (row, mask) in self.mask_read.chunks_exact(columns).enumerate() {
            let start = (first_row + row) * width + left;
            let Some(target) = self.samples.get_mut(start * stride..(start + columns) * stride) else { continue };
            let Some(known) = self.mask.get_mut(start..start + columns) else { continue };
            let sample = |band: usize, column: usize| {
                &self.data_read[band * band_bytes + (row * columns + column) * size..][..size]
            };
            let mut first = 0;
            // Runs of valid and of invalid pixels.
            for run in mask.chunk_by(|one, next| (*one != 0) == (*next != 0)) {
                let place = first..first + run.len();
                first = place.end;
                let known = &mut known[place.clone()];
                let pixels = &mut target[place.start * stride..place.end * stride];
                if run[0] != 0 {
                    copy_bands(pixels, bands, size, |band| {
                        &self.data_read[band * band_bytes + (row * columns + place.start) * size..][..run.len() * size]
                    });
                    known.fill(255);
                    continue;
                }
                for ((column, pixel), _) in
                    place.zip(pixels.chunks_exact_mut(stride)).zip(known).filter(|(_, known)| **known == 0)
                {
                    let has_nodata = || (0..bands).any(|band| self.fill.is(sample(band, column)));
                    if has_mask || (keeps_nodata && has_nodata()) {
                        for (band, own) in pixel.chunks_exact_mut(size).enumerate() {
                            own.copy_from_slice(sample(band, column));
                        }
                    }
                }
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.samples.chunks_exact(self.width * self.bands * self.sample_bytes).zip(self.mask.chunks_exact(self.width))
    }
}

/// Sets pixels, whose bands are together, to the samples of bands, each in a list of `size` bytes per sample.
fn copy_bands<'a>(pixels: &mut [u8], bands: usize, size: usize, samples: impl Fn(usize) -> &'a [u8]) {
    if bands == 1 {
        pixels.copy_from_slice(samples(0));
        return;
    }
    for band in 0..bands {
        let places = pixels.chunks_exact_mut(bands * size).map(|pixel| &mut pixel[band * size..][..size]);
        places.zip(samples(band).chunks_exact(size)).for_each(|(place, sample)| place.copy_from_slice(sample));
    }
}

/// The folder of a file.
fn folder(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder, or the nearest one above it that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    found.to_owned()
}

/// Scale and offset of each band; none where none are given.
fn scaling(scales: &[f64], offsets: &[f64], bands: u16) -> Result<Vec<(f64, f64)>> {
    if scales.is_empty() && offsets.is_empty() {
        return Ok(Vec::new());
    }
    let each = |name: &str, numbers: &[f64], default: f64| match numbers {
        [] => Ok(vec![default; bands.into()]),
        [number] => Ok(vec![*number; bands.into()]),
        numbers if numbers.len() == usize::from(bands) => Ok(numbers.to_vec()),
        numbers => {
            let what = format!("expected one {name}, or one per band of {bands}, found {}", numbers.len());
            Err(Error::InvalidArgument { what })
        }
    };
    Ok(each("scale", scales, 1.0)?.into_iter().zip(each("offset", offsets, 0.0)?).collect())
}

fn invalid(error: &rasteret_cog::Error) -> Error {
    Error::InvalidArgument { what: error.to_string() }
}
