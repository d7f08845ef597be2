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

/// Samples of a window in the source that suffice to know the scale.
const ENOUGH: usize = (SAMPLES * SAMPLES / 2) as usize;

/// Parts along each side of a window in which a small source is looked for.
const PARTS: u32 = 4;

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
    let steps = samples(window).filter_map(|(col, row)| Step::at(map, col, row)).filter(|step| step.is_inside);
    let scales: Vec<f64> = steps.map(|step| 1.0 / step.by_col.0.abs().max(step.by_row.0.abs())).collect();
    let most = scales.iter().copied().fold(0.0, f64::max);
    let usual: Vec<f64> = scales.into_iter().filter(|scale| *scale > most / 10.0).collect();
    (!usual.is_empty()).then(|| usual.iter().sum::<f64>() / usual.len() as f64)
}

/// Points of a window.
fn samples(window: Window) -> impl Iterator<Item = (f64, f64)> {
    let place = |at: u32, start: u32, size: u32| {
        f64::from(start) + (f64::from(at) + 0.5) * f64::from(size) / f64::from(SAMPLES)
    };
    let at = (0..SAMPLES).flat_map(|row| (0..SAMPLES).map(move |col| (row, col)));
    at.map(move |(row, col)| (place(col, window.col_off, window.width), place(row, window.row_off, window.height)))
}

/// The distances in the source between neighbouring pixels of a target.
#[derive(Debug, Clone, Copy)]
struct Step {
    by_col: (f64, f64),
    by_row: (f64, f64),
    /// Whether they are those of a point in the source.
    is_inside: bool,
}

impl Step {
    /// The distances at a point of the target; None where they are undefined.
    fn at(map: &SourceMap, col: f64, row: f64) -> Option<Self> {
        let (here, by_col, by_row) = (map.exact(col, row)?, map.exact(col + 1.0, row)?, map.exact(col, row + 1.0)?);
        let to = |place: (f64, f64)| {
            let (x, y) = map.unwrapped(place, here);
            (x - here.0, y - here.1)
        };
        let (x, y) = map.homed(here);
        let is_inside = x >= 0.0 && y >= 0.0 && x <= map.size.0 && y <= map.size.1;
        Some(Self { by_col: to(by_col), by_row: to(by_row), is_inside })
    }

    /// The lesser one.
    fn least(self) -> f64 {
        self.by_col.0.hypot(self.by_col.1).min(self.by_row.0.hypot(self.by_row.1))
    }
}

/// The least distance in source pixels between neighbouring pixels of a window, where the source lies; None outside of the source.
pub(super) fn least_step(map: &SourceMap, window: Window) -> Option<f64> {
    let of_window = |window| samples(window).filter_map(|(col, row)| Step::at(map, col, row));
    let least = |steps: &[Step]| steps.iter().map(|step| step.least()).reduce(f64::min);
    let mut inside: Vec<Step> = of_window(window).filter(|step| step.is_inside).collect();
    if inside.len() >= ENOUGH {
        return least(&inside);
    }
    // Of a small source, its own points: few of the window are in it.
    let own = samples(map.image()).filter_map(|(x, y)| map.target_position(x, y));
    let own = own.filter(|(col, row)| {
        let is_within = |place: f64, start: u32, end: u32| place >= f64::from(start) && place <= f64::from(end);
        is_within(*col, window.col_off, window.col_end()) && is_within(*row, window.row_off, window.row_end())
    });
    inside.extend(own.filter_map(|(col, row)| Step::at(map, col, row)));
    if inside.is_empty() {
        // A corner of both.
        let nearby: Vec<Step> = of_window(part_with_source(map, window)?).collect();
        inside = nearby.iter().copied().filter(|step| step.is_inside).collect();
        return least(&inside).or_else(|| least(&nearby));
    }
    least(&inside)
}

/// The part of a window that the source may meet, to within a few pixels; None if it certainly does not meet it.
fn part_with_source(map: &SourceMap, window: Window) -> Option<Window> {
    let mut part = window;
    loop {
        let side = |size: u32| size.div_ceil(PARTS).max(1);
        let step = |start: u32, end: u32, side: u32| (start..end).step_by(side as usize);
        let (width, height) = (side(part.width), side(part.height));
        let rows = step(part.row_off, part.row_end(), height);
        let cells = rows.flat_map(|row_off| {
            step(part.col_off, part.col_end(), width)
                .filter_map(move |col_off| Window { col_off, row_off, width, height }.intersection(&part))
        });
        let met = cells.filter(|cell| map.may_meet(*cell)).reduce(|all, cell| all.union(&cell))?;
        if met.pixels() > part.pixels() / 2 {
            return Some(met);
        }
        part = met;
    }
}

/// The coarsest level whose pixels are no coarser than those of a window of a grid where the raster lies, up to 1 %; the full resolution
/// if there is none, or the window lies outside the raster.
///
/// # Errors
///
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) where no transformation between the CRSs is known to be right.
pub fn level_for_grid(header: &CogHeader, grid: &TargetGrid, window: Window, transforms: &Transforms) -> Result<u32> {
    if header.overviews.is_empty() {
        return Ok(0);
    }
    let source: RasterInfo = header.raster_info();
    let Some(least) = least_step(&SourceMap::new(grid, &source, transforms)?, window) else { return Ok(0) };
    let serves = |columns: u32, rows: u32| {
        let (x, y) = (f64::from(source.width) / f64::from(columns), f64::from(source.height) / f64::from(rows));
        x.max(y) <= least * SLACK
    };
    let levels = (1_u32..).zip(&header.overviews);
    let served = levels.filter(|(_, level)| serves(level.image_width, level.image_height));
    Ok(served.map(|(level, _)| level).last().unwrap_or(0))
}
