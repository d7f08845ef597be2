//! Transformations and concatenation of geometries.

use std::borrow::Cow;

use geo_types::{Coord, LineString, Polygon};

use crate::geo::BBox;
use crate::geometry::{Geometry, bbox};

/// The turns of 360 degrees by which a box can be moved to intersect another.
pub(super) fn turns(bounds: BBox, window: BBox) -> std::ops::RangeInclusive<i32> {
    // Both are bounded by MAX_LONGITUDE or the extent of the raster; larger numbers saturate to an empty range.
    #[expect(clippy::cast_possible_truncation)]
    let turn = |degrees: f64| (degrees / 360.0).clamp(-8.0, 8.0) as i32;
    turn(((window.xmin - bounds.xmax) / 360.0).ceil() * 360.0)
        ..=turn(((window.xmax - bounds.xmin) / 360.0).floor() * 360.0)
}

/// The lines of a geometry and the exterior rings of its polygons.
pub(super) fn rings_and_lines(geometry: &Geometry) -> impl Iterator<Item = &LineString<f64>> {
    geometry.lines.iter().chain(geometry.polygons.iter().map(Polygon::exterior))
}

/// Whether the bounding box of a line intersects another box.
pub(super) fn meets(line: &LineString<f64>, bounds: BBox) -> bool {
    bbox(line.0.iter().copied()).is_some_and(|line| {
        line.xmin <= bounds.xmax && line.xmax >= bounds.xmin && line.ymin <= bounds.ymax && line.ymax >= bounds.ymin
    })
}

pub(super) fn map(geometry: &Geometry, to: impl Fn(Coord<f64>) -> Coord<f64>) -> Geometry {
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

pub(super) fn shift(geometry: &Geometry, x: f64) -> Cow<'_, Geometry> {
    if x == 0.0 {
        Cow::Borrowed(geometry)
    } else {
        Cow::Owned(map(geometry, |point| Coord { x: point.x + x, y: point.y }))
    }
}

pub(super) fn append(to: &mut Geometry, mut from: Geometry) {
    to.points.append(&mut from.points);
    to.lines.append(&mut from.lines);
    to.polygons.append(&mut from.polygons);
}
