//! Plans of the pixels of rows, with the values of several rasters.
//!
//! ```text
//! PixelRow ──┬── pixels of the first raster, or coarser ones aligned with them ──> a BesideTarget per raster ── GridStream
//!            └── pixels of a grid, or rasters with others ──> place ──> a PlannedWarp per raster ── WarpStream
//! ```

use std::sync::Arc;

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::warp::Resampling;
use rasteret_cog::zonal::{Coverage, Method};
use rasteret_cog::{Tiling, Window};

use super::place::Placed;
use super::resample::block_side;
use super::warp_stream::{WarpStream, room};
use super::{
    BesideTarget, GridChoice, GridStream, GridTile, PlannedWarp, ReadRequest, Reader, ResolvedRead, SourceBand,
    WarpOptions,
};
use crate::{OnError, Result};

/// A row whose pixels are read from several rasters.
#[derive(Debug)]
pub struct PixelRow<'a> {
    /// The rasters, in order; None for one that is NULL or cannot be read. The first one that is not None has the geometry. Without a
    /// method, rasters whose pixels are aligned with those of the first are not interpolated, unless there is a grid.
    pub rasters: Vec<Option<SourceBand<'a>>>,
    /// The grid; None for that of the first raster.
    pub grid: Option<GridChoice>,
    /// The weight of a pixel.
    pub method: Method,
}

/// The pixels of a row, which are about to be read.
#[derive(Debug)]
pub struct PixelPlan {
    /// Affine from pixel corners to the coordinates of the grid.
    pub transform: GeoTransform,
    /// The covered pixels.
    pub coverage: Arc<Coverage>,
    /// The level that is read of the first raster.
    pub level: u32,
    /// The band of the first raster.
    pub band_index: u32,
    pub(super) on_error: OnError,
    /// The tiles in which pixels are read.
    tiling: Tiling,
    pub(super) rasters: Rasters,
}

/// A raster on the pixels of the first, and the scale and the offset of its values.
pub(super) type ScaledTarget = (Arc<BesideTarget>, (f64, f64));

/// The rasters of a row; None for one that is NULL or cannot be read.
#[derive(Debug)]
pub(super) enum Rasters {
    /// On the pixels of the first.
    Beside(Vec<Option<ScaledTarget>>),
    /// Resampled to a grid.
    Warped(Vec<Option<Arc<PlannedWarp>>>),
}

/// The tiles of a plan as they become ready, for any number of threads.
#[derive(Debug)]
pub enum PixelStream {
    /// Tiles of the first raster.
    Tiles(GridStream),
    /// Blocks of a grid.
    Blocks(WarpStream),
}

impl PixelStream {
    /// The next tile whose pixels are there, in any order; None at the end.
    pub fn next(&self) -> Option<Result<GridTile>> {
        match self {
            Self::Tiles(stream) => stream.next(),
            Self::Blocks(stream) => stream.next(),
        }
    }
}

impl PixelPlan {
    /// The tiles that contain covered pixels, as rows and columns.
    ///
    /// # Errors
    ///
    /// Where a grid has more of them than there is memory for.
    pub fn tiles(&self, reader: &Reader) -> Result<Arc<[(u32, u32)]>> {
        if matches!(self.rasters, Rasters::Warped(_)) {
            let Tiling { tile_width, tile_height, .. } = self.tiling;
            let across = |window: Window| u64::from(window.width / tile_width) + 2;
            let down = |window: Window| u64::from(window.height / tile_height) + 2;
            let count = self.coverage.window().map_or(0, |window| across(window).saturating_mul(down(window)));
            reader.check_memory(count.saturating_mul(size_of::<(u32, u32)>() as u64), || {
                format!("the places of the {count} blocks of a grid")
            })?;
        }
        Ok(self.coverage.tiles(&self.tiling).into())
    }

    /// The pixels of a tile; None beyond the last one.
    #[must_use]
    pub fn window(&self, (row, col): (u32, u32)) -> Option<Window> {
        Window::of_tile(&self.tiling, row, col)
    }

    /// The number of rasters.
    #[must_use]
    pub fn raster_count(&self) -> usize {
        match &self.rasters {
            Rasters::Beside(rasters) => rasters.len(),
            Rasters::Warped(rasters) => rasters.len(),
        }
    }

    /// The scale and the offset that the values of a raster are yet to be multiplied with and increased by.
    #[must_use]
    pub fn scaling(&self, raster: usize) -> (f64, f64) {
        match &self.rasters {
            Rasters::Beside(rasters) => {
                rasters.get(raster).and_then(Option::as_ref).map_or((1.0, 0.0), |raster| raster.1)
            }
            Rasters::Warped(_) => (1.0, 0.0),
        }
    }

    /// The pixels of some of the rasters, all of which can be read, in [`tiles`](Self::tiles). Makes no request.
    pub fn stream(&self, reader: &Reader, used: &[usize], tiles: Arc<[(u32, u32)]>) -> PixelStream {
        match &self.rasters {
            Rasters::Beside(rasters) => {
                let used = used.iter().filter_map(|at| rasters.get(*at)?.as_ref().map(|raster| Arc::clone(&raster.0)));
                PixelStream::Tiles(GridStream::new(reader, self.tiling, used.collect(), tiles))
            }
            Rasters::Warped(rasters) => {
                let used = used.iter().filter_map(|at| rasters.get(*at)?.clone());
                PixelStream::Blocks(WarpStream::new(reader, used.collect(), self.tiling, tiles))
            }
        }
    }
}

/// A plan whose rasters are resampled: the number of its rasters, and what is known before they are planned.
struct Unplanned {
    count: usize,
    placed: Placed,
    coverage: Arc<Coverage>,
    on_error: OnError,
}

/// A row that is planned, or waits for its rasters.
enum Step {
    Done(Option<PixelPlan>),
    Warp(Unplanned),
}

/// A raster that is to be resampled.
type PlacedRaster<'a> = Option<(ResolvedRead<'a>, WarpOptions, Placed)>;

impl Reader {
    /// The pixels of rows; None without a raster that can be read, and where the geometry lies outside the grid. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or the grid is wrong, or values are not numbers.
    pub fn plan_pixels(&self, rows: Vec<PixelRow<'_>>) -> Result<Vec<Option<PixelPlan>>> {
        let (mut steps, mut warps) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            self.query().check()?;
            steps.push(self.plan_row(row, &mut warps)?);
        }
        // Blocks are read one after the other, however large the window is.
        let mut warps = self.plan_placed(warps, u64::MAX)?.into_iter().map(|warp| warp.map(Arc::new));
        let room = room(self);
        let plans = steps.into_iter().map(|step| {
            let unplanned = match step {
                Step::Done(plan) => return plan,
                Step::Warp(unplanned) => unplanned,
            };
            let rasters: Vec<_> = warps.by_ref().take(unplanned.count).collect();
            Some(unplanned.plan(rasters, room))
        });
        Ok(plans.collect())
    }

    /// Plans a row, or adds the rasters that are to be resampled.
    fn plan_row<'a>(&self, row: PixelRow<'a>, warps: &mut Vec<PlacedRaster<'a>>) -> Result<Step> {
        let Some(first) = row.rasters.iter().flatten().next() else { return Ok(Step::Done(None)) };
        let beside = self.beside(&row, first)?;
        let is_kept = |(raster, beside): (&Option<SourceBand<'_>>, &Option<Arc<BesideTarget>>)| match (raster, beside) {
            (Some(raster), Some(beside)) => raster.resampling.is_none() || beside.has_same_pixels,
            (raster, _) => raster.is_none(),
        };
        let are_kept: Vec<bool> = row.rasters.iter().zip(&beside).map(is_kept).collect();
        if row.grid.is_none() && are_kept.iter().all(|is_kept| *is_kept) {
            return self.plan_beside(&row, first, beside).map(|plan| Step::Done(Some(plan)));
        }
        let own = || Ok(GridChoice::Grid(Arc::new(self.lattice(&first.resolved, None)?)));
        let grid = row.grid.clone().map_or_else(own, Ok)?;
        let Some(placed) = self.place(&first.resolved, &grid)? else { return Ok(Step::Done(None)) };
        let coverage = match (&row.grid, &placed.pixels) {
            (None, _) => first.resolved.coverage(self, row.method)?,
            (Some(_), Some(pixels)) => Arc::new(self.coverage_on(&placed.grid, pixels, row.method)?),
            (Some(_), None) => Arc::new(Coverage::whole(placed.grid.width, placed.grid.height)),
        };
        let on_error = first.resolved.request.on_error;
        let count = row.rasters.len();
        for (raster, is_kept) in row.rasters.into_iter().zip(are_kept) {
            warps.push(raster.map(|raster| {
                let SourceBand { resolved, resampling, auto_level, scaled } = raster;
                let (resampling, auto_level) = match is_kept {
                    true => (resampling.or(Some(Resampling::Nearest)), false),
                    false => (resampling, auto_level),
                };
                let grid = grid.clone();
                let options = WarpOptions { grid, resampling, auto_level, scaled, all_touched: false, turns: true };
                let request = ReadRequest { geometry: None, ..resolved.request };
                let placed = Placed { grid: Arc::clone(&placed.grid), window: placed.window, pixels: None };
                (ResolvedRead { request, ..resolved }, options, placed)
            }));
        }
        Ok(Step::Warp(Unplanned { count, placed, coverage, on_error }))
    }

    /// The rasters on the pixels of the first, where they are aligned and there is no grid.
    fn beside(&self, row: &PixelRow<'_>, first: &SourceBand<'_>) -> Result<Vec<Option<Arc<BesideTarget>>>> {
        let beside = |raster: &Option<SourceBand<'_>>| {
            let Some(raster) = raster else { return Ok(None) };
            let target = &raster.resolved.target;
            target.band.check_real().map_err(|source| target.fault(source))?;
            if row.grid.is_some() {
                return Ok(None);
            }
            Ok(BesideTarget::new(self, &first.resolved.target, Arc::clone(target))?.map(Arc::new))
        };
        row.rasters.iter().map(beside).collect()
    }

    fn plan_beside(
        &self,
        row: &PixelRow<'_>,
        first: &SourceBand<'_>,
        beside: Vec<Option<Arc<BesideTarget>>>,
    ) -> Result<PixelPlan> {
        let band = &first.resolved.target.band;
        let with_scaling = |(raster, beside): (&Option<SourceBand<'_>>, Option<Arc<BesideTarget>>)| {
            let raster = raster.as_ref()?;
            let scaling = if raster.scaled { raster.resolved.target.band.scale_and_offset() } else { (1.0, 0.0) };
            Some((beside?, scaling))
        };
        Ok(PixelPlan {
            transform: band.transform(),
            coverage: first.resolved.coverage(self, row.method)?,
            level: band.level(),
            band_index: band.index(),
            on_error: first.resolved.request.on_error,
            tiling: band.tiling(),
            rasters: Rasters::Beside(row.rasters.iter().zip(beside).map(with_scaling).collect()),
        })
    }
}

impl Unplanned {
    fn plan(self, rasters: Vec<Option<Arc<PlannedWarp>>>, room: u64) -> PixelPlan {
        let Self { placed: Placed { grid, .. }, coverage, on_error, .. } = self;
        let first = rasters.iter().flatten().next().map(|raster| &raster.target.band);
        let (level, band_index) = first.map_or((0, 0), |band| (band.level(), band.index()));
        let side = block_side(rasters.iter().flatten().map(|raster| raster.pixel_bytes()).sum(), room);
        let tiling = Tiling { image_width: grid.width, image_height: grid.height, tile_width: side, tile_height: side };
        let rasters = Rasters::Warped(rasters);
        PixelPlan { transform: grid.transform, coverage, level, band_index, on_error, tiling, rasters }
    }
}
