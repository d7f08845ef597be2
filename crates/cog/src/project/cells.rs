//! Quadtree of a raster whose cells have a simple mapping to the CRS of geometries.
//!
//! ```text
//! ┌───────────────┬───────┬───┬─┬─┐   Smooth   an affine approximates the mapping, here or in the children
//! │               │       │   ├─┼─┤   Torn     a cut or the edge of a map passes through: a piece on each side
//! │    Smooth     │ Smooth├───┼─┼─┤   Tiny     at most an eighth of a pixel, around a pole: represented by its
//! │               │       │   │Tiny│             centre
//! ├───────────────┼───────┴───┴─┴─┤   Empty    outside the domain of the raster's CRS
//! │               │      ╱ Torn   │   Rough    none of these; subdivided
//! ```
//!
//! Cells are computed on demand and cached up to a limit.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use geo_types::Coord;

use super::cut::Convex;
use super::mapping::{Mapping, distance};
use crate::crs::nearest_longitude;
use crate::geo::BBox;
use crate::geometry::bbox;

/// Maximum error of an affine, in pixels.
const TOLERANCE: f64 = 0.05;

/// Maximum error of an affine over a smooth cell, relative to the size of its image; and of an affine that replaces the
/// mapping, relative to the cell.
const SMOOTH: f64 = 0.15;

/// Minimum depth of smooth cells: a few samples of a whole raster are not representative.
const MIN_DEPTH: u32 = 2;

/// Additional sample positions off the symmetric ones, where odd curves vanish.
const ASKEW: [(f64, f64); 4] = [(0.27, 0.31), (0.71, 0.23), (0.36, 0.83), (0.81, 0.67)];

/// Padding of the bounds of a piece, relative to those of its samples.
const MARGIN: f64 = 0.01;

/// Size of the smallest cells, in pixels.
const TINY: f64 = 0.125;

/// Depth to which undefined cells are subdivided: the domain of a CRS may end in a corner.
const MAX_EMPTY_DEPTH: u32 = 5;

/// Cells kept per projector, about two megabytes.
const MAX_KEPT: usize = 8192;

/// Number of bisections to locate a cut.
const HALVINGS: u32 = 24;

/// Distance from a cut at which its sides are sampled, in pixels.
const ASIDE: f64 = 0.02;

/// An affine from the CRS of geometries to pixels, and its region.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Region in the pixel plane.
    pub(super) convex: Convex,
    /// Bounds in the CRS of geometries; longitudes are continuous.
    pub(super) bbox: BBox,
    affine: Affine,
}

/// Classification of a cell.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Empty,
    Tiny(Coord<f64>),
    /// Bounds in the CRS of geometries.
    Smooth(BBox),
    /// One or two pieces, each with its affine.
    Pieces(Vec<Piece>),
    Rough,
}

/// A box of the pixel plane.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) rect: BBox,
    depth: u32,
    pub(super) kind: Kind,
    parts: OnceLock<Box<[Cell; 4]>>,
}

/// A pixel and its point in the CRS of geometries.
type Located = (Coord<f64>, Coord<f64>);

/// Affine from the CRS of geometries to pixels, relative to `point`.
#[derive(Debug, Clone, Copy)]
struct Affine {
    point: Coord<f64>,
    pixel: Coord<f64>,
    /// Pixel offsets per unit of x and of y.
    by_x: Coord<f64>,
    by_y: Coord<f64>,
}

impl Piece {
    /// The pixel of a point inside the bounds of the piece.
    pub(super) fn pixel(&self, point: Coord<f64>) -> Coord<f64> {
        self.affine.pixel(point)
    }
}

impl Affine {
    /// The affine that maps `middle` to `pixel`, given the steps per column and row; None if singular.
    fn new(pixel: Coord<f64>, middle: Coord<f64>, by_col: Coord<f64>, by_row: Coord<f64>) -> Option<Self> {
        let determinant = by_col.x * by_row.y - by_row.x * by_col.y;
        let by_x = Coord { x: by_row.y / determinant, y: -by_col.y / determinant };
        let by_y = Coord { x: -by_row.x / determinant, y: by_col.x / determinant };
        let is_finite = [by_x.x, by_x.y, by_y.x, by_y.y].iter().all(|number| number.is_finite());
        is_finite.then_some(Self { point: middle, pixel, by_x, by_y })
    }

    fn pixel(&self, point: Coord<f64>) -> Coord<f64> {
        let from = point - self.point;
        self.pixel + self.by_x * from.x + self.by_y * from.y
    }

    /// Maximum distance between the pixels and the images of their points.
    fn error(&self, samples: &[Located]) -> f64 {
        samples.iter().map(|(pixel, point)| distance(self.pixel(*point), *pixel)).fold(0.0, f64::max)
    }

    /// Least-squares affine.
    fn fit(samples: &[Located]) -> Option<Self> {
        let [x, y] = Self::slopes(samples)?;
        let (pixel, point) = Self::means(samples);
        Self::new(pixel, point, Coord { x: x.x, y: y.x }, Coord { x: x.y, y: y.y })
    }

    /// Means of the pixels and of their points.
    fn means(samples: &[Located]) -> Located {
        let zero = Coord { x: 0.0, y: 0.0 };
        let (pixel, point) = samples.iter().fold((zero, zero), |sum, sample| (sum.0 + sample.0, sum.1 + sample.1));
        (pixel / samples.len() as f64, point / samples.len() as f64)
    }

    /// Least-squares change of x and y per column and row; None if the samples are collinear.
    fn slopes(samples: &[Located]) -> Option<[Coord<f64>; 2]> {
        let (pixel, point) = Self::means(samples);
        let product = |f: &dyn Fn(Coord<f64>, Coord<f64>) -> f64| -> f64 {
            samples.iter().map(|sample| f(sample.0 - pixel, sample.1 - point)).sum()
        };
        let (cc, cr, rr) = (product(&|p, _| p.x * p.x), product(&|p, _| p.x * p.y), product(&|p, _| p.y * p.y));
        let determinant = cc * rr - cr * cr;
        let solve = |c: f64, r: f64| Coord { x: (c * rr - r * cr) / determinant, y: (r * cc - c * cr) / determinant };
        let x = solve(product(&|p, q| p.x * q.x), product(&|p, q| p.y * q.x));
        let y = solve(product(&|p, q| p.x * q.y), product(&|p, q| p.y * q.y));
        [x.x, x.y, y.x, y.y].iter().all(|slope| slope.is_finite()).then_some([x, y])
    }
}

impl Cell {
    pub(super) fn root(mapping: &Mapping) -> Self {
        Self::new(mapping, mapping.image(), 0)
    }

    fn new(mapping: &Mapping, rect: BBox, depth: u32) -> Self {
        let kind = Survey { mapping, rect, depth }.kind();
        Self { rect, depth, kind, parts: OnceLock::new() }
    }

    /// Calls `visit` with each of the four children. New ones are kept while `kept` is below the limit.
    pub(super) fn each_part<E>(
        &self,
        mapping: &Mapping,
        kept: &AtomicUsize,
        mut visit: impl FnMut(&Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(parts) = self.parts.get() {
            return parts.iter().try_for_each(visit);
        }
        if kept.fetch_add(4, Ordering::Relaxed) < MAX_KEPT {
            let parts = self.parts.get_or_init(|| Box::new(self.quarters().map(|rect| self.within(mapping, rect))));
            return parts.iter().try_for_each(visit);
        }
        kept.fetch_sub(4, Ordering::Relaxed);
        self.quarters().into_iter().try_for_each(|rect| visit(&self.within(mapping, rect)))
    }

    /// Whether the cell has the minimum size.
    pub(super) fn is_tiny(&self) -> bool {
        (self.rect.xmax - self.rect.xmin).max(self.rect.ymax - self.rect.ymin) <= TINY
    }

    fn within(&self, mapping: &Mapping, rect: BBox) -> Self {
        Self::new(mapping, rect, self.depth + 1)
    }

    fn quarters(&self) -> [BBox; 4] {
        let BBox { xmin, ymin, xmax, ymax } = self.rect;
        let (x, y) = (between(xmin, xmax), between(ymin, ymax));
        [
            BBox { xmax: x, ymax: y, ..self.rect },
            BBox { xmin: x, ymax: y, ..self.rect },
            BBox { xmax: x, ymin: y, ..self.rect },
            BBox { xmin: x, ymin: y, ..self.rect },
        ]
    }
}

/// Near the middle, but not on a pixel boundary or centre, where edges are ambiguous.
fn between(min: f64, max: f64) -> f64 {
    let middle = f64::midpoint(min, max);
    if max - min > 4.0 { middle.floor() + 0.3 } else { middle }
}

/// Classifies a cell.
struct Survey<'a> {
    mapping: &'a Mapping,
    rect: BBox,
    depth: u32,
}

impl Survey<'_> {
    fn kind(&self) -> Kind {
        let samples: Vec<_> = self.grid(3).map(|pixel| (pixel, self.mapping.locate(pixel))).collect();
        if samples.iter().all(|(_, point)| point.is_none()) {
            return if self.depth < MAX_EMPTY_DEPTH || self.grid(5).any(|pixel| self.mapping.locate(pixel).is_some()) {
                self.rough(&samples)
            } else {
                Kind::Empty
            };
        }
        let located: Vec<_> = samples.iter().filter_map(|(pixel, point)| Some((*pixel, (*point)?))).collect();
        let kind = if located.len() == samples.len() { self.smooth(self.continuous(located)) } else { None };
        kind.or_else(|| self.pieces(&samples)).unwrap_or_else(|| self.rough(&samples))
    }

    /// Grid of points of the cell, `side` per axis, row by row.
    fn grid(&self, side: u32) -> impl Iterator<Item = Coord<f64>> + '_ {
        let at = move |from: f64, to: f64, step: u32| from + (to - from) * (f64::from(step) / f64::from(side - 1));
        let BBox { xmin, ymin, xmax, ymax } = self.rect;
        (0..side).flat_map(move |v| (0..side).map(move |u| Coord { x: at(xmin, xmax, u), y: at(ymin, ymax, v) }))
    }

    /// Moves longitudes to the turn nearest to the middle sample.
    fn continuous(&self, mut samples: Vec<Located>) -> Vec<Located> {
        let middle = samples[samples.len() / 2].1;
        samples.iter_mut().for_each(|(_, point)| *point = self.near(*point, middle));
        samples
    }

    fn size(&self) -> f64 {
        (self.rect.xmax - self.rect.xmin).max(self.rect.ymax - self.rect.ymin)
    }

    /// Maximum error of an affine. In the smallest cells, any affine would be accurate in pixels.
    fn tolerance(&self) -> f64 {
        TOLERANCE.min(SMOOTH * self.size())
    }

    fn rough(&self, samples: &[(Coord<f64>, Option<Coord<f64>>)]) -> Kind {
        match samples[samples.len() / 2].1 {
            _ if self.size() > TINY => Kind::Rough,
            Some(middle) => Kind::Tiny(middle),
            None => Kind::Empty,
        }
    }

    /// Classifies a cell without discontinuities; None if there may be some.
    fn smooth(&self, mut samples: Vec<Located>) -> Option<Kind> {
        if self.depth < MIN_DEPTH {
            return None;
        }
        let BBox { xmin, ymin, xmax, ymax } = self.rect;
        let middle = samples[samples.len() / 2].1;
        for (u, v) in ASKEW {
            let pixel = Coord { x: xmin + (xmax - xmin) * u, y: ymin + (ymax - ymin) * v };
            samples.push((pixel, self.near(self.mapping.locate(pixel)?, middle)));
        }
        let affine = Affine::fit(&samples);
        if let Some(affine) = affine.filter(|affine| affine.error(&samples) <= self.tolerance()) {
            let piece = Piece { convex: Convex::of_box(self.rect), bbox: self.around(&samples)?, affine };
            return Some(Kind::Pieces(vec![piece]));
        }
        if self.size() <= TINY { None } else { self.around(&samples).map(Kind::Smooth) }
    }

    /// Bounds of samples and of the points between them, padded by the curvature. None if it is too large.
    fn around(&self, samples: &[Located]) -> Option<BBox> {
        let bounds = bbox(samples.iter().map(|(_, point)| *point))?;
        let bend = bend(samples)?;
        let size = (bounds.xmax - bounds.xmin).hypot(bounds.ymax - bounds.ymin);
        if bend.x.hypot(bend.y) > SMOOTH * size {
            return None;
        }
        let x = 2.0 * bend.x + MARGIN * (bounds.xmax - bounds.xmin);
        let y = 2.0 * bend.y + MARGIN * (bounds.ymax - bounds.ymin);
        Some(self.padded(bounds, x, y))
    }

    /// Pads a box. Latitudes are clamped to the poles.
    fn padded(&self, BBox { xmin, ymin, xmax, ymax }: BBox, x: f64, y: f64) -> BBox {
        let padded = BBox { xmin: xmin - x, ymin: ymin - y, xmax: xmax + x, ymax: ymax + y };
        if self.mapping.is_from_degrees() {
            return BBox { ymin: padded.ymin.max(-90.0), ymax: padded.ymax.min(90.0), ..padded };
        }
        padded
    }

    /// Moves a point to the turn nearest to another.
    fn near(&self, point: Coord<f64>, to: Coord<f64>) -> Coord<f64> {
        let x = if self.mapping.is_from_degrees() { nearest_longitude(point.x, to.x) } else { point.x };
        Coord { x, y: point.y }
    }

    /// The pieces on both sides of a cut through a cell; None if there is no cut, more than one, or a curved one.
    fn pieces(&self, samples: &[(Coord<f64>, Option<Coord<f64>>)]) -> Option<Kind> {
        if self.depth < MIN_DEPTH {
            return None;
        }
        // Around the cell: corners and midpoints of sides, alternating.
        let mut around = [0, 1, 2, 5, 8, 7, 6, 3].map(|at| samples[at]);
        if self.mapping.is_from_degrees() {
            let first = around.iter().find_map(|(_, point)| *point)?.x;
            let points = around.iter_mut().filter_map(|(_, point)| point.as_mut());
            points.for_each(|point| point.x = nearest_longitude(point.x, first));
        }
        let jumps = jumps(&around);
        let [first, second] = jumps[..] else {
            return None;
        };
        let ends = [first, second].map(|at| self.jump(around[at], around[(at + 1) % 8]));
        let side = |from: usize, to: usize, start: Coord<f64>, end: Coord<f64>| {
            let corners = (1..=8).map(|step| (from + step) % 8).take_while(|at| *at != (to + 1) % 8);
            let corners = corners.filter(|at| at % 2 == 0).map(|at| around[at].0);
            std::iter::once(start).chain(corners).chain([end]).collect::<Vec<_>>()
        };
        let sides = [(side(first, second, ends[0], ends[1]), second), (side(second, first, ends[1], ends[0]), first)];
        let mut pieces = Vec::with_capacity(2);
        for (vertices, at) in sides {
            // The last sample before the next jump lies on this side.
            if around[at].1.is_some() {
                pieces.extend(self.piece(vertices)?);
            } else if self.reaches(&vertices) {
                return None;
            }
        }
        Some(Kind::Pieces(pieces))
    }

    /// Locates a discontinuity between two samples around a cell.
    fn jump(&self, a: (Coord<f64>, Option<Coord<f64>>), b: (Coord<f64>, Option<Coord<f64>>)) -> Coord<f64> {
        let (mut near, mut far) = (a, b);
        for _ in 0..HALVINGS {
            let middle = (near.0 + far.0) / 2.0;
            let point = self.mapping.locate(middle);
            let is_near = match (near.1, point, far.1) {
                (Some(near), Some(point), Some(far)) => distance(near, point) < distance(point, far),
                (near, point, _) => near.is_some() == point.is_some(),
            };
            if is_near { near = (middle, point) } else { far = (middle, point) }
        }
        near.0
    }

    /// Points just inside a piece: near its vertices and the midpoints of its sides.
    fn inside(vertices: &[Coord<f64>]) -> Vec<Coord<f64>> {
        let centre =
            vertices.iter().fold(Coord { x: 0.0, y: 0.0 }, |sum, vertex| sum + *vertex) / vertices.len() as f64;
        let inwards = |place: Coord<f64>| {
            let way = distance(place, centre);
            if way > 0.0 { place + (centre - place) * (ASIDE / way).min(0.5) } else { place }
        };
        let next = vertices.iter().cycle().skip(1);
        let places = vertices.iter().zip(next).flat_map(|(a, b)| {
            [inwards(*a), inwards((*a + *b) / 2.0), centre + (*a - centre) * 0.37, centre + (*b - *a) * 0.11]
        });
        places.collect()
    }

    fn reaches(&self, vertices: &[Coord<f64>]) -> bool {
        Self::inside(vertices).into_iter().any(|place| self.mapping.locate(place).is_some())
    }

    /// A piece with its affine: an inner None if its area is zero, None if no affine is accurate.
    fn piece(&self, vertices: Vec<Coord<f64>>) -> Option<Option<Piece>> {
        let samples: Option<Vec<_>> =
            Self::inside(&vertices).into_iter().map(|place| Some((place, self.mapping.locate(place)?))).collect();
        let samples = self.continuous(samples?);
        let affine = Affine::fit(&samples);
        let Some(convex) = Convex::new(vertices) else {
            return Some(None);
        };
        let affine = affine?;
        // Samples keep a distance from the sides.
        let (bbox, aside) = (self.around(&samples)?, ASIDE / self.size());
        let bbox = self.padded(bbox, aside * (bbox.xmax - bbox.xmin), aside * (bbox.ymax - bbox.ymin));
        (affine.error(&samples) <= self.tolerance()).then_some(Some(Piece { convex, bbox, affine }))
    }
}

/// Deviation of samples from the least-squares affine, along x and y.
fn bend(samples: &[Located]) -> Option<Coord<f64>> {
    let [along_x, along_y] = Affine::slopes(samples)?;
    let (pixel, point) = Affine::means(samples);
    let off = |sample: &Located| {
        let (from, to) = (sample.0 - pixel, sample.1 - point);
        let x = to.x - along_x.x * from.x - along_x.y * from.y;
        let y = to.y - along_y.x * from.x - along_y.y * from.y;
        Coord { x: x.abs(), y: y.abs() }
    };
    let most = |a: Coord<f64>, b: Coord<f64>| Coord { x: a.x.max(b.x), y: a.y.max(b.y) };
    Some(samples.iter().map(off).fold(Coord { x: 0.0, y: 0.0 }, most))
}

/// Indices of samples around a cell after which the mapping is discontinuous: defined on one side only, or a much
/// longer step than between others.
fn jumps(around: &[(Coord<f64>, Option<Coord<f64>>); 8]) -> Vec<usize> {
    const FAR: f64 = 5.0;
    let step = |at: usize| Some(distance(around[at].1?, around[(at + 1) % 8].1?));
    let mut steps: Vec<f64> = (0..8).filter_map(step).collect();
    steps.sort_by(f64::total_cmp);
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
    let is_jump = |at: &usize| match (around[*at].1, around[(at + 1) % 8].1) {
        (Some(_), Some(_)) => step(*at).is_some_and(|step| step > FAR * usual),
        (here, there) => here.is_some() != there.is_some(),
    };
    (0..8).filter(is_jump).collect()
}
