//! From the pixels of a grid to coordinates in a source raster.

use std::sync::Arc;

use geo_types::Coord;

use super::grid::TargetGrid;
use crate::crs::{Transform, Transforms};
use crate::geo::GeoTransform;
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::{Error, Result};

/// Distance in pixels within which a position is on an edge, regardless of rounding; as for masks.
pub(super) const ON_EDGE: f64 = 1e-6;

/// Maps pixel coordinates of a grid to those of a source raster.
#[derive(Debug)]
pub(crate) struct SourceMap {
    target: GeoTransform,
    source: GeoTransform,
    inverse: GeoTransform,
    image: Window,
    /// Width and height of the source.
    pub(super) size: (f64, f64),
    /// The transformation, if the CRSs differ.
    crs: Option<Arc<Transform>>,
    /// Offset in source pixels of 360 degrees, if the source is in degrees.
    pub(super) turn: Option<(f64, f64)>,
    /// The whole mapping, if the CRSs are the same.
    affine: Option<GeoTransform>,
}

impl SourceMap {
    pub(super) fn new(grid: &TargetGrid, source: &RasterInfo, transforms: &Transforms) -> Result<Self> {
        let wrong = |what: &str| Error::InvalidArgument { what: what.to_owned() };
        let crs = match (&grid.crs, &source.crs) {
            (None, None) => None,
            (Some(_), None) => return Err(wrong("grid: expected a raster with a CRS, found one without")),
            (None, Some(_)) => return Err(wrong("grid: expected a CRS, which the raster has, found none")),
            (Some(grid), Some(_)) => source.transform_from(grid, transforms)?,
        };
        let transform = source.native_transform();
        let inverse = transform.inverse().ok_or_else(|| wrong("expected pixels with an area, found none"))?;
        let is_in_degrees = crs.as_ref().is_some_and(|crs| crs.to_degrees());
        let turn = is_in_degrees.then_some((inverse.a * 360.0, inverse.d * 360.0));
        let crs = crs.filter(|crs| !crs.is_identity());
        let size = (f64::from(source.width), f64::from(source.height));
        let affine = crs.is_none().then(|| snapped(composed(&grid.transform, &transform, &inverse), grid, size));
        let image = Window::of_image(source.width, source.height);
        Ok(Self { image, target: grid.transform, source: transform, inverse, size, crs, turn, affine })
    }

    /// The whole source image.
    pub(super) fn image(&self) -> Window {
        self.image
    }

    /// The whole mapping, if it is affine.
    pub(super) fn affine(&self) -> Option<&GeoTransform> {
        self.affine.as_ref()
    }

    /// Whether target pixels are source pixels.
    pub(super) fn is_translation(&self) -> bool {
        self.affine.as_ref().is_some_and(|affine| {
            let is_whole = |offset: f64| offset == offset.round();
            (affine.a, affine.b, affine.d, affine.e) == (1.0, 0.0, 0.0, 1.0) && is_whole(affine.c) && is_whole(affine.f)
        })
    }

    /// The source coordinates of a position in the grid; None where they are undefined.
    pub(super) fn exact(&self, col: f64, row: f64) -> Option<(f64, f64)> {
        let (x, y) = match (&self.affine, &self.crs) {
            (Some(affine), _) => affine.forward(col, row),
            (None, crs) => {
                let (x, y) = self.target.forward(col, row);
                let Coord { x, y } = match crs {
                    Some(crs) => crs.forward(Coord { x, y })?,
                    None => Coord { x, y },
                };
                // Differences first, so that large coordinates do not cancel out.
                let (x, y) = (x - self.source.c, y - self.source.f);
                (self.inverse.a * x + self.inverse.b * y, self.inverse.d * x + self.inverse.e * y)
            }
        };
        (x.is_finite() && y.is_finite()).then_some((x, y))
    }

    /// A position, moved by whole turns to be nearest to another.
    pub(super) fn unwrapped(&self, (x, y): (f64, f64), near: (f64, f64)) -> (f64, f64) {
        let Some((dx, dy)) = self.turn else { return (x, y) };
        let turns = (((near.0 - x) * dx + (near.1 - y) * dy) / (dx * dx + dy * dy)).round();
        if turns == 0.0 { (x, y) } else { (x + turns * dx, y + turns * dy) }
    }

    /// A position, moved by whole turns into the image, if that is possible.
    pub(super) fn homed(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let Some((dx, dy)) = self.turn else { return (x, y) };
        let inside =
            |x: f64, y: f64| x >= -ON_EDGE && y >= -ON_EDGE && x < self.size.0 - ON_EDGE && y < self.size.1 - ON_EDGE;
        let moved = |turns: f64| (x + turns * dx, y + turns * dy);
        let turns = [0.0, 1.0, -1.0, 2.0, -2.0].into_iter().find(|turns| {
            let (x, y) = moved(*turns);
            inside(x, y)
        });
        turns.map_or((x, y), moved)
    }
}

/// The affine from target pixels to source pixels.
fn composed(target: &GeoTransform, source: &GeoTransform, inverse: &GeoTransform) -> GeoTransform {
    let linear = |x: f64, y: f64| (inverse.a * x + inverse.b * y, inverse.d * x + inverse.e * y);
    let ((a, d), (b, e)) = (linear(target.a, target.d), linear(target.b, target.e));
    let (c, f) = linear(target.c - source.c, target.f - source.f);
    GeoTransform { a, b, c, d, e, f }
}

/// Removes rounding where target pixels are source pixels to within [`ON_EDGE`] over the whole grid.
fn snapped(affine: GeoTransform, grid: &TargetGrid, size: (f64, f64)) -> GeoTransform {
    let length = f64::from(grid.width.max(grid.height)).max(size.0).max(size.1);
    let is_near = |found: f64, expected: f64| (found - expected).abs() <= ON_EDGE;
    let is_same = is_near(affine.a * length, length)
        && is_near(affine.e * length, length)
        && is_near(affine.b * length, 0.0)
        && is_near(affine.d * length, 0.0)
        && is_near(affine.c, affine.c.round())
        && is_near(affine.f, affine.f.round());
    match is_same {
        true => GeoTransform { a: 1.0, b: 0.0, c: affine.c.round(), d: 0.0, e: 1.0, f: affine.f.round() },
        false => affine,
    }
}
