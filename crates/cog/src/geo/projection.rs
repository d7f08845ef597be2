//! Projections by code and by GeoKeys, with the names of WKT 1.
//!
//! | ProjMethodGeoKey | WKT 1 projection |
//! |---|---|
//! | 1 | Transverse_Mercator; 27, south orientated, is unsupported: GDAL reads it with axes that PROJ does not transform |
//! | 3, 9815 | Hotine_Oblique_Mercator, Hotine_Oblique_Mercator_Azimuth_Center |
//! | 4 | Laborde_Oblique_Mercator |
//! | 7 | Mercator_2SP with a standard parallel or a latitude of origin, else Mercator_1SP |
//! | 8, 9 | Lambert_Conformal_Conic_2SP, Lambert_Conformal_Conic_1SP |
//! | 10, 11, 12, 13 | Lambert_Azimuthal_Equal_Area, Albers_Conic_Equal_Area, Azimuthal_Equidistant, Equidistant_Conic |
//! | 14, 15, 16 | Stereographic, Polar_Stereographic, Oblique_Stereographic |
//! | 17, 18, 19, 20 | Equirectangular, Cassini_Soldner, Gnomonic, Miller_Cylindrical |
//! | 21, 22, 23, 24, 25 | Orthographic, Polyconic, Robinson, Sinusoidal, VanDerGrinten |
//! | 26, 28 | New_Zealand_Map_Grid, Cylindrical_Equal_Area |
//!
//! Writers differ in the use of natural origin, false origin and centre keys, so each parameter is read from the first
//! key present, as in libgeotiff.

use super::epsg;
use super::keys::{GeoKeys, key};

/// A WKT 1 projection: angles in degrees, lengths in metres.
#[derive(Debug, PartialEq)]
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) parameters: Vec<(&'static str, f64)>,
    pub(super) false_easting: f64,
    pub(super) false_northing: f64,
    /// Whether the code fully describes the projection in WKT 1 and in libgeotiff.
    pub(super) is_exact: bool,
}

impl Method {
    /// Whether another projection is the one that this code stands for, except for omitted digits: a tenth of a
    /// millimetre. GDAL confuses spherical variants, except for the azimuthal one.
    pub(super) fn is_code(&self, other: &Self) -> bool {
        (self.is_exact || self.name == "Mercator_1SP")
            && self.name == other.name
            && self.parameters.len() == other.parameters.len()
            && self.parameters.iter().zip(&other.parameters).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9)
            && (self.false_easting - other.false_easting).abs() < 1e-4
            && (self.false_northing - other.false_northing).abs() < 1e-4
    }
}

/// Spherical variants, which libgeotiff does not distinguish from the ellipsoidal ones.
const SPHERICAL: &str = " (Spherical)";

/// Returns the projection of an EPSG code.
pub(super) fn registered(code: u16) -> Option<Method> {
    let known = epsg::projection(code)?;
    let parameters = parameters(known.name).iter().zip(&known.parameters);
    Some(Method {
        name: known.name.strip_suffix(SPHERICAL).unwrap_or(known.name),
        parameters: parameters.filter_map(|(name, value)| Some((*name, (*value)?))).collect(),
        false_easting: known.false_easting,
        false_northing: known.false_northing,
        is_exact: !known.name.ends_with(SPHERICAL),
    })
}

/// Natural origin, false origin, centre: the search order of libgeotiff.
const LONGITUDE: [u16; 3] = [key::NATURAL_ORIGIN_LONGITUDE, key::FALSE_ORIGIN_LONGITUDE, key::CENTER_LONGITUDE];
const LATITUDE: [u16; 3] = [key::NATURAL_ORIGIN_LATITUDE, key::FALSE_ORIGIN_LATITUDE, key::CENTER_LATITUDE];
const EASTING: [u16; 3] = [key::FALSE_EASTING, key::CENTER_EASTING, key::FALSE_ORIGIN_EASTING];
const NORTHING: [u16; 3] = [key::FALSE_NORTHING, key::CENTER_NORTHING, key::FALSE_ORIGIN_NORTHING];

/// Names of a projection's parameters, in order, without false easting and northing.
pub(crate) fn parameters(projection: &str) -> &'static [&'static str] {
    match projection {
        "Lambert_Conformal_Conic_2SP" => {
            &["standard_parallel_1", "standard_parallel_2", "latitude_of_origin", "central_meridian"]
        }
        "Albers_Conic_Equal_Area" | "Equidistant_Conic" => {
            &["standard_parallel_1", "standard_parallel_2", "latitude_of_center", "longitude_of_center"]
        }
        "Lambert_Azimuthal_Equal_Area"
        | "Lambert_Azimuthal_Equal_Area (Spherical)"
        | "Azimuthal_Equidistant"
        | "Miller_Cylindrical" => &["latitude_of_center", "longitude_of_center"],
        "Hotine_Oblique_Mercator" | "Hotine_Oblique_Mercator_Azimuth_Center" => {
            &["latitude_of_center", "longitude_of_center", "azimuth", "rectified_grid_angle", "scale_factor"]
        }
        "Laborde_Oblique_Mercator" => &["latitude_of_center", "longitude_of_center", "azimuth", "scale_factor"],
        "Mercator_1SP (Spherical)" => &["central_meridian", "scale_factor"],
        "Popular_Visualisation_Pseudo_Mercator" => &["central_meridian"],
        "Mercator_1SP" => &["central_meridian", "scale_factor"],
        "Mercator_2SP" => &["standard_parallel_1", "central_meridian"],
        "Equirectangular" => &["latitude_of_origin", "central_meridian", "standard_parallel_1"],
        "Cylindrical_Equal_Area" => &["standard_parallel_1", "central_meridian"],
        "Robinson" | "Sinusoidal" => &["longitude_of_center"],
        "VanDerGrinten" => &["central_meridian"],
        "Cassini_Soldner" | "Gnomonic" | "Orthographic" | "Polyconic" | "New_Zealand_Map_Grid" => {
            &["latitude_of_origin", "central_meridian"]
        }
        // Transverse Mercator, Lambert with one parallel, and stereographic projections.
        _ => &["latitude_of_origin", "central_meridian", "scale_factor"],
    }
}

/// Values of ProjMethodGeoKey with names of WKT 1.
const METHODS: [(u16, &str); 25] = [
    (1, "Transverse_Mercator"),
    (3, "Hotine_Oblique_Mercator"),
    (4, "Laborde_Oblique_Mercator"),
    (7, "Mercator_1SP"),
    (8, "Lambert_Conformal_Conic_2SP"),
    (9, "Lambert_Conformal_Conic_1SP"),
    (10, "Lambert_Azimuthal_Equal_Area"),
    (11, "Albers_Conic_Equal_Area"),
    (12, "Azimuthal_Equidistant"),
    (13, "Equidistant_Conic"),
    (14, "Stereographic"),
    (15, "Polar_Stereographic"),
    (16, "Oblique_Stereographic"),
    (17, "Equirectangular"),
    (18, "Cassini_Soldner"),
    (19, "Gnomonic"),
    (20, "Miller_Cylindrical"),
    (21, "Orthographic"),
    (22, "Polyconic"),
    (23, "Robinson"),
    (24, "Sinusoidal"),
    (25, "VanDerGrinten"),
    (26, "New_Zealand_Map_Grid"),
    (28, "Cylindrical_Equal_Area"),
    (9815, "Hotine_Oblique_Mercator_Azimuth_Center"),
];

/// WKT 1 name of a ProjMethodGeoKey.
fn name(method: u16) -> Option<&'static str> {
    METHODS.iter().find(|(code, _)| *code == method).map(|(_, name)| *name)
}

/// ProjMethodGeoKey of a WKT 1 name.
pub(super) fn method_code(name: &str) -> Option<u16> {
    if name == "Mercator_2SP" {
        return Some(7);
    }
    METHODS.iter().find(|(_, known)| *known == name).map(|(code, _)| *code)
}

const TO_THE_SOUTH: &str = "a Transverse Mercator to the south, by its method";
const IMPOSSIBLE: &str = "parameters that its projection cannot have";

/// The name and the standard parallel of a Mercator projection: the variant with a standard parallel, which may be given as
/// the latitude of origin, or the one with a scale at the equator.
fn mercator(
    parallel: Option<f64>,
    latitude: f64,
    scale: f64,
) -> Result<(&'static str, Option<f64>), Option<&'static str>> {
    match (parallel, latitude, scale) {
        (None, 0.0, _) => Ok(("Mercator_1SP", None)),
        (Some(_), 0.0, _) => Ok(("Mercator_2SP", parallel)),
        (None, latitude, 1.0) => Ok(("Mercator_2SP", Some(latitude))),
        _ => Err(Some(IMPOSSIBLE)),
    }
}

/// Returns the projection defined by the keys, given the size of the angular unit in degrees and of the linear unit in
/// metres.
///
/// # Errors
///
/// The reason why there is none; `None` for a method that GDAL does not know either.
pub(super) fn from_keys(
    keys: &GeoKeys,
    method: u16,
    degrees: f64,
    metres: f64,
) -> Result<Method, Option<&'static str>> {
    let first = |candidates: &[u16]| candidates.iter().find_map(|key| keys.double(*key));
    let angle = |candidates: &[u16]| first(candidates).map(|angle| angle * degrees);
    let mut name = name(method).ok_or(if method == 27 { Some(TO_THE_SOUTH) } else { None })?;
    let is_polar = name == "Polar_Stereographic";
    let pole = [key::STRAIGHT_VERTICAL_LONGITUDE];
    let longitude = angle(if is_polar { &pole } else { &[] }).or_else(|| angle(&LONGITUDE)).unwrap_or(0.0);
    let latitude = angle(&LATITUDE).unwrap_or(0.0);
    let scale_at_centre = keys.double(key::SCALE_AT_CENTER).filter(|_| !matches!(method, 7 | 14));
    let scale = keys.double(key::SCALE_AT_NATURAL_ORIGIN).or(scale_at_centre).unwrap_or(1.0);
    let mut parallel_1 = angle(&[key::STANDARD_PARALLEL_1]);
    if scale <= 0.0 || longitude.abs() > 360.0 || latitude.abs() > 90.0 + 1e-8 {
        return Err(Some(IMPOSSIBLE));
    }
    if method == 7 {
        (name, parallel_1) = mercator(parallel_1, latitude, scale)?;
    }
    let is_pole = (latitude.abs() - 90.0).abs() < 1e-8;
    if matches!(method, 3 | 9 | 9815) && is_pole || method == 4 && latitude == 0.0 {
        return Err(Some(IMPOSSIBLE));
    }
    // Away from the pole, the latitude is that of true scale.
    if is_polar && scale != 1.0 && !is_pole {
        return Err(Some(IMPOSSIBLE));
    }
    let mut values = Vec::new();
    for &parameter in parameters(name) {
        let value = match parameter {
            "standard_parallel_1" => parallel_1.unwrap_or(0.0),
            "standard_parallel_2" => angle(&[key::STANDARD_PARALLEL_2]).unwrap_or(0.0),
            "latitude_of_origin" | "latitude_of_center" => latitude,
            // In degrees, regardless of the angular unit.
            "azimuth" => keys.double(key::AZIMUTH).unwrap_or(0.0),
            "rectified_grid_angle" => keys.double(key::RECTIFIED_GRID_ANGLE).unwrap_or(90.0) * degrees,
            "scale_factor" => scale,
            _ => longitude,
        };
        if parameter == "scale_factor" && is_polar && scale == 1.0 && latitude.abs() < 90.0 {
            continue;
        }
        values.push((parameter, value));
    }
    Ok(Method {
        name,
        parameters: values,
        false_easting: first(&EASTING).unwrap_or(0.0) * metres,
        false_northing: first(&NORTHING).unwrap_or(0.0) * metres,
        is_exact: true,
    })
}
