//! GeoKeys of a CRS: the reverse of `reference`.
//!
//! A CRS with an EPSG code is its code. WKT 1 in the form that this crate writes becomes user-defined keys, which are returned only if the same
//! WKT is read from them.

use super::keys::{GeoKeys, USER_DEFINED, key};
use super::projection::method_code;
use super::reference;
use super::wkt::{Element, Value};
use super::{Crs, is_geographic};
use crate::tiff::Tag;

/// Largest relative difference of numbers that are the same: other units are converted and back.
const SAME: f64 = 1e-12;

const METRE: f64 = 1.0;
const PIXEL_IS_AREA: u16 = 1;
const GREENWICH: u16 = 8901;
const DEGREE: u16 = 9102;
const GRAD: u16 = 9105;

/// Values of the three tags of GeoKeys.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GeoKeyTags {
    pub(crate) directory: Vec<u16>,
    pub(crate) doubles: Vec<f64>,
    pub(crate) ascii: String,
}

/// The keys of a CRS; None for one that they do not define.
pub(crate) fn keys_of(crs: &Crs) -> Option<GeoKeyTags> {
    match crs {
        Crs::Epsg(code) => of_code(u16::try_from(*code).ok().filter(|code| *code < USER_DEFINED)?),
        // Coordinates of a GeoTIFF are longitude and latitude, regardless of the axes of the code.
        Crs::Wkt(text) if text.trim().eq_ignore_ascii_case("OGC:CRS84") => of_code(4326),
        Crs::Wkt(text) => {
            let element = Element::parse(text)?;
            let tags = described(&element)?.finish()?;
            let keys = GeoKeys::new(tags.directory.clone(), tags.doubles.clone(), tags.ascii.clone().into_bytes());
            let Some(Crs::Wkt(read)) = reference::crs(&keys) else { return None };
            is_same(&Element::parse(&read)?, &element).then_some(tags)
        }
    }
}

fn of_code(code: u16) -> Option<GeoKeyTags> {
    let mut keys = Keys::default();
    match is_geographic(code)? {
        true => keys.model(2).short(key::GEODETIC_CRS, code),
        false => keys.model(1).short(key::PROJECTED_CRS, code),
    };
    keys.finish()
}

fn described(element: &Element) -> Option<Keys> {
    let mut keys = Keys::default();
    match element.keyword.as_str() {
        "PROJCS" => projected(&mut keys, element)?,
        "GEOGCS" => {
            keys.model(2);
            geographic(&mut keys, element)?;
        }
        "LOCAL_CS" => {
            keys.model(USER_DEFINED).citation(key::CITATION, element.name()?);
            linear_unit(&mut keys, element)?;
        }
        _ => return None,
    }
    Some(keys)
}

fn projected(keys: &mut Keys, element: &Element) -> Option<()> {
    keys.model(1).citation(key::CITATION, element.name()?);
    keys.short(key::PROJECTED_CRS, USER_DEFINED);
    geographic(keys, element.child("GEOGCS")?)?;
    let method = method_code(element.child("PROJECTION")?.name()?)?;
    keys.short(key::PROJECTION, USER_DEFINED).short(key::PROJECTION_METHOD, method);
    for parameter in element.children("PARAMETER") {
        keys.double(parameter_key(method, parameter.name()?)?, parameter.number(1)?);
    }
    linear_unit(keys, element)
}

/// The key of a parameter of a projection, as GDAL writes it.
fn parameter_key(method: u16, name: &str) -> Option<u16> {
    let has_false_origin = method == 8;
    let is_polar = method == 15;
    let has_centre = matches!(method, 3 | 4 | 10 | 12 | 20 | 23 | 24 | 9815);
    let of = |natural: u16, false_origin: u16, centre: u16| match (has_false_origin, has_centre) {
        (true, _) => false_origin,
        (false, true) => centre,
        (false, false) => natural,
    };
    Some(match name {
        "standard_parallel_1" => key::STANDARD_PARALLEL_1,
        "standard_parallel_2" => key::STANDARD_PARALLEL_2,
        "latitude_of_origin" | "latitude_of_center" => {
            of(key::NATURAL_ORIGIN_LATITUDE, key::FALSE_ORIGIN_LATITUDE, key::CENTER_LATITUDE)
        }
        "central_meridian" if is_polar => key::STRAIGHT_VERTICAL_LONGITUDE,
        "central_meridian" | "longitude_of_center" => {
            of(key::NATURAL_ORIGIN_LONGITUDE, key::FALSE_ORIGIN_LONGITUDE, key::CENTER_LONGITUDE)
        }
        "scale_factor" => of(key::SCALE_AT_NATURAL_ORIGIN, key::SCALE_AT_NATURAL_ORIGIN, key::SCALE_AT_CENTER),
        "azimuth" => key::AZIMUTH,
        "rectified_grid_angle" => key::RECTIFIED_GRID_ANGLE,
        "false_easting" => of(key::FALSE_EASTING, key::FALSE_ORIGIN_EASTING, key::FALSE_EASTING),
        "false_northing" => of(key::FALSE_NORTHING, key::FALSE_ORIGIN_NORTHING, key::FALSE_NORTHING),
        _ => return None,
    })
}

fn linear_unit(keys: &mut Keys, element: &Element) -> Option<()> {
    let unit = element.child("UNIT")?;
    match (unit.authority(), unit.number(1)?) {
        (Some(code), _) => keys.short(key::LINEAR_UNITS, code),
        (None, METRE) if element.keyword == "LOCAL_CS" => keys,
        (None, size) => keys.short(key::LINEAR_UNITS, USER_DEFINED).double(key::LINEAR_UNIT_SIZE, size),
    };
    Some(())
}

/// A geographic CRS by its code, else by its parts.
fn geographic(keys: &mut Keys, element: &Element) -> Option<()> {
    if let Some(code) = element.authority() {
        keys.short(key::GEODETIC_CRS, code);
        return Some(());
    }
    let (datum, meridian, unit) = (element.child("DATUM")?, element.child("PRIMEM")?, element.child("UNIT")?);
    let spheroid = datum.child("SPHEROID")?;
    keys.short(key::GEODETIC_CRS, USER_DEFINED).citation(
        key::GEODETIC_CITATION,
        &format!(
            "GCS Name = {}|Datum = {}|Ellipsoid = {}|Primem = {}|AUnits = {}",
            element.name()?,
            datum.name()?,
            spheroid.name()?,
            meridian.name()?,
            unit.name()?
        ),
    );
    keys.short(key::GEODETIC_DATUM, datum.authority().unwrap_or(USER_DEFINED));
    let longitude = meridian.number(1)?;
    match longitude {
        0.0 => keys.short(key::PRIME_MERIDIAN, GREENWICH),
        _ => keys.short(key::PRIME_MERIDIAN, USER_DEFINED),
    };
    keys.short(key::ANGULAR_UNITS, if unit.name()? == "grad" { GRAD } else { DEGREE });
    keys.short(key::ELLIPSOID, spheroid.authority().unwrap_or(USER_DEFINED));
    keys.double(key::SEMI_MAJOR_AXIS, spheroid.number(1)?).double(key::INVERSE_FLATTENING, spheroid.number(2)?);
    if longitude != 0.0 {
        keys.double(key::PRIME_MERIDIAN_LONGITUDE, longitude);
    }
    if let Some(shift) = datum.child("TOWGS84") {
        let numbers: Option<Vec<f64>> = (0..7).map(|at| shift.number(at)).collect();
        keys.doubles(key::TO_WGS84, &numbers?);
    }
    Some(())
}

/// Keys that are being collected.
#[derive(Default)]
struct Keys {
    entries: Vec<[u16; 4]>,
    doubles: Vec<f64>,
    ascii: String,
    /// Whether a value does not fit.
    is_too_long: bool,
}

impl Keys {
    fn model(&mut self, model: u16) -> &mut Self {
        self.short(key::MODEL_TYPE, model).short(key::RASTER_TYPE, PIXEL_IS_AREA)
    }

    fn short(&mut self, key: u16, value: u16) -> &mut Self {
        self.entries.push([key, 0, 1, value]);
        self
    }

    fn double(&mut self, key: u16, value: f64) -> &mut Self {
        self.doubles(key, &[value])
    }

    fn doubles(&mut self, key: u16, values: &[f64]) -> &mut Self {
        let (at, count) = (u16::try_from(self.doubles.len()), u16::try_from(values.len()));
        match (at, count) {
            (Ok(at), Ok(count)) => self.entries.push([key, Tag::GEO_DOUBLE_PARAMS.0, count, at]),
            _ => self.is_too_long = true,
        }
        self.doubles.extend_from_slice(values);
        self
    }

    /// A text, unless it is the name that CRSs without one have.
    fn citation(&mut self, key: u16, text: &str) -> &mut Self {
        if text == "unnamed" {
            return self;
        }
        let (at, count) = (u16::try_from(self.ascii.len()), u16::try_from(text.len() + 1));
        match (at, count) {
            (Ok(at), Ok(count)) if text.is_ascii() => self.entries.push([key, Tag::GEO_ASCII_PARAMS.0, count, at]),
            _ => self.is_too_long = true,
        }
        self.ascii.push_str(text);
        self.ascii.push('|');
        self
    }

    fn finish(&mut self) -> Option<GeoKeyTags> {
        // Sorted, as GeoTIFF requires.
        self.entries.sort_unstable();
        let count = u16::try_from(self.entries.len()).ok()?;
        let directory = [1, 1, 0, count].into_iter().chain(self.entries.iter().flatten().copied()).collect();
        let (doubles, ascii) = (std::mem::take(&mut self.doubles), std::mem::take(&mut self.ascii));
        (!self.is_too_long).then_some(GeoKeyTags { directory, doubles, ascii })
    }
}

fn is_same(one: &Element, other: &Element) -> bool {
    let value = |pair: (&Value, &Value)| match pair {
        (Value::Text(one), Value::Text(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one - other).abs() <= SAME * one.abs().max(other.abs())
        }
        (Value::Element(one), Value::Element(other)) => is_same(one, other),
        _ => false,
    };
    one.keyword == other.keyword
        && one.values.len() == other.values.len()
        && one.values.iter().zip(&other.values).all(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &GeoKeyTags) -> String {
        let keys = GeoKeys::new(tags.directory.clone(), tags.doubles.clone(), tags.ascii.clone().into_bytes());
        reference::crs(&keys).unwrap().to_string()
    }

    const WGS_84: &str = "GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563,AUTHORITY[\"EPSG\",\"7030\"]],\
        AUTHORITY[\"EPSG\",\"6326\"]],PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.017453292519943295],AUTHORITY[\"EPSG\",\"4326\"]]";

    fn projected(projection: &str, parameters: &[(&str, f64)], unit: &str) -> String {
        let parameters = parameters.iter().map(|(name, value)| format!("PARAMETER[\"{name}\",{value}],"));
        let parameters: String = parameters.collect();
        format!("PROJCS[\"a grid\",{WGS_84},PROJECTION[\"{projection}\"],{parameters}{unit}]")
    }

    const METRES: &str = "UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]";

    #[test]
    fn definitions_are_read_as_they_are_written() {
        let (x, y) = (("false_easting", 500_000.0), ("false_northing", -1.5));
        let natural = [("latitude_of_origin", 40.5), ("central_meridian", -3.25)];
        let with_scale = [natural[0], natural[1], ("scale_factor", 0.9998), x, y];
        let centre = [("latitude_of_center", 52.0), ("longitude_of_center", 10.0), x, y];
        let parallels = [("standard_parallel_1", 29.5), ("standard_parallel_2", 45.5)];
        let definitions = [
            projected("Transverse_Mercator", &with_scale, METRES),
            projected("Transverse_Mercator", &with_scale, "UNIT[\"US survey foot\",0.30480060960121924,AUTHORITY[\"EPSG\",\"9003\"]]"),
            projected("Oblique_Stereographic", &with_scale, METRES),
            projected("Lambert_Conformal_Conic_1SP", &with_scale, METRES),
            projected("Lambert_Azimuthal_Equal_Area", &centre, METRES),
            projected("Azimuthal_Equidistant", &centre, METRES),
            projected("Albers_Conic_Equal_Area", &[&parallels[..], &centre[..]].concat(), METRES),
            projected("Lambert_Conformal_Conic_2SP", &[&parallels[..], &natural[..], &[x, y]].concat(), METRES),
            projected("Polar_Stereographic", &[("latitude_of_origin", -71.0), natural[1], x, y], METRES),
            projected("Sinusoidal", &[centre[1], x, y], METRES),
            projected("Cylindrical_Equal_Area", &[parallels[0], natural[1], x, y], METRES),
            projected("Transverse_Mercator", &with_scale, "UNIT[\"unknown\",0.9]"),
            "GEOGCS[\"mine\",DATUM[\"of mine\",SPHEROID[\"ball\",6371000,0]],PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.017453292519943295]]".to_owned(),
            "GEOGCS[\"mine\",DATUM[\"of mine\",SPHEROID[\"unknown\",6371000,0],TOWGS84[1,2,3,0,0,0,0]],PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.017453292519943295]]".to_owned(),
            "LOCAL_CS[\"site\",UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]]".to_owned(),
            "LOCAL_CS[\"unnamed\",UNIT[\"unknown\",1]]".to_owned(),
        ];
        for wkt in definitions {
            let crs: Crs = wkt.parse().unwrap();
            let tags = keys_of(&crs).unwrap_or_else(|| panic!("{wkt}"));
            assert_eq!(read(&tags), wkt);
            assert!(tags.directory.chunks_exact(4).skip(1).is_sorted_by_key(|entry| entry[0]), "{wkt}");
        }
        for code in ["EPSG:4326", "EPSG:32631", "EPSG:3857", "EPSG:3035", "EPSG:2056"] {
            assert_eq!(read(&keys_of(&code.parse().unwrap()).unwrap()), code);
        }
        assert_eq!(read(&keys_of(&"OGC:CRS84".parse().unwrap()).unwrap()), "EPSG:4326");
    }

    #[test]
    fn other_definitions_have_no_keys() {
        let shift = ("false_easting", 0.0);
        for text in [
            "",
            "EPSG:4978",
            "EPSG:999999",
            "ESRI:54009",
            "+proj=moll +lon_0=0",
            "{\"type\": \"ProjectedCRS\"}",
            "PROJCS[",
            "PROJCS[\"x\"]",
            &"PROJCS[".repeat(10_000),
            // A parameter that is not written again, a method that is not known, and a name that GeoKeys cannot hold.
            &projected(
                "Sinusoidal",
                &[("longitude_of_center", 1.0), ("azimuth", 3.0), shift, ("false_northing", 0.0)],
                METRES,
            ),
            &projected("Mollweide", &[("central_meridian", 0.0), shift, ("false_northing", 0.0)], METRES),
            &projected("Transverse_Mercator", &[("latitude_of_origin", 0.0)], METRES)
                .replace("a grid", "ein Gr\u{fc}n"),
            "GEOCCS[\"x\",UNIT[\"metre\",1]]",
            // GDAL reads another datum with such a meridian.
            "GEOGCS[\"x\",DATUM[\"y\",SPHEROID[\"z\",6371000,0]],PRIMEM[\"here\",2.5],UNIT[\"degree\",0.017453292519943295]]",
        ] {
            if let Ok(crs) = text.parse::<Crs>() {
                assert_eq!(keys_of(&crs), None, "{text}");
            }
        }
    }
}
