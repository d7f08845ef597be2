//! Windows of grids around geometries.

use std::sync::Arc;

use geo_types::Coord;

use super::grid::TargetGrid;
use crate::crs::Transform;
use crate::geo::{BBox, GeoTransform};
use crate::geometry::{Geometry, rings};
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::project::{GeometryProjector, ProjectorCache};
use crate::{Error, Result};

/// Margin around the projected vertices of a geometry, relative to their bounds: edges between them are curves.
const MARGIN: f64 = 0.3;

/// Distance in pixels within which a coordinate is on an edge, regardless of rounding.
const ON_EDGE: f64 = 1e-6;

/// Parts of an edge whose ends are projected: edges between them are nearly straight.
const EDGE_STEPS: u32 = 16;

impl TargetGrid {
    /// The projector of geometries to the grid, from the source CRS of `transform` (None: the grid's coordinates).
    ///
    /// # Errors
    ///
    /// As [`GeometryProjector::new`].
    pub fn projector(
        &self,
        transform: Option<Arc<Transform>>,
        projectors: &ProjectorCache,
    ) -> Result<Arc<GeometryProjector>> {
        projectors.get((self.width, self.height), self.transform, transform)
    }

    /// The window around a geometry in the grid's pixels, or the whole grid without one; None if the geometry lies outside.
    #[must_use]
    pub fn window(&self, pixels: Option<&Geometry>) -> Option<Window> {
        match pixels {
            None => Some(Window::of_image(self.width, self.height)),
            Some(pixels) => Window::around(pixels.bbox()?, self.width, self.height),
        }
    }

    /// Bounds of a geometry in the grid's pixels, which may lie outside of the grid. `transform` leads from the geometry's CRS to the
    /// grid's; None if they are the same. None if the geometry is empty.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the geometry leaves the domain of the grid's CRS.
    pub fn bounds(&self, geometry: &Geometry, transform: Option<&Arc<Transform>>) -> Result<Option<BBox>> {
        let Some(inverse) = self.transform.inverse() else { return Ok(None) };
        let pixel = |point: Coord<f64>| {
            let outside = || Error::InvalidArgument {
                what: format!("expected a geometry within the CRS of the grid, found {} {}", point.x, point.y),
            };
            let world = match transform {
                Some(transform) => transform.forward(point).ok_or_else(outside)?,
                None => point,
            };
            // Differences first, so that large coordinates do not cancel out.
            let (x, y) = (world.x - self.transform.c, world.y - self.transform.f);
            let pixel = Coord { x: inverse.a * x + inverse.b * y, y: inverse.d * x + inverse.e * y };
            if pixel.x.is_finite() && pixel.y.is_finite() { Ok(pixel) } else { Err(outside()) }
        };
        let points = geometry.points.iter().copied().map(pixel);
        let lines = geometry.lines.iter().chain(geometry.polygons.iter().flat_map(rings));
        let edges = lines.flat_map(|line| line.0.windows(2)).flat_map(|edge| {
            let (from, to) = (edge[0], edge[1]);
            (0..=EDGE_STEPS).map(move |step| from + (to - from) * (f64::from(step) / f64::from(EDGE_STEPS)))
        });
        let mut bounds = BBox::EMPTY;
        for pixel in points.chain(edges.map(pixel)) {
            let Coord { x, y } = pixel?;
            bounds.extend(x, y);
        }
        Ok(bounds.unless_empty())
    }

    /// The window of a size at a position of the grid, also beyond its sides, as a grid of its own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at(&self, (col, row): (f64, f64), (width, height): (u32, u32)) -> Result<Self> {
        let (c, f) = self.transform.forward(col, row);
        Self::new(GeoTransform { c, f, ..self.transform }, self.crs.clone(), width, height)
    }

    /// The window around a geometry, or another box in pixels, also beyond the sides of the grid, as a grid of its own, with the position
    /// of its first pixel. Sides within a millionth of a pixel of an edge are on it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it has more than 2^31 - 1 columns or rows, or begins further away.
    pub fn extended(&self, bounds: BBox) -> Result<(Self, (i32, i32))> {
        let snapped = |edge: f64, other: f64| if (edge - edge.round()).abs() <= ON_EDGE { edge.round() } else { other };
        let side = |min: f64, max: f64| {
            let start = snapped(min, min.floor());
            (start, snapped(max, max.ceil()).max(start + 1.0) - start)
        };
        let ((col, width), (row, height)) = (side(bounds.xmin, bounds.xmax), side(bounds.ymin, bounds.ymax));
        let limit = f64::from(i32::MAX);
        if !(col.abs() <= limit && row.abs() <= limit && width <= limit && height <= limit) {
            return Err(Error::InvalidArgument {
                what: format!(
                    "grid: expected at most {} columns and rows, found {width} x {height} from column {col}, row {row}",
                    i32::MAX
                ),
            });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared above")]
        let (first, size) = ((col as i32, row as i32), (width as u32, height as u32));
        Ok((self.at((col, row), size)?, first))
    }

    /// Bounds of a geometry in the grid's pixels, also beyond its sides, with edges between vertices as they are projected. None if the
    /// geometry is empty.
    ///
    /// # Errors
    ///
    /// As of [`bounds`](Self::bounds) and [`extended`](Self::extended).
    pub fn exact_bounds(&self, geometry: &Geometry, transform: Option<&Arc<Transform>>) -> Result<Option<BBox>> {
        let Some(rough) = self.bounds(geometry, transform)? else { return Ok(None) };
        if transform.is_none_or(|transform| transform.is_identity()) {
            return Ok(Some(rough));
        }
        let margin = MARGIN * (rough.xmax - rough.xmin).max(rough.ymax - rough.ymin) + 2.0;
        let rough = BBox {
            xmin: rough.xmin - margin,
            ymin: rough.ymin - margin,
            xmax: rough.xmax + margin,
            ymax: rough.ymax + margin,
        };
        let (grid, (col, row)) = self.extended(rough)?;
        let projector = GeometryProjector::new(grid.width, grid.height, grid.transform, transform.cloned())?;
        let (col, row) = (f64::from(col), f64::from(row));
        Ok(projector.pixels(geometry)?.bbox().map(|bounds| BBox {
            xmin: bounds.xmin + col,
            ymin: bounds.ymin + row,
            xmax: bounds.xmax + col,
            ymax: bounds.ymax + row,
        }))
    }

    /// Bounds of a raster in the grid's pixels, also beyond its sides. `transform` leads from the grid's CRS to the raster's.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the raster is not defined in the CRS.
    pub fn raster_bounds(&self, raster: &RasterInfo, transform: Option<&Arc<Transform>>) -> Result<Option<BBox>> {
        let corners = if transform.is_none_or(|transform| transform.is_identity()) {
            let (own, width, height) = (raster.native_transform(), f64::from(raster.width), f64::from(raster.height));
            [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].map(|(col, row)| own.forward(col, row))
        } else {
            let around = raster.footprint(transform)?.bbox();
            let xmax = if around.xmin > around.xmax { around.xmax + 360.0 } else { around.xmax };
            [(around.xmin, around.ymin), (xmax, around.ymin), (around.xmin, around.ymax), (xmax, around.ymax)]
        };
        let points = corners.map(|(x, y)| Coord { x, y }).to_vec();
        self.bounds(&Geometry { points, ..Geometry::default() }, None)
    }

    /// The aligned grid around a geometry, see [`aligned`](Self::aligned). `transform` leads from the geometry's CRS to the grid's; None
    /// if they are the same. None if the geometry is empty.
    ///
    /// # Errors
    ///
    /// As [`aligned`](Self::aligned), and [`Error::InvalidArgument`] where the geometry leaves the domain of a CRS.
    pub fn around(
        geometry: &Geometry,
        transform: Option<&Arc<Transform>>,
        crs: &str,
        resolution: f64,
    ) -> Result<Option<Self>> {
        let Some(bounds) = geometry.bbox() else { return Ok(None) };
        let Some(transform) = transform.filter(|transform| !transform.is_identity()) else {
            return Self::aligned(crs.to_owned(), resolution, bounds).map(Some);
        };
        let outside = |point: Coord<f64>| Error::InvalidArgument {
            what: format!("geometry: expected vertices within {crs}, found {} {}", point.x, point.y),
        };
        let mut rough = BBox::EMPTY;
        for point in geometry.vertices() {
            let Coord { x, y } = transform.forward(point).ok_or_else(|| outside(point))?;
            rough.extend(x, y);
        }
        let Some(rough) = rough.unless_empty() else { return Ok(None) };
        let margin = MARGIN * (rough.xmax - rough.xmin).max(rough.ymax - rough.ymin) + 2.0 * resolution;
        let rough = BBox {
            xmin: rough.xmin - margin,
            ymin: rough.ymin - margin,
            xmax: rough.xmax + margin,
            ymax: rough.ymax + margin,
        };
        let grid = Self::aligned(crs.to_owned(), resolution, rough)?;
        let projector = GeometryProjector::new(grid.width, grid.height, grid.transform, Some(Arc::clone(transform)))?;
        let pixels = projector.pixels(geometry)?;
        let Some(window) = grid.window(Some(&pixels)) else { return Ok(None) };
        let transform = grid.transform.window(window.col_off, window.row_off);
        Self::new(transform, grid.crs, window.width, window.height).map(Some)
    }

    /// The aligned grid around a raster.
    ///
    /// # Errors
    ///
    /// As [`aligned`](Self::aligned), and [`Error::InvalidArgument`] where the raster is not defined in the CRS.
    pub fn around_raster(
        raster: &RasterInfo,
        transform: Option<&Arc<Transform>>,
        crs: &str,
        resolution: f64,
    ) -> Result<Self> {
        let mut bounds = raster.footprint(transform)?.bbox();
        if bounds.xmin > bounds.xmax {
            bounds.xmax += 360.0;
        }
        Self::aligned(crs.to_owned(), resolution, bounds)
    }
}
