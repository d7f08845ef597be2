//! Validates an Item of any STAC version and converts it to a record.
//!
//! Hrefs are made absolute, geometries converted to WKB and boxes, and times, CRS codes and bands to one notation. Absent
//! members remain absent.
//!
//! | record | from |
//! |---|---|
//! | `id`, `collection` | the item; a number as its text |
//! | `datetime` | `properties.datetime` |
//! | `geometry` | the item's GeoJSON, or WKB from GeoParquet |
//! | `bbox` | the item's box of two or three dimensions, else around the geometry |
//! | `assets` | the item's, hrefs resolved, `bands` as in STAC 1.1 |
//! | `proj:epsg` | `properties`, by the order of [`record_crs`]; else the code that all GeoTIFFs among the assets agree on |
//! | `eo:cloud_cover` | `properties` |
//! | `properties` | the other properties |
//! | `members` | members of the item that STAC does not define |

use serde_json::{Map, Value};

use super::href::{is_absolute, resolve};
use super::{bands, wkb};
use crate::enrich::record_crs::{self, RecordCrs};
use crate::enrich::{envelope, is_geotiff};
use crate::types::hex;
use crate::types::time::{self, Time};

/// The record's members, which are also the first columns.
pub(super) const ID: &str = "id";
pub(super) const COLLECTION: &str = "collection";
pub(super) const DATETIME: &str = "datetime";
pub(super) const GEOMETRY: &str = "geometry";
pub(super) const BBOX: &str = "bbox";
pub(super) const ASSETS: &str = "assets";
pub(super) const EPSG: &str = "proj:epsg";
pub(super) const CLOUD_COVER: &str = "eo:cloud_cover";
pub(super) const PROPERTIES: &str = "properties";
pub(super) const STAC_VERSION: &str = "stac_version";
pub(super) const STAC_EXTENSIONS: &str = "stac_extensions";
pub(super) const LINKS: &str = "links";
pub(super) const MEMBERS: &str = "members";

/// The member of `geometry` that holds hexadecimal WKB, for items from GeoParquet.
pub(super) const WKB: &str = "wkb";

/// The type of a STAC object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Item,
    /// A Catalog or a Collection: not a record, but valid among files.
    Catalog,
    Other,
}

impl Kind {
    /// By its `type`, which catalogs before STAC 1.0 do not have.
    pub(super) fn of(object: &Map<String, Value>) -> Self {
        match object.get("type").and_then(Value::as_str) {
            Some("Feature") => Self::Item,
            Some("Catalog" | "Collection") => Self::Catalog,
            Some(_) => Self::Other,
            None if object.contains_key(LINKS) && !object.contains_key(PROPERTIES) => Self::Catalog,
            None => Self::Other,
        }
    }
}

/// Name of an item in messages: its id, if it has one.
pub(super) fn named(item: &Value) -> Option<String> {
    let text = match item.get(ID)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text.chars().filter(|c| !c.is_control()).take(100).collect())
}

/// Returns the record of an item at `base`, or an error message.
pub(super) fn normalize(item: Value, base: &str) -> Result<Map<String, Value>, String> {
    let Value::Object(mut item) = item else {
        return Err(format!("expected a STAC Item, found {}", kind(&item)));
    };
    if Kind::of(&item) != Kind::Item {
        return Err(match item.get("type").and_then(Value::as_str) {
            Some(other) => format!("expected type Feature, found {}", short(other)),
            None => "expected a STAC Item (type Feature), found an object without a type".to_owned(),
        });
    }
    if !item.contains_key(ASSETS) && !item.contains_key(PROPERTIES) {
        return Err("expected a STAC Item, found a Feature with neither properties nor assets".to_owned());
    }
    let mut record = Map::new();
    record.insert(ID.to_owned(), Value::String(id(item.shift_remove(ID).as_ref())?));
    let collection = item.shift_remove(COLLECTION).and_then(|collection| match collection {
        Value::Null => None,
        Value::String(text) => Some(Value::String(text)),
        other => Some(Value::String(other.to_string())),
    });
    record.insert(COLLECTION.to_owned(), collection.unwrap_or_default());
    let mut properties = object(&mut item, PROPERTIES)?;
    record.insert(DATETIME.to_owned(), datetime(properties.shift_remove(DATETIME))?);
    let geometry = geometry(item.shift_remove(GEOMETRY))?;
    record.insert(BBOX.to_owned(), bbox(item.shift_remove(BBOX), geometry.as_deref())?);
    record.insert(GEOMETRY.to_owned(), geometry.map(|wkb| hex::encode(&wkb).into()).unwrap_or_default());

    let mut links = item.shift_remove(LINKS).unwrap_or_default();
    let own = own_link(&links);
    let base = own.as_deref().unwrap_or(base);
    links.as_array_mut().into_iter().flatten().for_each(|link| resolve_member(link, base));
    let mut assets = object(&mut item, ASSETS)?;
    for (key, asset) in &mut assets {
        resolve_member(asset, base);
        let Value::Object(asset) = asset else {
            return Err(format!("asset '{}': expected an object, found {}", short(key), kind(asset)));
        };
        // Other places of the same file (Alternate Assets extension).
        if let Some(Value::Object(alternates)) = asset.get_mut("alternate") {
            alternates.values_mut().for_each(|alternate| resolve_member(alternate, base));
        }
        bands::unify(asset, &properties).map_err(|what| format!("asset '{}': {what}", short(key)))?;
    }
    record.insert(EPSG.to_owned(), epsg(&mut properties, &assets)?.map(Value::from).unwrap_or_default());
    record.insert(CLOUD_COVER.to_owned(), properties.shift_remove(CLOUD_COVER).unwrap_or_default());
    record.insert(ASSETS.to_owned(), Value::Object(assets));
    record.insert(PROPERTIES.to_owned(), Value::Object(properties));
    record.insert(LINKS.to_owned(), links);
    for name in [STAC_VERSION, STAC_EXTENSIONS] {
        record.insert(name.to_owned(), item.shift_remove(name).unwrap_or_default());
    }
    item.shift_remove("type");
    record.insert(MEMBERS.to_owned(), Value::Object(item));
    Ok(record)
}

fn id(value: Option<&Value>) -> Result<String, String> {
    match value {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(other) => Err(format!("id: expected a text, found {}", kind(other))),
        None => Err("no id".to_owned()),
    }
}

/// An object, or an empty one.
fn object(item: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match item.shift_remove(name) {
        Some(Value::Object(object)) => Ok(object),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(other) => Err(format!("{name}: expected an object, found {}", kind(&other))),
    }
}

/// One notation of the time; a number is a year.
fn datetime(value: Option<Value>) -> Result<Value, String> {
    let text = match value {
        None | Some(Value::Null) => return Ok(Value::Null),
        Some(Value::String(text)) => text,
        Some(Value::Number(year)) => format!("{:0>4}", year.to_string()),
        Some(other) => return Err(format!("datetime: expected a text, found {}", kind(&other))),
    };
    let time = Time::parse(&text).and_then(|time| time::rfc3339(time.micros));
    time.map(Value::String)
        .ok_or_else(|| format!("datetime: expected a date-time of RFC 3339, found '{}'", short(&text)))
}

fn geometry(value: Option<Value>) -> Result<Option<Vec<u8>>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(geometry)) => {
            let wkb = match geometry.get(WKB).and_then(Value::as_str) {
                Some(digits) => hex::decode(digits).ok_or_else(|| "no WKB".to_owned()),
                None => wkb::of_geojson(&geometry),
            };
            wkb.map(Some).map_err(|what| format!("geometry: {what}"))
        }
        Some(other) => Err(format!("geometry: expected a GeoJSON object, found {}", kind(&other))),
    }
}

fn bbox(value: Option<Value>, geometry: Option<&[u8]>) -> Result<Value, String> {
    let numbers = match value {
        None | Some(Value::Null) => {
            return Ok(geometry.and_then(envelope::of_wkb).map(|sides| sides.to_vec().into()).unwrap_or_default());
        }
        Some(Value::Array(numbers)) => numbers,
        // As in GeoParquet.
        Some(Value::Object(sides)) => {
            ["xmin", "ymin", "xmax", "ymax"].iter().filter_map(|side| sides.get(*side).cloned()).collect()
        }
        Some(other) => return Err(format!("bbox: expected a list of numbers, found {}", kind(&other))),
    };
    let sides = match numbers.as_slice() {
        [xmin, ymin, xmax, ymax] | [xmin, ymin, _, xmax, ymax, _] => [xmin, ymin, xmax, ymax],
        other => return Err(format!("bbox: expected 4 or 6 numbers, found {}", other.len())),
    };
    // Some catalogs write null for a missing geometry.
    if sides.iter().all(|side| side.is_null()) {
        return Ok(Value::Null);
    }
    match sides.iter().find(|side| !side.is_number()) {
        None => Ok(Value::Array(sides.into_iter().cloned().collect())),
        Some(side) => Err(format!("bbox: expected numbers, found {}", kind(side))),
    }
}

/// The item's own URL, if it is absolute.
fn own_link(links: &Value) -> Option<String> {
    let own = links.as_array()?.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("self"))?;
    own.get("href").and_then(Value::as_str).filter(|href| is_absolute(href)).map(str::to_owned)
}

fn resolve_member(object: &mut Value, base: &str) {
    if let Some(Value::String(href)) = object.get_mut("href") {
        *href = resolve(base, href);
    }
}

/// The record's EPSG code. Its source stays in the properties, except for `proj:epsg`, which becomes this column.
fn epsg(properties: &mut Map<String, Value>, assets: &Map<String, Value>) -> Result<Option<i32>, String> {
    let own = match properties.shift_remove(EPSG) {
        None | Some(Value::Null) => None,
        // Before null was introduced, zero meant a CRS without a code.
        Some(Value::Number(zero)) if zero.as_i64() == Some(0) => None,
        Some(value) => {
            let code = RecordCrs::of_value(&value).filter(|crs| crs.epsg.is_some());
            let unexpected = || format!("{EPSG}: expected an EPSG code, found {}", short(&value.to_string()));
            Some(code.ok_or_else(unexpected)?)
        }
    };
    let of_item = record_crs::first(record_crs::MEMBERS.into_iter().map(|name| match name {
        EPSG => own.clone(),
        name => RecordCrs::of_value(properties.get(name)?),
    }));
    if let Some(crs) = of_item {
        return Ok(crs.epsg);
    }
    let text = |asset: &Value, name: &str| asset.get(name).and_then(Value::as_str).map(str::to_owned);
    let rasters =
        assets.values().filter(|asset| is_geotiff(text(asset, "type").as_deref(), text(asset, "href").as_deref()));
    let mut codes = rasters.map(|asset| {
        let members = record_crs::MEMBERS.into_iter().map(|name| RecordCrs::of_value(asset.get(name)?));
        record_crs::first(members)?.epsg
    });
    let first = codes.next().flatten();
    Ok(first.filter(|_| codes.all(|code| code == first)))
}

/// Name of the JSON type of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A text of the file, as much of it as an error needs.
fn short(text: &str) -> String {
    crate::types::location::redacted(text).chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(members: Value) -> Value {
        let mut item = json!({"type": "Feature", "stac_version": "1.0.0", "id": "a", "geometry": null, "properties": {},
            "links": [], "assets": {}});
        item.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        item
    }

    fn record(members: Value) -> Result<Value, String> {
        normalize(item(members), "dir/item.json").map(Value::Object)
    }

    #[test]
    fn hrefs_are_resolved_by_the_self_link_or_the_file() {
        let assets =
            json!({"a": {"href": "./a.tif", "alternate": {"s3": {"href": "s3://b/a.tif"}, "x": {"href": "x"}}}});
        let found = record(json!({"assets": assets, "links": [{"rel": "parent", "href": "../c.json"}]})).unwrap();
        assert_eq!(found["assets"]["a"]["href"], "dir/a.tif");
        assert_eq!(found["assets"]["a"]["alternate"]["s3"]["href"], "s3://b/a.tif");
        assert_eq!(found["assets"]["a"]["alternate"]["x"]["href"], "dir/x");
        assert_eq!(found["links"][0]["href"], "c.json");
        let own = json!([{"rel": "self", "href": "https://h/c/item.json"}]);
        assert_eq!(
            record(json!({"assets": assets, "links": own})).unwrap()["assets"]["a"]["href"],
            "https://h/c/a.tif"
        );
        let relative = json!([{"rel": "self", "href": "./item.json"}]);
        assert_eq!(record(json!({"assets": assets, "links": relative})).unwrap()["assets"]["a"]["href"], "dir/a.tif");
    }

    #[test]
    fn codes() {
        let epsg = |properties: Value| record(json!({"properties": properties})).map(|record| record[EPSG].clone());
        assert_eq!(epsg(json!({"proj:epsg": 32631})).unwrap(), 32631);
        assert_eq!(epsg(json!({"proj:epsg": 32631.0})).unwrap(), 32631);
        assert_eq!(epsg(json!({"proj:epsg": "EPSG:32631"})).unwrap(), 32631);
        assert_eq!(epsg(json!({"proj:epsg": null, "proj:code": "EPSG:32631"})).unwrap(), 32631);
        assert_eq!(epsg(json!({"eo:epsg": 32631})).unwrap(), 32631);
        assert_eq!(epsg(json!({"proj:epsg": 32632, "proj:code": "EPSG:32631"})).unwrap(), 32631);
        assert_eq!(epsg(json!({"proj:epsg": 32632, "proj:code": null})).unwrap(), 32632);
        assert_eq!(epsg(json!({"proj:epsg": 4326, "proj:code": "IAU_2015:30100"})).unwrap(), Value::Null);
        assert_eq!(epsg(json!({"proj:code": "IAU_2015:30100"})).unwrap(), Value::Null);
        let projjson = json!({"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 32631}});
        assert_eq!(epsg(json!({"proj:projjson": projjson})).unwrap(), 32631);
        assert_eq!(epsg(json!({})).unwrap(), Value::Null);
        assert_eq!(epsg(json!({"proj:epsg": true})).unwrap_err(), "proj:epsg: expected an EPSG code, found true");
        let assets = |second: i64| {
            json!({"assets": {"a": {"href": "a.tif", "proj:epsg": 32631}, "b": {"href": "b.tif", "proj:code": format!("EPSG:{second}")},
                "c": {"href": "c.png"}}})
        };
        assert_eq!(record(assets(32631)).unwrap()[EPSG], 32631);
        assert_eq!(record(assets(32632)).unwrap()[EPSG], Value::Null);
    }

    #[test]
    fn boxes() {
        let bbox = |value: Value| record(json!({"bbox": value})).map(|record| record[BBOX].clone());
        assert_eq!(bbox(json!([1, 2, 3, 4])).unwrap(), json!([1, 2, 3, 4]));
        assert_eq!(bbox(json!([1, 2, 0, 3, 4, 9])).unwrap(), json!([1, 2, 3, 4]));
        assert_eq!(bbox(json!([null, null, null, null])).unwrap(), Value::Null);
        assert_eq!(bbox(json!([1, 2, 3])).unwrap_err(), "bbox: expected 4 or 6 numbers, found 3");
        assert_eq!(bbox(json!([1, 2, 3, "4"])).unwrap_err(), "bbox: expected numbers, found a text");
        let line = json!({"type": "LineString", "coordinates": [[1, 2], [-3, 4]]});
        assert_eq!(record(json!({"geometry": line})).unwrap()[BBOX], json!([-3.0, 2.0, 1.0, 4.0]));
    }

    #[test]
    fn times() {
        let time =
            |value: Value| record(json!({"properties": {"datetime": value}})).map(|record| record[DATETIME].clone());
        assert_eq!(time(json!("2024-01-01T02:00:00.5+02:00")).unwrap(), "2024-01-01T00:00:00.500000Z");
        assert_eq!(time(json!("2024-01-01")).unwrap(), "2024-01-01T00:00:00Z");
        assert_eq!(time(json!(2024)).unwrap(), "2024-01-01T00:00:00Z");
        assert_eq!(time(json!(null)).unwrap(), Value::Null);
        let error = time(json!("last summer")).unwrap_err();
        assert_eq!(error, "datetime: expected a date-time of RFC 3339, found 'last summer'");
    }

    #[test]
    fn errors_for_values_other_than_items() {
        for (value, expected) in [
            (json!([]), "expected a STAC Item, found a list"),
            (json!({"type": "Nothing"}), "expected type Feature, found Nothing"),
            (json!({"id": "a"}), "expected a STAC Item (type Feature), found an object without a type"),
            (json!({"type": "Feature"}), "expected a STAC Item, found a Feature with neither properties nor assets"),
            (json!({"type": "Feature", "assets": {}}), "no id"),
            (item(json!({"id": null})), "id: expected a text, found null"),
            (item(json!({"properties": [1]})), "properties: expected an object, found a list"),
            (item(json!({"assets": {"a": "href"}})), "asset 'a': expected an object, found a text"),
            (item(json!({"geometry": {"type": "Circle"}})), "geometry: type 'Circle' is not a GeoJSON geometry"),
            (item(json!({"geometry": "POINT(1 2)"})), "geometry: expected a GeoJSON object, found a text"),
        ] {
            assert_eq!(normalize(value, "item.json").unwrap_err(), expected);
        }
    }

    #[test]
    fn unknown_members_are_kept() {
        let found =
            record(json!({"virtual:assets": {"a": 1}, "properties": {"x": 1, "proj:code": "EPSG:32631"}})).unwrap();
        assert_eq!(found[MEMBERS], json!({"virtual:assets": {"a": 1}}));
        assert_eq!(found[PROPERTIES], json!({"x": 1, "proj:code": "EPSG:32631"}));
    }
}
