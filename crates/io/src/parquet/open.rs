//! A set of Parquet files as one table: its schema, and the columns of each file for a projection.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataBuilder};

use super::annotate::{self, Leaf};
use super::convert::{adapt, convert};
use super::hive::{Constant, HiveOptions, Partition, Partitions};
use super::types::{self, Convert};
use super::{Kind, footer, geo};
use crate::store::Stores;
use crate::{Error, Location, Object, Result};

/// Parquet files as one table. The first file's schema is the table's; the others are matched to it by name when they are
/// read, as in `read_parquet`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ParquetSource {
    stores: Stores,
    files: Arc<[String]>,
    first: Arc<File>,
    schema: SchemaRef,
    /// The columns of the folders, with their indices in the schema.
    partitions: Arc<[(usize, Partition)]>,
    wkb: Wkb,
}

/// Options for reading files as a table. [`Default`] is for single files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceOptions {
    /// Whether geometries are returned in the encoding of DuckDB's GEOMETRY; otherwise with the stored bytes, for hosts that
    /// have no GEOMETRY.
    pub canonical_geometry: bool,
    /// Whether folders are columns.
    pub hive: HiveOptions,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self { canonical_geometry: true, hive: HiveOptions::OFF }
    }
}

/// Form of geometry columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wkb {
    Canonical,
    AsStored,
}

/// Columns to read, in order.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    index: usize,
    /// Paths of struct fields below the column to be read; None for all.
    paths: Option<Vec<Vec<String>>>,
}

impl Projection {
    /// No column: batches then have only their row count.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whole columns, by their index in the source's schema.
    pub fn columns(indices: impl IntoIterator<Item = usize>) -> Self {
        Self { columns: indices.into_iter().map(|index| Column { index, paths: None }).collect() }
    }

    /// One column more.
    pub fn and(mut self, index: usize) -> Self {
        self.columns.push(Column { index, paths: None });
        self
    }

    /// One STRUCT column more, of which only these fields are read: `[["B04", "href"]]`. The column then is a STRUCT of
    /// them. Paths that the struct does not have are ignored.
    pub fn and_fields(mut self, index: usize, paths: Vec<Vec<String>>) -> Self {
        self.columns.push(Column { index, paths: Some(paths) });
        self
    }

    /// Columns of the batches.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether no column is read.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

impl ParquetSource {
    /// Opens the first of the files and reads its footer. `files` are single files: see [`Stores::files`](crate::Stores::files) for patterns.
    ///
    /// Geometries are returned as DuckDB's GEOMETRY stores them, for any dialect of WKB in the file; a geometry that
    /// DuckDB would not read is an error.
    pub async fn open(stores: &Stores, files: Vec<String>) -> Result<Self> {
        Self::open_with(stores, files, SourceOptions::default()).await
    }

    /// Like [`Self::open`], with options.
    pub async fn open_with(stores: &Stores, files: Vec<String>, options: SourceOptions) -> Result<Self> {
        let wkb = if options.canonical_geometry { Wkb::Canonical } else { Wkb::AsStored };
        let Some(first) = files.first() else {
            return Err(Error::InvalidArgument { what: "expected at least one Parquet file, found none".to_owned() });
        };
        let partitions = Partitions::of(&files, options.hive)?;
        let first = Arc::new(File::open(stores, first, wkb).await?);
        let mut fields: Vec<FieldRef> = first.roots.iter().map(|root| root.field(files.len() > 1)).collect();
        let partitions = partitions.place(&mut fields).into();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { stores: stores.clone(), files: files.into(), first, schema, partitions, wkb })
    }

    /// All columns, with the types of the table in [`crate::parquet`].
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The files, in the order in which they are read.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// For each file, whether it is read over the network.
    pub(crate) fn are_remote(&self) -> Vec<bool> {
        let is_remote = |file: &String| Location::parse_any(file).is_ok_and(|location| !location.is_local());
        self.files.iter().map(is_remote).collect()
    }

    /// Location of the first file, for messages.
    pub fn location(&self) -> &Location {
        self.first.object.location()
    }

    pub(super) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(super) fn wkb(&self) -> Wkb {
        self.wkb
    }

    pub(super) fn first(&self) -> &Arc<File> {
        &self.first
    }

    /// The partition column at an index of the schema.
    fn partition(&self, index: usize) -> Option<&Partition> {
        self.partitions.iter().find(|(at, _)| *at == index).map(|(_, partition)| partition)
    }

    /// The columns of a file, the `number`th of [`Self::files`], for a projection; an error naming both files if they
    /// do not match those of the first file.
    pub(super) fn plan(&self, number: usize, file: &File, projection: &Projection) -> Result<Plan> {
        let several = self.files.len() > 1;
        let mut leaves = Vec::new();
        let mut roots = Vec::new();
        let mut columns = Vec::with_capacity(projection.columns.len());
        for column in &projection.columns {
            if let Some(partition) = self.partition(column.index) {
                roots.push(None);
                columns.push(PlanColumn::of_folder(partition, number));
                continue;
            }
            let wanted = self.first.select(column.index, column.paths.as_deref());
            let target = if several { types::nullable(&wanted.target) } else { Arc::clone(&wanted.target) };
            let name = self.schema.field(column.index).name();
            let Some(index) = file.roots.iter().position(|root| root.name == *name) else {
                return Err(file.misfit(self.location(), &format!("has no column '{name}'")));
            };
            let found = file.select(index, column.paths.as_deref());
            if several && adapt(&new_empty_array(found.target.data_type()), &found.target, &target).is_none() {
                let what = format!(
                    "has column '{name}' of type {}, where {} is expected",
                    found.target.data_type(),
                    target.data_type()
                );
                return Err(file.misfit(self.location(), &what));
            }
            leaves.extend(&found.leaves);
            roots.push((!found.leaves.is_empty()).then_some(index));
            let (from, convert) = (found.target, found.convert);
            columns.push(PlanColumn { position: None, from, convert, target, constant: None });
        }
        // arrow-rs returns the columns in the file's order, without those of which nothing is read.
        let mut present: Vec<usize> = roots.iter().flatten().copied().collect();
        present.sort_unstable();
        present.dedup();
        for (column, index) in columns.iter_mut().zip(&roots) {
            column.position = index.and_then(|index| present.binary_search(&index).ok());
        }
        let mask = ProjectionMask::leaves(file.reader.parquet_schema(), leaves);
        let schema = Arc::new(Schema::new(columns.iter().map(|column| Arc::clone(&column.target)).collect::<Vec<_>>()));
        Ok(Plan { mask, columns, schema, several })
    }
}

/// Conversion of the batches of a file to those of the table.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) mask: ProjectionMask,
    columns: Vec<PlanColumn>,
    pub(super) schema: SchemaRef,
    several: bool,
}

#[derive(Debug, Clone)]
struct PlanColumn {
    /// Among the columns that arrow-rs returns; None if this file has none of the requested fields.
    position: Option<usize>,
    from: FieldRef,
    convert: Convert,
    target: FieldRef,
    /// The values in the file's folders.
    constant: Option<Constant>,
}

impl PlanColumn {
    fn of_folder(partition: &Partition, file: usize) -> Self {
        let (from, target) = (Arc::clone(&partition.field), Arc::clone(&partition.field));
        Self { position: None, from, convert: Convert::Keep, target, constant: Some(partition.constant(file)) }
    }
}

impl Plan {
    /// The batch with the columns of the table; an error names the column.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let rows = batch.num_rows();
        let columns = self.columns.iter().map(|column| {
            self.column(column, batch).map_err(|what| format!("column '{}': {what}", column.target.name()))
        });
        let columns = columns.collect::<Result<Vec<_>, String>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(in_words)
    }

    fn column(&self, column: &PlanColumn, batch: &RecordBatch) -> Result<ArrayRef, String> {
        let target = &column.target;
        if let Some(constant) = &column.constant {
            return Ok(constant.array(batch.num_rows()));
        }
        let Some(position) = column.position else { return Ok(new_null_array(target.data_type(), batch.num_rows())) };
        let array = convert(batch.column(position), &column.from, &column.convert).map_err(in_words)?;
        if !self.several {
            return Ok(array);
        }
        adapt(&array, &column.from, target)
            .ok_or_else(|| format!("expected {}, found {}", target.data_type(), array.data_type()))
    }
}

/// The error of Arrow without its kind.
fn in_words(error: ArrowError) -> String {
    match error {
        ArrowError::ParseError(what) | ArrowError::CastError(what) | ArrowError::InvalidArgumentError(what) => what,
        other => other.to_string(),
    }
}

/// One Parquet file and its columns.
#[derive(Debug)]
pub(super) struct File {
    pub(super) object: Object,
    /// With the rewritten schema: see [`annotate`].
    pub(super) reader: ArrowReaderMetadata,
    leaves: Vec<Leaf>,
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// Unique, letter case ignored.
    name: String,
    target: FieldRef,
    first_leaf: usize,
}

impl Root {
    fn field(&self, several: bool) -> FieldRef {
        if several { types::nullable(&self.target) } else { Arc::clone(&self.target) }
    }
}

/// The parts of one column that are read.
struct Selected {
    leaves: Vec<usize>,
    target: FieldRef,
    convert: Convert,
}

impl File {
    pub(super) async fn open(stores: &Stores, href: &str, wkb: Wkb) -> Result<Self> {
        let object = stores.open(href).await?;
        let metadata = footer::read(&object).await?;
        Self::new(object.clone(), metadata, wkb).map_err(|error| footer::fault(object.location(), error))
    }

    fn new(object: Object, metadata: ParquetMetaData, wkb: Wkb) -> Result<Self, ParquetError> {
        let file = metadata.file_metadata();
        let (schema, mut leaves) = annotate::rewrite(file.schema_descr())?;
        let geometries = geo::columns(file);
        let rewritten = FileMetaData::new(
            file.version(),
            file.num_rows(),
            file.created_by().map(str::to_owned),
            None,
            Arc::new(schema),
            file.column_orders().cloned(),
        );
        let mut builder = ParquetMetaDataBuilder::new_from_metadata(metadata);
        let row_groups = builder.take_row_groups();
        let metadata = Arc::new(ParquetMetaDataBuilder::new(rewritten).set_row_groups(row_groups).build());
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let mut reader = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options)?;
        if let Some(hints) = types::hints(reader.schema().fields(), &leaves) {
            let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(hints)));
            reader = ArrowReaderMetadata::try_new(metadata, options)?;
        }
        let mut roots: Vec<Root> = Vec::with_capacity(reader.schema().fields().len());
        let mut first_leaf = 0;
        for field in reader.schema().fields() {
            let count = types::leaf_count(field.data_type());
            let geometry = geometries.iter().find(|(name, _)| name == field.name());
            if let (DataType::Binary, Some((_, kind)), Some(leaf @ Leaf::Same)) =
                (field.data_type(), geometry, leaves.get_mut(first_leaf))
            {
                *leaf = Leaf::Named(kind.clone());
            }
            for leaf in leaves.iter_mut().skip(first_leaf).take(count).filter(|_| wkb == Wkb::Canonical) {
                if let Leaf::Named(kind @ Kind::Wkb { .. }) = leaf {
                    *leaf = Leaf::Wkb(kind.clone());
                }
            }
            let name = unique(field.name(), &roots);
            let own = leaves.get(first_leaf..first_leaf + count).unwrap_or_default();
            let (target, _) = types::target(field, &mut own.iter());
            let target = Arc::new(target.as_ref().clone().with_name(&name));
            roots.push(Root { name, target, first_leaf });
            first_leaf += count;
        }
        Ok(Self { object, reader, leaves, roots })
    }

    /// The parts to read of the column at `index`, which is one of this file's.
    fn select(&self, index: usize, paths: Option<&[Vec<String>]>) -> Selected {
        let root = &self.roots[index];
        let mut next = root.first_leaf;
        let mut leaves = Vec::new();
        let whole = self.reader.schema().field(index);
        let paths: Option<Vec<&[String]>> = paths.map(|paths| paths.iter().map(Vec::as_slice).collect());
        let Some(field) = prune(whole, paths.as_deref(), &mut next, &mut leaves) else {
            let target = Field::new_struct(&root.name, Vec::<FieldRef>::new(), true);
            return Selected { leaves, target: Arc::new(target), convert: Convert::Keep };
        };
        let mut own = leaves.iter().filter_map(|leaf| self.leaves.get(*leaf));
        let (target, convert) = types::target(&field, &mut own);
        Selected { leaves, target: Arc::new(target.as_ref().clone().with_name(&root.name)), convert }
    }

    fn misfit(&self, first: &Location, what: &str) -> Error {
        let location = self.object.location().clone();
        Error::Records { location, what: format!("{what}, unlike the first file {first}") }
    }
}

/// The field restricted to the paths, and its leaves; None if it is on no path. `next` counts visited leaves.
fn prune(field: &Field, paths: Option<&[&[String]]>, next: &mut usize, leaves: &mut Vec<usize>) -> Option<Field> {
    let Some(paths) = paths.filter(|paths| !paths.iter().any(|path| path.is_empty())) else {
        let count = types::leaf_count(field.data_type());
        leaves.extend(*next..*next + count);
        *next += count;
        return Some(field.clone());
    };
    let DataType::Struct(fields) = field.data_type() else {
        *next += types::leaf_count(field.data_type());
        return None;
    };
    let mut kept = Vec::new();
    for child in fields {
        let below: Vec<&[String]> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(name, _)| *name == child.name())
            .map(|(_, rest)| rest)
            .collect();
        match below.is_empty() {
            true => *next += types::leaf_count(child.data_type()),
            false => kept.extend(prune(child, Some(&below), next, leaves)),
        }
    }
    (!kept.is_empty()).then(|| field.clone().with_data_type(DataType::Struct(kept.into())))
}

/// The name, with a number appended if an earlier column has it: names in DuckDB are case-insensitive.
fn unique(name: &str, before: &[Root]) -> String {
    let taken = |candidate: &str| before.iter().any(|root| root.name.to_lowercase() == candidate.to_lowercase());
    let mut candidate = name.to_owned();
    let mut number = 1;
    while taken(&candidate) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

/// Columns that hold geometries, with their CRS; see [`Kind::Wkb`].
impl ParquetSource {
    /// Indices of the geometry columns and their CRS: `OGC:CRS84`, PROJJSON text, or None if unknown.
    pub fn geometry_columns(&self) -> Vec<(usize, Option<String>)> {
        let fields = self.schema.fields().iter().enumerate();
        fields
            .filter_map(|(index, field)| match Kind::of(field) {
                Some(Kind::Wkb { crs }) => Some((index, crs)),
                _ => None,
            })
            .collect()
    }
}
