//! Densifies edges, which are straight in the source CRS, so that they follow the curve in pixels.

use geo_types::Coord;

use super::mapping::distance;
use crate::geometry::invalid;
use crate::{Error, Result, interrupt};

/// Maximum distance between the line and the curve, in pixels.
pub(super) const TOLERANCE: f64 = 0.25;

/// Maximum distance at one and two thirds of an edge. Both curvature and its change show at one of the two; nowhere
/// else is the distance more than twice as large.
pub(super) const THIRDS_TOLERANCE: f64 = TOLERANCE / 2.0;

/// Maximum length in pixels of edges that need no test: a deviation of a quarter of a pixel would take a bend of a
/// radian.
const SHORT: f64 = 1.0;

/// Maximum depth of trisection: 3^16 pieces of the equator are a metre long. An edge that is still not straight crosses
/// a discontinuity.
const MAX_CUTS: u32 = 16;

/// Maximum number of vertices of a densified geometry.
pub(super) const MAX_VERTICES: usize = 1 << 22;

/// Vertices that are projected between two checks for interrupts.
const VERTICES_BETWEEN_CHECKS: usize = 1024;

/// Densifies the lines of one geometry.
pub(super) struct Densifier {
    straight: bool,
    vertices: usize,
}

impl Densifier {
    /// With `straight`, edges remain straight: the projection is affine.
    pub(super) fn new(straight: bool) -> Self {
        Self { straight, vertices: 0 }
    }

    /// Projects a line through `to_pixels`.
    pub(super) fn line<E: From<Error>>(
        &mut self,
        line: &[Coord<f64>],
        to_pixels: &impl Fn(Coord<f64>) -> Result<Coord<f64>, E>,
    ) -> Result<Vec<Coord<f64>>, E> {
        let mut pixels = Vec::with_capacity(line.len());
        let mut before: Option<(Coord<f64>, Coord<f64>)> = None;
        for point in line {
            let pixel = to_pixels(*point)?;
            if let Some((start, start_pixel)) = before.filter(|_| !self.straight) {
                self.edge((start, start_pixel), (*point, pixel), MAX_CUTS, to_pixels, &mut pixels)?;
            }
            self.push(pixel, &mut pixels)?;
            before = Some((*point, pixel));
        }
        Ok(pixels)
    }

    /// Appends the points between the ends of an edge; both ends are given with their pixels.
    fn edge<E: From<Error>>(
        &mut self,
        start: (Coord<f64>, Coord<f64>),
        end: (Coord<f64>, Coord<f64>),
        cuts: u32,
        to_pixels: &impl Fn(Coord<f64>) -> Result<Coord<f64>, E>,
        pixels: &mut Vec<Coord<f64>>,
    ) -> Result<(), E> {
        if start.0 == end.0 || distance(start.1, end.1) < SHORT && cuts < MAX_CUTS {
            return Ok(());
        }
        let at = |t: f64| start.0 + (end.0 - start.0) * t;
        let (first, second) = (at(1.0 / 3.0), at(2.0 / 3.0));
        let (first, second) = ((first, to_pixels(first)?), (second, to_pixels(second)?));
        let chord = |t: f64| start.1 + (end.1 - start.1) * t;
        let bend = distance(first.1, chord(1.0 / 3.0)).max(distance(second.1, chord(2.0 / 3.0)));
        if bend <= THIRDS_TOLERANCE {
            return Ok(());
        }
        if cuts == 0 {
            return Err(invalid(format!(
                "the edge near ({} {}) crosses a discontinuity of the raster's CRS: split the geometry there",
                start.0.x, start.0.y
            ))
            .into());
        }
        self.edge(start, first, cuts - 1, to_pixels, pixels)?;
        self.push(first.1, pixels)?;
        self.edge(first, second, cuts - 1, to_pixels, pixels)?;
        self.push(second.1, pixels)?;
        self.edge(second, end, cuts - 1, to_pixels, pixels)
    }

    fn push(&mut self, pixel: Coord<f64>, pixels: &mut Vec<Coord<f64>>) -> Result<(), Error> {
        self.vertices += 1;
        if self.vertices.is_multiple_of(VERTICES_BETWEEN_CHECKS) {
            interrupt::check()?;
        }
        if self.vertices > MAX_VERTICES {
            return Err(invalid(format!(
                "expected at most {MAX_VERTICES} vertices in the raster's CRS, found more: simplify or clip the geometry"
            )));
        }
        pixels.push(pixel);
        Ok(())
    }
}
