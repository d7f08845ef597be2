//! From the pixels of a grid to coordinates in a source raster.

use std::sync::Arc;

use geo_types::Coord;

use super::grid::TargetGrid;
use crate::crs::{Transform, Transforms};
use crate::geo::GeoTransform;
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::{Error, Result};

/// Distance in pixels within which a position is on an edge, regardless of rounding; as for masks.
pub(super) const ON_EDGE: f64 = 1e-6;

/// Distance between the middle of a chord and that of its curve, relative to a window, below which positions are almost linear.
const STRAIGHT: f64 = 0.05;

/// How a window of a grid is copied from a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Its pixels are not those of the source, or not at one place in it.
    No,
    /// It lies outside of the source.
    Outside,
    /// A part of it has the pixels of a window of the source.
    Part {
        /// Position in the source.
        source: Window,
        /// Position in the grid.
        target: Window,
    },
}

/// Maps pixel coordinates of a grid to those of a source raster.
#[derive(Debug)]
pub(crate) struct SourceMap {
    target: GeoTransform,
    source: GeoTransform,
    inverse: GeoTransform,
    image: Window,
    /// Width and height of the source.
    pub(super) size: (f64, f64),
    /// The transformation, if the CRSs differ.
    crs: Option<Arc<Transform>>,
    /// Offset in source pixels of 360 degrees, if the source is in degrees.
    pub(super) turn: Option<(f64, f64)>,
    /// The whole mapping, if the CRSs are the same.
    affine: Option<GeoTransform>,
}

impl SourceMap {
    pub(super) fn new(grid: &TargetGrid, source: &RasterInfo, transforms: &Transforms) -> Result<Self> {
        let wrong = |what: &str| Error::InvalidArgument { what: what.to_owned() };
        let crs = match (&grid.crs, &source.crs) {
            (None, None) => None,
            (Some(_), None) => return Err(wrong("grid: expected a raster with a CRS, found one without")),
            (None, Some(_)) => return Err(wrong("grid: expected a CRS, which the raster has, found none")),
            (Some(grid), Some(_)) => source.transform_from(grid, transforms)?,
        };
        let transform = source.native_transform();
        let inverse = transform.inverse().ok_or_else(|| wrong("expected pixels with an area, found none"))?;
        let is_in_degrees = crs.as_ref().is_some_and(|crs| crs.to_degrees());
        let turn = is_in_degrees.then_some((inverse.a * 360.0, inverse.d * 360.0));
        let crs = crs.filter(|crs| !crs.is_identity());
        let size = (f64::from(source.width), f64::from(source.height));
        let affine = crs.is_none().then(|| snapped(composed(&grid.transform, &transform, &inverse), grid, size));
        let image = Window::of_image(source.width, source.height);
        Ok(Self { image, target: grid.transform, source: transform, inverse, size, crs, turn, affine })
    }

    /// The whole source image.
    pub(super) fn image(&self) -> Window {
        self.image
    }

    /// The whole mapping, if it is affine.
    pub(super) fn affine(&self) -> Option<&GeoTransform> {
        self.affine.as_ref()
    }

    /// Whether target pixels are source pixels.
    pub(super) fn is_translation(&self) -> bool {
        self.affine.as_ref().is_some_and(|affine| {
            let is_whole = |offset: f64| offset == offset.round();
            (affine.a, affine.b, affine.d, affine.e) == (1.0, 0.0, 0.0, 1.0) && is_whole(affine.c) && is_whole(affine.f)
        })
    }

    /// Whether a window of the grid may meet the source: false only if it certainly does not. Computes a few positions only.
    pub(super) fn may_meet(&self, window: Window) -> bool {
        let place = |step: u32, start: u32, length: u32| f64::from(start) + f64::from(length) * f64::from(step) / 2.0;
        let at = |col: u32, row: u32| {
            self.exact(place(col, window.col_off, window.width), place(row, window.row_off, window.height))
        };
        let Some(centre) = at(1, 1) else { return true };
        let mut points = [centre; 9];
        for (point, place) in points.iter_mut().zip(0..) {
            let Some(found) = at(place % 3, place / 3) else { return true };
            *point = self.unwrapped(found, centre);
        }
        let ends = |axis: fn(&(f64, f64)) -> f64| {
            let values = points.iter().map(axis);
            let (min, max) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
            (min, max)
        };
        let ((left, right), (top, bottom)) = (ends(|point| point.0), ends(|point| point.1));
        let extent = (right - left).max(bottom - top);
        // The middle of a chord is near that of the curve if the window is mapped almost linearly.
        let is_linear = [(0, 2), (0, 6), (2, 8), (6, 8), (0, 8), (2, 6)].iter().all(|&(a, b): &(usize, usize)| {
            let middle = points[usize::midpoint(a, b)];
            let chord = (f64::midpoint(points[a].0, points[b].0), f64::midpoint(points[a].1, points[b].1));
            (middle.0 - chord.0).hypot(middle.1 - chord.1) <= STRAIGHT * extent
        });
        if !is_linear {
            return true;
        }
        let margin = 4.0 * STRAIGHT * extent + 2.0;
        let turns: &[f64] = if self.turn.is_some() { &[0.0, 1.0, -1.0, 2.0, -2.0] } else { &[0.0] };
        let (dx, dy) = self.turn.unwrap_or_default();
        turns.iter().any(|turn| {
            let (x, y) = (turn * dx, turn * dy);
            right + x + margin >= 0.0
                && left + x - margin <= self.size.0
                && bottom + y + margin >= 0.0
                && top + y - margin <= self.size.1
        })
    }

    /// The part of a window of target pixels, which are source pixels, that lies in the source.
    pub(super) fn copied(&self, window: Window) -> Copied {
        let Some(affine) = self.affine.as_ref().filter(|_| self.is_translation()) else { return Copied::No };
        let shared = |start: u32, length: u32, offset: f64, size: f64| {
            let start = f64::from(start) + offset;
            let (first, end) = (start.max(0.0), (start + f64::from(length)).min(size));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within the image and the window"
            )]
            let shared = (first < end).then_some((first as u32, (first - start) as u32, (end - first) as u32));
            shared
        };
        let cols = shared(window.col_off, window.width, affine.c, self.size.0);
        let rows = shared(window.row_off, window.height, affine.f, self.size.1);
        let whole = cols.zip(rows).filter(|(cols, rows)| (cols.2, rows.2) == (window.width, window.height));
        match cols.zip(rows) {
            // Pixels beyond the image may be those of another turn.
            _ if self.turn.is_some() && whole.is_none() => Copied::No,
            None => Copied::Outside,
            Some(((from_col, col, width), (from_row, row, height))) => {
                let (col_off, row_off) = (window.col_off + col, window.row_off + row);
                Copied::Part {
                    source: Window { col_off: from_col, row_off: from_row, width, height },
                    target: Window { col_off, row_off, width, height },
                }
            }
        }
    }

    /// The source coordinates of a position in the grid; None where they are undefined.
    pub(super) fn exact(&self, col: f64, row: f64) -> Option<(f64, f64)> {
        let (x, y) = match (&self.affine, &self.crs) {
            (Some(affine), _) => affine.forward(col, row),
            (None, crs) => {
                let (x, y) = self.target.forward(col, row);
                let Coord { x, y } = match crs {
                    Some(crs) => crs.forward(Coord { x, y })?,
                    None => Coord { x, y },
                };
                // Differences first, so that large coordinates do not cancel out.
                let (x, y) = (x - self.source.c, y - self.source.f);
                (self.inverse.a * x + self.inverse.b * y, self.inverse.d * x + self.inverse.e * y)
            }
        };
        (x.is_finite() && y.is_finite()).then_some((x, y))
    }

    /// The position in the grid of source coordinates; None where it is undefined.
    pub(super) fn target_position(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let (x, y) = self.source.forward(x, y);
        let world = Coord { x, y };
        let Coord { x, y } = match &self.crs {
            Some(crs) => crs.backward(world)?,
            None => world,
        };
        let (col, row) = self.target.inverse()?.forward(x, y);
        (col.is_finite() && row.is_finite()).then_some((col, row))
    }

    /// A position, moved by whole turns to be nearest to another.
    pub(super) fn unwrapped(&self, (x, y): (f64, f64), near: (f64, f64)) -> (f64, f64) {
        let Some((dx, dy)) = self.turn else { return (x, y) };
        let turns = (((near.0 - x) * dx + (near.1 - y) * dy) / (dx * dx + dy * dy)).round();
        if turns == 0.0 { (x, y) } else { (x + turns * dx, y + turns * dy) }
    }

    /// A position, moved by whole turns into the image, if that is possible.
    pub(super) fn homed(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let Some((dx, dy)) = self.turn else { return (x, y) };
        let inside =
            |x: f64, y: f64| x >= -ON_EDGE && y >= -ON_EDGE && x < self.size.0 - ON_EDGE && y < self.size.1 - ON_EDGE;
        let moved = |turns: f64| (x + turns * dx, y + turns * dy);
        let turns = [0.0, 1.0, -1.0, 2.0, -2.0].into_iter().find(|turns| {
            let (x, y) = moved(*turns);
            inside(x, y)
        });
        turns.map_or((x, y), moved)
    }
}

/// The affine from target pixels to source pixels.
fn composed(target: &GeoTransform, source: &GeoTransform, inverse: &GeoTransform) -> GeoTransform {
    let linear = |x: f64, y: f64| (inverse.a * x + inverse.b * y, inverse.d * x + inverse.e * y);
    let ((a, d), (b, e)) = (linear(target.a, target.d), linear(target.b, target.e));
    let (c, f) = linear(target.c - source.c, target.f - source.f);
    GeoTransform { a, b, c, d, e, f }
}

/// Removes rounding where target pixels are source pixels to within [`ON_EDGE`] over the whole grid.
fn snapped(affine: GeoTransform, grid: &TargetGrid, size: (f64, f64)) -> GeoTransform {
    let length = f64::from(grid.width.max(grid.height)).max(size.0).max(size.1);
    let is_near = |found: f64, expected: f64| (found - expected).abs() <= ON_EDGE;
    let is_same = is_near(affine.a * length, length)
        && is_near(affine.e * length, length)
        && is_near(affine.b * length, 0.0)
        && is_near(affine.d * length, 0.0)
        && is_near(affine.c, affine.c.round())
        && is_near(affine.f, affine.f.round());
    match is_same {
        true => GeoTransform { a: 1.0, b: 0.0, c: affine.c.round(), d: 0.0, e: 1.0, f: affine.f.round() },
        false => affine,
    }
}
