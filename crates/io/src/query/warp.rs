//! Plans of windows that are resampled to another grid.

use std::sync::Arc;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::tiff::{DataType, Photometric};
use rasteret_cog::warp::{Resampling, TargetGrid, Warp, level_for_grid};
use rasteret_cog::zonal::{self, Coverage};
use rasteret_cog::{CogHeader, Geometry, Window};

use super::place::{Placed, argument};
use super::{GridChoice, LevelChoice, OrNull, ReadRequest, Reader, ResolvedRead, Target};
use crate::{Error, OnError, Result};

/// Largest size of a window's values and mask: the capacity of a DuckDB BLOB.
const MAX_BYTES: u64 = 1 << 31;

/// Options for resampling a row.
#[derive(Debug, Clone)]
pub struct WarpOptions {
    /// The grid.
    pub grid: GridChoice,
    /// The resampling method; None for the default of the raster.
    pub resampling: Option<Resampling>,
    /// Whether the level is chosen by the size of the grid's pixels; otherwise it is that of the row.
    pub auto_level: bool,
    /// Applies the band's scale and offset.
    pub scaled: bool,
    /// Selects all pixels that the geometry touches, instead of those with their centre inside.
    pub all_touched: bool,
    /// Whether longitudes that differ by 360 degrees are one place.
    pub turns: bool,
}

/// A band of one of the sources of an image.
#[derive(Debug)]
pub struct SourceBand<'a> {
    /// The band.
    pub resolved: ResolvedRead<'a>,
    /// The resampling method; None for the default of the raster.
    pub resampling: Option<Resampling>,
    /// Whether the level is chosen by the size of the grid's pixels; otherwise it is that of the source.
    pub auto_level: bool,
    /// Applies the band's scale and offset.
    pub scaled: bool,
}

/// A resampled window that is about to be read.
#[derive(Debug)]
pub struct PlannedWarp {
    pub(super) target: Arc<Target>,
    pub(super) warp: Warp,
    grid: Arc<TargetGrid>,
    pub(super) window: Window,
    /// The pixels inside the geometry; None for all.
    pub(super) coverage: Option<Coverage>,
    pub(super) on_error: OnError,
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

    /// Memory for the value and the mask of a pixel, in bytes.
    pub(super) fn pixel_bytes(&self) -> u64 {
        self.data_type().size() as u64 + 1
    }

    /// Memory for the values and the mask, in bytes.
    pub(super) fn byte_len(&self) -> u64 {
        (self.data_len() as u64).saturating_add(self.mask_len() as u64)
    }

    /// Size of the mask in bytes.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        usize::try_from(self.window.pixels()).unwrap_or(usize::MAX)
    }
}

/// The resampling of a raster without this option: classes are not blended.
fn default_resampling(header: &CogHeader, data_type: DataType) -> Resampling {
    let is_of_classes = header.image.encoding.photometric == Some(Photometric::Palette);
    if is_of_classes || data_type.is_complex() { Resampling::Nearest } else { Resampling::Bilinear }
}

impl Reader {
    /// The resampled windows of rows; None for None, where the geometry lies outside the grid, and where the file cannot be read and
    /// `on_error` allows that. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or the grid is wrong, or a window is too large to be held.
    pub fn plan_warps(&self, rows: Vec<Option<(ResolvedRead<'_>, WarpOptions)>>) -> Result<Vec<Option<PlannedWarp>>> {
        let planned = self.plan_parts(rows)?;
        let sizes = planned.iter().flatten().map(|warp| (warp.data_len() + warp.mask_len()) as u64);
        let bytes = sizes.fold(0, u64::saturating_add);
        // DuckDB copies the result of a constant call, and fields taken out of a STRUCT.
        self.memory().check(bytes.saturating_mul(2), || {
            format!("the windows of {} rows, which DuckDB may copy,", planned.iter().flatten().count())
        })?;
        Ok(planned)
    }

    /// [`plan_warps`](Self::plan_warps) of windows that are not in memory at once.
    pub(super) fn plan_parts(
        &self,
        rows: Vec<Option<(ResolvedRead<'_>, WarpOptions)>>,
    ) -> Result<Vec<Option<PlannedWarp>>> {
        let placed = self.of_rows(&rows, |(resolved, options)| {
            Ok(self.place(resolved, &options.grid).or_null(resolved.request.on_error)?.flatten())
        })?;
        let rows = rows.into_iter().zip(placed).map(|(row, placed)| {
            let ((resolved, options), placed) = (row?, placed??);
            Some((resolved, options, placed))
        });
        self.plan_placed(rows.collect(), MAX_BYTES)
    }

    /// The resampled windows of rows that have been placed, each of at most `max_bytes`.
    pub(super) fn plan_placed(
        &self,
        rows: Vec<Option<(ResolvedRead<'_>, WarpOptions, Placed)>>,
        max_bytes: u64,
    ) -> Result<Vec<Option<PlannedWarp>>> {
        let (mut requests, mut beside) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows {
            self.query().check()?;
            let Some((resolved, options, placed)) = row else {
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
            self.query().check()?;
            let (Some(resolved), Some((options, placed))) = (resolved, beside) else { return Ok(None) };
            let on_error = resolved.request.on_error;
            self.plan_warp(&resolved, &options, placed, max_bytes).or_null(on_error)
        });
        planned.collect()
    }

    fn plan_warp(
        &self,
        resolved: &ResolvedRead<'_>,
        options: &WarpOptions,
        placed: Placed,
        max_bytes: u64,
    ) -> Result<PlannedWarp> {
        let Placed { grid, window, pixels } = placed;
        let target = &resolved.target;
        let fault = |source| target.fault(source);
        let resampling =
            options.resampling.unwrap_or_else(|| default_resampling(target.file.header(), target.band.data_type()));
        let source = target.raster_info();
        let warp = Warp::new(&target.band, &source, (&grid, window), (resampling, options.scaled), self.transforms())
            .map_err(fault)?;
        let warp = if options.turns { warp } else { warp.without_turns() };
        let bytes = window.pixels().saturating_mul(warp.data_type().size() as u64 + 1);
        if bytes > max_bytes {
            return Err(Error::InvalidArgument {
                what: format!(
                    "grid: expected a window of at most {max_bytes} bytes, found {} x {} pixels of {}, {bytes} bytes: use a smaller geometry \
                     or a larger resolution",
                    window.width,
                    window.height,
                    warp.data_type()
                ),
            });
        }
        let inside = if options.all_touched { zonal::Method::AllTouched } else { zonal::Method::Center };
        let coverage = pixels.map(|pixels| self.coverage_on(&grid, &pixels, inside)).transpose()?;
        Ok(PlannedWarp {
            target: Arc::clone(target),
            warp,
            grid,
            window,
            coverage,
            on_error: resolved.request.on_error,
        })
    }

    /// The pixels of a grid inside a geometry.
    pub(super) fn coverage_on(&self, grid: &TargetGrid, pixels: &Geometry, method: zonal::Method) -> Result<Coverage> {
        let max = self.memory().of_coverage();
        Coverage::check_size(pixels, grid.width, grid.height, max).map_err(argument)?;
        Ok(Coverage::on_ground(pixels, grid.width, grid.height, method, &grid.transform))
    }
}
