//! Flat geometries: points, lines and polygons without nesting.

use geo_types::{Coord, LineString, Polygon};

use crate::Error;
use crate::geo::BBox;

/// A flat geometry: any number of points, lines and polygons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Geometry {
    /// Points.
    pub points: Vec<Coord<f64>>,
    /// Lines, each with at least two vertices.
    pub lines: Vec<LineString<f64>>,
    /// Polygons; rings are closed.
    pub polygons: Vec<Polygon<f64>>,
}

impl Geometry {
    /// Whether there are no parts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && self.polygons.is_empty()
    }

    /// Whether the geometry is connected: a single point, line or polygon without holes, which might divide it.
    pub(crate) fn is_connected(&self) -> bool {
        let parts = self.points.len() + self.lines.len() + self.polygons.len();
        parts == 1 && self.polygons.iter().all(|polygon| polygon.interiors().is_empty())
    }

    /// All vertices, including those of holes.
    pub fn vertices(&self) -> impl Iterator<Item = Coord<f64>> + '_ {
        let lines = self.lines.iter().flat_map(|line| &line.0);
        let rings = self.polygons.iter().flat_map(rings).flat_map(|ring| &ring.0);
        self.points.iter().chain(lines).chain(rings).copied()
    }

    /// Bounding box of all vertices; None if there are none.
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

/// Bounding box of coordinates; None if there are none.
pub(crate) fn bbox(coords: impl IntoIterator<Item = Coord<f64>>) -> Option<BBox> {
    let mut bbox = BBox::EMPTY;
    coords.into_iter().for_each(|Coord { x, y }| bbox.extend(x, y));
    bbox.unless_empty()
}

/// Error for a geometry argument.
pub(crate) fn invalid(what: impl std::fmt::Display) -> Error {
    Error::InvalidArgument { what: format!("geometry: {what}") }
}

/// Truncates a text for error messages.
pub(super) fn start(text: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}
