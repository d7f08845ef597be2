//! What GDAL's metadata and GeoKeys say of an image in words.

use super::georeference::keys;
use super::keys::key;
use super::minixml::{Item, for_each_item, unescaped};
use super::number::signed;
use crate::tiff::Tag;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;

/// One item of GDAL_METADATA (42112).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GdalItem {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The band, counted from 0, that it is about; None for the whole file.
    pub(crate) band: Option<usize>,
    pub(crate) role: String,
    pub(crate) domain: String,
}

/// What a pixel's coordinates are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AreaOrPoint {
    Area,
    Point,
}

/// GTRasterTypeGeoKey of rasters whose coordinates are those of pixel centres (GeoTIFF 1.1, B.1.2).
const PIXEL_IS_POINT: u16 = 2;

/// GTRasterTypeGeoKey; None where no key says it.
pub(crate) fn area_or_point(file: &File, ifd: &Ifd) -> Option<AreaOrPoint> {
    let kind = keys(file, ifd).ok()?.short(key::RASTER_TYPE)?;
    Some(if kind == PIXEL_IS_POINT { AreaOrPoint::Point } else { AreaOrPoint::Area })
}

/// The items of an image's GDAL_METADATA in their order; none where GDAL cannot read it.
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
            // GDAL takes entities out of a text a second time.
            text: words(text.map(|text| unescaped(&text))),
            band: sample.and_then(|sample| usize::try_from(signed(&sample)).ok()),
            role: words(role),
            domain: words(domain),
        });
    });
    if is_whole.is_some() { items } else { Vec::new() }
}
