//! Geometries in any CRS, projected to the pixels of a raster.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use geo_types::{Coord, LineString, Polygon};

use super::densify::{self, Densifier};
use super::domain::Domain;
use super::extent::Extent;
use super::mapping::Mapping;
use super::parts::{append, map, meets, rings_and_lines, shift, turns};
use super::points::point_pixels;
use super::polynomial::Polynomial;
use super::pullback::Pullback;
use super::{clip, lines, smooth};
use crate::crs::Transform;
use crate::geo::{BBox, GeoTransform};
use crate::geometry::{Geometry, bbox, invalid};
use crate::grid::Tiling;
use crate::{Error, Result};

/// Maximum absolute longitude of a geometry: one turn beyond the usual range.
const MAX_LONGITUDE: f64 = 540.0;

/// Pixel coordinates beyond this size are clipped near the image before tiles are searched.
const FAR: f64 = Tiling::MAX_COORDINATE / 2.0;

/// Number of queries after which the polynomials are fitted: by then, fitting costs no more than the queries did. A
/// geometry takes a few queries.
const QUERIES_BEFORE_FIT: u32 = 64;

/// Projects geometries of a CRS to the pixels of an image.
#[derive(Debug)]
pub struct GeometryProjector {
    mapping: Mapping,
    domain: Domain,
    /// Approximation of the projection near the raster, fitted on demand; None if not possible.
    polynomial: OnceLock<Option<Polynomial>>,
    /// Number of queries so far, until the polynomials are fitted.
    queries: AtomicU32,
    pullback: Pullback,
}

impl GeometryProjector {
    /// Creates a projector for an image of `width` by `height` pixels with the affine `to_world`, from the source CRS
    /// of `transform` (None: native coordinates).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if pixels have no area, or if the whole raster lies outside the domain of its CRS.
    pub fn new(width: u32, height: u32, to_world: GeoTransform, transform: Option<Arc<Transform>>) -> Result<Self> {
        if to_world.inverse().is_none() {
            let numbers = to_world.to_array();
            return Err(Error::InvalidArgument {
                what: format!("expected pixels with an area, found transform {numbers:?}"),
            });
        }
        let mapping = Mapping { width: width.into(), height: height.into(), to_world, transform };
        let domain = Domain::new(&mapping)?;
        Ok(Self {
            mapping,
            domain,
            polynomial: OnceLock::new(),
            queries: AtomicU32::new(0),
            pullback: Pullback::default(),
        })
    }

    /// The polynomials, once there were enough queries.
    fn polynomial(&self) -> Option<&Polynomial> {
        if let Some(made) = self.polynomial.get() {
            return made.as_ref();
        }
        let many = self.queries.fetch_add(1, Ordering::Relaxed) >= QUERIES_BEFORE_FIT;
        many.then(|| self.polynomial.get_or_init(|| self.fit()).as_ref()).flatten()
    }

    fn fit(&self) -> Option<Polynomial> {
        let longitude = self.mapping.world(self.mapping.centre()).x;
        match self.domain {
            Domain::Box(bbox) => Polynomial::fit(bbox, |point| self.mapping.project(point, longitude)),
            _ => None,
        }
    }

    /// Approximate extent of a geometry with these bounds; None if it has to be projected.
    pub(crate) fn approximate_extent(&self, bounds: BBox) -> Option<Extent> {
        let polynomial = self.polynomial()?;
        polynomial.holds(bounds).then(|| polynomial.extent(bounds))
    }

    /// Projects a geometry approximately, and returns it with the maximum error in pixels; None if it has to be
    /// projected exactly.
    #[must_use]
    pub fn approximate_pixels(&self, geometry: &Geometry) -> Option<(Geometry, f64)> {
        let polynomial = self.polynomial()?;
        let is_straight = self.is_straight(geometry.bbox());
        is_straight.then(|| (map(geometry, |point| polynomial.pixel(point)), polynomial.error))
    }

    /// Whether edges within a box are known to need no densification. The result of [`pixels`](Self::pixels) does not
    /// depend on whether the polynomials exist.
    fn is_straight(&self, bounds: Option<BBox>) -> bool {
        let straight = |polynomial: &Polynomial, bounds: BBox| {
            polynomial.holds(bounds) && polynomial.bow(bounds) + 2.0 * polynomial.error < densify::THIRDS_TOLERANCE
        };
        match &self.mapping.transform {
            Some(transform) if !transform.is_identity() => {
                self.polynomial().zip(bounds).is_some_and(|(polynomial, bounds)| straight(polynomial, bounds))
            }
            _ => true,
        }
    }

    /// Projects a geometry to pixel coordinates. Parts far from the image may be omitted.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a vertex is outside the domain of its CRS, or if the projected geometry has too
    /// many vertices.
    pub fn pixels(&self, geometry: &Geometry) -> Result<Geometry> {
        let Some(transform) = &self.mapping.transform else {
            return self.native_pixels(geometry);
        };
        check_degrees(geometry, transform)?;
        if transform.is_identity() && !transform.from_degrees() {
            return self.native_pixels(geometry);
        }
        let points = point_pixels(&self.mapping, self.domain, &geometry.points);
        let shapes = if geometry.points.is_empty() {
            Cow::Borrowed(geometry)
        } else {
            let (lines, polygons) = (geometry.lines.clone(), geometry.polygons.clone());
            Cow::Owned(Geometry { points: Vec::new(), lines, polygons })
        };
        let Some(bounds) = shapes.bbox() else {
            return Ok(Geometry { points, ..Geometry::default() });
        };
        let pixels = match self.projected_shapes(&shapes, bounds) {
            Some(pixels) => pixels,
            None => {
                let lines = lines::pixels(&self.mapping, &shapes.lines)?;
                let mut pixels = self.at_turns(self.near(Geometry { lines, ..Geometry::default() }));
                append(&mut pixels, self.pullback.pixels(&self.mapping, &shapes)?);
                pixels
            }
        };
        Ok(Geometry { points, ..pixels })
    }

    /// Projects lines and polygons in the first or the second way; None if neither applies.
    fn projected_shapes(&self, shapes: &Geometry, bounds: BBox) -> Option<Geometry> {
        if self.domain == Domain::Nowhere {
            return Some(Geometry::default());
        }
        let longitude = self.mapping.world(self.mapping.centre()).x;
        if self.mapping.is_from_degrees() && bounds.xmax - bounds.xmin > 360.0 {
            return None;
        }
        match self.domain {
            Domain::Nowhere => None,
            Domain::All => {
                let first = self.projected(shapes, &|point| self.mapping.project(point, longitude)).ok()?;
                Some(self.at_turns(first))
            }
            Domain::Box(window) => {
                let turns = if self.mapping.is_from_degrees() { turns(bounds, window) } else { 0..=0 };
                let mut pixels = Geometry::default();
                for turn in turns {
                    let clipped = clip::clip(&shift(shapes, f64::from(turn) * 360.0), window);
                    let part = self.projected(&clipped, &|point| self.mapping.project(point, longitude)).ok()?;
                    append(&mut pixels, part);
                }
                Some(pixels)
            }
            Domain::Hard => {
                let middle =
                    Coord { x: f64::midpoint(bounds.xmin, bounds.xmax), y: f64::midpoint(bounds.ymin, bounds.ymax) };
                let longitude = self.mapping.world(self.mapping.project(middle, longitude)?).x;
                let project = |point: Coord<f64>| self.mapping.project_checked(point, longitude);
                smooth::is_smooth(with_area(bounds), false, project).then_some(())?;
                Some(self.at_turns(self.projected(shapes, &project).ok()?))
            }
        }
    }

    /// Returns a geometry on a raster of longitudes at every turn where it intersects the raster; on other rasters,
    /// unchanged.
    fn at_turns(&self, first: Geometry) -> Geometry {
        let bounds = bbox(first.vertices().map(|pixel| self.mapping.world(pixel)));
        let Some(bounds) = bounds.filter(|_| self.mapping.is_to_degrees()) else {
            return first;
        };
        let image = self.mapping.image();
        let at_turn = |turn: i32| {
            // One turn in pixels: the affine without its origin.
            let by = self.mapping.pixel_vector(f64::from(turn) * 360.0);
            map(&first, |pixel| pixel + by)
        };
        let turned = turns(bounds, self.mapping.world_bounds()).map(at_turn);
        let mut turned: Vec<_> =
            turned.filter(|geometry| rings_and_lines(geometry).any(|line| meets(line, image))).collect();
        if turned.len() > 1 {
            // Different parts intersect the image at different turns.
            for geometry in &mut turned {
                geometry.polygons.retain(|polygon| meets(polygon.exterior(), image));
                geometry.lines.retain(|line| meets(line, image));
            }
        }
        let mut pixels = Geometry::default();
        turned.into_iter().for_each(|geometry| append(&mut pixels, geometry));
        pixels
    }

    /// Projects a geometry in native coordinates.
    fn native_pixels(&self, geometry: &Geometry) -> Result<Geometry> {
        let pixels = self.projected(geometry, &|point| self.mapping.project(point, 0.0));
        pixels.map_err(|fault| match fault {
            ProjectionError::Unreached(Coord { x, y }) => {
                invalid(format!("expected coordinates near the raster, found ({x} {y})"))
            }
            ProjectionError::Other(error) => error,
        })
    }

    /// Projects all parts through `project` and densifies edges.
    fn projected(
        &self,
        geometry: &Geometry,
        project: &impl Fn(Coord<f64>) -> Option<Coord<f64>>,
    ) -> std::result::Result<Geometry, ProjectionError> {
        let to_pixels = |point: Coord<f64>| project(point).ok_or(ProjectionError::Unreached(point));
        let mut densifier = Densifier::new(self.is_straight(geometry.bbox()));
        let mut line = |line: &LineString<f64>| densifier.line(&line.0, &to_pixels).map(LineString);
        let points = geometry.points.iter().map(|point| to_pixels(*point)).collect::<std::result::Result<_, _>>()?;
        let lines = geometry.lines.iter().map(&mut line).collect::<std::result::Result<_, _>>()?;
        let polygons = geometry.polygons.iter().map(|polygon| {
            let shell = line(polygon.exterior())?;
            let holes = polygon.interiors().iter().map(&mut line).collect::<std::result::Result<_, _>>()?;
            Ok(Polygon::new(shell, holes))
        });
        let pixels =
            Geometry { points, lines, polygons: polygons.collect::<std::result::Result<_, ProjectionError>>()? };
        Ok(self.near(pixels))
    }

    /// Clips coordinates too large for exact covers, far from the image.
    fn near(&self, pixels: Geometry) -> Geometry {
        if pixels.vertices().all(|pixel| pixel.x.abs() < FAR && pixel.y.abs() < FAR) {
            return pixels;
        }
        let (width, height) = (self.mapping.width, self.mapping.height);
        clip::clip(&pixels, BBox { xmin: -width, ymin: -height, xmax: 2.0 * width, ymax: 2.0 * height })
    }
}

/// Reason why a geometry is not projected.
#[derive(Debug)]
enum ProjectionError {
    /// A point has no pixel.
    Unreached(Coord<f64>),
    /// An edge crosses a discontinuity, or the geometry has too many vertices.
    Other(Error),
}

impl From<Error> for ProjectionError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Pads a box of zero width or height.
fn with_area(BBox { xmin, ymin, xmax, ymax }: BBox) -> BBox {
    let padding = |min: f64, max: f64| if max > min { 0.0 } else { 1e-9 * min.abs().max(1.0) };
    let (x, y) = (padding(xmin, xmax), padding(ymin, ymax));
    BBox { xmin: xmin - x, ymin: ymin - y, xmax: xmax + x, ymax: ymax + y }
}

/// Checks that the coordinates of a transformation from longitude and latitude are degrees. Others are usually metres of a CRS that
/// was not named.
///
/// # Errors
///
/// [`Error::InvalidArgument`] with the first coordinates out of range.
pub fn check_degrees(geometry: &Geometry, transform: &Transform) -> Result<()> {
    if !transform.from_degrees() {
        return Ok(());
    }
    match geometry.vertices().find(|point| point.x.abs() > MAX_LONGITUDE || point.y.abs() > 90.0) {
        None => Ok(()),
        Some(Coord { x, y }) => Err(invalid(format!(
            "expected longitudes within {MAX_LONGITUDE} and latitudes within 90 degrees, found ({x} {y}): name the CRS of the \
             coordinates with geometry_crs"
        ))),
    }
}

#[cfg(test)]
mod tests;
