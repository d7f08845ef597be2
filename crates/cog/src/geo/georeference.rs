//! Georeferencing, nodata, scale and offset of an image.

use super::gdal_metadata::GdalMetadata;
use super::keys::{GeoKeys, key};
use super::{Crs, GeoTransform, nodata, reference};
use crate::Result;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;
use crate::tiff::{Encoding, Tag};

/// Georeferencing and GDAL metadata of an image; see the fields of `CogHeader`.
#[derive(Debug)]
pub(crate) struct Georeference {
    pub(crate) transform: Option<GeoTransform>,
    pub(crate) pixel_scale: Option<Vec<f64>>,
    pub(crate) tiepoint: Option<Vec<f64>>,
    pub(crate) crs: Option<Crs>,
    pub(crate) nodata: Option<f64>,
    pub(crate) nodata_text: Option<String>,
    pub(crate) nodata_values: Option<Vec<f64>>,
    pub(crate) scale: Option<Vec<f64>>,
    pub(crate) offset: Option<Vec<f64>>,
}

/// Value of GTRasterTypeGeoKey for coordinates of pixel centres (GeoTIFF 1.1, B.1.2).
const PIXEL_IS_POINT: u16 = 2;

impl Georeference {
    /// Reads the tags of an image, whose values must be available in `file`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Malformed`] for a tag of the wrong type, except for GDAL_METADATA, which GDAL ignores if
    /// invalid.
    pub(crate) fn read(file: &File, ifd: &Ifd, encoding: &Encoding) -> Result<Self> {
        let pixel_scale = floats(file, ifd, Tag::MODEL_PIXEL_SCALE)?;
        let tiepoint = floats(file, ifd, Tag::MODEL_TIEPOINT)?;
        let matrix = floats(file, ifd, Tag::MODEL_TRANSFORMATION)?;
        let keys = keys(file, ifd)?;
        let gdal_metadata = match ifd.value(file, Tag::GDAL_METADATA) {
            Ok(Some(value)) => GdalMetadata::parse(value.characters().unwrap_or_default(), encoding.samples_per_pixel),
            _ => GdalMetadata::default(),
        };
        let nodata_text = match ifd.value(file, Tag::GDAL_NODATA)? {
            Some(value) => Some(value.text()?.into_owned()).filter(|text| !text.is_empty()),
            None => None,
        };
        let nodata = match &nodata_text {
            Some(text) => nodata::number(text, encoding),
            None => gdal_metadata.nodata,
        };
        Ok(Self {
            transform: GeoTransform::from_tags(
                pixel_scale.as_deref(),
                tiepoint.as_deref(),
                matrix.as_deref(),
                keys.short(key::RASTER_TYPE) == Some(PIXEL_IS_POINT),
            ),
            pixel_scale,
            tiepoint,
            crs: reference::crs(&keys),
            nodata,
            nodata_text,
            nodata_values: gdal_metadata.nodata_values,
            scale: gdal_metadata.scale,
            offset: gdal_metadata.offset,
        })
    }
}

fn floats(file: &File, ifd: &Ifd, tag: Tag) -> Result<Option<Vec<f64>>> {
    ifd.value(file, tag)?.map(|value| value.floats()).transpose()
}

pub(super) fn keys(file: &File, ifd: &Ifd) -> Result<GeoKeys> {
    let Some(directory) = ifd.value(file, Tag::GEO_KEY_DIRECTORY)? else {
        return Ok(GeoKeys::default());
    };
    let doubles = floats(file, ifd, Tag::GEO_DOUBLE_PARAMS)?;
    let ascii = ifd.value(file, Tag::GEO_ASCII_PARAMS)?;
    Ok(GeoKeys::new(
        directory.integers()?,
        doubles.unwrap_or_default(),
        ascii.map_or_else(Vec::new, |value| value.bytes().to_vec()),
    ))
}
