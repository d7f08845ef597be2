//! The grid that rasters are resampled to.

use crate::geo::{BBox, GeoTransform};
use crate::header::RasterInfo;
use crate::{Error, Result};

/// Distance from a multiple of the resolution, in pixels, within which a side of a box is on it.
const ON_EDGE: f64 = 1e-6;

/// Size and georeferencing of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetGrid {
    /// Affine from pixel corners to world coordinates.
    pub transform: GeoTransform,
    /// Name of the CRS; None for coordinates without one.
    pub crs: Option<String>,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl TargetGrid {
    /// Creates a grid.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless it has pixels, and pixels have an area.
    pub fn new(transform: GeoTransform, crs: Option<String>, width: u32, height: u32) -> Result<Self> {
        let wrong = |what: String| Err(Error::InvalidArgument { what });
        if transform.inverse().is_none() || !transform.to_array().iter().all(|number| number.is_finite()) {
            let numbers = transform.to_array();
            return wrong(format!("grid: transform: expected pixels with an area, found {numbers:?}"));
        }
        if width == 0 || height == 0 || i32::try_from(width).is_err() || i32::try_from(height).is_err() {
            return wrong(format!(
                "grid: expected a width and height from 1 to {}, found {width} x {height}",
                i32::MAX
            ));
        }
        Ok(Self { transform, crs, width, height })
    }

    /// The grid of a raster's full resolution.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_raster(raster: &RasterInfo) -> Result<Self> {
        let crs = raster.crs.as_ref().map(ToString::to_string);
        Self::new(raster.native_transform(), crs, raster.width, raster.height)
    }

    /// The grid of square pixels around a box whose edges are at integer multiples of the resolution, as with GDAL's `-tap`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless the resolution is a number greater than 0, and the grid has at most 2^31 - 1 columns and rows.
    pub fn aligned(crs: String, resolution: f64, bounds: BBox) -> Result<Self> {
        let wrong = |what: String| Err(Error::InvalidArgument { what });
        if !(resolution.is_finite() && resolution > 0.0) {
            return wrong(format!("grid: resolution: expected a number greater than 0, found {resolution}"));
        }
        let snapped = |edge: f64, other: f64| if (edge - edge.round()).abs() <= ON_EDGE { edge.round() } else { other };
        let side = |min: f64, max: f64| {
            let (min, max) = (min / resolution, max / resolution);
            let start = snapped(min, min.floor());
            (start, snapped(max, max.ceil()).max(start + 1.0))
        };
        let ((left, right), (bottom, top)) = (side(bounds.xmin, bounds.xmax), side(bounds.ymin, bounds.ymax));
        let (width, height) = (right - left, top - bottom);
        if !(width <= f64::from(i32::MAX) && height <= f64::from(i32::MAX)) {
            return wrong(format!(
                "grid: expected at most {} columns and rows, found {width} x {height}: use a larger resolution",
                i32::MAX
            ));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared above")]
        let (width, height) = (width as u32, height as u32);
        let transform =
            GeoTransform { a: resolution, b: 0.0, c: left * resolution, d: 0.0, e: -resolution, f: top * resolution };
        Self::new(transform, Some(crs), width, height)
    }
}
