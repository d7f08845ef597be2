//! The header of a file.

use super::level::Level;
use crate::Result;
use crate::geo::{BBox, Crs, GeoTransform};
use crate::tiff::{ByteOrder, ExtraSample};

/// The header of a file, with everything that reading pixels needs: a reader never fetches it again.
#[derive(Debug, Clone, PartialEq)]
pub struct CogHeader {
    /// Byte order of the file and of its samples.
    pub byte_order: ByteOrder,
    /// Level 0: the full-resolution image.
    pub image: Level,
    /// Reduced-resolution images of the main IFD chain (NewSubfileType bit 0), largest first.
    pub overviews: Vec<Level>,
    /// Transparency masks of the main IFD chain (NewSubfileType bit 2), largest first. A mask applies to the level of
    /// the same width and height.
    pub masks: Vec<Level>,
    /// The band that this header was narrowed to, counted from 0; see [`CogHeader::for_band`].
    pub band_index: Option<u32>,
    /// ExtraSamples (338): None when absent.
    pub extra_samples: Option<Vec<ExtraSample>>,
    /// Pixel corners to world coordinates, None without georeferencing.
    pub transform: Option<GeoTransform>,
    /// ModelPixelScaleTag (33550) as stored.
    pub pixel_scale: Option<Vec<f64>>,
    /// ModelTiepointTag (33922) as stored.
    pub tiepoint: Option<Vec<f64>>,
    /// Coordinate reference system of the world coordinates.
    pub crs: Option<Crs>,
    /// GDAL_NODATA (42113), else NODATA_VALUE(S) of GDAL_METADATA (42112).
    pub nodata: Option<f64>,
    /// GDAL_NODATA as text, which is exact for integers beyond 2^53; None when absent. Used only if it parses to the
    /// same number as `nodata`.
    pub nodata_text: Option<String>,
    /// NODATA_VALUES of GDAL_METADATA, one per band: a pixel is invalid if every band has its value, regardless of
    /// `nodata`. None when absent, or if the length is not the number of bands.
    pub nodata_values: Option<Vec<f64>>,
    /// Scale of each band from GDAL_METADATA; None if no band has one.
    pub scale: Option<Vec<f64>>,
    /// Offset of each band from GDAL_METADATA; None if no band has one.
    pub offset: Option<Vec<f64>>,
}

impl CogHeader {
    /// Returns the header narrowed to one band, counted from 0.
    ///
    /// Planar files keep only the tiles of that band in the image and the overviews. Chunky files keep all tiles, since
    /// each holds every band. Masks are unchanged. `dtype` becomes that of the band.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the file has no such band.
    pub fn for_band(&self, band: u32) -> Result<Self> {
        self.check_band(band)?;
        if self.band_index == Some(band) {
            return Ok(self.clone());
        }
        let index = usize::try_from(band).unwrap_or(usize::MAX);
        Ok(Self {
            image: self.image.for_band(index),
            overviews: self.overviews.iter().map(|level| level.for_band(index)).collect(),
            masks: self.masks.clone(),
            band_index: Some(band),
            extra_samples: self.extra_samples.clone(),
            pixel_scale: self.pixel_scale.clone(),
            tiepoint: self.tiepoint.clone(),
            crs: self.crs.clone(),
            nodata_text: self.nodata_text.clone(),
            nodata_values: self.nodata_values.clone(),
            scale: self.scale.clone(),
            offset: self.offset.clone(),
            ..*self
        })
    }

    /// Bounds of the image in its CRS; None without georeferencing.
    #[must_use]
    pub fn bounds(&self) -> Option<BBox> {
        self.transform.map(|transform| transform.bounds(self.image.image_width, self.image.image_height))
    }
}
