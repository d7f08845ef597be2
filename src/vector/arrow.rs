//! Conversion of Arrow arrays to result vectors.
//!
//! Supports the types returned by the Parquet source of `rasteret_io`, each as the DuckDB type that `read_parquet`
//! uses. Other Arrow types are an error at bind time.
//!
//! | Arrow | DuckDB |
//! |---|---|
//! | Boolean, Int8..UInt64, Float32, Float64 | BOOLEAN, TINYINT .. UBIGINT, FLOAT, DOUBLE |
//! | Decimal128(p, s) | DECIMAL(p, s), stored in 2, 4, 8 or 16 bytes by p |
//! | Utf8; with the kind Json | VARCHAR; JSON |
//! | Binary; with the kind Wkb | BLOB; GEOMETRY if the host has it |
//! | FixedSizeBinary(16), kind Uuid | UUID: a 128-bit integer with its sign bit flipped |
//! | Date32, Timestamp(µs or ns) | DATE, TIMESTAMP, TIMESTAMP_NS |
//! | Timestamp in UTC | TIMESTAMP WITH TIME ZONE; for nanoseconds TIMESTAMPTZ_NS if the host has it |
//! | Time64(µs), with the kind TimeTz, Time64(ns) | TIME, TIME WITH TIME ZONE, TIME_NS if the host has it |
//! | Interval(MonthDayNano) | INTERVAL, in microseconds |
//! | List, Map, Struct | LIST, MAP, STRUCT |
//! | Null | `"NULL"` since DuckDB 2.0, INTEGER before |

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use rasteret_io::parquet::Kind;

use super::writer::{Interval, Native};
use super::{LogicalType, TypeId, Writer};
use crate::error::{Error, Result};
use crate::host::Host;

/// The DuckDB type of a column.
pub(crate) fn logical_type(field: &Field, host: Host) -> Result<LogicalType> {
    let of = |id| Ok(LogicalType::of(id));
    match (field.data_type(), Kind::of(field)) {
        (DataType::Utf8, Some(Kind::Json)) => Ok(LogicalType::varchar().with_alias("JSON")),
        (DataType::Binary, Some(Kind::Wkb { .. })) if host.has_geometry() => of(TypeId::Geometry),
        (DataType::FixedSizeBinary(16), Some(Kind::Uuid)) => of(TypeId::Uuid),
        (DataType::Time64(TimeUnit::Microsecond), Some(Kind::TimeTz)) => of(TypeId::TimeTz),
        (DataType::Boolean, _) => of(TypeId::Boolean),
        (DataType::Int8, _) => of(TypeId::Tinyint),
        (DataType::Int16, _) => of(TypeId::Smallint),
        (DataType::Null, _) if host.is_two() => of(TypeId::SqlNull),
        (DataType::Int32 | DataType::Null, _) => of(TypeId::Integer),
        (DataType::Int64, _) => of(TypeId::Bigint),
        (DataType::UInt8, _) => of(TypeId::Utinyint),
        (DataType::UInt16, _) => of(TypeId::Usmallint),
        (DataType::UInt32, _) => of(TypeId::Uinteger),
        (DataType::UInt64, _) => of(TypeId::Ubigint),
        (DataType::Float32, _) => of(TypeId::Float),
        (DataType::Float64, _) => of(TypeId::Double),
        (DataType::Utf8, _) => of(TypeId::Varchar),
        (DataType::Binary, _) => of(TypeId::Blob),
        (DataType::Date32, _) => of(TypeId::Date),
        (DataType::Time64(TimeUnit::Microsecond), _) => of(TypeId::Time),
        (DataType::Time64(TimeUnit::Nanosecond), _) if host.has_time_ns() => of(TypeId::TimeNs),
        (DataType::Time64(TimeUnit::Nanosecond), _) => of(TypeId::Time),
        (DataType::Timestamp(TimeUnit::Nanosecond, Some(_)), _) if host.is_two() => of(TypeId::TimestampTzNs),
        (DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, Some(_)), _) => of(TypeId::TimestampTz),
        (DataType::Timestamp(TimeUnit::Microsecond, None), _) => of(TypeId::Timestamp),
        (DataType::Timestamp(TimeUnit::Nanosecond, None), _) => of(TypeId::TimestampNs),
        (DataType::Interval(IntervalUnit::MonthDayNano), _) => of(TypeId::Interval),
        (DataType::Decimal128(precision, scale), _) => {
            let scale = u8::try_from(*scale).map_err(|_| unsupported(field))?;
            Ok(LogicalType::decimal(*precision, scale))
        }
        (DataType::List(element), _) => Ok(LogicalType::list(&logical_type(element, host)?)),
        (DataType::Struct(fields), _) => {
            let types: Vec<_> = fields.iter().map(|field| logical_type(field, host)).collect::<Result<_>>()?;
            Ok(LogicalType::structure(fields.iter().map(|field| field.name().as_str()).zip(types)))
        }
        (DataType::Map(entries, _), _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                Ok(LogicalType::map(&logical_type(&fields[0], host)?, &logical_type(&fields[1], host)?))
            }
            _ => Err(unsupported(field)),
        },
        _ => Err(unsupported(field)),
    }
}

fn unsupported(field: &Field) -> Error {
    Error::argument(format!("column \"{}\": the type {} is not supported", field.name(), field.data_type()))
}

/// Writes an array to a vector of the type returned by [`logical_type`].
pub(crate) fn write(writer: &mut Writer<'_>, array: &ArrayRef) -> Result<()> {
    match array.data_type() {
        DataType::Null => (0..array.len()).try_for_each(|row| writer.set_null(row)),
        DataType::Boolean => writer.values(array.as_boolean()),
        DataType::Int8 => same::<Int8Type>(writer, array),
        DataType::Int16 => same::<Int16Type>(writer, array),
        DataType::Int32 => same::<Int32Type>(writer, array),
        DataType::Int64 => same::<Int64Type>(writer, array),
        DataType::UInt8 => same::<UInt8Type>(writer, array),
        DataType::UInt16 => same::<UInt16Type>(writer, array),
        DataType::UInt32 => same::<UInt32Type>(writer, array),
        DataType::UInt64 => same::<UInt64Type>(writer, array),
        DataType::Float32 => same::<Float32Type>(writer, array),
        DataType::Float64 => same::<Float64Type>(writer, array),
        DataType::Date32 => same::<Date32Type>(writer, array),
        DataType::Utf8 => writer.texts(array.as_string::<i32>()),
        DataType::Binary => writer.texts(array.as_binary::<i32>()),
        DataType::FixedSizeBinary(16) => {
            writer.values(array.as_fixed_size_binary().iter().map(|bytes| bytes.map(uuid)))
        }
        DataType::Time64(TimeUnit::Microsecond) if writer.kind().id() == TypeId::TimeTz => {
            mapped::<Time64MicrosecondType, _>(writer, array, time_tz)
        }
        DataType::Time64(TimeUnit::Microsecond) => same::<Time64MicrosecondType>(writer, array),
        DataType::Time64(TimeUnit::Nanosecond) if writer.kind().id() == TypeId::Time => {
            mapped::<Time64NanosecondType, _>(writer, array, |nanos| nanos / 1000)
        }
        DataType::Time64(TimeUnit::Nanosecond) => same::<Time64NanosecondType>(writer, array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => same::<TimestampMicrosecondType>(writer, array),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) if writer.kind().id() == TypeId::TimestampTz => {
            mapped::<TimestampNanosecondType, _>(writer, array, |nanos| nanos.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => same::<TimestampNanosecondType>(writer, array),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            mapped::<IntervalMonthDayNanoType, _>(writer, array, |interval| Interval {
                months: interval.months,
                days: interval.days,
                micros: interval.nanoseconds / 1000,
            })
        }
        DataType::Decimal128(precision, _) => decimal(writer, array, *precision),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            nested(writer, array, list.value_offsets(), list.values())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            nested(writer, array, map.value_offsets(), &entries)
        }
        DataType::Struct(_) => structure(writer, array),
        other => Err(Error::Internal(format!("no DuckDB type for Arrow's {other}"))),
    }
}

/// Values with the same memory layout in Arrow and DuckDB.
fn same<T: ArrowPrimitiveType<Native: Native>>(writer: &mut Writer<'_>, array: &ArrayRef) -> Result<()> {
    writer.values(array.as_primitive::<T>())
}

fn mapped<T: ArrowPrimitiveType, N: Native>(
    writer: &mut Writer<'_>,
    array: &ArrayRef,
    map: impl Fn(T::Native) -> N,
) -> Result<()> {
    writer.values(array.as_primitive::<T>().iter().map(|value| value.map(&map)))
}

/// The storage of a DECIMAL depends on its precision; Arrow has checked that values fit.
fn decimal(writer: &mut Writer<'_>, array: &ArrayRef, precision: u8) -> Result<()> {
    fn narrowed<N: Native + TryFrom<i128>>(writer: &mut Writer<'_>, array: &ArrayRef) -> Result<()> {
        let values = array.as_primitive::<Decimal128Type>();
        let out_of_range = || Error::argument("a DECIMAL value is beyond its declared precision");
        let narrow = |value: i128| N::try_from(value).map_err(|_| out_of_range());
        let values: Vec<Option<N>> = values.iter().map(|value| value.map(narrow).transpose()).collect::<Result<_>>()?;
        writer.values(values)
    }
    match precision {
        ..=4 => narrowed::<i16>(writer, array),
        5..=9 => narrowed::<i32>(writer, array),
        10..=18 => narrowed::<i64>(writer, array),
        19.. => narrowed::<i128>(writer, array),
    }
}

/// Lists and maps: the consecutive elements of valid rows.
fn nested(writer: &mut Writer<'_>, array: &ArrayRef, offsets: &[i32], values: &ArrayRef) -> Result<()> {
    let lengths: Vec<Option<usize>> = offsets
        .windows(2)
        .enumerate()
        .map(|(row, edges)| array.is_valid(row).then(|| usize::try_from(edges[1] - edges[0]).unwrap_or(0)))
        .collect();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    let spans = usize::try_from(last - first).unwrap_or(0);
    if lengths.iter().flatten().sum::<usize>() != spans {
        // A NULL row may span unused elements. They are skipped, because DuckDB's lists must not have gaps.
        let keep = (0..array.len()).filter(|row| array.is_valid(*row)).flat_map(|row| offsets[row]..offsets[row + 1]);
        let keep = arrow_array::Int32Array::from_iter_values(keep);
        let kept = arrow_select::take::take(values, &keep, None).map_err(|error| Error::Internal(error.to_string()))?;
        return write(&mut writer.lists(&lengths)?, &kept);
    }
    let elements = values.slice(usize::try_from(first).unwrap_or(0), spans);
    write(&mut writer.lists(&lengths)?, &elements)
}

fn structure(writer: &mut Writer<'_>, array: &ArrayRef) -> Result<()> {
    let structs = array.as_struct();
    for (index, field) in structs.columns().iter().enumerate() {
        write(&mut writer.field(index)?, field)?;
    }
    // The fields of a NULL struct must be NULL, whatever their values in Arrow.
    for row in (0..structs.len()).filter(|row| structs.is_null(*row)) {
        writer.set_null(row)?;
    }
    Ok(())
}

/// The bytes of a UUID as DuckDB's integer, which sorts like the text: the sign bit is flipped.
fn uuid(bytes: &[u8]) -> i128 {
    let mut big_endian = [0; 16];
    let length = bytes.len().min(16);
    big_endian[..length].copy_from_slice(&bytes[..length]);
    i128::from_be_bytes(big_endian) ^ i128::MIN
}

/// DuckDB's TIME WITH TIME ZONE in UTC: microseconds in the upper 40 bits, and the offset, counted down from 15:59:59,
/// in the lower bits.
fn time_tz(micros: i64) -> u64 {
    const OFFSET_BITS: u32 = 24;
    const OFFSET_OF_UTC: u64 = 16 * 60 * 60 - 1;
    (micros.cast_unsigned() << OFFSET_BITS) | OFFSET_OF_UTC
}
