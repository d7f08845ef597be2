//! Georeferencing: GeoKeys, coordinate reference systems, transforms and GDAL's metadata.
//!
//! Reads what GeoTIFF 1.1 and GDAL store in a file. Does not transform coordinates between reference systems.

mod bbox;
mod crs;
mod transform;

pub use bbox::BBox;
pub use crs::Crs;
pub use transform::GeoTransform;
