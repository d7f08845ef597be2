//! Edges that are straight in one CRS, as lines of pixel coordinates that follow the curve.

use geo_types::Coord;

use super::mapping::distance;
use crate::geometry::invalid;
use crate::{Error, Result};

/// How far the line may be from the curve, in pixels.
pub(super) const TOLERANCE: f64 = 0.25;

/// How far the curve may be from the line at a third and at two thirds of it. A curve's bend and its change of bend both show at
/// one of the two; nowhere is it then twice as far as where it was looked at.
pub(super) const THIRDS_TOLERANCE: f64 = TOLERANCE / 2.0;

/// Edges of this many pixels are straight enough in every projection: bent by a quarter of a pixel, they would turn by a radian.
const SHORT: f64 = 1.0;

/// How often an edge is cut in three: 3^16 pieces of the equator are a metre long. One that is not straight then is torn.
const MAX_CUTS: u32 = 16;

/// Vertices that a geometry may grow to.
pub(super) const MAX_VERTICES: usize = 1 << 22;

/// Densifies the lines of one geometry.
pub(super) struct Densifier {
    straight: bool,
    vertices: usize,
}

impl Densifier {
    /// With `straight`, edges stay straight: the projection is affine.
    pub(super) fn new(straight: bool) -> Self {
        Self { straight, vertices: 0 }
    }

    /// A line through `to_pixels`.
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

    /// Adds what lies between the ends of an edge, each given with its pixel.
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
                "the edge near ({} {}) is torn apart in the raster's CRS: cut the geometry where its map ends",
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
        if self.vertices > MAX_VERTICES {
            return Err(invalid(format!(
                "expected edges that {MAX_VERTICES} vertices can follow in the raster's CRS, found more: simplify or clip it"
            )));
        }
        pixels.push(pixel);
        Ok(())
    }
}
