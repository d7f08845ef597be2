//! Rows of STAC GeoParquet as Items, so that they unify with items of any other file.
//!
//! Converts columns back to JSON (stac-geoparquet 1.0 and 1.1). A NULL becomes an absent member, because a STRUCT of assets has a
//! field for every asset of any item.

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use serde_json::{Map, Value};

use super::item;
use crate::parquet::{Kind, to_json};
use crate::types::json;

/// Columns that are members of the item; the others are properties.
const MEMBERS: [&str; 10] = [
    "type",
    item::STAC_VERSION,
    item::STAC_EXTENSIONS,
    item::ID,
    item::GEOMETRY,
    item::BBOX,
    item::LINKS,
    item::ASSETS,
    item::COLLECTION,
    item::PROPERTIES,
];

/// The item of a row; an error names the column whose type has no JSON.
pub(super) fn item(batch: &RecordBatch, row: usize) -> Result<Value, String> {
    let mut item = Map::new();
    let mut properties = Map::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = field.name();
        let Some(value) = to_json(array, row).map_err(|what| format!("column '{name}': {what}"))? else { continue };
        let value = match value {
            Value::String(digits) if name == item::GEOMETRY && *field.data_type() == DataType::Binary => {
                Value::Object(Map::from_iter([(item::WKB.to_owned(), digits.into())]))
            }
            // Some writers store values of different types as JSON.
            Value::String(text) if Kind::of(field) == Some(Kind::Json) || is_json(name) => {
                json::parse(text.as_bytes()).unwrap_or(Value::String(text))
            }
            value => value,
        };
        match MEMBERS.contains(&name.as_str()) {
            true => item.insert(name.clone(), value),
            false => properties.insert(name.clone(), value),
        };
    }
    if let Some(Value::Object(more)) = item.get_mut(item::PROPERTIES) {
        properties.append(more);
    }
    item.insert(item::PROPERTIES.to_owned(), properties.into());
    if batch.schema_ref().column_with_name(item::ASSETS).is_some() {
        item.entry(item::ASSETS).or_insert_with(|| Map::new().into());
    }
    item.entry("type").or_insert_with(|| "Feature".into());
    Ok(item.into())
}

/// Members that are objects or lists in STAC.
fn is_json(name: &str) -> bool {
    [item::ASSETS, item::LINKS, item::PROPERTIES, item::BBOX, item::STAC_EXTENSIONS, item::GEOMETRY].contains(&name)
}
