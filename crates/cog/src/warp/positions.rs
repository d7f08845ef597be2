//! Source positions of the pixels of a block.
//!
//! Projecting each pixel would cost more than resampling it. A block is divided into cells; in each, the mapping is interpolated by
//! polynomials of degree 5 in Chebyshev nodes, if they agree with it to [`TOLERANCE`] at [`CHECKS`] squared points, the corners
//! among them. Otherwise the cell is quartered, down to cells whose pixels are all projected. A cell that a discontinuity crosses
//! fails: a line through a cell separates one of its corners from another.

use fearless_simd::{Level, dispatch};

use super::block::BLOCK;
use super::source_map::{ON_EDGE, SourceMap};
use crate::Result;
use crate::grid::Window;

/// Side of the largest cell: the corners of the pixels of a block.
const CELL: usize = BLOCK as usize + 1;

/// Side of the cells that are projected pixel by pixel.
const MIN_CELL: usize = 8;

/// Nodes along each axis.
const NODES: usize = 6;

/// Relative positions of the points where a cell is checked, along each axis.
const CHECKS: [f64; 5] = [0.0, 0.31, 0.5, 0.73, 1.0];

/// Largest error in pixels at the points where a cell is checked: a fiftieth of what counts as an edge.
const TOLERANCE: f64 = 2e-8;

/// Distance from an edge within which a position is projected exactly.
const NEAR_EDGE: f64 = 2.0 * ON_EDGE;

/// Source positions of points in a grid, row by row; NaN where undefined.
#[derive(Debug)]
pub(crate) struct Positions {
    /// Points per row.
    pub(super) width: usize,
    pub(super) cols: Vec<f64>,
    pub(super) rows: Vec<f64>,
}

/// A number whose neighbours are whole: a sum with it is rounded to the nearest whole number.
const ROUNDING: f64 = 1.5 * (1_u64 << 52) as f64;

/// Whether a position is near the edge of a pixel.
#[inline(always)]
fn is_near(place: f64) -> bool {
    // A call of `f64::round` would keep the loop from being vectorized.
    let edge = (place + ROUNDING) - ROUNDING;
    (place - edge).abs() <= NEAR_EDGE
}

/// Whether one of the positions of a row is near the edge of a pixel.
#[inline(always)]
fn any_near(cols: &[f64], rows: &[f64]) -> bool {
    cols.iter().zip(rows).fold(false, |any, (x, y)| any | is_near(*x) | is_near(*y))
}

/// A part of the points.
#[derive(Debug, Clone, Copy)]
struct Cell {
    col: usize,
    row: usize,
    width: usize,
    height: usize,
}

impl SourceMap {
    /// The positions of the centres of a block's pixels, or of all their corners. With `exact_edges`, those near the edge of a source
    /// pixel are exact.
    pub(super) fn positions(&self, window: Window, corners: bool, exact_edges: bool) -> Positions {
        let (more, offset) = if corners { (1, 0.0) } else { (0, 0.5) };
        let (width, height) = (window.width as usize + more, window.height as usize + more);
        let nothing = || vec![0.0; width * height];
        let mut positions = Positions { width, cols: nothing(), rows: nothing() };
        let origin = (f64::from(window.col_off) + offset, f64::from(window.row_off) + offset);
        let starts = |size: usize| (0..size).step_by(CELL);
        for (row, col) in starts(height).flat_map(|row| starts(width).map(move |col| (row, col))) {
            let cell = Cell { col, row, width: CELL.min(width - col), height: CELL.min(height - row) };
            self.fill(&mut positions, origin, cell, exact_edges);
        }
        if !corners && self.turn.is_some() {
            for (col, row) in positions.cols.iter_mut().zip(&mut positions.rows) {
                (*col, *row) = self.homed((*col, *row));
            }
        }
        positions
    }

    fn fill(&self, positions: &mut Positions, origin: (f64, f64), cell: Cell, exact_edges: bool) {
        let at = |col: usize, row: usize| (origin.0 + col as f64, origin.1 + row as f64);
        let is_small = cell.width <= MIN_CELL && cell.height <= MIN_CELL;
        if self.affine().is_some() || is_small {
            for row in cell.row..cell.row + cell.height {
                for col in cell.col..cell.col + cell.width {
                    let (x, y) = at(col, row);
                    positions.set(col, row, self.exact(x, y));
                }
            }
            return;
        }
        let start = at(cell.col, cell.row);
        if let Some(polynomial) = Polynomial::fit(self, start, (cell.width, cell.height)) {
            polynomial.evaluate(positions, cell);
            if exact_edges {
                self.correct_near_edges(positions, origin, cell);
            }
            return;
        }
        for part in cell.quarters() {
            self.fill(positions, origin, part, exact_edges);
        }
    }

    /// Replaces interpolated positions near the edge of a source pixel by exact ones.
    fn correct_near_edges(&self, positions: &mut Positions, origin: (f64, f64), cell: Cell) {
        for row in cell.row..cell.row + cell.height {
            let Some((cols, rows)) = positions.row_mut(cell, row) else { return };
            // Few rows have such a position: the others are passed over without a branch per pixel.
            if !dispatch!(Level::new(), _ => any_near(cols, rows)) {
                continue;
            }
            for (col, (x, y)) in (cell.col..).zip(cols.iter_mut().zip(rows)) {
                if is_near(*x) || is_near(*y) {
                    let exact = self.exact(origin.0 + col as f64, origin.1 + row as f64);
                    (*x, *y) = exact.unwrap_or((f64::NAN, f64::NAN));
                }
            }
        }
    }
}

impl Cell {
    fn quarters(self) -> impl Iterator<Item = Self> {
        let halves = |start: usize, size: usize| {
            let first = if size > MIN_CELL { size.div_ceil(2) } else { size };
            [(start, first), (start + first, size - first)]
        };
        let (cols, rows) = (halves(self.col, self.width), halves(self.row, self.height));
        let all = rows.into_iter().flat_map(move |row| cols.into_iter().map(move |col| (col, row)));
        let cells = all.map(|((col, width), (row, height))| Self { col, row, width, height });
        cells.filter(|cell| cell.width > 0 && cell.height > 0)
    }
}

impl Positions {
    fn set(&mut self, col: usize, row: usize, position: Option<(f64, f64)>) {
        let at = row * self.width + col;
        if let (Some(col), Some(row)) = (self.cols.get_mut(at), self.rows.get_mut(at)) {
            (*col, *row) = position.unwrap_or((f64::NAN, f64::NAN));
        }
    }

    /// The positions of a cell in one row.
    fn row_mut(&mut self, cell: Cell, row: usize) -> Option<(&mut [f64], &mut [f64])> {
        let start = row * self.width + cell.col;
        let range = start..start + cell.width;
        Some((self.cols.get_mut(range.clone())?, self.rows.get_mut(range)?))
    }

    /// The position of a point.
    pub(super) fn get(&self, col: usize, row: usize) -> (f64, f64) {
        let at = row * self.width + col;
        let get = |list: &[f64]| list.get(at).copied().unwrap_or(f64::NAN);
        (get(&self.cols), get(&self.rows))
    }
}

/// Interpolates the mapping in a cell.
struct Polynomial {
    /// Values of x and y at the nodes, row by row.
    nodes: [[(f64, f64); NODES]; NODES],
    /// For each node, its weights for the columns.
    cols: [Vec<f64>; NODES],
    /// Weights of the nodes for each row.
    rows: Vec<[f64; NODES]>,
}

impl Polynomial {
    fn fit(map: &SourceMap, start: (f64, f64), size: (usize, usize)) -> Option<Self> {
        let length = (size.0.saturating_sub(1) as f64, size.1.saturating_sub(1) as f64);
        let at = |u: f64, v: f64| map.exact(start.0 + u * length.0, start.1 + v * length.1);
        let middle = at(0.5, 0.5)?;
        let at = |u: f64, v: f64| Some(map.unwrapped(at(u, v)?, middle));
        let places = places();
        let mut nodes = [[(0.0, 0.0); NODES]; NODES];
        for (row, v) in nodes.iter_mut().zip(places) {
            for (node, u) in row.iter_mut().zip(places) {
                *node = at(u, v)?;
            }
        }
        let table = |count: usize, length: f64| -> Vec<[f64; NODES]> {
            let place = |at: usize| if length > 0.0 { at as f64 / length } else { 0.5 };
            (0..count).map(|at| weights(place(at))).collect()
        };
        let of_cols = table(size.0, length.0);
        let cols = std::array::from_fn(|node| of_cols.iter().map(|weights| weights[node]).collect());
        let polynomial = Self { nodes, cols, rows: table(size.1, length.1) };
        for v in CHECKS {
            let row = polynomial.row(&weights(v));
            for u in CHECKS {
                let (x, y) = combined(&row, &weights(u));
                let exact = at(u, v)?;
                let error = (x - exact.0).abs().max((y - exact.1).abs());
                if error.is_nan() || error > TOLERANCE {
                    return None;
                }
            }
        }
        Some(polynomial)
    }

    /// The values at the nodes' columns for a row.
    fn row(&self, weights: &[f64; NODES]) -> [(f64, f64); NODES] {
        std::array::from_fn(|col| {
            let column = self.nodes.iter().map(|row| row[col]).zip(weights);
            column.fold((0.0, 0.0), |sum, ((x, y), weight)| (sum.0 + x * weight, sum.1 + y * weight))
        })
    }

    fn evaluate(&self, positions: &mut Positions, cell: Cell) {
        dispatch!(Level::new(), _ => self.evaluate_rows(positions, cell));
    }

    #[inline(always)]
    fn evaluate_rows(&self, positions: &mut Positions, cell: Cell) {
        for (row, weights) in (cell.row..).zip(&self.rows) {
            let values = self.row(weights);
            let Some((cols, rows)) = positions.row_mut(cell, row) else { return };
            let [a, b, c, d, e, f] = self.cols.each_ref();
            let weights = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
            // One pass over six lists of weights, which is vectorized.
            for ((col, row), (((((a, b), c), d), e), f)) in cols.iter_mut().zip(rows).zip(weights) {
                (*col, *row) = combined(&values, &[*a, *b, *c, *d, *e, *f]);
            }
        }
    }
}

#[inline(always)]
fn combined(values: &[(f64, f64); NODES], weights: &[f64; NODES]) -> (f64, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    for (value, weight) in values.iter().zip(weights) {
        x += value.0 * weight;
        y += value.1 * weight;
    }
    (x, y)
}

/// Chebyshev nodes between 0 and 1.
fn places() -> [f64; NODES] {
    std::array::from_fn(|node| {
        let angle = std::f64::consts::PI * (2 * node + 1) as f64 / (2 * NODES) as f64;
        0.5 - 0.5 * angle.cos()
    })
}

/// Lagrange weights of the nodes at a place between 0 and 1.
fn weights(at: f64) -> [f64; NODES] {
    let places = places();
    std::array::from_fn(|node| {
        let others = places.iter().enumerate().filter(|(other, _)| *other != node);
        others.map(|(_, place)| (at - place) / (places[node] - place)).product()
    })
}

/// Bounds of positions.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    min: (f64, f64),
    max: (f64, f64),
}

impl Bounds {
    const EMPTY: Self = Self { min: (f64::INFINITY, f64::INFINITY), max: (f64::NEG_INFINITY, f64::NEG_INFINITY) };

    fn extend(&mut self, (x, y): (f64, f64)) {
        self.min = (self.min.0.min(x), self.min.1.min(y));
        self.max = (self.max.0.max(x), self.max.1.max(y));
    }

    /// The pixels of an image within so many pixels of the bounds.
    fn window(&self, image: Window, reach: (f64, f64)) -> Option<Window> {
        let side = |min: f64, max: f64, reach: f64, size: u32| {
            let start = (min - reach - ON_EDGE).floor().clamp(0.0, f64::from(size));
            let end = ((max + reach + ON_EDGE).floor() + 1.0).clamp(0.0, f64::from(size));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and a size")]
            (start < end).then_some((start as u32, (end - start) as u32))
        };
        let (col_off, width) = side(self.min.0, self.max.0, reach.0, image.width)?;
        let (row_off, height) = side(self.min.1, self.max.1, reach.1, image.height)?;
        Some(Window { col_off, row_off, width, height })
    }
}

impl Positions {
    /// The bounds of the positions inside an image.
    fn bounds_inside(&self, size: (f64, f64)) -> Bounds {
        dispatch!(Level::new(), _ => self.find_bounds_inside(size))
    }

    #[inline(always)]
    fn find_bounds_inside(&self, size: (f64, f64)) -> Bounds {
        const LANES: usize = 4;
        let less = |a: f64, b: f64| if a < b { a } else { b };
        let greater = |a: f64, b: f64| if a > b { a } else { b };
        let (mut min_x, mut min_y) = ([f64::INFINITY; LANES], [f64::INFINITY; LANES]);
        let (mut max_x, mut max_y) = ([f64::NEG_INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        // Lanes without branches, so that the loop is vectorized. Comparisons with NaN are false.
        let mut add = |lane: usize, x: f64, y: f64| {
            let is_inside = (x >= -ON_EDGE) & (y >= -ON_EDGE) & (x <= size.0) & (y <= size.1);
            let (x, y) = if is_inside { (x, y) } else { (f64::NAN, f64::NAN) };
            min_x[lane] = less(x, min_x[lane]);
            min_y[lane] = less(y, min_y[lane]);
            max_x[lane] = greater(x, max_x[lane]);
            max_y[lane] = greater(y, max_y[lane]);
        };
        let ((xs, last_xs), (ys, last_ys)) = (self.cols.as_chunks::<LANES>(), self.rows.as_chunks::<LANES>());
        for (xs, ys) in xs.iter().zip(ys) {
            for lane in 0..LANES {
                add(lane, xs[lane], ys[lane]);
            }
        }
        last_xs.iter().zip(last_ys).for_each(|(x, y)| add(0, *x, *y));
        let least = |lanes: [f64; LANES]| lanes.into_iter().fold(f64::INFINITY, f64::min);
        let most = |lanes: [f64; LANES]| lanes.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Bounds { min: (least(min_x), least(min_y)), max: (most(max_x), most(max_y)) }
    }

    /// The windows of an image that hold the pixels within `reach` of the positions, or under the quadrilaterals between them.
    pub(super) fn windows(
        &self,
        map: &SourceMap,
        target: Window,
        reach: (f64, f64),
        areas: bool,
    ) -> Result<Vec<Window>> {
        let image = map.image();
        // Positions left and right of the middle are apart where a block crosses the antimeridian of a global raster.
        let (mut left, mut right) = (Bounds::EMPTY, Bounds::EMPTY);
        let middle = map.size.0 / 2.0;
        let mut add = |position: (f64, f64)| {
            if position.0 < middle { left.extend(position) } else { right.extend(position) }
        };
        // The pixels between the corners of a quadrilateral are needed, too.
        let mut is_spanned = false;
        if areas {
            self.each_quadrilateral(map, target, &mut |_, corners| {
                let is_left = |corner: &(f64, f64)| corner.0 < middle;
                is_spanned |= corners.iter().any(is_left) && !corners.iter().all(is_left);
                corners.into_iter().for_each(&mut add);
            })?;
        } else {
            let is_inside =
                |(x, y): &(f64, f64)| *x >= -ON_EDGE && *y >= -ON_EDGE && *x <= map.size.0 && *y <= map.size.1;
            let all = self.cols.iter().copied().zip(self.rows.iter().copied());
            match map.turn {
                Some(_) => all.filter(is_inside).for_each(add),
                None => left = self.bounds_inside(map.size),
            }
        }
        let is_split = map.turn.is_some() && !is_spanned && right.min.0 - left.max.0 > middle;
        if is_split {
            return Ok([left, right].iter().filter_map(|bounds| bounds.window(image, reach)).collect());
        }
        let mut all = left;
        if right.min.0.is_finite() {
            all.extend(right.min);
            all.extend(right.max);
        }
        Ok(all.window(image, reach).into_iter().collect())
    }
}
