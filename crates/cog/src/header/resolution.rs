//! The level that serves a resolution: `level := 'auto'`.

use super::cog_header::CogHeader;
use crate::{Error, Result};

/// How much larger than asked for the pixels of a level may be: overviews of sizes that halve to a fraction are rounded, and
/// their pixels come out a little larger or smaller than meant. GDAL allows a fifth when it picks an overview.
const SLACK: f64 = 1.01;

impl CogHeader {
    /// The coarsest level whose pixels are not larger than `resolution`, in the raster's units (pixels of the full resolution
    /// without georeferencing), by either side; the full resolution where all are larger.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless the resolution is a number greater than 0.
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
        // Largest first, so that the last is the coarsest.
        Ok(served.map(|(level, _)| level).last().unwrap_or(0))
    }
}
