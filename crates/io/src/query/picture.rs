//! Pictures of rasters, for `cog_preview` and `cog_map_tile`.
//!
//! ```text
//! rows ── Frame ──> grids ── group within the memory limit ── BandReads ──> pixels ── ranges, colours ──> PNG, in parallel
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_cog::pixel::WindowBuffers;
use rasteret_cog::render::{BandPixels, Colormap, Colors, MapTile, Picture, Range, Stretch, preview_grid};
use rasteret_cog::tiff::{DataType, Photometric};
use rasteret_cog::warp::{Resampling, TargetGrid};
use rasteret_cog::{CogHeader, Window};

use super::Reader;
use super::color_tables::ColorTable;
use super::stretches::RangeKey;
use super::{GridChoice, LevelChoice, OrNull, PlannedWarp, ReadRequest, ResolvedRead, WarpOptions};
use crate::{Error, ObjectVersion, Result};

/// Size of the preview by whose values the percentiles of map tiles are computed: the same for all tiles of a raster.
const RANGE_SIZE: u32 = 256;

/// The part of a raster that a picture shows.
#[derive(Debug, Clone, Copy)]
pub enum Frame {
    /// The whole raster, or the window around the geometry, reduced to this many pixels along its longer side.
    Preview(u32),
    /// A tile of a web map.
    Tile(MapTile),
}

/// Options for the picture of a row.
#[derive(Debug, Clone)]
pub struct PictureOptions {
    /// The part of the raster.
    pub frame: Frame,
    /// One, three or four bands; None for red, green and blue where the file has them, else the first band.
    pub bands: Option<Vec<u32>>,
    /// The ranges of values.
    pub stretch: Stretch,
    /// Colours for one band.
    pub colormap: Option<Colormap>,
    /// The resampling method; None for the default of the raster.
    pub resampling: Option<Resampling>,
    /// Applies scale and offset of the bands.
    pub scaled: bool,
}

/// A picture with its grid.
struct Framed<'a> {
    resolved: ResolvedRead<'a>,
    bands: Vec<u32>,
    grid: Arc<TargetGrid>,
    /// Where the grid is a part of a larger picture: the size of that, and the part.
    part: Option<((u32, u32), Window)>,
    table: Option<ColorTable>,
}

/// Bands that are resampled to one grid.
struct BandReads<'a> {
    resolved: ResolvedRead<'a>,
    bands: Vec<u32>,
    grid: Arc<TargetGrid>,
    resampling: Option<Resampling>,
    scaled: bool,
}

/// The pixels of bands.
struct Pixels {
    size: (u32, u32),
    bands: Vec<(DataType, Vec<u8>, Vec<u8>)>,
}

impl Pixels {
    fn bands(&self) -> Vec<BandPixels<'_>> {
        let pixels = self.bands.iter();
        pixels.map(|(data_type, data, mask)| BandPixels { data_type: *data_type, data, mask }).collect()
    }

    fn data_types(&self) -> Vec<DataType> {
        self.bands.iter().map(|(data_type, ..)| *data_type).collect()
    }

    /// Whether no pixel is valid in all bands.
    fn is_empty(&self) -> bool {
        let masks: Vec<&[u8]> = self.bands.iter().map(|(.., mask)| mask.as_slice()).collect();
        let count = masks.first().map_or(0, |mask| mask.len());
        !(0..count).any(|at| masks.iter().all(|mask| mask.get(at).is_some_and(|byte| *byte != 0)))
    }
}

/// The row of a picture.
type Row<'a> = Option<(ResolvedRead<'a>, PictureOptions)>;

impl Reader {
    /// The pictures of rows as PNG; None for None, where the geometry or the tile lies outside of the raster, for a tile without valid
    /// pixels, and where the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or an option does not fit the raster, a file cannot be read, or the pictures take too much memory.
    pub fn pictures(&self, rows: &[Row<'_>]) -> Result<Vec<Option<Vec<u8>>>> {
        let framed = self.of_rows(rows, |(resolved, options)| {
            Ok(self.framed(resolved, options).or_null(resolved.request.on_error)?.flatten())
        })?;
        let framed = self.with_tables(rows, framed.into_iter().map(Option::flatten).collect())?;
        let room = self.memory().shares(self.options()).in_flight;
        let mut pictures: Vec<Option<Vec<u8>>> = rows.iter().map(|_| None).collect();
        let (mut group, mut bytes, mut total) = (Vec::new(), 0_u64, 0_u64);
        let mut finish = |group: Vec<(usize, Framed<'_>, &PictureOptions)>| {
            let places: Vec<usize> = group.iter().map(|(at, ..)| *at).collect();
            for (at, picture) in places.into_iter().zip(self.pictures_of(group)?) {
                total = total.saturating_add(picture.as_ref().map_or(0, Vec::len) as u64);
                pictures[at] = picture;
            }
            // DuckDB copies them.
            self.memory().check(total.saturating_mul(2), || "pictures, which DuckDB copies,".to_owned())
        };
        for (at, (framed, row)) in framed.into_iter().zip(rows).enumerate() {
            let (Some(framed), Some((_, options))) = (framed, row) else { continue };
            let size = framed.bytes();
            self.memory()
                .check(size, || format!("a picture of {} x {} pixels", framed.grid.width, framed.grid.height))?;
            if bytes.saturating_add(size) > room && !group.is_empty() {
                finish(std::mem::take(&mut group))?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            group.push((at, framed, options));
        }
        finish(group)?;
        Ok(pictures)
    }

    /// The grid and bands of a row; None outside of the raster.
    fn framed<'a>(&self, resolved: &ResolvedRead<'a>, options: &PictureOptions) -> Result<Option<Framed<'a>>> {
        let header = resolved.target.file.header();
        let bands = options.bands.clone().unwrap_or_else(|| usual_bands(header));
        check_bands(&bands, options)?;
        let raster = header.raster_info();
        let fault = |source| resolved.target.fault(source);
        let (grid, part) = match options.frame {
            Frame::Preview(size) => {
                let pixels = resolved.pixels(self)?;
                let window = match pixels.as_ref().map(|pixels| pixels.bbox()) {
                    None => Some(Window::of_image(raster.width, raster.height)),
                    Some(bounds) => bounds.and_then(|bounds| Window::around(bounds, raster.width, raster.height)),
                };
                let Some(window) = window else { return Ok(None) };
                (preview_grid(&raster, window, size).map_err(fault)?, None)
            }
            Frame::Tile(tile) => match tile.grid(&raster, self.transforms()).map_err(fault)? {
                None => return Ok(None),
                Some((grid, part)) => (grid, Some((tile.size(), part))),
            },
        };
        Ok(Some(Framed { resolved: resolved.clone(), bands, grid: Arc::new(grid), part, table: None }))
    }

    /// Adds the colour tables of palette images.
    fn with_tables<'a>(
        &self,
        rows: &[Row<'_>],
        mut framed: Vec<Option<Framed<'a>>>,
    ) -> Result<Vec<Option<Framed<'a>>>> {
        let of_row = |at: usize| rows.get(at).and_then(Option::as_ref).map(|(_, options)| options);
        let uses_table = |(at, framed): (usize, &Option<Framed<'_>>)| {
            let framed = framed.as_ref()?;
            of_row(at).filter(|options| framed.uses_table(options)).map(|_| (at, Arc::clone(&framed.resolved.target)))
        };
        let with_table: Vec<_> = framed.iter().enumerate().filter_map(uses_table).collect();
        let files: Vec<_> = with_table.iter().map(|(_, target)| target.file.as_ref()).collect();
        for ((at, target), table) in with_table.iter().zip(self.color_tables_of(&files)?) {
            let Some(row) = framed[*at].take() else { continue };
            let Some(table) = table.or_null(row.resolved.request.on_error)? else { continue };
            let blends = of_row(*at).and_then(|options| options.resampling).is_some_and(|resampling| {
                matches!(resampling, Resampling::Bilinear | Resampling::Cubic | Resampling::Average)
            });
            if table.is_some() && blends {
                let what = "resampling: expected 'nearest', 'mode', 'min' or 'max' for a raster with a color table, found another";
                return Err(target.fault(rasteret_cog::Error::InvalidArgument { what: what.to_owned() }));
            }
            framed[*at] = Some(Framed { table, ..row });
        }
        Ok(framed)
    }

    /// The pictures of a group of rows.
    fn pictures_of(&self, group: Vec<(usize, Framed<'_>, &PictureOptions)>) -> Result<Vec<Option<Vec<u8>>>> {
        let reads: Vec<_> = group.iter().map(|(_, framed, options)| framed.reads(options)).collect();
        let pixels = self.band_pixels(&reads)?;
        let ranges = self.ranges_of(&group, &pixels)?;
        let rows = group
            .into_iter()
            .zip(pixels)
            .zip(ranges)
            .map(|(((_, framed, options), pixels), ranges)| Some((framed, options, pixels?, ranges?)));
        let pictures = self.of_rows(&rows.collect::<Vec<_>>(), |(framed, options, pixels, ranges)| {
            let colors = match (&framed.table, options.colormap) {
                (Some(table), _) => Colors::Table(table),
                (None, Some(map)) => Colors::Map(map),
                (None, None) => Colors::Plain,
            };
            let draw = || {
                let mut picture = Picture::new(pixels.size, &pixels.bands(), ranges, colors)?;
                if let Some((size, part)) = framed.part {
                    if picture.is_transparent() {
                        return Ok(None);
                    }
                    picture = picture.within(size, part);
                }
                picture.to_png().map(Some)
            };
            draw().map_err(|source| framed.resolved.target.fault(source))
        })?;
        Ok(pictures.into_iter().map(Option::flatten).collect())
    }

    /// The ranges of the bands of pictures; None for those without pixels. Those of map tiles are the same for all tiles of a raster.
    fn ranges_of(
        &self,
        group: &[(usize, Framed<'_>, &PictureOptions)],
        pixels: &[Option<Pixels>],
    ) -> Result<Vec<Option<Vec<Range>>>> {
        let mut ranges = Vec::with_capacity(group.len());
        let mut missing: HashMap<RangeKey, Vec<usize>> = HashMap::new();
        for (at, ((_, framed, options), pixels)) in group.iter().zip(pixels).enumerate() {
            let Some(pixels) = pixels else {
                ranges.push(None);
                continue;
            };
            let is_of_tile = framed.part.is_some() && options.stretch.depends_on_values(&pixels.data_types());
            if !is_of_tile || framed.table.is_some() {
                ranges.push(Some(options.stretch.ranges(&pixels.bands())));
                continue;
            }
            if pixels.is_empty() {
                ranges.push(None);
                continue;
            }
            let key = range_key(&framed.resolved, &framed.bands, options);
            let known = self.known_ranges().get(&key);
            if known.is_none() {
                missing.entry(key).or_default().push(at);
            }
            ranges.push(known);
        }
        let missing: Vec<_> = missing.into_iter().collect();
        let reads = missing.iter().filter_map(|(_, rows)| {
            let (_, framed, options) = group.get(*rows.first()?)?;
            Some(framed.range_reads(options))
        });
        let reads = reads.collect::<Result<Vec<_>>>()?;
        for ((key, rows), pixels) in missing.into_iter().zip(self.band_pixels(&reads)?) {
            let Some((_, _, options)) = rows.first().and_then(|row| group.get(*row)) else { continue };
            let found = pixels.map(|pixels| options.stretch.ranges(&pixels.bands()));
            if let Some(found) = &found {
                self.known_ranges().put(key, found.clone());
            }
            rows.into_iter().for_each(|row| ranges[row].clone_from(&found));
        }
        Ok(ranges)
    }

    /// Reads bands, resampled to their grids; None where the geometry lies outside, and where a file cannot be read and `on_error` allows
    /// that.
    fn band_pixels(&self, reads: &[BandReads<'_>]) -> Result<Vec<Option<Pixels>>> {
        let requests = reads.iter().flat_map(|read| {
            let request = &read.resolved.request;
            read.bands.iter().map(|band| {
                Some(ReadRequest { band_index: Some(*band), level: LevelChoice::Index(0), ..request.clone() })
            })
        });
        let beside = reads.iter().flat_map(|read| read.bands.iter().map(move |_| read));
        let prepared = self.prepare(requests.collect())?.into_iter().zip(beside);
        let warps = prepared.map(|(resolved, read)| {
            let Some(resolved) = resolved else { return Ok(None) };
            let check = resolved.target.band.check_real().map_err(|source| resolved.target.fault(source));
            Ok(check.or_null(resolved.request.on_error)?.map(|()| (resolved, read.warp_options())))
        });
        let mut planned = self.plan_warps(warps.collect::<Result<_>>()?)?.into_iter();
        let of_reads: Vec<Option<Vec<_>>> = reads
            .iter()
            .map(|read| planned.by_ref().take(read.bands.len()).collect::<Vec<_>>().into_iter().collect())
            .collect();
        let mut pixels: Vec<Option<Pixels>> =
            of_reads.iter().map(|warps| warps.as_deref().and_then(Pixels::empty)).collect();
        let warps: Vec<_> = of_reads.iter().flatten().flatten().collect();
        let buffers = pixels.iter_mut().flatten().flat_map(|pixels| pixels.bands.iter_mut());
        let buffers = buffers.map(|(_, data, mask)| WindowBuffers { data, mask }).collect();
        let mut were_read = self.fill_warps(&warps, buffers)?.into_iter();
        for pixels in &mut pixels {
            let count = pixels.as_ref().map_or(0, |pixels| pixels.bands.len());
            // All of them are taken, also after a failure.
            if were_read.by_ref().take(count).filter(|is_read| !is_read).count() > 0 {
                *pixels = None;
            }
        }
        Ok(pixels)
    }
}

impl Pixels {
    /// Pixels that are not read yet.
    fn empty(warps: &[PlannedWarp]) -> Option<Self> {
        let window = warps.first()?.window();
        let bands = warps.iter().map(|warp| (warp.data_type(), vec![0; warp.data_len()], vec![0; warp.mask_len()]));
        Some(Self { size: (window.width, window.height), bands: bands.collect() })
    }
}

impl<'a> Framed<'a> {
    /// Memory for making the picture, in bytes.
    fn bytes(&self) -> u64 {
        let bands = self.bands.len() as u64;
        let of = |(width, height): (u32, u32)| Picture::bytes(u64::from(width) * u64::from(height), bands);
        let beside = match self.part {
            Some((size, _)) => of(size).saturating_add(of((RANGE_SIZE, RANGE_SIZE))),
            None => 0,
        };
        of((self.grid.width, self.grid.height)).saturating_add(beside)
    }

    /// Whether colours are those of the file's colour table.
    fn uses_table(&self, options: &PictureOptions) -> bool {
        let is_palette = self.resolved.target.file.header().image.encoding.photometric == Some(Photometric::Palette);
        let is_plain = options.colormap.is_none() && options.stretch == Stretch::Automatic && !options.scaled;
        is_palette && is_plain && self.bands.len() == 1
    }

    fn reads(&self, options: &PictureOptions) -> BandReads<'a> {
        BandReads {
            resolved: self.resolved.clone(),
            bands: self.bands.clone(),
            grid: Arc::clone(&self.grid),
            resampling: options.resampling,
            scaled: options.scaled,
        }
    }

    /// A small preview of the whole raster.
    fn range_reads(&self, options: &PictureOptions) -> Result<BandReads<'a>> {
        let raster = self.resolved.target.file.header().raster_info();
        let whole = Window::of_image(raster.width, raster.height);
        let grid = preview_grid(&raster, whole, RANGE_SIZE).map_err(|source| self.resolved.target.fault(source))?;
        Ok(BandReads { grid: Arc::new(grid), ..self.reads(options) })
    }
}

impl BandReads<'_> {
    fn warp_options(&self) -> WarpOptions {
        WarpOptions {
            grid: GridChoice::Grid(Arc::clone(&self.grid)),
            resampling: self.resampling,
            auto_level: true,
            scaled: self.scaled,
            all_touched: false,
            turns: true,
        }
    }
}

/// Everything that the percentiles of bands depend on.
fn range_key(resolved: &ResolvedRead<'_>, bands: &[u32], options: &PictureOptions) -> RangeKey {
    let (file, request) = (&resolved.target.file, &resolved.request);
    let percentiles = match &options.stretch {
        Stretch::Percentiles(percentiles) => Some(percentiles.map(f64::to_bits)),
        Stretch::Automatic | Stretch::Ranges(_) => None,
    };
    let of_file = if *file.version() == ObjectVersion::default() { Arc::as_ptr(file).addr() } else { 0 };
    let of_mask = request.mask.as_ref().map_or(0, |mask| Arc::as_ptr(mask).addr());
    RangeKey {
        location: file.location().key().to_owned(),
        version: file.version().clone(),
        call: [of_file, of_mask],
        bands: bands.to_vec(),
        percentiles,
        masked: request.masked,
        scaled: options.scaled,
        resampling: options.resampling,
    }
}

/// Red, green and blue where the file has them, else the first band.
fn usual_bands(header: &CogHeader) -> Vec<u32> {
    let encoding = &header.image.encoding;
    let is_colored = matches!(encoding.photometric, Some(Photometric::Rgb | Photometric::YCbCr));
    match header.band_index {
        Some(band) => vec![band],
        None if is_colored && encoding.samples_per_pixel >= 3 => vec![0, 1, 2],
        None => vec![0],
    }
}

/// Checks the number of bands, and the options that depend on it.
fn check_bands(bands: &[u32], options: &PictureOptions) -> Result<()> {
    let wrong = |what: String| Err(Error::InvalidArgument { what });
    let count = bands.len();
    if !matches!(count, 1 | 3 | 4) {
        return wrong(format!("bands: expected one, three or four bands, found {count}"));
    }
    if options.colormap.is_some() && count != 1 {
        return wrong(format!("colormap: expected one band with it, found {count} bands"));
    }
    match &options.stretch {
        Stretch::Ranges(ranges) if ranges.len() != 1 && ranges.len() != count.min(3) => {
            let expected = if count == 1 { "2 numbers" } else { "2 or 6 numbers" };
            wrong(format!("range: expected {expected} for {count} bands, found {}", 2 * ranges.len()))
        }
        _ => Ok(()),
    }
}
