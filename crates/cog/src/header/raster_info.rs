//! What says where a file's pixels lie, and how many bands they have: all of a header that geometry is about.
//!
//! Owns the raster's own coordinates, and which names lead to them. Holds no tables: an index of large rasters is asked where
//! they lie without reading where their tiles are.

use super::cog_header::CogHeader;
use crate::geo::{BBox, Crs, GeoTransform};
use crate::{Error, Result};

/// A file's full-resolution image: its size, its place in the world, and its bands.
#[derive(Debug, Clone, PartialEq)]
pub struct RasterInfo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The file's bands.
    pub bands: Bands,
    /// Pixel corners to world coordinates, None without georeferencing.
    pub transform: Option<GeoTransform>,
    /// Coordinate reference system of the world coordinates.
    pub crs: Option<Crs>,
}

/// How many bands a file has, and which one its header was narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// SamplesPerPixel.
    pub count: u16,
    /// The band that the header was narrowed to, see [`CogHeader::for_band`].
    pub narrowed_to: Option<u32>,
}

impl Bands {
    /// Whether the file has a band, and the header was not narrowed to another.
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
                format!("expected band_index {narrowed}, to which the metadata was narrowed, found {band}")
            }
            _ => return Ok(()),
        };
        Err(Error::InvalidArgument { what })
    }
}

impl RasterInfo {
    /// Pixel corners of level 0 to the raster's own coordinates: its transform, or, without one, pixels themselves (x = column,
    /// y = row, downwards).
    #[must_use]
    pub fn native_transform(&self) -> GeoTransform {
        self.transform.unwrap_or(GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
    }

    /// The box of the image in the raster's own coordinates.
    #[must_use]
    pub fn native_bounds(&self) -> BBox {
        self.native_transform().bounds(self.width, self.height)
    }
}

impl CogHeader {
    /// The full-resolution image, without its tables.
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

    /// The file's bands.
    #[must_use]
    pub fn bands(&self) -> Bands {
        Bands { count: self.image.encoding.samples_per_pixel, narrowed_to: self.band_index }
    }

    /// See [`Bands::check`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the file has no such band.
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
