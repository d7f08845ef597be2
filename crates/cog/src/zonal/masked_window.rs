//! Windows masked by a geometry, as `rasterio.mask.mask(crop=True)` returns them.

use super::coverage::Method;
use crate::Result;
use crate::geometry::Geometry;
use crate::grid::Coverage;
use crate::pixel::{Band, WindowOptions, WindowProfile, WindowWriter};

impl WindowWriter {
    /// Returns the writer for the window around a geometry in the pixel coordinates of the band's level, or for the
    /// whole image without a geometry. None if the geometry lies outside the image. The coverage is computed in at most
    /// `max_coverage_bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the window exceeds [`WindowProfile::MAX_BYTES`] or
    /// the coverage `max_coverage_bytes`, [`Error::Unsupported`](crate::Error::Unsupported) for scaled complex values.
    pub fn masked(
        band: &Band,
        geometry: Option<&Geometry>,
        options: WindowOptions,
        max_coverage_bytes: u64,
    ) -> Result<Option<Self>> {
        let Some(profile) = WindowProfile::new(band, geometry, options)? else {
            return Ok(None);
        };
        let tiling = band.tiling();
        let (width, height) = (tiling.image_width, tiling.image_height);
        let coverage = geometry.map(|geometry| {
            Coverage::check_size(geometry, width, height, max_coverage_bytes)?;
            let method = if options.all_touched { Method::AllTouched } else { Method::Center };
            Ok(Coverage::on_ground(geometry, width, height, method, &band.transform()))
        });
        Ok(Some(Self::new(band, profile, coverage.transpose()?, options)))
    }
}

#[cfg(test)]
mod tests;
