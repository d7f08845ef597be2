//! The CRS defined by GeoKeys (OGC GeoTIFF 1.1, section 7.4), as read by libgeotiff and GDAL 3.10.
//!
//! GTModelTypeGeoKey selects the kind of CRS; it may be absent if ProjectedCRSGeoKey is present.
//!
//! | model | CRS |
//! |---|---|
//! | 1, projected | ProjectedCRSGeoKey, in the unit of the ProjLinearUnits keys; if any of the keys 2048, 2050, 2056, 3074 and 3075 is present, it overrides the corresponding part of the code; without a code, the projection keys on their geographic CRS; 3857 is never overridden |
//! | 2, geographic | GeodeticCRSGeoKey, else that of ProjectedCRSGeoKey, with the keys of its parts as overrides |
//! | 3, geocentric | a geocentric CRS |
//! | none or another | `ESRI PE String = …` in ProjectedCitationGeoKey, else a local CRS |
//!
//! The result is a code if the keys match its definition, else WKT 1. It is a local CRS where GDAL reads one, and where
//! WKT 1 would be incomplete or ambiguous; its name states the reason. Vertical keys are ignored.

use super::Crs;
use super::base::Base;
use super::citation::{self, CitedUnit};
use super::epsg::{self, Projected};
use super::keys::{GeoKeys, USER_DEFINED, key};
use super::projection::{self, Method};
use super::wkt::Node;

/// Values of GTModelTypeGeoKey.
const PROJECTED: u16 = 1;
const GEOGRAPHIC: u16 = 2;
const GEOCENTRIC: u16 = 3;

/// GDAL uses the code of a projected CRS alone, unless one of these keys is present.
const OVERRIDING: [u16; 5] =
    [key::GEODETIC_CRS, key::GEODETIC_DATUM, key::ELLIPSOID, key::PROJECTION, key::PROJECTION_METHOD];

/// Code whose parts no key overrides.
const WEB_MERCATOR: u16 = 3857;

const UNCLEAR_UNIT: &str = "a unit that a citation names without its size";

const METRE: u16 = 9001;

/// Spherical, which WKT 1 expresses by an additional PROJ string.
const PSEUDO_MERCATOR: &str = "Popular_Visualisation_Pseudo_Mercator";

/// Returns the CRS of the keys; None without keys.
pub(super) fn crs(keys: &GeoKeys) -> Option<Crs> {
    if keys.is_empty() {
        return None;
    }
    let projected_code = keys.short(key::PROJECTED_CRS).unwrap_or(USER_DEFINED);
    let model = match keys.short(key::MODEL_TYPE).unwrap_or(USER_DEFINED) {
        // Some files lack the model type.
        USER_DEFINED if projected_code != USER_DEFINED => PROJECTED,
        model => model,
    };
    Some(match model {
        PROJECTED => projected(keys, projected_code),
        GEOGRAPHIC => geographic(keys, projected_code),
        GEOCENTRIC => geocentric(keys),
        _ => esri_citation(keys).unwrap_or_else(|| local(keys, None)),
    })
}

fn code(code: u16) -> Crs {
    Crs::Epsg(u32::from(code))
}

fn wkt(node: &Node) -> Crs {
    Crs::Wkt(node.to_string())
}

/// WKT in a citation, written by Esri where GeoKeys do not suffice. GDAL skips a fixed number of characters.
fn esri_citation(keys: &GeoKeys) -> Option<Crs> {
    let text = keys.text(key::PROJECTED_CITATION)?;
    let definition = text.strip_prefix("ESRI PE String = ")?.trim();
    (!definition.is_empty()).then(|| Crs::Wkt(definition.to_owned()))
}

/// Local CRS with a name, possibly the reason why the CRS is unknown, and a unit.
fn local(keys: &GeoKeys, reason: Option<&str>) -> Crs {
    let name = citation::name(keys, &[key::PROJECTED_CITATION, key::CITATION, key::GEODETIC_CITATION]);
    let unit = Unit::read(keys, None);
    wkt(&Node::new("LOCAL_CS").text(reason.or(name.as_deref()).unwrap_or("unnamed")).child(unit.wkt()))
}

/// A linear unit.
#[derive(Debug)]
struct Unit {
    name: &'static str,
    /// Size in metres.
    size: f64,
    /// EPSG code, or 0.
    code: u16,
}

impl Unit {
    /// The unit of the ProjLinearUnits keys, else of the projected CRS's code, else of GeogLinearUnitsGeoKey, else
    /// metres.
    fn read(keys: &GeoKeys, projected: Option<Projected>) -> Self {
        let code = keys
            .short(key::LINEAR_UNITS)
            .or(projected.map(|projected| projected.unit))
            .or_else(|| keys.short(key::GEOG_LINEAR_UNITS))
            .unwrap_or(USER_DEFINED);
        if code == USER_DEFINED {
            let size = keys.double(key::LINEAR_UNIT_SIZE).filter(|size| *size > 0.0);
            return Self { name: "unknown", size: size.unwrap_or(1.0), code: 0 };
        }
        let (name, size) = epsg::unit(code).unwrap_or(("unknown", 1.0));
        Self { name, size, code }
    }

    /// The unit named by a citation, which overrides the keys.
    fn cited(self, unit: CitedUnit) -> Result<Self, ()> {
        match unit {
            CitedUnit::Metres(size) if (size / self.size - 1.0).abs() > 1e-6 => {
                Ok(Self { name: "unknown", size, code: 0 })
            }
            CitedUnit::None | CitedUnit::Metres(_) => Ok(self),
            CitedUnit::Unclear => Err(()),
        }
    }

    fn wkt(&self) -> Node {
        Node::new("UNIT").text(self.name).number(self.size).authority(u32::from(self.code))
    }

    fn is(&self, code: u16) -> bool {
        self.code == code || epsg::unit(code).is_some_and(|(_, size)| (size / self.size - 1.0).abs() < 1e-9)
    }
}

fn projected(keys: &GeoKeys, of: u16) -> Crs {
    let registered = epsg::projected(of);
    if of == WEB_MERCATOR || of != USER_DEFINED && !OVERRIDING.iter().any(|key| keys.has(*key)) {
        if let Some(registered) = registered {
            return in_unit(keys, of, registered);
        }
        if let Some(horizontal) = epsg::horizontal(of) {
            return compound(keys, of, horizontal);
        }
        if epsg::geographic(of).is_some() {
            return code(of);
        }
    }
    if citation::is_state_plane(keys) {
        return local(keys, Some("State Plane zone that a citation names"));
    }
    described(keys, of, registered)
}

/// A projected CRS by its code, in the unit of the keys.
fn in_unit(keys: &GeoKeys, of: u16, registered: Projected) -> Crs {
    let Ok(unit) = Unit::read(keys, Some(registered)).cited(citation::linear_unit(keys, true)) else {
        return local(keys, Some(UNCLEAR_UNIT));
    };
    if unit.is(registered.unit) {
        return code(of);
    }
    let method = projection::registered(registered.projection);
    let base = Base::read(&GeoKeys::default(), Some(registered.geographic));
    match (method, base) {
        (Some(method), Ok(base)) if method.is_exact => assembled(keys, &format!("EPSG:{of}"), &base, &method, &unit),
        _ => local(keys, Some(&format!("EPSG:{of} in another unit, {} m", unit.size))),
    }
}

/// The horizontal part of a compound CRS. GDAL assumes metres unless the keys specify a unit.
fn compound(keys: &GeoKeys, of: u16, horizontal: u16) -> Crs {
    let Some(registered) = epsg::projected(horizontal) else {
        return if epsg::geographic(horizontal).is_some() { code(horizontal) } else { local(keys, None) };
    };
    let unit = Unit::read(keys, None);
    if unit.is(registered.unit) {
        return code(horizontal);
    }
    local(keys, Some(&format!("EPSG:{of} in another unit, {} m", unit.size)))
}

/// A projected CRS described by keys, wholly or in addition to a code.
fn described(keys: &GeoKeys, of: u16, registered: Option<Projected>) -> Crs {
    let base = match Base::read(keys, registered.map(|registered| registered.geographic)) {
        Ok(base) => base,
        Err(reason) => return local(keys, Some(reason)),
    };
    let keyed = Unit::read(keys, registered);
    let method = match method(keys, registered, &base, keyed.size) {
        Ok(method) => method,
        Err(reason) => return local(keys, reason),
    };
    let Ok(unit) = keyed.cited(citation::linear_unit(keys, of != USER_DEFINED)) else {
        return local(keys, Some(UNCLEAR_UNIT));
    };
    if let Some(registered) = registered
        && base.code() == Some(registered.geographic)
        && unit.is(registered.unit)
        && projection::registered(registered.projection).is_some_and(|known| known.is_code(&method))
    {
        return code(of);
    }
    if method.name == "Mercator_1SP" && !method.is_exact {
        return local(keys, Some("a Mercator projection of a sphere"));
    }
    if method.name == PSEUDO_MERCATOR && unit.code == 0 && !unit.is(METRE) {
        return local(keys, Some("web Mercator in a unit without a code"));
    }
    let name = citation::name(keys, &[key::PROJECTED_CITATION, key::CITATION]);
    assembled(keys, name.as_deref().unwrap_or("unnamed"), &base, &method, &unit)
}

/// The projection by method, else by code. The error is the reason, or `None` for a method that GDAL does not know
/// either.
fn method(
    keys: &GeoKeys,
    registered: Option<Projected>,
    base: &Base,
    metres: f64,
) -> Result<Method, Option<&'static str>> {
    let projection = registered
        .map(|registered| registered.projection)
        .or_else(|| keys.short(key::PROJECTION))
        .unwrap_or(USER_DEFINED);
    match keys.short(key::PROJECTION_METHOD) {
        // The UTM zones are defined without keys.
        Some(USER_DEFINED) if !matches!(projection, 16001..=16060 | 16101..=16160) => Err(None),
        Some(USER_DEFINED) | None => projection::registered(projection).ok_or(None),
        Some(method) => projection::from_keys(keys, method, base.degrees(), metres),
    }
}

/// WKT 1 of a projected CRS.
fn assembled(keys: &GeoKeys, name: &str, base: &Base, method: &Method, unit: &Unit) -> Crs {
    if method.name == PSEUDO_MERCATOR {
        return pseudo_mercator(keys, name, method, unit);
    }
    let mut node = match base.wkt_below() {
        Ok(below) => Node::new("PROJCS").text(name).child(below),
        Err(reason) => return local(keys, Some(reason)),
    };
    node = node.child(Node::new("PROJECTION").text(method.name));
    for (name, value) in &method.parameters {
        node = node.child(parameter(name, *value));
    }
    node = node
        .child(parameter("false_easting", method.false_easting / unit.size))
        .child(parameter("false_northing", method.false_northing / unit.size));
    wkt(&node.child(unit.wkt()))
}

fn parameter(name: &str, value: f64) -> Node {
    Node::new("PARAMETER").text(name).number(value)
}

/// Web Mercator, which GDAL bases on WGS 84 regardless of the geographic CRS.
fn pseudo_mercator(keys: &GeoKeys, name: &str, method: &Method, unit: &Unit) -> Crs {
    let size = unit.size;
    let proj = format!(
        "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0={} +y_0={} +k=1 +to_meter={size} +nadgrids=@null +wktext +no_defs",
        method.false_easting, method.false_northing
    );
    let below = match Base::read(&GeoKeys::default(), Some(WGS_84)).and_then(|base| base.wkt_below()) {
        Ok(below) => below,
        Err(reason) => return local(keys, Some(reason)),
    };
    let node = Node::new("PROJCS")
        .text(name)
        .child(below)
        .child(Node::new("PROJECTION").text("Mercator_1SP"))
        .child(parameter("central_meridian", 0.0))
        .child(parameter("scale_factor", 1.0))
        .child(parameter("false_easting", method.false_easting / size))
        .child(parameter("false_northing", method.false_northing / size))
        .child(unit.wkt());
    wkt(&node.child(Node::new("EXTENSION").text("PROJ4").text(&proj)))
}

const WGS_84: u16 = 4326;

/// A geographic CRS by code, or by the keys of its parts.
fn geographic(keys: &GeoKeys, projected_code: u16) -> Crs {
    let implied = epsg::projected(projected_code).map(|projected| projected.geographic);
    let is_dynamic = |code| epsg::geographic(code).is_some_and(|known| known.is_dynamic);
    if let Some(of) = keys.short(key::GEODETIC_CRS).or(implied) {
        let horizontal = epsg::horizontal(of).unwrap_or(of);
        let below = epsg::projected(horizontal).map_or(horizontal, |projected| projected.geographic);
        // GDAL uses these codes as registered, even if the code is that of a projected CRS on one.
        if is_dynamic(below) {
            return code(horizontal);
        }
        if epsg::geographic(of).is_some_and(|known| known.is_geocentric) {
            return code(of);
        }
    }
    let described = Base::read(keys, implied).and_then(|base| match base.code() {
        Some(known) => Ok(code(known)),
        None => base.wkt().map(|node| wkt(&node)),
    });
    described.unwrap_or_else(|reason| local(keys, Some(reason)))
}

/// A geocentric CRS, which is not usable for maps.
fn geocentric(keys: &GeoKeys) -> Crs {
    if let Some(of) = keys.short(key::GEODETIC_CRS)
        && epsg::geographic(of).is_some_and(|known| known.is_geocentric)
    {
        return code(of);
    }
    Base::read(keys, None).map_or_else(|reason| local(keys, Some(reason)), |base| wkt(&base.wkt_geocentric()))
}
