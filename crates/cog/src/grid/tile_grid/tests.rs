use crate::geo::{BBox, GeoTransform};
use crate::tiff::{ByteOrder, DataType, PlanarConfiguration};
use crate::{CogHeader, Encoding, Error, Level};

/// A level of 100 x 50 tiles in an image of `width` x `height`.
fn level(width: u32, height: u32, planes: u16) -> Level {
    let tiles = u64::from(width.div_ceil(100) * height.div_ceil(50)) * u64::from(planes);
    Level {
        image_width: width,
        image_height: height,
        tile_width: 100,
        tile_height: 50,
        is_tiled: true,
        tile_offsets: (0..tiles).map(|tile| 1000 + tile).collect(),
        tile_byte_counts: (1..).take(usize::try_from(tiles).unwrap()).collect(),
        encoding: Encoding {
            planar_configuration: if planes > 1 { PlanarConfiguration::Planar } else { PlanarConfiguration::Chunky },
            ..Encoding::uncompressed(DataType::Uint8, planes)
        },
    }
}

fn header(image: Level, overviews: Vec<Level>) -> CogHeader {
    CogHeader {
        byte_order: ByteOrder::Little,
        image,
        overviews,
        masks: Vec::new(),
        band_index: None,
        extra_samples: None,
        transform: Some(GeoTransform::from_array([10.0, 0.0, 500.0, 0.0, -10.0, 900.0])),
        pixel_scale: None,
        tiepoint: None,
        crs: None,
        nodata: None,
        nodata_text: None,
        nodata_values: None,
        scale: None,
        offset: None,
    }
}

#[test]
fn edge_tiles_are_clipped_to_the_image() {
    let header = header(level(250, 70, 1), Vec::new());
    let grid = header.grid(0).unwrap();
    let tile = grid.tile(5).unwrap();
    assert_eq!((tile.row, tile.col, tile.index), (1, 2, 5));
    assert_eq!((tile.offset, tile.byte_count, tile.band_index), (Some(1005), 6, None));
    assert_eq!(tile.bbox, BBox { xmin: 2500.0, ymin: 200.0, xmax: 3000.0, ymax: 400.0 });
    assert_eq!(grid.tile(6), None);
}

#[test]
fn planes_are_consecutive() {
    let header = header(level(250, 70, 3), Vec::new());
    let tile = header.grid(0).unwrap().tile(13).unwrap();
    assert_eq!((tile.band_index, tile.row, tile.col, tile.index), (Some(2), 0, 1, 1));
}

#[test]
fn metadata_of_one_band_keeps_its_index() {
    let mut narrowed = header(level(250, 70, 3), Vec::new());
    narrowed.image.tile_offsets.truncate(6);
    narrowed.image.tile_byte_counts.truncate(6);
    narrowed.band_index = Some(2);
    assert_eq!(narrowed.grid(0).unwrap().tile(0).unwrap().band_index, Some(2));
}

#[test]
fn an_overview_covers_the_same_area() {
    let header = header(level(250, 70, 1), vec![level(125, 35, 1)]);
    let tile = header.grid(1).unwrap().tile(1).unwrap();
    assert_eq!((tile.level, tile.col), (1, 1));
    assert_eq!(tile.bbox, BBox { xmin: 2500.0, ymin: 200.0, xmax: 3000.0, ymax: 900.0 });
}

#[test]
fn a_tile_without_offset_or_byte_count_is_sparse() {
    let mut sparse = header(level(250, 70, 1), Vec::new());
    sparse.image.tile_offsets[0] = 0;
    sparse.image.tile_byte_counts[1] = 0;
    let grid = sparse.grid(0).unwrap();
    for position in 0..2 {
        let tile = grid.tile(position).unwrap();
        assert_eq!((tile.offset, tile.byte_count), (None, 0));
    }
}

#[test]
fn one_strip_without_byte_count_extends_to_the_end() {
    let mut strip = header(level(100, 50, 1), Vec::new());
    strip.image.tile_byte_counts[0] = 0;
    assert_eq!(strip.grid(0).unwrap().bytes(0), None);
    strip.image.is_tiled = false;
    assert_eq!(strip.grid(0).unwrap().bytes(0), Some(1000..super::OPEN_END));
    strip.image.tile_offsets[0] = 0;
    assert_eq!(strip.grid(0).unwrap().bytes(0), None);
    assert_eq!(strip.grid(0).unwrap().bytes(1), None);
}

#[test]
fn without_georeferencing_coordinates_are_pixels() {
    let mut plain = header(level(250, 70, 1), Vec::new());
    plain.transform = None;
    assert_eq!(plain.native_bounds(), BBox { xmin: 0.0, ymin: 0.0, xmax: 250.0, ymax: 70.0 });
}

#[test]
fn tables_that_contradict_the_grid_and_unknown_levels_are_errors() {
    let mut short = header(level(250, 70, 1), Vec::new());
    assert!(matches!(short.grid(1), Err(Error::InvalidArgument { .. })));
    short.image.tile_offsets.pop();
    assert!(matches!(short.grid(0), Err(Error::Malformed { .. })));
}
