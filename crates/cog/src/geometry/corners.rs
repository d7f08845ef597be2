//! Bounding boxes as geometries: `bbox` of an index or of STAC, and bounds of rasters.
//!
//! | box | geometry |
//! |---|---|
//! | `xmin < xmax`, `ymin < ymax` | a polygon of four edges |
//! | one side of length 0 | a line; if both, a point |
//! | `xmin > xmax` in longitudes | crosses the antimeridian: from `xmin` to `xmax + 360` (RFC 7946, section 5.2) |
//! | `xmin > xmax` elsewhere, `ymin > ymax` | an error |

use std::hash::{Hash, Hasher};

use geo_types::{Coord, LineString, Polygon};

use super::flat::{Geometry, invalid};
use crate::{Error, Result, crs};

/// An unchecked box. Equality and hashes are bitwise, so that it can be a key.
#[derive(Debug, Clone, Copy)]
pub struct Corners {
    /// Minimum x; greater than `xmax` in a box across the antimeridian.
    pub xmin: f64,
    /// Minimum y.
    pub ymin: f64,
    /// Maximum x.
    pub xmax: f64,
    /// Maximum y.
    pub ymax: f64,
}

/// A box that crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Crossing {
    xmin: f64,
    xmax: f64,
}

impl Corners {
    /// The numbers in the order of GeoJSON's `bbox`.
    #[must_use]
    pub fn to_array(self) -> [f64; 4] {
        [self.xmin, self.ymin, self.xmax, self.ymax]
    }

    fn bits(self) -> [u64; 4] {
        self.to_array().map(f64::to_bits)
    }

    /// Adds the box to an empty geometry; `ring` is a reusable buffer. Returns the box if it crosses the antimeridian.
    pub(super) fn add_to(self, geometry: &mut Geometry, mut ring: Vec<Coord<f64>>) -> Result<Option<Crossing>> {
        let Self { xmin, ymin, xmax, ymax } = self;
        if !self.to_array().iter().all(|number| number.is_finite()) {
            return Err(invalid(format!("box: expected finite numbers, found [{xmin}, {ymin}, {xmax}, {ymax}]")));
        }
        if ymin > ymax {
            return Err(invalid(format!("box: expected ymin <= ymax, found ymin {ymin} and ymax {ymax}")));
        }
        let crossing = (xmin > xmax).then_some(Crossing { xmin, xmax });
        let right = if crossing.is_some() { xmax + 360.0 } else { xmax };
        if xmin > right {
            return Err(Crossing { xmin, xmax }.fault());
        }
        let (low, high) = (Coord { x: xmin, y: ymin }, Coord { x: right, y: ymax });
        match (low.x < high.x, low.y < high.y) {
            (true, true) => {
                ring.extend([low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }, low]);
                geometry.polygons.push(Polygon::new(LineString(ring), Vec::new()));
            }
            (false, false) => geometry.points.push(low),
            _ => geometry.lines.push(LineString(vec![low, high])),
        }
        Ok(crossing)
    }
}

impl PartialEq for Corners {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Corners {}

impl Hash for Corners {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl Crossing {
    /// Whether coordinates of a CRS can cross the antimeridian.
    pub(super) fn check(self, crs: &str) -> Result<()> {
        // Native coordinates do not wrap around.
        if !crs.trim().eq_ignore_ascii_case(crs::NATIVE) && crs::is_in_degrees(crs)? {
            return Ok(());
        }
        Err(self.fault())
    }

    fn fault(self) -> Error {
        let Self { xmin, xmax } = self;
        invalid(format!(
            "box: expected xmin <= xmax, unless a box in longitudes crosses the antimeridian, found xmin {xmin} and xmax {xmax}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Corners;
    use crate::geometry::{EncodedGeometry, ParsedGeometry};

    fn parse([xmin, ymin, xmax, ymax]: [f64; 4]) -> Result<ParsedGeometry, String> {
        EncodedGeometry::Box(Corners { xmin, ymin, xmax, ymax }).parse().map_err(|error| error.to_string())
    }

    fn wkt(text: &str) -> crate::Geometry {
        ParsedGeometry::from_text(text).unwrap().geometry
    }

    #[test]
    fn boxes_are_polygons_lines_and_points() {
        let expected = wkt("POLYGON((1 2, 3 2, 3 4, 1 4, 1 2))");
        assert_eq!(parse([1.0, 2.0, 3.0, 4.0]).unwrap().geometry, expected);
        assert_eq!(parse([1.0, 2.0, 1.0, 4.0]).unwrap().geometry, wkt("LINESTRING(1 2, 1 4)"));
        assert_eq!(parse([1.0, 2.0, 3.0, 2.0]).unwrap().geometry, wkt("LINESTRING(1 2, 3 2)"));
        assert_eq!(parse([1.0, 2.0, 1.0, 2.0]).unwrap().geometry, wkt("POINT(1 2)"));
    }

    #[test]
    fn boxes_in_longitudes_may_cross_the_antimeridian() {
        let parsed = parse([170.0, -10.0, -170.0, 10.0]).unwrap();
        assert_eq!(parsed.geometry, wkt("POLYGON((170 -10, 190 -10, 190 10, 170 10, 170 -10))"));
        for crs in ["OGC:CRS84", "EPSG:4326", "EPSG:4258"] {
            assert_eq!(parsed.check_crs(crs), Ok(()), "{crs}");
        }
        for crs in ["native", "EPSG:32631", "EPSG:3857"] {
            let error = parsed.check_crs(crs).unwrap_err().to_string();
            assert!(error.ends_with("found xmin 170 and xmax -170"), "{error}");
        }
        assert!(parsed.check_crs("nonsense").is_err());
        assert_eq!(parse([1.0, 2.0, 3.0, 4.0]).unwrap().check_crs("EPSG:3857"), Ok(()));
    }

    #[test]
    fn invalid_boxes_are_rejected() {
        for (corners, words) in [
            ([f64::NAN, 0.0, 1.0, 1.0], "expected finite numbers"),
            ([0.0, 0.0, f64::INFINITY, 1.0], "expected finite numbers"),
            ([0.0, 2.0, 1.0, 1.0], "expected ymin <= ymax, found ymin 2 and ymax 1"),
            ([500_000.0, 0.0, 1.0, 1.0], "found xmin 500000 and xmax 1"),
        ] {
            let error = parse(corners).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_reused_reader_does_not_keep_the_box() {
        let mut parsed = parse([170.0, -10.0, -170.0, 10.0]).unwrap();
        EncodedGeometry::Text("POINT(1 2)").parse_into(&mut parsed).unwrap();
        assert_eq!(parsed, ParsedGeometry::from_text("POINT(1 2)").unwrap());
        let corners = Corners { xmin: 0.0, ymin: 0.0, xmax: 1.0, ymax: 1.0 };
        EncodedGeometry::Box(corners).parse_into(&mut parsed).unwrap();
        assert_eq!(parsed.geometry, wkt("POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))"));
        assert_eq!(parsed.check_crs("native"), Ok(()));
    }
}
