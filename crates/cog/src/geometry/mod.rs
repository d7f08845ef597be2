//! Geometries of callers: read from WKB, WKT, GeoJSON and boxes, and checked.
//!
//! ```text
//! WKB, EWKB, ISO WKB, hex ─┐                         ┌ points    each
//! WKT, EWKT               ─┼─ Collector ─ validity ──┤ lines     of at least two vertices
//! GeoJSON                 ─┘                 boxes ──┘ polygons  of closed, simple rings, holes inside
//! ```
//!
//! Collections are flattened: what follows asks which pixels a geometry meets, and a collection meets what its parts meet.
//! Parts may overlap. Z and M are ignored, empty parts are dropped.
//!
//! Refuses curves, coordinates that are no numbers, unclosed rings, and rings that cross themselves or one another: an area
//! that is not clear must not become a result. Errors name the part, the ring and the vertex, all counted from 0.
//!
//! Untrusted input: any bytes give a geometry or an error; nesting and allocations are bounded by the input's length.

mod collector;
mod corners;
mod hex;
mod read;
mod validity;

use geo_types::{Coord, LineString, Polygon};

use crate::{Error, geo::BBox};

pub use corners::Corners;
pub use read::{EncodedGeometry, ParsedGeometry};

/// A flat geometry: points, lines and polygons, any number of each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Geometry {
    /// Points.
    pub points: Vec<Coord<f64>>,
    /// Lines, each of two vertices or more.
    pub lines: Vec<LineString<f64>>,
    /// Polygons; rings are closed.
    pub polygons: Vec<Polygon<f64>>,
}

impl Geometry {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && self.polygons.is_empty()
    }

    /// Whether it is of one piece: a point, a line or a polygon without holes, which might cut it.
    pub(crate) fn is_connected(&self) -> bool {
        let parts = self.points.len() + self.lines.len() + self.polygons.len();
        parts == 1 && self.polygons.iter().all(|polygon| polygon.interiors().is_empty())
    }

    /// All vertices; of polygons those of holes too.
    pub fn vertices(&self) -> impl Iterator<Item = Coord<f64>> + '_ {
        let lines = self.lines.iter().flat_map(|line| &line.0);
        let rings = self.polygons.iter().flat_map(rings).flat_map(|ring| &ring.0);
        self.points.iter().chain(lines).chain(rings).copied()
    }

    /// The box of all vertices, None when there are none.
    #[must_use]
    pub fn bbox(&self) -> Option<BBox> {
        let mut bbox = BBox::EMPTY;
        let mut extend = |vertices: &[Coord<f64>]| vertices.iter().for_each(|Coord { x, y }| bbox.extend(*x, *y));
        extend(&self.points);
        self.lines.iter().for_each(|line| extend(&line.0));
        self.polygons.iter().flat_map(rings).for_each(|ring| extend(&ring.0));
        bbox.unless_empty()
    }
}

/// The rings of a polygon, the shell first.
pub(crate) fn rings(polygon: &Polygon<f64>) -> impl Iterator<Item = &LineString<f64>> {
    std::iter::once(polygon.exterior()).chain(polygon.interiors())
}

/// The box of coordinates, None when there are none.
pub(crate) fn bbox(coords: impl IntoIterator<Item = Coord<f64>>) -> Option<BBox> {
    let mut bbox = BBox::EMPTY;
    coords.into_iter().for_each(|Coord { x, y }| bbox.extend(x, y));
    bbox.unless_empty()
}

/// Whether polygons are valid.
pub(crate) fn are_valid(polygons: &[Polygon<f64>]) -> bool {
    polygons.iter().all(validity::is_valid)
}

/// The error of a geometry argument.
pub(crate) fn invalid(what: impl std::fmt::Display) -> Error {
    Error::InvalidArgument { what: format!("geometry: {what}") }
}
