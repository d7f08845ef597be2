//! Pixels of a window in a single buffer, for `cog_read`.
//!
//! | geometry | window | pixels |
//! |---|---|---|
//! | none | the whole image | as stored |
//! | some | `rasterio.mask(crop=True)`: its bounding window, clipped to the image | covered pixels as stored, others nodata or 0 |
//! | outside the image | none | |
//!
//! The mask is 255 for valid pixels covered by the geometry, else 0. Only pixels outside of the geometry are filled;
//! pixels invalidated by a mask or alpha keep their stored values.
//!
//! Scaled values are doubles. Since they may take any value, including that of nodata, nodata and pixels outside are
//! NaN.

use std::ops::Range;

use super::band::Band;
use super::block::{Block, Pixels, Visitor};
use super::nodata::Fill;
use super::plane::{Plane, unless};
use super::sample::Sample;
use super::window_profile::{WindowOptions, WindowProfile};
use crate::Result;
use crate::grid::{Coverage, Tiling, Window};
use crate::tiff::DataType;

/// Output memory of a window.
#[derive(Debug)]
pub struct WindowBuffers<'a> {
    /// Values in row-major order, little-endian: [`WindowProfile::data_len`] bytes.
    pub data: &'a mut [u8],
    /// One byte per pixel, 255 if valid, else 0: [`WindowProfile::mask_len`] bytes.
    pub mask: &'a mut [u8],
}

/// Output memory of the part of a window in one tile: a slice of each row.
#[derive(Debug)]
pub struct WindowPart<'a> {
    window: Window,
    rows: Vec<WindowBuffers<'a>>,
}

/// Fills a window block by block, in any order and from any number of threads.
#[derive(Debug, Clone)]
pub struct WindowWriter {
    tiling: Tiling,
    /// None to write all pixels of the window.
    coverage: Option<Coverage>,
    /// Scale and offset to apply.
    scale: Option<(f64, f64)>,
    /// Bytes of the value outside of the geometry; empty if they are all 0.
    fill: Vec<u8>,
    profile: WindowProfile,
    tiles: Vec<(u32, u32)>,
}

impl WindowWriter {
    /// Creates a writer of the covered pixels or, without a coverage, of all pixels.
    pub(crate) fn new(band: &Band, profile: WindowProfile, coverage: Option<Coverage>, options: WindowOptions) -> Self {
        let tiling = band.tiling();
        let outside = if options.scaled { Fill::Number(f64::NAN) } else { band.outside() };
        let fill = match coverage {
            Some(_) => bytes_of(profile.data_type, outside, profile.window),
            None => Vec::new(),
        };
        let scale = options.scaled.then(|| band.scale_and_offset());
        let tiles = match &coverage {
            Some(coverage) => coverage.tiles(&tiling),
            None => profile.window.tiles(&tiling).collect(),
        };
        Self { tiling, coverage, scale, fill, profile, tiles }
    }

    /// Creates a writer of all pixels of a window inside the band's level.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the window exceeds [`WindowProfile::MAX_BYTES`],
    /// [`Error::Unsupported`](crate::Error::Unsupported) for scaled complex values.
    pub fn of_window(band: &Band, window: Window, options: WindowOptions) -> Result<Self> {
        Ok(Self::new(band, WindowProfile::of_window(band, window, options)?, None, options))
    }

    /// Properties of the window that are known in advance.
    #[must_use]
    pub fn profile(&self) -> &WindowProfile {
        &self.profile
    }

    /// Whether all pixels of the image are written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let Tiling { image_width, image_height, .. } = self.tiling;
        self.coverage.is_none() && self.profile.window == Window::of_image(image_width, image_height)
    }

    /// The tiles (row, col) whose blocks are needed, row by row.
    #[must_use]
    pub fn tiles(&self) -> &[(u32, u32)] {
        &self.tiles
    }

    /// Splits the zero-initialized memory of a window into one part per tile, in the order of [`tiles`](Self::tiles),
    /// so that threads can fill parts independently. Fills pixels outside of the geometry.
    #[must_use]
    pub fn parts<'a>(&self, buffers: WindowBuffers<'a>) -> Vec<WindowPart<'a>> {
        let WindowBuffers { data, mask } = buffers;
        if !self.fill.is_empty() {
            data.chunks_exact_mut(self.fill.len()).for_each(|value| value.copy_from_slice(&self.fill));
        }
        let (window, size) = (self.profile.window, self.profile.data_type.size());
        let part = |tile: &(u32, u32)| WindowPart { window: self.window_of(*tile), rows: Vec::new() };
        let mut parts: Vec<_> = self.tiles.iter().map(part).collect();
        let width = usize::try_from(window.width).unwrap_or(usize::MAX).max(1);
        let lines = data.chunks_exact_mut(width.saturating_mul(size)).zip(mask.chunks_exact_mut(width));
        let mut first = 0;
        for (row, (data, mask)) in (window.row_off..).zip(lines) {
            first += parts[first..].iter().take_while(|part| part.window.row_end() <= row).count();
            let (mut line, mut col) = (WindowBuffers { data, mask }, window.col_off);
            for part in parts[first..].iter_mut().take_while(|part| part.window.row_off <= row) {
                let (_, rest) = line.split_at(part.window.col_off - col, size);
                let (piece, rest) = rest.split_at(part.window.width, size);
                part.rows.push(piece);
                (line, col) = (rest, part.window.col_end());
            }
        }
        parts
    }

    /// Writes the pixels of a block to the part of its tile.
    pub fn consume(&self, block: &Block, part: &mut WindowPart<'_>) {
        let Some(shared) = block.window.intersection(&part.window) else {
            return;
        };
        match &self.coverage {
            None => (shared.row_off..shared.row_end())
                .for_each(|row| self.take(block, row, shared.col_off..shared.col_end(), part)),
            Some(coverage) => {
                coverage.within(shared).for_each(|run| self.take(block, run.row, run.start..run.end, part));
            }
        }
    }

    /// The part of the window in a tile.
    fn window_of(&self, (row, col): (u32, u32)) -> Window {
        let (width, height) = (self.tiling.tile_width, self.tiling.tile_height);
        let tile = Window { col_off: col.saturating_mul(width), row_off: row.saturating_mul(height), width, height };
        let nothing = Window { width: 0, height: 0, ..tile };
        tile.intersection(&self.profile.window).unwrap_or(nothing)
    }

    /// Writes a run of pixels that lies in both the part and the block.
    fn take(&self, block: &Block, row: u32, cols: Range<u32>, part: &mut WindowPart<'_>) {
        let place = |position: u32, origin: u32| usize::try_from(position - origin).unwrap_or(usize::MAX);
        let (start, size) = (place(cols.start, part.window.col_off), self.profile.data_type.size());
        let end = start.saturating_add(cols.len());
        let Some(piece) = part.rows.get_mut(place(row, part.window.row_off)) else {
            return;
        };
        let data = piece.data.get_mut(start.saturating_mul(size)..end.saturating_mul(size));
        let (Some(data), Some(mask)) = (data, piece.mask.get_mut(start..end)) else {
            return;
        };
        match self.scale {
            None => {
                block.copy(row, cols.clone(), data);
                block.visit(row, cols, MaskInto(mask));
            }
            Some((scale, offset)) => {
                block.visit(row, cols.clone(), ScaleInto { scale, offset, data: &mut *data, mask });
                let nodata = block.nodata_by_others(row, &cols).unwrap_or_default();
                let values = data.chunks_exact_mut(size_of::<f64>()).zip(nodata);
                values.filter(|(_, is_nodata)| *is_nodata != 0).for_each(|(value, _)| f64::NAN.write(value));
            }
        }
    }
}

impl Band {
    /// Bytes of an invalid pixel that was not read: nodata, or 0; NaN for scaled values.
    pub(crate) fn fill_bytes(&self, data_type: DataType, scaled: bool) -> Vec<u8> {
        let outside = if scaled { Fill::Number(f64::NAN) } else { self.outside() };
        let bytes = bytes_of(data_type, outside, Window::of_image(1, 1));
        if bytes.is_empty() { vec![0; data_type.size()] } else { bytes }
    }
}

impl<'a> WindowBuffers<'a> {
    /// Splits off the first pixels.
    fn split_at(self, pixels: u32, size: usize) -> (WindowBuffers<'a>, WindowBuffers<'a>) {
        let pixels = usize::try_from(pixels).unwrap_or(usize::MAX).min(self.mask.len());
        let (data, rest) = self.data.split_at_mut(pixels.saturating_mul(size).min(self.data.len()));
        let (mask, others) = self.mask.split_at_mut(pixels);
        (Self { data, mask }, Self { data: rest, mask: others })
    }
}

/// Bytes of the nearest value of a type; empty if they are all 0.
fn bytes_of(data_type: DataType, fill: Fill, window: Window) -> Vec<u8> {
    let mut bytes = vec![0; data_type.size()];
    if let Some(plane) = Plane::filled(data_type, fill, window) {
        plane.copy(window.row_off, &(window.col_off..window.col_off + 1), &mut bytes);
    }
    if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes }
}

/// Sets the mask to 255 for valid pixels.
struct MaskInto<'a>(&'a mut [u8]);

impl Visitor for MaskInto<'_> {
    type Output = ();

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) {
        let Self(mask) = self;
        match pixels.mask() {
            Some(bytes) => mask.iter_mut().zip(bytes).for_each(|(byte, from)| *byte = *from),
            None => mask.fill(u8::MAX),
        }
        let Some(nodata) = pixels.nodata() else {
            return;
        };
        match pixels.stride() {
            1 => mask.iter_mut().zip(pixels.samples()).for_each(|(byte, sample)| *byte &= unless(sample.is(nodata))),
            _ => pixels.each_sample(|at, sample| {
                if let Some(byte) = mask.get_mut(at) {
                    *byte &= unless(sample.is(nodata));
                }
            }),
        }
    }
}

/// Writes scaled values, with NaN for nodata, and the mask.
struct ScaleInto<'a> {
    scale: f64,
    offset: f64,
    data: &'a mut [u8],
    mask: &'a mut [u8],
}

impl Visitor for ScaleInto<'_> {
    type Output = ();

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) {
        let mut places = self.data.chunks_exact_mut(size_of::<f64>()).zip(self.mask);
        pixels.for_each(|sample, is_valid| {
            let is_nodata = pixels.nodata().is_some_and(|nodata| sample.is(nodata));
            let value = if is_nodata { f64::NAN } else { sample.to_f64() * self.scale + self.offset };
            if let Some((place, byte)) = places.next() {
                value.write(place);
                *byte = unless(!is_valid);
            }
        });
    }
}
