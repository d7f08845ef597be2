//! Nearest, bilinear and cubic resampling, as in GDAL's warper.

use super::patch::{Output, Patch, WarpSample};
use super::positions::Positions;
use super::resampling::Resampling;
use super::scale::KernelScale;
use super::source_map::ON_EDGE;

/// Weight of GDAL's accumulators below which there is no value.
const NO_WEIGHT: f64 = 1e-6;

/// Weight of four pixels below which there is no value.
const NO_WEIGHT_OF_FOUR: f64 = 1e-5;

pub(super) fn resample<T: WarpSample>(
    scale: KernelScale,
    method: Resampling,
    positions: &Positions,
    patches: &[Patch<'_, T>],
    output: &mut Output<T>,
) {
    let nodata = output.nodata();
    let blended = |value: Option<f64>| value.map(|value| T::blended(value, nodata));
    let mut wide = Wide::new(scale);
    match method {
        Resampling::Bilinear if wide.is_widened => {
            each_pixel(positions, patches, output, |patch, place, _| {
                blended(wide.value(patch, place, bilinear_weight, 1.0))
            });
        }
        Resampling::Cubic if wide.is_widened => {
            each_pixel(positions, patches, output, |patch, place, _| {
                blended(wide.value(patch, place, cubic_weight, 2.0))
            });
        }
        Resampling::Bilinear => each_pixel(positions, patches, output, |patch, place, _| blended(four(patch, place))),
        Resampling::Cubic => {
            each_pixel(positions, patches, output, |patch, place, _| {
                blended(sixteen(patch, place).or_else(|| four(patch, place)))
            });
        }
        _ => each_pixel(positions, patches, output, |_, _, sample| Some(sample)),
    }
}

/// Sets each target pixel whose source pixel is valid to the value of its position there, if it has one.
#[inline]
fn each_pixel<'a, T: WarpSample>(
    positions: &Positions,
    patches: &[Patch<'a, T>],
    output: &mut Output<T>,
    mut value: impl FnMut(&Patch<'a, T>, &Place, T) -> Option<T>,
) {
    let positions = positions.cols.iter().zip(&positions.rows);
    output.set_each(positions, |(x, y)| {
        let place = Place { x: *x, y: *y, col: holder(*x)?, row: holder(*y)? };
        let found = patches.iter().find_map(|patch| Some((patch, patch.index_of(place.col, place.row)?)));
        let (patch, at) = found?;
        value(patch, &place, patch.valid_at(at)?)
    });
}

/// A position and the pixel that holds it.
struct Place {
    x: f64,
    y: f64,
    col: u32,
    row: u32,
}

impl Place {
    /// The pixel whose centre is at or before the position along each axis, and the distance from it.
    #[inline(always)]
    fn before(&self) -> ((i64, f64), (i64, f64)) {
        let before = |place: f64, holder: u32| {
            let place = place - 0.5;
            // The holder or the one before it: without a branch, which would be taken at random.
            let first = i64::from(holder) - i64::from(place < f64::from(holder));
            (first, place - first as f64)
        };
        (before(self.x, self.col), before(self.y, self.row))
    }
}

/// The column or row of the pixel that contains a position, or begins within [`ON_EDGE`] after it; None before the first, and for NaN.
#[inline]
fn holder(place: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    (place >= -ON_EDGE && place < f64::from(u32::MAX)).then_some((place + ON_EDGE) as u32)
}

/// The mean of the valid ones of four pixels, weighted by distance.
// A call would take longer than the mean.
#[inline(always)]
fn four<T: WarpSample>(patch: &Patch<'_, T>, place: &Place) -> Option<f64> {
    let ((col, dx), (row, dy)) = place.before();
    if let (Ok(col), Ok(row)) = (u32::try_from(col), u32::try_from(row))
        && let Some([above, below]) = patch.square(col, row)
    {
        let sum = weighted(above, (1.0 - dy) * (1.0 - dx), (1.0 - dy) * dx);
        return Some(weighted(below, dy * (1.0 - dx), dy * dx) + sum);
    }
    some_of_four(patch, place)
}

/// The same where one of the pixels may be invalid or outside.
fn some_of_four<T: WarpSample>(patch: &Patch<'_, T>, place: &Place) -> Option<f64> {
    let ((col, dx), (row, dy)) = place.before();
    let (mut sum, mut total) = (0.0, 0.0);
    for (row, down) in [(row, 1.0 - dy), (row + 1, dy)] {
        for (col, across) in [(col, 1.0 - dx), (col + 1, dx)] {
            let weight = down * across;
            if weight != 0.0
                && let Some(value) = patch.value(col, row)
            {
                sum += value * weight;
                total += weight;
            }
        }
    }
    mean(sum, total, NO_WEIGHT_OF_FOUR)
}

/// The sum of two values with weights; a weight of 0 leaves a value out, also if it is not finite.
#[inline]
fn weighted<T: WarpSample>([first, second]: [T; 2], of_first: f64, of_second: f64) -> f64 {
    let is_integer = T::WHOLE_BITS > 0;
    let product = |value: T, weight: f64| if weight == 0.0 && !is_integer { 0.0 } else { value.to_f64() * weight };
    product(first, of_first) + product(second, of_second)
}

/// The Catmull-Rom mean of sixteen pixels; None unless all of them are valid.
fn sixteen<T: WarpSample>(patch: &Patch<'_, T>, place: &Place) -> Option<f64> {
    let ((col, dx), (row, dy)) = place.before();
    let weights = |at: f64| [-1.0, 0.0, 1.0, 2.0].map(|step| cubic_weight(step - at));
    let (across, down) = (weights(dx), weights(dy));
    let mut sum = 0.0;
    for (row, down) in (row - 1..).zip(down) {
        let mut of_row = 0.0;
        for (col, across) in (col - 1..).zip(across) {
            let value = patch.value(col, row)?;
            // 0 * NaN is NaN.
            if across != 0.0 {
                of_row += value * across;
            }
        }
        if down != 0.0 {
            sum += of_row * down;
        }
    }
    Some(sum)
}

fn mean(sum: f64, total: f64, least: f64) -> Option<f64> {
    match total {
        total if total < least => None,
        // As in GDAL: weights that add up to 1 but for rounding are not divided by.
        total if (total - 1.0).abs() <= 1e-5 => Some(sum),
        total => Some(sum / total),
    }
}

fn bilinear_weight(at: f64) -> f64 {
    (1.0 - at.abs()).max(0.0)
}

/// Keys' kernel with a = -0.5.
fn cubic_weight(at: f64) -> f64 {
    let at = at.abs();
    match at {
        _ if at <= 1.0 => at * at * (1.5 * at - 2.5) + 1.0,
        _ if at <= 2.0 => at * at * (-0.5 * at + 2.5) - 4.0 * at + 2.0,
        _ => 0.0,
    }
}

/// Kernels that are widened along one axis at least.
struct Wide {
    is_widened: bool,
    scale: (f64, f64),
    /// Weights of the columns of a kernel.
    across: Vec<f64>,
}

impl Wide {
    fn new(scale: KernelScale) -> Self {
        Self { is_widened: scale.is_widened(), scale: (scale.x.min(1.0), scale.y.min(1.0)), across: Vec::new() }
    }

    /// The mean of the valid pixels under a kernel.
    fn value<T: WarpSample>(
        &mut self,
        patch: &Patch<'_, T>,
        place: &Place,
        weight: fn(f64) -> f64,
        radius: f64,
    ) -> Option<f64> {
        let ((col, dx), (row, dy)) = place.before();
        #[expect(clippy::cast_possible_truncation, reason = "a kernel is no larger than the source")]
        let reach = |scale: f64| (radius / scale).ceil() as i64;
        let (reach_x, reach_y) = (reach(self.scale.0), reach(self.scale.1));
        let (cols, rows) = (patch.cols(col - reach_x, col + reach_x), patch.rows(row - reach_y, row + reach_y));
        self.across.clear();
        self.across.extend(cols.clone().map(|at| weight(((at - col) as f64 - dx) * self.scale.0)));
        let (mut sum, mut total) = (0.0, 0.0);
        for at in rows {
            let down = weight(((at - row) as f64 - dy) * self.scale.1);
            if down == 0.0 {
                continue;
            }
            let (mut of_row, mut total_of_row) = (0.0, 0.0);
            for (col, across) in cols.clone().zip(&self.across) {
                if *across != 0.0
                    && let Some(value) = patch.value(col, at)
                {
                    of_row += value * across;
                    total_of_row += across;
                }
            }
            sum += of_row * down;
            total += total_of_row * down;
        }
        mean(sum, total, NO_WEIGHT)
    }
}
