//! Pixels of the source, and those of the target.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::resampling::unsupported;
use crate::Result;
use crate::codec::Samples;
use crate::grid::{Coverage, Window};
use crate::pixel::{Sample, WindowBuffers, WindowProfile};
use crate::tiff::DataType;

/// Values and validity of a window of the source.
#[derive(Debug)]
pub struct SourcePixels {
    pub(super) window: Window,
    pub(super) samples: Samples,
    /// One byte per pixel: 0 if invalid.
    pub(super) mask: Vec<u8>,
}

/// A resampled block.
#[derive(Debug)]
pub struct WarpedBlock {
    /// Position in the target grid.
    pub window: Window,
    /// Values in row-major order, little-endian; invalid ones have the fill value.
    pub data: Vec<u8>,
    /// One byte per pixel: 255 if valid, else 0.
    pub mask: Vec<u8>,
}

impl SourcePixels {
    /// Memory for a window that is to be read.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) for sample types without a representation.
    pub fn new(profile: &WindowProfile) -> Result<Self> {
        let samples = zeroed(profile.data_type, profile.mask_len()).ok_or_else(|| unsupported(profile.data_type))?;
        Ok(Self { window: profile.window, samples, mask: vec![0; profile.mask_len()] })
    }

    /// The memory, to be filled.
    pub fn buffers(&mut self) -> WindowBuffers<'_> {
        WindowBuffers { data: bytes(&mut self.samples), mask: &mut self.mask }
    }
}

/// Values that are copied at once.
const PATTERN: usize = 1024;

/// Sets all values of a window.
pub fn fill_values(fill: &[u8], data: &mut [u8]) {
    match fill {
        [first, rest @ ..] if rest.iter().all(|byte| byte == first) => data.fill(*first),
        _ => {
            // Copies of many values take much less time than as many copies of one.
            let pattern = fill.repeat(PATTERN);
            for part in data.chunks_mut(pattern.len().max(1)) {
                part.copy_from_slice(pattern.get(..part.len()).unwrap_or_default());
            }
        }
    }
}

/// Sets the values of invalid pixels.
pub fn fill_invalid(fill: &[u8], buffers: &mut WindowBuffers<'_>) {
    if buffers.mask.contains(&0) {
        let values = buffers.data.chunks_exact_mut(fill.len().max(1)).zip(buffers.mask.iter());
        values.filter(|(_, mask)| **mask == 0).for_each(|(value, _)| value.copy_from_slice(fill));
    }
}

/// Makes pixels outside of a coverage invalid.
pub fn clear_outside(window: Window, coverage: &Coverage, mask: &mut [u8]) {
    let width = window.width as usize;
    let place = |row: u32, col: u32| (row - window.row_off) as usize * width + (col - window.col_off) as usize;
    let mut at = 0;
    // Runs are in the order of pixels.
    for run in coverage.within(window) {
        let (start, end) = (place(run.row, run.start), place(run.row, run.end));
        if let Some(before) = mask.get_mut(at..start) {
            before.fill(0);
        }
        at = at.max(end);
    }
    if let Some(after) = mask.get_mut(at..) {
        after.fill(0);
    }
}

impl WarpedBlock {
    /// Copies the block to its place in a window's data and mask.
    pub fn copy_to(&self, window: Window, buffers: &mut WindowBuffers<'_>) {
        let Some(part) = self.window.intersection(&window) else { return };
        if part != self.window {
            return;
        }
        let (width, whole) = (part.width as usize, window.width as usize);
        let size = self.data.len() / self.mask.len().max(1);
        let rows = self.data.chunks_exact((width * size).max(1)).zip(self.mask.chunks_exact(width.max(1)));
        for (row, (data, mask)) in ((part.row_off - window.row_off) as usize..).zip(rows) {
            let start = row * whole + (part.col_off - window.col_off) as usize;
            if let Some(to) = buffers.data.get_mut(start * size..(start + width) * size) {
                to.copy_from_slice(data);
            }
            if let Some(to) = buffers.mask.get_mut(start..start + width) {
                to.copy_from_slice(mask);
            }
        }
    }
}

/// A sample type that can be resampled.
pub(super) trait WarpSample: Sample + Copy {
    /// The samples, if they are of this type.
    fn of(samples: &Samples) -> Option<&[Self]>;

    /// A blended value: integers are rounded, halves upwards as in GDAL, and kept within their range and off nodata.
    fn blended(value: f64, nodata: Option<Self::Nodata>) -> Self;

    /// A total order.
    fn order(self, other: Self) -> Ordering;
}

macro_rules! integers {
    ($($variant:ident $type:ty),*) => {$(
        impl WarpSample for $type {
            fn of(samples: &Samples) -> Option<&[Self]> {
                if let Samples::$variant(list) = samples { Some(list) } else { None }
            }

            fn blended(value: f64, nodata: Option<Self>) -> Self {
                let above = value + 0.5;
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "towards zero; saturates")]
                let whole = above as Self;
                // Without SSE 4.1, `f64::floor` is a function call.
                #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "exact: it was a double")]
                let value = if whole as f64 > above { whole.saturating_sub(1) } else { whole };
                match nodata {
                    Some(nodata) if value == nodata && value == Self::MIN => value + 1,
                    Some(nodata) if value == nodata => value - 1,
                    _ => value,
                }
            }

            fn order(self, other: Self) -> Ordering {
                self.cmp(&other)
            }
        }
    )*};
}

integers!(Uint8 u8, Uint16 u16, Uint32 u32, Uint64 u64, Int8 i8, Int16 i16, Int32 i32, Int64 i64);

macro_rules! floats {
    ($($variant:ident $type:ty),*) => {$(
        impl WarpSample for $type {
            fn of(samples: &Samples) -> Option<&[Self]> {
                if let Samples::$variant(list) = samples { Some(list) } else { None }
            }

            fn blended(value: f64, _nodata: Option<Self::Nodata>) -> Self {
                Self::nearest(value)
            }

            fn order(self, other: Self) -> Ordering {
                // -0 and 0 are one value.
                if self == other { Ordering::Equal } else { self.total_cmp(&other) }
            }
        }
    )*};
}

floats!(Float32 f32, Float64 f64);

macro_rules! complex {
    ($($variant:ident $type:ty),*) => {$(
        impl WarpSample for [$type; 2] {
            fn of(samples: &Samples) -> Option<&[Self]> {
                if let Samples::$variant(list) = samples { Some(list) } else { None }
            }

            fn blended(value: f64, _nodata: Option<Self::Nodata>) -> Self {
                Self::nearest(value)
            }

            fn order(self, other: Self) -> Ordering {
                self[0].total_cmp(&other[0]).then(self[1].total_cmp(&other[1]))
            }
        }
    )*};
}

complex!(Complex64 f32, Complex128 f64);

/// A window of the source as samples of one type.
pub(super) struct Patch<'a, T> {
    pub(super) window: Window,
    pub(super) samples: &'a [T],
    pub(super) mask: &'a [u8],
    /// Whether all pixels are valid.
    is_valid: bool,
}

impl<'a, T: WarpSample> Patch<'a, T> {
    pub(super) fn of(source: &'a SourcePixels) -> Result<Self> {
        let samples = T::of(&source.samples).ok_or_else(|| unsupported(source.samples.data_type()))?;
        Ok(Self::new(source.window, samples, &source.mask))
    }

    pub(super) fn new(window: Window, samples: &'a [T], mask: &'a [u8]) -> Self {
        Self { window, samples, mask, is_valid: !mask.contains(&0) }
    }

    /// The position of a pixel; None outside the window.
    #[inline]
    pub(super) fn index_of(&self, col: u32, row: u32) -> Option<usize> {
        // Columns and rows before the first become large numbers.
        let (col, row) = (col.wrapping_sub(self.window.col_off), row.wrapping_sub(self.window.row_off));
        (col < self.window.width && row < self.window.height)
            .then(|| row as usize * self.window.width as usize + col as usize)
    }

    /// The sample at a position; None where it is invalid.
    #[inline]
    pub(super) fn valid_at(&self, place: usize) -> Option<T> {
        if !self.is_valid {
            self.mask.get(place).filter(|byte| **byte != 0)?;
        }
        self.samples.get(place).copied()
    }

    /// The samples of a pixel and of those to its right, below it, and to the right of that, by row; None unless all of them are valid.
    #[inline]
    pub(super) fn square(&self, col: u32, row: u32) -> Option<[[T; 2]; 2]> {
        let first = self.index_of(col, row)?;
        let width = self.window.width as usize;
        if col + 1 == self.window.col_end() {
            return None;
        }
        let pair = |at: usize| {
            let are_valid = self.is_valid || self.mask.get(at..at + 2)?.iter().all(|byte| *byte != 0);
            let samples = self.samples.get(at..at + 2)?;
            are_valid.then(|| [samples[0], samples[1]])
        };
        Some([pair(first)?, pair(first + width)?])
    }

    #[inline]
    fn index(&self, col: i64, row: i64) -> Option<usize> {
        let (col, row) = (col - i64::from(self.window.col_off), row - i64::from(self.window.row_off));
        let is_inside =
            (0..i64::from(self.window.width)).contains(&col) && (0..i64::from(self.window.height)).contains(&row);
        usize::try_from(row * i64::from(self.window.width) + col).ok().filter(|_| is_inside)
    }

    /// The sample of a pixel; None where it is invalid or outside.
    pub(super) fn sample(&self, col: i64, row: i64) -> Option<T> {
        let at = self.index(col, row)?;
        self.mask.get(at).filter(|byte| **byte != 0)?;
        self.samples.get(at).copied()
    }

    /// The value of a pixel; None where it is invalid or outside.
    pub(super) fn value(&self, col: i64, row: i64) -> Option<f64> {
        self.sample(col, row).map(Sample::to_f64)
    }

    /// The columns of the window between two columns.
    pub(super) fn cols(&self, first: i64, last: i64) -> RangeInclusive<i64> {
        first.max(self.window.col_off.into())..=last.min(i64::from(self.window.col_end()) - 1)
    }

    /// The rows of the window between two rows.
    pub(super) fn rows(&self, first: i64, last: i64) -> RangeInclusive<i64> {
        first.max(self.window.row_off.into())..=last.min(i64::from(self.window.row_end()) - 1)
    }
}

/// Pixels of a block of the target.
pub(super) struct Output<T: Sample> {
    window: Window,
    nodata: Option<T::Nodata>,
    data: Vec<u8>,
    mask: Vec<u8>,
}

impl<T: WarpSample> Output<T> {
    /// All pixels invalid.
    pub(super) fn new(window: Window, nodata: Option<T::Nodata>, fill: &[u8]) -> Self {
        let pixels = window.width as usize * window.height as usize;
        Self { window, nodata, data: fill.repeat(pixels), mask: vec![0; pixels] }
    }

    /// Sets a pixel to a sample.
    pub(super) fn copy(&mut self, at: usize, sample: T) {
        let size = size_of::<T>();
        if let (Some(bytes), Some(mask)) = (self.data.get_mut(at * size..(at + 1) * size), self.mask.get_mut(at)) {
            sample.write(bytes);
            *mask = u8::MAX;
        }
    }

    /// The nodata value, which blended values must not equal.
    pub(super) fn nodata(&self) -> Option<T::Nodata> {
        self.nodata
    }

    /// Sets the pixels, in order, to the samples of these places; those without one stay invalid.
    #[inline]
    pub(super) fn set_each<P>(&mut self, places: impl Iterator<Item = P>, mut sample: impl FnMut(P) -> Option<T>) {
        let pixels = self.data.chunks_exact_mut(size_of::<T>()).zip(&mut self.mask);
        for ((bytes, mask), place) in pixels.zip(places) {
            if let Some(sample) = sample(place) {
                sample.write(bytes);
                *mask = u8::MAX;
            }
        }
    }

    /// Sets a pixel to a blended value, if there is one.
    pub(super) fn blend(&mut self, at: usize, value: Option<f64>) {
        if let Some(value) = value {
            self.copy(at, T::blended(value, self.nodata));
        }
    }

    pub(super) fn finish(self) -> WarpedBlock {
        WarpedBlock { window: self.window, data: self.data, mask: self.mask }
    }
}

fn zeroed(data_type: DataType, len: usize) -> Option<Samples> {
    Some(match data_type {
        DataType::Uint8 => Samples::Uint8(vec![0; len]),
        DataType::Uint16 => Samples::Uint16(vec![0; len]),
        DataType::Uint32 => Samples::Uint32(vec![0; len]),
        DataType::Uint64 => Samples::Uint64(vec![0; len]),
        DataType::Int8 => Samples::Int8(vec![0; len]),
        DataType::Int16 => Samples::Int16(vec![0; len]),
        DataType::Int32 => Samples::Int32(vec![0; len]),
        DataType::Int64 => Samples::Int64(vec![0; len]),
        DataType::Float16 => Samples::Float16(vec![0; len]),
        DataType::Float32 => Samples::Float32(vec![0.0; len]),
        DataType::Float64 => Samples::Float64(vec![0.0; len]),
        DataType::Complex64 => Samples::Complex64(vec![[0.0; 2]; len]),
        DataType::Complex128 => Samples::Complex128(vec![[0.0; 2]; len]),
        DataType::ComplexInt16 | DataType::ComplexInt32 => return None,
    })
}

/// The samples as bytes, which windows are written in: little-endian, as the supported platforms are.
fn bytes(samples: &mut Samples) -> &mut [u8] {
    match samples {
        Samples::Uint8(list) => list,
        Samples::Uint16(list) | Samples::Float16(list) => bytemuck::cast_slice_mut(list),
        Samples::Uint32(list) => bytemuck::cast_slice_mut(list),
        Samples::Uint64(list) => bytemuck::cast_slice_mut(list),
        Samples::Int8(list) => bytemuck::cast_slice_mut(list),
        Samples::Int16(list) => bytemuck::cast_slice_mut(list),
        Samples::Int32(list) => bytemuck::cast_slice_mut(list),
        Samples::Int64(list) => bytemuck::cast_slice_mut(list),
        Samples::Float32(list) => bytemuck::cast_slice_mut(list),
        Samples::Float64(list) => bytemuck::cast_slice_mut(list),
        Samples::Complex64(list) => bytemuck::cast_slice_mut(list),
        Samples::Complex128(list) => bytemuck::cast_slice_mut(list),
    }
}
