//! Which tiles of a level hold the pixels of a geometry: sizes in, positions in the tile tables out, nothing read.

use std::ops::Range;
use std::sync::Arc;

use super::walk::Grid;
use crate::crs::Transform;
use crate::geometry::Geometry;
use crate::grid::{TileAddress, TileLayout, TileSpan, Tiling};
use crate::header::Bands;
use crate::project::{GeometryProjector, ProjectorCache};
use crate::{Error, FilePosition, Result};

/// One level and band of a file, ready to say which tiles geometries of one CRS need.
#[derive(Debug, Clone)]
pub struct TilePlan {
    layout: TileLayout,
    planes: Range<u64>,
    grid: Grid,
    view: Arc<GeometryProjector>,
    /// The tiles of the geometry that was asked for last: in each plane, and one by one.
    spans: Vec<TileSpan>,
    tiles: Vec<TileAddress>,
}

impl TilePlan {
    /// The plan of a level, for a band of the file's `bands` or for all; `transform` leads from the CRS of geometries to the raster's,
    /// see [`crate::RasterInfo::transform_from`]; `views` are those made before.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such band, or the raster lies where its CRS does not reach;
    /// [`Error::Malformed`] where the tables have no plane of the band.
    pub fn new(
        layout: TileLayout,
        bands: Bands,
        band_index: Option<u32>,
        transform: Option<Arc<Transform>>,
        views: &ProjectorCache,
    ) -> Result<Self> {
        let planes = match band_index {
            None => 0..layout.planes(),
            Some(band) => {
                bands.check(band)?;
                // A header of one plane is narrowed to the band, or holds all bands in each tile.
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
        let view = views.get((image_width, image_height), layout.transform(), transform)?;
        let grid = Grid::new(&layout.tiling());
        Ok(Self { layout, planes, grid, view, spans: Vec::new(), tiles: Vec::new() })
    }

    /// Where the tiles lie.
    #[must_use]
    pub fn layout(&self) -> TileLayout {
        self.layout
    }

    /// The tiles that a geometry meets, plane by plane, row by row.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a vertex is outside the range of its CRS, or of the raster's.
    pub fn tiles(&mut self, geometry: &Geometry) -> Result<&[TileAddress]> {
        self.spans.clear();
        if !self.cover_by_extent(geometry) {
            // Most of the others are nowhere so near to a corner of the grid that exact coordinates made a difference.
            let about = self.view.about_pixels(geometry);
            let about = about.filter(|(pixels, error)| self.grid.is_clear_of(pixels, *error));
            let pixels = match about {
                Some((pixels, _)) => pixels,
                None => self.view.pixels(geometry)?,
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

    /// Covers what its extent is enough for: most geometries, at a fraction of the cost. False where it is not.
    fn cover_by_extent(&mut self, geometry: &Geometry) -> bool {
        let extent = geometry.bbox().and_then(|bounds| self.view.rough_extent(bounds));
        extent.is_some_and(|extent| self.grid.cover_of(&extent, geometry.is_connected(), &mut self.spans))
    }
}

#[cfg(test)]
pub(crate) mod tests;
