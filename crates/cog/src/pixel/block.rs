//! Values and validity of one band in the part of a tile inside the image.
//!
//! ```text
//! data ───── samples in the band's type ────────────────────┐
//! nodata ─── compared as in GDAL ────┐                      ├── Pixels of a run of columns in a row
//! alpha ──── not 0 ──────────────────┼── all of these ──────┘
//! mask IFD ─ not 0 ──────────────────┤
//! codec ──── LERC, integers only ────┘
//! ```
//!
//! Blocks reference decoded tiles without copying. Runs of pixels are evaluated on demand.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::mapped_values::MappedValues;
use super::nodata::{Bounds, Nodata};
use super::plane::Plane;
use super::sample::Sample;
use crate::codec::Samples;
use crate::grid::{Run, Window};
use crate::tiff::DataType;

/// Values and validity of one band in the part of a tile inside the image.
#[derive(Debug, Clone)]
pub struct Block {
    /// The pixels of the level in this block.
    pub window: Window,
    pub(super) data: Plane,
    pub(super) nodata: Option<Nodata>,
    /// Planes with bounds: a pixel is nodata if all of their samples are within the bounds. Empty without such a rule.
    pub(super) others: Vec<(Plane, Bounds)>,
    /// Planes whose zeros mask pixels, each over the whole window or a part of it.
    pub(super) masks: Vec<Plane>,
    /// The mask by another raster over the whole window, of bytes as of [`Pixels::mask`].
    pub(super) mask: Option<Plane>,
    /// Whether to use the validity reported by the codec.
    pub(super) uses_codec_validity: bool,
    /// Weights of the pixels by another raster.
    pub(super) weights: Option<Arc<MappedValues>>,
}

/// Adjacent pixels in a row of a block.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a, T: Sample> {
    samples: &'a [T],
    stride: usize,
    len: usize,
    nodata: Option<T::Nodata>,
    mask: Option<&'a [u8]>,
}

/// An operation on a run of pixels, generic over the sample type.
pub trait Visitor {
    /// Result of the operation.
    type Output;

    /// Processes the pixels.
    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) -> Self::Output;
}

/// An operation on consecutive runs, generic over the sample type.
pub trait RunVisitor {
    /// Processes a run and its pixels.
    fn visit<T: Sample>(&mut self, run: &Run, pixels: Pixels<'_, T>);
}

/// A pixel with its value as a double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixel {
    /// Column in the level.
    pub col: u32,
    /// Row in the level.
    pub row: u32,
    /// Value, see [`Sample::to_f64`].
    pub value: f64,
    /// Whether the value is valid.
    pub is_valid: bool,
}

impl Block {
    /// Type of the values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data.samples().data_type()
    }

    /// Whether all pixels are known to be equal, as those of a sparse tile.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let is_one = |plane: &Plane| plane.stride() == 0 && plane.window == self.window;
        let mut masks = self.masks.iter().chain(&self.mask);
        is_one(&self.data) && self.others.iter().all(|(plane, _)| is_one(plane)) && masks.all(is_one)
    }

    /// Passes a run of pixels to a visitor, clipped to the block's window. `cols` and `row` are those of the level.
    /// Half floats are passed as singles.
    pub fn visit<V: Visitor>(&self, row: u32, cols: Range<u32>, visitor: V) -> V::Output {
        let cols = self.clipped(row, cols);
        let mut buffer = Vec::new();
        let mask = self.mask_of(row, &cols, &mut buffer);
        let run = RunOf { block: self, row, cols, mask };
        match self.data.samples() {
            Samples::Uint8(list) => run.show(list, visitor),
            Samples::Uint16(list) => run.show(list, visitor),
            Samples::Uint32(list) => run.show(list, visitor),
            Samples::Uint64(list) => run.show(list, visitor),
            Samples::Int8(list) => run.show(list, visitor),
            Samples::Int16(list) => run.show(list, visitor),
            Samples::Int32(list) => run.show(list, visitor),
            Samples::Int64(list) => run.show(list, visitor),
            Samples::Float32(list) => run.show(list, visitor),
            Samples::Float64(list) => run.show(list, visitor),
            Samples::Complex64(list) => run.show(list, visitor),
            Samples::Complex128(list) => run.show(list, visitor),
            Samples::Float16(list) => {
                let bits = run.samples(list);
                let singles: Vec<f32> = bits.iter().map(|bits| f16::from_bits(*bits).to_f32()).collect();
                visitor.visit(run.pixels(&singles, self.nodata.and_then(f32::held)))
            }
        }
    }

    /// Passes runs to a visitor, as [`visit`](Self::visit) does, but dispatches on the sample type only once.
    pub fn visit_runs(&self, runs: impl Iterator<Item = Run>, visitor: &mut impl RunVisitor) {
        match self.data.samples() {
            Samples::Uint8(list) => self.show_runs(list, runs, visitor),
            Samples::Uint16(list) => self.show_runs(list, runs, visitor),
            Samples::Int8(list) => self.show_runs(list, runs, visitor),
            Samples::Int16(list) => self.show_runs(list, runs, visitor),
            Samples::Float32(list) => self.show_runs(list, runs, visitor),
            // Less frequent types are dispatched per run.
            _ => runs.for_each(|run| self.visit(run.row, run.start..run.end, OneRun { run, visitor })),
        }
    }

    /// Prefetches the samples of a window. The rows of a small window are far apart in memory, and waiting for each
    /// would take longer than the computation. For long rows, the hardware prefetcher suffices.
    pub(crate) fn warm(&self, window: Window) {
        const LONG: u32 = 512;
        if window.width <= LONG {
            let (rows, cols) = (window.row_off..window.row_end(), window.col_off..window.col_end());
            std::hint::black_box(rows.fold(0, |all, row| all ^ self.data.touch(row, &cols)));
        }
    }

    fn show_runs<T: Sample>(&self, list: &[T], runs: impl Iterator<Item = Run>, visitor: &mut impl RunVisitor) {
        let nodata = self.nodata.and_then(T::held);
        let mut buffer = Vec::new();
        runs.for_each(|run| {
            let cols = self.clipped(run.row, run.start..run.end);
            let mask = self.mask_of(run.row, &cols, &mut buffer);
            let shown = RunOf { block: self, row: run.row, cols, mask };
            visitor.visit(&run, shown.pixels(shown.samples(list), nodata));
        });
    }

    /// The pixels of a run inside the block's window, from left to right.
    pub fn pixels(&self, run: &Run) -> impl Iterator<Item = Pixel> + use<> {
        let (row, cols) = (run.row, self.clipped(run.row, run.start..run.end));
        let values = self.visit(row, cols.clone(), ToDoubles);
        cols.zip(values).map(move |(col, (value, is_valid))| Pixel { col, row, value, is_valid })
    }

    /// A pixel of the block; None outside its window.
    #[must_use]
    pub fn pixel(&self, col: u32, row: u32) -> Option<Pixel> {
        let run = Run { row, start: col, end: col.checked_add(1)?, weight: 1.0 };
        self.pixels(&run).next()
    }

    /// The values of pixels, given by column and row; None where they are invalid or outside of the window. The caller
    /// must reject complex samples.
    #[must_use]
    pub fn values_at(&self, pixels: &[(u32, u32)]) -> Vec<Option<f64>> {
        let runs = pixels.iter().map(|&(col, row)| Run { row, start: col, end: col.saturating_add(1), weight: 1.0 });
        let mut values = Values(Vec::with_capacity(pixels.len()));
        self.visit_runs(runs, &mut values);
        values.0
    }

    /// Copies the samples of a run inside the block's window, as stored, in little-endian order.
    pub fn copy(&self, row: u32, cols: Range<u32>, bytes: &mut [u8]) {
        self.data.copy(row, &self.clipped(row, cols), bytes);
    }

    /// Clips a run to the window; empty if outside.
    fn clipped(&self, row: u32, cols: Range<u32>) -> Range<u32> {
        let (start, end) = (cols.start.max(self.window.col_off), cols.end.min(self.window.col_end()));
        let is_inside = (self.window.row_off..self.window.row_end()).contains(&row) && start < end;
        if is_inside { start..end } else { 0..0 }
    }

    fn has_codec_mask(&self) -> bool {
        self.uses_codec_validity && self.data.codec_validity().is_some()
    }

    /// One byte per pixel of a run, 255 if it is nodata by the rule in `others`; None without such a rule.
    pub(super) fn nodata_by_others(&self, row: u32, cols: &Range<u32>) -> Option<Vec<u8>> {
        let mut all = (!self.others.is_empty()).then(|| vec![u8::MAX; cols.len()])?;
        self.others.iter().for_each(|(plane, bounds)| plane.mask_others(row, cols, *bounds, &mut all));
        Some(all)
    }

    /// [`Pixels::mask`] for a run, computed in `buffer` unless the mask by another raster is the only one.
    #[inline]
    fn mask_of<'a>(&'a self, row: u32, cols: &Range<u32>, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let only = self.mask.as_ref().map(|plane| plane.bytes(row, cols));
        if self.masks.is_empty() && self.others.is_empty() && !self.has_codec_mask() {
            return only;
        }
        buffer.clear();
        buffer.extend_from_slice(only.unwrap_or_default());
        buffer.resize(cols.len(), u8::MAX);
        self.apply_masks(row, cols, buffer);
        Some(buffer)
    }

    /// Clears the bytes of pixels of a run that are invalid for reasons other than [`Pixels::nodata`] and the mask by
    /// another raster.
    fn apply_masks(&self, row: u32, cols: &Range<u32>, mask: &mut [u8]) {
        if self.has_codec_mask() {
            self.data.mask_by_codec(row, cols, mask);
        }
        if let Some(nodata) = self.nodata_by_others(row, cols) {
            mask.iter_mut().zip(nodata).for_each(|(byte, nodata)| *byte &= !nodata);
        }
        for plane in &self.masks {
            let part = Window { col_off: cols.start, row_off: row, width: cols.end - cols.start, height: 1 };
            let Some(part) = plane.window.intersection(&part) else {
                continue;
            };
            let start = usize::try_from(part.col_off - cols.start).unwrap_or(usize::MAX);
            if let Some(bytes) = mask.get_mut(start..) {
                let cols = part.col_off..part.col_end();
                let len = bytes.len().min(cols.len());
                plane.mask(row, &cols, bytes.get_mut(..len).unwrap_or_default());
            }
        }
    }
}

/// Adapts a [`RunVisitor`] to a single run.
struct OneRun<'a, V> {
    run: Run,
    visitor: &'a mut V,
}

impl<V: RunVisitor> Visitor for OneRun<'_, V> {
    type Output = ();

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) {
        self.visitor.visit(&self.run, pixels);
    }
}

/// A clipped run and its mask.
struct RunOf<'a> {
    block: &'a Block,
    row: u32,
    cols: Range<u32>,
    mask: Option<&'a [u8]>,
}

impl<'a> RunOf<'a> {
    fn show<T: Sample, V: Visitor>(&self, list: &'a [T], visitor: V) -> V::Output {
        visitor.visit(self.pixels(self.samples(list), self.block.nodata.and_then(T::held)))
    }

    fn samples<T>(&self, list: &'a [T]) -> &'a [T] {
        self.block.data.run(list, self.row, &self.cols)
    }

    fn pixels<'b, T: Sample>(&self, samples: &'b [T], nodata: Option<T::Nodata>) -> Pixels<'b, T>
    where
        'a: 'b,
    {
        let len = if samples.is_empty() { 0 } else { self.cols.len() };
        Pixels { samples, stride: self.block.data.stride(), len, nodata, mask: self.mask }
    }
}

impl<'a, T: Sample> Pixels<'a, T> {
    /// Number of pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the run is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Samples; that of pixel `i` is at `i * stride`.
    #[must_use]
    pub fn samples(&self) -> &'a [T] {
        self.samples
    }

    /// Distance between the samples of adjacent pixels: 1 for separate bands, 0 if all pixels share one sample.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The nodata value to compare with by [`Sample::is`].
    #[must_use]
    pub fn nodata(&self) -> Option<T::Nodata> {
        self.nodata
    }

    /// One byte per pixel: 0 if it is invalid for reasons other than [`nodata`](Self::nodata), else 255. None without
    /// such reasons.
    #[must_use]
    pub fn mask(&self) -> Option<&'a [u8]> {
        self.mask
    }

    /// Calls `take` with chunks of at most `many` pixels, from left to right.
    pub(crate) fn by(&self, many: usize, mut take: impl FnMut(Self)) {
        if self.len <= many {
            take(*self);
            return;
        }
        let mut at = 0;
        while at < self.len {
            let len = many.min(self.len - at);
            let samples = self.samples.get(at * self.stride..).unwrap_or_default();
            let samples = if self.stride == 1 { samples.get(..len).unwrap_or_default() } else { samples };
            let mask = self.mask.map(|mask| mask.get(at..at + len).unwrap_or_default());
            take(Self { samples, len, mask, ..*self });
            at += len;
        }
    }

    /// Calls `take` with each sample, from left to right, and whether it is valid.
    pub fn for_each(&self, mut take: impl FnMut(T, bool)) {
        match self.mask {
            None => self.each_sample(|_, sample| take(sample, !self.is_nodata(sample))),
            Some(mask) => self.each_sample(|at, sample| {
                take(sample, mask.get(at).is_some_and(|byte| *byte != 0) && !self.is_nodata(sample));
            }),
        }
    }

    /// Calls `take` with the index and the sample of each valid pixel, from left to right.
    pub fn for_each_valid(&self, mut take: impl FnMut(usize, T)) {
        // Separate loops for the common cases, so that they can be vectorized.
        match (self.mask, self.nodata) {
            (None, None) => self.each_sample(take),
            (None, Some(nodata)) => self.each_sample(|at, sample| {
                if !sample.is(nodata) {
                    take(at, sample);
                }
            }),
            (Some(mask), _) => self.each_sample(|at, sample| {
                if mask.get(at).is_some_and(|byte| *byte != 0) && !self.is_nodata(sample) {
                    take(at, sample);
                }
            }),
        }
    }

    /// Calls `take` with the index and the sample of each pixel.
    pub(super) fn each_sample(&self, mut take: impl FnMut(usize, T)) {
        if self.stride == 1 {
            self.samples.iter().enumerate().for_each(|(at, sample)| take(at, *sample));
        } else {
            let samples = (0..self.len).filter_map(|at| Some((at, *self.samples.get(at * self.stride)?)));
            samples.for_each(|(at, sample)| take(at, sample));
        }
    }

    /// Whether some pixel may be invalid: false for most runs without invalid pixels.
    pub(super) fn may_be_invalid(&self) -> bool {
        match (self.mask, self.nodata) {
            (None, None) => false,
            (None, Some(nodata)) if self.stride == 1 => {
                self.samples.iter().fold(false, |any, sample| any | sample.is(nodata))
            }
            _ => true,
        }
    }

    fn is_nodata(&self, sample: T) -> bool {
        self.nodata.is_some_and(|nodata| sample.is(nodata))
    }
}

/// The value of the first pixel of each run.
struct Values(Vec<Option<f64>>);

impl RunVisitor for Values {
    fn visit<T: Sample>(&mut self, _run: &Run, pixels: Pixels<'_, T>) {
        let mut value = None;
        pixels.for_each(|sample, is_valid| value = is_valid.then(|| sample.to_f64()));
        self.0.push(value);
    }
}

/// Converts pixels to doubles with their validity.
struct ToDoubles;

impl Visitor for ToDoubles {
    type Output = Vec<(f64, bool)>;

    fn visit<T: Sample>(self, pixels: Pixels<'_, T>) -> Self::Output {
        let mut doubles = Vec::with_capacity(pixels.len());
        pixels.for_each(|sample, is_valid| doubles.push((sample.to_f64(), is_valid)));
        doubles
    }
}
