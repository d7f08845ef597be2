//! Size, bands and georeferencing of a raster: the part of a header that geometries depend on.
//!
//! Contains no tile tables, so that an index of large rasters can be queried without reading them.

use super::cog_header::CogHeader;
use crate::geo::{BBox, Crs, GeoTransform};
use crate::{Error, Result};

/// Size, georeferencing and bands of a file's full-resolution image.
#[derive(Debug, Clone, PartialEq)]
pub struct RasterInfo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bands of the file.
    pub bands: Bands,
    /// Affine from pixel corners to world coordinates; None without georeferencing.
    pub transform: Option<GeoTransform>,
    /// Coordinate reference system of the world coordinates.
    pub crs: Option<Crs>,
}

/// Number of bands of a file, and the band that its header was narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// SamplesPerPixel.
    pub count: u16,
    /// The band that the header was narrowed to by [`CogHeader::for_band`].
    pub narrowed_to: Option<u32>,
}

impl Bands {
    /// Checks that the file has a band and that the header was not narrowed to another one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] otherwise.
    pub fn check(self, band: u32) -> Result<()> {
        let Self { count, narrowed_to } = self;
        let what = match narrowed_to {
            _ if band >= u32::from(count) => {
                let last = count.saturating_sub(1);
                format!("expected a band_index from 0 to {last}, found {band}: the file has {count} bands")
            }
            Some(narrowed) if narrowed != band => {
                format!("expected band_index {narrowed}, to which the metadata is restricted, found {band}")
            }
            _ => return Ok(()),
        };
        Err(Error::InvalidArgument { what })
    }
}

impl RasterInfo {
    /// A raster of one band in a CRS of EPSG.
    #[cfg(test)]
    pub(crate) fn in_epsg(code: u32, transform: [f64; 6], width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            bands: Bands { count: 1, narrowed_to: None },
            transform: Some(GeoTransform::from_array(transform)),
            crs: Some(Crs::Epsg(code)),
        }
    }

    /// Affine from pixel corners of level 0 to native coordinates: the transform of the raster or, without one, the
    /// identity (x = column, y = row, downwards).
    #[must_use]
    pub fn native_transform(&self) -> GeoTransform {
        self.transform.unwrap_or(GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
    }

    /// Bounds of the image in native coordinates.
    #[must_use]
    pub fn native_bounds(&self) -> BBox {
        self.native_transform().bounds(self.width, self.height)
    }
}

impl CogHeader {
    /// Returns the size, bands and georeferencing of the full-resolution image.
    #[must_use]
    pub fn raster_info(&self) -> RasterInfo {
        RasterInfo {
            width: self.image.image_width,
            height: self.image.image_height,
            bands: self.bands(),
            transform: self.transform,
            crs: self.crs.clone(),
        }
    }

    /// Bands of the file.
    #[must_use]
    pub fn bands(&self) -> Bands {
        Bands { count: self.image.encoding.samples_per_pixel, narrowed_to: self.band_index }
    }

    /// See [`Bands::check`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the file has no such band.
    pub fn check_band(&self, band: u32) -> Result<()> {
        self.bands().check(band)
    }

    /// See [`RasterInfo::native_transform`].
    #[must_use]
    pub fn native_transform(&self) -> GeoTransform {
        self.raster_info().native_transform()
    }

    /// See [`RasterInfo::native_bounds`].
    #[must_use]
    pub fn native_bounds(&self) -> BBox {
        self.raster_info().native_bounds()
    }
}
