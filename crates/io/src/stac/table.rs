//! Items as a table: columns, and the records in batches.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::columns::Column;
use super::item;
use super::spool::{Spool, SpoolReader};
use crate::{Error, Result};

/// Rows of a batch: DuckDB's vectors.
const BATCH_ROWS: usize = 2_048;

/// Bytes of JSON of a batch, which take some ten times as much when they are parsed.
const BATCH_BYTES: usize = 8 << 20;

/// Items with their schema. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StacTable(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    schema: SchemaRef,
    columns: Vec<TableColumn>,
    spool: Spool,
    rows: u64,
}

#[derive(Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) path: Path,
    pub(super) column: Column,
}

/// The position of a column's values in a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Path {
    Record(&'static str),
    Property(String),
    Member(String),
}

impl Inner {
    pub(super) fn new(columns: Vec<TableColumn>, spool: Spool, rows: u64) -> Self {
        let fields: Vec<_> = columns.iter().map(|column| column.column.field(&column.name)).collect();
        Self { schema: Arc::new(Schema::new(fields)), columns, spool, rows }
    }
}

impl StacTable {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// All columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// The number of items.
    pub fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Starts at the first item; `columns` are indices of [`Self::schema`].
    pub fn read(&self, columns: &[usize]) -> Result<StacReader> {
        let schema = self.0.schema.project(columns).map_err(|error| internal(&error))?;
        let columns = columns.to_vec();
        Ok(StacReader { table: Arc::clone(&self.0), schema: Arc::new(schema), columns, records: self.0.spool.reader() })
    }
}

/// A position in the items of a table.
#[derive(Debug)]
pub struct StacReader {
    table: Arc<Inner>,
    schema: SchemaRef,
    columns: Vec<usize>,
    records: SpoolReader,
}

impl StacReader {
    /// The next items, at most 2,048; None after the last. Their `num_rows` is right without columns too.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let columns: Vec<&TableColumn> = self.columns.iter().filter_map(|at| self.table.columns.get(*at)).collect();
        let wanted: Vec<&str> = columns.iter().map(|column| column.path.member()).collect();
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(json) = self.records.next()? else { break };
            bytes += json.len();
            let mut parser = serde_json::Deserializer::from_slice(&json);
            let record = Wanted(&wanted).deserialize(&mut parser).map_err(|error| internal(&error))?;
            records.push(record);
        }
        if records.is_empty() {
            return Ok(None);
        }
        let arrays = columns.iter().map(|column| {
            let values: Vec<Option<&Value>> = records.iter().map(|record| column.path.of(record)).collect();
            column.column.array(&values)
        });
        let arrays = arrays.collect::<Result<Vec<_>, ArrowError>>().map_err(|error| internal(&error))?;
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        batch.map(Some).map_err(|error| internal(&error))
    }
}

impl Path {
    /// The member of the record that holds the value.
    fn member(&self) -> &str {
        match self {
            Self::Record(name) => name,
            Self::Property(_) => item::PROPERTIES,
            Self::Member(_) => item::MEMBERS,
        }
    }

    fn of<'a>(&self, record: &'a Map<String, Value>) -> Option<&'a Value> {
        let value = record.get(self.member())?;
        match self {
            Self::Record(_) => Some(value),
            Self::Property(name) | Self::Member(name) => value.get(name),
        }
    }
}

/// Parses these members of a record and passes over the others.
struct Wanted<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Self::Value, A::Error> {
        let mut record = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.0.contains(&name.as_str()) {
                record.insert(name, members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(record)
    }
}

/// An error in records created by this crate is an internal error.
fn internal(error: &dyn fmt::Display) -> Error {
    Error::Unexpected { what: format!("items that were read cannot be returned: {error}") }
}
