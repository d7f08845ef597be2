//! Target pixels as quadrilaterals in the source.
//!
//! A pixel that a cut of the source's map crosses, or that holds a pole, has corners that are far apart in the source, or undefined: its
//! centre is not in the middle of its corners. Such a pixel is replaced by its quarters, and those likewise. What is then left is smaller
//! than [`QUARTERINGS`] quarterings, and counts for nothing. So does what is defined between points that are not: those of the pixels
//! around, or those of a sixteenth of the pixel.

use super::positions::Positions;
use super::source_map::{ON_EDGE, SourceMap};
use crate::grid::Window;
use crate::{Error, Result};

/// Corners in the source, in order around the pixel.
pub(super) type Corners = [(f64, f64); 4];

/// How often a pixel is quartered.
const QUARTERINGS: u32 = 5;

/// How often a pixel is quartered though none of its points is defined.
const BLIND_QUARTERINGS: u32 = 2;

/// Quarters of the pixels of a block: some ten times those of two cuts through it, and less than a second.
const MAX_QUARTERS: u32 = 1 << 19;

/// Largest distance of the centre from the middle of the corners, relative to the diagonal.
const MAX_OFF_CENTRE: f64 = 0.2;

/// Pixels larger than the smallest of their block by this factor are looked at.
const MUCH_LARGER: f64 = 3.0;

/// Blocks of fewer pixels are not representative of the usual size.
const FEW_PIXELS: usize = 64;

/// Takes the position of a pixel in its block, row by row, and corners.
pub(super) type Take<'a> = dyn FnMut(usize, Corners) + 'a;

impl Positions {
    /// Calls `take` for each pixel of a block whose corners these are, and for each turn by which it meets the image.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if too many pixels have to be quartered.
    pub(super) fn each_quadrilateral(&self, map: &SourceMap, target: Window, take: &mut Take<'_>) -> Result<()> {
        let (width, height) = (target.width as usize, target.height as usize);
        let is_small = width * height < FEW_PIXELS;
        let usual = if is_small { 0.0 } else { MUCH_LARGER * self.smallest(map, width, height) };
        let mut quarters = Quarters { map, left: MAX_QUARTERS };
        for (row, col) in (0..height).flat_map(|row| (0..width).map(move |col| (row, col))) {
            let at = row * width + col;
            match self.corners(map, col, row) {
                Some(corners) if diagonal(&corners) <= usual => each_turn(map, at, &corners, take),
                None if !is_small && self.is_undefined_around(col, row) => {}
                _ => {
                    let place = (f64::from(target.col_off) + col as f64, f64::from(target.row_off) + row as f64);
                    let part = Part { place, size: 1.0, quarterings: 0 };
                    quarters.take(part, at, self.corner_points(col, row), take)?;
                }
            }
        }
        Ok(())
    }

    fn corners(&self, map: &SourceMap, col: usize, row: usize) -> Option<Corners> {
        connected(map, self.corner_points(col, row))
    }

    /// The corners of a pixel; None for those that are undefined.
    fn corner_points(&self, col: usize, row: usize) -> [Option<(f64, f64)>; 4] {
        let corners = [(col, row), (col + 1, row), (col + 1, row + 1), (col, row + 1)];
        corners.map(|(col, row)| Some(self.get(col, row)).filter(|(x, y)| x.is_finite() && y.is_finite()))
    }

    /// Whether no corner of a pixel, nor of those around it, is defined.
    fn is_undefined_around(&self, col: usize, row: usize) -> bool {
        let cols = col.saturating_sub(1)..(col + 3).min(self.width);
        let mut rows = row.saturating_sub(1)..row + 3;
        rows.all(|row| cols.clone().all(|col| self.get(col, row).0.is_nan()))
    }

    fn smallest(&self, map: &SourceMap, width: usize, height: usize) -> f64 {
        let all = (0..height).flat_map(|row| (0..width).map(move |col| (row, col)));
        let diagonals = all.filter_map(|(row, col)| self.corners(map, col, row)).map(|corners| diagonal(&corners));
        diagonals.fold(f64::INFINITY, f64::min)
    }
}

/// A pixel, or a quarter of one.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The first corner in the target grid.
    place: (f64, f64),
    size: f64,
    quarterings: u32,
}

/// Quarters pixels, as often as is left.
struct Quarters<'m> {
    map: &'m SourceMap,
    left: u32,
}

impl Quarters<'_> {
    /// Passes on a pixel, or its quarters.
    fn take(&mut self, part: Part, at: usize, corners: [Option<(f64, f64)>; 4], take: &mut Take<'_>) -> Result<()> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Error::InvalidArgument {
                what: "grid: expected pixels whose corners are defined and near each other in the raster, found too many others: use \
                       the method nearest, bilinear or cubic, or another CRS"
                    .to_owned(),
            });
        };
        self.left = left;
        let Part { place: (col, row), size, quarterings } = part;
        let half = size / 2.0;
        let centre = self.map.exact(col + half, row + half);
        if let Some(corners) = connected(self.map, corners)
            && let Some(centre) = centre
        {
            let mean = corners.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / 4.0, sum.1 + y / 4.0));
            let centre = self.map.unwrapped(centre, mean);
            if (centre.0 - mean.0).hypot(centre.1 - mean.1) <= MAX_OFF_CENTRE * diagonal(&corners) + ON_EDGE {
                each_turn(self.map, at, &corners, take);
                return Ok(());
            }
        }
        let is_undefined = centre.is_none() && corners.iter().all(Option::is_none);
        if quarterings == QUARTERINGS || (quarterings >= BLIND_QUARTERINGS && is_undefined) {
            return Ok(());
        }
        for place in [(col, row), (col + half, row), (col, row + half), (col + half, row + half)] {
            let part = Part { place, size: half, quarterings: quarterings + 1 };
            let (col, row) = place;
            let corners = [(col, row), (col + half, row), (col + half, row + half), (col, row + half)];
            self.take(part, at, corners.map(|(col, row)| self.map.exact(col, row)), take)?;
        }
        Ok(())
    }
}

/// Corners at the turns nearest to the first; None where one is undefined.
fn connected(map: &SourceMap, [a, b, c, d]: [Option<(f64, f64)>; 4]) -> Option<Corners> {
    let first = a?;
    let corners = [first, map.unwrapped(b?, first), map.unwrapped(c?, first), map.unwrapped(d?, first)];
    let is_defined = corners.iter().all(|(x, y)| x.is_finite() && y.is_finite());
    is_defined.then(|| corners.map(|(x, y)| (snapped(x), snapped(y))))
}

fn diagonal(corners: &Corners) -> f64 {
    let length = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    length(corners[0], corners[2]).max(length(corners[1], corners[3]))
}

fn each_turn(map: &SourceMap, at: usize, corners: &Corners, take: &mut Take<'_>) {
    let Some((dx, dy)) = map.turn else {
        if meets(corners, map.size) {
            take(at, *corners);
        }
        return;
    };
    for turn in [0.0, 1.0, -1.0, 2.0, -2.0] {
        let corners = corners.map(|(x, y)| (x + turn * dx, y + turn * dy));
        if meets(&corners, map.size) {
            take(at, corners);
        }
    }
}

/// Removes rounding near the edges of pixels.
fn snapped(place: f64) -> f64 {
    let edge = place.round();
    if (place - edge).abs() <= ON_EDGE { edge } else { place }
}

/// Whether the bounds of a quadrilateral meet an image.
fn meets(corners: &Corners, size: (f64, f64)) -> bool {
    let least = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    most(|corner| corner.0) > 0.0
        && most(|corner| corner.1) > 0.0
        && least(|corner| corner.0) < size.0
        && least(|corner| corner.1) < size.1
}
