//! The grids of previews and of map tiles.

use geo_types::Coord;

use crate::crs::Transforms;
use crate::geo::{BBox, GeoTransform};
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::warp::TargetGrid;
use crate::{Error, Result};

/// The CRS of map tiles.
const WEB_MERCATOR: &str = "EPSG:3857";

/// Half the side of the square of web mercator, in metres: pi times the radius of the earth.
const HALF: f64 = 20_037_508.342_789_244;

/// The largest zoom: pixels of a tenth of a millimetre. Beyond it, positions lose precision.
const MAX_ZOOM: u32 = 30;

/// Steps along each axis of a raster at which its place on the map is computed.
const STEPS: u32 = 20;

/// Margin around these places, relative to their extent: edges between them are curves.
const MARGIN: f64 = 0.02;

/// Margin around the extent of a raster in pixels of a tile.
const PIXEL_MARGIN: f64 = 2.0;

/// The largest sizes of a preview and of a map tile in pixels.
pub const MAX_PREVIEW_SIZE: u32 = 32_768;
/// See [`MAX_PREVIEW_SIZE`].
pub const MAX_TILE_SIZE: u32 = 4096;

/// The grid of a preview: a window of a raster in its own CRS, reduced to at most `size` pixels along its longer side. It is never
/// enlarged.
///
/// # Errors
///
/// See [`TargetGrid::new`].
pub fn preview_grid(raster: &RasterInfo, window: Window, size: u32) -> Result<TargetGrid> {
    let (width, height) = preview_size(window.width, window.height, size);
    let GeoTransform { a, b, c, d, e, f } = raster.native_transform().window(window.col_off, window.row_off);
    let (x, y) = (f64::from(window.width) / f64::from(width), f64::from(window.height) / f64::from(height));
    let transform = GeoTransform { a: a * x, b: b * y, c, d: d * x, e: e * y, f };
    TargetGrid::new(transform, raster.crs.as_ref().map(ToString::to_string), width, height)
}

/// Width and height of a preview, as in rio-tiler.
fn preview_size(width: u32, height: u32, size: u32) -> (u32, u32) {
    if width.max(height) <= size {
        return (width, height);
    }
    let share = |short: u32, long: u32| {
        let pixels = (u64::from(size) * u64::from(short)).div_ceil(u64::from(long.max(1)));
        u32::try_from(pixels).unwrap_or(size).max(1)
    };
    if height > width { (share(width, height), size) } else { (size, share(height, width)) }
}

/// A tile of a web map: zoom, column and row from the north-west.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapTile {
    zoom: u32,
    x: u32,
    y: u32,
    size: u32,
}

impl MapTile {
    /// Creates a tile of `size` pixels along each side.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless the zoom is from 0 to 30, and the map has the tile.
    pub fn new(zoom: i128, x: i128, y: i128, size: u32) -> Result<Self> {
        let below = |name: &str, found: i128, end: u64| {
            let number = u64::try_from(found).ok().filter(|number| *number < end);
            number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| Error::InvalidArgument {
                what: format!("{name}: expected a number from 0 to {}, found {found}", end - 1),
            })
        };
        let zoom = below("z", zoom, u64::from(MAX_ZOOM) + 1)?;
        let tiles = 1 << zoom;
        Ok(Self { zoom, x: below("x", x, tiles)?, y: below("y", y, tiles)?, size })
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.size, self.size)
    }

    fn transform(&self) -> GeoTransform {
        let side = 2.0 * HALF / f64::from(self.zoom).exp2();
        let pixel = side / f64::from(self.size);
        let (c, f) = (f64::from(self.x) * side - HALF, HALF - f64::from(self.y) * side);
        GeoTransform { a: pixel, b: 0.0, c, d: 0.0, e: -pixel, f }
    }

    /// The grid of a part of the tile.
    ///
    /// # Errors
    ///
    /// As [`TargetGrid::new`].
    pub fn grid(&self, part: Window) -> Result<TargetGrid> {
        let transform = self.transform().window(part.col_off, part.row_off);
        TargetGrid::new(transform, Some(WEB_MERCATOR.to_owned()), part.width, part.height)
    }

    /// The part of the tile around a raster; None if the raster lies outside.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a raster without a CRS or georeferencing, and where no transformation to web mercator is known to be
    /// right.
    pub fn part(&self, raster: &RasterInfo, transforms: &Transforms) -> Result<Option<Window>> {
        let whole = Window::of_image(self.size, self.size);
        let to_raster = raster.transform_from(WEB_MERCATOR, transforms)?;
        let to_map = |point: Coord<f64>| to_raster.as_ref().map_or(Some(point), |transform| transform.backward(point));
        let (place, tile) = (raster.native_transform(), self.transform());
        let world = 2.0 * HALF / tile.a;
        let share = |step: u32, size: u32| f64::from(size) * f64::from(step) / f64::from(STEPS);
        let mut bounds = BBox::EMPTY;
        let mut row_start: Option<f64> = None;
        for row in 0..=STEPS {
            let mut last = row_start;
            for col in 0..=STEPS {
                let (x, y) = place.forward(share(col, raster.width), share(row, raster.height));
                // Beyond the map, as around poles: all of the tile may be part of the raster.
                let Some(Coord { x, y }) = to_map(Coord { x, y }).filter(|point| point.y.abs() <= HALF) else {
                    return Ok(Some(whole));
                };
                let (x, y) = ((x - tile.c) / tile.a, (y - tile.f) / tile.e);
                // Across the antimeridian, next to the place before.
                let x = last.map_or(x, |last| x + world * ((last - x) / world).round());
                bounds.extend(x, y);
                last = Some(x);
                if col == 0 {
                    row_start = last;
                }
            }
        }
        let (width, height) = (bounds.xmax - bounds.xmin, bounds.ymax - bounds.ymin);
        let (dx, dy) = (MARGIN * width + PIXEL_MARGIN, MARGIN * height + PIXEL_MARGIN);
        let moved = |turns: f64| BBox {
            xmin: bounds.xmin - dx + turns * world,
            xmax: bounds.xmax + dx + turns * world,
            ymin: bounds.ymin - dy,
            ymax: bounds.ymax + dy,
        };
        let is_wide = width > world / 2.0;
        let turns = [0.0, -1.0, 1.0].into_iter().filter_map(|turns| Window::around(moved(turns), self.size, self.size));
        let parts: Vec<Window> = turns.collect();
        Ok(match parts.as_slice() {
            [] if !is_wide => None,
            [part] if !is_wide => Some(*part),
            _ => Window::around(BBox { xmin: 0.0, xmax: f64::from(self.size), ..moved(0.0) }, self.size, self.size),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_keep_their_proportions_and_are_not_enlarged() {
        assert_eq!(preview_size(10_980, 10_980, 512), (512, 512));
        assert_eq!(preview_size(1000, 300, 512), (512, 154));
        assert_eq!(preview_size(300, 1000, 512), (154, 512));
        assert_eq!(preview_size(100, 40, 512), (100, 40));
        assert_eq!(preview_size(u32::MAX, 1, 16), (16, 1));
        let raster = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 1000, 300);
        let grid = preview_grid(&raster, Window { col_off: 100, row_off: 10, width: 200, height: 100 }, 50).unwrap();
        assert_eq!((grid.width, grid.height), (50, 25));
        assert_eq!(grid.transform.to_array(), [40.0, 0.0, 501_000.0, 0.0, -40.0, 4_599_900.0]);
    }

    #[test]
    fn tiles_follow_the_web_map_scheme() {
        let tile = MapTile::new(1, 1, 0, 256).unwrap();
        assert_eq!(tile.transform().to_array(), [HALF / 256.0, 0.0, 0.0, 0.0, -HALF / 256.0, HALF]);
        for (zoom, x, y) in [(-1, 0, 0), (31, 0, 0), (0, 1, 0), (0, 0, 1), (3, -1, 0), (3, 0, 8), (30, 1 << 30, 0)] {
            assert!(MapTile::new(zoom, x, y, 256).is_err(), "{zoom} {x} {y}");
        }
        assert!(MapTile::new(30, (1 << 30) - 1, 0, 256).is_ok());
    }

    #[test]
    fn a_raster_covers_a_part_of_a_tile() {
        let transforms = Transforms::default();
        let part =
            |raster: &RasterInfo, zoom, x, y| MapTile::new(zoom, x, y, 256).unwrap().part(raster, &transforms).unwrap();
        let scene = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 10_980, 10_980);
        // 3 degrees east, 41.5 degrees north.
        let found = part(&scene, 0, 0, 0).unwrap();
        assert!(found.contains(130, 95) && found.pixels() < 60, "{found:?}");
        assert_eq!(part(&scene, 5, 3, 3), None);
        let over_antimeridian = RasterInfo::in_epsg(32601, [1000.0, 0.0, 0.0, 0.0, -1000.0, 500_000.0], 1000, 400);
        let found = part(&over_antimeridian, 0, 0, 0).unwrap();
        assert_eq!((found.col_off, found.width), (0, 256));
        assert_eq!(part(&over_antimeridian, 2, 1, 1), None);
        let global = RasterInfo::in_epsg(4326, [1.0, 0.0, -180.0, 0.0, -1.0, 90.0], 360, 180);
        assert_eq!(part(&global, 3, 7, 0), Some(Window::of_image(256, 256)));
        let beyond = RasterInfo::in_epsg(4326, [1.0, 0.0, 180.0, 0.0, -1.0, 60.0], 20, 20);
        assert!(part(&beyond, 2, 0, 1).is_some() && part(&beyond, 2, 2, 1).is_none());
    }
}
