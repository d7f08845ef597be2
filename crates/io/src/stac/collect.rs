//! Collects Items into a table: each is validated, extends the schema, and is written to the spool.
//!
//! Memory is bounded by the schema and by one item at a time, not by how many there are: see [`super::shape`] and
//! [`super::spool`].

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::columns::{Column, Names, common};
use super::document::ItemPosition;
use super::href::leads_to_local_file;
use super::item;
use super::shape::{Shape, observe_members};
use super::spool::SpoolWriter;
use super::table::{Inner, Path, StacTable, TableColumn};
use crate::{Error, Location, Result};

/// Fields of all assets together above which `assets` is a MAP. A vector of such a STRUCT has 2,048 values of each
/// field, used or not: at 16 bytes each, this number takes 128 MiB.
const MAX_ASSET_FIELDS: usize = 4_096;

/// Maximum number of property names of a schema.
const MAX_PROPERTIES: usize = 4_096;

/// Source of an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// For messages.
    pub(super) location: &'a Location,
    /// The base of its relative hrefs, unless it has a `self` link.
    pub(super) base: &'a str,
}

/// A table in the making.
#[derive(Debug, Default)]
pub(super) struct Collector {
    ignore_errors: bool,
    assets: Assets,
    cloud_cover: Shape,
    extensions: Shape,
    links: Shape,
    properties: IndexMap<String, Shape>,
    members: IndexMap<String, Shape>,
    spool: SpoolWriter,
    rows: u64,
    conditions: Conditions,
}

/// Whether a record is accepted.
type Filter = Box<dyn Fn(&Map<String, Value>) -> bool>;

/// Accepted records.
#[derive(Default)]
struct Conditions {
    accepts: Option<Filter>,
    limit: Option<u64>,
    /// The accepted records, for sources that may return one twice.
    seen: Option<Seen>,
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conditions").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The common fields of assets.
#[derive(Debug)]
enum Assets {
    /// Fields by key.
    Keys(IndexMap<String, Shape>),
    /// There are too many keys.
    Any(Shape),
}

impl Default for Assets {
    fn default() -> Self {
        Self::Keys(IndexMap::new())
    }
}

impl Collector {
    pub(super) fn new(ignore_errors: bool) -> Self {
        let text_list = Shape::List(Box::new(Shape::Text));
        Self { ignore_errors, extensions: text_list, links: Shape::List(Box::new(link())), ..Self::default() }
    }

    /// Limits the number of items.
    pub(super) fn limited(mut self, limit: Option<u64>) -> Self {
        self.conditions.limit = limit;
        self
    }

    /// Accepts only these records.
    pub(super) fn filtered(mut self, accepts: impl Fn(&Map<String, Value>) -> bool + 'static) -> Self {
        self.conditions.accepts = Some(Box::new(accepts));
        self
    }

    /// Takes the items of a collection once by their ids: pages of an API that changes meanwhile overlap.
    pub(super) fn each_once(mut self) -> Self {
        self.conditions.seen = Some(Seen::default());
        self
    }

    /// Whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.conditions.limit.is_some_and(|limit| self.rows >= limit)
    }

    /// Adds an item; an invalid one fails the call or is left out. Returns whether the item is a repetition.
    pub(super) fn add(&mut self, origin: Origin<'_>, position: ItemPosition, value: Value) -> Result<bool> {
        let name = item::named(&value);
        match item::normalize(value, origin.base).and_then(|record| without_local_files(record, origin.base)) {
            Ok(record) => self.record(record),
            Err(what) => {
                let name = name.map(|name| format!(" '{name}'")).unwrap_or_default();
                let what = format!("{position}{name}: {what}");
                self.refuse(Error::Records { location: origin.location.clone(), what })?;
                Ok(false)
            }
        }
    }

    /// Fails the call with the error of an item or a file, or leaves it out.
    pub(super) fn refuse(&self, error: Error) -> Result<()> {
        // A denial by a lock of the host is not a fault of a file.
        if self.ignore_errors && error.denial().is_none() { Ok(()) } else { Err(error) }
    }

    /// Adds a validated record, unless it is a repetition.
    fn record(&mut self, record: Map<String, Value>) -> Result<bool> {
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_new = |seen: &mut Seen| seen.first(&(text(item::COLLECTION), text(item::ID)));
        if self.is_full() || self.conditions.accepts.as_ref().is_some_and(|accepts| !accepts(&record)) {
            return Ok(false);
        }
        if self.conditions.seen.as_mut().is_some_and(|seen| !is_new(seen)) {
            return Ok(true);
        }
        for (name, value) in &record {
            match (name.as_str(), value) {
                (item::ASSETS, Value::Object(assets)) => self.assets.observe(assets),
                (item::PROPERTIES, Value::Object(properties)) => observe_members(&mut self.properties, properties),
                (item::MEMBERS, Value::Object(members)) => observe_members(&mut self.members, members),
                (item::CLOUD_COVER, value) => self.cloud_cover.observe(value),
                (item::STAC_EXTENSIONS, value) => self.extensions.observe(value),
                (item::LINKS, value) => self.links.observe(value),
                _ => {}
            }
        }
        let names = self.properties.len() + self.members.len();
        if names > MAX_PROPERTIES {
            let what = format!(
                "items with more than {MAX_PROPERTIES} different properties: their names are data, not a schema"
            );
            return Err(Error::InvalidArgument { what });
        }
        let record = serde_json::to_vec(&record).map_err(|error| Error::Unexpected { what: error.to_string() })?;
        self.spool.push(&record)?;
        self.rows += 1;
        Ok(false)
    }

    /// The table of all items.
    pub(super) fn finish(self) -> Result<StacTable> {
        let cloud_cover = match self.cloud_cover {
            Shape::Null | Shape::Integer { exact: true } | Shape::NonFinite => Column::Double,
            other => Column::of(&other),
        };
        let record = |name, column| (name, Path::Record(name), column);
        let mut columns = vec![
            record(item::ID, Column::Text),
            record(item::COLLECTION, Column::Text),
            record(item::DATETIME, Column::Timestamp),
            record(item::GEOMETRY, Column::Geometry),
            record(item::BBOX, Column::bbox()),
            record(item::ASSETS, self.assets.column()),
            record(item::EPSG, Column::Code),
            record(item::CLOUD_COVER, cloud_cover),
        ];
        let properties = self.properties.iter();
        columns
            .extend(properties.map(|(name, shape)| (name.as_str(), Path::Property(name.clone()), Column::of(shape))));
        columns.extend([
            record(item::STAC_VERSION, Column::Text),
            record(item::STAC_EXTENSIONS, Column::of(&self.extensions)),
            record(item::LINKS, Column::of(&self.links)),
        ]);
        let members = self.members.iter();
        columns.extend(members.map(|(name, shape)| (name.as_str(), Path::Member(name.clone()), Column::of(shape))));
        let mut names = Names::default();
        // Fixed names first, so that a property with the same name gets the suffix.
        let reserved: Vec<String> = columns
            .iter()
            .filter(|(_, path, _)| matches!(path, Path::Record(_)))
            .map(|(name, ..)| names.unique(name))
            .collect();
        let mut reserved = reserved.into_iter();
        let columns: Vec<TableColumn> = columns
            .into_iter()
            .map(|(name, path, column)| {
                let name = match path {
                    Path::Record(_) => reserved.next().unwrap_or_default(),
                    _ => names.unique(name),
                };
                TableColumn { name, path, column }
            })
            .collect();
        Ok(StacTable::new(Arc::new(Inner::new(columns, self.spool.finish()?, self.rows))))
    }
}

impl Assets {
    fn observe(&mut self, assets: &Map<String, Value>) {
        match self {
            Self::Any(shape) => assets.values().for_each(|asset| shape.observe(asset)),
            Self::Keys(keys) => {
                let before = keys.len();
                for (key, value) in assets {
                    match keys.get_mut(key) {
                        Some(shape) => shape.observe(value),
                        None => {
                            let mut shape = asset();
                            shape.observe(value);
                            keys.insert(key.clone(), shape);
                        }
                    }
                }
                if keys.len() > before && keys.values().map(Shape::fields).sum::<usize>() > MAX_ASSET_FIELDS {
                    *self = Self::Any(common(keys));
                }
            }
        }
    }

    fn column(&self) -> Column {
        match self {
            // DuckDB has no STRUCT without fields.
            Self::Keys(keys) if keys.is_empty() => Column::Map(Box::new(Column::of(&asset()))),
            Self::Keys(keys) => Column::structure(keys.iter().map(|(key, shape)| (key.as_str(), Column::of(shape)))),
            Self::Any(shape) => Column::Map(Box::new(Column::of(shape))),
        }
    }
}

/// The record, unless it came over the network and an asset of it is a local file.
fn without_local_files(record: Map<String, Value>, base: &str) -> Result<Map<String, Value>, String> {
    let assets = record.get(item::ASSETS).and_then(Value::as_object).into_iter().flatten();
    let mut hrefs = assets.filter_map(|(key, asset)| Some((key, asset.get("href")?.as_str()?)));
    match hrefs.find(|(_, href)| leads_to_local_file(base, href)) {
        None => Ok(record),
        Some((key, href)) => Err(format!(
            "asset '{key}': expected a URL, found {}: a remote document cannot refer to a local file",
            crate::types::location::redacted(href)
        )),
    }
}

/// The fields that every asset has, so that SQL over assets does not depend on the items that define them.
fn asset() -> Shape {
    let roles = Shape::List(Box::new(Shape::Text));
    structure(&[("href", Shape::Text), ("type", Shape::Text), ("title", Shape::Text), ("roles", roles)])
}

/// And every link.
fn link() -> Shape {
    structure(&["href", "rel", "type", "title"].map(|name| (name, Shape::Text)))
}

fn structure(members: &[(&str, Shape)]) -> Shape {
    Shape::Struct(members.iter().map(|(name, shape)| ((*name).to_owned(), shape.clone())).collect())
}

/// The records so far, by a hash of 64 bits per name: for sources that may return one twice.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    /// Two independent hashes: a collision of one would lose an item among billions, of both none.
    hashes: HashSet<(u64, u64)>,
}

impl Seen {
    /// Whether this is the first time.
    pub(super) fn first(&mut self, name: &impl std::hash::Hash) -> bool {
        self.hashes.insert((self.hasher.hash_one(name), self.hasher.hash_one((name, 1))))
    }
}
