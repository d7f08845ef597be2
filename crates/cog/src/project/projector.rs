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

/// Longitudes that a geometry may have: once around in either direction from what is usual.
const MAX_LONGITUDE: f64 = 540.0;

/// Pixel coordinates beyond this size are brought near the image before tiles are looked for.
const FAR: f64 = Tiling::MAX_COORDINATE / 2.0;

/// After so many questions the polynomials are made: by then, that costs no more than the questions did. A geometry asks a few.
const MANY: u32 = 64;

/// An image of a raster, and the way from a CRS to its pixels.
#[derive(Debug)]
pub struct GeometryProjector {
    mapping: Mapping,
    domain: Domain,
    /// The projection near the raster, once it is worth having; None where it has no such.
    polynomial: OnceLock<Option<Polynomial>>,
    /// Questions before that.
    asked: AtomicU32,
    pullback: Pullback,
}

impl GeometryProjector {
    /// The view of an image of `width` by `height` pixels with the affine `to_world`, from the CRS that `transform` comes from
    /// (None: the raster's own coordinates, as they are).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the raster's pixels have no area, or all of the raster lies where its CRS does not reach.
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
            asked: AtomicU32::new(0),
            pullback: Pullback::default(),
        })
    }

    /// The projection as polynomials, once there were many questions.
    fn polynomial(&self) -> Option<&Polynomial> {
        if let Some(made) = self.polynomial.get() {
            return made.as_ref();
        }
        let many = self.asked.fetch_add(1, Ordering::Relaxed) >= MANY;
        many.then(|| self.polynomial.get_or_init(|| self.fit()).as_ref()).flatten()
    }

    fn fit(&self) -> Option<Polynomial> {
        let longitude = self.mapping.world(self.mapping.centre()).x;
        match self.domain {
            Domain::Box(bbox) => Polynomial::fit(bbox, |point| self.mapping.project(point, longitude)),
            _ => None,
        }
    }

    /// Where a geometry of this box lies, from one point of it; None where that is not known without projecting it.
    pub(crate) fn rough_extent(&self, bounds: BBox) -> Option<Extent> {
        let polynomial = self.polynomial()?;
        polynomial.holds(bounds).then(|| polynomial.extent(bounds))
    }

    /// A geometry about where [`pixels`](Self::pixels) puts it, and how many pixels a vertex may be off; None where that is not
    /// known without projecting it.
    #[must_use]
    pub fn about_pixels(&self, geometry: &Geometry) -> Option<(Geometry, f64)> {
        let polynomial = self.polynomial()?;
        let is_straight = self.is_straight(geometry.bbox());
        is_straight.then(|| (map(geometry, |point| polynomial.pixel(point)), polynomial.error))
    }

    /// Whether it is known that edges within a box stay as straight as the densifier leaves them: what it makes of a geometry
    /// is the same, whether the polynomials are there or not.
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

    /// A geometry in pixel coordinates. Parts that are nowhere near the image may be missing.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where a vertex is outside the range of its CRS, or a geometry takes more vertices in the raster's CRS
    /// than fit into memory.
    pub fn pixels(&self, geometry: &Geometry) -> Result<Geometry> {
        let Some(transform) = &self.mapping.transform else {
            return self.all_pixels(geometry);
        };
        if transform.from_degrees() {
            check_degrees(geometry)?;
        }
        if transform.is_identity() && !transform.from_degrees() {
            return self.all_pixels(geometry);
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

    /// Lines and polygons the first or the second way; None where neither holds.
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

    /// A projected geometry in a raster of longitudes, at every turn at which it meets the raster; unchanged in other rasters.
    fn at_turns(&self, first: Geometry) -> Geometry {
        let bounds = bbox(first.vertices().map(|pixel| self.mapping.world(pixel)));
        let Some(bounds) = bounds.filter(|_| self.mapping.is_to_degrees()) else {
            return first;
        };
        let image = self.mapping.image();
        let at_turn = |turn: i32| {
            // One turn, in pixels: the affine without its origin.
            let by = self.mapping.pixel_vector(f64::from(turn) * 360.0);
            map(&first, |pixel| pixel + by)
        };
        let turned = turns(bounds, self.mapping.world_bounds()).map(at_turn);
        let mut turned: Vec<_> =
            turned.filter(|geometry| rings_and_lines(geometry).any(|line| meets(line, image))).collect();
        if turned.len() > 1 {
            // Parts are in the image at different turns.
            for geometry in &mut turned {
                geometry.polygons.retain(|polygon| meets(polygon.exterior(), image));
                geometry.lines.retain(|line| meets(line, image));
            }
        }
        let mut pixels = Geometry::default();
        turned.into_iter().for_each(|geometry| append(&mut pixels, geometry));
        pixels
    }

    /// A geometry in the raster's own coordinates.
    fn all_pixels(&self, geometry: &Geometry) -> Result<Geometry> {
        let pixels = self.projected(geometry, &|point| self.mapping.project(point, 0.0));
        pixels.map_err(|fault| match fault {
            Fault::Unreached(Coord { x, y }) => {
                invalid(format!("expected coordinates near the raster, found ({x} {y})"))
            }
            Fault::Other(error) => error,
        })
    }

    /// All parts through `project` to pixels; edges densified on the way.
    fn projected(
        &self,
        geometry: &Geometry,
        project: &impl Fn(Coord<f64>) -> Option<Coord<f64>>,
    ) -> std::result::Result<Geometry, Fault> {
        let to_pixels = |point: Coord<f64>| project(point).ok_or(Fault::Unreached(point));
        let mut densifier = Densifier::new(self.is_straight(geometry.bbox()));
        let mut line = |line: &LineString<f64>| densifier.line(&line.0, &to_pixels).map(LineString);
        let points = geometry.points.iter().map(|point| to_pixels(*point)).collect::<std::result::Result<_, _>>()?;
        let lines = geometry.lines.iter().map(&mut line).collect::<std::result::Result<_, _>>()?;
        let polygons = geometry.polygons.iter().map(|polygon| {
            let shell = line(polygon.exterior())?;
            let holes = polygon.interiors().iter().map(&mut line).collect::<std::result::Result<_, _>>()?;
            Ok(Polygon::new(shell, holes))
        });
        let pixels = Geometry { points, lines, polygons: polygons.collect::<std::result::Result<_, Fault>>()? };
        Ok(self.near(pixels))
    }

    /// Coordinates too large for exact tiles are cut off: far from the image, where it makes no difference.
    fn near(&self, pixels: Geometry) -> Geometry {
        if pixels.vertices().all(|pixel| pixel.x.abs() < FAR && pixel.y.abs() < FAR) {
            return pixels;
        }
        let (width, height) = (self.mapping.width, self.mapping.height);
        clip::clip(&pixels, BBox { xmin: -width, ymin: -height, xmax: 2.0 * width, ymax: 2.0 * height })
    }
}

/// Why a geometry is not projected.
#[derive(Debug)]
enum Fault {
    /// A point has no pixel.
    Unreached(Coord<f64>),
    /// An edge is torn, or the geometry grows too large.
    Other(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A box that has an area, though what it is around may have none.
fn with_area(BBox { xmin, ymin, xmax, ymax }: BBox) -> BBox {
    let padding = |min: f64, max: f64| if max > min { 0.0 } else { 1e-9 * min.abs().max(1.0) };
    let (x, y) = (padding(xmin, xmax), padding(ymin, ymax));
    BBox { xmin: xmin - x, ymin: ymin - y, xmax: xmax + x, ymax: ymax + y }
}

/// Numbers that are no longitudes and latitudes are most often metres, for which the CRS was not named.
fn check_degrees(geometry: &Geometry) -> Result<()> {
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
