//! Size of target pixels in the source: how far kernels are widened, and which level suffices.

use super::grid::TargetGrid;
use super::resampling::Resampling;
use super::source_map::SourceMap;
use crate::Result;
use crate::crs::Transforms;
use crate::grid::Window;
use crate::header::{CogHeader, RasterInfo};

/// Steps along each side of a window at which GDAL's warper looks for the extent of the source.
const STEPS: u32 = 20;

/// Scale below which kernels are widened, as in GDAL.
const WIDENED_BELOW: f64 = 0.95;

/// Distance from a whole number within which GDAL rounds the ratio of pixel sizes.
const NEAR_WHOLE: f64 = 0.05;

/// Ratio of the scales along y and x above which GDAL takes the one along x for an artefact of the antimeridian.
const SUSPICIOUS: f64 = 100.0;

/// Points along each axis at which local scales are sampled.
const SAMPLES: u32 = 10;

/// Tolerance on the size of a level's pixels, as of `level: 'auto'` with a resolution.
const SLACK: f64 = 1.01;

/// Target pixels per source pixel along the axes of the source: below 1, kernels are widened.
///
/// As in GDAL's warper (3.10), one scale for a whole window: the size of the window relative to the bounds of its part of the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KernelScale {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl KernelScale {
    pub(super) const ONE: Self = Self { x: 1.0, y: 1.0 };

    pub(super) fn new(map: &SourceMap, window: Window) -> Self {
        let Some((min, max)) = extent(map, window) else {
            return Self::ONE;
        };
        let scale = |target: u32, min: f64, max: f64, size: f64| {
            let start = min.max(0.0).trunc();
            let source = (max - min).min(size - start);
            if source > 0.0 { f64::from(target) / source } else { 1.0 }
        };
        let rounded = |scale: f64| {
            let ratio = (1.0 / scale).round();
            if scale < 1.0 && (1.0 / scale - ratio).abs() < NEAR_WHOLE { 1.0 / ratio } else { scale }
        };
        let x = rounded(scale(window.width, min.0, max.0, map.size.0));
        let y = rounded(scale(window.height, min.1, max.1, map.size.1));
        let x = if y / x > SUSPICIOUS { sampled_x(map, window).unwrap_or(x) } else { x };
        Self { x, y }
    }

    /// Whether the kernels are wider than between pixels of the same size.
    pub(super) fn is_widened(self) -> bool {
        self.x < WIDENED_BELOW || self.y < WIDENED_BELOW
    }

    /// How far from the centre of a target pixel source pixels count, along each axis.
    pub(super) fn reach(self, method: Resampling) -> (f64, f64) {
        let radius = match method {
            Resampling::Bilinear => 1.0,
            Resampling::Cubic => 2.0,
            _ => return (0.0, 0.0),
        };
        (radius / self.x.min(1.0) + 0.5, radius / self.y.min(1.0) + 0.5)
    }
}

/// Bounds in the source of the sides of a window, or of its points where a side is not defined everywhere.
fn extent(map: &SourceMap, window: Window) -> Option<((f64, f64), (f64, f64))> {
    let share = |step: u32, size: u32| f64::from(size) * (f64::from(step) / f64::from(STEPS));
    let (left, top) = (f64::from(window.col_off), f64::from(window.row_off));
    let at = |col: u32, row: u32| map.exact(left + share(col, window.width), top + share(row, window.height));
    let sides: Option<Vec<_>> =
        (0..=STEPS).flat_map(|step| [at(step, 0), at(step, STEPS), at(0, step), at(STEPS, step)]).collect();
    let points = sides.unwrap_or_else(|| {
        (0..=STEPS)
            .flat_map(|row| (0..=STEPS).map(move |col| (col, row)))
            .filter_map(|(col, row)| at(col, row))
            .collect()
    });
    let first = *points.first()?;
    let lower = |a: (f64, f64), b: &(f64, f64)| (a.0.min(b.0), a.1.min(b.1));
    let upper = |a: (f64, f64), b: &(f64, f64)| (a.0.max(b.0), a.1.max(b.1));
    let ends = (points.iter().fold(first, lower), points.iter().fold(first, upper));
    let whole = |place: f64| if (place - place.round()).abs() < 1e-6 { place.round() } else { place };
    let both = |(x, y): (f64, f64)| (whole(x), whole(y));
    Some((both(ends.0), both(ends.1)))
}

/// The mean of local scales along x, without those at a discontinuity.
fn sampled_x(map: &SourceMap, window: Window) -> Option<f64> {
    let mut scales = Vec::new();
    each_step(map, window, |by_col, by_row| scales.push(1.0 / by_col.0.abs().max(by_row.0.abs())));
    let most = scales.iter().copied().fold(0.0, f64::max);
    let usual: Vec<f64> = scales.into_iter().filter(|scale| *scale > most / 10.0).collect();
    (!usual.is_empty()).then(|| usual.iter().sum::<f64>() / usual.len() as f64)
}

/// Calls `take` with the steps in the source of a column and a row of the target, at points of a window.
fn each_step(map: &SourceMap, window: Window, mut take: impl FnMut((f64, f64), (f64, f64))) {
    let place = |at: u32, start: u32, size: u32| {
        f64::from(start) + (f64::from(at) + 0.5) * f64::from(size) / f64::from(SAMPLES)
    };
    for (row, col) in (0..SAMPLES).flat_map(|row| (0..SAMPLES).map(move |col| (row, col))) {
        let (col, row) = (place(col, window.col_off, window.width), place(row, window.row_off, window.height));
        let points = (map.exact(col, row), map.exact(col + 1.0, row), map.exact(col, row + 1.0));
        if let (Some(here), Some(by_col), Some(by_row)) = points {
            let step = |to: (f64, f64)| {
                let to = map.unwrapped(to, here);
                (to.0 - here.0, to.1 - here.1)
            };
            let (x, y) = map.homed(here);
            if x >= 0.0 && y >= 0.0 && x <= map.size.0 && y <= map.size.1 {
                take(step(by_col), step(by_row));
            }
        }
    }
}

/// The coarsest level whose pixels are no coarser than those of a window of a grid, up to 1 %; the full resolution if there is none, or
/// the window lies outside the raster.
///
/// # Errors
///
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) where no transformation between the CRSs is known to be right.
pub fn level_for_grid(header: &CogHeader, grid: &TargetGrid, window: Window, transforms: &Transforms) -> Result<u32> {
    if header.overviews.is_empty() {
        return Ok(0);
    }
    let source: RasterInfo = header.raster_info();
    let map = SourceMap::new(grid, &source, transforms)?;
    let mut least = f64::INFINITY;
    each_step(&map, window, |by_col, by_row| {
        least = least.min(by_col.0.hypot(by_col.1)).min(by_row.0.hypot(by_row.1));
    });
    if !least.is_finite() {
        return Ok(0);
    }
    let serves = |columns: u32, rows: u32| {
        let (x, y) = (f64::from(source.width) / f64::from(columns), f64::from(source.height) / f64::from(rows));
        x.max(y) <= least * SLACK
    };
    let levels = (1_u32..).zip(&header.overviews);
    let served = levels.filter(|(_, level)| serves(level.image_width, level.image_height));
    Ok(served.map(|(level, _)| level).last().unwrap_or(0))
}
