//! Projection of polygons by the inverse mapping: finds the pixels whose location is in the geometry.
//!
//! Each cell of the raster receives its part of the geometry: the part inside the bounds of the cell is mapped to
//! pixels by the affine of the cell and clipped to the cell. Nothing outside the raster is projected, and no pixel has
//! two locations, so poles, cuts and folds of maps need no special cases.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

use geo_types::{Coord, LineString, Polygon};

use super::cells::{Cell, Kind, Piece};
use super::clip::clip;
use super::cut::{Convex, doubled_area, is_around};
use super::densify::MAX_VERTICES;
use super::mapping::{Mapping, distance};
use super::parts::{append, shift, turns};
use crate::crs::nearest_longitude;
use crate::geo::BBox;
use crate::geometry::{Geometry, invalid, rings};
use crate::{Result, interrupt};

/// Maximum number of cells visited per geometry: more than a coastline of a million pixels needs, in one or two
/// seconds.
const MAX_CELLS: usize = 1 << 19;

/// Vertices that take as long to clip to a cell as a cell takes otherwise.
const VERTICES_OF_A_CELL: usize = 256;

/// Cells of a raster, computed on demand.
#[derive(Debug, Default)]
pub(super) struct Pullback {
    root: OnceLock<Cell>,
    kept: AtomicUsize,
}

impl Pullback {
    /// Projects the polygons of a geometry to pixels.
    pub(super) fn pixels(&self, mapping: &Mapping, geometry: &Geometry) -> Result<Geometry> {
        let root = self.root.get_or_init(|| Cell::root(mapping));
        let mut search =
            Search { mapping, kept: &self.kept, overlaps: false, cells: 0, vertices: 0, found: Geometry::default() };
        let is_wide = geometry.bbox().is_some_and(|bounds| bounds.xmax - bounds.xmin > 360.0);
        if is_wide && mapping.is_from_degrees() {
            search.overlaps = true;
            search.visit(root, &Geometry { polygons: geometry.polygons.clone(), ..Geometry::default() }, None)?;
        } else {
            // One by one, since overlapping polygons are summed.
            for polygon in &geometry.polygons {
                search.visit(root, &Geometry { polygons: vec![polygon.clone()], ..Geometry::default() }, None)?;
            }
        }
        Ok(search.found)
    }
}

/// Search for the parts of a polygon, or of all polygons of a geometry wider than one turn.
struct Search<'a> {
    mapping: &'a Mapping,
    kept: &'a AtomicUsize,
    /// Whether turns of the polygons overlap.
    overlaps: bool,
    cells: usize,
    vertices: usize,
    found: Geometry,
}

impl Search<'_> {
    /// Searches a cell. `geometry` is the part inside the cell; `longitude` is that of the part, or None if it may be
    /// at any turn.
    fn visit(&mut self, cell: &Cell, geometry: &Geometry, longitude: Option<f64>) -> Result<()> {
        let vertices: usize = geometry.polygons.iter().flat_map(rings).map(|ring| ring.0.len()).sum();
        self.cells += 1 + vertices / VERTICES_OF_A_CELL;
        interrupt::check()?;
        if self.cells > MAX_CELLS {
            return Err(invalid(format!(
                "expected a geometry in at most {MAX_CELLS} cells of the raster, found more: simplify or clip it"
            )));
        }
        let (mapping, kept) = (self.mapping, self.kept);
        match &cell.kind {
            Kind::Empty => Ok(()),
            Kind::Rough => cell.each_part(mapping, kept, |part| self.visit(part, geometry, longitude)),
            Kind::Tiny(middle) => {
                if self.holds(geometry, *middle, longitude) {
                    self.push_polygons(vec![Convex::of_box(cell.rect).polygon()])?;
                }
                Ok(())
            }
            Kind::Smooth(bbox) => {
                let local = self.local(geometry, *bbox, longitude);
                if local.is_empty() {
                    Ok(())
                } else if is_full(&local, *bbox) {
                    self.push_polygons(vec![Convex::of_box(cell.rect).polygon()])
                } else {
                    let near = f64::midpoint(bbox.xmin, bbox.xmax);
                    cell.each_part(mapping, kept, |part| self.visit(part, &local, Some(near)))
                }
            }
            Kind::Pieces(pieces) => {
                let is_overlap = |piece: &Piece| {
                    let local = self.local(geometry, piece.bbox, longitude);
                    local.polygons.len() > 1 && !is_full(&local, piece.bbox)
                };
                if self.overlaps && !cell.is_tiny() && pieces.iter().any(is_overlap) {
                    // Subdivide until a single turn is left, or the cell is small enough for its centre to decide.
                    return cell.each_part(mapping, kept, |part| self.visit(part, geometry, longitude));
                }
                pieces.iter().try_for_each(|piece| self.take(piece, geometry, longitude))
            }
        }
    }

    /// Adds the part of the geometry in a piece.
    fn take(&mut self, piece: &Piece, geometry: &Geometry, longitude: Option<f64>) -> Result<()> {
        let local = self.local(geometry, piece.bbox, longitude);
        if is_full(&local, piece.bbox) {
            return self.push_polygons(vec![piece.convex.polygon()]);
        }
        if self.overlaps && local.polygons.len() > 1 {
            return self.take_by_middle(piece, &local);
        }
        let to_pixels = |ring: &LineString<f64>| ring.0.iter().map(|point| piece.pixel(*point)).collect::<Vec<_>>();
        for polygon in &local.polygons {
            let mut parts = piece.convex.polygons(rings(polygon).map(to_pixels).collect());
            parts.retain(|part| !is_sliver(part.exterior()));
            self.push_polygons(parts)?;
        }
        Ok(())
    }

    /// Adds all or nothing of a piece where turns overlap.
    fn take_by_middle(&mut self, piece: &Piece, local: &Geometry) -> Result<()> {
        let near = f64::midpoint(piece.bbox.xmin, piece.bbox.xmax);
        let vertices = piece.convex.vertices();
        let middle =
            vertices.iter().fold(Coord { x: 0.0, y: 0.0 }, |sum, vertex| sum + *vertex) / vertices.len() as f64;
        match self.mapping.locate(middle) {
            Some(middle) if self.holds(local, middle, Some(near)) => self.push_polygons(vec![piece.convex.polygon()]),
            _ => Ok(()),
        }
    }

    /// The part of a geometry in a box, at every turn.
    fn local(&self, geometry: &Geometry, bbox: BBox, longitude: Option<f64>) -> Geometry {
        if !self.mapping.is_from_degrees() {
            return without_filled_holes(clip(geometry, bbox), bbox);
        }
        let turns = match (longitude, geometry.bbox()) {
            (Some(longitude), _) => {
                let middle = f64::midpoint(bbox.xmin, bbox.xmax);
                // At most a few turns: both are longitudes of the raster.
                #[expect(clippy::cast_possible_truncation)]
                let turn = ((middle - longitude) / 360.0).round() as i32;
                turn..=turn
            }
            (None, Some(bounds)) => turns(bounds, bbox),
            (None, None) => 0..=0,
        };
        let mut local = Geometry::default();
        for turn in turns {
            append(&mut local, clip(&shift(geometry, f64::from(turn) * 360.0), bbox));
        }
        without_filled_holes(local, bbox)
    }

    /// Whether a polygon contains a point at any turn.
    fn holds(&self, geometry: &Geometry, point: Coord<f64>, longitude: Option<f64>) -> bool {
        let is_in = |point: Coord<f64>| {
            let holds =
                |polygon: &Polygon<f64>| rings(polygon).filter(|ring| is_around(&ring.0, point)).count() % 2 == 1;
            geometry.polygons.iter().any(holds)
        };
        if !self.mapping.is_from_degrees() {
            return is_in(point);
        }
        // The edge along a pole does not exclude the pole.
        let point = Coord { x: point.x, y: point.y.clamp(-NEAR_POLE, NEAR_POLE) };
        match (longitude, geometry.bbox()) {
            (Some(longitude), _) => is_in(Coord { x: nearest_longitude(point.x, longitude), y: point.y }),
            (None, Some(bounds)) => {
                let mut x = bounds.xmin + (point.x - bounds.xmin).rem_euclid(360.0);
                while x <= bounds.xmax {
                    if is_in(Coord { x, y: point.y }) {
                        return true;
                    }
                    x += 360.0;
                }
                false
            }
            (None, None) => false,
        }
    }

    fn push_polygons(&mut self, mut polygons: Vec<Polygon<f64>>) -> Result<()> {
        let vertices = polygons.iter().flat_map(rings).map(|ring| ring.0.len()).sum();
        self.found.polygons.append(&mut polygons);
        self.count(vertices)
    }

    fn count(&mut self, vertices: usize) -> Result<()> {
        self.vertices += vertices;
        if self.vertices > MAX_VERTICES {
            return Err(invalid(format!(
                "expected at most {MAX_VERTICES} vertices in the raster's CRS, found more: simplify or clip the geometry"
            )));
        }
        Ok(())
    }
}

/// Latitudes treated as a pole.
const NEAR_POLE: f64 = 90.0 - 1e-7;

/// Whether the area of a ring is within rounding of zero, as of a ring that only touches a side of a cell.
fn is_sliver(ring: &LineString<f64>) -> bool {
    let length: f64 = ring.0.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
    doubled_area(&ring.0).abs() <= 1e-9 * length * length
}

/// Whether a polygon fills the box to which it was clipped.
fn is_full(clipped: &Geometry, bbox: BBox) -> bool {
    clipped.polygons.iter().any(|polygon| polygon.interiors().is_empty() && fills(polygon.exterior(), bbox))
}

/// Whether a ring equals the box to which it was clipped.
fn fills(ring: &LineString<f64>, bbox: BBox) -> bool {
    let area = (bbox.xmax - bbox.xmin) * (bbox.ymax - bbox.ymin);
    let on_border = |point: &Coord<f64>| {
        point.x == bbox.xmin || point.x == bbox.xmax || point.y == bbox.ymin || point.y == bbox.ymax
    };
    ring.0.iter().all(on_border) && (doubled_area(&ring.0).abs() / 2.0 - area).abs() <= 1e-9 * area
}

/// Removes polygons with a hole that fills the box to which they were clipped.
fn without_filled_holes(mut clipped: Geometry, bbox: BBox) -> Geometry {
    clipped.polygons.retain(|polygon| !polygon.interiors().iter().any(|hole| fills(hole, bbox)));
    clipped
}
