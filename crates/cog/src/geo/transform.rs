//! The affine transform between pixel corners and world coordinates.

use super::BBox;

/// Six numbers in affine order: `x = a*col + b*row + c`, `y = d*col + e*row + f`, of pixel corners.
///
/// The order is that of rasterio's `Affine`; GDAL's own order is `(c, a, b, f, d, e)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoTransform {
    /// World x of one column.
    pub a: f64,
    /// World x of one row: 0 unless rotated.
    pub b: f64,
    /// World x of the outer corner of pixel (0, 0).
    pub c: f64,
    /// World y of one column: 0 unless rotated.
    pub d: f64,
    /// World y of one row: negative where north is up.
    pub e: f64,
    /// World y of the outer corner of pixel (0, 0).
    pub f: f64,
}

impl GeoTransform {
    /// From `[a, b, c, d, e, f]`.
    #[must_use]
    pub const fn from_array([a, b, c, d, e, f]: [f64; 6]) -> Self {
        Self { a, b, c, d, e, f }
    }

    /// As `[a, b, c, d, e, f]`.
    #[must_use]
    pub const fn to_array(self) -> [f64; 6] {
        [self.a, self.b, self.c, self.d, self.e, self.f]
    }

    /// World coordinates `(x, y)` of a fractional `(col, row)`; (0, 0) is the outer corner of the first pixel.
    #[must_use]
    pub fn forward(&self, col: f64, row: f64) -> (f64, f64) {
        (
            self.a * col + self.b * row + self.c,
            self.d * col + self.e * row + self.f,
        )
    }

    /// The transform from world coordinates to `(col, row)`; None where pixels have no area or numbers overflow.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        // Without rotation each axis is its own division: no product of the two scales, whose rounding would show.
        let inverse = if self.b == 0.0 && self.d == 0.0 {
            Self {
                a: 1.0 / self.a,
                b: 0.0,
                c: -self.c / self.a,
                d: 0.0,
                e: 1.0 / self.e,
                f: -self.f / self.e,
            }
        } else {
            let determinant = self.a * self.e - self.b * self.d;
            let (a, b) = (self.e / determinant, -self.b / determinant);
            let (d, e) = (-self.d / determinant, self.a / determinant);
            Self {
                a,
                b,
                c: -(a * self.c + b * self.f),
                d,
                e,
                f: -(d * self.c + e * self.f),
            }
        };
        inverse
            .to_array()
            .iter()
            .all(|number| number.is_finite())
            .then_some(inverse)
    }

    /// World box of an image of `width` columns and `height` rows: of all four corners, so rotated images fit.
    #[must_use]
    pub fn bounds(&self, width: u32, height: u32) -> BBox {
        let (width, height) = (f64::from(width), f64::from(height));
        let (x, y) = self.forward(0.0, 0.0);
        let mut bounds = BBox {
            xmin: x,
            ymin: y,
            xmax: x,
            ymax: y,
        };
        for (col, row) in [(width, 0.0), (0.0, height), (width, height)] {
            let (x, y) = self.forward(col, row);
            bounds.xmin = bounds.xmin.min(x);
            bounds.ymin = bounds.ymin.min(y);
            bounds.xmax = bounds.xmax.max(x);
            bounds.ymax = bounds.ymax.max(y);
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::{BBox, GeoTransform};

    #[test]
    fn inverse_undoes_forward() {
        for array in [
            [10.0, 0.0, 499_980.0, 0.0, -10.0, 4_200_000.0],
            [1.5, 0.5, -7.0, 0.25, -2.0, 3.0],
            [0.0, 2.0, 1.0, -2.0, 0.0, 5.0],
        ] {
            let transform = GeoTransform::from_array(array);
            let (x, y) = transform.forward(3.25, 7.5);
            let (col, row) = transform.inverse().unwrap().forward(x, y);
            assert!(
                (col - 3.25).abs() < 1e-9 && (row - 7.5).abs() < 1e-9,
                "{col} {row}"
            );
        }
    }

    #[test]
    fn pixels_without_area_have_no_inverse() {
        for array in [
            [0.0; 6],
            [1.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ] {
            assert_eq!(GeoTransform::from_array(array).inverse(), None);
        }
    }

    #[test]
    fn bounds_hold_all_corners_of_a_rotated_image() {
        let transform = GeoTransform::from_array([1.0, -1.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(
            transform.bounds(2, 3),
            BBox {
                xmin: -3.0,
                ymin: 0.0,
                xmax: 2.0,
                ymax: 5.0
            }
        );
    }
}
