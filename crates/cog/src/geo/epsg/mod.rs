//! EPSG codes used by GeoKeys: tables generated from the EPSG dataset by `make.py`, sorted by code.

/// A geographic or geocentric CRS, in degrees and metres except for its own unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geographic {
    pub(crate) code: u16,
    pub(crate) name: &'static str,
    pub(crate) datum_code: u16,
    pub(crate) datum: &'static str,
    pub(crate) ellipsoid_code: u16,
    pub(crate) ellipsoid: &'static str,
    pub(crate) semi_major: f64,
    /// 0 for a sphere.
    pub(crate) inverse_flattening: f64,
    pub(crate) prime_meridian: &'static str,
    pub(crate) longitude: f64,
    pub(crate) unit: &'static str,
    /// Size of the unit in radians.
    pub(crate) factor: f64,
    pub(crate) is_geocentric: bool,
    /// Whether the datum is dynamic or an ensemble. GDAL uses these as registered, regardless of other keys.
    pub(crate) is_dynamic: bool,
}

/// A projected CRS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Projected {
    pub(crate) geographic: u16,
    pub(crate) projection: u16,
    /// Unit code of both coordinates.
    pub(crate) unit: u16,
}

/// A projection with its parameters, in degrees and metres.
#[derive(Debug, PartialEq)]
pub(crate) struct Projection {
    pub(crate) name: &'static str,
    pub(crate) false_easting: f64,
    pub(crate) false_northing: f64,
    /// In the order of `projection::parameters`; None for unused parameters.
    pub(crate) parameters: Vec<Option<f64>>,
}

const GEOGRAPHIC: &str = include_str!("geographic.csv");
const PROJECTED: &str = include_str!("projected.csv");
const COMPOUND: &str = include_str!("compound.csv");
const PROJECTIONS: &str = include_str!("projections.csv");
const ELLIPSOIDS: &str = include_str!("ellipsoids.csv");
const PRIME_MERIDIANS: &str = include_str!("prime_meridians.csv");
const UNITS: &str = include_str!("units.csv");

/// Finds the fields of a code's row by binary search in the text.
fn row(table: &'static str, code: u16) -> Option<Vec<&'static str>> {
    let bytes = table.as_bytes();
    let line_end =
        |from: usize| from + bytes[from..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - from);
    // Two header lines.
    let mut low = line_end(line_end(0) + 1) + 1;
    let mut high = bytes.len();
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
        let end = line_end(start);
        let line = table.get(start..end)?;
        match line.split(';').next()?.parse::<u16>().ok()?.cmp(&code) {
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Equal => return Some(line.split(';').collect()),
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

fn read_geographic(fields: &[&'static str]) -> Option<Geographic> {
    let [
        code,
        name,
        datum_code,
        datum,
        ellipsoid_code,
        ellipsoid,
        a,
        f,
        prime_meridian,
        longitude,
        unit,
        factor,
        kind,
        dynamic,
    ] = *fields
    else {
        return None;
    };
    Some(Geographic {
        code: code.parse().ok()?,
        name,
        datum_code: datum_code.parse().ok()?,
        datum,
        ellipsoid_code: ellipsoid_code.parse().ok()?,
        ellipsoid,
        semi_major: a.parse().ok()?,
        inverse_flattening: f.parse().ok()?,
        prime_meridian,
        longitude: longitude.parse().ok()?,
        unit,
        factor: factor.parse().ok()?,
        is_geocentric: kind == "geocentric",
        is_dynamic: dynamic == "1",
    })
}

/// Returns the geographic or geocentric CRS of a code.
pub(crate) fn geographic(code: u16) -> Option<Geographic> {
    read_geographic(&row(GEOGRAPHIC, code)?)
}

/// Returns the first geographic CRS on a datum, for the datum's name and ellipsoid.
pub(crate) fn geographic_on(datum_code: u16) -> Option<Geographic> {
    let datum = datum_code.to_string();
    let fields = GEOGRAPHIC
        .lines()
        .skip(2)
        .find(|line| line.split(';').nth(2) == Some(datum.as_str()))?
        .split(';')
        .collect::<Vec<_>>();
    read_geographic(&fields)
}

/// Returns the projected CRS of a code.
pub(crate) fn projected(code: u16) -> Option<Projected> {
    match row(PROJECTED, code)?[..] {
        [_, geographic, projection, unit] => Some(Projected {
            geographic: geographic.parse().ok()?,
            projection: projection.parse().ok()?,
            unit: unit.parse().ok()?,
        }),
        _ => None,
    }
}

/// Returns the horizontal part of the compound CRS of a code.
pub(crate) fn horizontal(code: u16) -> Option<u16> {
    row(COMPOUND, code)?.get(1)?.parse().ok()
}

/// Returns name, semi-major axis in metres and inverse flattening (0 for a sphere) of an ellipsoid.
pub(crate) fn ellipsoid(code: u16) -> Option<(&'static str, f64, f64)> {
    match row(ELLIPSOIDS, code)?[..] {
        [_, name, a, f] => Some((name, a.parse().ok()?, f.parse().ok()?)),
        _ => None,
    }
}

/// Returns name and longitude from Greenwich, in degrees, of a prime meridian.
pub(crate) fn prime_meridian(code: u16) -> Option<(&'static str, f64)> {
    match row(PRIME_MERIDIANS, code)?[..] {
        [_, name, longitude] => Some((name, longitude.parse().ok()?)),
        _ => None,
    }
}

/// Returns name and size in metres or radians of a unit.
pub(crate) fn unit(code: u16) -> Option<(&'static str, f64)> {
    match row(UNITS, code)?[..] {
        [_, name, factor] => Some((name, factor.parse().ok()?)),
        _ => None,
    }
}

/// Returns the projection of a code, such as 16032 for UTM zone 32 north.
pub(crate) fn projection(code: u16) -> Option<Projection> {
    match row(PROJECTIONS, code)?[..] {
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
    use super::*;
    use crate::geo::projection::parameters;

    #[test]
    fn every_row_is_found_by_its_code() {
        let codes = |table: &'static str| -> Vec<u16> {
            let lines = table.lines().skip(2);
            lines.map(|line| line.split(';').next().unwrap().parse().unwrap()).collect()
        };
        assert!(codes(GEOGRAPHIC).into_iter().all(|code| geographic(code).is_some_and(|row| row.code == code)));
        assert!(codes(ELLIPSOIDS).into_iter().all(|code| ellipsoid(code).is_some()));
        assert!(codes(PRIME_MERIDIANS).into_iter().all(|code| prime_meridian(code).is_some()));
        assert!(codes(UNITS).into_iter().all(|code| unit(code).is_some()));
        for code in codes(PROJECTIONS) {
            let projection = projection(code).unwrap();
            assert_eq!(parameters(projection.name).len(), projection.parameters.len(), "{code}");
        }
        // The horizontal part of a compound CRS may be a derived CRS, which has no row.
        let is_known = |code| projected(code).is_some() || geographic(code).is_some();
        assert!(codes(COMPOUND).into_iter().filter(|code| !is_known(horizontal(*code).unwrap())).count() < 20);
        for code in codes(PROJECTED) {
            let projected = projected(code).unwrap();
            assert!(geographic(projected.geographic).is_some() || projected.geographic > 32766, "{code}");
            assert!(unit(projected.unit).is_some(), "{code}");
        }
        for table in [GEOGRAPHIC, PROJECTED, COMPOUND, PROJECTIONS, ELLIPSOIDS, PRIME_MERIDIANS, UNITS] {
            for absent in [0, 1, 32767, u16::MAX] {
                assert_eq!(row(table, absent), None);
            }
        }
    }

    #[test]
    fn lookups() {
        assert_eq!(geographic(4326).unwrap().datum, "WGS_1984");
        assert!(geographic(4326).unwrap().is_dynamic && !geographic(4269).unwrap().is_dynamic);
        assert!(geographic(4978).unwrap().is_geocentric);
        assert_eq!(geographic_on(6269).unwrap().code, 4269);
        assert_eq!(ellipsoid(7030), Some(("WGS 84", 6_378_137.0, 298.257_223_563)));
        assert_eq!(prime_meridian(8903), Some(("Paris", 2.337_229_17)));
        assert_eq!(unit(9001), Some(("metre", 1.0)));
        assert_eq!(projection(16113).unwrap().false_northing, 10_000_000.0);
        assert_eq!(projected(2225).unwrap(), Projected { geographic: 4269, projection: 15307, unit: 9003 });
        assert_eq!(horizontal(7415), Some(28992));
        assert_eq!(geographic(32767), None);
    }
}
