//! Value of a band at a point, for `cog_value`.
//!
//! ```text
//!   nearest        bilinear            cubic                       max_distance_pixels
//!  ┌───┐          ┌───┬───┐         ┌───┬───┬───┬───┐             2 2 2 2 2   rings around the pixel holding the point:
//!  │ · │          │   │   │         ├───┼───┼───┼───┤             2 1 1 1 2   the first that has a valid pixel, and of its
//!  └───┘          ├───┼·──┤         ├───┼───┼·──┼───┤             2 1 · 1 2   valid pixels the one nearest to the point
//!                 └───┴───┘         ├───┼───┼───┼───┤             2 1 1 1 2
//!                                   └───┴───┴───┴───┘             2 2 2 2 2
//! ```
//!
//! Interpolation follows GDAL's warper: there is no value if the pixel that contains the point is invalid; bilinear
//! interpolation uses the valid pixels of four, with weights normalized to 1; cubic interpolation (Catmull-Rom, a =
//! -0.5) needs sixteen valid pixels, and falls back to bilinear. Invalid values never contribute, and kernels with
//! negative weights are never renormalized.
//!
//! As in rasterio's `sample`, the left and upper edges belong to a pixel, so the image's right and lower edges are
//! outside. There is no value outside, regardless of the search distance.
//!
//! The search follows Python Rasteret: distances are from the point to the rectangles of the pixels, in the raster's
//! units. Ties are resolved by position in the ring: the upper row first, then the lower row, the left and the right
//! column, each from its start.

use super::band::Band;
use super::block::{Block, Pixels, Visitor};
use super::sample::Sample;
use crate::grid::{Run, Tiling, Window};
use crate::{Error, Result};

/// Interpolation of a value at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Interpolation {
    /// The pixel that contains the point.
    #[default]
    Nearest,
    /// Four pixels, weighted by their distance along each axis.
    Bilinear,
    /// Sixteen pixels, Catmull-Rom.
    Cubic,
}

/// Options for sampling a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValueOptions {
    /// Interpolation of a value at a point.
    pub interpolation: Interpolation,
    /// Number of rings to search for a valid pixel if the one that contains the point is invalid. Its value is used
    /// without interpolation.
    pub max_distance_pixels: u32,
    /// Applies the band's scale and offset.
    pub scaled: bool,
}

impl ValueOptions {
    /// A value of a band, scaled if the options say so.
    #[must_use]
    pub fn scale(&self, band: &Band, value: f64) -> f64 {
        if !self.scaled {
            return value;
        }
        let (scale, offset) = band.scale_and_offset();
        value * scale + offset
    }
}

/// Incremental search for the value at a point.
///
/// [`wanted`](Self::wanted) lists the tiles whose blocks are needed. Consuming them may require more tiles; once none
/// is wanted, [`value`](Self::value) returns the result.
#[derive(Debug, Clone)]
pub struct PointSampler {
    tiling: Tiling,
    /// In pixel coordinates.
    point: (f64, f64),
    /// Column and row of the pixel that contains the point.
    pixel: (u32, u32),
    /// The pixels of the kernel.
    support: Support,
    search: Search,
    scale: Option<(f64, f64)>,
    wanted: Vec<(u32, u32)>,
    /// Number of rings around that pixel inside the tiles that were searched; None while the kernel's tiles are wanted.
    searched: Option<u32>,
}

/// Kernel of up to 4 x 4 pixels and their valid values.
#[derive(Debug, Clone, Copy)]
struct Support {
    window: Window,
    /// First column and row; may lie outside the image.
    first: (i64, i64),
    /// Width of the whole kernel: 1, 2 or 4.
    side: u8,
    values: [[Option<f64>; 4]; 4],
}

/// State of the search for the nearest valid pixel.
#[derive(Debug, Clone, Copy)]
struct Search {
    max_distance: u32,
    /// Pixel width and height in the raster's units.
    pixel_size: (f64, f64),
    best: Option<(Rank, f64)>,
}

/// Sort key of a candidate; the least one wins.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Rank {
    ring: u32,
    distance: f64,
    /// Upper row, lower row, left column, right column.
    side: u8,
    /// Position along the side.
    position: u32,
}

impl PointSampler {
    /// Maximum number of rings: 67 million pixels. Smaller rasters allow more.
    pub const MAX_DISTANCE: u32 = 4096;

    /// Creates a search for a point in the pixel coordinates of the band's level; None if the point lies outside the
    /// image.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) for complex values,
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the rings have more pixels than those of
    /// [`MAX_DISTANCE`](Self::MAX_DISTANCE).
    pub fn new(band: &Band, point: (f64, f64), options: ValueOptions) -> Result<Option<Self>> {
        band.check_real()?;
        let tiling = band.tiling();
        let Some(pixel) = tiling.pixel_at(point) else {
            return Ok(None);
        };
        let support = Support::around(point, pixel, &tiling, options.interpolation);
        let search =
            Search { max_distance: options.max_distance_pixels, pixel_size: band.transform().pixel_size(), best: None };
        let wanted = support.window.tiles(&tiling).collect();
        let scale = options.scaled.then(|| band.scale_and_offset());
        let this = Self { tiling, point, pixel, support, search, scale, wanted, searched: None };
        let pixels = this.rings(options.max_distance_pixels).map_or(0, |window| window.pixels());
        if pixels > (2 * u64::from(Self::MAX_DISTANCE) + 1).pow(2) {
            let (max, found) = (Self::MAX_DISTANCE, options.max_distance_pixels);
            let what = format!("max_distance_pixels: expected at most {max} in a raster of this size, found {found}");
            return Err(Error::InvalidArgument { what });
        }
        Ok(Some(this))
    }

    /// The tiles (row, col) whose blocks are needed next, each once; empty when the search is complete.
    #[must_use]
    pub fn wanted(&self) -> &[(u32, u32)] {
        &self.wanted
    }

    /// Processes a block, if it is wanted.
    pub fn consume(&mut self, block: &Block) {
        let tile = (block.window.row_off / self.tiling.tile_height, block.window.col_off / self.tiling.tile_width);
        let Some(at) = self.wanted.iter().position(|wanted| *wanted == tile) else {
            return;
        };
        self.wanted.swap_remove(at);
        if self.searched.is_none() {
            self.support.take(block);
        }
        // The pixel that contains the point may be in a later block, and this block may not be passed again.
        let is_valid = self.support.at(self.pixel).is_some();
        if self.search.max_distance > 0 && !is_valid {
            self.search_in(block);
        }
        if self.search.max_distance > 0 && !is_valid {
            self.want_more();
        }
    }

    /// The value, if any, once nothing is [`wanted`](Self::wanted).
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let value = match self.support.at(self.pixel) {
            Some(value) => self.support.blend(self.point).unwrap_or(value),
            None => self.search.best?.1,
        };
        Some(self.scale.map_or(value, |(scale, offset)| value * scale + offset))
    }

    /// Searches a block for valid pixels.
    fn search_in(&mut self, block: &Block) {
        let Some(part) = self.rings(self.search.reach()).and_then(|window| window.intersection(&block.window)) else {
            return;
        };
        let Some(part) = self.nearest_of(block, part) else {
            return;
        };
        for row in part.row_off..part.row_end() {
            let visit =
                SearchRow { search: &mut self.search, point: self.point, pixel: self.pixel, row, start: part.col_off };
            block.visit(row, part.col_off..part.col_end(), visit);
        }
    }

    /// The part of a block to search: none of it if all pixels are invalid, those nearest to the point if all are
    /// equal.
    fn nearest_of(&self, block: &Block, part: Window) -> Option<Window> {
        if !block.is_constant() {
            return Some(part);
        }
        if !block.pixel(part.col_off, part.row_off).is_some_and(|pixel| pixel.is_valid) {
            return None;
        }
        let (col, row) = self.pixel;
        let away = |at: u32, start: u32, end: u32| at.abs_diff(at.clamp(start, end - 1));
        let ring = away(col, part.col_off, part.col_end()).max(away(row, part.row_off, part.row_end()));
        self.rings(ring.max(1)).and_then(|window| window.intersection(&part))
    }

    /// The window of the rings around that pixel.
    fn rings(&self, ring: u32) -> Option<Window> {
        let (col, row) = self.pixel;
        let (left, top) = (col.saturating_sub(ring), row.saturating_sub(ring));
        let window = Window {
            col_off: left,
            row_off: top,
            width: col.saturating_add(ring).saturating_add(1) - left,
            height: row.saturating_add(ring).saturating_add(1) - top,
        };
        window.intersection(&Window::of_image(self.tiling.image_width, self.tiling.image_height))
    }

    /// Requests the tiles of twice as many rings once the previous tiles have been consumed, unless the best candidate
    /// cannot be improved.
    fn want_more(&mut self) {
        while self.wanted.is_empty() {
            let reach = self.search.reach();
            let next = match self.searched {
                Some(searched) if searched >= reach => return,
                Some(searched) => searched.saturating_mul(2),
                None => self.tiling.tile_width.max(self.tiling.tile_height),
            };
            let next = next.min(reach);
            let tiles = |window: Option<Window>| window.into_iter().flat_map(|window| window.tiles(&self.tiling));
            let support: Vec<_> = self.support.window.tiles(&self.tiling).collect();
            let before =
                self.searched.and_then(|searched| self.rings(searched)).map(|window| window.tile_bounds(&self.tiling));
            let is_new = |(row, col): &(u32, u32)| {
                !support.contains(&(*row, *col))
                    && !before.as_ref().is_some_and(|(rows, cols)| rows.contains(row) && cols.contains(col))
            };
            self.wanted = tiles(self.rings(next)).filter(is_new).collect();
            self.searched = Some(next);
        }
    }
}

impl Search {
    /// Number of rings that may still contain the result.
    fn reach(&self) -> u32 {
        self.best.map_or(self.max_distance, |(rank, _)| rank.ring)
    }
}

impl Support {
    /// The kernel of a point. A cubic kernel that extends beyond the image becomes bilinear.
    fn around(point: (f64, f64), pixel: (u32, u32), tiling: &Tiling, interpolation: Interpolation) -> Self {
        let image = Window::of_image(tiling.image_width, tiling.image_height);
        // The pixel whose centre precedes the point: that pixel or the previous one.
        let before = |at: f64, pixel: u32| i64::from(pixel) - i64::from(at - f64::from(pixel) < 0.5);
        let before = (before(point.0, pixel.0), before(point.1, pixel.1));
        let fits = |first: i64, size: u32| first >= 0 && first + 4 <= i64::from(size);
        let cubic = (before.0 - 1, before.1 - 1);
        let (first, side) = match interpolation {
            Interpolation::Nearest => ((i64::from(pixel.0), i64::from(pixel.1)), 1_u8),
            Interpolation::Cubic if fits(cubic.0, image.width) && fits(cubic.1, image.height) => (cubic, 4),
            Interpolation::Bilinear | Interpolation::Cubic => (before, 2),
        };
        let part = |first: i64, size: u32| {
            let start = u32::try_from(first).unwrap_or(0);
            let end = u32::try_from(first + i64::from(side)).unwrap_or(size).min(size);
            (start, end.saturating_sub(start))
        };
        let ((col_off, width), (row_off, height)) = (part(first.0, image.width), part(first.1, image.height));
        let window = Window { col_off, row_off, width, height };
        Self { window, first, side, values: [[None; 4]; 4] }
    }

    /// Takes the values of a block.
    fn take(&mut self, block: &Block) {
        let Some(part) = self.window.intersection(&block.window) else {
            return;
        };
        for row in part.row_off..part.row_end() {
            for pixel in block.pixels(&Run { row, start: part.col_off, end: part.col_end(), weight: 1.0 }) {
                if let Some(place) = self.place(pixel.col, row)
                    && let Some(value) = self.values.get_mut(place.1).and_then(|values| values.get_mut(place.0))
                {
                    *value = pixel.is_valid.then_some(pixel.value);
                }
            }
        }
    }

    /// Column and row of a pixel in the kernel.
    fn place(&self, col: u32, row: u32) -> Option<(usize, usize)> {
        let at = |position: u32, first: i64| usize::try_from(i64::from(position) - first).ok();
        Some((at(col, self.first.0)?, at(row, self.first.1)?))
    }

    /// The value of a pixel, if valid.
    fn at(&self, (col, row): (u32, u32)) -> Option<f64> {
        let (col, row) = self.place(col, row)?;
        *self.values.get(row)?.get(col)?
    }

    /// The weighted mean of the valid values; None if there are none.
    fn blend(&self, (x, y): (f64, f64)) -> Option<f64> {
        // Distance from the centre of the first pixel; exact.
        let (x, y) = (x - 0.5 - self.first.0 as f64, y - 0.5 - self.first.1 as f64);
        let values = &self.values;
        match self.side {
            1 => values[0][0],
            2 => weigh(&four(values, 0), linear(x), linear(y)),
            _ if values.iter().flatten().all(Option::is_some) => weigh(values, cubic(x - 1.0), cubic(y - 1.0)),
            _ => weigh(&four(values, 1), linear(x - 1.0), linear(y - 1.0)),
        }
    }
}

/// A 2 x 2 part of the values.
fn four(values: &[[Option<f64>; 4]; 4], at: usize) -> [[Option<f64>; 2]; 2] {
    [[values[at][at], values[at][at + 1]], [values[at + 1][at], values[at + 1][at + 1]]]
}

/// The weighted mean of the valid values. Values without weight are skipped, since 0 * NaN is NaN.
fn weigh<const N: usize>(values: &[[Option<f64>; N]; N], cols: [f64; N], rows: [f64; N]) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (values, row) in values.iter().zip(rows) {
        for (value, col) in values.iter().zip(cols) {
            if let (Some(value), weight) = (value, row * col)
                && weight != 0.0
            {
                sum += value * weight;
                total += weight;
            }
        }
    }
    (total != 0.0).then(|| sum / total)
}

/// Weights of two pixels, given the distance from the centre of the first.
fn linear(at: f64) -> [f64; 2] {
    [1.0 - at, at]
}

/// Weights of four pixels, given the distance from the centre of the second: Keys' kernel with a = -0.5.
fn cubic(at: f64) -> [f64; 4] {
    let near = |at: f64| (1.5 * at - 2.5) * at * at + 1.0;
    let far = |at: f64| ((-0.5 * at + 2.5) * at - 4.0) * at + 2.0;
    [far(1.0 + at), near(at), near(1.0 - at), far(2.0 - at)]
}

/// Searches a run for valid pixels.
struct SearchRow<'a> {
    search: &'a mut Search,
    point: (f64, f64),
    pixel: (u32, u32),
    row: u32,
    start: u32,
}

impl Visitor for SearchRow<'_> {
    type Output = ();

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) {
        let Self { search, point, pixel, row, start } = self;
        let beyond = |at: f64, first: u32| (f64::from(first) - at).max(at - f64::from(first) - 1.0).max(0.0);
        let down = beyond(point.1, row) * search.pixel_size.1;
        pixels.for_each_valid(|at, sample| {
            let col = start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let ring = row.abs_diff(pixel.1).max(col.abs_diff(pixel.0));
            if search.best.is_some_and(|(best, _)| ring > best.ring) {
                return;
            }
            let across = beyond(point.0, col) * search.pixel_size.0;
            let (side, position) = if row.abs_diff(pixel.1) == ring {
                (u8::from(row > pixel.1), col)
            } else {
                (2 + u8::from(col > pixel.0), row)
            };
            let rank = Rank { ring, distance: across * across + down * down, side, position };
            if search.best.is_none_or(|(best, _)| rank < best) {
                search.best = Some((rank, sample.to_f64()));
            }
        });
    }
}
