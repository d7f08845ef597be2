//! Conversion of argument vectors to Arrow arrays, so that `rasteret_io` reads records from SQL in the same way as from
//! Parquet.
//!
//! Supports the types that catalogs use for location and time. Columns of other types have no array, and callers skip
//! them.
//!
//! | DuckDB | Arrow |
//! |---|---|
//! | VARCHAR, JSON | Utf8 |
//! | integers | Int64; NULL beyond its range |
//! | FLOAT, DOUBLE, DECIMAL | Float64 |
//! | DATE; TIMESTAMP of any precision, with a time zone or without | Date32; Timestamp(µs). Infinity is NULL |
//! | BLOB; GEOMETRY, which is little-endian WKB | Binary; with the kind Wkb, of unknown CRS |
//! | STRUCT | Struct, with the supported fields |
//!
//! GEOMETRY of the spatial extension before DuckDB 1.5 is a BLOB with an alias, in a private format: it has no array.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType as MicrosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, PrimitiveArray, StringArray, StructArray};
use arrow_schema::{DataType, Field, TimeUnit};
use rasteret_io::parquet::Kind;

use super::{LogicalType, Reader, TypeId};

/// The Arrow field of a column; None for unsupported types.
pub(crate) fn field(name: &str, kind: &LogicalType) -> Option<Field> {
    let data_type = match kind.id() {
        TypeId::Varchar => DataType::Utf8,
        TypeId::Tinyint
        | TypeId::Smallint
        | TypeId::Integer
        | TypeId::Bigint
        | TypeId::Utinyint
        | TypeId::Usmallint
        | TypeId::Uinteger
        | TypeId::Ubigint
        | TypeId::Hugeint => DataType::Int64,
        TypeId::Float | TypeId::Double | TypeId::Decimal => DataType::Float64,
        TypeId::Date => DataType::Date32,
        TypeId::Timestamp
        | TypeId::TimestampS
        | TypeId::TimestampMs
        | TypeId::TimestampNs
        | TypeId::TimestampTz
        | TypeId::TimestampTzNs => DataType::Timestamp(TimeUnit::Microsecond, None),
        TypeId::Blob if kind.alias().is_some_and(|alias| alias == "GEOMETRY") => return None,
        TypeId::Blob | TypeId::Geometry => DataType::Binary,
        TypeId::Struct => DataType::Struct(kind.fields().iter().filter_map(|(name, kind)| field(name, kind)).collect()),
        _ => return None,
    };
    let field = Field::new(name, data_type, true);
    Some(match kind.id() {
        TypeId::Geometry => field.with_metadata(Kind::Wkb { crs: None }.metadata()),
        _ => field,
    })
}

/// The first `rows` values of a vector, as an array of the type returned by [`field`].
pub(crate) fn array(vector: &Reader<'_>, rows: usize) -> Option<ArrayRef> {
    fn primitive<T: ArrowPrimitiveType>(rows: usize, value: impl Fn(usize) -> Option<T::Native>) -> ArrayRef {
        Arc::new((0..rows).map(value).collect::<PrimitiveArray<T>>())
    }
    let field = field("", vector.kind())?;
    Some(match field.data_type() {
        DataType::Utf8 => Arc::new((0..rows).map(|row| vector.text(row)).collect::<StringArray>()),
        DataType::Binary => Arc::new((0..rows).map(|row| vector.bytes(row)).collect::<BinaryArray>()),
        DataType::Int64 => primitive::<Int64Type>(rows, |row| i64::try_from(vector.integer(row)?).ok()),
        DataType::Float64 => primitive::<Float64Type>(rows, |row| vector.number(row)),
        DataType::Date32 => primitive::<Date32Type>(rows, |row| vector.date_days(row)),
        DataType::Timestamp(..) => primitive::<MicrosecondType>(rows, |row| vector.timestamp_micros(row)),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| array(vector.field(field.name())?, rows));
            let nulls = (0..rows).map(|row| !vector.is_null(row)).collect::<Vec<_>>();
            let columns = columns.collect::<Option<Vec<_>>>()?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, Some(nulls.into()), rows).ok()?)
        }
        _ => return None,
    })
}
