//! Descriptive items of GDAL_METADATA and GeoKeys.

use super::georeference::keys;
use super::keys::key;
use super::minixml::{Item, for_each_item, unescaped};
use super::number::signed;
use crate::tiff::Tag;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;

/// An item of GDAL_METADATA (42112).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GdalItem {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Band, counted from 0; None for dataset-level items.
    pub(crate) band: Option<usize>,
    pub(crate) role: String,
    pub(crate) domain: String,
}

/// Reference point of pixel coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AreaOrPoint {
    Area,
    Point,
}

/// Value of GTRasterTypeGeoKey for coordinates of pixel centres (GeoTIFF 1.1, B.1.2).
const PIXEL_IS_POINT: u16 = 2;

/// Returns GTRasterTypeGeoKey; None if absent.
pub(crate) fn area_or_point(file: &File, ifd: &Ifd) -> Option<AreaOrPoint> {
    let kind = keys(file, ifd).ok()?.short(key::RASTER_TYPE)?;
    Some(if kind == PIXEL_IS_POINT { AreaOrPoint::Point } else { AreaOrPoint::Area })
}

/// Returns the items of an image's GDAL_METADATA, in order; none if GDAL rejects it.
pub(crate) fn gdal_items(file: &File, ifd: &Ifd) -> Vec<GdalItem> {
    let Ok(Some(value)) = ifd.value(file, Tag::GDAL_METADATA) else {
        return Vec::new();
    };
    let Ok(document) = value.characters() else {
        return Vec::new();
    };
    let words = |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let mut items = Vec::new();
    let is_whole = for_each_item(document, |Item { name, sample, role, domain, text }| {
        items.push(GdalItem {
            name: words(name),
            // GDAL unescapes texts twice.
            text: words(text.map(|text| unescaped(&text))),
            band: sample.and_then(|sample| usize::try_from(signed(&sample)).ok()),
            role: words(role),
            domain: words(domain),
        });
    });
    if is_whole.is_some() { items } else { Vec::new() }
}
