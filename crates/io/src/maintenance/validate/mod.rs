//! Finds problems in an index; there are none in a valid one.
//!
//! | check | says | of |
//! |---|---|---|
//! | `column` | a requested band has no metadata column, or there is no metadata column at all | the index |
//! | `type` | a field of the metadata STRUCT is missing or has another type | a band |
//! | `id` | NULL, or that of another record | a record |
//! | `bbox` | not finite, or upside down | a record |
//! | `missing` | metadata is NULL, although the record has a file of the band or the band was requested | a record's band |
//! | `href` | there is metadata, and no href to read by it | a record's band |
//! | `null` | a field that reading needs is NULL | a record's band |
//! | `value` | a field's value means nothing: a size of 0, an unknown dtype, a band that the file does not have | a record's band |
//! | `transform` | not six finite numbers (or Python Rasteret's four) that can be inverted | a record's band |
//! | `tables` | tile tables do not have one entry per tile, or point outside the file | a record's band |
//! | `crs` | the header's EPSG code is not the record's | a record's band |
//! | `header` | the file is not readable, or its header is not the one indexed; only with headers | a record's band |

mod header;
mod metadata;
mod problem;
mod record;
mod types;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use tokio::sync::Mutex;

pub use self::problem::{Check, Problem};

use self::metadata::Stored;
use self::problem::Found;
use self::record::Columns;
use super::CollectionOptions;
use super::collection::{Collection, Href, column};
use crate::headers::Headers;
use crate::parquet::{Batches, Projection, Records};
use crate::{Location, Result};

/// Records of a batch: the length of DuckDB's vectors.
const ROWS: usize = 2_048;

/// A validation with validated arguments.
#[derive(Debug, Clone)]
pub struct Validation {
    headers: Headers,
    collection: Arc<Collection>,
    with_headers: bool,
}

impl Validation {
    /// Checks the arguments: reads the first Parquet file's footer. Blocks the calling thread. `source` are paths, globs or
    /// URLs of Parquet files; see [`Stores::files`](crate::Stores::files). With `with_headers`, every file is read.
    pub fn new(headers: &Headers, source: &[&str], options: CollectionOptions, with_headers: bool) -> Result<Self> {
        let collection = Collection::open(headers, source, options)?;
        if with_headers {
            collection.assets.as_ref().map_err(Clone::clone)?;
        }
        Ok(Self { headers: headers.clone(), collection: Arc::new(collection), with_headers })
    }

    /// Starts reading.
    pub fn start(&self) -> Result<ValidationStream> {
        let collection = &self.collection;
        let files = collection.source.files().iter().map(|file| Location::parse_any(file).ok().map(Arc::new)).collect();
        let (problems, bands) = types::check(collection);
        let metadata = Projection::columns(collection.bands.iter().map(|band| band.column));
        let (projection, columns) = Columns::of(collection, metadata);
        let batches = self.headers.block_on(async { collection.source.read(&projection, ROWS) })??;
        Ok(ValidationStream {
            validation: self.clone(),
            batches: Mutex::new(batches),
            reading: SyncMutex::new(Reading {
                problems: problems.into(),
                bands,
                columns,
                ids: HashMap::new(),
                rows: 0,
                files,
            }),
        })
    }
}

/// A running validation.
#[derive(Debug)]
pub struct ValidationStream {
    validation: Validation,
    batches: Mutex<Batches>,
    reading: SyncMutex<Reading>,
}

#[derive(Debug)]
struct Reading {
    /// Problems to be returned.
    problems: VecDeque<Problem>,
    /// For each band, whether its type allows to check its values.
    bands: Vec<bool>,
    columns: Columns,
    /// For each id, the first record with it.
    ids: HashMap<String, u64>,
    /// Number of checked records.
    rows: u64,
    files: Vec<Option<Arc<Location>>>,
}

impl ValidationStream {
    /// The next problems, at most 2,048; None after the last. Blocks the calling thread. Not for several threads at once: one
    /// would wait for the other.
    pub fn next(&self) -> Result<Option<Vec<Problem>>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        while reading.problems.len() < ROWS {
            let records = self.validation.headers.block_on(async { self.batches.lock().await.next().await })?;
            let Some(records) = records else { break };
            self.validation.look(&mut reading, &records?)?;
        }
        let count = reading.problems.len().min(ROWS);
        let problems: Vec<Problem> = reading.problems.drain(..count).collect();
        Ok((!problems.is_empty()).then_some(problems))
    }
}

impl Validation {
    /// Looks at a batch of records.
    fn look(&self, reading: &mut Reading, records: &Records) -> Result<()> {
        let (batch, collection) = (&records.batch, &*self.collection);
        let Reading { problems, bands, columns, ids, rows, files } = reading;
        let names = columns.names(collection, batch, *rows)?;
        let file = files.get(records.file).cloned().flatten();
        let mut found = Found { problems, names: &names, file };
        columns.check(collection, batch, *rows, ids, &mut found)?;
        let crs = columns.crs(collection, batch)?;
        let hrefs = match (&collection.assets, columns.assets) {
            (Ok(assets), Some(position)) => {
                Some(collection.hrefs(assets, column(&collection.source, batch, position)?))
            }
            _ => None,
        };
        for (at, band) in collection.bands.iter().enumerate() {
            let Some(stored) = Stored::of(column(&collection.source, batch, at)?) else { continue };
            let hrefs: Option<&[Option<Href>]> = hrefs.as_ref().and_then(|hrefs| hrefs.get(at)).map(Vec::as_slice);
            let sound: Vec<bool> = (0..batch.num_rows())
                .map(|row| {
                    let before = found.problems.len();
                    let href = hrefs.and_then(|hrefs| hrefs.get(row)?.as_ref());
                    let mut say = |check, message| found.say(Some(row), Some(&band.name), check, message);
                    if stored.is_null(row) {
                        if let Some(message) = columns.missing(collection, batch, row, hrefs.is_some(), href) {
                            say(Check::Missing, message);
                        }
                        return false;
                    }
                    if hrefs.is_some() && href.is_none() {
                        say(Check::Href, "expected an href, found none".to_owned());
                    }
                    if bands.get(at) == Some(&true) {
                        stored.check(row, crs.get(row).and_then(Option::as_ref), &mut say);
                    }
                    found.problems.len() == before && bands.get(at) == Some(&true)
                })
                .collect();
            if let (true, Some(hrefs)) = (self.with_headers, hrefs) {
                header::check(&self.headers, &stored, hrefs, &sound, |row, message| {
                    found.say(Some(row), Some(&band.name), Check::Header, message);
                });
            }
        }
        *rows += batch.num_rows() as u64;
        Ok(())
    }
}
