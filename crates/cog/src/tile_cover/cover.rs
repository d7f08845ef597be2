//! Exact cover of a geometry by tiles, in pixel coordinates.
//!
//! ```text
//!      0     1     2     3
//!   0 ┌─────┬─────┬─────┬──┐    edges are traversed tile by tile       ● marked: the edge passes through the tile
//!     │   ●╱│●────│●╲   │  │    the centre line of each row is
//!   1 ├──╱──┼─────┼──╲──┤──┤    scanned for tiles between edges        ○ found: its centre is inside
//!     │╌╱●╌╌│╌╌○╌╌│╌╌●╲╌│  │
//!     └─────┴─────┴─────┴──┘
//! ```
//!
//! A polygon intersects a tile if they share an area: if an edge passes through the interior of a tile, one of its
//! sides belongs to the polygon; a tile without edges is entirely inside or outside. Lines and points intersect the
//! tiles that they touch. Only the part of a tile inside the image counts. Results are exact for the given coordinates:
//! orientation tests use robust predicates.
//!
//! Most geometries are small: for a connected one within a single row or column of tiles, the bounding box suffices.
//!
//! The cost depends on the number of edges, the rows of tiles that they span, and the result, but not on the size of
//! the raster.

use geo_types::{Coord, Polygon};

use super::walk::{Contact, Grid};
use crate::geometry::{Geometry, rings};
use crate::grid::{TileSpan, Tiling};
use crate::project::Extent;

impl Tiling {
    /// Returns the tiles that a geometry in pixel coordinates intersects, row by row, each once. Exact for coordinates
    /// up to [`Tiling::MAX_COORDINATE`].
    #[must_use]
    pub fn cover(&self, geometry: &Geometry) -> Vec<TileSpan> {
        let mut spans = Spans { grid: Grid::new(self), spans: Vec::new() };
        for point in &geometry.points {
            spans.mark_edge(*point, *point, Contact::Touch);
        }
        for pair in geometry.lines.iter().flat_map(|line| line.0.windows(2)) {
            spans.mark_edge(pair[0], pair[1], Contact::Touch);
        }
        for polygon in &geometry.polygons {
            spans.mark_polygon(polygon);
        }
        spans.merged()
    }
}

impl Grid {
    /// Adds the cover of a geometry if its extent determines it, otherwise returns false. Within one row or column of
    /// tiles, a connected geometry intersects all tiles between the outermost ones.
    pub(crate) fn cover_of(&self, extent: &Extent, is_connected: bool, spans: &mut Vec<TileSpan>) -> bool {
        let Extent { outer, inner } = extent;
        // Most geometries lie inside a single tile.
        if let Some((row, col)) = self.tile_around(outer) {
            spans.push(TileSpan { row, start: col, end: col + 1 });
            return true;
        }
        let across = self.columns_reached((outer.xmin, outer.xmax), (inner.xmin, inner.xmax));
        let down = self.rows_reached((outer.ymin, outer.ymax), (inner.ymin, inner.ymax));
        let (Some(across), Some(down)) = (across, down) else {
            return false;
        };
        if across.tiles.is_empty() || down.tiles.is_empty() {
            return true;
        }
        let (one, other) = (across.is_within_one, down.is_within_one);
        let is_decided = one & other || is_connected & (one | other);
        if is_decided {
            let (start, end) = (across.tiles.start, across.tiles.end);
            spans.extend(down.tiles.map(|row| TileSpan { row, start, end }));
        }
        is_decided
    }
}

/// Unordered tiles, with repetitions.
struct Spans {
    grid: Grid,
    spans: Vec<TileSpan>,
}

impl Spans {
    fn mark_edge(&mut self, a: Coord<f64>, b: Coord<f64>, contact: Contact) {
        let spans = &mut self.spans;
        self.grid.walk(a, b, contact, |row, col| match spans.last_mut() {
            Some(last) if last.row == row && last.start <= col && col < last.end => {}
            Some(last) if last.row == row && last.end == col => last.end += 1,
            _ => spans.push(TileSpan { row, start: col, end: col + 1 }),
        });
    }

    fn mark_polygon(&mut self, polygon: &Polygon<f64>) {
        let mut crossings: Vec<(u32, f64)> = Vec::new();
        for pair in rings(polygon).flat_map(|ring| ring.0.windows(2)) {
            if pair[0] != pair[1] {
                self.mark_edge(pair[0], pair[1], Contact::Through);
                self.grid.scan(pair[0], pair[1], |row, x| crossings.push((row, x)));
            }
        }
        crossings.sort_unstable_by(|first, second| first.0.cmp(&second.0).then(first.1.total_cmp(&second.1)));
        // Rings are closed, so each row has an even number of crossings; tiles between two of them are inside.
        for pair in crossings.chunks_exact(2) {
            let (row, start, end) = (pair[0].0, self.grid.column_after(pair[0].1), self.grid.column_after(pair[1].1));
            if start < end {
                self.spans.push(TileSpan { row, start, end });
            }
        }
    }

    fn merged(mut self) -> Vec<TileSpan> {
        self.spans.sort_unstable();
        let mut merged: Vec<TileSpan> = Vec::with_capacity(self.spans.len());
        for span in self.spans {
            match merged.last_mut() {
                Some(last) if last.row == span.row && span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests;
