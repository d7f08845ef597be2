//! Statistics of the pixels that a geometry covers, weighted by coverage.
//!
//! ```text
//! run of weight 1, integers ── count, sum and sum of squares, exactly ──────────────┐
//! run of weight 1, floats ──── count, sum, mean, squares around that mean ──┐       ├── ZonalStats ── merge ── finish
//! other runs ───────────────── the same, times the weight ──────────────────┤ Chan ─┘
//! single pixels of an edge ─── the same, of some tens together ─────────────┘
//! ```
//!
//! A block is summed by itself and then merged, so that blocks summed by several threads and merged in one order give the same bits
//! as one thread that adds them in that order. Squares are taken around means, never as a difference of large sums, and
//! sums carry their rounding error along (Neumaier).
//!
//! Invalid pixels and NaN never count. Values are as stored: scale and offset are applied to the results, which is exact where it
//! would not be for each pixel.

use crate::grid::{Coverage, Run, Window};
use crate::pixel::{Block, Pixels, RunVisitor, Sample};

/// Integers of 64 bits up to this size are summed exactly: so are the squares of as many as there may be.
const LARGEST_WHOLE: f64 = (1u64 << 48) as f64;

/// Statistics of a zone in the making.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ZonalStats {
    /// Integers that weigh 1.
    whole: Whole,
    /// Everything else.
    moments: Moments,
    /// The least and the largest value.
    extremes: Option<(f64, f64)>,
}

/// Statistics of a zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// The sum of weights of valid pixels.
    pub count: f64,
    /// None without valid pixels.
    pub values: Option<ValueStatistics>,
}

/// Statistics of the values of a zone with valid pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueStatistics {
    /// The sum of values, each times its weight.
    pub sum: f64,
    /// The mean, weighted.
    pub mean: f64,
    /// The least value of a pixel that weighs anything.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The standard deviation of the population, weighted.
    pub stddev: f64,
    /// The variance of the population, weighted.
    pub variance: f64,
}

impl ZonalStats {
    /// Adds the pixels of a block that are covered. Blocks of complex samples are the caller's to refuse.
    pub fn add(&mut self, block: &Block, coverage: &Coverage) {
        let Some(window) = coverage.window().and_then(|window| window.intersection(&block.window)) else {
            return;
        };
        if block.is_constant() {
            return self.add_constant(block, coverage, window);
        }
        block.warm(window);
        let mut runs = AddRuns { stats: Self::default(), edge: Edge::default() };
        block.visit_runs(coverage.within(window), &mut runs);
        self.merge(&runs.finish());
    }

    /// Adds a block whose pixels are all the same, as of a sparse tile: one of them is looked at, however many there are.
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

    /// Adds what another has summed. In what order counts in the last bits only, and not for integers that weigh 1.
    pub fn merge(&mut self, other: &Self) {
        self.whole.merge(other.whole);
        self.moments.merge(&other.moments);
        self.extend(other.extremes);
    }

    /// The statistics so far, of the stored values `v` or, with a scale and an offset, of `v * scale + offset`.
    #[must_use]
    pub fn finish(&self, scale_and_offset: Option<(f64, f64)>) -> Statistics {
        let mut all = self.whole.moments();
        all.merge(&self.moments);
        let count = all.weight.total();
        let Some((min, max)) = self.extremes.filter(|_| count > 0.0) else {
            return Statistics { count: 0.0, values: None };
        };
        let (sum, variance) = (all.sum.total(), all.squares / count);
        // Within the rounding of a mean of equal values.
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
        Statistics { count, values: Some(values) }
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

/// Exact sums of integers. Those of squares are kept without their overflow, which the difference that is taken of them undoes.
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

    /// The same so many times.
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
        // Around the whole number next to the mean, squares are exact; from there to the mean it is a small step.
        let near = (2 * self.sum + count).div_euclid(2 * count);
        let rest = self.sum - near * count;
        let away = near.wrapping_mul(2 * self.sum - near * count).cast_unsigned();
        let squares = self.squares.wrapping_sub(away);
        // The numbers that go into doubles here are rounded once each.
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
    /// The sum of the squares of what values are away from the mean.
    squares: f64,
}

impl Moments {
    fn of(weight: f64, sum: f64, mean: f64, squares: f64) -> Self {
        Self { weight: Sum { value: weight, error: 0.0 }, sum: Sum { value: sum, error: 0.0 }, mean, squares }
    }

    fn weighted(self, weight: f64) -> Self {
        Self::of(self.weight.total() * weight, self.sum.total() * weight, self.mean, self.squares * weight)
    }

    /// Chan's update.
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

/// A sum, and what rounding took from it (Neumaier).
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
        // Of infinite sums there is nothing to carry.
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

/// Single pixels, which most of those at an edge are: each alone would cost more than a run.
#[derive(Default)]
struct Edge {
    /// Values and weights.
    pixels: [(f64, f64); EDGE],
    len: usize,
}

/// Few enough that sums of them are as exact as those of a run.
const EDGE: usize = 32;

impl Edge {
    /// Adds a pixel; gives the statistics of all when there is no more room.
    fn push(&mut self, value: f64, weight: f64) -> Option<ZonalStats> {
        if let Some(free) = self.pixels.get_mut(self.len) {
            *free = (value, weight);
            self.len += 1;
        }
        (self.len == EDGE).then(|| self.take()).flatten()
    }

    /// The statistics of the pixels, which are let go; None where there are none.
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
        // From one of the values on, so that the mean of equal ones is what they are.
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
                // Doubles of integers that are too large are as good as the results can be.
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

/// Calls `take` with each pixel's sample and whether it is valid: loops without branches, which compile to vector instructions.
#[inline(always)]
fn each<T: Sample>(pixels: &Pixels<'_, T>, mut take: impl FnMut(T, bool)) {
    match (pixels.stride(), pixels.mask(), pixels.nodata()) {
        (1, None, None) => pixels.samples().iter().for_each(|sample| take(*sample, true)),
        (1, None, Some(nodata)) => pixels.samples().iter().for_each(|sample| take(*sample, !sample.is(nodata))),
        _ => pixels.for_each(take),
    }
}

/// Sums of integers of up to 16 bits, whose squares fit 32: by so many that sums do too, which makes vectors of more lanes.
fn short_sums<T: Sample>(pixels: &Pixels<'_, T>) -> (Whole, (f64, f64)) {
    const MANY: usize = 1 << 12;
    // Half of the numbers of 16 bits are negative once this is taken from them, and least and most are found in 16 bits.
    let middle: i32 = if T::nearest(-1.0).whole() < 0 { 0 } else { 1 << 15 };
    let mut all = Whole::default();
    let (mut least, mut most) = (i16::MAX, i16::MIN);
    pixels.by(MANY, |pixels| {
        let (mut count, mut sum, mut low, mut high) = (0u32, 0i32, 0u32, 0u32);
        let (mut near, mut far) = (i16::MAX, i16::MIN);
        each(&pixels, |sample, is_valid| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "of up to 16 bits, and what is left after the shift too"
            )]
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

/// Sums of longer integers.
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

/// So many sums are taken side by side.
const LANES: usize = 8;

/// The number, the sum, the least and the largest of valid values that are not NaN; None where there are none.
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

/// The sum of the squares of what valid values are away from a number.
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
