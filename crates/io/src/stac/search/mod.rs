//! `stac_search`: items of a STAC API, or of a static catalogue, that meet conditions.
//!
//! Owns the conditions: what they mean is the same whether an API applies them or, for a catalogue that is only files, this
//! module does. Source: STAC API 1.0, Item Search, with its Query and Filter extensions.
//!
//! | the URL is | so |
//! |---|---|
//! | a page whose links name a search, or `.../search` | [`api`]: POST, else GET, and the pages' `next` links |
//! | a Catalog or a Collection without one, local or remote | [`catalog`]: its `child` and `item` links, [`filter`] applied here |

mod api;
mod catalog;
mod filter;
mod interval;
mod linked;
mod meets;

use rasteret_cog::Geometry;
use serde_json::{Map, Value, json};
use url::Url;

use super::StacTable;
use super::collect::Collector;
use super::files::Head;
use crate::{Error, Location, Result, Session};
use filter::Filter;
use interval::Interval;
use linked::{Linked, target};

/// Conditions that items meet, all of them.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// Items of these collections; empty for all.
    pub collections: Vec<String>,
    /// Items with these ids; empty for all.
    pub ids: Vec<String>,
    /// xmin, ymin, xmax, ymax in degrees, or six numbers with heights; xmin > xmax across the antimeridian. Items whose geometry
    /// meets the box at any turn of 360 degrees.
    pub bbox: Option<Vec<f64>>,
    /// A time, or two with a slash between them, either of which may be `..` or empty. A year, a month or a day is all of it.
    pub datetime: Option<String>,
    /// Items whose geometry this one touches, in longitude and latitude, at any turn of 360 degrees.
    pub intersects: Option<Geometry>,
    /// JSON of the Query extension: `{"eo:cloud_cover": {"lt": 10}}`.
    pub query: Option<String>,
    /// CQL2, as text or as JSON; understood by APIs only.
    pub filter: Option<String>,
    /// Items in all; None for as many as there are.
    pub limit: Option<u64>,
    /// Items to request per page of an API; None for [`PAGE_SIZE`].
    pub page_size: Option<u64>,
    /// Leave out items and documents that cannot be read, instead of failing.
    pub ignore_errors: bool,
}

/// Items of a page. What APIs without a limit of their own still answer within the time-out and their gateways' 6 MB.
const PAGE_SIZE: u64 = 100;

/// Conditions, checked.
#[derive(Debug)]
struct Conditions {
    collections: Vec<String>,
    ids: Vec<String>,
    bbox: Option<Vec<f64>>,
    datetime: Option<Interval>,
    intersects: Option<Geometry>,
    query: Option<Map<String, Value>>,
    filter: Option<Value>,
    limit: Option<u64>,
    page_size: u64,
}

impl StacTable {
    /// Searches, to the last page. Blocks the calling thread, which must not be one of the runtime's.
    pub fn search(session: &Session, url: &str, options: SearchOptions) -> Result<Self> {
        let ignore_errors = options.ignore_errors;
        let conditions = Conditions::new(options)?;
        let collector = Collector::new(ignore_errors).limited(conditions.limit);
        match Place::find(session, url)? {
            Place::Api(endpoint) => {
                let mut collector = collector.each_once();
                api::search(session, endpoint, &conditions, &mut collector)?;
                collector.finish()
            }
            Place::Catalog(root) => {
                if conditions.filter.is_some() {
                    let what = format!(
                        "filter: {} is a static catalog, for which CQL2 is not evaluated: use query, or WHERE",
                        crate::types::location::redacted(url)
                    );
                    return Err(Error::InvalidArgument { what });
                }
                let filter = Filter::new(&conditions)?;
                let mut collector = collector.filtered(move |record| filter.accepts(record));
                catalog::crawl(session, root, &conditions.collections, &mut collector)?;
                collector.finish()
            }
        }
    }
}

/// Where a search is made.
enum Place {
    Api(api::Endpoint),
    Catalog(catalog::Folder),
}

impl Place {
    /// Reads the document at the URL, unless the URL is that of a search.
    fn find(session: &Session, url: &str) -> Result<Self> {
        let location = Location::parse(url)?;
        let web = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if let Some(url) = web.as_ref().filter(|url| url.path().trim_end_matches('/').ends_with("/search")) {
            return Ok(Self::Api(api::Endpoint { url: url.clone(), post: true }));
        }
        let text = session.block_on(Head::fetch(session, url))??.whole(session)?;
        let wrong = |what: &str| Error::Records { location: location.clone(), what: what.to_owned() };
        let expected = "expected a STAC API, its search endpoint, or a static catalog";
        let text = crate::types::json::with_nulls(&text);
        let Ok(document) = Linked::parse(&text) else {
            return Err(wrong(&format!("{expected}, found no JSON object")));
        };
        let link_max = session.memory().of_item();
        if let Some(endpoint) = web.and_then(|url| api::Endpoint::of(&document, url, link_max)) {
            return Ok(Self::Api(endpoint));
        }
        let kind = document.kind();
        let has = |relations: &[&str]| document.links(relations, link_max).next().is_some();
        if matches!(kind.as_deref(), Some("Feature" | "FeatureCollection")) {
            return Err(wrong(&format!("{expected}, found items: read_stac reads those")));
        }
        if !has(&["child", "item"]) && has(&["items"]) {
            let root = document.links(&["root"], link_max).next().and_then(|(_, link)| target(&link, url));
            let root =
                root.map(|root| format!(", which is {}", crate::types::location::redacted(&root))).unwrap_or_default();
            return Err(wrong(&format!("{expected}, found a Collection of an API: search the API{root}")));
        }
        if !has(&["child", "item"]) && !matches!(kind.as_deref(), Some("Catalog" | "Collection")) {
            return Err(wrong(&format!("{expected}, found another document")));
        }
        Ok(Self::Catalog(catalog::Folder::new(url.to_owned(), &document, None, link_max)))
    }
}

impl Conditions {
    fn new(options: SearchOptions) -> Result<Self> {
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
    fn per_page(&self) -> u64 {
        self.limit.map_or(self.page_size, |limit| limit.min(self.page_size))
    }

    /// As the body of a POST.
    fn body(&self) -> Map<String, Value> {
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
