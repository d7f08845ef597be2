//! Polynomial approximation of a projection near a raster, with a known error.
//!
//! Evaluating the polynomials costs a fraction of the projection. For most geometries, which are small and lie well
//! inside a tile, a hundredth of a pixel is exact enough. The polynomials also bound the curvature of edges, and so the
//! extent of a projected box from its centre alone. Whatever is closer to a decision than the error is projected
//! exactly.

use geo_types::Coord;

use super::extent::Extent;
use super::mapping::distance;
use crate::geo::BBox;

/// Degrees to try: 3 suffices for a scene of a hundred kilometres to a tenth of a pixel, 9 for a country.
const DEGREES: [usize; 4] = [3, 5, 7, 9];

/// Sufficient accuracy in pixels: few geometries are closer than that to a tile boundary.
const MAX_ERROR: f64 = 0.01;

/// Safety factor for the error between the sampled points.
const SAFETY: f64 = 4.0;

/// Pixel coordinates as polynomials of both coordinates in a box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Polynomial {
    bbox: BBox,
    /// Scale factors from x to u and from y to v, which range from -1 to 1 over the box.
    scale: (f64, f64),
    /// Coefficients of `u^j v^k` at `k * terms + j`, for the column and the row.
    coefficients: Vec<(f64, f64)>,
    terms: usize,
    /// Maximum error in pixels.
    pub(super) error: f64,
    /// Maximum second derivative along any direction in (u, v).
    bend: f64,
}

impl Polynomial {
    /// Fits polynomials to `project` in a box; None if none is accurate enough.
    pub(super) fn fit(bbox: BBox, project: impl Fn(Coord<f64>) -> Option<Coord<f64>>) -> Option<Self> {
        DEGREES.into_iter().find_map(|degree| {
            let fitted = Self::interpolate(bbox, degree + 1, &project)?;
            let error = fitted.measured_error(&project)? * SAFETY;
            (error <= MAX_ERROR).then_some(Self { error, ..fitted })
        })
    }

    /// Interpolates the projection at the Chebyshev nodes.
    fn interpolate(bbox: BBox, terms: usize, project: &impl Fn(Coord<f64>) -> Option<Coord<f64>>) -> Option<Self> {
        let count = terms as f64;
        let nodes: Vec<f64> = (0..terms).map(|at| (std::f64::consts::PI * (at as f64 + 0.5) / count).cos()).collect();
        let mut samples = Vec::with_capacity(terms * terms);
        for v in &nodes {
            for u in &nodes {
                samples.push(project(place(bbox, *u, *v))?);
            }
        }
        // A single matrix per axis: node values to Chebyshev coefficients to power coefficients.
        let powers = chebyshev_powers(terms);
        let value = |order: usize, x: f64| powers[order].iter().rev().fold(0.0, |sum, power| sum * x + power);
        let weight = |order: usize, node: usize| value(order, nodes[node]) * if order == 0 { 1.0 } else { 2.0 } / count;
        let matrix: Vec<Vec<f64>> = (0..terms)
            .map(|power| {
                (0..terms)
                    .map(|node| (0..terms).map(|order| powers[order][power] * weight(order, node)).sum())
                    .collect()
            })
            .collect();
        let mut coefficients = vec![(0.0, 0.0); terms * terms];
        for (k, row) in matrix.iter().enumerate() {
            for (j, column) in matrix.iter().enumerate() {
                for (at, sample) in samples.iter().enumerate() {
                    let share = row[at / terms] * column[at % terms];
                    coefficients[k * terms + j].0 += share * sample.x;
                    coefficients[k * terms + j].1 += share * sample.y;
                }
            }
        }
        let second = |at: usize| {
            let (j, k) = ((at % terms) as f64, (at / terms) as f64);
            j * (j - 1.0) + 2.0 * j * k + k * (k - 1.0)
        };
        let bend = coefficients.iter().enumerate().map(|(at, (x, y))| x.hypot(*y) * second(at)).sum();
        let scale = (2.0 / (bbox.xmax - bbox.xmin), 2.0 / (bbox.ymax - bbox.ymin));
        Some(Self { bbox, scale, coefficients, terms, error: 0.0, bend })
    }

    /// The largest error at points between the nodes and on the boundary of the box.
    fn measured_error(&self, project: &impl Fn(Coord<f64>) -> Option<Coord<f64>>) -> Option<f64> {
        let steps = self.terms + 2;
        let at = |step: usize| 2.0 * step as f64 / steps as f64 - 1.0;
        let mut worst = 0.0f64;
        for (v, u) in (0..=steps).flat_map(|v| (0..=steps).map(move |u| (at(v), at(u)))) {
            let point = place(self.bbox, u, v);
            worst = worst.max(distance(project(point)?, self.pixel(point)));
        }
        Some(worst)
    }

    /// Approximate pixel of a point in the box.
    pub(super) fn pixel(&self, point: Coord<f64>) -> Coord<f64> {
        let (u, v) = self.place_of(point);
        // `mul_add` is a slow library call where the compiler may not assume the instruction.
        let along = |sum: (f64, f64), by: f64, next: (f64, f64)| (sum.0 * by + next.0, sum.1 * by + next.1);
        let rows = self.coefficients.chunks_exact(self.terms).rev();
        let of_row = |row: &[(f64, f64)]| row.iter().rev().fold((0.0, 0.0), |sum, next| along(sum, u, *next));
        let (x, y) = rows.fold((0.0, 0.0), |sum, row| along(sum, v, of_row(row)));
        Coord { x, y }
    }

    /// Extent of a geometry that touches all sides of a box: a linear approximation around the centre, with a bound on
    /// the curvature.
    pub(super) fn extent(&self, bounds: BBox) -> Extent {
        let middle = Coord { x: f64::midpoint(bounds.xmin, bounds.xmax), y: f64::midpoint(bounds.ymin, bounds.ymax) };
        let [pixel, along_u, along_v] = self.slopes(middle);
        let (half_u, half_v) = self.halves(bounds);
        let margin = self.error + self.bow(bounds);
        let axis = |at: f64, by_u: f64, by_v: f64| {
            let (by_u, by_v) = ((by_u * half_u).abs(), (by_v * half_v).abs());
            // A connected geometry may lie anywhere along the shorter axis where it spans the longer one.
            let (most, least) = (by_u + by_v + margin, (by_u - by_v).abs() - margin);
            ((at - most, at + most), (at - least, at + least))
        };
        let ((left, right), (inner_left, inner_right)) = axis(pixel.0, along_u.0, along_v.0);
        let ((top, bottom), (inner_top, inner_bottom)) = axis(pixel.1, along_u.1, along_v.1);
        Extent {
            outer: BBox { xmin: left, ymin: top, xmax: right, ymax: bottom },
            inner: BBox { xmin: inner_left, ymin: inner_top, xmax: inner_right, ymax: inner_bottom },
        }
    }

    /// Approximate pixel of a point in the box, and its derivatives by u and v.
    fn slopes(&self, point: Coord<f64>) -> [(f64, f64); 3] {
        let (u, v) = self.place_of(point);
        let step = |sum: (f64, f64), by: f64, next: (f64, f64)| (sum.0 * by + next.0, sum.1 * by + next.1);
        let zero = (0.0, 0.0);
        self.coefficients.chunks_exact(self.terms).rev().fold([zero; 3], |[sum, by_u, by_v], row| {
            let [value, slope] =
                row.iter().rev().fold([zero; 2], |[value, slope], next| [step(value, u, *next), step(slope, u, value)]);
            [step(sum, v, value), step(by_u, v, slope), step(by_v, v, sum)]
        })
    }

    /// Whether a box lies inside that of the polynomials.
    pub(super) fn holds(&self, bounds: BBox) -> bool {
        let BBox { xmin, ymin, xmax, ymax } = self.bbox;
        xmin <= bounds.xmin && bounds.xmax <= xmax && ymin <= bounds.ymin && bounds.ymax <= ymax
    }

    /// Maximum deviation of an edge within `bounds` from a straight line, in pixels.
    pub(super) fn bow(&self, bounds: BBox) -> f64 {
        let (half_u, half_v) = self.halves(bounds);
        let half = if half_u > half_v { half_u } else { half_v };
        self.bend * half * half / 2.0
    }

    /// Converts a point to (u, v).
    fn place_of(&self, point: Coord<f64>) -> (f64, f64) {
        let BBox { xmin, ymin, xmax, ymax } = self.bbox;
        ((point.x - f64::midpoint(xmin, xmax)) * self.scale.0, (point.y - f64::midpoint(ymin, ymax)) * self.scale.1)
    }

    /// Half the size of a box in (u, v).
    fn halves(&self, bounds: BBox) -> (f64, f64) {
        ((bounds.xmax - bounds.xmin) * self.scale.0 / 2.0, (bounds.ymax - bounds.ymin) * self.scale.1 / 2.0)
    }
}

/// The point of a box at `(u, v)`, each from -1 to 1.
fn place(bbox: BBox, u: f64, v: f64) -> Coord<f64> {
    let between = |min: f64, max: f64, at: f64| f64::midpoint(min, max) + (max - min) / 2.0 * at;
    Coord { x: between(bbox.xmin, bbox.xmax, u), y: between(bbox.ymin, bbox.ymax, v) }
}

/// Power coefficients of the Chebyshev polynomials.
fn chebyshev_powers(terms: usize) -> Vec<Vec<f64>> {
    let mut powers = vec![vec![0.0; terms]; terms];
    for order in 0..terms {
        match order {
            0 | 1 => powers[order][order] = 1.0,
            _ => {
                for power in 0..terms {
                    let twice = if power == 0 { 0.0 } else { 2.0 * powers[order - 1][power - 1] };
                    powers[order][power] = twice - powers[order - 2][power];
                }
            }
        }
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: BBox = BBox { xmin: 3.0, ymin: 40.0, xmax: 5.0, ymax: 41.0 };

    #[test]
    fn a_polynomial_is_reproduced() {
        let cubic = |Coord { x, y }: Coord<f64>| Some(Coord { x: x * x * x - 2.0 * x * y, y: 7.0 + y * y - x });
        let fitted = Polynomial::fit(BOX, cubic).unwrap();
        assert!(fitted.terms == 4 && fitted.error < 1e-9, "{fitted:?}");
        let point = Coord { x: 3.3, y: 40.9 };
        assert!(distance(fitted.pixel(point), cubic(point).unwrap()) < 1e-9);
    }

    #[test]
    fn an_extent_contains_the_pixels_of_its_box() {
        let turned = |Coord { x, y }: Coord<f64>| {
            Some(Coord { x: 900.0 * x + 80.0 * y + 3.0 * x * y, y: 60.0 * x - 1100.0 * y + 2.0 * y * y })
        };
        let fitted = Polynomial::fit(BOX, turned).unwrap();
        let bounds = BBox { xmin: 3.4, ymin: 40.2, xmax: 3.5, ymax: 40.35 };
        let Extent { outer, inner } = fitted.extent(bounds);
        let steps = || (0..=10).map(|step| f64::from(step) / 10.0);
        let pixels = steps()
            .flat_map(|v| steps().map(move |u| (u, v)))
            .map(|(u, v)| turned(Coord { x: bounds.xmin + u * 0.1, y: bounds.ymin + v * 0.15 }).unwrap());
        for pixel in pixels {
            assert!(outer.xmin <= pixel.x && pixel.x <= outer.xmax && outer.ymin <= pixel.y && pixel.y <= outer.ymax);
        }
        // Both diagonals touch all sides of the box; one of them has the smaller extent.
        let corners = [(3.4, 40.2), (3.5, 40.35), (3.5, 40.2), (3.4, 40.35)];
        for ends in corners.map(|(x, y)| turned(Coord { x, y }).unwrap()).chunks(2) {
            assert!(ends[0].x.min(ends[1].x) <= inner.xmin && ends[0].x.max(ends[1].x) >= inner.xmax);
            assert!(ends[0].y.min(ends[1].y) <= inner.ymin && ends[0].y.max(ends[1].y) >= inner.ymax);
        }
        assert!(inner.xmax - inner.xmin > 0.6 * (outer.xmax - outer.xmin), "{outer:?} {inner:?}");
    }

    #[test]
    fn undefined_and_discontinuous_functions_have_no_polynomial() {
        let torn = |Coord { x, y }: Coord<f64>| Some(Coord { x: if x < 4.0 { x } else { x + 100.0 }, y });
        assert_eq!(Polynomial::fit(BOX, torn), None);
        assert_eq!(Polynomial::fit(BOX, |point: Coord<f64>| (point.x < 4.5).then_some(point)), None);
    }

    #[test]
    fn bow_bounds_the_deviation_of_an_edge() {
        let parabola =
            |Coord { x, y }: Coord<f64>| Some(Coord { x: 100.0 * x, y: 100.0 * (y + (x - 4.0) * (x - 4.0)) });
        let fitted = Polynomial::fit(BOX, parabola).unwrap();
        // From 3 to 5, the midpoint of the edge deviates by 100 pixels.
        let bow = fitted.bow(BBox { ymax: 40.0, ..BOX });
        assert!((100.0 - 1e-6..101.0).contains(&bow), "{bow}");
        assert!((fitted.bow(BBox { xmax: 3.2, ymax: 40.0, ..BOX }) - bow / 100.0).abs() < 1e-9);
    }
}
