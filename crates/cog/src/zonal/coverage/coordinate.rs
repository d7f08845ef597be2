//! Conversions between coordinates and rows or columns.

use geo_types::LineString;

/// Beyond the coordinates of any image, and small enough for sums in i64.
const FAR: f64 = 9_007_199_254_740_992.0;

/// The floor of a coordinate, clamped to ±2^53.
pub(super) fn floor(coordinate: f64) -> i64 {
    let near = coordinate.clamp(-FAR, FAR);
    // Integers up to 2^53 fit both types.
    #[expect(clippy::cast_possible_truncation)]
    let whole = near as i64;
    whole - i64::from(whole as f64 > near)
}

/// An integer as a coordinate; exact for those of images.
pub(super) fn coordinate(whole: i64) -> f64 {
    whole as f64
}

/// The row or column of a coordinate; None outside the image.
pub(super) fn index(coordinate: f64, count: u32) -> Option<u32> {
    u32::try_from(floor(coordinate)).ok().filter(|index| *index < count)
}

/// Twice the signed area of a ring, relative to its first vertex; positive if x turns towards y.
pub(super) fn doubled_area(ring: &LineString<f64>) -> f64 {
    let Some(&origin) = ring.0.first() else { return 0.0 };
    ring.0.windows(2).map(|pair| (pair[0] - origin, pair[1] - origin)).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
}
