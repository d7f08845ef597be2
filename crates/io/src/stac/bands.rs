//! The bands of an asset in the form of STAC 1.1, from any of the three forms that items use.
//!
//! | STAC | an asset has |
//! |---|---|
//! | 1.1 | `bands`, a list of objects |
//! | 0.9 to 1.0 | `eo:bands` and `raster:bands`, lists of objects that belong together by position |
//! | before 0.9 | `eo:bands`, positions in the list `eo:bands` of the item's properties |
//!
//! Source: STAC 1.1, "Common Metadata", Bands, and its list of changes since 1.0. The section that defines a member
//! there determines its prefix here; a name with a prefix is kept. The item's own members are kept in addition to `bands`.

use serde_json::{Map, Value};

const BANDS: &str = "bands";
const EO: &str = "eo:bands";
const RASTER: &str = "raster:bands";

/// Members that became common metadata; the others of `eo:bands` and `raster:bands` got the extension's prefix.
const COMMON: [&str; 6] = ["name", "description", "data_type", "nodata", "unit", "statistics"];

/// Adds `bands` to an asset with band information, and resolves positions in `eo:bands`.
pub(super) fn unify(asset: &mut Map<String, Value>, properties: &Map<String, Value>) -> Result<(), String> {
    if let Some(Value::Array(positions)) = asset.get_mut(EO) {
        for position in positions.iter_mut().filter(|position| position.is_number()) {
            let found = position.as_u64().and_then(|at| usize::try_from(at).ok());
            let found = found.and_then(|at| properties.get(EO)?.get(at)).filter(|band| band.is_object());
            *position = match found {
                Some(band) => band.clone(),
                None => return Err(format!("{EO}: no band {position} in the item's {EO}")),
            };
        }
    }
    if asset.get(BANDS).is_some_and(Value::is_array) {
        return Ok(());
    }
    let list = |name: &str| asset.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (eo, raster) = (list(EO), list(RASTER));
    if eo.is_empty() && raster.is_empty() {
        return Ok(());
    }
    let bands = (0..eo.len().max(raster.len())).map(|index| {
        let mut band = Map::new();
        for (members, prefix) in [(eo.get(index), "eo"), (raster.get(index), "raster")] {
            for (name, value) in members.and_then(Value::as_object).into_iter().flatten() {
                let name = match name.contains(':') || COMMON.contains(&name.as_str()) {
                    true => name.clone(),
                    false => format!("{prefix}:{name}"),
                };
                band.insert(name, value.clone());
            }
        }
        Value::Object(band)
    });
    let bands = bands.collect();
    asset.insert(BANDS.to_owned(), Value::Array(bands));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bands(mut asset: Value, properties: Value) -> Result<Value, String> {
        let asset = asset.as_object_mut().unwrap();
        unify(asset, properties.as_object().unwrap())?;
        Ok(asset.get(BANDS).cloned().unwrap_or_default())
    }

    #[test]
    fn the_three_forms_are_equivalent() {
        let eo = json!([{"name": "B04", "common_name": "red", "eo:x": 1}]);
        let raster = json!([{"nodata": 0, "data_type": "uint16", "scale": 0.1, "spatial_resolution": 10}]);
        let expected = json!([{"name": "B04", "eo:common_name": "red", "eo:x": 1, "nodata": 0, "data_type": "uint16",
            "raster:scale": 0.1, "raster:spatial_resolution": 10}]);
        assert_eq!(bands(json!({"eo:bands": eo, "raster:bands": raster}), json!({})).unwrap(), expected);
        let by_position = json!({"eo:bands": [1, 0]});
        let properties = json!({"eo:bands": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(bands(by_position, properties).unwrap(), json!([{"name": "b"}, {"name": "a"}]));
        let modern = json!([{"name": "B04"}]);
        assert_eq!(bands(json!({"bands": modern, "eo:bands": eo}), json!({})).unwrap(), modern);
    }

    #[test]
    fn lists_of_different_lengths() {
        let asset = json!({"eo:bands": [{"name": "a"}], "raster:bands": [{"unit": "m"}, {"unit": "s"}]});
        assert_eq!(bands(asset, json!({})).unwrap(), json!([{"name": "a", "unit": "m"}, {"unit": "s"}]));
    }

    #[test]
    fn assets_without_bands_have_none() {
        for asset in [json!({}), json!({"eo:bands": []}), json!({"eo:bands": null}), json!({"eo:bands": "red"})] {
            assert_eq!(bands(asset, json!({})).unwrap(), Value::Null);
        }
        let error = bands(json!({"eo:bands": [2]}), json!({"eo:bands": [{}]})).unwrap_err();
        assert_eq!(error, "eo:bands: no band 2 in the item's eo:bands");
    }
}
