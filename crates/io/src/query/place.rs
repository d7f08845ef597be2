//! Geometries of rows in the coordinates of grids.

use std::sync::Arc;

use rasteret_cog::crs::Transform;
use rasteret_cog::geo::GeoTransform;
use rasteret_cog::warp::TargetGrid;
use rasteret_cog::{DEFAULT_CRS, Geometry, NATIVE, Window, check_degrees};

use super::{Reader, ResolvedRead};
use crate::{Error, Result};

/// A grid, as a row names it.
#[derive(Debug, Clone)]
pub enum GridChoice {
    /// Pixels of a resolution, aligned with its multiples, around the geometry or the raster.
    Aligned {
        /// Name of the CRS; `native` for that of the raster.
        crs: String,
        /// Size of a pixel.
        resolution: f64,
    },
    /// A whole grid.
    Grid(Arc<TargetGrid>),
}

/// The grid of a row, the window and the geometry in its pixels.
pub(super) struct Placed {
    pub(super) grid: Arc<TargetGrid>,
    pub(super) window: Window,
    pub(super) pixels: Option<Geometry>,
}

/// The geometry of a row and its CRS.
pub(super) struct RowGeometry {
    pub(super) geometry: Geometry,
    /// None for coordinates of a raster without a CRS.
    crs: Option<String>,
}

impl RowGeometry {
    /// Parses the geometry of a row; None without one.
    pub(super) fn of(resolved: &ResolvedRead<'_>) -> Result<Option<Self>> {
        let request = &resolved.request;
        let Some(encoded) = request.geometry else { return Ok(None) };
        let parsed = encoded.parse().map_err(argument)?;
        let crs = request.geometry_crs.or(parsed.crs.as_deref()).or(request.type_crs).unwrap_or(DEFAULT_CRS);
        parsed.check_crs(crs).map_err(argument)?;
        let crs = if is_native(crs) { own_crs(resolved) } else { Some(crs.to_owned()) };
        Ok(Some(Self { geometry: parsed.geometry, crs }))
    }

    /// The transformation to the CRS of a grid; None if neither has a CRS.
    ///
    /// # Errors
    ///
    /// If there is none, or if longitudes and latitudes are not degrees.
    pub(super) fn transform(&self, reader: &Reader, to: Option<&str>) -> Result<Option<Arc<Transform>>> {
        let wrong = |what: &str| Err(Error::InvalidArgument { what: what.to_owned() });
        match (self.crs.as_deref(), to) {
            (None, None) => Ok(None),
            (Some(from), Some(to)) => {
                let transform = reader.transforms().get(from, to).map_err(argument)?;
                check_degrees(&self.geometry, &transform).map_err(argument)?;
                Ok(Some(transform))
            }
            (Some(_), None) => wrong("geometry_crs: expected 'native', since the grid has no CRS, found another"),
            (None, Some(_)) => {
                wrong("geometry_crs: expected the name of a CRS, since the raster has none, found 'native'")
            }
        }
    }
}

fn is_native(crs: &str) -> bool {
    crs.trim().eq_ignore_ascii_case(NATIVE)
}

/// The CRS of a row's raster.
fn own_crs(resolved: &ResolvedRead<'_>) -> Option<String> {
    resolved.target.file.header().raster_info().crs.as_ref().map(ToString::to_string)
}

/// The CRS that a grid names, `native` being that of the row's raster.
pub(super) fn grid_crs(resolved: &ResolvedRead<'_>, crs: &str) -> Result<String> {
    if !is_native(crs) {
        return Ok(crs.to_owned());
    }
    own_crs(resolved).ok_or_else(|| {
        let what = "grid: expected a raster with a CRS, found one without".to_owned();
        resolved.target.fault(rasteret_cog::Error::InvalidArgument { what })
    })
}

pub(super) fn argument(error: rasteret_cog::Error) -> Error {
    Error::InvalidArgument { what: error.to_string() }
}

impl Reader {
    /// The grid and window of a row; None where the geometry lies outside the grid.
    pub(super) fn place(&self, resolved: &ResolvedRead<'_>, choice: &GridChoice) -> Result<Option<Placed>> {
        let row = RowGeometry::of(resolved)?;
        let Some(grid) = self.grid_of(resolved, row.as_ref(), choice)? else { return Ok(None) };
        let pixels = row.map(|row| {
            let transform = row.transform(self, grid.crs.as_deref())?;
            let projector = grid.projector(transform, self.projectors()).map_err(argument)?;
            projector.pixels(&row.geometry).map_err(argument)
        });
        let pixels = pixels.transpose()?;
        Ok(grid.window(pixels.as_ref()).map(|window| Placed { grid, window, pixels }))
    }

    /// The whole grid of a row; None where the geometry is empty.
    fn grid_of(
        &self,
        resolved: &ResolvedRead<'_>,
        row: Option<&RowGeometry>,
        choice: &GridChoice,
    ) -> Result<Option<Arc<TargetGrid>>> {
        let (crs, resolution) = match choice {
            GridChoice::Grid(grid) => return Ok(Some(Arc::clone(grid))),
            GridChoice::Aligned { crs, resolution } => (grid_crs(resolved, crs)?, *resolution),
        };
        let Some(row) = row else {
            let info = resolved.target.file.header().raster_info();
            let transform = info.transform_from(&crs, self.transforms());
            let around =
                transform.and_then(|transform| TargetGrid::around_raster(&info, transform.as_ref(), &crs, resolution));
            return Ok(Some(Arc::new(around.map_err(|source| resolved.target.fault(source))?)));
        };
        let transform = row.transform(self, Some(&crs))?;
        let grid = TargetGrid::around(&row.geometry, transform.as_ref(), &crs, resolution).map_err(argument)?;
        Ok(grid.map(Arc::new))
    }

    /// The lattice of a row: its pixels in all directions are those of the named grid, or of the row's raster at its level.
    pub(super) fn lattice(&self, resolved: &ResolvedRead<'_>, choice: Option<&GridChoice>) -> Result<TargetGrid> {
        match choice {
            None => {
                TargetGrid::of_raster(&resolved.target.raster_info()).map_err(|source| resolved.target.fault(source))
            }
            Some(GridChoice::Grid(grid)) => Ok(TargetGrid::clone(grid)),
            Some(GridChoice::Aligned { crs, resolution }) => {
                let transform = GeoTransform::from_array([*resolution, 0.0, 0.0, 0.0, -resolution, 0.0]);
                TargetGrid::new(transform, Some(grid_crs(resolved, crs)?), 1, 1).map_err(argument)
            }
        }
    }
}
