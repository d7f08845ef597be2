//! Traces the outline of an image in another CRS.

use std::cell::Cell;

use geo_types::Coord;

use crate::crs::nearest_longitude;
use crate::geometry::{bbox, invalid};
use crate::project::mapping::{Mapping, distance};
use crate::{Error, Result, interrupt};

/// Inset of the outline from the sides of the image, in pixels: if a side is a cut of the map, stays on the image's
/// side of it.
const INSET: f64 = 1e-6;

/// Initial number of points per side.
const POINTS_A_SIDE: u32 = 32;

/// Maximum number of bisections between two of them.
const HALVINGS: u32 = 40;

/// Largest step between longitudes that is unambiguous.
const MAX_STEP: f64 = 20.0;

/// Maximum distance between the outline and the curve, in pixels of the raster and in pixels of the average size in the
/// target CRS. Near the limb of a map, a pixel of the raster can be large.
const TOLERANCE: f64 = 0.125;

/// Distance, in degrees, at which both sides of a cut of the raster's map are tested: a tenth of a millimetre.
const ASIDE: f64 = 1e-9;

/// Maximum number of vertices of an outline.
const MAX_VERTICES: usize = 1 << 16;

/// Maximum number of points that are projected for an outline, which take some seconds. Most outlines take a thousand;
/// sinusoidal maps whose tips are inside of the image take up to 15 million.
const MAX_PROJECTIONS: u32 = 1 << 24;

/// Returns a closed ring around the part of an image that is defined in the CRS of a mapping. Longitudes are
/// continuous: around a pole they end 360 degrees from where they began. The defined part must be star-shaped in
/// pixels, as maps and their images are.
///
/// # Errors
///
/// [`Error::InvalidArgument`] if no pixel is defined in that CRS, or if the edge of its map cuts the outline.
pub(super) fn trace(mapping: &Mapping) -> Result<Vec<Coord<f64>>> {
    let centre = located_pixel(mapping).ok_or_else(unreached)?;
    let mut trace = Trace { mapping, centre, ring: Vec::new(), unit: 0.0, projections: Cell::new(0) };
    let steps = (0..=4 * POINTS_A_SIDE).map(|step| f64::from(step) / f64::from(POINTS_A_SIDE));
    let points: Vec<_> = steps.filter_map(|t| Some((t, trace.at(t)?))).collect();
    let Some((_, first)) = points.first() else {
        return Err(unreached());
    };
    let bounds = bbox(points.iter().map(|(_, point)| point.place)).ok_or_else(unreached)?;
    let size = (bounds.xmax - bounds.xmin).min(bounds.ymax - bounds.ymin);
    trace.unit = size / mapping.width.max(mapping.height);
    trace.ring.push(*first);
    let mut corners = vec![0];
    for ends in points.windows(2) {
        trace.follow(ends[0], ends[1], HALVINGS)?;
        if ends[1].0.fract() == 0.0 {
            corners.push(trace.ring.len() - 1);
        }
    }
    let mut kept = vec![first.place];
    for side in corners.windows(2) {
        trace.simplify(&trace.ring[side[0]..=side[1]], &mut kept)?;
    }
    Ok(kept)
}

fn unreached() -> Error {
    Error::InvalidArgument {
        what: "expected an outline in the named CRS, found no part of the raster in its domain".to_owned(),
    }
}

/// Returns a pixel that is defined in the CRS: the centre, or another one.
fn located_pixel(mapping: &Mapping) -> Option<Coord<f64>> {
    const TRIED: u32 = 32;
    let at = |size: f64, step: u32| size * (f64::from(step) + 0.5) / f64::from(TRIED);
    let places = (0..TRIED).flat_map(|v| (0..TRIED).map(move |u| (u, v)));
    let pixels = places.map(|(u, v)| Coord { x: at(mapping.width, u), y: at(mapping.height, v) });
    std::iter::once(mapping.centre()).chain(pixels).find(|pixel| mapping.locate(*pixel).is_some())
}

/// A point of the outline.
#[derive(Debug, Clone, Copy)]
struct Located {
    pixel: Coord<f64>,
    place: Coord<f64>,
    /// Whether the point is on the edge of the raster's map instead of a side of the image.
    is_edge: bool,
}

struct Trace<'a> {
    mapping: &'a Mapping,
    centre: Coord<f64>,
    ring: Vec<Located>,
    /// Approximate size of a pixel in the target CRS.
    unit: f64,
    /// Number of points that were projected.
    projections: Cell<u32>,
}

impl Trace<'_> {
    /// The outline at `t`, from 0 to 4 around the image: a point on a side or, if undefined, the last defined point on
    /// the way there from the centre.
    fn at(&self, t: f64) -> Option<Located> {
        let (width, height) = (self.mapping.width, self.mapping.height);
        let along = |size: f64, share: f64, inset: f64| inset + (size - 2.0 * inset) * share;
        let share = t.fract();
        let (x, y) = match t.rem_euclid(4.0) {
            t if t < 1.0 => (share, 0.0),
            t if t < 2.0 => (1.0, share),
            t if t < 3.0 => (1.0 - share, 1.0),
            _ => (0.0, 1.0 - share),
        };
        let side = |inset: f64| Coord { x: along(width, x, inset), y: along(height, y, inset) };
        let is_at_edge = |point: Coord<f64>| point.x.abs() > 180.0 - INSET || point.y.abs() > 90.0 - INSET;
        let is_clear = |point: &Coord<f64>| !self.mapping.is_from_degrees() || !is_at_edge(*point);
        if let Some(place) = self.locate(side(0.0)).filter(is_clear) {
            return Some(Located { pixel: side(0.0), place, is_edge: false });
        }
        let side = side(INSET);
        if let Some(place) = self.locate(side) {
            return Some(Located { pixel: side, place, is_edge: false });
        }
        let (mut near, mut far) = ((self.centre, self.locate(self.centre)?), side);
        for _ in 0..HALVINGS {
            let middle = (near.0 + far) / 2.0;
            match self.locate(middle) {
                Some(place) => near = (middle, place),
                None => far = middle,
            }
        }
        Some(Located { pixel: near.0, place: near.1, is_edge: true })
    }

    fn locate(&self, pixel: Coord<f64>) -> Option<Coord<f64>> {
        self.projections.update(|count| count.saturating_add(1));
        self.mapping.locate(pixel)
    }

    fn project(&self, place: Coord<f64>, longitude: f64) -> Option<Coord<f64>> {
        self.projections.update(|count| count.saturating_add(1));
        self.mapping.project(place, longitude)
    }

    /// Fails once the outline has taken too many projections, or the caller is interrupted.
    fn check(&self) -> Result<()> {
        interrupt::check()?;
        match self.projections.get() > MAX_PROJECTIONS {
            true => Err(invalid("expected an outline that can be followed, found one that is too irregular")),
            false => Ok(()),
        }
    }

    /// Appends the points between two points of the outline, and the second.
    fn follow(&mut self, start: (f64, Located), end: (f64, Located), halvings: u32) -> Result<()> {
        self.check()?;
        let (from, to) = (start.1, end.1);
        let t = f64::midpoint(start.0, end.0);
        let middle = self.at(t).ok_or_else(unreached)?;
        let is_short = distance(from.pixel, to.pixel) <= INSET;
        let is_straight = self.is_straight(from.place, middle, to.place);
        // Takes 80 projections, and only matters where the line is straight or cannot be divided.
        let is_around = (is_straight || is_short || halvings == 0) && self.passes_cut(from, to);
        if !is_around && is_straight {
            return self.push(to);
        }
        if halvings > 0 && !(is_short && is_around) {
            self.follow(start, (t, middle), halvings - 1)?;
            return self.follow((t, middle), end, halvings - 1);
        }
        if is_around {
            return self.cross(from, to, HALVINGS);
        }
        if !self.mapping.is_from_degrees() {
            return Err(invalid(
                "expected a contiguous outline, found one that is split by the map boundary of the CRS",
            ));
        }
        self.push(to)
    }

    /// Whether the straight line between two points on the edge of the map passes other longitudes than the shortest
    /// way. They are then on both sides of a cut of the map, as around a pole that the map shows as a point. The line
    /// passes most longitudes near that pole, which may be anywhere on it.
    fn passes_cut(&self, from: Located, to: Located) -> bool {
        if !self.mapping.is_from_degrees() || !from.is_edge || !to.is_edge {
            return false;
        }
        let is_far = |place: Coord<f64>, end: Located| (self.near(place, end.place).x - end.place.x).abs() > MAX_STEP;
        let shares = (1..=HALVINGS).map(|halving| 0.5f64.powi(halving.cast_signed()));
        shares.flat_map(|share| [share, 1.0 - share]).any(|share| {
            let place = self.locate(from.pixel + (to.pixel - from.pixel) * share);
            place.is_some_and(|place| is_far(place, from) && is_far(place, to))
        })
    }

    /// Appends the points on the straight line between two pixels, and the second.
    fn cross(&mut self, from: Located, to: Located, halvings: u32) -> Result<()> {
        self.check()?;
        let pixel = (from.pixel + to.pixel) / 2.0;
        match self.locate(pixel) {
            Some(place) if halvings > 0 && self.passes_cut(from, to) => {
                let middle = Located { pixel, place, is_edge: true };
                self.cross(from, middle, halvings - 1)?;
                self.cross(middle, to, halvings - 1)
            }
            _ => self.push(to),
        }
    }

    /// Whether the middle of a line is the middle of the outline, to within the tolerance.
    fn is_straight(&self, from: Coord<f64>, middle: Located, to: Coord<f64>) -> bool {
        let (between, to) = (self.near(middle.place, from), self.near(to, from));
        let is_far = |a: Coord<f64>, b: Coord<f64>| self.mapping.is_from_degrees() && (a.x - b.x).abs() > MAX_STEP;
        let chord = (from + to) / 2.0;
        !is_far(from, to) && !is_far(from, between) && self.is_near(chord, Located { place: between, ..middle })
    }

    /// Whether a point on the line represents a point of the outline.
    fn is_near(&self, point: Coord<f64>, outline: Located) -> bool {
        distance(point, outline.place) <= TOLERANCE * self.unit && self.error(point, outline.pixel) <= TOLERANCE
    }

    /// Distance in pixels between a pixel and the projection of a point; at a cut of the raster's map, on the nearer
    /// side.
    fn error(&self, point: Coord<f64>, pixel: Coord<f64>) -> f64 {
        let at = |x: f64| {
            let longitude = self.mapping.world(pixel).x;
            let there = self.project(Coord { x, y: point.y }, longitude);
            there.map_or(f64::INFINITY, |there| distance(there, pixel))
        };
        match at(point.x) {
            error if error > TOLERANCE && self.mapping.is_from_degrees() => {
                error.min(at(point.x - ASIDE)).min(at(point.x + ASIDE))
            }
            error => error,
        }
    }

    /// Simplifies a line (Douglas-Peucker) and appends all points except the first.
    fn simplify(&self, line: &[Located], kept: &mut Vec<Coord<f64>>) -> Result<()> {
        let mut parts = vec![(0, line.len() - 1)];
        while let Some((start, end)) = parts.pop() {
            self.check()?;
            // Distances take a small part of the time of a projection.
            let distances = u32::try_from((end - start) / 16).unwrap_or(u32::MAX);
            self.projections.update(|count| count.saturating_add(distances));
            let (a, b) = (line[start].place, line[end].place);
            let on_line = |at: usize| nearest_on_segment(a, b, line[at].place);
            let off = |at: &usize| distance(on_line(*at), line[*at].place);
            let is_near = |at: usize| self.is_near(on_line(at), line[at]);
            match (start + 1..end).max_by(|a, b| off(a).total_cmp(&off(b))) {
                // The farthest point decides most lines with one projection.
                Some(farthest) if !(is_near(farthest) && (start + 1..end).all(is_near)) => {
                    parts.extend([(farthest, end), (start, farthest)]);
                }
                _ => kept.push(b),
            }
        }
        Ok(())
    }

    /// A point at the turn nearest to another.
    fn near(&self, point: Coord<f64>, to: Coord<f64>) -> Coord<f64> {
        let x = if self.mapping.is_from_degrees() { nearest_longitude(point.x, to.x) } else { point.x };
        Coord { x, y: point.y }
    }

    fn push(&mut self, point: Located) -> Result<()> {
        if self.ring.len() >= MAX_VERTICES {
            return Err(invalid(format!("expected an outline of {MAX_VERTICES} vertices, found more")));
        }
        let last = self.ring.last().map_or(point.place, |last| last.place);
        self.ring.push(Located { place: self.near(point.place, last), ..point });
        Ok(())
    }
}

/// The nearest point of a segment.
fn nearest_on_segment(a: Coord<f64>, b: Coord<f64>, point: Coord<f64>) -> Coord<f64> {
    let (along, from) = (b - a, point - a);
    let square = along.x * along.x + along.y * along.y;
    let share = if square > 0.0 { ((along.x * from.x + along.y * from.y) / square).clamp(0.0, 1.0) } else { 0.0 };
    a + along * share
}
