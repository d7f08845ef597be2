//! `FROM stac_search(url, …)`: STAC Items of an API or a static catalog as a table.

use std::borrow::Cow;
use std::sync::Mutex;

use rasteret_io::Session;
use rasteret_io::stac::{SearchOptions, StacTable};

use super::stac_items::{self, Execution, Items};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::files;
use crate::functions::params;
use crate::geometry::ConstantGeometry;
use crate::options::OptionValues;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, Value};

static DOC: Documentation = Documentation {
    name: "stac_search",
    kind: Kind::Table,
    signatures: &[
        "FROM stac_search(url [, collections := NULL, ids := NULL, bbox := NULL, datetime := NULL, intersects := NULL, \
        query := NULL, filter := NULL, \"limit\" := NULL, page_size := 100, ignore_errors := false])",
    ],
    description: "Searches a STAC API or a static catalog, with one row per Item. An API is searched by POST, else by \
        GET, page by page; duplicate items are removed. A static catalog, local or remote, is read by following its \
        `child` and `item` links, and the conditions are evaluated by the extension. The search runs when the query \
        is planned, and its result is kept like the items of `read_stac`. Requests to busy servers (429, 503) are \
        repeated after the time that the server specifies, at most 10 s, up to three times.",
    parameters: &[Parameter {
        name: "url",
        value: ValueType::Text,
        default: None,
        description: "The landing page of an API or its `/search`, or the `catalog.json` or `collection.json` of a \
            static catalog.",
    }],
    options: &[COLLECTIONS, IDS, BBOX, DATETIME, INTERSECTS, QUERY, FILTER, LIMIT, PAGE_SIZE, IGNORE_ERRORS],
    returns: "The columns of `read_stac`.",
    examples: &[Example {
        sql: "SELECT id, collection, datetime, assets.B04.href FROM stac_search('test/data/stac/catalog/catalog.json', \
              collections := ['a'], datetime := '2024-01-02/..', query := '{\"eo:cloud_cover\": {\"lt\": 20}}')",
        result: "a-1\ta\t2024-01-02 00:00:00\ttest/data/cog.tif",
    }],
};

const COLLECTIONS: Parameter = Parameter {
    name: "collections",
    value: ValueType::Other("VARCHAR or VARCHAR[]"),
    default: Some("NULL"),
    description: "Collections to search.",
};

const IDS: Parameter = Parameter {
    name: "ids",
    value: ValueType::Other("VARCHAR or VARCHAR[]"),
    default: Some("NULL"),
    description: "Ids of items.",
};

const BBOX: Parameter = Parameter {
    name: "bbox",
    value: ValueType::Numbers,
    default: Some("NULL"),
    description: "A box that the geometry of an item must intersect: xmin, ymin, xmax, ymax in degrees, or six \
        numbers including heights; xmin > xmax across the antimeridian. In a static catalog, longitudes that differ \
        by 360 are equivalent.",
};

const DATETIME: Parameter = Parameter {
    name: "datetime",
    value: ValueType::Text,
    default: Some("NULL"),
    description: "A time, or an interval of two times separated by a slash, either of which may be `..`. A year, \
        month or day includes all of it: `'2024-01/2024-02'`.",
};

const INTERSECTS: Parameter = Parameter {
    name: "intersects",
    value: params::GEOMETRY_VALUE,
    default: Some("NULL"),
    description: "A [geometry](parameters.md#geometry) in longitude and latitude, or a box, that the geometry of an \
        item must intersect; instead of `bbox`.",
};

const QUERY: Parameter = Parameter {
    name: "query",
    value: ValueType::Text,
    default: Some("NULL"),
    description: "Conditions in the JSON of the Query extension: `'{\"eo:cloud_cover\": {\"lt\": 10}}'`.",
};

const FILTER: Parameter = Parameter {
    name: "filter",
    value: ValueType::Text,
    default: Some("NULL"),
    description: "Conditions in CQL2, as text or JSON, passed to the API unchanged. Not supported for static catalogs.",
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    value: ValueType::Integer,
    default: Some("NULL"),
    description: "The maximum number of items; NULL: no limit. A reserved word, so it must be quoted. A LIMIT clause \
        of the query does not limit the search.",
};

const PAGE_SIZE: Parameter = Parameter {
    name: "page_size",
    value: ValueType::Integer,
    default: Some("100"),
    description: "The number of items per page requested from an API.",
};

const IGNORE_ERRORS: Parameter = Parameter {
    description: "Skips items, and documents of a static catalog, that cannot be read. Pages of an API are never \
        skipped.",
    ..params::IGNORE_ERRORS
};

/// The table function.
pub(crate) struct StacSearch;

impl TableFunction for StacSearch {
    type Bind = Items;
    type Global = Mutex<Execution>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![LogicalType::varchar()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Items>> {
        let url = info.argument(0).and_then(|value| value.text());
        let url = url.ok_or_else(|| Error::argument("url: expected a URL or a path, found NULL"))?;
        Items::bind(StacTable::search(session, &url, options(info)?)?)
    }

    fn init(items: &Items, columns: &[usize]) -> Result<Init<Mutex<Execution>>> {
        items.init(columns)
    }

    fn next(_items: &Items, execution: &Mutex<Execution>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        stac_items::next(execution, output)
    }
}

fn options(info: &BindInfo) -> Result<SearchOptions> {
    let given = |option: &Parameter| info.named(option.name).filter(|value| !value.is_null());
    let texts = |option: &Parameter| given(option).map_or(Ok(Vec::new()), |value| files::texts(option.name, value));
    let text = |option: &Parameter| info.text(option).map(Cow::into_owned);
    let count = |option: &Parameter| params::count(info, option).map(|count| count.map(|count| count as u64));
    let bbox = given(&BBOX).map(|value| {
        let sides = value.list().and_then(|sides| sides.iter().map(Value::number).collect::<Option<Vec<f64>>>());
        sides.ok_or_else(|| Error::argument("bbox: expected DOUBLE[] without NULLs"))
    });
    let intersects = match given(&INTERSECTS) {
        Some(value) => ConstantGeometry::of(value)?.map(|constant| constant.parse_within_180()).transpose()?,
        None => None,
    };
    if let Some(crs) = intersects.as_ref().and_then(|parsed| parsed.crs.as_deref())
        && !["OGC:CRS84", "EPSG:4326"].iter().any(|known| crs.eq_ignore_ascii_case(known))
    {
        return Err(Error::argument(format!("intersects: expected longitude and latitude (OGC:CRS84), found {crs}")));
    }
    Ok(SearchOptions {
        collections: texts(&COLLECTIONS)?,
        ids: texts(&IDS)?,
        bbox: bbox.transpose()?,
        datetime: text(&DATETIME),
        intersects: intersects.map(|parsed| parsed.geometry),
        query: text(&QUERY),
        filter: text(&FILTER),
        limit: count(&LIMIT)?,
        page_size: count(&PAGE_SIZE)?,
        ignore_errors: params::ignore_errors(info),
    })
}
