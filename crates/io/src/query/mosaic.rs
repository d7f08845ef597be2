//! Combines several rasters to one image.
//!
//! ```text
//! MosaicRow ── grid of the first source ──> blocks of the grid, of all rows, as many as there is memory for
//!                                             └── sources that meet each ── read together ──> composited in parallel
//! ```
//!
//! The pixels of all sources of a block are in memory at once, so blocks are smaller with more sources. Sources that do not intersect a
//! block are not read for it.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::Window;
use rasteret_cog::geo::{BBox, GeoTransform};
use rasteret_cog::pixel::WindowBuffers;
use rasteret_cog::tiff::DataType;
use rasteret_cog::warp::{Composite, TargetGrid, Warp, clear_outside, fill_invalid, fill_values};
use rasteret_cog::zonal::{Coverage, Method};

use super::place::{RowGeometry, argument};
use super::resample::{Part, block_side};
use super::{GridChoice, OrNull, PlannedWarp, ReadRequest, Reader, ResolvedRead, SourceBand, WarpOptions};
use crate::{Error, Result};

/// Side of the squares of blocks that are read one after the other, so that their tiles are still cached.
const NEIGHBORHOOD: u32 = 4 * Warp::BLOCK;

/// Largest size of an image's values and mask: the capacity of a DuckDB BLOB.
const MAX_BYTES: u64 = 1 << 31;

/// A row whose sources become one image.
#[derive(Debug)]
pub struct MosaicRow<'a> {
    /// The bands of the image, each with the sources in order. All sources have the row's geometry.
    pub bands: Vec<Vec<SourceBand<'a>>>,
    /// The grid; None for that of the first source.
    pub grid: Option<GridChoice>,
    /// How the values of the sources become one.
    pub composite: Composite,
    /// Selects all pixels that the geometry touches, instead of those with their centre inside.
    pub all_touched: bool,
}

/// An image that is about to be read.
#[derive(Debug)]
pub struct PlannedMosaic {
    /// For each band, its sources.
    bands: Vec<Vec<PlannedWarp>>,
    composite: Composite,
    place: Place,
    /// Type of the sources.
    of_sources: DataType,
    nodata: Option<f64>,
    /// Bytes of a pixel without values.
    fill: Vec<u8>,
}

/// The pixels of an image.
#[derive(Debug)]
struct Place {
    grid: Arc<TargetGrid>,
    /// Position in the named grid.
    first: (i32, i32),
    /// The pixels inside the geometry; None for all.
    coverage: Option<Coverage>,
}

/// A block of an image.
struct Block {
    /// The position of the image.
    at: usize,
    window: Window,
    /// For each band, the sources that may meet it.
    sources: Vec<Vec<usize>>,
}

impl PlannedMosaic {
    /// Its pixels.
    #[must_use]
    pub fn grid(&self) -> &TargetGrid {
        &self.place.grid
    }

    /// Position in the named grid.
    #[must_use]
    pub fn first_pixel(&self) -> (i32, i32) {
        self.place.first
    }

    /// Affine from pixel corners to the grid's coordinates.
    #[must_use]
    pub fn transform(&self) -> GeoTransform {
        self.place.grid.transform
    }

    /// The number of bands.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// Type of the values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.composite.data_type(self.of_sources)
    }

    /// The nodata value: that of the first source, or NaN for computed values.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.nodata
    }

    /// Size of the mask of a band in bytes.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        usize::try_from(self.window().pixels()).unwrap_or(usize::MAX)
    }

    /// Size of the values of a band in bytes.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.mask_len().saturating_mul(self.data_type().size())
    }

    fn window(&self) -> Window {
        Window::of_image(self.place.grid.width, self.place.grid.height)
    }

    /// Memory for the pixels of a source in a window, in bytes.
    fn source_bytes(&self, window: Window) -> u64 {
        window.pixels().saturating_mul(self.of_sources.size() as u64 + 1)
    }

    /// The blocks that have pixels inside the geometry and that a source may meet, until the query is interrupted.
    fn blocks(&self, at: usize, room: u64, reader: &Reader) -> impl Iterator<Item = Block> {
        let count = self.bands.iter().map(Vec::len).sum::<usize>() as u64;
        let side = block_side(self.source_bytes(Window::of_image(1, 1)).saturating_mul(count), room);
        let coverage = self.place.coverage.as_ref();
        let neighborhoods = Warp::blocks_of(self.window(), NEIGHBORHOOD);
        let windows = neighborhoods.flat_map(move |window| Warp::blocks_of(window, side));
        let windows = windows.take_while(|_| !reader.query().is_interrupted());
        let windows =
            windows.filter(move |window| coverage.is_none_or(|coverage| coverage.within(*window).next().is_some()));
        windows.filter_map(move |window| {
            let meets = |source: &(usize, &PlannedWarp)| source.1.warp.may_meet(window);
            let of_band = |band: &Vec<PlannedWarp>| band.iter().enumerate().filter(meets).map(|(at, _)| at).collect();
            let sources: Vec<Vec<usize>> = self.bands.iter().map(of_band).collect();
            sources.iter().any(|sources| !sources.is_empty()).then_some(Block { at, window, sources })
        })
    }
}

impl Reader {
    /// The images of rows; None for None, without a source that can be read, and where the geometry is empty. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or the grid is wrong, the sources have different types, or the images take more memory than there may be.
    pub fn plan_mosaics(&self, rows: Vec<Option<MosaicRow<'_>>>) -> Result<Vec<Option<PlannedMosaic>>> {
        let places = self.of_rows(&rows, |row| self.place_mosaic(row))?;
        let (mut beside, mut warps) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, place) in rows.into_iter().zip(places) {
            let (Some(row), Some(Some(place))) = (row, place) else {
                beside.push(None);
                continue;
            };
            let counts: Vec<usize> = row.bands.iter().map(Vec::len).collect();
            let grid = GridChoice::Grid(Arc::clone(&place.grid));
            warps.extend(row.bands.into_iter().flatten().map(|source| {
                let SourceBand { resolved, resampling, auto_level, scaled } = source;
                let request = ReadRequest { geometry: None, ..resolved.request };
                let grid = grid.clone();
                let options = WarpOptions { grid, resampling, auto_level, scaled, all_touched: false, turns: true };
                Some((ResolvedRead { request, ..resolved }, options))
            }));
            beside.push(Some((place, counts, row.composite)));
        }
        let mut warps = self.plan_parts(warps)?.into_iter();
        let planned = beside.into_iter().map(|row| {
            let Some((place, counts, composite)) = row else { return Ok(None) };
            let bands = counts.into_iter().map(|count| warps.by_ref().take(count).flatten().collect()).collect();
            planned(place, bands, composite)
        });
        let planned: Vec<_> = planned.collect::<Result<_>>()?;
        let sizes = planned
            .iter()
            .flatten()
            .map(|mosaic| (mosaic.data_len() as u64 + mosaic.mask_len() as u64).saturating_mul(mosaic.bands() as u64));
        // DuckDB copies the result of a constant call, and fields taken out of a STRUCT.
        self.check_memory(sizes.fold(0, u64::saturating_add).saturating_mul(2), || {
            format!("the mosaics of {} rows, which DuckDB may copy,", planned.iter().flatten().count())
        })?;
        Ok(planned)
    }

    /// The pixels of a row's image; None where the geometry is empty, or lies outside of a grid with sides.
    fn place_mosaic(&self, row: &MosaicRow<'_>) -> Result<Option<Place>> {
        let Some(first) = row.bands.iter().flatten().next() else { return Ok(None) };
        let (resolved, on_error) = (&first.resolved, first.resolved.request.on_error);
        if let Some(choice @ GridChoice::Grid(_)) = &row.grid {
            let Some(placed) = self.place(resolved, choice).or_null(on_error)?.flatten() else { return Ok(None) };
            let window = placed.window;
            let (grid, first) = placed
                .grid
                .extended(BBox {
                    xmin: f64::from(window.col_off),
                    ymin: f64::from(window.row_off),
                    xmax: f64::from(window.col_end()),
                    ymax: f64::from(window.row_end()),
                })
                .map_err(argument)?;
            return self.covered(row, grid, first).map(Some);
        }
        let lattice = self.lattice(resolved, row.grid.as_ref())?;
        let bounds = match RowGeometry::of(resolved)? {
            Some(geometry) => {
                let transform = geometry.transform(self, lattice.crs.as_deref())?;
                lattice.exact_bounds(&geometry.geometry, transform.as_ref()).map_err(argument)?
            }
            None => self.bounds_of_sources(row, &lattice)?,
        };
        let Some(bounds) = bounds else { return Ok(None) };
        let (grid, first) = lattice.extended(bounds).map_err(argument)?;
        // The columns and rows of a resolution count from the first pixel, as for a window of such a grid.
        let first = if row.grid.is_some() { (0, 0) } else { first };
        self.covered(row, grid, first).map(Some)
    }

    /// The pixels of a grid that are inside the geometry of a row.
    fn covered(&self, row: &MosaicRow<'_>, grid: TargetGrid, first: (i32, i32)) -> Result<Place> {
        let source = row.bands.iter().flatten().next();
        let geometry = source.map(|source| RowGeometry::of(&source.resolved)).transpose()?.flatten();
        let method = if row.all_touched { Method::AllTouched } else { Method::Center };
        let coverage = geometry.map(|geometry| {
            let transform = geometry.transform(self, grid.crs.as_deref())?;
            let projector = grid.projector(transform, self.projectors()).map_err(argument)?;
            let pixels = projector.pixels(&geometry.geometry).map_err(argument)?;
            self.coverage_on(&grid, &pixels, method)
        });
        Ok(Place { coverage: coverage.transpose()?, grid: Arc::new(grid), first })
    }

    /// Bounds of all sources of a row in the pixels of a lattice.
    fn bounds_of_sources(&self, row: &MosaicRow<'_>, lattice: &TargetGrid) -> Result<Option<BBox>> {
        let mut all: Option<BBox> = None;
        for source in row.bands.iter().flatten() {
            self.query().check()?;
            let target = &source.resolved.target;
            let info = target.file.header().raster_info();
            let bounds = match &lattice.crs {
                Some(crs) => info.transform_from(crs, self.transforms()),
                None => Ok(None),
            };
            let bounds = bounds.and_then(|transform| lattice.raster_bounds(&info, transform.as_ref()));
            let Some(own) = bounds.map_err(|source| target.fault(source))? else { continue };
            all = Some(all.map_or(own, |all| BBox {
                xmin: all.xmin.min(own.xmin),
                ymin: all.ymin.min(own.ymin),
                xmax: all.xmax.max(own.xmax),
                ymax: all.ymax.max(own.ymax),
            }));
        }
        Ok(all)
    }

    /// Writes the pixels of images: for each, in their order, its bands. A source that cannot be read and whose `on_error` allows that
    /// has no pixels.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or the pixels of a block take more memory than there may be.
    pub fn fill_mosaics(&self, mosaics: &[&PlannedMosaic], mut buffers: Vec<WindowBuffers<'_>>) -> Result<()> {
        let mut starts = vec![0];
        for (at, mosaic) in mosaics.iter().enumerate() {
            starts.push(starts[at] + mosaic.bands());
        }
        for (mosaic, range) in mosaics.iter().zip(starts.windows(2)) {
            for output in buffers.get_mut(range[0]..range[1]).unwrap_or_default() {
                output.mask.fill(if mosaic.composite == Composite::Count { u8::MAX } else { 0 });
                fill_values(&mosaic.fill, output.data);
            }
        }
        let room = self.memory().shares(self.options()).in_flight;
        let outputs: Vec<Mutex<&mut WindowBuffers<'_>>> = buffers.iter_mut().map(Mutex::new).collect();
        let mut blocks = mosaics.iter().enumerate().flat_map(|(at, mosaic)| mosaic.blocks(at, room, self)).peekable();
        while blocks.peek().is_some() {
            let (mut group, mut bytes) = (Vec::new(), 0_u64);
            let byte_len = |block: &Block| {
                let sources = block.sources.iter().map(Vec::len).sum::<usize>() as u64;
                mosaics[block.at].source_bytes(block.window).saturating_mul(sources)
            };
            while let Some(block) = blocks.next_if(|block| bytes == 0 || bytes.saturating_add(byte_len(block)) <= room)
            {
                bytes = bytes.saturating_add(byte_len(&block));
                group.push(block);
            }
            self.check_memory(bytes, || "a block of all sources of a mosaic".to_owned())?;
            self.composite_blocks(mosaics, &group, &starts, &outputs)?;
        }
        drop(blocks);
        drop(outputs);
        self.query().check()?;
        for (mosaic, range) in mosaics.iter().zip(starts.windows(2)) {
            let Some(coverage) = &mosaic.place.coverage else { continue };
            for output in buffers.get_mut(range[0]..range[1]).unwrap_or_default() {
                clear_outside(mosaic.window(), coverage, output.mask);
                fill_invalid(&mosaic.fill, output);
            }
        }
        Ok(())
    }

    /// Reads blocks of all their sources together, and writes their composites.
    fn composite_blocks(
        &self,
        mosaics: &[&PlannedMosaic],
        blocks: &[Block],
        starts: &[usize],
        outputs: &[Mutex<&mut WindowBuffers<'_>>],
    ) -> Result<()> {
        let mut parts = Vec::new();
        // For each band of a block, the block, the output and its parts.
        let mut jobs = Vec::new();
        for block in blocks {
            let mosaic = mosaics[block.at];
            for (band, sources) in block.sources.iter().enumerate() {
                let start = parts.len();
                parts.extend(
                    sources.iter().map(|source| Part { warp: &mosaic.bands[band][*source], window: block.window }),
                );
                jobs.push((block, starts[block.at] + band, start..parts.len()));
            }
        }
        let (warped, _) = self.read_parts(&parts)?;
        self.for_each(jobs.len(), |number| {
            let (block, output, range) = &jobs[number];
            let (mosaic, sources) = (mosaics[block.at], warped.get(range.clone()).unwrap_or_default());
            let combined = mosaic.composite.combine(block.window, mosaic.of_sources, &mosaic.fill, sources);
            let mut output = outputs[*output].lock().unwrap_or_else(PoisonError::into_inner);
            combined.copy_to(mosaic.window(), &mut output);
        })
    }
}

/// Checks the sources of an image; None without any.
fn planned(place: Place, bands: Vec<Vec<PlannedWarp>>, composite: Composite) -> Result<Option<PlannedMosaic>> {
    let Some(first) = bands.iter().flatten().next() else { return Ok(None) };
    let of_sources = first.data_type();
    composite.check(of_sources).map_err(argument)?;
    if let Some(other) = bands.iter().flatten().map(PlannedWarp::data_type).find(|other| *other != of_sources) {
        let (first, other) = (of_sources.name(), other.name());
        return Err(Error::InvalidArgument {
            what: format!(
                "sources: expected sources of one type, found {first} and {other}: scaled: true reads all of them as float64"
            ),
        });
    }
    let (nodata, fill) = (composite.nodata(first.nodata()), composite.fill(of_sources, first.warp.fill()));
    let mosaic = PlannedMosaic { bands, composite, place, of_sources, nodata, fill };
    let bytes = (mosaic.data_len() as u64 + mosaic.mask_len() as u64).saturating_mul(mosaic.bands() as u64);
    if bytes > MAX_BYTES {
        let TargetGrid { width, height, .. } = *mosaic.place.grid;
        let data_type = mosaic.data_type();
        return Err(Error::InvalidArgument {
            what: format!(
                "grid: expected an image of at most {MAX_BYTES} bytes, found {width} x {height} pixels of {data_type}, {bytes} bytes: use \
                 a smaller geometry or a larger resolution"
            ),
        });
    }
    Ok(Some(mosaic))
}
