//! Nearest-neighbour mapping from the pixels of one raster to those of another.
//!
//! ```text
//! pixel of a grid ── its transform ──> centre ── CRS ──> centre ── inverse transform ──> pixel of the other raster
//! ```
//!
//! Each pixel is mapped to the one that contains its centre, as in GDAL's warper with nearest resampling and an error threshold of 0.
//! The left and upper edges belong to a pixel; a centre within a millionth of a pixel of an edge is on it, regardless of rounding. If both
//! rasters have the same CRS and no rotation, columns and rows are mapped independently, without a projection per pixel.

use std::sync::Arc;

use geo_types::Coord;

use crate::crs::{Transform, Transforms};
use crate::geo::GeoTransform;
use crate::grid::MappedPixels;
use crate::header::RasterInfo;
use crate::{Error, Result, Window};

/// Distance in pixels within which a centre is on an edge.
const ON_EDGE: f64 = 1e-6;

/// Pixels of a part of a window: 8 MiB of mapped pixels, and less than a second for the projections of all of them.
const PART_PIXELS: u32 = 1 << 20;

/// Maps the pixels of a grid to those of another raster.
#[derive(Debug)]
pub struct PixelMap {
    /// Affine transform of the grid.
    transform: GeoTransform,
    /// Inverse affine transform of the other raster.
    inverse: GeoTransform,
    /// Width and height of the other raster.
    size: (u32, u32),
    /// Transformation between the CRSs; None if they are the same.
    crs: Option<Arc<Transform>>,
    /// Whether the other raster's x is a longitude.
    is_in_degrees: bool,
}

impl PixelMap {
    /// Maps the pixels of a level of a raster, with the transform `transform`, to those of the full resolution of
    /// another raster.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if only one of the rasters has a CRS or georeferencing, or if no transformation is
    /// known to be correct.
    pub fn new(
        raster: &RasterInfo,
        transform: GeoTransform,
        other: &RasterInfo,
        transforms: &Transforms,
    ) -> Result<Self> {
        let wrong = |what: &str| Error::InvalidArgument { what: what.to_owned() };
        let crs = match (&raster.crs, &other.crs) {
            _ if raster.transform.is_some() != other.transform.is_some() => {
                return Err(wrong("expected georeferencing of this raster and the one it applies to, found only one"));
            }
            (None, None) => None,
            (Some(crs), Some(_)) => other.transform_from(&crs.to_string(), transforms)?,
            (Some(_), None) => return Err(wrong("expected a CRS, as in the raster it applies to, found none")),
            (None, Some(_)) => return Err(wrong("expected no CRS, as in the raster it applies to, found one")),
        };
        let is_in_degrees = crs.as_ref().is_some_and(|crs| crs.to_degrees());
        let inverse =
            other.native_transform().inverse().ok_or_else(|| wrong("expected pixels with an area, found none"))?;
        let crs = crs.filter(|crs| !crs.is_identity());
        Ok(Self { transform, inverse, size: (other.width, other.height), crs, is_in_degrees })
    }

    /// Whether each pixel of the grid is inside one pixel of the other raster: both have the same CRS, the same
    /// rotation, and aligned edges.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        let Some(to) = self.between() else {
            return false;
        };
        // The size of a pixel of the grid, as a fraction of one of the other raster, and its first edge.
        let fits = |size: f64, edge: f64| {
            let times = 1.0 / size.abs();
            let whole = |number: f64| (number - number.round()).abs() <= ON_EDGE * times.max(1.0);
            times >= 1.0 - ON_EDGE && whole(times) && whole(edge * times)
        };
        fits(to.a, to.c) && fits(to.e, to.f)
    }

    /// Whether both have the same pixels, within the extent of the other raster.
    #[must_use]
    pub fn is_same_grid(&self, size: (u32, u32)) -> bool {
        let is = |found: f64, expected: f64| (found - expected).abs() <= ON_EDGE;
        self.size == size
            && self.is_aligned()
            && self.between().is_some_and(|to| is(to.c, 0.0) && is(to.f, 0.0) && is(to.a, 1.0) && is(to.e, 1.0))
    }

    /// From the grid's pixels to the other's, where columns depend on columns and rows on rows only.
    fn between(&self) -> Option<GeoTransform> {
        if self.crs.is_some() {
            return None;
        }
        let (grid, inverse) = (&self.transform, &self.inverse);
        let (c, f) = inverse.forward(grid.c, grid.f);
        let to = GeoTransform {
            a: inverse.a * grid.a + inverse.b * grid.d,
            b: inverse.a * grid.b + inverse.b * grid.e,
            c,
            d: inverse.d * grid.a + inverse.e * grid.d,
            e: inverse.d * grid.b + inverse.e * grid.e,
            f,
        };
        // Over the whole of the other raster, a row or a column drifts by less than the tolerance.
        let drift = |step: f64, size: u32| (step * f64::from(size)).abs() <= ON_EDGE;
        (drift(to.b, self.size.1) && drift(to.d, self.size.0)).then_some(to)
    }

    /// Whether columns and rows are mapped independently.
    fn is_apart(&self) -> bool {
        let is_north_up = |transform: &GeoTransform| transform.b == 0.0 && transform.d == 0.0;
        self.crs.is_none() && is_north_up(&self.transform) && is_north_up(&self.inverse)
    }

    /// Divides a window into parts that take little time and memory to be mapped. Windows of ordinary tiles are one part.
    pub fn parts(&self, window: Window) -> impl Iterator<Item = Window> + use<> {
        let width = window.width.clamp(1, PART_PIXELS);
        let height = if self.is_apart() { PART_PIXELS } else { PART_PIXELS / width };
        let step = |size: u32| usize::try_from(size).unwrap_or(usize::MAX);
        let rows = (window.row_off..window.row_end()).step_by(step(height));
        rows.flat_map(move |row_off| {
            let cols = (window.col_off..window.col_end()).step_by(step(width));
            cols.map(move |col_off| Window {
                col_off,
                row_off,
                width: width.min(window.col_end() - col_off),
                height: height.min(window.row_end() - row_off),
            })
        })
    }

    /// The other raster's pixels for a window of the grid.
    #[must_use]
    pub fn pixels(&self, window: Window) -> MappedPixels {
        let (cols, rows) = (window.col_off..window.col_end(), window.row_off..window.row_end());
        if self.is_apart() {
            let col = |col: u32| self.col(self.transform.a * centre(col) + self.transform.c, 0.0);
            let row = |row: u32| self.row(0.0, self.transform.e * centre(row) + self.transform.f);
            return MappedPixels::apart(window, cols.map(col), rows.map(row));
        }
        let pixels = rows.flat_map(|row| cols.clone().map(move |col| (col, row)));
        MappedPixels::each(window, pixels.map(|(col, row)| self.pixel(col, row)))
    }

    /// The pixel that contains the centre of a pixel of the grid.
    fn pixel(&self, col: u32, row: u32) -> Option<(u32, u32)> {
        let (x, y) = self.transform.forward(centre(col), centre(row));
        let Coord { x, y } = match &self.crs {
            Some(crs) => crs.forward(Coord { x, y })?,
            None => Coord { x, y },
        };
        Some((self.col(x, y)?, self.row(x, y)?))
    }

    fn col(&self, x: f64, y: f64) -> Option<u32> {
        let col = |x: f64| inside(self.inverse.forward(x, y).0, self.size.0);
        // The other raster may use another range of longitudes.
        let turns = if self.is_in_degrees { [0.0, 360.0, -360.0].as_slice() } else { &[0.0] };
        turns.iter().find_map(|turn| col(x + turn))
    }

    fn row(&self, x: f64, y: f64) -> Option<u32> {
        inside(self.inverse.forward(x, y).1, self.size.1)
    }
}

fn centre(place: u32) -> f64 {
    f64::from(place) + 0.5
}

/// The column or row that contains a coordinate; None outside.
fn inside(at: f64, size: u32) -> Option<u32> {
    let nearest = at.round();
    let at = if (at - nearest).abs() <= ON_EDGE { nearest } else { at.floor() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and a size")]
    (at >= 0.0 && at < f64::from(size)).then_some(at as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tiling;

    fn map(raster: &RasterInfo, other: &RasterInfo) -> PixelMap {
        PixelMap::new(raster, raster.native_transform(), other, &Transforms::default()).unwrap()
    }

    /// The other raster's (col, row) of each pixel of a window.
    fn found(map: &PixelMap, window: Window) -> Vec<Option<(u32, u32)>> {
        let pixels = map.pixels(window);
        let mut found = vec![None; usize::try_from(window.pixels()).unwrap()];
        for run in pixels.runs() {
            for (at, col) in (run.start..).zip(run.cols.iter()) {
                found[at] = col.map(|col| (col, run.row));
            }
        }
        found
    }

    fn window(col_off: u32, row_off: u32, width: u32, height: u32) -> Window {
        Window { col_off, row_off, width, height }
    }

    #[test]
    fn pixels_of_half_and_twice_the_size() {
        let fine = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 8, 8);
        let coarse = RasterInfo::in_epsg(32631, [20.0, 0.0, 500_000.0, 0.0, -20.0, 4_600_000.0], 3, 4);
        let (some, none) = (|col, row| Some((col, row)), None);
        assert_eq!(
            found(&map(&fine, &coarse), window(3, 1, 4, 2)),
            [some(1, 0), some(2, 0), some(2, 0), none, some(1, 1), some(2, 1), some(2, 1), none,]
        );
        // The centre of a coarse pixel is the corner of four fine ones: the one to the right and below contains it.
        assert_eq!(found(&map(&coarse, &fine), window(1, 1, 2, 1)), [some(3, 3), some(5, 3)]);
        assert_eq!(
            map(&fine, &coarse).pixels(window(0, 0, 8, 8)).tiles(&Tiling {
                image_width: 3,
                image_height: 4,
                tile_width: 2,
                tile_height: 2
            }),
            [(0, 0), (0, 1), (1, 0), (1, 1)]
        );
    }

    #[test]
    fn aligned_grids() {
        let grid = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 8, 8);
        let with = |size: f64, x: f64, y: f64| RasterInfo::in_epsg(32631, [size, 0.0, x, 0.0, -size, y], 8, 8);
        for (other, is_aligned, is_same) in [
            (with(10.0, 500_000.0, 4_600_000.0), true, true),
            (with(20.0, 499_990.0, 4_600_010.0), true, false),
            (with(60.0, 500_000.0, 4_600_000.0), true, false),
            (with(10.0, 500_010.0, 4_600_000.0), true, false),
            (with(5.0, 500_000.0, 4_600_000.0), false, false),
            (with(15.0, 500_000.0, 4_600_000.0), false, false),
            (with(20.0, 499_995.0, 4_600_000.0), false, false),
            (RasterInfo::in_epsg(32632, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 8, 8), false, false),
        ] {
            let map = map(&grid, &other);
            assert_eq!((map.is_aligned(), map.is_same_grid((8, 8))), (is_aligned, is_same), "{:?}", other.transform);
        }
    }

    #[test]
    fn aligned_grids_that_are_rotated() {
        let (sin, cos) = 0.3_f64.sin_cos();
        // Pixels of the same size, rotated, starting at a pixel of the first grid.
        let turned = |size: f64, col: f64, row: f64| {
            let (a, b, d, e) = (cos * size, sin * size, sin * size, -cos * size);
            let (x, y) = ((cos * col + sin * row) * 10.0, (sin * col - cos * row) * 10.0);
            RasterInfo::in_epsg(32631, [a, b, 500_000.0 + x, d, e, 4_600_000.0 + y], 8, 8)
        };
        let grid = turned(10.0, 0.0, 0.0);
        for (other, is_aligned, is_same) in [
            (turned(10.0, 0.0, 0.0), true, true),
            (turned(20.0, -2.0, 4.0), true, false),
            (turned(10.0, 3.0, 0.0), true, false),
            (turned(10.0, 0.5, 0.0), false, false),
            (RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 8, 8), false, false),
        ] {
            let map = map(&grid, &other);
            assert_eq!((map.is_aligned(), map.is_same_grid((8, 8))), (is_aligned, is_same), "{:?}", other.transform);
        }
        // A rotation by 90 degrees: columns of one grid are rows of the other.
        let quarter = RasterInfo::in_epsg(32631, [0.0, 10.0, 500_000.0, 10.0, 0.0, 4_600_000.0], 8, 8);
        let north_up = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 8, 8);
        assert!(!map(&quarter, &north_up).is_aligned());
    }

    #[test]
    fn rotated_and_projected_ones_are_mapped_pixel_by_pixel() {
        let grid = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 4, 4);
        // A rotation by 90 degrees: columns of one raster are rows of the other.
        let turned = RasterInfo::in_epsg(32631, [0.0, -10.0, 500_040.0, -10.0, 0.0, 4_600_000.0], 4, 4);
        assert_eq!(found(&map(&grid, &turned), window(0, 0, 2, 1)), [Some((0, 3)), Some((0, 2))]);
        let degrees = RasterInfo::in_epsg(4326, [0.01, 0.0, 2.995, 0.0, -0.01, 41.555], 1, 1);
        assert_eq!(found(&map(&grid, &degrees), window(0, 0, 1, 2)), [Some((0, 0)), Some((0, 0))]);
        let elsewhere = RasterInfo::in_epsg(4326, [0.01, 0.0, 20.0, 0.0, -0.01, 41.555], 1, 1);
        assert_eq!(found(&map(&grid, &elsewhere), window(0, 0, 2, 1)), [None, None]);
    }

    #[test]
    fn parts_of_a_window() {
        let grid = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 4, 4);
        let degrees = RasterInfo::in_epsg(4326, [0.01, 0.0, 2.995, 0.0, -0.01, 41.555], 1, 1);
        let (apart, each) = (map(&grid, &grid), map(&grid, &degrees));
        let parts = |map: &PixelMap, window: Window| map.parts(window).collect::<Vec<_>>();
        let ordinary = window(512, 1024, 1024, 1024);
        assert_eq!((parts(&apart, ordinary), parts(&each, ordinary)), (vec![ordinary], vec![ordinary]));
        assert_eq!(parts(&each, window(0, 0, 0, 4)), []);
        let wide = window(1, 2, 3 << 18, 3);
        assert_eq!(parts(&apart, wide), [wide]);
        assert_eq!(parts(&each, wide), [2, 3, 4].map(|row| window(1, row, 3 << 18, 1)));
        let long = window(7, 9, (1 << 20) + 5, 2);
        let rows = |row, height| [window(7, row, 1 << 20, height), window(7 + (1 << 20), row, 5, height)];
        assert_eq!(parts(&apart, long), rows(9, 2));
        assert_eq!(parts(&each, long), [rows(9, 1), rows(10, 1)].concat());
        assert_eq!(parts(&each, window(0, 0, 16_384, 16_384)).len(), 256);
    }

    #[test]
    fn longitudes_that_differ_by_360_degrees() {
        let grid = RasterInfo::in_epsg(4326, [1.0, 0.0, -180.0, 0.0, -1.0, 1.0], 360, 2);
        let other = RasterInfo::in_epsg(4326, [1.0, 0.0, 0.0, 0.0, -1.0, 1.0], 360, 2);
        assert_eq!(found(&map(&grid, &other), window(179, 0, 2, 1)), [Some((359, 0)), Some((0, 0))]);
        assert_eq!(found(&map(&other, &grid), window(179, 0, 2, 1)), [Some((359, 0)), Some((0, 0))]);
    }

    #[test]
    fn rasters_without_a_common_crs_are_rejected() {
        let raster = RasterInfo::in_epsg(32631, [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0], 4, 4);
        let refused = |other: RasterInfo| {
            PixelMap::new(&raster, raster.native_transform(), &other, &Transforms::default()).unwrap_err().to_string()
        };
        assert!(refused(RasterInfo { crs: None, ..raster.clone() }).contains("expected a CRS"));
        assert!(
            refused(RasterInfo { transform: None, crs: None, ..raster.clone() }).contains("expected georeferencing")
        );
        let local = RasterInfo { transform: None, crs: None, ..raster.clone() };
        assert_eq!(found(&map(&local, &local), window(2, 3, 1, 1)), [Some((2, 3))]);
    }
}
