//! Reads single values of Arrow arrays whose type is known at run time only. NULL, another type and a missing row are
//! None.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// A VARCHAR.
pub(crate) fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 if array.is_valid(row) => Some(array.as_string::<i32>().value(row)),
        _ => None,
    }
}

/// A BLOB.
pub(crate) fn bytes(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    match array.data_type() {
        DataType::Binary if array.is_valid(row) => Some(array.as_binary::<i32>().value(row)),
        _ => None,
    }
}

/// A number without a fraction.
pub(crate) fn integer(array: &ArrayRef, row: usize) -> Option<i64> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int8 => Some(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Some(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Some(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Some(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Some(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Some(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => i64::try_from(array.as_primitive::<UInt64Type>().value(row)).ok(),
        // JSON readers convert codes to doubles if some records have none.
        DataType::Float32 => whole(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => whole(array.as_primitive::<Float64Type>().value(row)),
        _ => None,
    }
}

/// A double without a fraction, as Python writes codes of nullable columns.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53, adjacent integers are the same double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    let whole = number as i64;
    Some(whole)
}

/// Microseconds since 1970-01-01 of a TIMESTAMP.
pub(crate) fn micros(array: &ArrayRef, row: usize) -> Option<i64> {
    use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
    use arrow_schema::TimeUnit;
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Some(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000))
        }
        _ => None,
    }
}

/// A number.
pub(crate) fn number(array: &ArrayRef, row: usize) -> Option<f64> {
    match array.data_type() {
        _ if array.is_null(row) => None,
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Some(array.as_primitive::<Float32Type>().value(row).into()),
        // The type of SQL literals such as 3.5.
        DataType::Decimal128(_, scale) => {
            Some(array.as_primitive::<Decimal128Type>().value(row) as f64 / 10_f64.powi((*scale).into()))
        }
        _ => integer(array, row).map(|number| number as f64),
    }
}

/// Days since 1970-01-01 of a DATE or TIMESTAMP.
pub(crate) fn days(array: &ArrayRef, row: usize) -> Option<i64> {
    const DAY: i64 = 86_400_000_000;
    match array.data_type() {
        DataType::Date32 if array.is_valid(row) => Some(array.as_primitive::<Date32Type>().value(row).into()),
        _ => Some(micros(array, row)?.div_euclid(DAY)),
    }
}
