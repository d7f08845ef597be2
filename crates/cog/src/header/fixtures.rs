//! Headers for tests.

use super::{CogHeader, Level};
use crate::geo::{Crs, GeoTransform};
use crate::tiff::{ByteOrder, DataType, Encoding, PlanarConfiguration};

/// A level of square tiles; the tile at position `i` of its tables is `i + 1` bytes at `1000 * (i + 1)`.
pub(crate) fn level(width: u32, height: u32, tile: u32, planes: u16) -> Level {
    let tiles = u64::from(width.div_ceil(tile) * height.div_ceil(tile)) * u64::from(planes);
    Level {
        image_width: width,
        image_height: height,
        tile_width: tile,
        tile_height: tile,
        is_tiled: true,
        tile_offsets: (1..=tiles).map(|at| at * 1000).collect(),
        tile_byte_counts: (1..).take(usize::try_from(tiles).unwrap()).collect(),
        encoding: Encoding {
            planar_configuration: if planes > 1 { PlanarConfiguration::Planar } else { PlanarConfiguration::Chunky },
            ..Encoding::uncompressed(DataType::Uint8, planes)
        },
    }
}

/// A raster in UTM of 10 m pixels, with an overview of half the size.
pub(crate) fn header(width: u32, height: u32, tile: u32, planes: u16) -> CogHeader {
    CogHeader {
        byte_order: ByteOrder::Little,
        image: level(width, height, tile, planes),
        overviews: vec![level(width.div_ceil(2), height.div_ceil(2), tile, planes)],
        masks: Vec::new(),
        band_index: None,
        extra_samples: None,
        transform: Some(GeoTransform::from_array([10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0])),
        pixel_scale: None,
        tiepoint: None,
        crs: Some(Crs::Epsg(32631)),
        nodata: None,
        nodata_text: None,
        nodata_values: None,
        scale: None,
        offset: None,
    }
}
