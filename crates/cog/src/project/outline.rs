//! The outline of an image in another CRS.

use geo_types::Coord;

use crate::crs::nearest_longitude;
use crate::geo::BBox;
use crate::geometry::bbox;

/// Points along each side. Sides are nearly straight over a raster, and the padding covers the curve between two
/// points.
const POINTS_A_SIDE: u32 = 16;

/// Padding of the domain as a fraction of the size of the outline: more than the bow between two points (a 16th of a
/// side deviates by less than a 250th), but not enough to reach another hemisphere.
pub(super) const PADDING: f64 = 0.02;

/// Outline of an image in another CRS.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outline {
    /// Pixels around the image and their points; the first is repeated at the end. Longitudes are continuous: they may
    /// exceed 180, and around a pole they end 360 degrees from where they began.
    pub(super) points: Vec<(Coord<f64>, Coord<f64>)>,
    /// Bounding box of the points.
    pub(super) bbox: BBox,
}

/// Returns the outline of an image through `back`, which maps pixels to points; None if any point is undefined.
pub(super) fn outline(
    width: f64,
    height: f64,
    degrees: bool,
    back: &impl Fn(Coord<f64>) -> Option<Coord<f64>>,
) -> Option<Outline> {
    let mut points: Vec<(Coord<f64>, Coord<f64>)> = Vec::with_capacity(4 * POINTS_A_SIDE as usize + 1);
    for pixel in boundary(width, height) {
        let mut point = back(pixel)?;
        if let Some((_, before)) = points.last().filter(|_| degrees) {
            point.x = nearest_longitude(point.x, before.x);
        }
        points.push((pixel, point));
    }
    let bbox = bbox(points.iter().map(|(_, point)| *point))?;
    Some(Outline { points, bbox })
}

/// Points around an image in pixels, closed.
fn boundary(width: f64, height: f64) -> impl Iterator<Item = Coord<f64>> {
    let corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|(x, y)| Coord { x, y });
    let sides = (0..4).flat_map(move |side| {
        let (start, end) = (corners[side], corners[(side + 1) % 4]);
        (0..POINTS_A_SIDE).map(move |step| start + (end - start) * (f64::from(step) / f64::from(POINTS_A_SIDE)))
    });
    sides.chain([corners[0]])
}
