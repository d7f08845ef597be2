//! Windows resampled to another grid.
//!
//! ```text
//! PlannedWarp ── blocks of the grid ── source windows ── group within the memory limit ── read together ──> resampled in parallel
//! ```
//!
//! The source windows of a group of blocks, of all rows, are read in one round; each tile is decoded once for the group.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::pixel::{WindowBuffers, WindowWriter};
use rasteret_cog::tiff::{DataType, Photometric};
use rasteret_cog::warp::{Method, SourcePixels, TargetGrid, Warp, WarpBlock, level_for_grid};
use rasteret_cog::zonal::{self, Coverage};
use rasteret_cog::{CogHeader, DEFAULT_CRS, Geometry, NATIVE, Window};

use super::Reader;
use super::window::PlannedWindow;
use super::{LevelChoice, OrNull, ReadRequest, ResolvedRead, Target};
use crate::{Error, OnError, Result};

/// Blocks whose source positions are computed before they are read.
const BLOCKS_AT_ONCE: usize = 32;

/// Largest size of a window's values and mask: the capacity of a DuckDB BLOB.
const MAX_BYTES: u64 = 1 << 31;

/// A grid, as a row names it.
#[derive(Debug, Clone)]
pub enum GridChoice {
    /// Pixels of a resolution, aligned with its multiples, around the geometry or the raster.
    Aligned {
        /// Name of the CRS; `native` for that of the raster.
        crs: String,
        /// Size of a pixel.
        resolution: f64,
    },
    /// A whole grid.
    Grid(Arc<TargetGrid>),
}

/// Options for resampling a row.
#[derive(Debug, Clone)]
pub struct WarpOptions {
    /// The grid.
    pub grid: GridChoice,
    /// The method; None for the default of the raster.
    pub method: Option<Method>,
    /// Whether the level is chosen by the size of the grid's pixels; otherwise it is that of the row.
    pub auto_level: bool,
    /// Applies the band's scale and offset.
    pub scaled: bool,
    /// Selects all pixels that the geometry touches, instead of those with their centre inside.
    pub all_touched: bool,
}

/// A resampled window that is about to be read.
#[derive(Debug)]
pub struct PlannedWarp {
    target: Arc<Target>,
    warp: Warp,
    grid: Arc<TargetGrid>,
    window: Window,
    /// The pixels inside the geometry; None for all.
    coverage: Option<Coverage>,
    on_error: OnError,
}

impl PlannedWarp {
    /// Position in the grid.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// Affine from pixel corners of the window to the grid's coordinates.
    #[must_use]
    pub fn transform(&self) -> GeoTransform {
        self.grid.transform.window(self.window.col_off, self.window.row_off)
    }

    /// Name of the grid's CRS.
    #[must_use]
    pub fn crs(&self) -> Option<&str> {
        self.grid.crs.as_deref()
    }

    /// Type of the values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.warp.data_type()
    }

    /// The nodata value as stored in the file; NaN for scaled values.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.warp.nodata()
    }

    /// Size of the values in bytes.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.mask_len() * self.warp.data_type().size()
    }

    /// Size of the mask in bytes.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        usize::try_from(self.window.pixels()).unwrap_or(usize::MAX)
    }
}

/// The method of a raster without one: classes are not blended.
fn default_method(header: &CogHeader, data_type: DataType) -> Method {
    let is_of_classes = header.image.encoding.photometric == Some(Photometric::Palette);
    if is_of_classes || data_type.is_complex() { Method::Nearest } else { Method::Bilinear }
}

fn argument(error: rasteret_cog::Error) -> Error {
    Error::InvalidArgument { what: error.to_string() }
}

/// The grid of a row, the window and the geometry in its pixels.
struct Placed {
    grid: Arc<TargetGrid>,
    window: Window,
    pixels: Option<Geometry>,
}

impl Reader {
    /// The resampled windows of rows; None for None, where the geometry lies outside the grid, and where the file cannot be read and
    /// `on_error` allows that. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or the grid is wrong, or a window is too large to be held.
    pub fn plan_warps(&self, rows: Vec<Option<(ResolvedRead<'_>, WarpOptions)>>) -> Result<Vec<Option<PlannedWarp>>> {
        let placed = self.of_rows(&rows, |(resolved, options)| {
            Ok(self.place(resolved, &options.grid).or_null(resolved.request.on_error)?.flatten())
        })?;
        let (mut requests, mut beside) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (row, placed) in rows.into_iter().zip(placed) {
            let (Some((resolved, options)), Some(Some(placed))) = (row, placed) else {
                requests.push(None);
                beside.push(None);
                continue;
            };
            let level = if options.auto_level {
                let level =
                    level_for_grid(resolved.target.file.header(), &placed.grid, placed.window, self.transforms());
                LevelChoice::Index(level.map_err(|source| resolved.target.fault(source))?)
            } else {
                resolved.request.level
            };
            requests.push(Some(ReadRequest { level, ..resolved.request }));
            beside.push(Some((options, placed)));
        }
        let prepared = self.prepare(requests)?.into_iter().zip(beside);
        let planned = prepared.map(|(resolved, beside)| {
            let (Some(resolved), Some((options, placed))) = (resolved, beside) else { return Ok(None) };
            let on_error = resolved.request.on_error;
            self.plan_warp(&resolved, &options, placed).or_null(on_error)
        });
        let planned: Vec<_> = planned.collect::<Result<_>>()?;
        let sizes = planned.iter().flatten().map(|warp| (warp.data_len() + warp.mask_len()) as u64);
        let bytes = sizes.fold(0, u64::saturating_add);
        // DuckDB copies the result of a constant call, and fields taken out of a STRUCT.
        self.memory().check(bytes.saturating_mul(2), || {
            format!("the windows of {} rows, which DuckDB may copy,", planned.iter().flatten().count())
        })?;
        Ok(planned)
    }

    fn plan_warp(&self, resolved: &ResolvedRead<'_>, options: &WarpOptions, placed: Placed) -> Result<PlannedWarp> {
        let Placed { grid, window, pixels } = placed;
        let target = &resolved.target;
        let fault = |source| target.fault(source);
        let method = options.method.unwrap_or_else(|| default_method(target.file.header(), target.band.data_type()));
        let source = target.raster_info();
        let warp = Warp::new(&target.band, &source, (&grid, window), (method, options.scaled), self.transforms())
            .map_err(fault)?;
        let bytes = window.pixels().saturating_mul(warp.data_type().size() as u64 + 1);
        if bytes > MAX_BYTES {
            return Err(Error::InvalidArgument {
                what: format!(
                    "grid: expected a window of at most {MAX_BYTES} bytes, found {} x {} pixels of {}, {bytes} bytes: use a smaller geometry \
                     or a larger resolution",
                    window.width,
                    window.height,
                    warp.data_type()
                ),
            });
        }
        let coverage = pixels.map(|pixels| {
            let max = self.memory().of_coverage();
            Coverage::check_size(&pixels, grid.width, grid.height, max).map_err(argument)?;
            let method = if options.all_touched { zonal::Method::AllTouched } else { zonal::Method::Center };
            Ok(Coverage::on_ground(&pixels, grid.width, grid.height, method, &grid.transform))
        });
        let coverage = coverage.transpose()?;
        Ok(PlannedWarp {
            target: Arc::clone(target),
            warp,
            grid,
            window,
            coverage,
            on_error: resolved.request.on_error,
        })
    }

    /// The grid and window of a row; None where the geometry lies outside the grid.
    fn place(&self, resolved: &ResolvedRead<'_>, choice: &GridChoice) -> Result<Option<Placed>> {
        let info = resolved.target.file.header().raster_info();
        let own_crs = info.crs.as_ref().map(ToString::to_string);
        let parsed = resolved.request.geometry.map(|encoded| encoded.parse().map_err(argument)).transpose()?;
        let from = parsed.as_ref().map(|parsed| {
            let crs = resolved
                .request
                .geometry_crs
                .or(parsed.crs.as_deref())
                .or(resolved.request.type_crs)
                .unwrap_or(DEFAULT_CRS);
            parsed.check_crs(crs).map_err(argument)?;
            Ok::<_, Error>(if crs.trim().eq_ignore_ascii_case(NATIVE) { own_crs.as_deref() } else { Some(crs) })
        });
        let from = from.transpose()?.flatten();
        let transform = |to: Option<&str>| match (from, to) {
            (None, None) => Ok(None),
            (Some(from), Some(to)) => self.transforms().get(from, to).map(Some).map_err(argument),
            (Some(_), None) => Err(Error::InvalidArgument {
                what: "geometry_crs: expected 'native', since the grid has no CRS, found another".to_owned(),
            }),
            (None, Some(_)) => Err(Error::InvalidArgument {
                what: "geometry_crs: expected the name of a CRS, since the raster has none, found 'native'".to_owned(),
            }),
        };
        let grid = match choice {
            GridChoice::Grid(grid) => Arc::clone(grid),
            GridChoice::Aligned { crs, resolution } => {
                let crs = if crs.trim().eq_ignore_ascii_case(NATIVE) { own_crs.as_deref() } else { Some(crs.as_str()) };
                let Some(crs) = crs else {
                    let what = "grid: expected a raster with a CRS, found one without".to_owned();
                    return Err(resolved.target.fault(rasteret_cog::Error::InvalidArgument { what }));
                };
                let grid = match &parsed {
                    Some(parsed) => {
                        let transform = transform(Some(crs))?;
                        TargetGrid::around(&parsed.geometry, transform.as_ref(), crs, *resolution).map_err(argument)?
                    }
                    None => {
                        let transform = info.transform_from(crs, self.transforms());
                        let around = transform.and_then(|transform| {
                            TargetGrid::around_raster(&info, transform.as_ref(), crs, *resolution)
                        });
                        Some(around.map_err(|source| resolved.target.fault(source))?)
                    }
                };
                let Some(grid) = grid else { return Ok(None) };
                Arc::new(grid)
            }
        };
        let pixels = parsed.as_ref().map(|parsed| {
            let projector = grid.projector(transform(grid.crs.as_deref())?, self.projectors()).map_err(argument)?;
            projector.pixels(&parsed.geometry).map_err(argument)
        });
        let pixels = pixels.transpose()?;
        Ok(grid.window(pixels.as_ref()).map(|window| Placed { grid, window, pixels }))
    }

    /// Writes the pixels of resampled windows, in their order. False for a window whose file cannot be read and whose `on_error` allows
    /// that: the contents of its buffers are then undefined.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or the pixels of a block take more memory than there may be.
    pub fn fill_warps(&self, warps: &[&PlannedWarp], buffers: Vec<WindowBuffers<'_>>) -> Result<Vec<bool>> {
        let outputs: Vec<Mutex<WindowBuffers<'_>>> = buffers.into_iter().map(Mutex::new).collect();
        for (warp, output) in warps.iter().zip(&outputs) {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            let fill = warp.warp.fill();
            output.data.chunks_exact_mut(fill.len().max(1)).for_each(|value| value.copy_from_slice(fill));
            output.mask.fill(0);
        }
        let blocks = warps.iter().enumerate().flat_map(|(at, warp)| {
            let is_wanted =
                |block: &Window| warp.coverage.as_ref().is_none_or(|coverage| coverage.within(*block).next().is_some());
            Warp::blocks(warp.window).filter(is_wanted).map(move |block| (at, block))
        });
        let mut is_read = vec![true; warps.len()];
        let room = self.memory().shares(self.options()).in_flight;
        let mut group = Group::default();
        let mut blocks = blocks.peekable();
        while blocks.peek().is_some() {
            let some: Vec<Option<_>> = blocks.by_ref().take(BLOCKS_AT_ONCE).map(Some).collect();
            let planned = self.of_rows(&some, |(at, block)| {
                let warp = warps[*at];
                warp.warp.plan(*block).map_err(|source| warp.target.fault(source))
            })?;
            for ((at, _), planned) in some.into_iter().flatten().zip(planned) {
                for block in planned.into_iter().flatten() {
                    let bytes = warps[at].warp.source_bytes(&block);
                    if group.bytes.saturating_add(bytes) > room && !group.blocks.is_empty() {
                        self.fill_group(std::mem::take(&mut group), warps, &outputs, &mut is_read)?;
                    }
                    group.bytes = group.bytes.saturating_add(bytes);
                    group.blocks.push((at, block));
                }
            }
        }
        self.fill_group(group, warps, &outputs, &mut is_read)?;
        for (warp, output) in warps.iter().zip(outputs) {
            if let Some(coverage) = &warp.coverage {
                let mut output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
                clear_outside(warp, coverage, &mut output);
            }
        }
        Ok(is_read)
    }

    /// Reads the source windows of blocks together, and resamples them.
    fn fill_group(
        &self,
        group: Group,
        warps: &[&PlannedWarp],
        outputs: &[Mutex<WindowBuffers<'_>>],
        is_read: &mut [bool],
    ) -> Result<()> {
        // The pixels, and the bytes of mode's shares.
        self.memory().check(group.bytes.saturating_mul(3), || "the source pixels of a block of the grid".to_owned())?;
        let mut windows = Vec::new();
        let mut sources = Vec::new();
        for (at, block) in &group.blocks {
            let warp = warps[*at];
            for source in &block.sources {
                let consumer = WindowWriter::of_window(&warp.target.band, *source, warp.warp.window_options());
                let consumer = consumer.map_err(|source| warp.target.fault(source))?;
                sources.push(SourcePixels::new(consumer.profile()).map_err(|source| warp.target.fault(source))?);
                windows.push(PlannedWindow::new(Arc::clone(&warp.target), consumer, warp.on_error));
            }
        }
        let started = self.start_windows(windows.iter());
        let were_read = started.fill(sources.iter_mut().map(SourcePixels::buffers))?;
        let mut starts = Vec::with_capacity(group.blocks.len());
        let mut start = 0;
        for (at, block) in &group.blocks {
            let end = start + block.sources.len();
            is_read[*at] &= were_read.get(start..end).is_some_and(|read| read.iter().all(|read| *read));
            starts.push(start..end);
            start = end;
        }
        let fault: OnceLock<Error> = OnceLock::new();
        self.for_each(group.blocks.len(), |number| {
            let (at, block) = &group.blocks[number];
            let sources = sources.get(starts[number].clone()).unwrap_or_default();
            match warps[*at].warp.resample(block, sources) {
                Ok(warped) => {
                    let mut output = outputs[*at].lock().unwrap_or_else(PoisonError::into_inner);
                    warped.copy_to(warps[*at].window, &mut output);
                }
                // All blocks of a row have the same fault, if any.
                Err(source) => {
                    let _ = fault.set(warps[*at].target.fault(source));
                }
            }
        })?;
        fault.into_inner().map_or(Ok(()), Err)
    }
}

/// Blocks that are read together.
#[derive(Default)]
struct Group {
    /// The window that each block is part of.
    blocks: Vec<(usize, WarpBlock)>,
    bytes: u64,
}

/// Makes pixels outside of the geometry invalid.
fn clear_outside(warp: &PlannedWarp, coverage: &Coverage, output: &mut WindowBuffers<'_>) {
    let (window, fill) = (warp.window, warp.warp.fill());
    let width = window.width as usize;
    let mut is_inside = vec![false; output.mask.len()];
    for run in coverage.within(window) {
        let start = (run.row - window.row_off) as usize * width + (run.start - window.col_off) as usize;
        if let Some(inside) = is_inside.get_mut(start..start + (run.end - run.start) as usize) {
            inside.fill(true);
        }
    }
    let pixels = output.data.chunks_exact_mut(fill.len().max(1)).zip(output.mask.iter_mut()).zip(is_inside);
    for ((value, mask), _) in pixels.filter(|(_, is_inside)| !is_inside) {
        value.copy_from_slice(fill);
        *mask = 0;
    }
}
