//! The conditions of a search.

use rasteret_cog::Geometry;
use serde_json::{Map, Value, json};

use super::interval::Interval;
use super::meets;
use crate::{Error, Result};

/// Conditions that items must satisfy.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// Items of these collections; empty for all.
    pub collections: Vec<String>,
    /// Items with these ids; empty for all.
    pub ids: Vec<String>,
    /// xmin, ymin, xmax, ymax in degrees, or six numbers with heights; xmin > xmax across the antimeridian. Items whose geometry
    /// intersects the box, with longitudes modulo 360 degrees.
    pub bbox: Option<Vec<f64>>,
    /// A time, or two with a slash between them, either of which may be `..` or empty. A year, a month or a day is all of it.
    pub datetime: Option<String>,
    /// Items whose geometry intersects this one, in longitude and latitude, with longitudes modulo 360 degrees.
    pub intersects: Option<Geometry>,
    /// JSON of the Query extension: `{"eo:cloud_cover": {"lt": 10}}`.
    pub query: Option<String>,
    /// CQL2, as text or as JSON; understood by APIs only.
    pub filter: Option<String>,
    /// Total number of items; None for all.
    pub limit: Option<u64>,
    /// Items to request per page of an API; None for [`PAGE_SIZE`].
    pub page_size: Option<u64>,
    /// Leave out items and documents that cannot be read, instead of failing.
    pub ignore_errors: bool,
}

/// Items per page: APIs without a limit respond to this within the time-out and the 6 MB of their
/// gateways.
const PAGE_SIZE: u64 = 100;

/// Conditions, checked.
#[derive(Debug)]
pub(super) struct Conditions {
    pub(super) collections: Vec<String>,
    pub(super) ids: Vec<String>,
    pub(super) bbox: Option<Vec<f64>>,
    pub(super) datetime: Option<Interval>,
    pub(super) intersects: Option<Geometry>,
    pub(super) query: Option<Map<String, Value>>,
    pub(super) filter: Option<Value>,
    pub(super) limit: Option<u64>,
    pub(super) page_size: u64,
}

impl Conditions {
    pub(super) fn new(options: SearchOptions) -> Result<Self> {
        let SearchOptions { collections, ids, bbox, datetime, intersects, query, filter, limit, page_size, .. } =
            options;
        if let Some(sides) = &bbox {
            check_bbox(sides)?;
        }
        if bbox.is_some() && intersects.is_some() {
            return Err(wrong("bbox, intersects: expected one of them (STAC API, Item Search), found both"));
        }
        let query = query.map(|text| match serde_json::from_str(&text) {
            Ok(Value::Object(query)) => Ok(query),
            _ => Err(wrong(r#"query: expected JSON as VARCHAR, such as '{"eo:cloud_cover": {"lt": 10}}'"#)),
        });
        let filter = filter.map(|text| match text.trim_start().starts_with('{') {
            true => serde_json::from_str(&text).map_err(|error| wrong(&format!("filter: not CQL2 JSON: {error}"))),
            false => Ok(Value::String(text)),
        });
        if page_size == Some(0) || limit == Some(0) {
            return Err(wrong("limit, page_size: expected at least 1, found 0"));
        }
        Ok(Self {
            collections,
            ids,
            bbox,
            datetime: datetime.map(|text| Interval::parse(&text)).transpose()?,
            intersects,
            query: query.transpose()?,
            filter: filter.transpose()?,
            limit,
            page_size: page_size.unwrap_or(PAGE_SIZE),
        })
    }

    /// Items to request per page.
    pub(super) fn per_page(&self) -> u64 {
        self.limit.map_or(self.page_size, |limit| limit.min(self.page_size))
    }

    /// As the body of a POST.
    pub(super) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if !self.collections.is_empty() {
            add("collections", json!(self.collections));
        }
        if !self.ids.is_empty() {
            add("ids", json!(self.ids));
        }
        if let Some(bbox) = &self.bbox {
            add("bbox", json!(bbox));
        }
        if let Some(datetime) = &self.datetime {
            add("datetime", Value::String(datetime.to_string()));
        }
        if let Some(geometry) = &self.intersects {
            add("intersects", meets::geojson(geometry));
        }
        if let Some(query) = &self.query {
            add("query", Value::Object(query.clone()));
        }
        if let Some(filter) = &self.filter {
            add("filter-lang", Value::from(if filter.is_string() { "cql2-text" } else { "cql2-json" }));
            add("filter", filter.clone());
        }
        add("limit", self.per_page().into());
        body
    }
}

fn check_bbox(sides: &[f64]) -> Result<()> {
    let (low, high) = match sides {
        [_, low, _, high] | [_, low, _, _, high, _] => (*low, *high),
        other => return Err(wrong(&format!("bbox: expected 4 or 6 numbers, found {}", other.len()))),
    };
    if sides.iter().any(|side| !side.is_finite()) || low > high {
        return Err(wrong("bbox: expected xmin, ymin, xmax, ymax, with ymin no larger than ymax"));
    }
    Ok(())
}

fn wrong(what: &str) -> Error {
    Error::InvalidArgument { what: what.to_owned() }
}
