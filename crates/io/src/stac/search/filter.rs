//! Applies the conditions of a search to the records of static catalogs.
//!
//! A missing value, such as the bounding box or time of an item, satisfies no condition.

use rasteret_cog::ParsedGeometry;
use serde_json::{Map, Value};

use super::conditions::Conditions;
use super::interval::Interval;
use super::meets::{Parts, Sides};
use crate::stac::item;
use crate::types::hex;
use crate::types::time::Time;
use crate::{Error, Result};

/// Conditions, ready to be applied.
#[derive(Debug)]
pub(super) struct Filter {
    collections: Vec<String>,
    ids: Vec<String>,
    /// A box or a geometry: a search has one of them.
    place: Option<Parts>,
    datetime: Option<Interval>,
    query: Vec<Comparison>,
}

/// One operator of the Query extension.
#[derive(Debug)]
struct Comparison {
    property: String,
    operator: Operator,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    StartsWith,
    EndsWith,
    Contains,
    In,
}

const OPERATORS: [(&str, Operator); 10] = [
    ("eq", Operator::Eq),
    ("neq", Operator::Neq),
    ("lt", Operator::Lt),
    ("lte", Operator::Lte),
    ("gt", Operator::Gt),
    ("gte", Operator::Gte),
    ("startsWith", Operator::StartsWith),
    ("endsWith", Operator::EndsWith),
    ("contains", Operator::Contains),
    ("in", Operator::In),
];

impl Filter {
    pub(super) fn new(conditions: &Conditions) -> Result<Self> {
        let mut query = Vec::new();
        for (property, operators) in conditions.query.iter().flatten() {
            let operators = operators.as_object().ok_or_else(|| unknown(property, "no object of operators"))?;
            for (name, value) in operators {
                let operator = OPERATORS.iter().find(|(known, _)| known == name).map(|(_, operator)| *operator);
                let operator = operator.ok_or_else(|| unknown(property, &format!("'{name}'")))?;
                query.push(Comparison { property: property.clone(), operator, value: value.clone() });
            }
        }
        let bbox = match conditions.bbox.as_deref() {
            Some([xmin, ymin, xmax, ymax] | [xmin, ymin, _, xmax, ymax, _]) => {
                Some(Parts::of_box([*xmin, *ymin, *xmax, *ymax]))
            }
            _ => None,
        };
        Ok(Self {
            collections: conditions.collections.clone(),
            ids: conditions.ids.clone(),
            place: bbox.or_else(|| conditions.intersects.as_ref().map(Parts::of)),
            datetime: conditions.datetime,
            query,
        })
    }

    /// Whether the record satisfies all conditions.
    pub(super) fn accepts(&self, record: &Map<String, Value>) -> bool {
        let named = |names: &[String], member: &str| {
            let name = record.get(member).and_then(Value::as_str);
            names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
        };
        named(&self.collections, item::COLLECTION)
            && named(&self.ids, item::ID)
            && self.datetime.is_none_or(|interval| span(record).is_some_and(|(start, end)| interval.meets(start, end)))
            && self.place.as_ref().is_none_or(|place| footprint(record).is_some_and(|own| own.meets_at_any_turn(place)))
            && self.query.iter().all(|comparison| comparison.holds(record))
    }
}

fn unknown(property: &str, found: &str) -> Error {
    let known: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
    let what = format!("query: {property}: expected operators of {}, found {found}", known.join(", "));
    Error::InvalidArgument { what }
}

/// A property of the record.
fn property<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let of_record = [item::ID, item::COLLECTION, item::DATETIME, item::EPSG, item::CLOUD_COVER].contains(&name);
    let value = match of_record {
        true => record.get(name),
        false => record.get(item::PROPERTIES)?.get(name.strip_prefix("properties.").unwrap_or(name)),
    };
    value.filter(|value| !value.is_null())
}

/// Start and end of the record: its range if it has one, otherwise its time.
fn span(record: &Map<String, Value>) -> Option<(i64, i64)> {
    let time = |name: &str| Time::parse(property(record, name)?.as_str()?);
    match (time("start_datetime"), time("end_datetime")) {
        (Some(start), Some(end)) => Some((start.micros, end.end()?)),
        _ => time(item::DATETIME).map(|time| (time.micros, time.micros)),
    }
}

/// The record's geometry; its box if it has no geometry or an ambiguous area, which may select an item too many but
/// never one too few.
fn footprint(record: &Map<String, Value>) -> Option<Parts> {
    let bbox = || Some(Parts::of_box(sides(record)?));
    let Some(wkb) = record.get(item::GEOMETRY).and_then(Value::as_str).and_then(hex::decode) else { return bbox() };
    let Ok(parsed) = ParsedGeometry::from_wkb(&wkb) else { return bbox() };
    let parts = Parts::of(&parsed.geometry);
    // The box crosses the antimeridian, but the geometry covers the rest of the world instead: it was not cut in two as
    // required by RFC 7946, section 3.1.9.
    let folded = sides(record).is_some_and(|[west, _, east, _]| west > east) && parts.is_wider_than(180.0);
    if folded { bbox() } else { Some(parts) }
}

fn sides(record: &Map<String, Value>) -> Option<Sides> {
    let numbers: Vec<f64> = record.get(item::BBOX)?.as_array()?.iter().filter_map(Value::as_f64).collect();
    numbers.try_into().ok()
}

impl Comparison {
    fn holds(&self, record: &Map<String, Value>) -> bool {
        let Some(found) = property(record, &self.property) else { return false };
        let value = &self.value;
        let order = || compare(found, value);
        let texts = |test: fn(&str, &str) -> bool| match (found.as_str(), value.as_str()) {
            (Some(found), Some(value)) => test(found, value),
            _ => false,
        };
        match self.operator {
            Operator::Eq => equal(found, value),
            Operator::Neq => !equal(found, value),
            Operator::Lt => order().is_some_and(|order| order.is_lt()),
            Operator::Lte => order().is_some_and(|order| order.is_le()),
            Operator::Gt => order().is_some_and(|order| order.is_gt()),
            Operator::Gte => order().is_some_and(|order| order.is_ge()),
            Operator::StartsWith => texts(|found, value| found.starts_with(value)),
            Operator::EndsWith => texts(|found, value| found.ends_with(value)),
            Operator::Contains => match found.as_array() {
                Some(list) => list.iter().any(|found| equal(found, value)),
                None => texts(|found, value| found.contains(value)),
            },
            Operator::In => value.as_array().is_some_and(|list| list.iter().any(|value| equal(found, value))),
        }
    }
}

fn equal(found: &Value, value: &Value) -> bool {
    found == value || compare(found, value).is_some_and(|order| order.is_eq())
}

/// Numbers by size, times by time, other texts by their letters.
fn compare(found: &Value, value: &Value) -> Option<std::cmp::Ordering> {
    match (found, value) {
        (Value::Number(found), Value::Number(value)) => found.as_f64()?.partial_cmp(&value.as_f64()?),
        (Value::String(found), Value::String(value)) => Some(match (Time::parse(found), Time::parse(value)) {
            // Four digits are considered text and not a year, unless both texts are complete times.
            (Some(a), Some(b)) if found.len() >= 10 && value.len() >= 10 => a.micros.cmp(&b.micros),
            _ => found.cmp(value),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::SearchOptions;
    use super::*;

    fn record() -> Map<String, Value> {
        let polygon = json!({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [0, 4], [0, 0]]]});
        let item = json!({"type": "Feature", "id": "a", "collection": "c", "geometry": polygon, "bbox": [0, 0, 4, 4],
            "properties": {"datetime": "2024-01-15T12:00:00Z", "eo:cloud_cover": 12.5, "platform": "sentinel-2a", "n": 3,
                "instruments": ["msi"], "nothing": null}});
        item::normalize(item, "item.json").unwrap()
    }

    fn accepts(options: SearchOptions) -> bool {
        let filter = Filter::new(&Conditions::new(options).unwrap()).unwrap();
        filter.accepts(&record())
    }

    #[test]
    fn ids_bounding_boxes_and_times() {
        let names = |collections: &[&str], ids: &[&str]| SearchOptions {
            collections: collections.iter().map(|name| (*name).to_owned()).collect(),
            ids: ids.iter().map(|name| (*name).to_owned()).collect(),
            ..SearchOptions::default()
        };
        assert!(accepts(names(&[], &[])) && accepts(names(&["b", "c"], &["a"])));
        assert!(!accepts(names(&["b"], &[])) && !accepts(names(&[], &["b"])));
        for (bbox, expected) in [
            ([2.0, 2.0, 5.0, 5.0], true),
            // Inside of the item's bounding box, but outside of its geometry.
            ([3.5, 3.5, 5.0, 5.0], false),
            ([4.1, 0.0, 5.0, 5.0], false),
            ([362.0, 2.0, 365.0, 5.0], true),
            ([-360.0, -90.0, 0.0, 90.0], true),
            ([179.0, 0.0, 1.0, 1.0], true),
            ([179.0, 0.0, -1.0, 1.0], false),
        ] {
            assert_eq!(
                accepts(SearchOptions { bbox: Some(bbox.to_vec()), ..SearchOptions::default() }),
                expected,
                "{bbox:?}"
            );
        }
        for (time, expected) in [("2024-01-15", true), ("../2024-01", true), ("2024-01-16/..", false), ("2023", false)]
        {
            let options = SearchOptions { datetime: Some(time.to_owned()), ..SearchOptions::default() };
            assert_eq!(accepts(options), expected, "{time}");
        }
        for (wkt, expected) in [("POINT(1 1)", true), ("POINT(3 3)", false), ("POINT(9 9)", false)] {
            let intersects = ParsedGeometry::from_text(wkt).unwrap().geometry;
            assert_eq!(
                accepts(SearchOptions { intersects: Some(intersects), ..SearchOptions::default() }),
                expected,
                "{wkt}"
            );
        }
    }

    #[test]
    fn longitudes_modulo_360_degrees() {
        let ring = |west: f64, east: f64| [[west, -17.5], [east, -17.5], [east, -17.0], [west, -17.0], [west, -17.5]];
        let polygon = |west, east| json!({"type": "Polygon", "coordinates": [ring(west, east)]});
        let halves = json!({"type": "MultiPolygon", "coordinates": [[ring(179.8, 180.0)], [ring(-180.0, -179.8)]]});
        let found = |geometry: &Value, item_box: Value, bbox: [f64; 4]| {
            let item = json!({"type": "Feature", "id": "a", "geometry": geometry, "bbox": item_box, "properties": {}});
            let filter = SearchOptions { bbox: Some(bbox.to_vec()), ..SearchOptions::default() };
            let filter = Filter::new(&Conditions::new(filter).unwrap()).unwrap();
            filter.accepts(&item::normalize(item, "item.json").unwrap())
        };
        let items = [
            (polygon(179.8, 180.2), json!([179.8, -17.5, 180.2, -17.0])),
            (polygon(-180.2, -179.8), json!([-180.2, -17.5, -179.8, -17.0])),
            (polygon(539.8, 540.2), Value::Null),
            (halves.clone(), json!([179.8, -17.5, -179.8, -17.0])),
            (halves, json!([-180, -17.5, 180, -17.0])),
            // Not cut at the antimeridian: only the bounding box is valid.
            (polygon(179.8, -179.8), json!([179.8, -17.5, -179.8, -17.0])),
            (Value::Null, json!([179.8, -17.5, -179.8, -17.0])),
        ];
        for (geometry, item_box) in &items {
            for (bbox, expected) in [
                ([179.0, -18.0, 179.9, -17.2], true),
                ([-179.9, -18.0, -179.0, -17.2], true),
                ([180.1, -18.0, 181.0, -17.2], true),
                ([178.0, -18.0, -178.0, -16.0], true),
                ([180.0, -18.0, -180.0, -16.0], true),
                ([-180.0, -90.0, 180.0, 90.0], true),
                ([0.0, -90.0, 360.0, 90.0], true),
                ([-540.0, -17.2, -539.9, -17.1], true),
                ([179.0, -18.0, 179.7, -17.2], false),
                ([-179.7, -18.0, 179.7, -17.2], false),
                ([10.0, -18.0, -179.9, -16.0], true),
                ([-179.7, -18.0, 179.0, 80.0], false),
                ([178.0, -16.0, -178.0, 0.0], false),
            ] {
                assert_eq!(found(geometry, item_box.clone(), bbox), expected, "{geometry} {item_box} {bbox:?}");
            }
        }
        // Very large longitudes must not take longer.
        let everywhere = json!([-1e300, 0, 1e300, 1]);
        assert!(found(&Value::Null, everywhere.clone(), [5.0, 0.0, 6.0, 3.0]));
        assert!(!found(&Value::Null, everywhere, [5.0, 2.0, 6.0, 3.0]));
    }

    #[test]
    fn queries() {
        for (query, expected) in [
            (json!({"eo:cloud_cover": {"lt": 12.6, "gte": 12.5}}), true),
            (json!({"eo:cloud_cover": {"gt": 12.5}}), false),
            (
                json!({"n": {"eq": 3.0}, "platform": {"startsWith": "sentinel", "endsWith": "2a", "contains": "-"}}),
                true,
            ),
            (json!({"n": {"neq": 3}}), false),
            (json!({"platform": {"in": ["x", "sentinel-2a"]}}), true),
            (json!({"instruments": {"contains": "msi"}}), true),
            (json!({"datetime": {"lt": "2024-01-15T14:00:00+01:00"}}), true),
            (json!({"nothing": {"neq": 1}}), false),
            (json!({"n": {"lt": "4"}}), false),
        ] {
            let options = SearchOptions { query: Some(query.to_string()), ..SearchOptions::default() };
            assert_eq!(accepts(options), expected, "{query}");
        }
        let options = SearchOptions { query: Some(r#"{"n": {"like": 1}}"#.to_owned()), ..SearchOptions::default() };
        let error = Filter::new(&Conditions::new(options).unwrap()).unwrap_err().to_string();
        assert!(
            error.starts_with("query: n: expected operators of eq, neq,") && error.ends_with("found 'like'"),
            "{error}"
        );
    }
}
