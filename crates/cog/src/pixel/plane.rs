//! Samples of one band in a decoded tile, addressed by the rows and columns of the level.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::nodata::{Bounds, Fill};
use super::sample::Sample;
use crate::codec::{DecodedTile, Samples};
use crate::grid::Window;
use crate::tiff::DataType;
use crate::{Error, FilePosition, Result};

/// Evaluates an expression for the vector of samples of any type; half floats are passed as bits.
macro_rules! for_samples {
    ($samples:expr, $list:ident => $body:expr) => {
        match $samples {
            $crate::codec::Samples::Uint8($list) => $body,
            $crate::codec::Samples::Uint16($list) | $crate::codec::Samples::Float16($list) => $body,
            $crate::codec::Samples::Uint32($list) => $body,
            $crate::codec::Samples::Uint64($list) => $body,
            $crate::codec::Samples::Int8($list) => $body,
            $crate::codec::Samples::Int16($list) => $body,
            $crate::codec::Samples::Int32($list) => $body,
            $crate::codec::Samples::Int64($list) => $body,
            $crate::codec::Samples::Float32($list) => $body,
            $crate::codec::Samples::Float64($list) => $body,
            $crate::codec::Samples::Complex64($list) => $body,
            $crate::codec::Samples::Complex128($list) => $body,
        }
    };
}

/// One sample for every pixel of a window.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// A tile that contains all pixels of the window or, for a sparse tile, a single sample for all of them.
    tile: Arc<DecodedTile>,
    /// The pixels.
    pub(super) window: Window,
    /// The pixel at the origin of the tile.
    origin: (u32, u32),
    /// Samples per row; 0 for a constant.
    pitch: usize,
    /// Samples per pixel; 0 for a constant.
    stride: usize,
    /// Index of the sample in a pixel.
    sample: usize,
}

impl Plane {
    /// One band of a tile with the given `origin` (col, row), over a window.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the tile does not contain the window or the sample.
    pub(super) fn new(tile: Arc<DecodedTile>, origin: (u32, u32), window: Window, sample: u16) -> Result<Self> {
        let (width, height) = (window.col_end() - origin.0, window.row_end() - origin.1);
        let expected = u64::from(tile.width) * u64::from(tile.height) * u64::from(tile.samples_per_pixel);
        let found = for_samples!(&tile.samples, list => list.len());
        if width > tile.width || height > tile.height || sample >= tile.samples_per_pixel || expected != found as u64 {
            return Err(Error::Malformed {
                at: FilePosition { ifd: None, tag: None, byte: None },
                what: format!(
                    "expected a decoded tile of {width} x {height} pixels and sample {sample} in each, found {} x {} with {} \
                     samples, {found} in all",
                    tile.width, tile.height, tile.samples_per_pixel
                ),
            });
        }
        let stride = usize::from(tile.samples_per_pixel);
        let pitch = usize::try_from(tile.width).unwrap_or(usize::MAX).saturating_mul(stride);
        Ok(Self { tile, window, origin, pitch, stride, sample: sample.into() })
    }

    /// A window filled with the nearest value of a type; None for types without a decoder.
    pub(super) fn filled(data_type: DataType, fill: Fill, window: Window) -> Option<Self> {
        let number = match fill {
            Fill::Number(number) => number,
            #[expect(
                clippy::cast_precision_loss,
                reason = "integers of 64 bits, which need no double, are taken as they are"
            )]
            Fill::Whole(number) => number as f64,
        };
        let samples = match data_type {
            DataType::Uint8 => Samples::Uint8(vec![Sample::nearest(number)]),
            DataType::Uint16 => Samples::Uint16(vec![Sample::nearest(number)]),
            DataType::Uint32 => Samples::Uint32(vec![Sample::nearest(number)]),
            DataType::Uint64 => Samples::Uint64(vec![exactly(fill).unwrap_or(Sample::nearest(number))]),
            DataType::Int8 => Samples::Int8(vec![Sample::nearest(number)]),
            DataType::Int16 => Samples::Int16(vec![Sample::nearest(number)]),
            DataType::Int32 => Samples::Int32(vec![Sample::nearest(number)]),
            DataType::Int64 => Samples::Int64(vec![exactly(fill).unwrap_or(Sample::nearest(number))]),
            DataType::Float16 => Samples::Float16(vec![f16::from_f64(number).to_bits()]),
            DataType::Float32 => Samples::Float32(vec![Sample::nearest(number)]),
            DataType::Float64 => Samples::Float64(vec![Sample::nearest(number)]),
            DataType::Complex64 => Samples::Complex64(vec![Sample::nearest(number)]),
            DataType::Complex128 => Samples::Complex128(vec![Sample::nearest(number)]),
            DataType::ComplexInt16 | DataType::ComplexInt32 => return None,
        };
        let tile = DecodedTile { width: 1, height: 1, samples_per_pixel: 1, samples, valid: None };
        let origin = (window.col_off, window.row_off);
        Some(Self { tile: Arc::new(tile), window, origin, pitch: 0, stride: 0, sample: 0 })
    }

    pub(super) fn samples(&self) -> &Samples {
        &self.tile.samples
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The slice from the first sample of a run to the last, of the vector of [`samples`](Self::samples). Samples of
    /// other bands are interleaved. Empty for an empty run.
    pub(super) fn run<'a, T>(&self, list: &'a [T], row: u32, cols: &Range<u32>) -> &'a [T] {
        let Some(last) = cols.end.checked_sub(1).filter(|last| *last >= cols.start) else {
            return &[];
        };
        let start = steps(row, self.origin.1, self.pitch).saturating_add(self.sample);
        let first = start.saturating_add(steps(cols.start, self.origin.0, self.stride));
        let end = start.saturating_add(steps(last, self.origin.0, self.stride)).saturating_add(1);
        list.get(first..end).unwrap_or_default()
    }

    /// Reads a byte of each cache line of a run's samples; the result is meaningless.
    pub(super) fn touch(&self, row: u32, cols: &Range<u32>) -> u8 {
        const LINE: usize = 64;
        for_samples!(self.samples(), list => {
            let bytes: &[u8] = bytemuck::cast_slice(self.run(list, row, cols));
            bytes.iter().step_by(LINE).chain(bytes.last()).fold(0, |all, byte| all ^ byte)
        })
    }

    /// The samples of a run of a plane of bytes; empty for other types.
    pub(super) fn bytes(&self, row: u32, cols: &Range<u32>) -> &[u8] {
        match self.samples() {
            Samples::Uint8(list) if self.stride == 1 => self.run(list, row, cols),
            _ => &[],
        }
    }

    /// Clears the bytes of pixels whose sample is 0.
    pub(super) fn mask(&self, row: u32, cols: &Range<u32>, mask: &mut [u8]) {
        for_samples!(self.samples(), list => mask_zeros(self.run(list, row, cols), self.stride, mask));
    }

    /// Clears the bytes of pixels whose sample is out of bounds.
    pub(super) fn mask_others(&self, row: u32, cols: &Range<u32>, (low, high): Bounds, mask: &mut [u8]) {
        let is_between = |number: f64| low <= number && number <= high;
        match self.samples() {
            Samples::Float16(list) => mask_unless(self.run(list, row, cols), self.stride, mask, |bits| {
                is_between(f16::from_bits(bits).to_f64())
            }),
            samples => for_samples!(samples, list => {
                mask_unless(self.run(list, row, cols), self.stride, mask, |sample| is_between(sample.to_f64()));
            }),
        }
    }

    /// Clears the bytes of pixels that the codec reports as invalid.
    pub(super) fn mask_by_codec(&self, row: u32, cols: &Range<u32>, mask: &mut [u8]) {
        let Some(valid) = self.codec_validity() else {
            return;
        };
        let width = self.pitch / self.stride.max(1);
        let start = steps(row, self.origin.1, width);
        let first = start.saturating_add(steps(cols.start, self.origin.0, 1));
        for (byte, valid) in mask.iter_mut().zip(valid.iter().skip(first)) {
            *byte = if *valid == 0 { 0 } else { *byte };
        }
    }

    /// The validity reported by the codec.
    pub(super) fn codec_validity(&self) -> Option<&[u8]> {
        self.tile.valid.as_deref()
    }

    /// Copies the samples of a run in little-endian order.
    pub(super) fn copy(&self, row: u32, cols: &Range<u32>, bytes: &mut [u8]) {
        for_samples!(self.samples(), list => copy(self.run(list, row, cols), self.stride, bytes));
    }
}

/// Offset of a position from an origin.
fn steps(position: u32, origin: u32, step: usize) -> usize {
    usize::try_from(position.saturating_sub(origin)).unwrap_or(usize::MAX).saturating_mul(step)
}

/// The integer, if it fits a 64-bit type.
fn exactly<T: TryFrom<i128>>(fill: Fill) -> Option<T> {
    match fill {
        Fill::Whole(number) => T::try_from(number).ok(),
        Fill::Number(_) => None,
    }
}

/// Clears the bytes of pixels whose sample is 0. `run` contains one sample every `stride`; with a stride of 0, one for
/// all pixels.
fn mask_zeros<T: Sample>(run: &[T], stride: usize, mask: &mut [u8]) {
    let zero = T::nearest(0.0);
    mask_unless(run, stride, mask, |sample| sample != zero);
}

/// Clears the bytes of pixels whose sample does not satisfy a predicate; `stride` as above.
fn mask_unless<T: Copy>(run: &[T], stride: usize, mask: &mut [u8], holds: impl Fn(T) -> bool) {
    if stride == 1 {
        mask.iter_mut().zip(run).for_each(|(byte, sample)| *byte &= unless(!holds(*sample)));
    } else {
        let samples = (0..mask.len()).filter_map(|at| run.get(at * stride));
        mask.iter_mut().zip(samples).for_each(|(byte, sample)| *byte &= unless(!holds(*sample)));
    }
}

/// The byte of a mask: 0 if the condition holds, else 255.
pub(super) fn unless(it_is: bool) -> u8 {
    u8::from(it_is).wrapping_sub(1)
}

/// Copies one sample every `stride`; with a stride of 0, the first one repeatedly.
fn copy<T: Sample>(run: &[T], stride: usize, bytes: &mut [u8]) {
    let places = bytes.chunks_exact_mut(size_of::<T>());
    match (stride, run) {
        (1, _) if cfg!(target_endian = "little") => {
            let from: &[u8] = bytemuck::cast_slice(run);
            let len = from.len().min(bytes.len());
            bytes[..len].copy_from_slice(&from[..len]);
        }
        (0, [only, ..]) => places.for_each(|place| only.write(place)),
        // Common in images; constant strides compile to shuffles.
        (3, _) => gather::<T, 3>(run, places),
        (4, _) => gather::<T, 4>(run, places),
        _ => places.zip(run.iter().step_by(stride.max(1))).for_each(|(place, sample)| sample.write(place)),
    }
}

/// Copies the first of every `STRIDE` samples.
fn gather<'a, T: Sample, const STRIDE: usize>(run: &[T], mut places: impl Iterator<Item = &'a mut [u8]>) {
    let (pixels, last) = run.as_chunks::<STRIDE>();
    pixels.iter().zip(&mut places).for_each(|(pixel, place)| pixel[0].write(place));
    last.first().into_iter().zip(places).for_each(|(sample, place)| sample.write(place));
}
