//! Plans which tiles of a level a geometry needs, from sizes alone: no tile table is read.

use std::ops::Range;
use std::sync::Arc;

use super::walk::Grid;
use crate::crs::Transform;
use crate::geometry::Geometry;
use crate::grid::{TileAddress, TileLayout, TileSpan, Tiling};
use crate::header::Bands;
use crate::project::{GeometryProjector, ProjectorCache};
use crate::{Error, FilePosition, Result};

/// Plan for one level and band of a file, and geometries of one CRS.
#[derive(Debug, Clone)]
pub struct TilePlan {
    layout: TileLayout,
    planes: Range<u64>,
    grid: Grid,
    projector: Arc<GeometryProjector>,
    /// Tiles of the last geometry: per plane, and as addresses.
    spans: Vec<TileSpan>,
    tiles: Vec<TileAddress>,
}

impl TilePlan {
    /// Creates a plan for a level and a band, or all bands. `transform` is the transformation from the CRS of
    /// geometries, see [`crate::RasterInfo::transform_from`]; `projectors` caches projectors.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no such band, or if the raster lies outside the domain of its CRS;
    /// [`Error::Malformed`] if the tables have no plane for the band.
    pub fn new(
        layout: TileLayout,
        bands: Bands,
        band_index: Option<u32>,
        transform: Option<Arc<Transform>>,
        projectors: &ProjectorCache,
    ) -> Result<Self> {
        let planes = match band_index {
            None => 0..layout.planes(),
            Some(band) => {
                bands.check(band)?;
                // With a single plane, the header is narrowed to the band, or every tile holds all bands.
                let plane = if layout.planes() == 1 { 0 } else { u64::from(band) };
                if plane >= layout.planes() {
                    let what = format!(
                        "level {}: expected tables of {} planes, found {}",
                        layout.level(),
                        bands.count,
                        layout.planes()
                    );
                    return Err(Error::Malformed { at: FilePosition { ifd: None, tag: None, byte: None }, what });
                }
                plane..plane + 1
            }
        };
        let Tiling { image_width, image_height, .. } = layout.tiling();
        let projector = projectors.get((image_width, image_height), layout.transform(), transform)?;
        let grid = Grid::new(&layout.tiling());
        Ok(Self { layout, planes, grid, projector, spans: Vec::new(), tiles: Vec::new() })
    }

    /// Layout of the level.
    #[must_use]
    pub fn layout(&self) -> TileLayout {
        self.layout
    }

    /// Returns the tiles that a geometry intersects, plane by plane, row by row.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a vertex is outside the domain of its CRS or the raster's.
    pub fn tiles(&mut self, geometry: &Geometry) -> Result<&[TileAddress]> {
        self.spans.clear();
        if !self.cover_by_extent(geometry) {
            // Most geometries are far enough from tile corners for approximate coordinates.
            let approximate = self.projector.approximate_pixels(geometry);
            let approximate = approximate.filter(|(pixels, error)| self.grid.is_clear_of(pixels, *error));
            let pixels = match approximate {
                Some((pixels, _)) => pixels,
                None => self.projector.pixels(geometry)?,
            };
            self.spans = self.layout.tiling().cover(&pixels);
        }
        self.tiles.clear();
        for plane in self.planes.clone() {
            for TileSpan { row, start, end } in &self.spans {
                self.tiles.extend((*start..*end).map(|col| TileAddress { plane, row: *row, col }));
            }
        }
        Ok(&self.tiles)
    }

    /// Covers a geometry by its approximate extent, at a fraction of the cost. Returns false if that is not sufficient.
    fn cover_by_extent(&mut self, geometry: &Geometry) -> bool {
        let extent = geometry.bbox().and_then(|bounds| self.projector.approximate_extent(bounds));
        extent.is_some_and(|extent| self.grid.cover_of(&extent, geometry.is_connected(), &mut self.spans))
    }
}

#[cfg(test)]
pub(crate) mod tests;
