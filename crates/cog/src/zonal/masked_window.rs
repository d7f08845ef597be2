//! The pixels of a window that a geometry covers, as `rasterio.mask.mask(crop=True)` returns them.

use super::coverage::Method;
use crate::Result;
use crate::geometry::Geometry;
use crate::grid::Coverage;
use crate::pixel::{Band, WindowOptions, WindowProfile, WindowWriter};

impl WindowWriter {
    /// The window of a geometry in the pixel coordinates of the band's level, or, without one, of the whole image. None where the
    /// geometry lies outside the image. Its coverage is computed in at most `max_coverage_bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for windows of more than [`WindowProfile::MAX_BYTES`] and for geometries
    /// whose coverage takes more than `max_coverage_bytes`, [`Error::Unsupported`](crate::Error::Unsupported) for complex values that are
    /// to be scaled.
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
