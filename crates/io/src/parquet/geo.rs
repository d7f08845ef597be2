//! GeoParquet's `geo` key-value entry: which columns are WKB, and in which CRS.
//!
//! Source: GeoParquet 1.1, "File metadata" and "Column metadata". More is accepted than it allows, because real writers
//! leave out `geometry_types`: a column is used if its encoding is WKB in any letter case.

use parquet::file::metadata::FileMetaData;
use serde_json::Value;

use super::Kind;

/// The CRS of a column without a member `crs` (GeoParquet 1.1, "crs").
const DEFAULT_CRS: &str = "OGC:CRS84";

/// The WKB columns of the `geo` entry, with their kind. Empty without such an entry, or if it is not JSON.
pub(super) fn columns(file: &FileMetaData) -> Vec<(String, Kind)> {
    let text = file
        .key_value_metadata()
        .and_then(|entries| entries.iter().find(|entry| entry.key == "geo"))
        .and_then(|entry| entry.value.as_deref());
    let Some(Ok(geo)) = text.map(serde_json::from_str::<Value>) else { return Vec::new() };
    let Some(columns) = geo.get("columns").and_then(Value::as_object) else { return Vec::new() };
    columns
        .iter()
        .filter(|(_, column)| {
            column.get("encoding").and_then(Value::as_str).is_some_and(|encoding| encoding.eq_ignore_ascii_case("WKB"))
        })
        .map(|(name, column)| (name.clone(), Kind::Wkb { crs: crs(column.get("crs")) }))
        .collect()
}

/// The kind of a column with Parquet's own GEOMETRY annotation, whose `crs` is free text.
pub(super) fn annotated(crs: Option<&str>) -> Kind {
    Kind::Wkb { crs: Some(crs.unwrap_or(DEFAULT_CRS).to_owned()) }
}

fn crs(member: Option<&Value>) -> Option<String> {
    match member {
        None => Some(DEFAULT_CRS.to_owned()),
        Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(projjson) => {
            let id = projjson.get("id");
            let is =
                |key: &str, expected: &str| id.and_then(|id| id.get(key)).and_then(Value::as_str) == Some(expected);
            if is("authority", "OGC") && is("code", "CRS84") {
                Some(DEFAULT_CRS.to_owned())
            } else {
                Some(projjson.to_string())
            }
        }
    }
}
