//! Selects the level for a resolution: `level := 'auto'`.

use super::cog_header::CogHeader;
use crate::{Error, Result};

/// Tolerance on the pixel size of a level. Sizes of overviews are rounded, so their pixels are not exactly twice as
/// large. GDAL allows a fifth when it picks an overview.
const SLACK: f64 = 1.01;

impl CogHeader {
    /// Returns the coarsest level whose pixels are at most `resolution` wide and high, in the units of the raster's CRS
    /// (pixels of the full resolution without georeferencing), or the full resolution if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless the resolution is finite and greater than 0.
    pub fn level_for_resolution(&self, resolution: f64) -> Result<u32> {
        if !(resolution.is_finite() && resolution > 0.0) {
            return Err(Error::InvalidArgument {
                what: format!("resolution: expected a number greater than 0, found {resolution}"),
            });
        }
        let (width, height) = self.native_transform().pixel_size();
        let (width, height) = (width * f64::from(self.image.image_width), height * f64::from(self.image.image_height));
        let serves = |columns: u32, rows: u32| {
            let size = (width / f64::from(columns)).max(height / f64::from(rows));
            size <= resolution * SLACK
        };
        let levels = (1_u32..).zip(&self.overviews);
        let served = levels.filter(|(_, level)| serves(level.image_width, level.image_height));
        // Levels are sorted from the largest, so the last one is the coarsest.
        Ok(served.map(|(level, _)| level).last().unwrap_or(0))
    }
}
