//! Statistics of the pixels of a zone, weighted by coverage.
//!
//! ```text
//! run of weight 1, integers ── exact count, sum and sum of squares ─────────────────┐
//! run of weight 1, floats ──── count, sum, mean, squares around that mean ──┐       ├── ZonalStats ── merge ── finish
//! other runs ───────────────── the same, weighted ──────────────────────────┤ Chan ─┘
//! single pixels of an edge ─── the same, in batches ─────────────────────────┘
//! ```
//!
//! Each block is summed separately and merged, so that blocks summed by several threads and merged in a fixed order
//! give the same bits as a single thread. Sums of squares are taken around means, never as a difference of large sums,
//! and sums are compensated (Neumaier).
//!
//! Invalid pixels and NaN are ignored. Values are as stored; scale and offset are applied to the results, which avoids
//! a rounding error per pixel.

use crate::grid::{Coverage, Run, Window};
use crate::pixel::{Block, MappedValues, Pixels, RunVisitor, Sample};

/// 64-bit integers up to this magnitude are summed exactly, including their squares.
const LARGEST_WHOLE: f64 = (1u64 << 48) as f64;

/// Accumulator for the [`Statistics`] of a zone, which [`finish`](Self::finish) computes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ZonalStats {
    /// Integers of weight 1.
    whole: Whole,
    /// Everything else.
    moments: Moments,
    /// Minimum and maximum.
    extremes: Option<(f64, f64)>,
    /// Sums weighted by coverage and another raster, if there is one.
    weighted: Option<Weighted>,
}

/// Statistics of a zone, computed from a [`ZonalStats`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Total weight of valid pixels.
    pub count: f64,
    /// None without valid pixels.
    pub values: Option<ValueStatistics>,
    /// Weighted by coverage and another raster; None without one, without valid pixels, and if a valid pixel has no weight.
    pub weighted: Option<WeightedStatistics>,
}

/// Statistics of the values of a zone, each pixel weighted by its coverage and by another raster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedStatistics {
    /// Sum of values, each multiplied by its coverage and the weight in the other raster.
    pub sum: f64,
    /// Mean weighted by coverage and the other raster; None if the weights sum to 0.
    pub mean: Option<f64>,
    /// Population variance weighted likewise; None if the weights sum to 0.
    pub variance: Option<f64>,
}

/// Statistics of the values of a zone with valid pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueStatistics {
    /// Sum weighted by coverage.
    pub sum: f64,
    /// Mean weighted by coverage.
    pub mean: f64,
    /// Minimum of the values with a positive weight.
    pub min: f64,
    /// Maximum of the values with a positive weight.
    pub max: f64,
    /// Population standard deviation weighted by coverage.
    pub stddev: f64,
    /// Population variance weighted by coverage.
    pub variance: f64,
}

impl ZonalStats {
    /// Adds the covered pixels of a block. The caller must reject complex samples.
    pub fn add(&mut self, block: &Block, coverage: &Coverage) {
        let Some(window) = coverage.window().and_then(|window| window.intersection(&block.window)) else {
            return;
        };
        if let Some(weights) = block.weights() {
            let weighted = self.weighted.get_or_insert_default();
            coverage.within(window).for_each(|run| weighted.add(block, weights, &run));
        }
        if block.is_constant() {
            return self.add_constant(block, coverage, window);
        }
        block.warm(window);
        let mut runs = AddRuns { stats: Self::default(), edge: Edge::default() };
        block.visit_runs(coverage.within(window), &mut runs);
        self.merge(&runs.finish());
    }

    /// Adds a block of equal pixels, as of a sparse tile, by inspecting one of them.
    fn add_constant(&mut self, block: &Block, coverage: &Coverage, window: Window) {
        let (row, start) = (window.row_off, window.col_off);
        let mut one = AddRuns { stats: Self::default(), edge: Edge::default() };
        block.visit_runs(std::iter::once(Run { row, start, end: start + 1, weight: 1.0 }), &mut one);
        let one = one.finish();
        let Some((value, _)) = one.extremes else {
            return;
        };
        for (weight, pixels) in coverage.weights_within(window) {
            if one.whole.count == 0 {
                self.extend(one.extremes);
                let count = pixels as f64;
                self.moments.merge(&Moments::of(count, value * count, value, 0.0).weighted(weight));
            } else {
                self.add_whole(one.whole.times(pixels), (value, value), weight);
            }
        }
    }

    /// Merges another accumulator. The order affects only the last bits, and not integers of weight 1.
    pub fn merge(&mut self, other: &Self) {
        self.whole.merge(other.whole);
        self.moments.merge(&other.moments);
        self.extend(other.extremes);
        if let Some(weighted) = &other.weighted {
            self.weighted.get_or_insert_default().merge(weighted);
        }
    }

    /// Returns the statistics of the stored values `v` or, with a scale and an offset, of `v * scale + offset`.
    #[must_use]
    pub fn finish(&self, scale_and_offset: Option<(f64, f64)>) -> Statistics {
        let mut all = self.whole.moments();
        all.merge(&self.moments);
        let count = all.weight.total();
        let Some((min, max)) = self.extremes.filter(|_| count > 0.0) else {
            return Statistics { count: 0.0, values: None, weighted: None };
        };
        let (sum, variance) = (all.sum.total(), all.squares / count);
        // Removes the rounding error in the mean of equal values.
        let mean = (sum / count).clamp(min, max);
        let (scale, offset) = scale_and_offset.unwrap_or((1.0, 0.0));
        let (low, high) = (min * scale + offset, max * scale + offset);
        let values = ValueStatistics {
            sum: sum * scale + count * offset,
            mean: mean * scale + offset,
            min: low.min(high),
            max: low.max(high),
            stddev: variance.sqrt() * scale.abs(),
            variance: variance * scale * scale,
        };
        let weighted = self.weighted.and_then(|weighted| weighted.finish(scale, offset));
        Statistics { count, values: Some(values), weighted }
    }

    fn extend(&mut self, extremes: Option<(f64, f64)>) {
        self.extremes = match (self.extremes, extremes) {
            (Some(mine), Some(other)) => Some((mine.0.min(other.0), mine.1.max(other.1))),
            (mine, other) => mine.or(other),
        };
    }

    fn add_whole(&mut self, whole: Whole, extremes: (f64, f64), weight: f64) {
        if whole.count == 0 {
            return;
        }
        self.extend(Some(extremes));
        if weight == 1.0 {
            self.whole.merge(whole);
        } else {
            self.moments.merge(&whole.moments().weighted(weight));
        }
    }
}

/// Sums of values weighted by coverage and by another raster, as in exactextract.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Weighted {
    moments: Moments,
    /// Whether a valid pixel has no weight: then the weighted statistics are NULL.
    is_unknown: bool,
}

impl Weighted {
    fn add(&mut self, block: &Block, weights: &MappedValues, run: &Run) {
        let weights = weights.run(run.row, run.start, run.end);
        for (pixel, weight) in block.pixels(run).zip(weights) {
            if !pixel.is_valid || pixel.value.is_nan() {
                continue;
            }
            let Some(weight) = weight.filter(|weight| !weight.is_nan()) else {
                self.is_unknown = true;
                return;
            };
            let weight = weight * run.weight;
            self.moments.merge(&Moments::of(weight, pixel.value * weight, pixel.value, 0.0));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.is_unknown |= other.is_unknown;
        self.moments.merge(&other.moments);
    }

    fn finish(self, scale: f64, offset: f64) -> Option<WeightedStatistics> {
        let Moments { weight, sum, squares, .. } = self.moments;
        let (weight, sum) = (weight.total(), sum.total());
        let if_any = |number: f64| (weight != 0.0).then_some(number);
        (!self.is_unknown).then_some(WeightedStatistics {
            sum: sum * scale + weight * offset,
            mean: if_any(sum / weight * scale + offset),
            variance: if_any(squares / weight * scale * scale),
        })
    }
}

/// Exact sums of integers. Sums of squares are modulo 2^128; the difference that is computed from them later is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Whole {
    count: u64,
    sum: i128,
    squares: u128,
}

impl Whole {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.wrapping_add(other.squares);
    }

    /// The sums for `count` repetitions.
    fn times(self, count: u64) -> Self {
        Self {
            count: self.count * count,
            sum: self.sum * i128::from(count),
            squares: self.squares.wrapping_mul(u128::from(count)),
        }
    }

    fn moments(self) -> Moments {
        if self.count == 0 {
            return Moments::default();
        }
        let count = i128::from(self.count);
        // Squares around the integer nearest to the mean are exact; the shift from there to the mean is small.
        let near = (2 * self.sum + count).div_euclid(2 * count);
        let rest = self.sum - near * count;
        let away = near.wrapping_mul(2 * self.sum - near * count).cast_unsigned();
        let squares = self.squares.wrapping_sub(away);
        // Each number is rounded once.
        #[expect(clippy::cast_precision_loss)]
        let (weight, sum, near, rest, squares) =
            (self.count as f64, self.sum as f64, near as f64, rest as f64, squares as f64);
        Moments::of(weight, sum, near + rest / weight, squares - rest * rest / weight)
    }
}

/// Weighted sums of values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Moments {
    weight: Sum,
    sum: Sum,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Moments {
    fn of(weight: f64, sum: f64, mean: f64, squares: f64) -> Self {
        Self { weight: Sum { value: weight, error: 0.0 }, sum: Sum { value: sum, error: 0.0 }, mean, squares }
    }

    fn weighted(self, weight: f64) -> Self {
        Self::of(self.weight.total() * weight, self.sum.total() * weight, self.mean, self.squares * weight)
    }

    /// Merges by Chan's parallel algorithm.
    fn merge(&mut self, other: &Self) {
        let (mine, others) = (self.weight.total(), other.weight.total());
        if others == 0.0 {
            return;
        }
        if mine == 0.0 {
            *self = *other;
            return;
        }
        let (step, all) = (other.mean - self.mean, mine + others);
        self.mean += step * (others / all);
        self.squares += other.squares + step * step * (mine * (others / all));
        self.weight.merge(other.weight);
        self.sum.merge(other.sum);
    }
}

/// Compensated sum (Neumaier).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sum {
    value: f64,
    error: f64,
}

impl Sum {
    fn merge(&mut self, other: Self) {
        let sum = self.value + other.value;
        let (large, small) =
            if self.value.abs() >= other.value.abs() { (self.value, other.value) } else { (other.value, self.value) };
        let error = (large - sum) + small;
        self.value = sum;
        // Infinite sums have no compensation.
        if error.is_finite() {
            self.error += error + other.error;
        }
    }

    fn total(&self) -> f64 {
        self.value + self.error
    }
}

/// Adds runs of pixels.
struct AddRuns {
    stats: ZonalStats,
    edge: Edge,
}

/// Buffer for single pixels, which most edge pixels are: processing each alone costs more than a run.
#[derive(Default)]
struct Edge {
    /// Values and weights.
    pixels: [(f64, f64); EDGE],
    len: usize,
}

/// Small enough that plain sums are as accurate as those of a run.
const EDGE: usize = 32;

impl Edge {
    /// Adds a pixel; returns the statistics of the buffer when it is full.
    fn push(&mut self, value: f64, weight: f64) -> Option<ZonalStats> {
        if let Some(free) = self.pixels.get_mut(self.len) {
            *free = (value, weight);
            self.len += 1;
        }
        (self.len == EDGE).then(|| self.take()).flatten()
    }

    /// Empties the buffer and returns its statistics; None if it was empty.
    fn take(&mut self) -> Option<ZonalStats> {
        let pixels = &self.pixels[..std::mem::take(&mut self.len)];
        let (first, _) = *pixels.first()?;
        let (mut weight, mut sum, mut away, mut extremes) = (0.0, 0.0, 0.0, (first, first));
        for (value, share) in pixels {
            weight += share;
            sum += value * share;
            away += (value - first) * share;
            extremes = (extremes.0.min(*value), extremes.1.max(*value));
        }
        // Relative to the first value, so that the mean of equal values is exact.
        let mean = first + away / weight;
        let squares = pixels.iter().map(|(value, share)| (value - mean) * (value - mean) * share).sum();
        let moments = Moments::of(weight, sum, mean, squares);
        Some(ZonalStats { moments, extremes: Some(extremes), ..ZonalStats::default() })
    }
}

impl AddRuns {
    fn finish(mut self) -> ZonalStats {
        if let Some(edge) = self.edge.take() {
            self.stats.merge(&edge);
        }
        self.stats
    }
}

impl RunVisitor for AddRuns {
    fn visit<T: Sample>(&mut self, run: &Run, pixels: Pixels<'_, T>) {
        let Self { stats, edge } = self;
        if pixels.len() == 1 && (run.weight != 1.0 || T::WHOLE_BITS == 0) {
            pixels.for_each_valid(|_, sample| {
                let value = sample.to_f64();
                if !value.is_nan()
                    && let Some(full) = edge.push(value, run.weight)
                {
                    stats.merge(&full);
                }
            });
            return;
        }
        match T::WHOLE_BITS {
            0 => stats.add_floats(&pixels, run.weight),
            1..=16 => {
                let (whole, extremes) = short_sums(&pixels);
                stats.add_whole(whole, extremes, run.weight);
            }
            bits => {
                let (whole, extremes) = long_sums(&pixels);
                // Integers too large for exact sums are added as doubles.
                if bits <= 32 || (extremes.0 >= -LARGEST_WHOLE && extremes.1 <= LARGEST_WHOLE) {
                    stats.add_whole(whole, extremes, run.weight);
                } else {
                    stats.add_floats(&pixels, run.weight);
                }
            }
        }
    }
}

impl ZonalStats {
    fn add_floats<T: Sample>(&mut self, pixels: &Pixels<'_, T>, weight: f64) {
        let Some((count, sum, extremes)) = float_sums(pixels) else { return };
        let mean = sum / count;
        self.extend(Some(extremes));
        self.moments.merge(&Moments::of(count, sum, mean, squares_around(pixels, mean)).weighted(weight));
    }
}

/// Calls `take` with each sample and whether it is valid. Branch-free loops compile to vector instructions.
#[inline(always)]
fn each<T: Sample>(pixels: &Pixels<'_, T>, mut take: impl FnMut(T, bool)) {
    match (pixels.stride(), pixels.mask(), pixels.nodata()) {
        (1, None, None) => pixels.samples().iter().for_each(|sample| take(*sample, true)),
        (1, None, Some(nodata)) => pixels.samples().iter().for_each(|sample| take(*sample, !sample.is(nodata))),
        (1, Some(mask), None) => {
            pixels.samples().iter().zip(mask).for_each(|(sample, byte)| take(*sample, *byte != 0));
        }
        (1, Some(mask), Some(nodata)) => {
            let masked = pixels.samples().iter().zip(mask);
            masked.for_each(|(sample, byte)| take(*sample, (*byte != 0) & !sample.is(nodata)));
        }
        _ => pixels.for_each(take),
    }
}

/// Sums integers of up to 16 bits, whose squares fit into 32 bits. Chunks are short enough for 32-bit sums, which allow
/// more vector lanes.
fn short_sums<T: Sample>(pixels: &Pixels<'_, T>) -> (Whole, (f64, f64)) {
    const MANY: usize = 1 << 12;
    // Shifts unsigned values to the range of i16, so that minimum and maximum are computed in 16 bits.
    let middle: i32 = if T::nearest(-1.0).whole() < 0 { 0 } else { 1 << 15 };
    let mut all = Whole::default();
    let (mut least, mut most) = (i16::MAX, i16::MIN);
    pixels.by(MANY, |pixels| {
        let (mut count, mut sum, mut low, mut high) = (0u32, 0i32, 0u32, 0u32);
        let (mut near, mut far) = (i16::MAX, i16::MIN);
        each(&pixels, |sample, is_valid| {
            #[expect(clippy::cast_possible_truncation, reason = "up to 16 bits before and after the shift")]
            let (value, narrow) = (sample.whole() as i32, (sample.whole() as i32 - middle) as i16);
            let kept = if is_valid { value } else { 0 };
            let square = kept.unsigned_abs() * kept.unsigned_abs();
            count += u32::from(is_valid);
            sum += kept;
            low += square & 0xffff;
            high += square >> 16;
            near = near.min(if is_valid { narrow } else { i16::MAX });
            far = far.max(if is_valid { narrow } else { i16::MIN });
        });
        all.merge(Whole { count: count.into(), sum: sum.into(), squares: u128::from(low) + (u128::from(high) << 16) });
        (least, most) = (least.min(near), most.max(far));
    });
    let extreme = |narrow: i16| f64::from(i32::from(narrow) + middle);
    (all, (extreme(least), extreme(most)))
}

/// Sums longer integers.
fn long_sums<T: Sample>(pixels: &Pixels<'_, T>) -> (Whole, (f64, f64)) {
    let mut whole = Whole::default();
    let mut extremes = (f64::INFINITY, f64::NEG_INFINITY);
    each(pixels, |sample, is_valid| {
        if is_valid {
            let value = i128::from(sample.whole());
            whole.count += 1;
            whole.sum += value;
            whole.squares = whole.squares.wrapping_add(value.unsigned_abs().pow(2));
            extremes = (extremes.0.min(sample.to_f64()), extremes.1.max(sample.to_f64()));
        }
    });
    (whole, extremes)
}

/// Number of parallel sums.
const LANES: usize = 8;

/// Count, sum, minimum and maximum of valid values other than NaN; None if there are none.
fn float_sums<T: Sample>(pixels: &Pixels<'_, T>) -> Option<(f64, f64, (f64, f64))> {
    let (mut counts, mut sums) = ([0.0f64; LANES], [0.0f64; LANES]);
    let (mut least, mut most) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    lanes(pixels, |lane, value, is_kept| {
        counts[lane] += if is_kept { 1.0 } else { 0.0 };
        sums[lane] += if is_kept { value } else { 0.0 };
        let (low, high) = if is_kept { (value, value) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        least[lane] = if low < least[lane] { low } else { least[lane] };
        most[lane] = if high > most[lane] { high } else { most[lane] };
    });
    let count: f64 = counts.iter().sum();
    let extremes =
        (least.into_iter().fold(f64::INFINITY, f64::min), most.into_iter().fold(f64::NEG_INFINITY, f64::max));
    (count > 0.0).then(|| (count, sums.iter().sum(), extremes))
}

/// Sum of squared deviations of valid values from `mean`.
fn squares_around<T: Sample>(pixels: &Pixels<'_, T>, mean: f64) -> f64 {
    let mut squares = [0.0f64; LANES];
    lanes(pixels, |lane, value, is_kept| {
        let away = if is_kept { value - mean } else { 0.0 };
        squares[lane] += away * away;
    });
    squares.iter().sum()
}

/// Calls `take` with a lane, a value and whether it counts, for each pixel.
#[inline(always)]
fn lanes<T: Sample>(pixels: &Pixels<'_, T>, mut take: impl FnMut(usize, f64, bool)) {
    if pixels.stride() != 1 || pixels.mask().is_some() {
        let mut at = 0;
        pixels.for_each(|sample, is_valid| {
            let value = sample.to_f64();
            take(at % LANES, value, is_valid && !value.is_nan());
            at += 1;
        });
        return;
    }
    let nodata = pixels.nodata();
    let mut one = |lane: usize, sample: T| {
        let value = sample.to_f64();
        let is_valid = nodata.is_none_or(|nodata| !sample.is(nodata));
        take(lane, value, is_valid && !value.is_nan());
    };
    let chunks = pixels.samples().chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, sample) in chunk.iter().enumerate() {
            one(lane, *sample);
        }
    }
    for (lane, sample) in rest.iter().enumerate() {
        one(lane, *sample);
    }
}

#[cfg(test)]
mod tests;
