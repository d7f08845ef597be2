//! The CRS that GeoKeys name or define.

use super::Crs;
use super::keys::{GeoKeys, USER_DEFINED, key};

/// `EPSG:n` where the keys name a code.
pub(crate) fn crs(keys: &GeoKeys) -> Option<Crs> {
    if let Some(code) = keys.code(key::PROJECTED_CRS) {
        return Some(Crs::Epsg(u32::from(code)));
    }
    if keys.short(key::PROJECTED_CRS) != Some(USER_DEFINED)
        && let Some(code) = keys.code(key::GEODETIC_CRS)
    {
        return Some(Crs::Epsg(u32::from(code)));
    }
    None
}
