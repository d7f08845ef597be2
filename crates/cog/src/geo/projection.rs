//! Projections of user-defined CRSs: GeoKeys to WKT 1.
//!
//! | ProjMethodGeoKey | WKT 1 projection |
//! |---|---|
//! | 1, 27 | Transverse_Mercator, Transverse_Mercator_South_Orientated |
//! | 3, 9815 | Hotine_Oblique_Mercator, Hotine_Oblique_Mercator_Azimuth_Center |
//! | 7 | Mercator_2SP with a standard parallel, else Mercator_1SP |
//! | 8, 9 | Lambert_Conformal_Conic_2SP, Lambert_Conformal_Conic_1SP |
//! | 10, 11, 12, 13 | Lambert_Azimuthal_Equal_Area, Albers_Conic_Equal_Area, Azimuthal_Equidistant, Equidistant_Conic |
//! | 14, 15, 16 | Stereographic, Polar_Stereographic, Oblique_Stereographic |
//! | 17, 18, 19, 20 | Equirectangular, Cassini_Soldner, Gnomonic, Miller_Cylindrical |
//! | 21, 22, 23, 24, 25 | Orthographic, Polyconic, Robinson, Sinusoidal, VanDerGrinten |
//! | 26, 28 | New_Zealand_Map_Grid, Cylindrical_Equal_Area |
//!
//! Writers disagree on which of the natural origin, false origin and centre keys a method takes, so each parameter
//! is taken from the first of them that is there, the method's own first, as libgeotiff does.

use super::keys::{GeoKeys, key};

/// A projection of WKT 1 with its parameters: angles in the file's angular unit, lengths in its linear unit.
#[derive(Debug, PartialEq)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<(&'static str, f64)>,
}

/// Natural origin, false origin, centre: as libgeotiff looks for them.
const LONGITUDE: [u16; 3] = [key::NATURAL_ORIGIN_LONGITUDE, key::FALSE_ORIGIN_LONGITUDE, key::CENTER_LONGITUDE];
const LATITUDE: [u16; 3] = [key::NATURAL_ORIGIN_LATITUDE, key::FALSE_ORIGIN_LATITUDE, key::CENTER_LATITUDE];
const SCALE: [u16; 2] = [key::SCALE_AT_NATURAL_ORIGIN, key::SCALE_AT_CENTER];
const EASTING: [u16; 3] = [key::FALSE_EASTING, key::CENTER_EASTING, key::FALSE_ORIGIN_EASTING];
const NORTHING: [u16; 3] = [key::FALSE_NORTHING, key::CENTER_NORTHING, key::FALSE_ORIGIN_NORTHING];

/// Names of a projection's parameters other than false easting and northing, in order.
pub(crate) fn parameters(projection: &str) -> &'static [&'static str] {
    match projection {
        "Lambert_Conformal_Conic_2SP" => {
            &["standard_parallel_1", "standard_parallel_2", "latitude_of_origin", "central_meridian"]
        }
        "Albers_Conic_Equal_Area" | "Equidistant_Conic" => {
            &["standard_parallel_1", "standard_parallel_2", "latitude_of_center", "longitude_of_center"]
        }
        "Lambert_Azimuthal_Equal_Area" | "Azimuthal_Equidistant" | "Miller_Cylindrical" => {
            &["latitude_of_center", "longitude_of_center"]
        }
        "Hotine_Oblique_Mercator" | "Hotine_Oblique_Mercator_Azimuth_Center" => {
            &["latitude_of_center", "longitude_of_center", "azimuth", "rectified_grid_angle", "scale_factor"]
        }
        "Mercator_1SP" => &["central_meridian", "scale_factor"],
        "Mercator_2SP" => &["standard_parallel_1", "central_meridian"],
        "Equirectangular" => &["latitude_of_origin", "central_meridian", "standard_parallel_1"],
        "Cylindrical_Equal_Area" => &["standard_parallel_1", "central_meridian"],
        "Robinson" | "Sinusoidal" => &["longitude_of_center"],
        "VanDerGrinten" => &["central_meridian"],
        "Cassini_Soldner" | "Gnomonic" | "Orthographic" | "Polyconic" | "New_Zealand_Map_Grid" => {
            &["latitude_of_origin", "central_meridian"]
        }
        // Transverse Mercator, Lambert with one parallel, and the stereographic ones.
        _ => &["latitude_of_origin", "central_meridian", "scale_factor"],
    }
}

/// The projection that the keys define; None for a method without a WKT 1 name.
pub(crate) fn from_keys(keys: &GeoKeys) -> Option<Method> {
    let first = |candidates: &[u16]| candidates.iter().find_map(|key| keys.double(*key));
    let name = match keys.code(key::PROJECTION_METHOD)? {
        1 => "Transverse_Mercator",
        3 => "Hotine_Oblique_Mercator",
        7 if keys.double(key::STANDARD_PARALLEL_1).is_some() => "Mercator_2SP",
        7 => "Mercator_1SP",
        8 => "Lambert_Conformal_Conic_2SP",
        9 => "Lambert_Conformal_Conic_1SP",
        10 => "Lambert_Azimuthal_Equal_Area",
        11 => "Albers_Conic_Equal_Area",
        12 => "Azimuthal_Equidistant",
        13 => "Equidistant_Conic",
        14 => "Stereographic",
        15 => "Polar_Stereographic",
        16 => "Oblique_Stereographic",
        17 => "Equirectangular",
        18 => "Cassini_Soldner",
        19 => "Gnomonic",
        20 => "Miller_Cylindrical",
        21 => "Orthographic",
        22 => "Polyconic",
        23 => "Robinson",
        24 => "Sinusoidal",
        25 => "VanDerGrinten",
        26 => "New_Zealand_Map_Grid",
        27 => "Transverse_Mercator_South_Orientated",
        28 => "Cylindrical_Equal_Area",
        9815 => "Hotine_Oblique_Mercator_Azimuth_Center",
        _ => return None,
    };
    let is_polar = name == "Polar_Stereographic";
    let is_lambert_2 = name == "Lambert_Conformal_Conic_2SP";
    let longitude = match name {
        _ if is_polar => keys.double(key::STRAIGHT_VERTICAL_LONGITUDE),
        _ if is_lambert_2 => keys.double(key::FALSE_ORIGIN_LONGITUDE),
        _ => None,
    };
    let latitude = match name {
        _ if is_lambert_2 => keys.double(key::FALSE_ORIGIN_LATITUDE),
        _ => None,
    };
    let longitude = longitude.or_else(|| first(&LONGITUDE)).unwrap_or(0.0);
    let latitude = latitude.or_else(|| first(&LATITUDE)).unwrap_or(0.0);
    let scale = first(&SCALE).unwrap_or(1.0);
    // A Mercator with another origin than the equator, or one without scale, has no meaning in WKT 1; GDAL drops it too.
    if scale <= 0.0 || name == "Mercator_1SP" && latitude != 0.0 {
        return None;
    }
    let mut values = Vec::new();
    for &parameter in parameters(name) {
        let value = match parameter {
            "standard_parallel_1" => keys.double(key::STANDARD_PARALLEL_1).unwrap_or(0.0),
            "standard_parallel_2" => keys.double(key::STANDARD_PARALLEL_2).unwrap_or(0.0),
            "latitude_of_origin" | "latitude_of_center" => latitude,
            "azimuth" => keys.double(key::AZIMUTH).unwrap_or(0.0),
            "rectified_grid_angle" => keys.double(key::RECTIFIED_GRID_ANGLE).unwrap_or(90.0),
            "scale_factor" => scale,
            _ => longitude,
        };
        // At a pole the latitude says nothing of the scale; elsewhere it is the latitude of true scale.
        if parameter == "scale_factor" && is_polar && scale == 1.0 && latitude.abs() < 90.0 {
            continue;
        }
        values.push((parameter, value));
    }
    values.push(("false_easting", first(&EASTING).unwrap_or(0.0)));
    values.push(("false_northing", first(&NORTHING).unwrap_or(0.0)));
    Some(Method { name, parameters: values })
}
