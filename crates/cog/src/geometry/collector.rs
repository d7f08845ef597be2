//! Visitor for the readers of all formats: builds a flat [`Geometry`], and rejects unsupported parts.

use geo_types::{Coord, LineString, Polygon};
use geozero::GeomProcessor;
use geozero::error::{GeozeroError, Result as Visit};

use super::flat::{Geometry, invalid};
use crate::Result;

/// Maximum nesting of collections: more than real geometries have, and safe for the stack.
const MAX_DEPTH: usize = 32;

/// Maximum number of vertices of a geometry. The text or WKB of larger ones has 16 to 90 MB or more, and takes several times as much while it
/// is checked and projected.
pub(super) const MAX_VERTICES: usize = 1 << 22;

/// Maximum number of vertices to reserve by a declared count, which is not trusted beyond it.
const MAX_RESERVED: usize = 1024;

/// Receives coordinates part by part.
#[derive(Default)]
pub(super) struct Collector {
    geometry: Geometry,
    srid: Option<i32>,
    depth: usize,
    vertices: usize,
    /// Whether coordinates are individual points instead of vertices of `line`.
    in_line: bool,
    line: Vec<Coord<f64>>,
    /// Rings of the current polygon.
    rings: Option<Vec<LineString<f64>>>,
    fault: Option<String>,
}

impl Collector {
    /// Returns the geometry and the SRID of EWKB; `outcome` is the result of the reader.
    pub(super) fn finish(self, format: &str, outcome: Visit<()>) -> Result<(Geometry, Option<i32>)> {
        match (self.fault, outcome) {
            (Some(fault), _) => Err(invalid(fault)),
            (None, Err(GeozeroError::IoError(_))) => {
                Err(invalid(format!("expected {format}, found its end before the end of the geometry")))
            }
            (None, Err(GeozeroError::GeometryFormat)) => {
                Err(invalid(format!("expected {format}, found an unknown geometry type")))
            }
            (None, Err(error)) => Err(invalid(format!("expected {format}: {error}"))),
            (None, Ok(())) => Ok((self.geometry, self.srid)),
        }
    }

    /// Aborts with an error of this crate.
    fn refuse<T>(&mut self, fault: String) -> Visit<T> {
        self.fault.get_or_insert(fault);
        Err(GeozeroError::GeometryFormat)
    }

    /// Position of the next coordinate: `polygon 2, ring 0`, `line 1` or `point 3`.
    fn place(&self) -> String {
        match &self.rings {
            Some(rings) => format!("polygon {}, ring {}", self.geometry.polygons.len(), rings.len()),
            None if self.in_line => format!("line {}", self.geometry.lines.len()),
            None => format!("point {}", self.geometry.points.len()),
        }
    }

    /// Adds a line, or a ring of the current polygon, with finite coordinates that are already counted.
    pub(super) fn add_line(&mut self, line: Vec<Coord<f64>>) -> Visit<()> {
        self.line = line;
        self.in_line = true;
        self.linestring_end(false, 0)
    }

    fn curve(&mut self, kind: &str) -> Visit<()> {
        self.refuse(format!("expected points, lines and polygons, found a {kind}: convert it to straight edges first"))
    }

    fn end_ring(&mut self, ring: LineString<f64>) -> Visit<()> {
        let (Some(first), Some(last)) = (ring.0.first(), ring.0.last()) else {
            return Ok(());
        };
        if first != last {
            let fault = format!(
                "{}: expected a closed ring, found ({} {}) at its start and ({} {}) at its end",
                self.place(),
                first.x,
                first.y,
                last.x,
                last.y
            );
            return self.refuse(fault);
        }
        if ring.0.len() < 4 {
            let found = ring.0.len();
            return self.refuse(format!("{}: expected a ring of at least 4 vertices, found {found}", self.place()));
        }
        if let Some(rings) = &mut self.rings {
            rings.push(ring);
        }
        Ok(())
    }
}

impl GeomProcessor for Collector {
    fn srid(&mut self, srid: Option<i32>) -> Visit<()> {
        self.srid = srid;
        Ok(())
    }

    fn xy(&mut self, x: f64, y: f64, _index: usize) -> Visit<()> {
        // WKB encodes an empty point in a multipoint as NaN.
        if x.is_nan() && y.is_nan() && !self.in_line {
            return Ok(());
        }
        if !x.is_finite() || !y.is_finite() {
            let vertex = if self.in_line { format!(", vertex {}", self.line.len()) } else { String::new() };
            return self.refuse(format!("{}{vertex}: expected finite coordinates, found ({x} {y})", self.place()));
        }
        self.vertices += 1;
        if self.vertices > MAX_VERTICES {
            return self.refuse(format!("expected at most {MAX_VERTICES} vertices, found more"));
        }
        if self.in_line {
            self.line.push(Coord { x, y });
        } else {
            self.geometry.points.push(Coord { x, y });
        }
        Ok(())
    }

    fn empty_point(&mut self, _index: usize) -> Visit<()> {
        Ok(())
    }

    fn linestring_begin(&mut self, _tagged: bool, size: usize, _index: usize) -> Visit<()> {
        self.line.reserve(size.min(MAX_RESERVED));
        self.in_line = true;
        Ok(())
    }

    fn linestring_end(&mut self, _tagged: bool, _index: usize) -> Visit<()> {
        let line = LineString(std::mem::take(&mut self.line));
        if self.rings.is_some() {
            self.end_ring(line)?;
        } else {
            match line.0.len() {
                0 => {}
                1 => return self.refuse(format!("{}: expected at least 2 vertices, found 1", self.place())),
                _ => self.geometry.lines.push(line),
            }
        }
        self.in_line = false;
        Ok(())
    }

    fn polygon_begin(&mut self, _tagged: bool, _size: usize, _index: usize) -> Visit<()> {
        self.rings = Some(Vec::new());
        Ok(())
    }

    fn polygon_end(&mut self, _tagged: bool, _index: usize) -> Visit<()> {
        let mut rings = self.rings.take().unwrap_or_default();
        if !rings.is_empty() {
            let shell = rings.remove(0);
            self.geometry.polygons.push(Polygon::new(shell, rings));
        }
        Ok(())
    }

    fn geometrycollection_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.refuse(format!("expected at most {MAX_DEPTH} nested collections, found more"));
        }
        Ok(())
    }

    fn geometrycollection_end(&mut self, _index: usize) -> Visit<()> {
        self.depth -= 1;
        Ok(())
    }

    fn circularstring_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("CIRCULARSTRING")
    }

    fn compoundcurve_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("COMPOUNDCURVE")
    }

    fn curvepolygon_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("CURVEPOLYGON")
    }

    fn multicurve_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("MULTICURVE")
    }

    fn multisurface_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("MULTISURFACE")
    }

    fn triangle_begin(&mut self, _tagged: bool, _size: usize, _index: usize) -> Visit<()> {
        self.curve("TRIANGLE")
    }

    fn polyhedralsurface_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("POLYHEDRALSURFACE")
    }

    fn tin_begin(&mut self, _size: usize, _index: usize) -> Visit<()> {
        self.curve("TIN")
    }
}
