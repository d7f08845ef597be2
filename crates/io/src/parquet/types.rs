//! From the Arrow types that arrow-rs reads to those of this crate: a tree of conversions, without subtrees that need none.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};

use super::Kind;
use super::annotate::Leaf;

/// The conversion of one column or nested field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Convert {
    /// No conversion in this subtree.
    Keep,
    /// One Parquet column.
    Leaf(Leaf),
    /// The elements of a list or the entries of a map.
    Element(Box<Convert>),
    /// The fields of a struct.
    Fields(Vec<Convert>),
}

/// The zone of UTC timestamps in Parquet readers.
const UTC: &str = "UTC";

/// The resulting field and its conversion, given the next leaves of the file; consumes one leaf per column of the field.
pub(super) fn target<'a>(field: &Field, leaves: &mut impl Iterator<Item = &'a Leaf>) -> (FieldRef, Convert) {
    let (data_type, convert) = match field.data_type() {
        DataType::Struct(fields) => {
            let (fields, converts): (Vec<_>, Vec<_>) = fields.iter().map(|field| target(field, leaves)).unzip();
            let keep = converts.iter().all(|convert| *convert == Convert::Keep);
            (DataType::Struct(fields.into()), if keep { Convert::Keep } else { Convert::Fields(converts) })
        }
        DataType::List(element) => {
            let (element, convert) = target(element, leaves);
            (DataType::List(element), element_of(convert))
        }
        DataType::Map(entries, sorted) => {
            let (entries, convert) = target(entries, leaves);
            (DataType::Map(entries, *sorted), element_of(convert))
        }
        data_type => {
            let leaf = leaves.next().unwrap_or(&Leaf::Same);
            let target = leaf_type(data_type, leaf);
            let metadata = match leaf {
                Leaf::Named(kind) | Leaf::Wkb(kind) => kind.metadata(),
                Leaf::Time { utc: true } => Kind::TimeTz.metadata(),
                _ => Default::default(),
            };
            // A kind is metadata: it changes the field, not the array.
            let convert = if target == *data_type && !matches!(leaf, Leaf::Time { .. } | Leaf::Wkb(_)) {
                Convert::Keep
            } else {
                Convert::Leaf(leaf.clone())
            };
            return (Arc::new(Field::new(field.name(), target, field.is_nullable()).with_metadata(metadata)), convert);
        }
    };
    (Arc::new(Field::new(field.name(), data_type, field.is_nullable())), convert)
}

fn element_of(convert: Convert) -> Convert {
    match convert {
        Convert::Keep => Convert::Keep,
        convert => Convert::Element(Box::new(convert)),
    }
}

fn leaf_type(read: &DataType, leaf: &Leaf) -> DataType {
    let zone = |utc: bool| utc.then(|| UTC.into());
    match leaf {
        Leaf::Same | Leaf::Named(_) | Leaf::Wkb(_) => read.clone(),
        Leaf::Bytes => DataType::Binary,
        Leaf::Half => DataType::Float32,
        Leaf::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        Leaf::DecimalBytes { precision, scale } => DataType::Decimal128(*precision, *scale),
        Leaf::DecimalDouble { .. } => DataType::Float64,
        Leaf::Time { .. } => DataType::Time64(TimeUnit::Microsecond),
        Leaf::Timestamp { utc } => DataType::Timestamp(TimeUnit::Microsecond, zone(*utc)),
        Leaf::Int96 => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// The schema to request from arrow-rs, or None for its default: INT96 in microseconds, because nanoseconds overflow
/// outside of 1677 to 2262.
pub(super) fn hints(fields: &[FieldRef], leaves: &[Leaf]) -> Option<Vec<FieldRef>> {
    if !leaves.contains(&Leaf::Int96) {
        return None;
    }
    let mut leaves = leaves.iter();
    Some(fields.iter().map(|field| hint(field, &mut leaves)).collect())
}

fn hint<'a>(field: &FieldRef, leaves: &mut impl Iterator<Item = &'a Leaf>) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| hint(field, leaves)).collect()),
        DataType::List(element) => DataType::List(hint(element, leaves)),
        DataType::Map(entries, sorted) => DataType::Map(hint(entries, leaves), *sorted),
        data_type => match leaves.next() {
            Some(Leaf::Int96) => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => data_type.clone(),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// Parquet columns below a field.
pub(super) fn leaf_count(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaf_count(field.data_type())).sum(),
        DataType::List(field) | DataType::Map(field, _) => leaf_count(field.data_type()),
        _ => 1,
    }
}

/// The field with NULLs allowed wherever Arrow allows them: the common type of several files.
pub(super) fn nullable(field: &Field) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| nullable(field)).collect()),
        DataType::List(element) => DataType::List(nullable(element)),
        DataType::Map(entries, sorted) => DataType::Map(nullable_entries(entries), *sorted),
        data_type => data_type.clone(),
    };
    Arc::new(field.clone().with_data_type(data_type).with_nullable(true))
}

/// A map's entries and keys are never NULL in Arrow.
fn nullable_entries(entries: &Field) -> FieldRef {
    let data_type = match entries.data_type() {
        DataType::Struct(fields) => {
            let fields = fields.iter().enumerate().map(|(index, field)| {
                let nullable = nullable(field);
                if index == 0 { Arc::new(nullable.as_ref().clone().with_nullable(false)) } else { nullable }
            });
            DataType::Struct(fields.collect())
        }
        data_type => data_type.clone(),
    };
    Arc::new(entries.clone().with_data_type(data_type))
}
