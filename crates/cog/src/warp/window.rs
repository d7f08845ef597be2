//! Windows of grids around geometries.

use std::sync::Arc;

use geo_types::Coord;

use super::grid::TargetGrid;
use crate::crs::Transform;
use crate::geo::{BBox, GeoTransform};
use crate::geometry::{Geometry, bbox, rings};
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::project::{GeometryProjector, ProjectorCache};
use crate::{Error, Result};

/// Margin around the projected vertices of a geometry, relative to their bounds: edges between them are curves.
const MARGIN: f64 = 0.3;

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
    /// [`Error::InvalidArgument`] where the geometry leaves the domain of a CRS.
    pub fn bounds(&self, geometry: &Geometry, transform: Option<&Arc<Transform>>) -> Result<Option<BBox>> {
        let Some(inverse) = self.transform.inverse() else { return Ok(None) };
        let pixel = |point: Coord<f64>| {
            let world = match transform {
                Some(transform) => transform.forward(point).ok_or_else(|| Error::InvalidArgument {
                    what: format!("expected a geometry within the CRS of the grid, found {} {}", point.x, point.y),
                })?,
                None => point,
            };
            // Differences first, so that large coordinates do not cancel out.
            let (x, y) = (world.x - self.transform.c, world.y - self.transform.f);
            Ok(Coord { x: inverse.a * x + inverse.b * y, y: inverse.d * x + inverse.e * y })
        };
        let points = geometry.points.iter().copied().map(pixel);
        let lines = geometry.lines.iter().chain(geometry.polygons.iter().flat_map(rings));
        let edges = lines.flat_map(|line| line.0.windows(2)).flat_map(|edge| {
            let (from, to) = (edge[0], edge[1]);
            (0..=EDGE_STEPS).map(move |step| from + (to - from) * (f64::from(step) / f64::from(EDGE_STEPS)))
        });
        let pixels = points.chain(edges.map(pixel)).collect::<Result<Vec<_>>>()?;
        Ok(bbox(pixels))
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
        let vertices = geometry.vertices().map(|point| transform.forward(point).ok_or_else(|| outside(point)));
        let Some(rough) = bbox(vertices.collect::<Result<Vec<_>>>()?) else { return Ok(None) };
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
