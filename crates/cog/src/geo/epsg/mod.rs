//! What EPSG codes inside a user-defined CRS stand for: tables made by `make.py` from the EPSG dataset.
//!
//! Rows are looked up by scanning text: a file needs a handful, and only where its CRS as a whole has no code.

/// A geographic CRS, in degrees and metres but for its own unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geographic {
    /// 0 for one that no code names.
    pub(crate) code: u32,
    pub(crate) name: String,
    pub(crate) datum_code: u32,
    pub(crate) datum: String,
    pub(crate) ellipsoid_code: u32,
    pub(crate) ellipsoid: String,
    pub(crate) semi_major: f64,
    /// 0 for a sphere.
    pub(crate) inverse_flattening: f64,
    pub(crate) prime_meridian: String,
    pub(crate) longitude: f64,
    pub(crate) unit: String,
    /// Radians of the unit.
    pub(crate) factor: f64,
}

/// A projection with its parameters, in degrees and metres.
#[derive(Debug, PartialEq)]
pub(crate) struct Projection {
    pub(crate) name: &'static str,
    pub(crate) false_easting: f64,
    pub(crate) false_northing: f64,
    /// In the order of [`crate::geo::projection::parameters`]; None for one that the method does without.
    pub(crate) parameters: Vec<Option<f64>>,
}

/// The fields of the first row whose column has this value.
fn row(table: &'static str, column: usize, value: &str) -> Option<Vec<&'static str>> {
    table
        .lines()
        .skip(2)
        .map(|line| line.split(';').collect::<Vec<_>>())
        .find(|fields| fields.get(column) == Some(&value))
}

fn geographic_where(column: usize, value: &str) -> Option<Geographic> {
    match row(include_str!("geographic.csv"), column, value)?[..] {
        [code, name, datum_code, datum, ellipsoid_code, ellipsoid, a, f, prime_meridian, longitude, unit, factor] => {
            Some(Geographic {
                code: code.parse().ok()?,
                name: name.to_owned(),
                datum_code: datum_code.parse().ok()?,
                datum: datum.to_owned(),
                ellipsoid_code: ellipsoid_code.parse().ok()?,
                ellipsoid: ellipsoid.to_owned(),
                semi_major: a.parse().ok()?,
                inverse_flattening: f.parse().ok()?,
                prime_meridian: prime_meridian.to_owned(),
                longitude: longitude.parse().ok()?,
                unit: unit.to_owned(),
                factor: factor.parse().ok()?,
            })
        }
        _ => None,
    }
}

/// The geographic CRS of a code.
pub(crate) fn geographic(code: u16) -> Option<Geographic> {
    geographic_where(0, &code.to_string())
}

/// The geographic CRS of a name, such as `WGS 84`.
pub(crate) fn geographic_named(name: &str) -> Option<Geographic> {
    geographic_where(1, name)
}

/// The first geographic CRS on a datum.
pub(crate) fn geographic_on(datum_code: u16) -> Option<Geographic> {
    geographic_where(2, &datum_code.to_string())
}

/// Name, semi-major axis in metres and inverse flattening (0 for a sphere) of an ellipsoid.
pub(crate) fn ellipsoid(code: u16) -> Option<(&'static str, f64, f64)> {
    match row(include_str!("ellipsoids.csv"), 0, &code.to_string())?[..] {
        [_, name, a, f] => Some((name, a.parse().ok()?, f.parse().ok()?)),
        _ => None,
    }
}

/// Name and longitude from Greenwich, in degrees, of a prime meridian.
pub(crate) fn prime_meridian(code: u16) -> Option<(&'static str, f64)> {
    match row(include_str!("prime_meridians.csv"), 0, &code.to_string())?[..] {
        [_, name, longitude] => Some((name, longitude.parse().ok()?)),
        _ => None,
    }
}

/// Name and metres or radians of a unit.
pub(crate) fn unit(code: u16) -> Option<(&'static str, f64)> {
    match row(include_str!("units.csv"), 0, &code.to_string())?[..] {
        [_, name, factor] => Some((name, factor.parse().ok()?)),
        _ => None,
    }
}

/// The projection of a code, such as 16032 for UTM zone 32 north.
pub(crate) fn projection(code: u16) -> Option<Projection> {
    match row(include_str!("projections.csv"), 0, &code.to_string())?[..] {
        [_, name, easting, northing, ref parameters @ ..] => Some(Projection {
            name,
            false_easting: easting.parse().ok()?,
            false_northing: northing.parse().ok()?,
            parameters: parameters.iter().map(|number| number.parse().ok()).collect(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ellipsoid, geographic, geographic_named, geographic_on, prime_meridian, projection, unit};
    use crate::geo::projection::parameters;

    #[test]
    fn every_row_can_be_read() {
        let codes = |table: &'static str| -> Vec<u16> {
            let lines = table.lines().skip(2);
            lines.map(|line| line.split(';').next().unwrap().parse().unwrap()).collect()
        };
        assert!(codes(include_str!("geographic.csv")).into_iter().all(|code| geographic(code).is_some()));
        assert!(codes(include_str!("ellipsoids.csv")).into_iter().all(|code| ellipsoid(code).is_some()));
        assert!(codes(include_str!("prime_meridians.csv")).into_iter().all(|code| prime_meridian(code).is_some()));
        assert!(codes(include_str!("units.csv")).into_iter().all(|code| unit(code).is_some()));
        for code in codes(include_str!("projections.csv")) {
            let projection = projection(code).unwrap();
            assert_eq!(parameters(projection.name).len(), projection.parameters.len(), "{code}");
        }
    }

    #[test]
    fn lookups() {
        assert_eq!(geographic(4326).unwrap().datum, "WGS_1984");
        assert_eq!(geographic_named("WGS 84").unwrap().code, 4326);
        assert_eq!(geographic_on(6269).unwrap().code, 4269);
        assert_eq!(ellipsoid(7030), Some(("WGS 84", 6_378_137.0, 298.257_223_563)));
        assert_eq!(prime_meridian(8903), Some(("Paris", 2.337_229_17)));
        assert_eq!(unit(9001), Some(("metre", 1.0)));
        assert_eq!(projection(16113).unwrap().false_northing, 10_000_000.0);
        assert_eq!(geographic(32767), None);
    }
}
