//! What GDAL's metadata and GeoKeys say of an image in words.

use super::georeference::keys;
use super::keys::key;
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
    let Ok(xml) = value.text() else {
        return Vec::new();
    };
    let Ok(document) = roxmltree::Document::parse(&xml) else {
        return Vec::new();
    };
    let items = document.root_element().children().filter(|node| node.has_tag_name("Item"));
    let attribute = |node: &roxmltree::Node<'_, '_>, name| node.attribute(name).unwrap_or_default().to_owned();
    items
        .map(|node| GdalItem {
            name: attribute(&node, "name"),
            text: node.text().unwrap_or_default().to_owned(),
            band: node.attribute("sample").and_then(|sample| sample.trim().parse().ok()),
            role: attribute(&node, "role"),
            domain: attribute(&node, "domain"),
        })
        .collect()
}
