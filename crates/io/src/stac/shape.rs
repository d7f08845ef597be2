//! The common type of JSON values, which holds the values of all items without loss.
//!
//! | values | SQL |
//! |---|---|
//! | true, false | BOOLEAN |
//! | integers within 64 bits | BIGINT |
//! | numbers; the texts `nan`, `inf` and `-inf` among them | DOUBLE |
//! | date-times of RFC 3339, at most microseconds | TIMESTAMP, UTC |
//! | texts | VARCHAR |
//! | texts, numbers and booleans mixed; integers beyond 2^53 among fractions | VARCHAR: texts unchanged, others as JSON |
//! | lists of compatible types | LIST |
//! | objects | STRUCT of all their members |
//! | anything else: lists among texts, lists of this and that, objects without members | VARCHAR holding JSON |
//! | only null | VARCHAR |
//!
//! The size of a shape depends on names and nesting, not on the number of items, which need not be in memory.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use crate::types::time::Time;

/// Maximum number of members of a STRUCT. The names of larger objects are considered data, and they become JSON text.
const MAX_MEMBERS: usize = 1_000;

/// Members with this meaning are times however they are written (STAC 1.1, "Common Metadata"; Timestamps extension).
const TIMES: [&str; 7] =
    ["start_datetime", "end_datetime", "created", "updated", "published", "expires", "unpublished"];

/// Members with documents of varying structure: PROJJSON and GeoJSON.
const DOCUMENTS: [&str; 2] = ["proj:projjson", "proj:geometry"];

/// A number in any notation (Raster extension, STAC 1.1's `bands`).
const NODATA: &str = "nodata";

/// The type of all values seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Shape {
    /// Only null.
    #[default]
    Null,
    Boolean,
    /// `exact`: a double can represent all values.
    Integer {
        exact: bool,
    },
    Double,
    /// Texts for numbers that JSON lacks.
    NonFinite,
    Timestamp,
    Text,
    /// Scalars of several types.
    Scalar,
    List(Box<Shape>),
    Struct(IndexMap<String, Shape>),
    Json,
}

impl Shape {
    /// Extends the shape to include a value.
    pub(super) fn observe(&mut self, value: &Value) {
        match (&mut *self, value) {
            (_, Value::Null) | (Self::Json, _) => {}
            (Self::Struct(members), Value::Object(object)) => {
                observe_members(members, object);
                if members.len() > MAX_MEMBERS {
                    *self = Self::Json;
                }
            }
            (Self::List(element), Value::Array(list)) => {
                list.iter().for_each(|value| element.observe(value));
                // A list of mixed types is stored as JSON.
                if matches!(**element, Self::Json | Self::Scalar) {
                    *self = Self::Json;
                }
            }
            (Self::Null, Value::Object(_)) => {
                *self = Self::Struct(IndexMap::new());
                self.observe(value);
            }
            (Self::Null, Value::Array(_)) => {
                *self = Self::List(Box::default());
                self.observe(value);
            }
            (_, Value::Object(_) | Value::Array(_)) | (Self::Struct(_) | Self::List(_), _) => *self = Self::Json,
            (_, scalar) => {
                let other = Self::of_scalar(scalar);
                self.merge_scalar(other);
            }
        }
    }

    /// Like `observe`, for a member whose `name` may define its type.
    fn observe_member(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) if TIMES.contains(&name) && Time::parse(text).is_some() => {
                self.merge_scalar(Self::Timestamp);
            }
            Value::String(text) if name == NODATA && non_finite(text).is_some() => self.merge_scalar(Self::Double),
            _ if DOCUMENTS.contains(&name) => *self = Self::Json,
            value => self.observe(value),
        }
    }

    fn of_scalar(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) => Self::of_number(number),
            Value::String(text) if non_finite(text).is_some() => Self::NonFinite,
            Value::String(text) if Time::parse(text).is_some_and(|time| time.strict) => Self::Timestamp,
            Value::String(_) => Self::Text,
            Value::Null => Self::Null,
            Value::Array(_) | Value::Object(_) => Self::Json,
        }
    }

    fn of_number(number: &Number) -> Self {
        const EXACT: u64 = 1 << 53;
        match number.as_i64() {
            Some(integer) => Self::Integer { exact: integer.unsigned_abs() <= EXACT },
            // Between 2^63 and 2^64 a double would round.
            None if number.is_u64() => Self::Scalar,
            None => Self::Double,
        }
    }

    /// Number of leaf columns of the shape.
    pub(super) fn fields(&self) -> usize {
        match self {
            Self::Struct(members) => members.values().map(Self::fields).sum(),
            Self::List(element) => element.fields(),
            _ => 1,
        }
    }

    /// The shape of the values of both.
    pub(super) fn union(mut self, other: &Self) -> Self {
        match (&mut self, other) {
            (_, Self::Null) => {}
            (Self::Null, other) => return other.clone(),
            (Self::Struct(members), Self::Struct(others)) => {
                for (name, other) in others {
                    let member = members.entry(name.clone()).or_default();
                    *member = std::mem::take(member).union(other);
                }
                if members.len() > MAX_MEMBERS {
                    return Self::Json;
                }
            }
            (Self::List(element), Self::List(other)) => {
                **element = std::mem::take(&mut **element).union(other);
                if matches!(**element, Self::Json | Self::Scalar) {
                    return Self::Json;
                }
            }
            (Self::Struct(_) | Self::List(_), _) | (_, Self::Struct(_) | Self::List(_)) => return Self::Json,
            (_, other) => self.merge_scalar(other.clone()),
        }
        self
    }

    fn merge_scalar(&mut self, other: Self) {
        let merged = match (&*self, &other) {
            (Self::Json | Self::Struct(_) | Self::List(_), _) | (_, Self::Json) => Self::Json,
            (Self::Null, _) => other,
            (Self::Integer { exact: a }, Self::Integer { exact: b }) => Self::Integer { exact: *a && *b },
            (Self::Integer { exact: true }, Self::Double | Self::NonFinite)
            | (Self::Double | Self::NonFinite, Self::Integer { exact: true })
            | (Self::Double, Self::NonFinite)
            | (Self::NonFinite, Self::Double) => Self::Double,
            (a, b) if a == b => return,
            (Self::Text | Self::Timestamp | Self::NonFinite, Self::Text | Self::Timestamp | Self::NonFinite) => {
                Self::Text
            }
            _ => Self::Scalar,
        };
        *self = merged;
    }
}

/// Extends the shape to include the members of an object.
pub(super) fn observe_members(members: &mut IndexMap<String, Shape>, object: &Map<String, Value>) {
    for (name, value) in object {
        match members.get_mut(name) {
            Some(member) => member.observe_member(name, value),
            None => {
                let mut member = Shape::Null;
                member.observe_member(name, value);
                members.insert(name.clone(), member);
            }
        }
    }
}

/// The numbers that JSON has no notation for, as the raster extension writes them (`nodata`).
pub(super) fn non_finite(text: &str) -> Option<f64> {
    match text {
        "nan" | "NaN" => Some(f64::NAN),
        "inf" | "Infinity" => Some(f64::INFINITY),
        "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(values: &[&str]) -> Shape {
        let mut shape = Shape::Null;
        values.iter().for_each(|value| shape.observe(&serde_json::from_str(value).unwrap()));
        shape
    }

    fn list(element: Shape) -> Shape {
        Shape::List(Box::new(element))
    }

    fn structure(members: &[(&str, Shape)]) -> Shape {
        Shape::Struct(members.iter().map(|(name, shape)| ((*name).to_owned(), shape.clone())).collect())
    }

    #[test]
    fn scalars() {
        const EXACT: Shape = Shape::Integer { exact: true };
        for (values, expected) in [
            (&["null"][..], Shape::Null),
            (&["null", "true", "false"], Shape::Boolean),
            (&["1", "-2"], EXACT),
            (&["1", "9223372036854775807"], Shape::Integer { exact: false }),
            (&["18446744073709551615"], Shape::Scalar),
            (&["9007199254740993", "0.5"], Shape::Scalar),
            (&["1", "2.0"], Shape::Double),
            (&["1", "\"nan\""], Shape::Double),
            (&["\"-inf\"", "0.5"], Shape::Double),
            (&["\"nan\"", "\"blue\""], Shape::Text),
            (&["\"2024-01-01T00:00:00Z\""], Shape::Timestamp),
            (&["\"2024-01-01T00:00:00Z\"", "\"2024-01-01\""], Shape::Text),
            (&["\"2024-01-01T00:00:00Z\"", "2024"], Shape::Scalar),
            (&["\"2024-01-01T00:00:00.123456789Z\""], Shape::Text),
            (&["1", "\"1\""], Shape::Scalar),
            (&["true", "1"], Shape::Scalar),
            (&["1", "[1]"], Shape::Json),
            (&["{}", "\"a\""], Shape::Json),
        ] {
            assert_eq!(shape(values), expected, "{values:?}");
        }
    }

    #[test]
    fn nested() {
        const EXACT: Shape = Shape::Integer { exact: true };
        assert_eq!(shape(&["[]", "[1]", "[2.5, null]"]), list(Shape::Double));
        assert_eq!(shape(&["[[1]]", "[[1.5], []]"]), list(list(Shape::Double)));
        assert_eq!(shape(&["[1, \"a\"]"]), Shape::Json);
        assert_eq!(shape(&["[[1], [[2]]]"]), Shape::Json);
        assert_eq!(shape(&["[0]", "[{\"a\":1}]"]), Shape::Json);
        assert_eq!(
            shape(&[r#"{"a":1}"#, r#"{"b":"x","a":1.5}"#]),
            structure(&[("a", Shape::Double), ("b", Shape::Text)])
        );
        assert_eq!(
            shape(&[r#"[{"a":1}]"#, r#"[{"b":[true]}]"#]),
            list(structure(&[("a", EXACT), ("b", list(Shape::Boolean))]))
        );
        assert_eq!(shape(&[r#"{"a":[1,"x"]}"#]), structure(&[("a", Shape::Json)]));
    }

    #[test]
    fn names_that_define_the_type() {
        assert_eq!(shape(&[r#"{"created":"2024-01-01"}"#]), structure(&[("created", Shape::Timestamp)]));
        assert_eq!(shape(&[r#"{"made":"2024-01-01"}"#]), structure(&[("made", Shape::Text)]));
        assert_eq!(shape(&[r#"{"nodata":"nan"}"#]), structure(&[("nodata", Shape::Double)]));
        assert_eq!(shape(&[r#"{"proj:projjson":{"a":1}}"#]), structure(&[("proj:projjson", Shape::Json)]));
    }

    #[test]
    fn objects_with_many_members_are_json() {
        let object: Map<String, Value> =
            (0..=MAX_MEMBERS).map(|index| (index.to_string(), Value::Bool(true))).collect();
        let mut many = Shape::Null;
        many.observe(&Value::Object(object));
        assert_eq!(many, Shape::Json);
    }
}
