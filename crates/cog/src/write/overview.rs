//! Rows of an overview from the rows of the level before.
//!
//! A pixel of the overview covers `width / overview_width` columns, which is 2 for even widths and less for odd ones,
//! and rows alike. Shares of pixels are integers: an overview of `n` pixels splits each of the `m` pixels before into `n`
//! parts, and gives `m` of them to each of its own.

use std::collections::VecDeque;

use half::f16;

use super::halve::{Halved, halve};
use super::number::{Number, PixelRow};
use super::{CogProfile, OverviewResampling};
use crate::tiff::DataType;

/// Reduces rows to those of the next level.
#[derive(Debug)]
pub(super) struct Reducer {
    resampling: OverviewResampling,
    dtype: DataType,
    bands: usize,
    nodata: Option<f64>,
    columns: Axis,
    rows: Axis,
    /// The next row of the overview.
    next: u32,
    /// Rows that later ones of the overview need, from row `first` on.
    pending: VecDeque<PixelRow>,
    first: u32,
}

/// Pixels of one dimension, before and after.
#[derive(Debug, Clone, Copy)]
struct Axis {
    source: u32,
    target: u32,
}

impl Axis {
    /// The source pixels under a target pixel.
    fn range(self, target: u32) -> std::ops::Range<u32> {
        let scaled = |at: u64| at * u64::from(self.source);
        let (start, end) = (scaled(target.into()), scaled(u64::from(target) + 1));
        let pixel = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        pixel(start / u64::from(self.target))..pixel(end.div_ceil(u64::from(self.target)))
    }

    /// Parts of a source pixel that a target pixel covers, of `target`.
    fn share(self, target: u32, source: u32) -> u32 {
        let (size, step) = (u64::from(self.source), u64::from(self.target));
        let (start, at) = (u64::from(target) * size, u64::from(source) * step);
        let share = (start + size).min(at + step).saturating_sub(start.max(at));
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// The source pixel at the centre of a target pixel.
    fn centre(self, target: u32) -> u32 {
        let at = (2 * u64::from(target) + 1) * u64::from(self.source) / (2 * u64::from(self.target));
        u32::try_from(at).unwrap_or(u32::MAX).min(self.source - 1)
    }
}

impl Reducer {
    /// Reduces a level of `source` columns and rows to one of `target`.
    pub(super) fn new(
        profile: &CogProfile,
        resampling: OverviewResampling,
        source: (u32, u32),
        target: (u32, u32),
    ) -> Self {
        Self {
            resampling,
            dtype: profile.dtype,
            bands: profile.bands.into(),
            nodata: profile.nodata,
            columns: Axis { source: source.0, target: target.0 },
            rows: Axis { source: source.1, target: target.1 },
            next: 0,
            pending: VecDeque::new(),
            first: 0,
        }
    }

    /// Takes the next row, and passes on the rows of the overview that are complete with it.
    pub(super) fn push<E>(&mut self, row: PixelRow, mut emit: impl FnMut(PixelRow) -> Result<(), E>) -> Result<(), E> {
        self.pending.push_back(row);
        let end = self.first + u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        while self.next < self.rows.target && self.rows.range(self.next).end <= end {
            emit(self.reduce())?;
            self.next += 1;
            let start = if self.next < self.rows.target { self.rows.range(self.next).start } else { end };
            while self.first < start && self.pending.pop_front().is_some() {
                self.first += 1;
            }
        }
        Ok(())
    }

    fn reduce(&self) -> PixelRow {
        match self.dtype {
            DataType::Uint8 => self.halve_or_reduce::<u8>(),
            DataType::Uint16 => self.halve_or_reduce::<u16>(),
            DataType::Uint32 => self.halve_or_reduce::<u32>(),
            DataType::Uint64 => self.reduce_as::<u64>(),
            DataType::Int8 => self.halve_or_reduce::<i8>(),
            DataType::Int16 => self.halve_or_reduce::<i16>(),
            DataType::Int32 => self.halve_or_reduce::<i32>(),
            DataType::Int64 => self.reduce_as::<i64>(),
            DataType::Float16 => self.reduce_as::<f16>(),
            DataType::Float32 => self.halve_or_reduce::<f32>(),
            DataType::Float64 => self.halve_or_reduce::<f64>(),
            // Never averaged: the real part decides nothing.
            DataType::ComplexInt16 | DataType::ComplexInt32 | DataType::Complex64 | DataType::Complex128 => {
                self.nearest()
            }
        }
    }

    /// The fast way for averages of two by two pixels.
    fn halve_or_reduce<T: Halved>(&self) -> PixelRow {
        let is_halved = |axis: Axis| axis.source == 2 * axis.target;
        let at = usize::try_from(self.rows.range(self.next).start - self.first).unwrap_or(usize::MAX);
        let rows = self.pending.get(at).zip(self.pending.get(at.saturating_add(1)));
        match rows {
            Some((upper, lower))
                if self.resampling == OverviewResampling::Average
                    && is_halved(self.columns)
                    && is_halved(self.rows) =>
            {
                halve([upper, lower], self.bands, self.nodata.map(T::nearest))
            }
            _ => self.reduce_as::<T>(),
        }
    }

    fn reduce_as<T: Number>(&self) -> PixelRow {
        match self.resampling {
            OverviewResampling::Nearest => self.nearest(),
            OverviewResampling::Average => self.combine::<T>(average),
            OverviewResampling::Mode => self.combine::<T>(mode),
        }
    }

    fn nearest(&self) -> PixelRow {
        let size = self.bands * self.dtype.size();
        let at = usize::try_from(self.rows.centre(self.next) - self.first).unwrap_or(usize::MAX);
        let Some(row) = self.pending.get(at) else { return PixelRow { samples: Vec::new(), mask: None } };
        let columns =
            (0..self.columns.target).map(|column| usize::try_from(self.columns.centre(column)).unwrap_or(usize::MAX));
        PixelRow {
            samples: columns.clone().flat_map(|column| &row.samples[column * size..][..size]).copied().collect(),
            mask: row.mask.as_ref().map(|mask| columns.map(|column| mask[column]).collect()),
        }
    }

    /// Combines the valid samples under each pixel of the next row.
    fn combine<T: Number>(&self, combine: impl Fn(&[(T, f64)]) -> T) -> PixelRow {
        let size = self.bands * size_of::<T>();
        let nodata = self.nodata.map(T::nearest);
        let rows: Vec<_> = self
            .rows
            .range(self.next)
            .filter_map(|row| {
                Some((self.pending.get(usize::try_from(row - self.first).ok()?)?, self.rows.share(self.next, row)))
            })
            .collect();
        let target = usize::try_from(self.columns.target).unwrap_or(usize::MAX);
        let mut samples = Vec::with_capacity(target * size);
        let mut mask = rows.first().and_then(|(row, _)| row.mask.as_ref()).map(|_| Vec::with_capacity(target));
        let mut values = Vec::with_capacity(9);
        for column in 0..self.columns.target {
            let range = self.columns.range(column);
            let mut any = 0;
            for band in 0..self.bands {
                values.clear();
                for (row, height) in &rows {
                    for source in range.clone() {
                        let at = usize::try_from(source).unwrap_or(usize::MAX);
                        let is_masked = row.mask.as_ref().is_some_and(|mask| mask[at] == 0);
                        let value = T::read(&row.samples[at * size + band * size_of::<T>()..]);
                        if is_masked || value.is_nan() || nodata.is_some_and(|nodata| nodata == value) {
                            continue;
                        }
                        let share = u64::from(self.columns.share(column, source)) * u64::from(*height);
                        #[expect(clippy::cast_precision_loss, reason = "a weight")]
                        values.push((value, share as f64));
                    }
                }
                let value = match (values.is_empty(), nodata) {
                    (true, nodata) => nodata.unwrap_or(T::INVALID),
                    (false, nodata) => combine(&values).unlike(nodata),
                };
                any |= u8::from(!values.is_empty());
                value.write(&mut samples);
            }
            if let Some(mask) = &mut mask {
                mask.push(255 * any);
            }
        }
        PixelRow { samples, mask }
    }
}

/// The mean. Integers are rounded, halves away from zero.
fn average<T: Number>(values: &[(T, f64)]) -> T {
    let (sum, weight) =
        values.iter().fold((0.0, 0.0), |(sum, weight), (value, share)| (sum + value.to_f64() * share, weight + share));
    T::nearest(sum / weight)
}

/// The value with the largest share, the smaller one on a tie.
fn mode<T: Number>(values: &[(T, f64)]) -> T {
    let share = |value: T| values.iter().filter(|(other, _)| *other == value).map(|(_, share)| share).sum::<f64>();
    let mut best = (values[0].0, share(values[0].0));
    for (value, _) in &values[1..] {
        let share = share(*value);
        if share > best.1 || (share == best.1 && *value < best.0) {
            best = (*value, share);
        }
    }
    best.0
}
