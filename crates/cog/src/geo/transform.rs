//! Affine transform between pixel corners and world coordinates.

use super::BBox;

/// Affine coefficients: `x = a*col + b*row + c`, `y = d*col + e*row + f`, for pixel corners.
///
/// In the order of rasterio's `Affine`; GDAL's geotransform is `(c, a, b, f, d, e)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoTransform {
    /// Change of x per column.
    pub a: f64,
    /// Change of x per row: 0 unless rotated.
    pub b: f64,
    /// x of the outer corner of pixel (0, 0).
    pub c: f64,
    /// Change of y per column: 0 unless rotated.
    pub d: f64,
    /// Change of y per row: negative if north is up.
    pub e: f64,
    /// y of the outer corner of pixel (0, 0).
    pub f: f64,
}

impl GeoTransform {
    /// Creates a transform from `[a, b, c, d, e, f]`.
    #[must_use]
    pub const fn from_array([a, b, c, d, e, f]: [f64; 6]) -> Self {
        Self { a, b, c, d, e, f }
    }

    /// Returns `[a, b, c, d, e, f]`.
    #[must_use]
    pub const fn to_array(self) -> [f64; 6] {
        [self.a, self.b, self.c, self.d, self.e, self.f]
    }

    /// World coordinates `(x, y)` of a fractional `(col, row)`; (0, 0) is the outer corner of the first pixel.
    #[must_use]
    pub fn forward(&self, col: f64, row: f64) -> (f64, f64) {
        (self.a * col + self.b * row + self.c, self.d * col + self.e * row + self.f)
    }

    /// Returns the transform from world coordinates to `(col, row)`; None if pixels have no area or coefficients
    /// overflow.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        // Without rotation, each axis is inverted separately, which avoids the rounding of a determinant.
        let inverse = if self.b == 0.0 && self.d == 0.0 {
            Self { a: 1.0 / self.a, b: 0.0, c: -self.c / self.a, d: 0.0, e: 1.0 / self.e, f: -self.f / self.e }
        } else {
            let determinant = self.a * self.e - self.b * self.d;
            let (a, b) = (self.e / determinant, -self.b / determinant);
            let (d, e) = (-self.d / determinant, self.a / determinant);
            Self { a, b, c: -(a * self.c + b * self.f), d, e, f: -(d * self.c + e * self.f) }
        };
        inverse.to_array().iter().all(|number| number.is_finite()).then_some(inverse)
    }

    /// Width and height of a pixel.
    #[must_use]
    pub fn pixel_size(&self) -> (f64, f64) {
        (self.a.hypot(self.d), self.b.hypot(self.e))
    }

    /// Returns the transform of a window that starts at `(col_off, row_off)`.
    #[must_use]
    pub fn window(&self, col_off: u32, row_off: u32) -> Self {
        let (c, f) = self.forward(col_off.into(), row_off.into());
        Self { c, f, ..*self }
    }

    /// World bounds of an image, including all four corners if rotated.
    #[must_use]
    pub fn bounds(&self, width: u32, height: u32) -> BBox {
        self.bounds_of(BBox { xmin: 0.0, ymin: 0.0, xmax: width.into(), ymax: height.into() })
    }

    /// World bounds of a box of columns (x) and rows (y), including all four corners if rotated.
    #[must_use]
    #[inline]
    pub fn bounds_of(&self, pixels: BBox) -> BBox {
        let BBox { xmin: left, ymin: top, xmax: right, ymax: bottom } = pixels;
        let mut bounds = BBox::EMPTY;
        let mut extend = |col: f64, row: f64| {
            let (x, y) = self.forward(col, row);
            bounds.extend(x, y);
        };
        extend(left, top);
        extend(right, bottom);
        // Without rotation, two opposite corners suffice.
        if self.b != 0.0 || self.d != 0.0 {
            extend(right, top);
            extend(left, bottom);
        }
        bounds
    }
}

impl GeoTransform {
    /// Returns the transform of the GeoTIFF tags (OGC GeoTIFF 1.1, Annex B.6), as read by GDAL's GTiff driver.
    ///
    /// | scale | tiepoints | matrix | transform |
    /// |---|---|---|---|
    /// | two numbers, neither 0 | at least one | | scale and the first tiepoint; north is up regardless of the sign of y |
    /// | two numbers, neither 0 | none | | none |
    /// | absent, or one is 0 | | 16 numbers | the matrix |
    /// | absent, or one is 0 | any | absent | none: several tiepoints are ground control points |
    ///
    /// With `is_point` (GTRasterTypeGeoKey 2), tags refer to pixel centres, so corners are shifted by half a pixel.
    pub(crate) fn from_tags(
        scale: Option<&[f64]>,
        tiepoint: Option<&[f64]>,
        matrix: Option<&[f64]>,
        is_point: bool,
    ) -> Option<Self> {
        let mut transform = match (scale, tiepoint, matrix) {
            (Some([x, y, ..]), tiepoint, _) if *x != 0.0 && *y != 0.0 => {
                let Some([col, row, _, world_x, world_y, _, ..]) = tiepoint else {
                    return None;
                };
                let (a, e) = (*x, -y.abs());
                Self { a, b: 0.0, c: world_x - col * a, d: 0.0, e, f: world_y - row * e }
            }
            (_, _, Some([a, b, _, c, d, e, _, f, _, _, _, _, _, _, _, _])) => {
                Self::from_array([*a, *b, *c, *d, *e, *f])
            }
            _ => return None,
        };
        if is_point {
            transform.c -= transform.a * 0.5 + transform.b * 0.5;
            transform.f -= transform.d * 0.5 + transform.e * 0.5;
        }
        transform.to_array().iter().all(|number| number.is_finite()).then_some(transform)
    }
}

#[cfg(test)]
mod tests {
    use super::{BBox, GeoTransform};

    #[test]
    fn scale_and_tiepoint() {
        let of = |scale: &[f64], tiepoint: &[f64], is_point| {
            GeoTransform::from_tags(Some(scale), Some(tiepoint), None, is_point).map(GeoTransform::to_array)
        };
        let expected = Some([10.0, 0.0, 80.0, 0.0, -20.0, 260.0]);
        assert_eq!(of(&[10.0, 20.0, 0.0], &[2.0, 3.0, 0.0, 100.0, 200.0, 0.0], false), expected);
        assert_eq!(of(&[10.0, -20.0], &[2.0, 3.0, 0.0, 100.0, 200.0, 0.0], false), expected);
        assert_eq!(
            of(&[10.0, 20.0, 0.0], &[2.0, 3.0, 0.0, 100.0, 200.0, 0.0], true),
            Some([10.0, 0.0, 75.0, 0.0, -20.0, 270.0])
        );
        assert_eq!(of(&[10.0, 20.0], &[], false), None);
        assert_eq!(of(&[10.0, 0.0], &[0.0; 6], false), None);
        assert_eq!(of(&[f64::NAN, 1.0], &[0.0; 6], false), None);
    }

    #[test]
    fn a_matrix_is_used_without_a_valid_scale() {
        let mut matrix = [0.0; 16];
        (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]) = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
        let of = |scale, tiepoint, is_point| {
            GeoTransform::from_tags(scale, tiepoint, Some(&matrix), is_point).map(GeoTransform::to_array)
        };
        let expected = Some([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(None, None, false), expected);
        assert_eq!(of(Some(&[0.0, 0.0, 0.0]), Some(&[0.0; 12]), false), expected);
        assert_eq!(of(Some(&[1.0, 1.0, 0.0]), None, false), None);
        assert_eq!(of(None, None, true), Some([1.0, 2.0, 1.5, 4.0, 5.0, 1.5]));
        assert_eq!(GeoTransform::from_tags(None, None, Some(&matrix[..12]), false), None);
    }

    #[test]
    fn tiepoints_alone_are_ground_control_points() {
        for count in [6, 24] {
            assert_eq!(GeoTransform::from_tags(None, Some(&vec![1.0; count]), None, false), None);
        }
    }

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
            assert!((col - 3.25).abs() < 1e-9 && (row - 7.5).abs() < 1e-9, "{col} {row}");
        }
    }

    #[test]
    fn pixels_without_area_have_no_inverse() {
        for array in [[0.0; 6], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]] {
            assert_eq!(GeoTransform::from_array(array).inverse(), None);
        }
    }

    #[test]
    fn bounds_contain_all_corners_of_a_rotated_image() {
        let transform = GeoTransform::from_array([1.0, -1.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(transform.bounds(2, 3), BBox { xmin: -3.0, ymin: 0.0, xmax: 2.0, ymax: 5.0 });
    }
}
