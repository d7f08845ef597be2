//! Values of records as JSON.

use arrow_array::cast::{AsArray, as_boolean_array};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Number, Value};

use crate::types::{hex, time};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A value as JSON; None for NULL. An error if its type has no JSON.
pub(crate) fn to_json(array: &ArrayRef, row: usize) -> Result<Option<Value>, String> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match array.data_type() {
        DataType::Null => return Ok(None),
        DataType::Boolean => as_boolean_array(array).value(row).into(),
        DataType::Int8 => integer::<Int8Type>(array, row),
        DataType::Int16 => integer::<Int16Type>(array, row),
        DataType::Int32 => integer::<Int32Type>(array, row),
        DataType::Int64 => integer::<Int64Type>(array, row),
        DataType::UInt8 => integer::<UInt8Type>(array, row),
        DataType::UInt16 => integer::<UInt16Type>(array, row),
        DataType::UInt32 => integer::<UInt32Type>(array, row),
        DataType::UInt64 => integer::<UInt64Type>(array, row),
        // Uses the shortest text, so that 0.1 remains 0.1.
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
        DataType::Binary => hex::encode(array.as_binary::<i32>().value(row)).into(),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row))?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            timestamp(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000))?
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::Struct(_) | DataType::Map(..) => object(array, row)?,
        other => return Err(format!("a type that no item has: {other}")),
    }))
}

fn integer<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> Value
where
    Value: From<T::Native>,
{
    array.as_primitive::<T>().value(row).into()
}

fn double(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => "nan".into(),
        None if value > 0.0 => "inf".into(),
        None => "-inf".into(),
    }
}

fn date(days: i32) -> Result<Value, String> {
    let text = time::rfc3339(i64::from(days) * MICROS_PER_DAY);
    let date = text.as_ref().and_then(|text| text.split('T').next());
    Ok(date.ok_or_else(|| "a date beyond the calendar".to_owned())?.into())
}

fn timestamp(micros: i64) -> Result<Value, String> {
    match time::rfc3339(micros) {
        Some(text) => Ok(Value::String(text)),
        None => Err(format!("a time of {micros} µs since 1970, which no date has")),
    }
}

fn list(values: &ArrayRef) -> Result<Value, String> {
    let values = (0..values.len()).map(|at| Ok(to_json(values, at)?.unwrap_or_default()));
    Ok(Value::Array(values.collect::<Result<_, String>>()?))
}

/// A STRUCT or a MAP; members that are NULL are left out.
fn object(array: &ArrayRef, row: usize) -> Result<Value, String> {
    let mut object = Map::new();
    if let Some(members) = array.as_struct_opt() {
        for (field, column) in members.fields().iter().zip(members.columns()) {
            if let Some(value) = to_json(column, row)? {
                object.insert(field.name().clone(), value);
            }
        }
        return Ok(object.into());
    }
    let entries = array.as_map().value(row);
    for at in 0..entries.len() {
        let name = match to_json(entries.column(0), at)? {
            Some(Value::String(name)) => name,
            Some(other) => other.to_string(),
            None => continue,
        };
        if let Some(value) = to_json(entries.column(1), at)? {
            object.insert(name, value);
        }
    }
    Ok(object.into())
}
