//! Maps pixels of one grid to another, for masks and weights.

use std::sync::LazyLock;

use rasteret_cog::crs::Transforms;
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::pixel::{MappedValues, Mask};
use rasteret_cog::{Bands, PixelMap, RasterInfo, Tiling, Window};

use super::input::Input;

static TRANSFORMS: LazyLock<Transforms> = LazyLock::new(Transforms::default);

pub(crate) const CRSS: [&str; 7] =
    ["EPSG:32631", "EPSG:4326", "OGC:CRS84", "EPSG:3857", "ESRI:54009", "EPSG:3031", "+proj=sinu +R=6371007.181"];

/// Checks that mapped pixels are inside of the other raster, for all grids and CRSs.
pub(crate) fn pixel_map(data: &[u8]) {
    let mut input = Input::new(data);
    let (raster, other) = (info(&mut input), info(&mut input));
    let level = GeoTransform::from_array(input.affine());
    let Ok(map) = PixelMap::new(&raster, level, &other, &TRANSFORMS) else { return };
    let _ = (map.is_aligned(), map.is_same_grid((raster.width, raster.height)));
    let tiling = Tiling {
        image_width: other.width,
        image_height: other.height,
        tile_width: input.size().max(1),
        tile_height: input.size().max(1),
    };
    let (across, down) = (other.width.div_ceil(tiling.tile_width), other.height.div_ceil(tiling.tile_height));
    for _ in 0..3 {
        let (col_off, row_off) = (input.size() >> 1, input.size() >> 1);
        let (width, height) = (u32::from(input.u8() % 32), u32::from(input.u8() % 32));
        let window = Window { col_off, row_off, width, height };
        let tiles = Mask::new(map.pixels(window)).tiles(&tiling);
        assert!(tiles.iter().all(|(row, col)| *row < down && *col < across), "{tiles:?}");
        assert!(tiles.is_sorted() && tiles.len() as u64 <= window.pixels().max(u64::from(width) * u64::from(height)));
        let values = MappedValues::new(map.pixels(window));
        assert_eq!(values.tiles(&tiling), tiles);
        assert!(values.run(row_off, col_off, col_off.saturating_add(width)).iter().all(Option::is_none));
    }
}

fn info(input: &mut Input<'_>) -> RasterInfo {
    RasterInfo {
        width: input.size(),
        height: input.size(),
        bands: Bands { count: 1, narrowed_to: None },
        transform: input.option(|input| GeoTransform::from_array(input.affine())),
        crs: input.option(|input| input.one_of(&CRSS)?.parse().ok()).flatten(),
    }
}
