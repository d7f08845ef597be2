//! Transformations to the CRS of a raster.

use std::sync::Arc;

use crate::crs::{NATIVE, Transform, Transforms};
use crate::header::{CogHeader, RasterInfo};
use crate::{Error, Result};

impl RasterInfo {
    /// Returns the transformation from the named CRS to that of the raster; None for [`NATIVE`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the raster has no CRS or no georeferencing, or if no transformation is known to be
    /// right.
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

impl CogHeader {
    /// See [`RasterInfo::transform_from`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if no transformation is known to be right.
    pub fn transform_from(&self, crs: &str, transforms: &Transforms) -> Result<Option<Arc<Transform>>> {
        self.raster_info().transform_from(crs, transforms)
    }
}
