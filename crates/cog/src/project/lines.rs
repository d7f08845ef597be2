//! Projection of lines where the mapping is not smooth: densified forward, and cut at discontinuities.
//!
//! Each edge is bisected until its middle is near the chord. Halves that never converge lie on both sides of a cut of a
//! map, a pole or the edge of the CRS's domain: the line ends there and continues on the other side.

use geo_types::{Coord, LineString};

use super::densify::{MAX_VERTICES, THIRDS_TOLERANCE};
use super::mapping::{Mapping, distance};
use crate::geo::BBox;
use crate::geometry::{bbox, invalid};
use crate::{Result, interrupt};

/// Minimum depth of bisection before a part may be considered straight or undefined.
const MIN_HALVINGS: u32 = 6;

/// Maximum length in pixels and degrees of edges without a minimum depth: their middle is representative.
const SHORT: (f64, f64) = (4.0, 45.0);

/// Maximum depth: an edge around the world, down to a tenth of a metre.
const MAX_HALVINGS: u32 = 28;

/// A point and its pixel.
type Located = (Coord<f64>, Option<Coord<f64>>);

/// Projects lines to pixels and cuts them at discontinuities. Longitudes of the raster are continuous along each line.
///
/// # Errors
///
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the lines have too many vertices.
pub(super) fn pixels(mapping: &Mapping, lines: &[LineString<f64>]) -> Result<Vec<LineString<f64>>> {
    let mut follower = Follower { mapping, found: Vec::new(), part: Vec::new(), vertices: 0 };
    for line in lines {
        for edge in line.0.windows(2) {
            let start = (edge[0], follower.project(edge[0]));
            follower.push(start.1)?;
            let end = (edge[1], follower.project(edge[1]));
            follower.follow(start, end, 0)?;
        }
        follower.end_part();
    }
    Ok(follower.found)
}

struct Follower<'a> {
    mapping: &'a Mapping,
    found: Vec<LineString<f64>>,
    /// The part since the last discontinuity.
    part: Vec<Coord<f64>>,
    vertices: usize,
}

impl Follower<'_> {
    /// The pixel of a point, at the turn nearest to the last pixel.
    fn project(&self, point: Coord<f64>) -> Option<Coord<f64>> {
        let near = self.part.last().copied().unwrap_or_else(|| self.mapping.centre());
        self.mapping.project_checked(point, self.mapping.world(near).x)
    }

    /// Appends the points between the ends of an edge, and its end.
    fn follow(&mut self, start: Located, end: Located, halvings: u32) -> Result<()> {
        interrupt::check()?;
        let point = (start.0 + end.0) / 2.0;
        let middle = (point, self.project(point));
        if halvings >= MIN_HALVINGS || self.is_short(start, end) {
            match (start.1, middle.1, end.1) {
                (None, None, None) => return Ok(()),
                (Some(a), Some(b), Some(c)) if self.is_straight(a, b, c) => return self.push(Some(c)),
                _ if halvings >= MAX_HALVINGS => {
                    self.end_part();
                    return self.push(end.1);
                }
                _ => {}
            }
        }
        self.follow(start, middle, halvings + 1)?;
        // From here on, the end's longitude is relative to the new middle.
        let end = (end.0, self.project(end.0));
        self.follow(middle, end, halvings + 1)
    }

    /// Whether both ends of an edge have pixels near each other, and the edge does not go around the world.
    fn is_short(&self, start: Located, end: Located) -> bool {
        let is_wide = self.mapping.is_from_degrees() && (start.0.x - end.0.x).abs() > SHORT.1;
        let pixels = start.1.zip(end.1);
        pixels.is_some_and(|(start, end)| distance(start, end) <= SHORT.0) && !is_wide
    }

    /// Whether the middle of an edge is near its chord, or the edge is farther from the image than it is long.
    fn is_straight(&self, start: Coord<f64>, middle: Coord<f64>, end: Coord<f64>) -> bool {
        if distance(middle, (start + end) / 2.0) <= THIRDS_TOLERANCE {
            return true;
        }
        let Some(BBox { xmin, ymin, xmax, ymax }) = bbox([start, middle, end]) else {
            return false;
        };
        let size = (xmax - xmin).max(ymax - ymin);
        let image = self.mapping.image();
        !self.mapping.is_to_degrees()
            && (xmin - size > image.xmax
                || xmax + size < image.xmin
                || ymin - size > image.ymax
                || ymax + size < image.ymin)
    }

    fn push(&mut self, pixel: Option<Coord<f64>>) -> Result<()> {
        let Some(pixel) = pixel.filter(|pixel| self.part.last() != Some(pixel)) else {
            return Ok(());
        };
        self.vertices += 1;
        if self.vertices > MAX_VERTICES {
            return Err(invalid(format!(
                "expected at most {MAX_VERTICES} vertices in the raster's CRS, found more: simplify or clip the geometry"
            )));
        }
        self.part.push(pixel);
        Ok(())
    }

    /// Ends the current part.
    fn end_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        if part.len() > 1 {
            self.found.push(LineString(part));
        }
    }
}
