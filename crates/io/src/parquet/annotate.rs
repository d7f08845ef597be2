//! Rewrites a Parquet schema so that arrow-rs reads it as DuckDB does, and determines the remaining conversions.
//!
//! Two things are rewritten. Neither changes the physical type or the levels of a column, so that the file's pages still fit:
//!
//! - an annotation that arrow-rs reads with a loss (months of INTERVAL), rejects (DECIMAL beyond 32 bytes) or cannot be
//!   configured for is removed; the values are read as raw bytes, and [`Leaf`] has their type;
//! - a repeated group of one field that arrow-rs would read as a list of structs of one field becomes the group `list`
//!   of a three-level list, because DuckDB reads a list of that field.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::{Kind, geo};

/// The conversion of the Arrow values of one Parquet column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leaf {
    /// The Arrow type is unchanged.
    Same,
    /// The Arrow type is unchanged, and has a kind.
    Named(Kind),
    /// Binary that becomes the WKB of DuckDB's GEOMETRY; see [`super::wkb`].
    Wkb(Kind),
    /// FixedSizeBinary to Binary.
    Bytes,
    /// Float16 to Float32.
    Half,
    /// Twelve bytes: months, days and milliseconds, little-endian.
    Interval,
    /// Big-endian two's complement bytes to Decimal128.
    DecimalBytes { precision: u8, scale: i8 },
    /// Big-endian two's complement bytes to Float64, divided by ten to the scale.
    DecimalDouble { scale: i32 },
    /// Time32(ms) or Time64 to Time64(µs), of UTC or of no zone.
    Time { utc: bool },
    /// Timestamp(ms or µs, any zone) to Timestamp(µs), of UTC or of no zone.
    Timestamp { utc: bool },
    /// INT96: requested from arrow-rs as Timestamp(µs), without further conversion.
    Int96,
}

/// The rewritten schema and the conversion of each column.
pub(super) fn rewrite(schema: &SchemaDescriptor) -> Result<(SchemaDescriptor, Vec<Leaf>)> {
    let mut leaves = Vec::with_capacity(schema.num_columns());
    let root = schema.root_schema();
    let fields = root
        .get_fields()
        .iter()
        .map(|field| node(field, GroupContext::Field, &mut leaves))
        .collect::<Result<Vec<_>>>()?;
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    Ok((SchemaDescriptor::new(Arc::new(root)), leaves))
}

/// Whether the annotation of its parent accounts for a repeated group.
#[derive(Clone, Copy, PartialEq)]
enum GroupContext {
    Field,
    InsideList,
    InsideMap,
}

fn node(field: &TypePtr, context: GroupContext, leaves: &mut Vec<Leaf>) -> Result<TypePtr> {
    if field.is_primitive() {
        return leaf(field, leaves);
    }
    let inside = match field.get_basic_info().converted_type() {
        ConvertedType::LIST => GroupContext::InsideList,
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE if context != GroupContext::InsideMap => {
            GroupContext::InsideMap
        }
        _ => GroupContext::Field,
    };
    let children = field.get_fields().iter().map(|child| node(child, inside, leaves)).collect::<Result<Vec<_>>>()?;
    let repeated = repetition(field) == Repetition::REPEATED;
    let wraps_one = repeated && children.len() == 1 && context != GroupContext::InsideMap;
    let plain = field.get_basic_info().converted_type() == ConvertedType::NONE;
    match context {
        // Names for which arrow-rs interprets the group as the element (backward-compatibility rules of LIST).
        GroupContext::InsideList if wraps_one => group(field, "list", children),
        GroupContext::Field if wraps_one && plain => {
            let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(children);
            let list = Arc::new(list.build()?);
            let outer = Type::group_type_builder(field.name())
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![list]);
            Ok(Arc::new(outer.build()?))
        }
        _ => group(field, field.name(), children),
    }
}

fn group(field: &Type, name: &str, children: Vec<TypePtr>) -> Result<TypePtr> {
    let info = field.get_basic_info();
    let builder = Type::group_type_builder(name)
        .with_repetition(repetition(field))
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(children);
    Ok(Arc::new(builder.build()?))
}

fn repetition(field: &Type) -> Repetition {
    let info = field.get_basic_info();
    if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED }
}

fn leaf(field: &TypePtr, leaves: &mut Vec<Leaf>) -> Result<TypePtr> {
    let Type::PrimitiveType { physical_type, type_length, scale, precision, .. } = field.as_ref() else {
        return Ok(Arc::clone(field));
    };
    let info = field.get_basic_info();
    let annotation = match info.logical_type_ref() {
        // A type that this library does not support yet: DuckDB then uses the converted type.
        Some(LogicalType::_Unknown { .. }) | None => None,
        known => known,
    };
    let (kind, read_as) = kind_of_leaf(field, annotation, *type_length);
    leaves.push(kind);
    let unknown_annotation = annotation.is_none() && info.logical_type_ref().is_some();
    if read_as == ReadAs::Annotated && !unknown_annotation {
        return Ok(Arc::clone(field));
    }
    let builder = Type::primitive_type_builder(field.name(), *physical_type)
        .with_repetition(repetition(field))
        .with_length(*type_length);
    let builder = match read_as {
        ReadAs::Raw => builder,
        ReadAs::Text => builder.with_logical_type(Some(LogicalType::String)),
        ReadAs::Annotated => {
            builder.with_converted_type(info.converted_type()).with_precision(*precision).with_scale(*scale)
        }
    };
    Ok(Arc::new(builder.build()?))
}

/// The conversion of a column, and its annotation.
fn kind_of_leaf(field: &Type, annotation: Option<&LogicalType>, length: i32) -> (Leaf, ReadAs) {
    let fixed = field.get_physical_type() == Physical::FIXED_LEN_BYTE_ARRAY;
    let bytes = fixed || field.get_physical_type() == Physical::BYTE_ARRAY;
    match (annotation, field.get_basic_info().converted_type()) {
        (Some(LogicalType::Unknown), _) => (Leaf::Same, ReadAs::Annotated),
        _ if field.get_physical_type() == Physical::INT96 => (Leaf::Int96, ReadAs::Annotated),
        (Some(LogicalType::Decimal(decimal)), _) if bytes => decimal_leaf(decimal.precision, decimal.scale),
        (None, ConvertedType::DECIMAL) if bytes => decimal_leaf(field.get_precision(), field.get_scale()),
        (None, ConvertedType::INTERVAL) if fixed && length == 12 => (Leaf::Interval, ReadAs::Raw),
        (Some(LogicalType::Float16), _) if fixed && length == 2 => (Leaf::Half, ReadAs::Annotated),
        (Some(LogicalType::Uuid), _) if fixed && length == 16 => (Leaf::Named(Kind::Uuid), ReadAs::Annotated),
        (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => (Leaf::Same, ReadAs::Text),
        (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => (Leaf::Named(Kind::Json), ReadAs::Annotated),
        (Some(LogicalType::Geometry(geometry)), _) => {
            (Leaf::Named(geo::annotated(geometry.crs.as_deref())), ReadAs::Annotated)
        }
        (Some(LogicalType::Geography(geography)), _) => {
            (Leaf::Named(geo::annotated(geography.crs.as_deref())), ReadAs::Annotated)
        }
        (Some(LogicalType::Time(time)), _) => match (time.unit, time.is_adjusted_to_u_t_c) {
            (TimeUnit::NANOS, false) => (Leaf::Same, ReadAs::Annotated),
            (_, utc) => (Leaf::Time { utc }, ReadAs::Annotated),
        },
        (None, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => {
            (Leaf::Time { utc: false }, ReadAs::Annotated)
        }
        (Some(LogicalType::Timestamp(timestamp)), _) => match timestamp.unit {
            TimeUnit::NANOS => (Leaf::Same, ReadAs::Annotated),
            _ => (Leaf::Timestamp { utc: timestamp.is_adjusted_to_u_t_c }, ReadAs::Annotated),
        },
        (None, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) => {
            (Leaf::Timestamp { utc: false }, ReadAs::Annotated)
        }
        _ if fixed => (Leaf::Bytes, ReadAs::Raw),
        _ => (Leaf::Same, ReadAs::Annotated),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum ReadAs {
    Annotated,
    Raw,
    Text,
}

/// The largest precision of DuckDB's DECIMAL, and of Arrow's Decimal128.
const MAX_PRECISION: i32 = 38;

fn decimal_leaf(precision: i32, scale: i32) -> (Leaf, ReadAs) {
    let leaf = match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision_u8), Ok(scale)) if precision <= MAX_PRECISION => {
            Leaf::DecimalBytes { precision: precision_u8, scale }
        }
        _ => Leaf::DecimalDouble { scale },
    };
    (leaf, ReadAs::Raw)
}
