//! Georeferencing: GeoKeys, coordinate reference systems, transforms and GDAL's metadata.
//!
//! Reads the georeferencing that GeoTIFF 1.1 and GDAL store in a file. Does not transform coordinates between reference
//! systems.

mod base;
mod bbox;
mod citation;
mod crs;
mod definition;
mod description;
mod epsg;
mod gdal_metadata;
mod georeference;
mod keys;
mod minixml;
pub(crate) mod nodata;
mod number;
mod projection;
mod reference;
mod transform;
mod wkt;

pub use bbox::BBox;
pub use crs::Crs;
pub(crate) use definition::{GeoKeyTags, keys_of};
pub(crate) use description::{AreaOrPoint, GdalItem, area_or_point, gdal_items};
pub(crate) use georeference::Georeference;
pub use transform::GeoTransform;

/// Whether the CRS of an EPSG code is geographic rather than projected; None for codes that are neither, or not known.
fn is_geographic(code: u16) -> Option<bool> {
    match epsg::projected(code) {
        Some(_) => Some(false),
        None => epsg::geographic(code).filter(|found| !found.is_geocentric).map(|_| true),
    }
}
