//! The outline of an image in another CRS, followed from point to point.

use geo_types::Coord;

use crate::crs::nearest_longitude;
use crate::geometry::{bbox, invalid};
use crate::view::{Mapping, distance};
use crate::{Error, Result};

/// How far from the image's sides the outline runs, in pixels: where a side is the cut of a map, just before it.
const INSET: f64 = 1e-6;

/// Points a side from which on the outline is refined.
const POINTS_A_SIDE: u32 = 32;

/// How often the way between two of them is halved.
const HALVINGS: u32 = 40;

/// The largest step between longitudes that are told apart by the nearest.
const MAX_STEP: f64 = 20.0;

/// How far the line may be from the curve, in pixels.
const TOLERANCE: f64 = 0.125;

/// Vertices of an outline.
const MAX_VERTICES: usize = 1 << 16;

/// A ring around what of an image has a place in the CRS of a mapping, closed. Longitudes are continuous: around a pole they end
/// 360 degrees from where they began. What has a place is to be in sight from one pixel: a map and its image are.
///
/// # Errors
///
/// [`Error::InvalidArgument`] where no pixel has a place there, or the edge of the CRS's own map tears the outline.
pub(super) fn trace(mapping: &Mapping) -> Result<Vec<Coord<f64>>> {
    let centre = located_pixel(mapping).ok_or_else(unreached)?;
    let mut trace = Trace { mapping, centre, ring: Vec::new(), unit: 0.0 };
    let steps = (0..=4 * POINTS_A_SIDE).map(|step| f64::from(step) / f64::from(POINTS_A_SIDE));
    let points: Vec<_> = steps.filter_map(|t| Some((t, trace.at(t)?))).collect();
    let bounds = bbox(points.iter().map(|(_, (_, point))| *point)).ok_or_else(unreached)?;
    let size = (bounds.xmax - bounds.xmin).min(bounds.ymax - bounds.ymin);
    trace.unit = size / mapping.width.min(mapping.height);
    let Some((_, (_, first))) = points.first() else {
        return Err(unreached());
    };
    trace.ring.push(*first);
    let mut corners = vec![0];
    for ends in points.windows(2) {
        trace.follow(ends[0], ends[1], HALVINGS)?;
        if ends[1].0.fract() == 0.0 {
            corners.push(trace.ring.len() - 1);
        }
    }
    let mut kept = vec![*first];
    corners.windows(2).for_each(|side| simplify(&trace.ring[side[0]..=side[1]], TOLERANCE * trace.unit, &mut kept));
    Ok(kept)
}

/// Adds the points of a line that it does not do without, all but the first (Douglas and Peucker).
fn simplify(line: &[Coord<f64>], tolerance: f64, kept: &mut Vec<Coord<f64>>) {
    let mut parts = vec![(0, line.len() - 1)];
    while let Some((start, end)) = parts.pop() {
        let (a, b) = (line[start], line[end]);
        let length = distance(a, b);
        let off = |at: &usize| {
            let (along, from) = (b - a, line[*at] - a);
            if length > 0.0 { (along.x * from.y - along.y * from.x).abs() / length } else { from.x.hypot(from.y) }
        };
        match (start + 1..end).max_by(|a, b| off(a).total_cmp(&off(b))) {
            Some(farthest) if off(&farthest) > tolerance => parts.extend([(farthest, end), (start, farthest)]),
            _ => kept.push(b),
        }
    }
}

fn unreached() -> Error {
    Error::InvalidArgument {
        what: "expected an outline in the named CRS, found no part of the raster that has a place there".to_owned(),
    }
}

/// A pixel that has a place: the middle one, or another.
fn located_pixel(mapping: &Mapping) -> Option<Coord<f64>> {
    const TRIED: u32 = 32;
    let at = |size: f64, step: u32| size * (f64::from(step) + 0.5) / f64::from(TRIED);
    let places = (0..TRIED).flat_map(|v| (0..TRIED).map(move |u| (u, v)));
    let pixels = places.map(|(u, v)| Coord { x: at(mapping.width, u), y: at(mapping.height, v) });
    std::iter::once(mapping.centre()).chain(pixels).find(|pixel| mapping.locate(*pixel).is_some())
}

struct Trace<'a> {
    mapping: &'a Mapping,
    centre: Coord<f64>,
    ring: Vec<Coord<f64>>,
    /// The size of a pixel in the CRS of the outline.
    unit: f64,
}

/// A pixel and its place.
type Located = (Coord<f64>, Coord<f64>);

impl Trace<'_> {
    /// The outline at `t`, from 0 to 4 around the image: on its side, or as far towards it from the centre as places go.
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
        if let Some(point) = self.mapping.locate(side(0.0)).filter(is_clear) {
            return Some((side(0.0), point));
        }
        let side = side(INSET);
        if let Some(point) = self.mapping.locate(side) {
            return Some((side, point));
        }
        let (mut near, mut far) = ((self.centre, self.mapping.locate(self.centre)?), side);
        for _ in 0..HALVINGS {
            let middle = (near.0 + far) / 2.0;
            match self.mapping.locate(middle) {
                Some(point) => near = (middle, point),
                None => far = middle,
            }
        }
        Some(near)
    }

    /// Adds what lies between two points of the outline, and the second.
    fn follow(&mut self, start: (f64, Located), end: (f64, Located), halvings: u32) -> Result<()> {
        let (from, to) = (start.1.1, self.near(end.1.1, start.1.1));
        let t = f64::midpoint(start.0, end.0);
        let middle = self.at(t).ok_or_else(unreached)?;
        let between = self.near(middle.1, from);
        let bow = (between - (from + to) / 2.0) / self.unit;
        let is_far = |a: Coord<f64>, b: Coord<f64>| self.mapping.is_from_degrees() && (a.x - b.x).abs() > MAX_STEP;
        let is_near = bow.x.hypot(bow.y) <= TOLERANCE && !is_far(from, to) && !is_far(from, between);
        if is_near || halvings == 0 {
            if !is_near && !self.mapping.is_from_degrees() {
                return Err(invalid(
                    "expected an outline of one piece, found one that the edge of the named CRS's map cuts",
                ));
            }
            return self.push(to);
        }
        self.follow(start, (t, middle), halvings - 1)?;
        self.follow((t, middle), end, halvings - 1)
    }

    /// A point at the turn nearest to another.
    fn near(&self, point: Coord<f64>, to: Coord<f64>) -> Coord<f64> {
        let x = if self.mapping.is_from_degrees() { nearest_longitude(point.x, to.x) } else { point.x };
        Coord { x, y: point.y }
    }

    fn push(&mut self, point: Coord<f64>) -> Result<()> {
        if self.ring.len() >= MAX_VERTICES {
            return Err(invalid(format!("expected an outline of {MAX_VERTICES} vertices, found more")));
        }
        let last = self.ring.last().copied().unwrap_or(point);
        self.ring.push(self.near(point, last));
        Ok(())
    }
}
