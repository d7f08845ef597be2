//! Rows of STAC GeoParquet as Items, so that they unify with items of any other file.
//!
//! Owns the way back from columns to JSON (stac-geoparquet 1.0 and 1.1). A member that is NULL is absent: a STRUCT of assets
//! has a field for every asset of any item.

use arrow_array::cast::{AsArray, as_boolean_array};
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Number, Value};

use super::{item, time, wkb};
use crate::parquet::Kind;
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
        let Some(value) = value(array, row).map_err(|what| format!("column '{name}': {what}"))? else { continue };
        let value = match value {
            Value::String(digits) if name == item::GEOMETRY && *field.data_type() == DataType::Binary => {
                Value::Object(Map::from_iter([(item::WKB.to_owned(), digits.into())]))
            }
            // Some writers keep what differs from item to item as JSON.
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

/// A value as JSON; None for NULL. An error where its type has no JSON.
pub(crate) fn value(array: &ArrayRef, row: usize) -> Result<Option<Value>, String> {
    if array.is_null(row) {
        return Ok(None);
    }
    macro_rules! integer {
        ($kind:ty) => {
            Value::from(array.as_primitive::<$kind>().value(row))
        };
    }
    let time = |micros: i64| match time::rfc3339(micros) {
        Some(text) => Ok(Value::String(text)),
        None => Err(format!("a time of {micros} µs since 1970, which no date has")),
    };
    Ok(Some(match array.data_type() {
        DataType::Null => return Ok(None),
        DataType::Boolean => as_boolean_array(array).value(row).into(),
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        // By its shortest text, so that 0.1 stays 0.1.
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            double(value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
        }
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            let text = array.as_primitive::<Decimal128Type>().value_as_string(row);
            text.parse().map_or_else(|_| Value::String(text), double)
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => wkb::to_hex(array.as_binary::<i32>().value(row)).into(),
        DataType::Date32 => {
            const MICROS: i64 = 86_400_000_000;
            let text = time::rfc3339(i64::from(array.as_primitive::<Date32Type>().value(row)) * MICROS);
            let date = text.as_ref().and_then(|text| text.split('T').next());
            date.ok_or_else(|| "a date beyond the calendar".to_owned())?.into()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            time(array.as_primitive::<TimestampMicrosecondType>().value(row))?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            time(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000))?
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            let values = (0..list.len()).map(|at| Ok(value(&list, at)?.unwrap_or_default()));
            Value::Array(values.collect::<Result<_, String>>()?)
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let mut object = Map::new();
            for (field, column) in columns {
                if let Some(value) = value(column, row)? {
                    object.insert(field.name().clone(), value);
                }
            }
            object.into()
        }
        DataType::Map(..) => {
            let entries_of_row = array.as_map().value(row);
            let mut object = Map::new();
            for at in 0..entries_of_row.len() {
                let name = match value(entries_of_row.column(0), at)? {
                    Some(Value::String(name)) => name,
                    Some(other) => other.to_string(),
                    None => continue,
                };
                if let Some(value) = value(entries_of_row.column(1), at)? {
                    object.insert(name, value);
                }
            }
            object.into()
        }
        other => return Err(format!("a type that no item has: {other}")),
    }))
}

fn double(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => "nan".into(),
        None if value > 0.0 => "inf".into(),
        None => "-inf".into(),
    }
}
