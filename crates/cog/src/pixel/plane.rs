//! The samples of one band in one decoded tile, by the level's own rows and columns.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::nodata::{Bounds, Fill};
use super::sample::Sample;
use crate::codec::{DecodedTile, Samples};
use crate::grid::Window;
use crate::tiff::DataType;
use crate::{Error, FilePosition, Result};

/// Evaluates an expression for whichever vector of samples there is; half floats come as bits.
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

/// One sample of every pixel of a window.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// A tile that holds all pixels of the window, or, of a sparse one, a single sample that all pixels have.
    tile: Arc<DecodedTile>,
    /// The pixels.
    pub(super) window: Window,
    /// The pixel at the tile's first column and row.
    origin: (u32, u32),
    /// Samples from one row to the next; 0 where all are one.
    pitch: usize,
    /// Samples from one pixel to the next; 0 where all are one.
    stride: usize,
    /// The position of the sample in a pixel.
    sample: usize,
}

impl Plane {
    /// One band of a tile whose first pixel is at `origin` (col, row), over a window.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] where the tile does not reach as far as the window, or has no such sample.
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

    /// A window in which all samples are one number, as near to it as the type comes; None for types that are not decoded.
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

    /// From the first sample of a run of pixels to the last, of a vector that [`samples`](Self::samples) holds; with other bands'
    /// samples between them. Empty where the run is.
    pub(super) fn run<'a, T>(&self, list: &'a [T], row: u32, cols: &Range<u32>) -> &'a [T] {
        let Some(last) = cols.end.checked_sub(1).filter(|last| *last >= cols.start) else {
            return &[];
        };
        let start = steps(row, self.origin.1, self.pitch).saturating_add(self.sample);
        let first = start.saturating_add(steps(cols.start, self.origin.0, self.stride));
        let end = start.saturating_add(steps(last, self.origin.0, self.stride)).saturating_add(1);
        list.get(first..end).unwrap_or_default()
    }

    /// Reads something of each cache line that a run's samples lie in; what it comes to means nothing.
    pub(super) fn touch(&self, row: u32, cols: &Range<u32>) -> u8 {
        const LINE: usize = 64;
        for_samples!(self.samples(), list => {
            let bytes: &[u8] = bytemuck::cast_slice(self.run(list, row, cols));
            bytes.iter().step_by(LINE).chain(bytes.last()).fold(0, |all, byte| all ^ byte)
        })
    }

    /// Sets a byte to 0 for each pixel of a run whose sample is 0.
    pub(super) fn mask(&self, row: u32, cols: &Range<u32>, mask: &mut [u8]) {
        for_samples!(self.samples(), list => mask_zeros(self.run(list, row, cols), self.stride, mask));
    }

    /// Sets a byte to 0 for each pixel of a run whose sample is not between two numbers.
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

    /// Sets a byte to 0 for each pixel of a run that the codec itself has no value for.
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

    /// What the codec itself says of the tile's pixels.
    pub(super) fn codec_validity(&self) -> Option<&[u8]> {
        self.tile.valid.as_deref()
    }

    /// Writes the samples of a run, little-endian, one after the other.
    pub(super) fn copy(&self, row: u32, cols: &Range<u32>, bytes: &mut [u8]) {
        for_samples!(self.samples(), list => copy(self.run(list, row, cols), self.stride, bytes));
    }
}

/// The way from an origin to a position.
fn steps(position: u32, origin: u32, step: usize) -> usize {
    usize::try_from(position.saturating_sub(origin)).unwrap_or(usize::MAX).saturating_mul(step)
}

/// The integer, where a type of 64 bits holds it.
fn exactly<T: TryFrom<i128>>(fill: Fill) -> Option<T> {
    match fill {
        Fill::Whole(number) => T::try_from(number).ok(),
        Fill::Number(_) => None,
    }
}

/// Sets a byte to 0 for every `stride`-th sample that is 0; where the stride is 0, the first is all of them.
fn mask_zeros<T: Sample>(run: &[T], stride: usize, mask: &mut [u8]) {
    let zero = T::nearest(0.0);
    mask_unless(run, stride, mask, |sample| sample != zero);
}

/// Sets a byte to 0 for every `stride`-th sample of which something does not hold; where the stride is 0, the first is all of them.
fn mask_unless<T: Copy>(run: &[T], stride: usize, mask: &mut [u8], holds: impl Fn(T) -> bool) {
    if stride == 1 {
        mask.iter_mut().zip(run).for_each(|(byte, sample)| *byte &= unless(!holds(*sample)));
    } else {
        let samples = (0..mask.len()).filter_map(|at| run.get(at * stride));
        mask.iter_mut().zip(samples).for_each(|(byte, sample)| *byte &= unless(!holds(*sample)));
    }
}

/// The byte of a mask: 255 unless it is so, then 0.
pub(super) fn unless(it_is: bool) -> u8 {
    u8::from(it_is).wrapping_sub(1)
}

/// Writes every `stride`-th sample, or, where that is 0, the first again and again.
fn copy<T: Sample>(run: &[T], stride: usize, bytes: &mut [u8]) {
    let places = bytes.chunks_exact_mut(size_of::<T>());
    match (stride, run) {
        (1, _) if cfg!(target_endian = "little") => {
            let from: &[u8] = bytemuck::cast_slice(run);
            let len = from.len().min(bytes.len());
            bytes[..len].copy_from_slice(&from[..len]);
        }
        (0, [only, ..]) => places.for_each(|place| only.write(place)),
        // What pictures have: known steps compile to shuffles.
        (3, _) => gather::<T, 3>(run, places),
        (4, _) => gather::<T, 4>(run, places),
        _ => places.zip(run.iter().step_by(stride.max(1))).for_each(|(place, sample)| sample.write(place)),
    }
}

/// Writes the first of every `STRIDE` samples.
fn gather<'a, T: Sample, const STRIDE: usize>(run: &[T], mut places: impl Iterator<Item = &'a mut [u8]>) {
    let (pixels, last) = run.as_chunks::<STRIDE>();
    pixels.iter().zip(&mut places).for_each(|(pixel, place)| pixel[0].write(place));
    last.first().into_iter().zip(places).for_each(|(sample, place)| sample.write(place));
}
