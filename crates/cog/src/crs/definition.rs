//! Parses CRS names.
//!
//! | name | read as |
//! |---|---|
//! | `EPSG:n`, `urn:ogc:def:crs:EPSG::n`, `http://www.opengis.net/def/crs/EPSG/0/n` | EPSG code; of a compound CRS, its horizontal part |
//! | `OGC:CRS84`, `CRS83`, `CRS27` and their URNs and URLs | EPSG 4326, 4269 and 4267, x first |
//! | `ESRI:n` | Esri code |
//! | `+proj=…` | a PROJ string |
//! | `PROJCS[…]`, `PROJCRS[…]`, … | WKT 1 or 2 |
//! | `{…}` | PROJJSON with an id |
//!
//! Rejected: file names; grid files and pipelines in PROJ strings, and ellipsoids and datums unknown to PROJ (the
//! engine would use its default); local, geocentric and vertical CRSs; WKT without a code whose prime meridian is not
//! in degrees (the engine misreads it).

use std::fmt;

use terrio_crs::SpatialRef;

use super::engine;
use crate::{Error, Result};

/// A CRS and its name.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    name: String,
    reference: SpatialRef,
}

/// Longest name of a CRS in bytes. WKT of compound CRSs with all usages takes some ten thousand.
const MAX_LENGTH: usize = 1 << 16;

/// EPSG code of WGS 84 as longitude and latitude.
const WGS_84: u32 = 4326;

/// Ellipsoids known to PROJ (`proj -le`); the engine silently replaces others by WGS 84.
const ELLIPSOIDS: [&str; 47] = [
    "MERIT",
    "SGS85",
    "GRS80",
    "IAU76",
    "airy",
    "APL4.9",
    "NWL9D",
    "mod_airy",
    "andrae",
    "danish",
    "aust_SA",
    "GRS67",
    "GSK2011",
    "bessel",
    "bess_nam",
    "clrk66",
    "clrk80",
    "clrk80ign",
    "CPM",
    "delmbr",
    "engelis",
    "evrst30",
    "evrst48",
    "evrst56",
    "evrst69",
    "evrstSS",
    "fschr60",
    "fschr60m",
    "fschr68",
    "helmert",
    "hough",
    "intl",
    "krass",
    "kaula",
    "lerch",
    "mprts",
    "new_intl",
    "plessis",
    "PZ90",
    "SEasia",
    "walbeck",
    "WGS60",
    "WGS66",
    "WGS72",
    "WGS84",
    "sphere",
    "bess_nam",
];

/// Datums known to PROJ (`proj -ld`).
const DATUMS: [&str; 10] =
    ["WGS84", "GGRS87", "NAD83", "NAD27", "potsdam", "carthage", "hermannskogel", "ire65", "nzgd49", "OSGB36"];

/// Rejects names that are too long to be parsed quickly.
pub(super) fn check_length(name: &str) -> Result<()> {
    if name.len() <= MAX_LENGTH {
        return Ok(());
    }
    let start: String = name.chars().take(32).collect();
    let what = format!("CRS '{start}…': expected at most {MAX_LENGTH} bytes, found {}", name.len());
    Err(Error::InvalidArgument { what })
}

impl Definition {
    /// Parses a name.
    pub(super) fn parse(name: &str) -> Result<Self> {
        check_length(name)?;
        let name = name.trim();
        engine::quiet();
        let reference = if name.starts_with('{') {
            return Self::parse(&projjson_id(name)?);
        } else if name.starts_with('+') {
            proj(name)?
        } else if name.contains(['[', '(']) {
            wkt(name)?
        } else {
            code(name)?
        };
        if reference.is_geocentric() {
            return Err(unusable(name, "geocentric coordinates have no x and y on a map"));
        }
        let reference = match reference.compound_parts() {
            Some((horizontal, _)) => {
                SpatialRef::from_epsg(horizontal).map_err(|error| unusable(name, engine::cause(&error)))?
            }
            None => reference,
        };
        Ok(Self { name: name.to_owned(), reference })
    }

    /// The engine's definition.
    pub(super) fn reference(&self) -> &SpatialRef {
        &self.reference
    }

    /// Whether coordinates are longitudes and latitudes in degrees.
    pub(super) fn is_degrees(&self) -> bool {
        if !self.reference.is_geographic() {
            return false;
        }
        // A quarter turn in the unit of the CRS: 100 in grads.
        let quarter = || {
            let wgs84 = SpatialRef::from_epsg(WGS_84).ok()?;
            let transformer = terrio_crs::Transformer::new(&wgs84, &self.reference).ok()?;
            let (start, end) = (transformer.transform(0.0, 0.0).ok()?, transformer.transform(90.0, 0.0).ok()?);
            Some(end.0 - start.0)
        };
        quarter().is_none_or(|quarter| (quarter - 90.0).abs() < 1.0)
    }

    /// Whether two definitions are the same CRS.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name || self.reference.same_as(&other.reference)
    }
}

/// Formats the name, truncated.
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.name))
    }
}

/// Truncates a CRS name for error messages.
fn shown(name: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = name.chars().take(SHOWN).collect();
    if short.len() < name.len() { format!("{short}…") } else { short }
}

fn unusable(name: &str, cause: impl fmt::Display) -> Error {
    Error::InvalidArgument { what: format!("CRS '{}': {cause}", shown(name)) }
}

/// Parses the code of a registry in any notation.
fn code(name: &str) -> Result<SpatialRef> {
    let upper = name.to_ascii_uppercase();
    let parts: Vec<&str> = match upper.strip_prefix("URN:OGC:DEF:CRS:") {
        Some(urn) => urn.split(':').collect(),
        None => match upper.split_once("OPENGIS.NET/DEF/CRS/") {
            Some((_, path)) => path.split('/').collect(),
            None => upper.split(':').collect(),
        },
    };
    let expected = || {
        unusable(
            name,
            "expected EPSG:code, ESRI:code, OGC:CRS84, WKT, a PROJ string, or 'native' for the raster's own coordinates",
        )
    };
    let (authority, code) = match *parts.as_slice() {
        [authority, code] | [authority, _, code] => (authority, code),
        ["CRS84"] => ("OGC", "CRS84"),
        _ => return Err(expected()),
    };
    let reference = match (authority, code, code.parse()) {
        ("OGC", "CRS84", _) => SpatialRef::from_epsg(WGS_84),
        ("OGC", "CRS83", _) => SpatialRef::from_epsg(4269),
        ("OGC", "CRS27", _) => SpatialRef::from_epsg(4267),
        ("EPSG", _, Ok(code)) => SpatialRef::from_epsg(code),
        ("ESRI", _, Ok(code)) => SpatialRef::from_esri(code),
        _ => return Err(expected()),
    };
    reference.map_err(|error| unusable(name, engine::cause(&error)))
}

/// The identifier in PROJJSON.
fn projjson_id(text: &str) -> Result<String> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| unusable(text, format!("expected PROJJSON: {error}")))?;
    let code = match json.pointer("/id/code") {
        Some(serde_json::Value::String(code)) => Some(code.clone()),
        Some(serde_json::Value::Number(code)) => Some(code.to_string()),
        _ => None,
    };
    match (json.pointer("/id/authority").and_then(serde_json::Value::as_str), code) {
        (Some(authority), Some(code)) => Ok(format!("{authority}:{code}")),
        _ => Err(unusable(text, "PROJJSON is read by its id, found none: use WKT")),
    }
}

/// Parses a PROJ string, if the engine supports all of its parameters as PROJ does.
fn proj(text: &str) -> Result<SpatialRef> {
    for parameter in text.split_whitespace() {
        let (key, value) = parameter.trim_start_matches('+').split_once('=').unwrap_or((parameter, ""));
        let fault = match key {
            "ellps" if !ELLIPSOIDS.contains(&value) => "an unknown ellipsoid",
            "datum" if !DATUMS.contains(&value) => "an unknown datum",
            "nadgrids" | "geoidgrids" | "grids" if value != "@null" => "grid files are not read",
            "proj" if value == "pipeline" => "pipelines are not read",
            "init" | "step" | "file" => "definitions in other places are not read",
            _ => continue,
        };
        return Err(unusable(text, format!("{parameter}: {fault}")));
    }
    SpatialRef::from_proj4(text).map_err(|error| unusable(text, engine::cause(&error)))
}

fn wkt(text: &str) -> Result<SpatialRef> {
    let keyword = text.split(['[', '(']).next().unwrap_or("").trim().to_ascii_uppercase();
    match keyword.as_str() {
        "LOCAL_CS" | "ENGCRS" | "ENGINEERINGCRS" => {
            return Err(unusable(text, "a local CRS has no location on Earth: only 'native' coordinates can be used"));
        }
        "VERT_CS" | "VERTCRS" | "VERTICALCRS" => return Err(unusable(text, "a vertical CRS has no x and y")),
        "PROJCS" | "GEOGCS" | "COMPD_CS" | "PROJCRS" | "PROJECTEDCRS" | "GEOGCRS" | "GEOGRAPHICCRS" | "GEODCRS"
        | "GEODETICCRS" | "COMPOUNDCRS" | "BOUNDCRS" | "BASEGEOGCRS" | "GEOCCS" => {}
        _ => return Err(unusable(text, format!("expected WKT of a CRS, found {keyword}"))),
    }
    let reference = SpatialRef::from_wkt(text);
    if reference.authority().is_none() && has_odd_meridian(text) {
        return Err(unusable(text, "a prime meridian in other units than degrees is not known to be read correctly"));
    }
    Ok(reference)
}

/// Whether WKT has a prime meridian other than Greenwich and an angular unit other than degrees.
fn has_odd_meridian(text: &str) -> bool {
    const DEGREE: f64 = std::f64::consts::PI / 180.0;
    let upper = text.to_ascii_uppercase();
    let number = |part: &str| part.split(',').nth(1)?.split([',', ']', ')']).next()?.trim().parse::<f64>().ok();
    let after =
        |keyword: &str| upper.match_indices(keyword).filter_map(|(at, _)| number(&upper[at..])).collect::<Vec<_>>();
    let elsewhere = after("PRIMEM").iter().chain(&after("PRIMEMERIDIAN")).any(|longitude| *longitude != 0.0);
    let units = [after("ANGLEUNIT"), after("UNIT")].concat();
    // Angular units are less than about 0.05: a degree is 0.017, a grad 0.0157, a second 5e-6.
    elsewhere && units.iter().any(|unit| *unit < 0.05 && (unit - DEGREE).abs() > 1e-9)
}
