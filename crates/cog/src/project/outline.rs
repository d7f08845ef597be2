//! The outline of an image in another CRS.

use geo_types::Coord;

use crate::crs::nearest_longitude;
use crate::geo::BBox;
use crate::geometry::bbox;

/// Points along each side. A side's bow over a raster is small beside the raster, and the padding takes in what lies between
/// two points.
const POINTS_A_SIDE: u32 = 16;

/// How much wider than the outline a window is, as a share of its size: more than any bow between two points of the outline
/// (a 16th of a side bends by less than a 250th), less than what reaches into another hemisphere.
pub(super) const PADDING: f64 = 0.02;

/// The outline of an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outline {
    /// Pixels around the image and where they are, the first again at the end. Longitudes are continuous along the outline:
    /// they may go beyond 180, and around a pole they end 360 degrees from where they began.
    pub(super) points: Vec<(Coord<f64>, Coord<f64>)>,
    /// The box around it.
    pub(super) bbox: BBox,
}

/// The outline of an image of some size, through `back` from pixels; None where any of it has no image.
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

/// Points around an image, in its pixels, back to the first.
fn boundary(width: f64, height: f64) -> impl Iterator<Item = Coord<f64>> {
    let corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|(x, y)| Coord { x, y });
    let sides = (0..4).flat_map(move |side| {
        let (start, end) = (corners[side], corners[(side + 1) % 4]);
        (0..POINTS_A_SIDE).map(move |step| start + (end - start) * (f64::from(step) / f64::from(POINTS_A_SIDE)))
    });
    sides.chain([corners[0]])
}
