//! Which tiles of a file hold the pixels of a geometry: header in, byte ranges out, nothing read.

use std::ops::Range;
use std::sync::Arc;

use crate::crs::{Transform, Transforms};
use crate::geometry::Geometry;
use crate::view::View;
use crate::{CogHeader, Error, Result, Tile};

/// The name by which coordinates are the raster's own.
pub const NATIVE: &str = "native";

/// The CRS of a geometry for which nothing is said.
pub const DEFAULT_CRS: &str = "OGC:CRS84";

/// One level and band of a file, ready to say which tiles geometries of one CRS need.
#[derive(Debug, Clone)]
pub struct TilePlan {
    header: Arc<CogHeader>,
    level: u32,
    planes: Range<u64>,
    view: View,
    /// Geometries that were asked for.
    asked: u32,
}

/// After so many geometries the view is prepared for more: by then, that costs no more than they did.
const MANY: u32 = 16;

impl TilePlan {
    /// The plan of a level (0 is the full resolution), for a band or for all; `transform` leads from the CRS of geometries to the
    /// raster's, see [`CogHeader::transform_from`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such level or band, or the raster lies where its CRS does not reach;
    /// [`Error::Malformed`] where the level's tables contradict its sizes.
    pub fn new(
        header: Arc<CogHeader>,
        level: u32,
        band_index: Option<u32>,
        transform: Option<Arc<Transform>>,
    ) -> Result<Self> {
        let grid = header.grid(level)?;
        let planes = match band_index {
            None => 0..grid.planes(),
            Some(band) => {
                header.check_band(band)?;
                // A header of one plane is narrowed to the band, or holds all bands in each tile.
                let plane = if grid.planes() == 1 { 0 } else { u64::from(band) };
                plane..plane + 1
            }
        };
        let view = View::new(grid.tiling().image_width, grid.tiling().image_height, grid.transform(), transform)?;
        Ok(Self { header, level, planes, view, asked: 0 })
    }

    /// The tiles that a geometry meets, plane by plane, row by row.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a vertex is outside the range of its CRS, or of the raster's.
    pub fn tiles(&mut self, geometry: &Geometry) -> Result<Vec<Tile>> {
        self.asked = self.asked.saturating_add(1);
        if self.asked == MANY {
            self.view.prepare();
        }
        let grid = self.header.grid(self.level)?;
        let quick = self.view.quick_box(geometry).and_then(|bounds| grid.tiling().tile_around(bounds));
        let spans = match quick {
            Some(tile) => tile.into_iter().collect(),
            None => grid.tiling().cover(&self.view.pixels(geometry)?),
        };
        let planes = self.planes.clone();
        let tiles = planes.flat_map(|plane| {
            let cells = spans.iter().flat_map(|span| (span.start..span.end).map(|col| (span.row, col)));
            cells.filter_map(move |(row, col)| grid.tile(grid.position(plane, row, col)))
        });
        Ok(tiles.collect())
    }
}

impl CogHeader {
    /// The transformation from a CRS, by its name, to the raster's; None from [`NATIVE`], the raster's own coordinates.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the raster has no CRS or no georeferencing, or no transformation is known to be right.
    pub fn transform_from(&self, crs: &str, transforms: &Transforms) -> Result<Option<Arc<Transform>>> {
        if crs.trim().eq_ignore_ascii_case(NATIVE) {
            return Ok(None);
        }
        let fault = |what: &str| Err(Error::InvalidArgument { what: what.to_owned() });
        match (&self.transform, &self.crs) {
            (None, _) => fault("the raster has no georeferencing: expected CRS 'native', its pixels as coordinates"),
            (_, None) => fault("the metadata has no crs: expected CRS 'native', or the raster's CRS in the field crs"),
            (Some(_), Some(raster)) => transforms.get(crs, &raster.to_string()).map(Some),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
