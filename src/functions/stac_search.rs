//! `FROM stac_search(url, …)`: STAC Items of an API or a static catalogue as a table.

use std::sync::Mutex;

use rasteret_io::Session;
use rasteret_io::stac::{SearchOptions, StacTable};

use super::cog_tiles_for_geometry::GEOMETRY_KINDS;
use super::documentation::{Documentation, Example, Kind, Parameter};
use super::files;
use super::stac_items::{self, Execution, Items};
use crate::error::{Error, Result};
use crate::geometry::{ConstantGeometry, geometry_type};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId, Value};

pub(super) static DOC: Documentation = Documentation {
    name: "stac_search",
    kind: Kind::Table,
    signatures: &[
        "FROM stac_search(url [, collections := NULL, ids := NULL, bbox := NULL, datetime := NULL, intersects := NULL, \
        query := NULL, filter := NULL, \"limit\" := NULL, page_size := 100, ignore_errors := false])",
    ],
    description: "A row a STAC Item that meets all conditions, from a STAC API or from a static catalog. An API is asked by POST, else \
        by GET, one page after the other; each item comes once. A static catalog, local or remote, is read along its `child` and \
        `item` links, and the conditions are applied here. The search is made when the query is planned, and its answer kept as \
        `read_stac` keeps its items. Busy servers (429, 503) are waited for as they ask, at most 10 s, three times.",
    parameters: &[
        Parameter {
            name: "url",
            kind: "VARCHAR",
            default: None,
            description: "An API's first page or its `/search`; or a static catalog's `catalog.json` or `collection.json`.",
        },
        Parameter {
            name: "collections",
            kind: "VARCHAR or VARCHAR[]",
            default: Some("NULL"),
            description: "Items of these collections.",
        },
        Parameter {
            name: "ids",
            kind: "VARCHAR or VARCHAR[]",
            default: Some("NULL"),
            description: "Items with these ids.",
        },
        Parameter {
            name: "bbox",
            kind: "DOUBLE[]",
            default: Some("NULL"),
            description: "Items whose geometry meets this box: xmin, ymin, xmax, ymax in degrees, or six numbers with heights; \
                xmin > xmax across the antimeridian. In a static catalog longitudes that differ by 360 are one place.",
        },
        Parameter {
            name: "datetime",
            kind: "VARCHAR",
            default: Some("NULL"),
            description: "A time, or two with a slash between them, either of which may be `..`. A year, a month or a day is all of it: \
                `'2024-01/2024-02'`.",
        },
        Parameter {
            name: "intersects",
            kind: GEOMETRY_KINDS,
            default: Some("NULL"),
            description: "Items that meet this geometry, in longitude and latitude, or this box; instead of `bbox`. See \
                `cog_tiles_for_geometry` for what is accepted.",
        },
        Parameter {
            name: "query",
            kind: "VARCHAR",
            default: Some("NULL"),
            description: "JSON of the Query extension: `'{\"eo:cloud_cover\": {\"lt\": 10}}'`.",
        },
        Parameter {
            name: "filter",
            kind: "VARCHAR",
            default: Some("NULL"),
            description: "CQL2, as text or as JSON, handed to the API as it is. Static catalogs cannot have it.",
        },
        Parameter {
            name: "\"limit\"",
            kind: "BIGINT",
            default: Some("NULL"),
            description: "Items in all; NULL: as many as there are. A reserved word: write it in quotes. A LIMIT of the query does not reach the search.",
        },
        Parameter {
            name: "page_size",
            kind: "BIGINT",
            default: Some("100"),
            description: "Items that an API is asked for at once.",
        },
        Parameter {
            name: "ignore_errors",
            kind: "BOOLEAN",
            default: Some("false"),
            description: "Leave out items, and documents of a static catalog, that cannot be read. Pages of an API are never left out.",
        },
    ],
    returns: "The columns of `read_stac`.",
    examples: &[Example {
        sql: "SELECT id, collection, datetime, assets.B04.href FROM stac_search('test/data/stac/catalog/catalog.json', \
              collections := ['a'], datetime := '2024-01-02/..', query := '{\"eo:cloud_cover\": {\"lt\": 20}}')",
        result: "a-1\ta\t2024-01-02 00:00:00\ttest/data/cog.tif",
    }],
};

/// The table function.
pub(super) struct StacSearch;

impl TableFunction for StacSearch {
    type Bind = Items;
    type Global = Mutex<Execution>;
    type Local = ();

    const NAME: &'static str = "stac_search";

    fn parameters() -> Vec<LogicalType> {
        vec![LogicalType::varchar()]
    }

    fn named_parameters() -> Vec<(&'static str, LogicalType)> {
        let of = LogicalType::of;
        vec![
            ("collections", of(TypeId::Any)),
            ("ids", of(TypeId::Any)),
            ("bbox", LogicalType::list(&of(TypeId::Double))),
            ("datetime", of(TypeId::Varchar)),
            ("intersects", geometry_type()),
            ("query", of(TypeId::Varchar)),
            ("filter", of(TypeId::Varchar)),
            ("limit", of(TypeId::Bigint)),
            ("page_size", of(TypeId::Bigint)),
            ("ignore_errors", of(TypeId::Boolean)),
        ]
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

/// The named arguments; NULL is as good as none.
fn options(info: &BindInfo) -> Result<SearchOptions> {
    let given = |name: &str| info.named(name).filter(|value| !value.is_null());
    let texts = |name: &str| given(name).map_or(Ok(Vec::new()), |value| files::texts(name, value));
    let text = |name: &str| given(name).and_then(|value| value.text());
    let count = |name: &str| {
        let count = given(name).and_then(|value| value.integer());
        let wrong = |count: i64| Error::argument(format!("{name}: expected a number of at least 1, found {count}"));
        count.map(|count| u64::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| wrong(count))).transpose()
    };
    let bbox = given("bbox").map(|value| {
        let sides = value.list().and_then(|sides| sides.iter().map(Value::number).collect::<Option<Vec<f64>>>());
        sides.ok_or_else(|| Error::argument("bbox: expected DOUBLE[] without NULLs"))
    });
    let intersects = match given("intersects") {
        Some(value) => ConstantGeometry::of(value)?.map(|constant| constant.parse_within_180()).transpose()?,
        None => None,
    };
    if let Some(crs) = intersects.as_ref().and_then(|parsed| parsed.crs.as_deref())
        && !["OGC:CRS84", "EPSG:4326"].iter().any(|known| crs.eq_ignore_ascii_case(known))
    {
        return Err(Error::argument(format!("intersects: expected longitude and latitude (OGC:CRS84), found {crs}")));
    }
    Ok(SearchOptions {
        collections: texts("collections")?,
        ids: texts("ids")?,
        bbox: bbox.transpose()?,
        datetime: text("datetime"),
        intersects: intersects.map(|parsed| parsed.geometry),
        query: text("query"),
        filter: text("filter"),
        limit: count("limit")?,
        page_size: count("page_size")?,
        ignore_errors: given("ignore_errors").and_then(|value| value.boolean()).unwrap_or(false),
    })
}
