//! A raster as seen from the CRS of a geometry: geometries in, pixel coordinates out.
//!
//! ```text
//! geometry's CRS ── shift by 360° ── clip to the window ── densify + transform ── raster's CRS ── inverse affine ── pixels
//!                   longitudes only  where the raster is   a quarter of a pixel
//! ```
//!
//! Projections are only good near what they are made for, and give finite nonsense elsewhere. So nothing far from the raster is
//! projected: the raster's outline is transformed back into the geometry's CRS, and the geometry is clipped to the box around
//! it. Where the outline itself has no image there (the corners of a globe on a plane), nothing is clipped; every vertex must then
//! come back to where it was, or it is an error.
//!
//! Longitudes that are the same place are taken as such: rasters may run from 0 to 360, and geometries that cross the
//! antimeridian may go on beyond 180, or be cut in two there. An edge is straight in the geometry's CRS: one from 179 to -179
//! goes around the world.

mod clip;
mod densify;
mod outline;
mod polynomial;
mod views;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use geo_types::{Coord, LineString, Polygon};

use crate::cover::Extent;
use crate::crs::{Transform, nearest_longitude};
use crate::geo::{BBox, GeoTransform};
use crate::geometry::{Geometry, bbox, invalid};
use crate::{Error, Result};
use polynomial::Polynomial;

pub(crate) use clip::clip_ring;
pub(crate) use densify::Densifier;
pub(crate) use outline::{Outline, outline};
pub use views::Views;

/// Longitudes that a geometry may have: once around in either direction from what is usual.
const MAX_LONGITUDE: f64 = 540.0;

/// Pixel coordinates beyond this size are brought near the image before tiles are looked for.
const FAR: f64 = crate::cover::Tiling::MAX_COORDINATE / 2.0;

/// After so many questions the polynomials are made: by then, that costs no more than the questions did. A geometry asks a few.
const MANY: u32 = 64;

/// An image of a raster, and the way from a CRS to its pixels.
#[derive(Debug)]
pub struct View {
    width: f64,
    height: f64,
    to_world: GeoTransform,
    /// None where coordinates are the raster's own.
    transform: Option<Arc<Transform>>,
    window: Window,
    /// The projection near the raster, once it is worth having; None where it has no such.
    polynomial: OnceLock<Option<Polynomial>>,
    /// Questions before that.
    asked: AtomicU32,
}

/// What is projected of a geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Window {
    /// All of it.
    All,
    /// All of it, but each vertex must come back to where it was.
    Checked,
    /// What lies in a box; with `around`, at any longitude.
    Box { bbox: BBox, around: bool },
}

impl View {
    /// The view of an image of `width` by `height` pixels with the affine `to_world`, from the CRS that `transform` comes from
    /// (None: the raster's own coordinates, as they are).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the raster's pixels have no area, or the raster lies where its CRS does not reach.
    pub fn new(width: u32, height: u32, to_world: GeoTransform, transform: Option<Arc<Transform>>) -> Result<Self> {
        if to_world.inverse().is_none() {
            let numbers = to_world.to_array();
            return Err(Error::InvalidArgument {
                what: format!("expected pixels with an area, found transform {numbers:?}"),
            });
        }
        let mut view = Self {
            width: width.into(),
            height: height.into(),
            to_world,
            transform,
            window: Window::All,
            polynomial: OnceLock::new(),
            asked: AtomicU32::new(0),
        };
        view.window = view.window()?;
        Ok(view)
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
        match (&self.transform, self.window) {
            (Some(transform), Window::Box { bbox, around: false }) => {
                Polynomial::fit(bbox, |point| Some(self.pixel(transform.forward(point)?)))
            }
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
        match &self.transform {
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
    /// [`Error::InvalidArgument`] where a vertex is outside the range of its CRS, or of the raster's.
    pub fn pixels(&self, geometry: &Geometry) -> Result<Geometry> {
        let Some(transform) = &self.transform else {
            return self.projected(geometry, &Ok);
        };
        if transform.from_degrees() {
            check_degrees(geometry)?;
        }
        let Some(bounds) = geometry.bbox() else {
            return Ok(Geometry::default());
        };
        if transform.to_degrees() {
            return self.pixels_of_degrees(transform, geometry);
        }
        let project = |point: Coord<f64>| self.project(transform, point);
        let Window::Box { bbox: window, around } = self.window else {
            return self.projected(geometry, &project);
        };
        let mut pixels = Geometry::default();
        let turns = if transform.from_degrees() && !around { turns(bounds, window) } else { 0..=0 };
        for turn in turns {
            let shifted = shift(geometry, f64::from(turn) * 360.0);
            append(&mut pixels, self.projected(&clip::clip(&shifted, window), &project)?);
        }
        Ok(pixels)
    }

    /// Into a raster of longitudes: transformed as it is, then at every turn at which it meets the raster.
    fn pixels_of_degrees(&self, transform: &Transform, geometry: &Geometry) -> Result<Geometry> {
        let project = |point: Coord<f64>| self.project(transform, point);
        let first = self.projected(geometry, &project)?;
        let Some(bounds) = bbox(first.vertices().map(|pixel| self.world(pixel))) else {
            return Ok(first);
        };
        let image = self.to_world_bounds();
        let mut pixels = Geometry::default();
        for turn in turns(bounds, image) {
            // One turn, in pixels: the affine without its origin.
            let by = self.pixel_vector(f64::from(turn) * 360.0);
            append(&mut pixels, map(&first, |pixel| pixel + by));
        }
        Ok(pixels)
    }

    /// All parts through `project` to world coordinates, and on to pixels; edges densified on the way.
    fn projected(&self, geometry: &Geometry, project: &impl Fn(Coord<f64>) -> Result<Coord<f64>>) -> Result<Geometry> {
        let to_pixels = |point: Coord<f64>| {
            let pixel = self.pixel(project(point)?);
            if pixel.x.abs() < f64::MAX && pixel.y.abs() < f64::MAX {
                Ok(pixel)
            } else {
                Err(invalid(format!("expected coordinates near the raster, found ({} {})", point.x, point.y)))
            }
        };
        let mut densifier = Densifier::new(self.is_straight(geometry.bbox()));
        let mut line = |line: &LineString<f64>| densifier.line(&line.0, &to_pixels).map(LineString);
        let points = geometry.points.iter().map(|point| to_pixels(*point)).collect::<Result<_>>()?;
        let lines = geometry.lines.iter().map(&mut line).collect::<Result<_>>()?;
        let polygons = geometry.polygons.iter().map(|polygon| {
            let shell = line(polygon.exterior())?;
            let holes = polygon.interiors().iter().map(&mut line).collect::<Result<_>>()?;
            Ok(Polygon::new(shell, holes))
        });
        let pixels = Geometry { points, lines, polygons: polygons.collect::<Result<_>>()? };
        Ok(self.near(pixels))
    }

    /// Coordinates too large for exact tiles are cut off: far from the image, where it makes no difference.
    fn near(&self, pixels: Geometry) -> Geometry {
        if pixels.vertices().all(|pixel| pixel.x.abs() < FAR && pixel.y.abs() < FAR) {
            return pixels;
        }
        let (width, height) = (self.width, self.height);
        clip::clip(&pixels, BBox { xmin: -width, ymin: -height, xmax: 2.0 * width, ymax: 2.0 * height })
    }

    /// A point in the raster's CRS.
    fn project(&self, transform: &Transform, point: Coord<f64>) -> Result<Coord<f64>> {
        let outside = || {
            invalid(format!(
                "expected vertices where the raster's CRS reaches, found ({} {}): clip the geometry to the raster's surroundings",
                point.x, point.y
            ))
        };
        let world = transform.forward(point).ok_or_else(outside)?;
        if self.window == Window::Checked && !Self::leads_back(transform, world, point) {
            return Err(outside());
        }
        Ok(world)
    }

    /// Whether a point of the geometry's CRS leads to a world point, within a quarter of a pixel.
    fn leads_to(&self, transform: &Transform, point: Coord<f64>, world: Coord<f64>) -> bool {
        let there = transform.forward(point);
        there.is_some_and(|there| distance(self.pixel(there), self.pixel(world)) <= densify::TOLERANCE)
    }

    /// Whether a world point leads back to the point that it was made of, and not to another that the map folds onto it.
    fn leads_back(transform: &Transform, world: Coord<f64>, point: Coord<f64>) -> bool {
        let tolerance = 1e-6 * point.x.abs().max(point.y.abs()).max(1.0);
        let Some(back) = transform.backward(world) else {
            return false;
        };
        let is_pole = transform.from_degrees() && point.y.abs() > 90.0 - tolerance;
        let x = if transform.from_degrees() { nearest_longitude(back.x, point.x) } else { back.x };
        (is_pole || (x - point.x).abs() <= tolerance) && (back.y - point.y).abs() <= tolerance
    }

    /// World coordinates in pixels. Without rotation each axis is one division, which gives whole numbers back as such; what
    /// is left of rounding at a whole number is taken away, so that a tile's own box does not reach into its neighbours.
    fn pixel(&self, world: Coord<f64>) -> Coord<f64> {
        let GeoTransform { a, b, c, d, e, f } = self.to_world;
        let (x, y) = (world.x - c, world.y - f);
        let (col, row, scale) = if b == 0.0 && d == 0.0 {
            (x / a, y / e, 1.0)
        } else {
            let determinant = a * e - b * d;
            (
                (x * e - y * b) / determinant,
                (y * a - x * d) / determinant,
                (a * e).abs().max((b * d).abs()) / determinant.abs(),
            )
        };
        let size = (a.abs() + b.abs()).min(d.abs() + e.abs());
        let noise = 8.0 * f64::EPSILON * scale * (world.x.abs() + c.abs() + world.y.abs() + f.abs()) / size;
        Coord { x: snapped(col, noise), y: snapped(row, noise) }
    }

    /// Pixel coordinates in the world.
    fn world(&self, pixel: Coord<f64>) -> Coord<f64> {
        let (x, y) = self.to_world.forward(pixel.x, pixel.y);
        Coord { x, y }
    }

    /// A step along x, in pixels.
    fn pixel_vector(&self, x: f64) -> Coord<f64> {
        let GeoTransform { a, b, d, e, .. } = self.to_world;
        let determinant = a * e - b * d;
        if b == 0.0 && d == 0.0 {
            Coord { x: x / a, y: 0.0 }
        } else {
            Coord { x: x * e / determinant, y: -x * d / determinant }
        }
    }

    fn to_world_bounds(&self) -> BBox {
        let corners = [(0.0, 0.0), (self.width, 0.0), (0.0, self.height), (self.width, self.height)];
        let corners = corners.map(|(x, y)| self.world(Coord { x, y }));
        bbox(corners).unwrap_or(BBox { xmin: 0.0, ymin: 0.0, xmax: 0.0, ymax: 0.0 })
    }

    /// The part of the geometry's CRS that the raster lies in.
    fn window(&self) -> Result<Window> {
        let Some(transform) = self.transform.as_deref().filter(|transform| !transform.is_identity()) else {
            return Ok(Window::All);
        };
        let back = |pixel: Coord<f64>| {
            let world = self.world(pixel);
            transform.backward(world).filter(|point| self.leads_to(transform, *point, world))
        };
        let outline = outline(self.width, self.height, transform.from_degrees(), &back);
        match outline {
            None if back(Coord { x: self.width / 2.0, y: self.height / 2.0 }).is_none() => {
                Err(Error::InvalidArgument {
                    what: "the raster lies where its CRS does not reach: only 'native' coordinates fit it".to_owned(),
                })
            }
            None => Ok(Window::Checked),
            Some(_) if transform.to_degrees() => Ok(Window::All),
            Some(outline) => Ok(self.window_around(transform, &outline)),
        }
    }

    fn window_around(&self, transform: &Transform, outline: &Outline) -> Window {
        let mut window = outline.bbox;
        let (x, y) = (outline::PADDING * (window.xmax - window.xmin), outline::PADDING * (window.ymax - window.ymin));
        (window.ymin, window.ymax) = (window.ymin - y, window.ymax + y);
        if !transform.from_degrees() {
            (window.xmin, window.xmax) = (window.xmin - x, window.xmax + x);
            return Window::Box { bbox: window, around: false };
        }
        let pole = |latitude: f64| {
            let world = transform.forward(Coord { x: 0.0, y: latitude })?;
            let pixel = self.pixel(world);
            let inside = 0.0 < pixel.x && pixel.x < self.width && 0.0 < pixel.y && pixel.y < self.height;
            (inside && Self::leads_back(transform, world, Coord { x: 0.0, y: latitude })).then_some(())
        };
        let (north, south) = (pole(90.0).is_some(), pole(-90.0).is_some());
        if north || south {
            window.ymax = if north { 90.0 } else { window.ymax };
            window.ymin = if south { -90.0 } else { window.ymin };
            (window.xmin, window.xmax) = (-2.0 * MAX_LONGITUDE, 2.0 * MAX_LONGITUDE);
            return Window::Box { bbox: window, around: true };
        }
        (window.ymin, window.ymax) = (window.ymin.max(-90.0), window.ymax.min(90.0));
        window.xmin = self.padded(transform, outline, window.xmin, -x);
        window.xmax = self.padded(transform, outline, window.xmax, x);
        Window::Box { bbox: window, around: false }
    }

    /// The longitude `edge`, moved outwards by so much of `padding` as does not reach over the cut of the projection, where the
    /// map begins again on its other side.
    fn padded(&self, transform: &Transform, outline: &Outline, edge: f64, padding: f64) -> f64 {
        const HALVINGS: u32 = 30;
        let latitude = f64::midpoint(outline.bbox.ymin, outline.bbox.ymax);
        let at = |longitude: f64| transform.forward(Coord { x: longitude, y: latitude }).map(|world| self.pixel(world));
        let (Some(inner), Some(start)) = (at(edge - padding), at(edge)) else {
            return edge;
        };
        let usual = distance(inner, start).max(1.0);
        (0..HALVINGS)
            .map(|halving| edge + padding / 2f64.powi(i32::try_from(halving).unwrap_or(0)))
            .find(|longitude| at(*longitude).is_some_and(|pixel| distance(start, pixel) < 10.0 * usual))
            .unwrap_or(edge)
    }
}

fn snapped(value: f64, noise: f64) -> f64 {
    let whole = value.round();
    if (value - whole).abs() <= noise { whole } else { value }
}

fn distance(a: Coord<f64>, b: Coord<f64>) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
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

/// By how many turns of 360 degrees a box may be moved to meet another.
fn turns(bounds: BBox, window: BBox) -> std::ops::RangeInclusive<i32> {
    // Both are bounded by MAX_LONGITUDE or a raster's own extent; casts of larger numbers saturate to an empty meeting.
    #[expect(clippy::cast_possible_truncation)]
    let turn = |degrees: f64| (degrees / 360.0).clamp(-8.0, 8.0) as i32;
    turn(((window.xmin - bounds.xmax) / 360.0).ceil() * 360.0)
        ..=turn(((window.xmax - bounds.xmin) / 360.0).floor() * 360.0)
}

fn map(geometry: &Geometry, to: impl Fn(Coord<f64>) -> Coord<f64>) -> Geometry {
    let line = |line: &LineString<f64>| LineString(line.0.iter().map(|point| to(*point)).collect());
    Geometry {
        points: geometry.points.iter().map(|point| to(*point)).collect(),
        lines: geometry.lines.iter().map(line).collect(),
        polygons: geometry
            .polygons
            .iter()
            .map(|polygon| Polygon::new(line(polygon.exterior()), polygon.interiors().iter().map(line).collect()))
            .collect(),
    }
}

fn shift(geometry: &Geometry, x: f64) -> std::borrow::Cow<'_, Geometry> {
    use std::borrow::Cow;
    if x == 0.0 {
        Cow::Borrowed(geometry)
    } else {
        Cow::Owned(map(geometry, |point| Coord { x: point.x + x, y: point.y }))
    }
}

fn append(to: &mut Geometry, mut from: Geometry) {
    to.points.append(&mut from.points);
    to.lines.append(&mut from.lines);
    to.polygons.append(&mut from.polygons);
}

#[cfg(test)]
mod tests;
