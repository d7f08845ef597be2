//! Resampling by the area of target pixels: exact shares of the source pixels under a quadrilateral.

use super::patch::{Output, Patch, WarpSample};
use super::positions::Positions;
use super::quadrilaterals::Corners;
use super::resampling::Resampling;
use super::source_map::SourceMap;
use crate::Result;
use crate::grid::Window;

/// Share of a source pixel below which it is not under a target pixel, but for rounding.
const NO_SHARE: f64 = 1e-9;

pub(super) fn resample<T: WarpSample>(
    map: &SourceMap,
    method: Resampling,
    (window, positions): (Window, &Positions),
    patches: &[Patch<'_, T>],
    output: &mut Output<T>,
) -> Result<()> {
    let mut clip = Clip::default();
    let mut pixel = Pixel::default();
    let mut current = None;
    // Quadrilaterals of one pixel follow each other.
    positions.each_quadrilateral(map, window, &mut |at, corners| {
        if current != Some(at)
            && let Some(last) = current.replace(at)
        {
            pixel.finish(method, last, output);
        }
        for patch in patches {
            clip.each_share(&corners, patch, |sample, share| pixel.add(method, sample, share));
        }
    })?;
    if let Some(last) = current {
        pixel.finish(method, last, output);
    }
    Ok(())
}

/// The source pixels under a target pixel.
struct Pixel<T> {
    sum: f64,
    total: f64,
    best: Option<T>,
    shares: Vec<(T, f64)>,
}

impl<T> Default for Pixel<T> {
    fn default() -> Self {
        Self { sum: 0.0, total: 0.0, best: None, shares: Vec::new() }
    }
}

impl<T: WarpSample> Pixel<T> {
    fn add(&mut self, method: Resampling, sample: T, share: f64) {
        match method {
            Resampling::Mode => match self.shares.last_mut() {
                Some((last, sum)) if *last == sample => *sum += share,
                _ => self.shares.push((sample, share)),
            },
            Resampling::Min => self.keep(sample, |sample, best| sample < best),
            Resampling::Max => self.keep(sample, |sample, best| sample > best),
            _ => self.sum += sample.to_f64() * share,
        }
        self.total += share;
    }

    /// Keeps a sample that is better than the best, or the first that is a number.
    fn keep(&mut self, sample: T, is_better: fn(f64, f64) -> bool) {
        let value = sample.to_f64();
        let replaces = |best: &T| is_better(value, best.to_f64()) || (best.to_f64().is_nan() && !value.is_nan());
        // 64-bit integers that are one as doubles are compared as integers.
        let is_whole = T::WHOLE_BITS == 64;
        let replaces = |best: &T| if is_whole { is_better_whole(sample, *best, is_better) } else { replaces(best) };
        if self.best.as_ref().is_none_or(replaces) {
            self.best = Some(sample);
        }
    }

    fn finish(&mut self, method: Resampling, at: usize, output: &mut Output<T>) {
        if self.total > 0.0 {
            match method {
                Resampling::Mode => {
                    self.shares.sort_by(|a, b| a.0.order(b.0));
                    let mut best: Option<(T, f64)> = None;
                    for same in self.shares.chunk_by(|a, b| a.0.order(b.0).is_eq()) {
                        let share: f64 = same.iter().map(|(_, share)| share).sum();
                        // Sums of equal shares differ by rounding.
                        if best.is_none_or(|(_, most)| share > most * (1.0 + NO_SHARE)) {
                            best = same.first().map(|(sample, _)| (*sample, share));
                        }
                    }
                    best.into_iter().for_each(|(sample, _)| output.copy(at, sample));
                }
                Resampling::Min | Resampling::Max => self.best.into_iter().for_each(|sample| output.copy(at, sample)),
                _ => output.blend(at, Some(self.sum / self.total)),
            }
        }
        self.shares.clear();
        (self.sum, self.total, self.best) = (0.0, 0.0, None);
    }
}

/// Whether a 64-bit integer is on the better side of another, without rounding.
fn is_better_whole<T: WarpSample>(sample: T, best: T, is_better: fn(f64, f64) -> bool) -> bool {
    match sample.order(best) {
        std::cmp::Ordering::Less => is_better(0.0, 1.0),
        std::cmp::Ordering::Equal => false,
        std::cmp::Ordering::Greater => is_better(1.0, 0.0),
    }
}

/// Buffers for clipping.
#[derive(Default)]
struct Clip {
    of_row: Vec<(f64, f64)>,
    of_pixel: Vec<(f64, f64)>,
    scratch: Vec<(f64, f64)>,
}

impl Clip {
    /// Calls `take` with each valid pixel of a patch under a quadrilateral, and its area there.
    fn each_share<T: WarpSample>(&mut self, corners: &Corners, patch: &Patch<'_, T>, mut take: impl FnMut(T, f64)) {
        let [a, b, c, d] = *corners;
        let (cols, rows) = (range(corners.map(|corner| corner.0)), range(corners.map(|corner| corner.1)));
        let (cols, rows) = (patch.cols(cols.0, cols.1), patch.rows(rows.0, rows.1));
        let (left, right, top, bottom) = if a.0 == d.0 && b.0 == c.0 && a.1 == b.1 && c.1 == d.1 {
            (a.0.min(b.0), a.0.max(b.0), a.1.min(c.1), a.1.max(c.1))
        } else if a.1 == d.1 && b.1 == c.1 && a.0 == b.0 && c.0 == d.0 {
            (a.0.min(d.0), a.0.max(d.0), a.1.min(b.1), a.1.max(b.1))
        } else {
            return self.each_share_of_any(corners, patch, take);
        };
        let overlap = |at: i64, start: f64, end: f64| (end.min(at as f64 + 1.0) - start.max(at as f64)).max(0.0);
        for row in rows {
            let down = overlap(row, top, bottom);
            for col in cols.clone() {
                let share = down * overlap(col, left, right);
                if share > NO_SHARE
                    && let Some(sample) = patch.sample(col, row)
                {
                    take(sample, share);
                }
            }
        }
    }

    fn each_share_of_any<T: WarpSample>(
        &mut self,
        corners: &Corners,
        patch: &Patch<'_, T>,
        mut take: impl FnMut(T, f64),
    ) {
        let rows = range(corners.map(|corner| corner.1));
        for row in patch.rows(rows.0, rows.1) {
            let (top, bottom) = (row as f64, row as f64 + 1.0);
            clip(corners, &mut self.scratch, |(_, y)| y - top);
            clip(&self.scratch, &mut self.of_row, |(_, y)| bottom - y);
            if self.of_row.is_empty() {
                continue;
            }
            let least = self.of_row.iter().map(|corner| corner.0).fold(f64::INFINITY, f64::min);
            let most = self.of_row.iter().map(|corner| corner.0).fold(f64::NEG_INFINITY, f64::max);
            let cols = range([least, most, least, most]);
            for col in patch.cols(cols.0, cols.1) {
                let Some(sample) = patch.sample(col, row) else { continue };
                let (left, right) = (col as f64, col as f64 + 1.0);
                clip(&self.of_row, &mut self.scratch, |(x, _)| x - left);
                clip(&self.scratch, &mut self.of_pixel, |(x, _)| right - x);
                let share = area(&self.of_pixel, (left, top));
                if share > NO_SHARE {
                    take(sample, share);
                }
            }
        }
    }
}

/// The first and last pixels between coordinates.
#[expect(clippy::cast_possible_truncation, reason = "positions are near the image, and casts saturate")]
fn range(places: [f64; 4]) -> (i64, i64) {
    let least = places.into_iter().fold(f64::INFINITY, f64::min);
    let most = places.into_iter().fold(f64::NEG_INFINITY, f64::max);
    (least.floor() as i64, most.ceil() as i64 - 1)
}

/// Clips a polygon to where `inside` is not negative.
fn clip(polygon: &[(f64, f64)], out: &mut Vec<(f64, f64)>, inside: impl Fn((f64, f64)) -> f64) {
    out.clear();
    let Some(mut last) = polygon.last().copied() else { return };
    let mut last_inside = inside(last);
    for corner in polygon {
        let is_inside = inside(*corner);
        if (is_inside < 0.0) != (last_inside < 0.0) {
            let share = last_inside / (last_inside - is_inside);
            out.push((last.0 + (corner.0 - last.0) * share, last.1 + (corner.1 - last.1) * share));
        }
        if is_inside >= 0.0 {
            out.push(*corner);
        }
        (last, last_inside) = (*corner, is_inside);
    }
}

/// Area of a polygon; coordinates are relative to `origin`, so that large ones do not cancel out.
fn area(polygon: &[(f64, f64)], origin: (f64, f64)) -> f64 {
    let Some(mut last) = polygon.last().map(|(x, y)| (x - origin.0, y - origin.1)) else {
        return 0.0;
    };
    let mut twice = 0.0;
    for (x, y) in polygon {
        let corner = (x - origin.0, y - origin.1);
        twice += last.0 * corner.1 - corner.0 * last.1;
        last = corner;
    }
    twice.abs() / 2.0
}

/// The samples under a quadrilateral and their shares.
#[cfg(test)]
pub(super) fn shares(corners: &Corners, source: &super::SourcePixels, take: impl FnMut(f64, f64)) {
    let patch = Patch::<f64>::of(source).unwrap();
    Clip::default().each_share(corners, &patch, take);
}
