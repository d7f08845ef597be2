//! Arrow arrays as arrow-rs reads them to arrays of the types that [`super`] promises.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float16Type, Float32Type, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, MapArray, PrimitiveArray, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use super::annotate::Leaf;
use super::types::Convert;
use super::{Kind, wkb};

type Result<T> = std::result::Result<T, ArrowError>;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The array as a value of `target`.
pub(super) fn convert(array: &ArrayRef, target: &Field, how: &Convert) -> Result<ArrayRef> {
    match (how, target.data_type()) {
        (Convert::Keep, _) => Ok(Arc::clone(array)),
        (Convert::Leaf(leaf), data_type) => convert_leaf(array, data_type, leaf),
        (Convert::Fields(converts), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let children = array
                .columns()
                .iter()
                .zip(fields.iter().zip(converts))
                .map(|(child, (field, how))| convert(child, field, how))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                children,
                array.nulls().cloned(),
                array.len(),
            )?))
        }
        (Convert::Element(how), DataType::List(element)) => {
            let array = array.as_list::<i32>();
            let values = convert(array.values(), element, how)?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(element),
                array.offsets().clone(),
                values,
                array.nulls().cloned(),
            )?))
        }
        (Convert::Element(how), DataType::Map(entries, sorted)) => {
            let array = array.as_map();
            let values = convert(&(Arc::new(array.entries().clone()) as ArrayRef), entries, how)?;
            Ok(Arc::new(MapArray::try_new(
                Arc::clone(entries),
                array.offsets().clone(),
                values.as_struct().clone(),
                array.nulls().cloned(),
                *sorted,
            )?))
        }
        (_, other) => Err(mismatch(array, other)),
    }
}

fn mismatch(array: &ArrayRef, target: &DataType) -> ArrowError {
    ArrowError::CastError(format!("expected {target}, found {}", array.data_type()))
}

fn convert_leaf(array: &ArrayRef, target: &DataType, leaf: &Leaf) -> Result<ArrayRef> {
    match leaf {
        Leaf::Same | Leaf::Named(_) | Leaf::Int96 => Ok(Arc::clone(array)),
        Leaf::Wkb(_) => {
            let array = array.as_binary::<i32>();
            let mut bytes = BinaryBuilder::with_capacity(array.len(), array.value_data().len());
            for value in array {
                let value = value.map(wkb::canonical).transpose().map_err(ArrowError::ParseError)?;
                bytes.append_option(value);
            }
            Ok(Arc::new(bytes.finish()))
        }
        Leaf::Bytes => {
            let array = array.as_fixed_size_binary();
            let mut bytes = BinaryBuilder::with_capacity(array.len(), array.values().len());
            array.iter().for_each(|value| bytes.append_option(value));
            Ok(Arc::new(bytes.finish()))
        }
        Leaf::Half => {
            let array = array.as_primitive::<Float16Type>();
            Ok(Arc::new(array.unary::<_, Float32Type>(|half| half.to_f32())))
        }
        Leaf::Interval => {
            let array = array.as_fixed_size_binary();
            Ok(Arc::new(primitive::<IntervalMonthDayNanoType>(array.iter().map(|value| value.map(interval)))?))
        }
        Leaf::DecimalBytes { precision, scale } => {
            let values = values(array)?.map(|value| value.map(unscaled).transpose());
            let decimals = values.collect::<Result<PrimitiveArray<Decimal128Type>>>()?;
            Ok(Arc::new(decimals.with_precision_and_scale(*precision, *scale)?))
        }
        Leaf::DecimalDouble { scale } => {
            let divisor = 10f64.powi(*scale);
            let values = values(array)?.map(|value| value.map(|bytes| Ok(double(bytes) / divisor)));
            Ok(Arc::new(primitive::<Float64Type>(values)?))
        }
        Leaf::Time { utc } => time(array, target, *utc),
        Leaf::Timestamp { utc } => timestamp(array, target, *utc),
    }
}

/// Microseconds of the day.
fn time(array: &ArrayRef, target: &DataType, utc: bool) -> Result<ArrayRef> {
    let micros = match array.data_type() {
        DataType::Time32(TimeUnit::Millisecond) => array
            .as_primitive::<Time32MillisecondType>()
            .unary::<_, Time64MicrosecondType>(|millis| i64::from(millis) * 1000),
        DataType::Time64(TimeUnit::Microsecond) => array.as_primitive::<Time64MicrosecondType>().clone(),
        DataType::Time64(TimeUnit::Nanosecond) => {
            array.as_primitive::<Time64NanosecondType>().unary::<_, Time64MicrosecondType>(|nanos| nanos / 1000)
        }
        _ => return Err(mismatch(array, target)),
    };
    if utc {
        return Ok(Arc::new(micros.unary::<_, Time64MicrosecondType>(|time| time.rem_euclid(MICROS_PER_DAY))));
    }
    // 24:00:00 is a TIME of DuckDB's.
    match micros.iter().flatten().find(|time| !(0..=MICROS_PER_DAY).contains(time)) {
        Some(time) => Err(ArrowError::ParseError(format!("expected a time within a day, found {time} µs"))),
        None => Ok(Arc::new(micros)),
    }
}

/// Microseconds since 1970-01-01.
fn timestamp(array: &ArrayRef, target: &DataType, utc: bool) -> Result<ArrayRef> {
    let micros = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().clone(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().try_unary::<_, TimestampMicrosecondType, _>(|millis| {
                millis.checked_mul(1000).ok_or_else(|| {
                    ArrowError::ParseError(format!("timestamp of {millis} ms does not fit 64 bits of microseconds"))
                })
            })?
        }
        _ => return Err(mismatch(array, target)),
    };
    Ok(Arc::new(micros.with_timezone_opt(utc.then_some("UTC"))))
}

fn primitive<T: arrow_array::ArrowPrimitiveType>(
    values: impl Iterator<Item = Option<Result<T::Native>>>,
) -> Result<PrimitiveArray<T>> {
    values.map(Option::transpose).collect()
}

/// The raw bytes of a column that lost its annotation.
fn values(array: &ArrayRef) -> Result<Box<dyn Iterator<Item = Option<&[u8]>> + '_>> {
    match array.data_type() {
        DataType::Binary => Ok(Box::new(array.as_binary::<i32>().iter())),
        DataType::FixedSizeBinary(_) => Ok(Box::new(AsArray::as_fixed_size_binary(array).iter())),
        _ => Err(mismatch(array, &DataType::Binary)),
    }
}

/// Parquet's INTERVAL: three unsigned 32-bit integers, little-endian.
fn interval(bytes: &[u8]) -> Result<IntervalMonthDayNano> {
    let part = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
        four.map(u32::from_le_bytes).ok_or_else(|| {
            ArrowError::ParseError(format!("expected an interval of 12 bytes, found {} bytes", bytes.len()))
        })
    };
    let signed = |value: u32| {
        i32::try_from(value)
            .map_err(|_| ArrowError::ParseError(format!("interval part {value} does not fit 32 bits with a sign")))
    };
    Ok(IntervalMonthDayNano::new(signed(part(0)?)?, signed(part(4)?)?, i64::from(part(8)?) * 1_000_000))
}

/// Big-endian two's complement of any length.
fn unscaled(bytes: &[u8]) -> Result<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let split = bytes.len().saturating_sub(16);
    let (excess, kept) = bytes.split_at(split);
    let mut wide = [fill; 16];
    for (to, from) in wide.iter_mut().rev().zip(kept.iter().rev()) {
        *to = *from;
    }
    let value = i128::from_be_bytes(wide);
    if excess.iter().any(|byte| *byte != fill) || (value < 0) != negative {
        return Err(ArrowError::ParseError(format!("decimal of {} bytes does not fit 128 bits", bytes.len())));
    }
    Ok(value)
}

/// Big-endian two's complement of any length, rounded.
fn double(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let magnitude = bytes.iter().fold(0f64, |value, byte| {
        let byte = if negative { !byte } else { *byte };
        value.mul_add(256.0, f64::from(byte))
    });
    if negative { -(magnitude + 1.0) } else { magnitude }
}

/// The array under the type of `target`, which is nullable at every level. Fields of STRUCTs are found by name; one that this
/// file lacks is NULL. None if this file has a field more than `target`, or another type.
pub(super) fn adapt(array: &ArrayRef, from: &Field, target: &Field) -> Option<ArrayRef> {
    if Kind::of(from) != Kind::of(target) {
        return None;
    }
    match (from.data_type(), target.data_type()) {
        (from, target) if from == target => Some(Arc::clone(array)),
        (DataType::Struct(from), DataType::Struct(target)) => {
            let array = array.as_struct();
            if from.iter().any(|field| target.find(field.name()).is_none()) {
                return None;
            }
            let children = target.iter().map(|field| match from.find(field.name()) {
                Some((index, from)) => adapt(array.column(index), from, field),
                None => Some(new_null_array(field.data_type(), array.len())),
            });
            let children = children.collect::<Option<Vec<_>>>()?;
            let nulls = array.nulls().cloned();
            Some(Arc::new(StructArray::try_new_with_length(target.clone(), children, nulls, array.len()).ok()?))
        }
        (DataType::List(from), DataType::List(target)) => {
            let array = array.as_list::<i32>();
            let values = adapt(array.values(), from, target)?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            Some(Arc::new(ListArray::try_new(Arc::clone(target), offsets, values, nulls).ok()?))
        }
        (DataType::Map(from, _), DataType::Map(target, sorted)) => {
            let array = array.as_map();
            let (DataType::Struct(from), DataType::Struct(fields)) = (from.data_type(), target.data_type()) else {
                return None;
            };
            let ([from_key, from_value], [key, value]) = (from.as_ref(), fields.as_ref()) else { return None };
            let key = adapt(array.keys(), from_key, key)?;
            let value = adapt(array.values(), from_value, value)?;
            let entries = StructArray::try_new(fields.clone(), vec![key, value], None).ok()?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            Some(Arc::new(MapArray::try_new(Arc::clone(target), offsets, entries, nulls, *sorted).ok()?))
        }
        _ => None,
    }
}
