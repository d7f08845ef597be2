//! Smoothness test of a mapping over a box: injective, without jumps, folds or holes.

use geo_types::Coord;

use super::mapping::distance;
use crate::crs::nearest_longitude;
use crate::geo::BBox;

/// Number of steps along each side of the sampling grid.
const STEPS: usize = 8;

/// Maximum ratio of a step to the longer of its neighbours along a grid line. The Mercator projection up to 1.5 degrees
/// from the pole has 4; a jump to the other side of a map, or past a pole, far more.
const MAX_RATIO: f64 = 6.0;

/// Maximum ratio of a step to those of an even mapping. If some steps are longer, as at jumps or around a pole, the
/// centres of the grid cells are tested too.
const EVEN_RATIO: f64 = 1.5;

/// Maximum distance between the image of a cell's centre and the mean of its corners, relative to the cell's diagonal.
/// Around a pole on the side of a cell, which no sample hits, it is a quarter or more.
const MAX_BEND: f64 = 0.2;

/// Whether `to` is smooth over a box, judged by a grid of samples. With `degrees`, x of the result is a longitude that
/// may wrap from 180 to -180.
pub(super) fn is_smooth(bbox: BBox, degrees: bool, to: impl Fn(Coord<f64>) -> Option<Coord<f64>>) -> bool {
    let at = |from: f64, to: f64, step: f64| from + (to - from) * (step / STEPS as f64);
    let mut grid: Vec<Vec<Coord<f64>>> = Vec::with_capacity(STEPS + 1);
    for v in 0..=STEPS {
        let mut row: Vec<Coord<f64>> = Vec::with_capacity(STEPS + 1);
        for u in 0..=STEPS {
            let point = Coord { x: at(bbox.xmin, bbox.xmax, u as f64), y: at(bbox.ymin, bbox.ymax, v as f64) };
            let Some(mut image) = to(point) else {
                return false;
            };
            if let Some(before) = row.last().or_else(|| grid.last()?.first()).filter(|_| degrees) {
                image.x = nearest_longitude(image.x, before.x);
            }
            row.push(image);
        }
        grid.push(row);
    }
    let columns = (0..=STEPS).map(|u| grid.iter().map(|row| row[u]).collect::<Vec<_>>()).collect::<Vec<_>>();
    let ratio = grid.iter().chain(&columns).map(|line| step_ratio(line)).fold(1.0, f64::max);
    if ratio > MAX_RATIO || !is_unfolded(&grid) {
        return false;
    }
    let mut cells = (0..STEPS).flat_map(|v| (0..STEPS).map(move |u| (u, v)));
    ratio <= EVEN_RATIO
        || cells.all(|(u, v)| {
            let point =
                Coord { x: at(bbox.xmin, bbox.xmax, u as f64 + 0.5), y: at(bbox.ymin, bbox.ymax, v as f64 + 0.5) };
            let corners = [grid[v][u], grid[v][u + 1], grid[v + 1][u], grid[v + 1][u + 1]];
            to(point).is_some_and(|middle| is_between(middle, corners, degrees))
        })
}

/// Whether the image of a cell's centre is near the mean of its corners.
fn is_between(mut middle: Coord<f64>, [a, b, c, d]: [Coord<f64>; 4], degrees: bool) -> bool {
    let mean = (a + b + c + d) / 4.0;
    if degrees {
        middle.x = nearest_longitude(middle.x, mean.x);
    }
    distance(middle, mean) <= MAX_BEND * distance(a, d).max(distance(b, c))
}

/// The largest ratio of a step to the longer of its neighbours.
fn step_ratio(line: &[Coord<f64>]) -> f64 {
    let steps: Vec<f64> = line.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
    let ratios = steps.iter().enumerate().map(|(at, step)| {
        let before = at.checked_sub(1).map_or(0.0, |before| steps[before]);
        let after = steps.get(at + 1).copied().unwrap_or(0.0);
        if *step == 0.0 { 1.0 } else { step / before.max(after) }
    });
    ratios.fold(1.0, f64::max)
}

/// Whether all triangles of a grid have the same orientation.
fn is_unfolded(grid: &[Vec<Coord<f64>>]) -> bool {
    let turn = |a: Coord<f64>, b: Coord<f64>, c: Coord<f64>| {
        let (first, second) = (b - a, c - a);
        first.x * second.y - first.y * second.x
    };
    let cells = grid.windows(2).flat_map(|rows| rows[0].windows(2).zip(rows[1].windows(2)));
    let mut turns = cells.flat_map(|(upper, lower)| {
        let [a, b, c, d] = [upper[0], upper[1], lower[0], lower[1]];
        [turn(a, b, c), turn(d, c, b), turn(b, d, a), turn(c, a, d)]
    });
    let Some(first) = turns.next() else {
        return false;
    };
    first != 0.0 && turns.all(|turn| turn * first.signum() > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: BBox = BBox { xmin: -1.0, ymin: -1.0, xmax: 1.0, ymax: 1.0 };

    fn angle(at: Coord<f64>) -> impl Fn(Coord<f64>) -> Option<Coord<f64>> {
        move |point| {
            let from = point - at;
            Some(Coord { x: from.y.atan2(from.x).to_degrees(), y: 90.0 - from.x.hypot(from.y) })
        }
    }

    #[test]
    fn poles_are_smooth_only_at_a_distance() {
        for (at, expected) in [
            (Coord { x: 0.01, y: 0.02 }, false),
            (Coord { x: 0.13, y: -0.6 }, false),
            (Coord { x: 1.0, y: 0.01 }, false),
            (Coord { x: 0.12, y: 1.01 }, false),
            (Coord { x: 1.0, y: 1.0 }, false),
            (Coord { x: 1.5, y: 0.3 }, true),
            (Coord { x: 3.0, y: -3.0 }, true),
        ] {
            assert_eq!(is_smooth(BOX, true, angle(at)), expected, "{at:?}");
        }
        // Longitudes that wrap are smooth only modulo 360 degrees.
        let at = Coord { x: 2.0, y: 0.1 };
        assert!(is_smooth(BOX, true, angle(at)) && !is_smooth(BOX, false, angle(at)));
    }

    #[test]
    fn folds_holes_and_jumps() {
        let fold = |Coord { x, y }: Coord<f64>| Some(Coord { x: x * (0.4 - x), y });
        let hole = |point: Coord<f64>| (point.x + point.y < 1.9).then_some(point);
        let jump = |Coord { x, y }: Coord<f64>| Some(Coord { x: if x < 0.3 { x + 40.0 } else { x }, y });
        assert!(!is_smooth(BOX, false, fold) && !is_smooth(BOX, false, hole) && !is_smooth(BOX, false, jump));
        assert!(is_smooth(BOX, false, |Coord { x, y }| Some(Coord { x: y + x * x / 4.0, y: 3.0 * x })));
    }
}
