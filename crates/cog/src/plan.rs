//! Which tiles of a level hold the pixels of a geometry: sizes in, positions in the tile tables out, nothing read.

use std::ops::Range;
use std::sync::Arc;

use crate::cover::Extent;
use crate::crs::Transform;
use crate::geometry::Geometry;
use crate::view::View;
use crate::{Bands, Error, Place, Result, TileLayout, TileSpan, Tiling};

/// The CRS of a geometry for which nothing is said.
pub const DEFAULT_CRS: &str = "OGC:CRS84";

/// One level and band of a file, ready to say which tiles geometries of one CRS need.
#[derive(Debug, Clone)]
pub struct TilePlan {
    layout: TileLayout,
    planes: Range<u64>,
    view: View,
    /// Geometries that were asked for.
    asked: u32,
    /// The tiles of the last of them, in each plane.
    spans: Vec<TileSpan>,
}

/// After so many geometries the view is prepared for more: by then, that costs no more than they did.
const MANY: u32 = 16;

impl TilePlan {
    /// The plan of a level, for a band of the file's `bands` or for all; `transform` leads from the CRS of geometries to the raster's,
    /// see [`crate::Frame::transform_from`].
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
                    return Err(Error::Malformed { at: Place { ifd: None, tag: None, byte: None }, what });
                }
                plane..plane + 1
            }
        };
        let Tiling { image_width, image_height, .. } = layout.tiling();
        let view = View::new(image_width, image_height, layout.transform(), transform)?;
        Ok(Self { layout, planes, view, asked: 0, spans: Vec::new() })
    }

    /// Where the tiles lie.
    #[must_use]
    pub fn layout(&self) -> TileLayout {
        self.layout
    }

    /// The positions in the tables of the tiles that a geometry meets, plane by plane, row by row.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a vertex is outside the range of its CRS, or of the raster's.
    pub fn positions(&mut self, geometry: &Geometry) -> Result<impl Iterator<Item = u64> + '_> {
        self.asked = self.asked.saturating_add(1);
        if self.asked == MANY {
            self.view.prepare();
        }
        self.spans.clear();
        if !self.cover_by_extent(geometry) {
            self.spans = self.layout.tiling().cover(&self.view.pixels(geometry)?);
        }
        let (layout, spans) = (&self.layout, &self.spans);
        Ok(self.planes.clone().flat_map(move |plane| {
            let cells = spans.iter().flat_map(|span| (span.start..span.end).map(|col| (span.row, col)));
            cells.map(move |(row, col)| layout.position(plane, row, col))
        }))
    }

    /// Covers what its extent is enough for: most geometries, at a fraction of the cost. False where it is not.
    fn cover_by_extent(&mut self, geometry: &Geometry) -> bool {
        let Some(bounds) = geometry.bbox() else {
            return false;
        };
        let is_connected = geometry.is_connected();
        let cover = |extent: Extent| self.layout.tiling().cover_of(&extent, is_connected);
        let rough = self.view.rough_extent(bounds).and_then(cover);
        match rough.or_else(|| self.view.extent(geometry).and_then(cover)) {
            Some(spans) => {
                self.spans.extend(spans);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
