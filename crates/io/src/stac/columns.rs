//! JSON values as Arrow arrays of the types of their shapes.
//!
//! Names of STRUCT fields that differ only in letter case are made unique, because DuckDB ignores case and JSON does not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use indexmap::IndexMap;
use serde_json::Value;

use super::shape::{Shape, non_finite};
use crate::parquet::Kind;
use crate::types::hex;
use crate::types::time::Time;

/// Conversion of values to an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Boolean,
    /// BIGINT.
    Integer,
    /// INTEGER.
    Code,
    Double,
    Timestamp,
    /// Texts unchanged, other scalars as JSON.
    Text,
    Json,
    /// WKB in hexadecimal digits.
    Geometry,
    List(Box<Column>),
    Struct(Vec<Member>),
    /// Objects with members of one type.
    Map(Box<Column>),
}

/// A field of a STRUCT.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    /// Its name in JSON.
    key: String,
    /// Its name in SQL.
    name: String,
    column: Column,
}

impl Column {
    /// The column that holds all values of a shape.
    pub(super) fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Boolean => Self::Boolean,
            Shape::Integer { .. } => Self::Integer,
            Shape::Double => Self::Double,
            Shape::Timestamp => Self::Timestamp,
            Shape::Null | Shape::NonFinite | Shape::Text | Shape::Scalar => Self::Text,
            Shape::List(element) => Self::List(Box::new(Self::of(element))),
            // DuckDB has no STRUCT without fields.
            Shape::Struct(members) if members.is_empty() => Self::Json,
            Shape::Struct(members) => {
                Self::structure(members.iter().map(|(key, shape)| (key.as_str(), Self::of(shape))))
            }
            Shape::Json => Self::Json,
        }
    }

    /// A STRUCT of these members.
    pub(super) fn structure<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut names = Names::default();
        let member = |(key, column): (&str, Self)| Member { key: key.to_owned(), name: names.unique(key), column };
        Self::Struct(members.into_iter().map(member).collect())
    }

    /// xmin, ymin, xmax, ymax.
    pub(super) fn bbox() -> Self {
        Self::structure(["xmin", "ymin", "xmax", "ymax"].map(|side| (side, Self::Double)))
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Code => DataType::Int32,
            Self::Double => DataType::Float64,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Text | Self::Json => DataType::Utf8,
            Self::Geometry => DataType::Binary,
            Self::List(element) => DataType::List(element.item()),
            Self::Struct(members) => DataType::Struct(fields(members)),
            Self::Map(value) => DataType::Map(entries(value), false),
        }
    }

    /// The field of a column with this name.
    pub(super) fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), true);
        match self {
            // STAC's geometries are GeoJSON's: longitude and latitude of WGS 84 (RFC 7946, section 4).
            Self::Geometry => field.with_metadata(Kind::Wkb { crs: Some("OGC:CRS84".to_owned()) }.metadata()),
            _ => field,
        }
    }

    fn item(&self) -> FieldRef {
        Arc::new(self.field("item"))
    }

    /// An array of values; None and values that do not match the shape are NULL.
    pub(super) fn array(&self, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
        let texts = || values.iter().map(|value| value.and_then(Value::as_str));
        Ok(match self {
            Self::Boolean => {
                Arc::new(values.iter().map(|value| value.and_then(Value::as_bool)).collect::<BooleanArray>())
            }
            Self::Integer => {
                let integers = values.iter().map(|value| value.and_then(Value::as_i64));
                Arc::new(integers.collect::<PrimitiveArray<Int64Type>>())
            }
            Self::Code => {
                let codes = values.iter().map(|value| i32::try_from(value.and_then(Value::as_i64)?).ok());
                Arc::new(codes.collect::<PrimitiveArray<Int32Type>>())
            }
            Self::Double => {
                let doubles = values.iter().map(|value| value.and_then(double));
                Arc::new(doubles.collect::<PrimitiveArray<Float64Type>>())
            }
            Self::Timestamp => {
                let micros = texts().map(|text| Some(Time::parse(text?)?.micros));
                Arc::new(micros.collect::<PrimitiveArray<TimestampMicrosecondType>>())
            }
            Self::Text => {
                let mut texts = StringBuilder::with_capacity(values.len(), 0);
                values.iter().for_each(|value| match value {
                    None | Some(Value::Null) => texts.append_null(),
                    Some(Value::String(text)) => texts.append_value(text),
                    Some(other) => texts.append_value(other.to_string()),
                });
                Arc::new(texts.finish())
            }
            Self::Json => {
                let json = values.iter().map(|value| value.filter(|value| !value.is_null()).map(Value::to_string));
                Arc::new(json.collect::<StringArray>())
            }
            Self::Geometry => {
                let mut geometries = BinaryBuilder::new();
                texts().for_each(|text| geometries.append_option(text.and_then(hex::decode)));
                Arc::new(geometries.finish())
            }
            Self::List(element) => list(element, values)?,
            Self::Struct(members) => object(members, values)?,
            Self::Map(value) => map(value, values)?,
        })
    }
}

fn list(element: &Column, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let lists = || values.iter().map(|value| value.and_then(Value::as_array));
    let inner: Vec<Option<&Value>> = lists().flatten().flatten().map(Some).collect();
    let offsets = OffsetBuffer::from_lengths(lists().map(|list| list.map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(lists().map(|list| list.is_some()));
    Ok(Arc::new(ListArray::try_new(element.item(), offsets, element.array(&inner)?, Some(nulls))?))
}

/// Objects as a STRUCT; the four numbers of a bbox are a list in JSON.
fn object(members: &[Member], values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let objects: Vec<_> = values.iter().map(|value| value.and_then(Value::as_object)).collect();
    let lists: Vec<_> = values.iter().map(|value| value.and_then(Value::as_array)).collect();
    let columns = members.iter().enumerate().map(|(index, member)| {
        let of_row = |row: usize| match objects[row] {
            Some(object) => object.get(&member.key),
            None => lists[row].and_then(|list| list.get(index)),
        };
        member.column.array(&(0..values.len()).map(of_row).collect::<Vec<_>>())
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let nulls = objects.iter().zip(&lists).map(|(object, list)| object.is_some() || list.is_some());
    let nulls = NullBuffer::from_iter(nulls);
    Ok(Arc::new(StructArray::try_new_with_length(fields(members), columns, Some(nulls), values.len())?))
}

/// Objects as a MAP.
fn map(value: &Column, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let objects = || values.iter().map(|value| value.and_then(Value::as_object));
    let keys: StringArray = objects().flatten().flatten().map(|(key, _)| Some(key)).collect();
    let inner: Vec<Option<&Value>> = objects().flatten().flatten().map(|(_, value)| Some(value)).collect();
    let offsets = OffsetBuffer::from_lengths(objects().map(|object| object.map_or(0, |object| object.len())));
    let nulls = NullBuffer::from_iter(objects().map(|object| object.is_some()));
    let field = entries(value);
    let DataType::Struct(fields) = field.data_type() else {
        return Err(ArrowError::SchemaError("entries of a map are not a struct".to_owned()));
    };
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), value.array(&inner)?];
    let structs = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(field, offsets, structs, Some(nulls), false)?))
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => non_finite(text),
        value => value.as_f64(),
    }
}

fn fields(members: &[Member]) -> Fields {
    members.iter().map(|member| member.column.field(&member.name)).collect()
}

fn entries(value: &Column) -> FieldRef {
    let fields = vec![Field::new("key", DataType::Utf8, false), value.field("value")];
    Arc::new(Field::new("entries", DataType::Struct(fields.into()), false))
}

/// The common shape of all members of an object, for objects whose names are data.
pub(super) fn common(members: &IndexMap<String, Shape>) -> Shape {
    members.values().fold(Shape::Null, |common, member| common.union(member))
}

/// Names that are distinct in DuckDB: a name that differs from another in letter case only has a number appended, as in
/// `read_parquet`.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// Number of occurrences of a name.
    uses: HashMap<String, usize>,
}

impl Names {
    pub(super) fn unique(&mut self, name: &str) -> String {
        // A field of a STRUCT must have a name, and C strings end at a NUL.
        let name: String = name.chars().filter(|c| *c != '\0').collect();
        let name = if name.is_empty() { "_".to_owned() } else { name };
        let mut candidate = name.clone();
        let uses = self.uses.entry(name.to_lowercase()).or_default();
        while self.taken.contains(&candidate.to_lowercase()) {
            *uses += 1;
            candidate = format!("{name}_{uses}");
        }
        self.taken.insert(candidate.to_lowercase());
        candidate
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    fn made(values: &[&str]) -> ArrayRef {
        let values: Vec<Value> = values.iter().map(|value| serde_json::from_str(value).unwrap()).collect();
        let mut shape = Shape::Null;
        values.iter().for_each(|value| shape.observe(value));
        let column = Column::of(&shape);
        let array = column.array(&values.iter().map(Some).collect::<Vec<_>>()).unwrap();
        assert_eq!(*array.data_type(), column.data_type());
        array
    }

    fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string::<i32>().iter().collect()
    }

    #[test]
    fn mixed_types_are_converted_to_text() {
        assert_eq!(texts(&made(&["1", "\"a\"", "null", "true"])), [Some("1"), Some("a"), None, Some("true")]);
        assert_eq!(texts(&made(&["[1]", "\"a\"", "null"])), [Some("[1]"), Some("\"a\""), None]);
        assert_eq!(texts(&made(&["{}", "null"])), [Some("{}"), None]);
    }

    #[test]
    fn numbers() {
        let doubles = made(&["1", "0.5", "\"nan\"", "\"-inf\"", "null"]);
        let doubles: Vec<_> = doubles.as_primitive::<Float64Type>().iter().collect();
        assert!(doubles[2].is_some_and(f64::is_nan));
        assert_eq!(
            (doubles[0], doubles[1], doubles[3], doubles[4]),
            (Some(1.0), Some(0.5), Some(f64::NEG_INFINITY), None)
        );
    }

    #[test]
    fn structs_and_lists_with_nulls() {
        let structs = made(&[r#"{"a":[1,2],"A":"x"}"#, "null", r#"{"a":null}"#, r#"{"":1}"#]);
        let structs = structs.as_struct();
        assert_eq!(structs.column_names(), ["a", "A_1", "_"]);
        assert_eq!((0..4).map(|row| structs.is_null(row)).collect::<Vec<_>>(), [false, true, false, false]);
        let lists = structs.column(0).as_list::<i32>();
        assert_eq!(lists.value(0).as_primitive::<Int64Type>().values(), &[1, 2]);
        assert!(lists.is_null(2));
    }

    #[test]
    fn ambiguous_names_get_suffixes() {
        let mut names = Names::default();
        assert_eq!(["a", "A", "a_1", "a", ""].map(|name| names.unique(name)), ["a", "A_1", "a_1_1", "a_2", "_"]);
    }
}
