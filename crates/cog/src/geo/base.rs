//! The geographic CRS of GeoKeys, alone or as the base of a projected one.
//!
//! The code is given by GeodeticCRSGeoKey, or implied by ProjectedCRSGeoKey. As in libgeotiff, keys of the datum, the
//! ellipsoid, the prime meridian and the angular unit override the parts of the code.

use std::f64::consts::PI;

use super::citation::Parts;
use super::epsg::{self, Geographic};
use super::keys::{GeoKeys, USER_DEFINED, key};
use super::wkt::Node;

/// Radians per degree.
const DEGREE: f64 = PI / 180.0;

/// GDAL treats ellipsoids as spheres if their axes differ by less, in metres.
const SPHERE: f64 = 0.1;

/// The target of datum shifts.
const WGS_84_DATUM: u16 = 6326;
const NAD83_DATUM: u16 = 6269;

/// Reason for rejecting a CRS.
const CONTRADICTION: &str = "a datum that keys contradict";
const ODD_MERIDIAN: &str = "a prime meridian in another unit than degrees";

/// GDAL's default name and ellipsoid for files without one.
const NO_ELLIPSOID: &str = "unretrievable - using WGS84";

/// A geographic CRS.
#[derive(Debug)]
pub(super) struct Base {
    /// Definition of the code.
    known: Option<Geographic>,
    name: String,
    datum_code: u16,
    datum: String,
    ellipsoid: Ellipsoid,
    prime_meridian: String,
    /// Longitude of the prime meridian from Greenwich, in degrees.
    longitude: f64,
    unit: String,
    /// Size of the angular unit in degrees.
    degrees: f64,
    to_wgs84: Option<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Ellipsoid {
    name: String,
    code: u16,
    semi_major: f64,
    /// 0 for a sphere.
    inverse_flattening: f64,
}

impl Base {
    /// Returns the geographic CRS described by the keys; `implied` is that of the projected CRS's code.
    ///
    /// # Errors
    ///
    /// The reason why the keys do not describe one.
    pub(super) fn read(keys: &GeoKeys, implied: Option<u16>) -> Result<Self, &'static str> {
        let known = keys.short(key::GEODETIC_CRS).or(implied).and_then(epsg::geographic);
        // A name instead of a code may include the names of its parts.
        let citation = keys.text(key::GEODETIC_CITATION).filter(|_| known.is_none());
        let parts = Parts::parse(citation.as_deref().unwrap_or_default());
        let (datum_code, on_datum) = match (keys.short(key::GEODETIC_DATUM), &known) {
            (Some(code), _) => (code, epsg::geographic_on(code)),
            (None, Some(known)) => (known.datum_code, Some(known.clone())),
            (None, None) => (USER_DEFINED, None),
        };
        let datum = parts.datum.or(on_datum.as_ref().map(|on| on.datum)).unwrap_or("unknown");
        let name = known.as_ref().map(|known| known.name).or(parts.name);
        let (unit, degrees) = angular_unit(keys, known.as_ref(), &parts);
        let (prime_meridian, longitude) = prime_meridian(keys, known.as_ref(), &parts, degrees)?;
        let ellipsoid = Ellipsoid::read(keys, on_datum.as_ref(), &parts).ok_or("an ellipsoid of impossible size")?;
        let is_on_datum = on_datum.as_ref().is_some_and(|on| ellipsoid.is_close(on.semi_major, on.inverse_flattening));
        if known.is_none() && on_datum.is_some() && !is_on_datum {
            return Err(CONTRADICTION);
        }
        // GDAL reads different datums for these, and WKT readers go by the name of the datum.
        let is_own_unit = known.as_ref().is_some_and(|known| is_close(degrees, degrees_of(known.factor)));
        if longitude != 0.0 && !is_own_unit && !is_close(degrees, 1.0) {
            return Err(ODD_MERIDIAN);
        }
        if parts.datum.is_some() && (longitude != 0.0 || ellipsoid.name == NO_ELLIPSOID) {
            return Err(CONTRADICTION);
        }
        let shift = keys.doubles(key::TO_WGS84).filter(|shift| matches!(shift.len(), 3 | 7));
        // The shifts of registered datums are known.
        let to_wgs84 = shift.filter(|shift| on_datum.is_none() && shift.iter().all(|number| number.is_finite()));
        Ok(Self {
            name: name.or(parts.datum).unwrap_or("unknown").to_owned(),
            datum_code: if is_on_datum { datum_code } else { 0 },
            datum: datum.to_owned(),
            ellipsoid,
            prime_meridian,
            longitude,
            unit,
            degrees,
            to_wgs84: to_wgs84.map(<[f64]>::to_vec),
            known,
        })
    }

    /// The code that is equivalent to the definition.
    pub(super) fn code(&self) -> Option<u16> {
        let known = self.known.as_ref()?;
        let is_same_unit = is_close(self.degrees, degrees_of(known.factor));
        (self.is_datum_known() && is_same_unit).then_some(known.code)
    }

    /// Whether datum, ellipsoid and prime meridian are those of the code.
    fn is_datum_known(&self) -> bool {
        self.known.as_ref().is_some_and(|known| {
            self.datum_code == known.datum_code
                && self.ellipsoid.is_close(known.semi_major, known.inverse_flattening)
                && (self.longitude - known.longitude).abs() < 1e-9
        })
    }

    /// Size of the angular unit in degrees, which also applies to projection parameters.
    pub(super) fn degrees(&self) -> f64 {
        self.degrees
    }

    /// WKT 1 of the CRS, without a code, which readers would prefer over the definition.
    ///
    /// # Errors
    ///
    /// The reason why there is none: readers take the datum shift from the code, which does not apply if other parts
    /// differ.
    pub(super) fn wkt(&self) -> Result<Node, &'static str> {
        if self.known.is_some() && !self.is_datum_known() {
            return Err(CONTRADICTION);
        }
        let is_degrees = is_close(self.degrees, 1.0);
        let is_units_code = self.known.as_ref().is_none_or(|known| is_close(self.degrees, degrees_of(known.factor)));
        let is_unshifted = [0, WGS_84_DATUM].contains(&self.datum_code);
        let is_radians = self.degrees > 1.0 && !is_degrees;
        if !(is_unshifted || is_units_code && is_degrees) || is_radians {
            return Err("degrees of a datum in another unit");
        }
        Ok(self.node(&self.unit, self.degrees))
    }

    /// WKT 1 as the base of a projected CRS, whose parameters are in degrees regardless of the unit of the keys.
    ///
    /// # Errors
    ///
    /// The reason why there is none, as for [`Base::wkt`].
    pub(super) fn wkt_below(&self) -> Result<Node, &'static str> {
        let is_shifted = |known: &Geographic| known.datum_code != WGS_84_DATUM && known.datum_code != NAD83_DATUM;
        if self.known.as_ref().is_some_and(|known| known.is_geocentric) {
            return Err("geocentric coordinates below a projection");
        }
        if self.known.as_ref().is_some_and(is_shifted) && !self.is_datum_known() {
            return Err(CONTRADICTION);
        }
        let code = self.known.as_ref().filter(|_| self.is_datum_known()).map_or(0, |known| known.code);
        Ok(self.node("degree", 1.0).authority(u32::from(code)))
    }

    /// WKT 1 of a geocentric CRS.
    pub(super) fn wkt_geocentric(&self) -> Node {
        Node::new("GEOCCS").text(&self.name).child(self.datum()).child(self.meridian(1.0)).child(unit("metre", 1.0))
    }

    fn node(&self, name: &str, degrees: f64) -> Node {
        let factor = if is_close(degrees, 1.0) { DEGREE } else { degrees * DEGREE };
        Node::new("GEOGCS").text(&self.name).child(self.datum()).child(self.meridian(degrees)).child(unit(name, factor))
    }

    fn meridian(&self, degrees: f64) -> Node {
        Node::new("PRIMEM").text(&self.prime_meridian).number(self.longitude / degrees)
    }

    fn datum(&self) -> Node {
        let Ellipsoid { name, code, semi_major, inverse_flattening } = &self.ellipsoid;
        let spheroid = Node::new("SPHEROID").text(name).number(*semi_major).number(*inverse_flattening);
        let mut datum = Node::new("DATUM").text(&self.datum).child(spheroid.authority(u32::from(*code)));
        // Three or seven parameters of a Helmert transformation, as in WKT 1.
        if let Some(shift) = &self.to_wgs84 {
            let padded = shift.iter().copied().chain(std::iter::repeat(0.0)).take(7);
            datum = datum.child(padded.fold(Node::new("TOWGS84"), Node::number));
        }
        datum.authority(u32::from(self.datum_code))
    }
}

fn unit(name: &str, factor: f64) -> Node {
    Node::new("UNIT").text(name).number(factor)
}

impl Ellipsoid {
    /// The ellipsoid of the datum, unless overridden by keys.
    fn read(keys: &GeoKeys, on_datum: Option<&Geographic>, parts: &Parts<'_>) -> Option<Self> {
        let (name, code, a, inverse) = match (keys.short(key::ELLIPSOID), on_datum) {
            (Some(code), _) => {
                epsg::ellipsoid(code).map_or(("", 0, 0.0, 0.0), |(name, a, inverse)| (name, code, a, inverse))
            }
            (None, Some(on)) => (on.ellipsoid, on.ellipsoid_code, on.semi_major, on.inverse_flattening),
            (None, None) => ("", 0, 0.0, 0.0),
        };
        let b = if inverse == 0.0 { a } else { a * (1.0 - 1.0 / inverse) };
        // Axes are in metres, regardless of GeogLinearUnitsGeoKey.
        let semi_major = keys.double(key::SEMI_MAJOR_AXIS).unwrap_or(a);
        let semi_minor = match keys.double(key::INVERSE_FLATTENING) {
            Some(0.0) => semi_major,
            Some(inverse) => semi_major * (1.0 - 1.0 / inverse),
            None => keys.double(key::SEMI_MINOR_AXIS).unwrap_or(b),
        };
        if semi_major == 0.0 {
            let name = NO_ELLIPSOID.to_owned();
            return Some(Self { name, code: 0, semi_major: 6_378_137.0, inverse_flattening: 298.257_223_563 });
        }
        if semi_major < 0.0 || semi_minor > semi_major + SPHERE {
            return None;
        }
        let inverse_flattening = match keys.double(key::INVERSE_FLATTENING) {
            _ if (semi_major - semi_minor).abs() < SPHERE || semi_minor <= 0.0 => 0.0,
            Some(given) => given,
            None => semi_major / (semi_major - semi_minor),
        };
        if is_close(semi_major, a) && is_close(inverse_flattening, inverse) {
            return Some(Self { name: name.to_owned(), code, semi_major: a, inverse_flattening: inverse });
        }
        let name = parts.ellipsoid.unwrap_or("unknown").to_owned();
        Some(Self { name, code: 0, semi_major, inverse_flattening })
    }

    fn is_close(&self, semi_major: f64, inverse_flattening: f64) -> bool {
        is_close(self.semi_major, semi_major) && is_close(self.inverse_flattening, inverse_flattening)
    }
}

/// Equal except for omitted digits.
fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Converts radians to degrees. WKT rounds them.
fn degrees_of(radians: f64) -> f64 {
    let degrees = radians / DEGREE;
    [1.0, 0.9].into_iter().find(|exact| is_close(*exact, degrees)).unwrap_or(degrees)
}

/// Name and size in degrees of the angular unit.
fn angular_unit(keys: &GeoKeys, known: Option<&Geographic>, parts: &Parts<'_>) -> (String, f64) {
    if let Some(name) = parts.unit {
        let size = keys.double(key::ANGULAR_UNIT_SIZE).filter(|size| *size > 0.0);
        let degrees = match name.to_ascii_lowercase().as_str() {
            "degree" => Some(1.0),
            "grad" => Some(0.9),
            _ => size.map(degrees_of),
        };
        if let Some(degrees) = degrees {
            return (name.to_owned(), degrees);
        }
    }
    let unit = match (keys.short(key::ANGULAR_UNITS), known) {
        // Sexagesimal notations of degrees are decimal in GeoTIFF. GDAL also ignores units that are only described by a
        // size.
        (Some(9102 | 9107 | 9108 | 9110 | 9111 | 9115..=9122 | USER_DEFINED), _) => None,
        (Some(code), _) => epsg::unit(code),
        (None, Some(known)) => Some((known.unit, known.factor)),
        (None, None) => None,
    };
    let (name, radians) = unit.unwrap_or(("degree", DEGREE));
    (name.to_owned(), degrees_of(radians))
}

/// Name and longitude in degrees of the prime meridian. GDAL misreads longitudes in other units than degrees.
fn prime_meridian(
    keys: &GeoKeys,
    known: Option<&Geographic>,
    parts: &Parts<'_>,
    degrees: f64,
) -> Result<(String, f64), &'static str> {
    let greenwich = || ("Greenwich".to_owned(), 0.0);
    Ok(match (keys.short(key::PRIME_MERIDIAN), known) {
        (Some(USER_DEFINED), _) | (None, None) => {
            let Some(longitude) = keys.double(key::PRIME_MERIDIAN_LONGITUDE).filter(|longitude| *longitude != 0.0)
            else {
                return Ok(greenwich());
            };
            if !is_close(degrees, 1.0) {
                return Err(ODD_MERIDIAN);
            }
            let longitude = if keys.short(key::ANGULAR_UNITS) == Some(SEXAGESIMAL) {
                from_sexagesimal(longitude)
            } else {
                longitude
            };
            (parts.prime_meridian.unwrap_or("unknown").to_owned(), longitude)
        }
        (Some(code), _) => {
            epsg::prime_meridian(code).map_or_else(greenwich, |(name, longitude)| (name.to_owned(), longitude))
        }
        (None, Some(known)) => (known.prime_meridian.to_owned(), known.longitude),
    })
}

/// The angular unit `DDD.MMSSsss`.
const SEXAGESIMAL: u16 = 9110;

/// Converts `DDD.MMSSsss` to degrees.
fn from_sexagesimal(angle: f64) -> f64 {
    // Seven decimals, as in libgeotiff.
    let digits = (angle.abs() * 1e7).round();
    let (degrees, rest) = ((digits / 1e7).floor(), digits % 1e7);
    let (minutes, seconds) = ((rest / 1e5).floor(), rest % 1e5 / 1e3);
    (degrees + minutes / 60.0 + seconds / 3600.0).copysign(angle)
}

#[cfg(test)]
mod tests {
    use super::from_sexagesimal;

    #[test]
    fn sexagesimal_degrees() {
        assert!((from_sexagesimal(2.3) - 2.5).abs() < 1e-12);
        assert!((from_sexagesimal(-17.4) + 17.0 - -40.0 / 60.0).abs() < 1e-12);
        assert!((from_sexagesimal(106.482_779) - 106.807_719_444_444).abs() < 1e-9);
    }
}
