//! The CRS that GeoKeys name or define (OGC GeoTIFF 1.1, section 7.4).
//!
//! A file names its CRS by a code: ProjectedCRSGeoKey, else GeodeticCRSGeoKey. Where that is 32767, "user-defined", the CRS is
//! spelled out by other keys, and is given as WKT 1 here, in GDAL's names:
//!
//! | keys | WKT 1 |
//! |---|---|
//! | a citation `ESRI PE String = …` | what follows |
//! | a projection, by code or method and parameters | `PROJCS` on the `GEOGCS` below |
//! | GTModelTypeGeoKey 2 | `GEOGCS`: by code, datum or name from the EPSG dataset, else from ellipsoid and prime meridian keys |
//! | all others | `LOCAL_CS`: a name and a unit, as GDAL has it |
//!
//! Vertical keys are left aside.

use std::f64::consts::PI;

use super::Crs;
use super::epsg::{self, Geographic};
use super::keys::{GeoKeys, USER_DEFINED, key};
use super::projection::{self, Method, parameters};
use super::wkt::Node;

/// GTModelTypeGeoKey of projected and geographic coordinates.
const PROJECTED: u16 = 1;
const GEOGRAPHIC: u16 = 2;

const DEGREE: f64 = PI / 180.0;

/// `EPSG:n` where the keys name a code, else WKT of what they define; None without keys.
pub(crate) fn crs(keys: &GeoKeys) -> Option<Crs> {
    if let Some(code) = keys.code(key::PROJECTED_CRS) {
        return Some(Crs::Epsg(u32::from(code)));
    }
    let is_user_projected = keys.short(key::PROJECTED_CRS) == Some(USER_DEFINED);
    if !is_user_projected && let Some(code) = keys.code(key::GEODETIC_CRS) {
        return Some(Crs::Epsg(u32::from(code)));
    }
    if keys.is_empty() {
        return None;
    }
    if let Some(wkt) = esri_citation(keys) {
        return Some(Crs::Wkt(wkt));
    }
    let wkt = match keys.short(key::MODEL_TYPE) {
        Some(GEOGRAPHIC) => geographic(keys).1,
        Some(PROJECTED) => projected(keys),
        // Files that forget the model type but define a projected CRS exist.
        _ if is_user_projected && keys.has(key::PROJECTION_METHOD) => projected(keys),
        _ => local(keys),
    };
    Some(Crs::Wkt(wkt.to_string()))
}

/// The WKT that Esri's and GDAL's writers put into a citation when no GeoKeys can say it.
fn esri_citation(keys: &GeoKeys) -> Option<String> {
    [key::PROJECTED_CITATION, key::CITATION, key::GEODETIC_CITATION]
        .into_iter()
        .filter_map(|citation| keys.text(citation))
        .find_map(|text| {
            let (_, wkt) = text.split_once("ESRI PE String = ")?;
            Some(wkt.trim().to_owned())
        })
        .filter(|wkt| !wkt.is_empty())
}

/// A name and a unit.
fn local(keys: &GeoKeys) -> Node {
    let name = citation(keys, &[key::PROJECTED_CITATION, key::CITATION, key::GEODETIC_CITATION]);
    Node::new("LOCAL_CS").text(name.as_deref().unwrap_or("unnamed")).child(linear_unit(keys).1)
}

/// The projected CRS; a local one where no projection is defined.
fn projected(keys: &GeoKeys) -> Node {
    let (base, base_wkt) = geographic(keys);
    let (linear, linear_wkt) = linear_unit(keys);
    let Some(method) = method(keys, &base, linear) else {
        return local(keys);
    };
    let name = citation(keys, &[key::PROJECTED_CITATION, key::CITATION]);
    let mut node = Node::new("PROJCS")
        .text(name.as_deref().unwrap_or("unnamed"))
        .child(base_wkt)
        .child(Node::new("PROJECTION").text(method.name));
    for (name, value) in method.parameters {
        node = node.child(Node::new("PARAMETER").text(name).number(value));
    }
    node.child(linear_wkt)
}

/// The projection by method or by code, with angles in the base CRS's unit and lengths in the linear one.
fn method(keys: &GeoKeys, base: &Geographic, linear: f64) -> Option<Method> {
    let is_angle = |name: &str| !["scale_factor", "false_easting", "false_northing"].contains(&name);
    if let Some(mut method) = projection::from_keys(keys) {
        // Parameters stand in the file's unit, which may differ from that of a base CRS given by code.
        let scale = angular_unit(keys).map_or(1.0, |(_, unit)| unit / base.factor);
        if (scale - 1.0).abs() > 1e-9 {
            for (name, value) in &mut method.parameters {
                if is_angle(name) {
                    *value *= scale;
                }
            }
        }
        return Some(method);
    }
    let projection = epsg::projection(keys.code(key::PROJECTION)?)?;
    let to_base = if (base.factor / DEGREE - 1.0).abs() > 1e-9 { DEGREE / base.factor } else { 1.0 };
    let mut values: Vec<_> = parameters(projection.name)
        .iter()
        .zip(&projection.parameters)
        .filter_map(|(name, value)| {
            let value = (*value)?;
            Some((*name, if is_angle(name) { value * to_base } else { value }))
        })
        .collect();
    values.push(("false_easting", projection.false_easting / linear));
    values.push(("false_northing", projection.false_northing / linear));
    Some(Method { name: projection.name, parameters: values })
}

/// The geographic CRS, and its WKT.
fn geographic(keys: &GeoKeys) -> (Geographic, Node) {
    let citation = keys.text(key::GEODETIC_CITATION);
    let parts = Citation::parse(citation.as_deref().unwrap_or_default());
    let known = keys
        .code(key::GEODETIC_CRS)
        .and_then(epsg::geographic)
        .or_else(|| keys.code(key::GEODETIC_DATUM).and_then(epsg::geographic_on))
        .or_else(|| epsg::geographic_named(parts.name?).filter(|_| parts.datum.is_none()));
    let mut base = known.clone().unwrap_or_else(|| Geographic {
        code: 0,
        name: parts.name.unwrap_or("unknown").to_owned(),
        datum_code: 0,
        datum: parts.datum.unwrap_or("unknown").to_owned(),
        ellipsoid_code: 0,
        // GDAL's words and choice where a file says nothing of the ellipsoid.
        ellipsoid: "unretrievable - using WGS84".to_owned(),
        semi_major: 6_378_137.0,
        inverse_flattening: 298.257_223_563,
        prime_meridian: "Greenwich".to_owned(),
        longitude: 0.0,
        unit: "degree".to_owned(),
        factor: DEGREE,
    });
    if let Some((name, semi_major, inverse_flattening)) = ellipsoid(keys) {
        let is_same = is_close(semi_major, base.semi_major) && is_close(inverse_flattening, base.inverse_flattening);
        if known.is_none() || !is_same {
            // Another ellipsoid than the code's is another datum: codes would say otherwise to whoever trusts them.
            base.code = 0;
            base.datum_code = 0;
            base.ellipsoid_code = match name {
                Some(_) => keys.code(key::ELLIPSOID).map_or(0, u32::from),
                None => 0,
            };
            base.ellipsoid = name.or(parts.ellipsoid).unwrap_or("unknown").to_owned();
            base.semi_major = semi_major;
            base.inverse_flattening = inverse_flattening;
        }
    }
    if known.is_none() {
        if let Some((unit, factor)) = angular_unit(keys) {
            base.unit = unit.to_owned();
            base.factor = factor;
        }
        if let Some((name, longitude)) = keys.code(key::PRIME_MERIDIAN).and_then(epsg::prime_meridian) {
            base.prime_meridian = name.to_owned();
            base.longitude = longitude;
        } else if let Some(longitude) = keys.double(key::PRIME_MERIDIAN_LONGITUDE) {
            base.prime_meridian = parts.prime_meridian.unwrap_or("unknown").to_owned();
            base.longitude = longitude * base.factor / DEGREE;
        }
    }
    let wkt = geographic_wkt(&base, keys.doubles(key::TO_WGS84));
    (base, wkt)
}

fn geographic_wkt(base: &Geographic, to_wgs84: Option<&[f64]>) -> Node {
    let spheroid = Node::new("SPHEROID")
        .text(&base.ellipsoid)
        .number(base.semi_major)
        .number(base.inverse_flattening)
        .authority(base.ellipsoid_code);
    let mut datum = Node::new("DATUM").text(&base.datum).child(spheroid);
    // Three shifts, or those with rotations and scale: a Helmert transformation as in WKT 1.
    if let Some(shift @ ([_, _, _] | [_, _, _, _, _, _, _])) = to_wgs84
        && shift.iter().all(|number| number.is_finite())
    {
        let padded = shift.iter().copied().chain(std::iter::repeat(0.0)).take(7);
        datum = datum.child(padded.fold(Node::new("TOWGS84"), Node::number));
    }
    Node::new("GEOGCS")
        .text(&base.name)
        .child(datum.authority(base.datum_code))
        .child(Node::new("PRIMEM").text(&base.prime_meridian).number(base.longitude))
        .child(Node::new("UNIT").text(&base.unit).number(base.factor))
        .authority(base.code)
}

/// Name if any, semi-major axis in metres and inverse flattening of the ellipsoid that keys define; 0 for a sphere.
fn ellipsoid(keys: &GeoKeys) -> Option<(Option<&'static str>, f64, f64)> {
    let known = keys.code(key::ELLIPSOID).and_then(epsg::ellipsoid);
    let unit = match keys.code(key::GEOG_LINEAR_UNITS) {
        Some(code) => epsg::unit(code).map(|(_, factor)| factor),
        None => keys.double(key::GEOG_LINEAR_UNIT_SIZE),
    };
    let Some(semi_major) = keys.double(key::SEMI_MAJOR_AXIS).filter(|axis| *axis > 0.0) else {
        return known.map(|(name, a, f)| (Some(name), a, f));
    };
    let semi_major = semi_major * unit.unwrap_or(1.0);
    let inverse_flattening = match (keys.double(key::INVERSE_FLATTENING), keys.double(key::SEMI_MINOR_AXIS)) {
        (Some(inverse), _) => inverse,
        (None, Some(minor)) if minor > 0.0 => {
            let minor = minor * unit.unwrap_or(1.0);
            if semi_major == minor { 0.0 } else { semi_major / (semi_major - minor) }
        }
        _ => known.map_or(0.0, |(_, _, f)| f),
    };
    let name =
        known.filter(|(_, a, f)| is_close(*a, semi_major) && is_close(*f, inverse_flattening)).map(|(name, _, _)| name);
    Some((name, semi_major, inverse_flattening))
}

/// Equal but for the digits that writers leave out.
fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Name and radians of the unit of angles, where keys give one.
fn angular_unit(keys: &GeoKeys) -> Option<(&'static str, f64)> {
    match keys.short(key::ANGULAR_UNITS)? {
        USER_DEFINED => Some(("unknown", keys.double(key::ANGULAR_UNIT_SIZE)?)),
        // Degrees in several notations; as numbers of a GeoTIFF they are degrees.
        9107 | 9108 | 9110 | 9111 | 9115..=9121 => Some(("degree", DEGREE)),
        code => epsg::unit(code),
    }
    .filter(|(_, size)| *size > 0.0)
}

/// Metres of the unit of lengths, and its WKT. Without a key, metres are assumed, as GDAL does.
fn linear_unit(keys: &GeoKeys) -> (f64, Node) {
    let (name, size, code) = match keys.short(key::LINEAR_UNITS) {
        Some(code) if code != USER_DEFINED => match epsg::unit(code) {
            Some((name, size)) => (name, size, u32::from(code)),
            None => ("unknown", 1.0, 0),
        },
        _ => {
            let size = keys.double(key::LINEAR_UNIT_SIZE).filter(|size| *size > 0.0);
            ("unknown", size.unwrap_or(1.0), 0)
        }
    };
    (size, Node::new("UNIT").text(name).number(size).authority(code))
}

/// The first citation that says something.
fn citation(keys: &GeoKeys, candidates: &[u16]) -> Option<String> {
    candidates.iter().filter_map(|key| keys.text(*key)).map(|text| text.trim().to_owned()).find(|text| !text.is_empty())
}

/// What GDAL's writer puts into GeodeticCitationGeoKey:
/// `GCS Name = NAD83|Datum = North_American_Datum_1983|Ellipsoid = GRS 1980|Primem = Greenwich`.
#[derive(Debug, Default, PartialEq)]
struct Citation<'a> {
    name: Option<&'a str>,
    datum: Option<&'a str>,
    ellipsoid: Option<&'a str>,
    prime_meridian: Option<&'a str>,
}

impl<'a> Citation<'a> {
    /// The parts of a text of that form; any other text is a name as a whole.
    fn parse(text: &'a str) -> Self {
        let mut parts = Self::default();
        let mut is_structured = false;
        for part in text.split('|') {
            if let Some((label, value)) = part.split_once(" = ") {
                let field = match label.trim() {
                    "GCS Name" => &mut parts.name,
                    "Datum" => &mut parts.datum,
                    "Ellipsoid" => &mut parts.ellipsoid,
                    "Primem" => &mut parts.prime_meridian,
                    _ => continue,
                };
                *field = Some(value.trim());
                is_structured = true;
            }
        }
        if !is_structured {
            parts.name = Some(text.trim()).filter(|name| !name.is_empty());
        }
        parts
    }
}
