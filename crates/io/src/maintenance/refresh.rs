//! Finds the files of an index that changed since they were indexed.
//!
//! Each file is requested once, however many records and bands refer to it. If records refer to two versions of a file,
//! it is compared with both. Results are in the order of the first occurrence of files in the index.
//!
//! ```text
//! records ──> distinct (href, version indexed) ──> max_concurrent requests in flight ──> in order, 2,048 a time
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::CollectionOptions;
use super::collection::{Collection, column};
use crate::enrich::assets::Assets;
use crate::enrich::cell;
use crate::headers::Headers;
use crate::parquet::{Batches, Projection};
use crate::types::location::local_from_remote;
use crate::{Error, ObjectVersion, Result, VersionMatch};

/// Rows of a batch: the length of DuckDB's vectors.
const ROWS: usize = 2_048;

/// Batches that wait for the reader.
const BATCHES_AHEAD: usize = 2;

/// The state of a file, compared with its version in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is the one that was indexed.
    Unchanged,
    /// It is another one.
    Changed,
    /// The file no longer exists.
    Gone,
    /// The file exists, but index and store have no field in common that [`VersionCheck`](crate::VersionCheck)
    /// compares.
    Unknown,
    /// Not requested, because the index has no header.
    Unindexed,
    /// The store did not respond.
    Failed,
}

impl Status {
    /// The word in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
            Self::Unindexed => "unindexed",
            Self::Failed => "error",
        }
    }
}

/// A file of an index.
#[derive(Debug, Clone)]
pub struct FileStatus {
    /// Href of the record.
    pub href: String,
    /// The result of the comparison.
    pub status: Status,
    /// The indexed version.
    pub indexed: ObjectVersion,
    /// The current version.
    pub found: ObjectVersion,
    /// The reason for a missing response.
    pub error: Option<Error>,
}

/// A prepared comparison of an index with its files.
#[derive(Debug, Clone)]
pub struct Refresh {
    headers: Headers,
    collection: Arc<Collection>,
    assets: Assets,
    max_concurrent: usize,
}

impl Refresh {
    /// Checks the arguments: reads the first Parquet file's footer. Blocks the calling thread. `source` are paths,
    /// globs or URLs of Parquet files; see [`Stores::files`](crate::Stores::files). `max_concurrent` bounds requests in
    /// flight in addition to the limit of the session.
    pub fn new(headers: &Headers, source: &[&str], options: CollectionOptions, max_concurrent: usize) -> Result<Self> {
        let collection = Collection::open(headers, source, options)?;
        collection.require_bands()?;
        let assets = collection.assets.clone()?;
        Ok(Self {
            headers: headers.clone(),
            collection: Arc::new(collection),
            assets,
            max_concurrent: max_concurrent.max(1),
        })
    }

    /// Starts the requests.
    pub fn start(&self) -> Result<RefreshStream> {
        let fields = ["image_width", "file_size", "etag", "last_modified"].map(|field| vec![field.to_owned()]);
        let projection = self
            .collection
            .bands
            .iter()
            .fold(Projection::none(), |projection, band| projection.and_fields(band.column, fields.to_vec()));
        let projection = self.collection.and_assets(projection, &self.assets);
        let (send, files) = mpsc::channel(BATCHES_AHEAD);
        let this = self.clone();
        let task = self.headers.block_on(async move {
            let batches = this.collection.source.read(&projection, ROWS)?;
            Ok::<_, Error>(tokio::spawn(async move {
                if let Err(error) = this.ask(batches, &send).await {
                    // If the receiver is dropped, the error is not needed.
                    let _ = send.send(Err(error)).await;
                }
            }))
        })??;
        let (headers, collection) = (self.headers.clone(), Arc::clone(&self.collection));
        Ok(RefreshStream { headers, collection, files: Mutex::new(files), task: Mutex::new(Some(task)) })
    }

    /// Requests every file and sends the results; returns early once the receiver is dropped.
    async fn ask(&self, batches: Batches, send: &mpsc::Sender<Result<Vec<FileStatus>>>) -> Result<()> {
        let this = self.clone();
        let files = stream::try_unfold((this, batches, HashSet::new()), |(this, mut batches, mut seen)| async move {
            let Some(records) = batches.next().await else { return Ok::<_, Error>(None) };
            let files = this.files(&records?.batch, &mut seen)?;
            Ok(Some((stream::iter(files.into_iter().map(Ok)), (this, batches, seen))))
        });
        let this = self.clone();
        let answers = files.try_flatten().map_ok(move |file| {
            let this = this.clone();
            async move { Ok(this.look(file).await) }
        });
        let mut answers = std::pin::pin!(answers.try_buffered(self.max_concurrent).ready_chunks(ROWS));
        while let Some(answers) = answers.next().await {
            if send.send(answers.into_iter().collect()).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The files of a batch that were not seen before.
    fn files(
        &self,
        batch: &RecordBatch,
        seen: &mut HashSet<(Arc<str>, Option<ObjectVersion>)>,
    ) -> Result<Vec<Indexed>> {
        let source = &self.collection.source;
        let hrefs = self.collection.hrefs(&self.assets, column(source, batch, self.collection.bands.len())?);
        let versions: Vec<Vec<Option<ObjectVersion>>> = (0..self.collection.bands.len())
            .map(|band| Ok(versions(column(source, batch, band)?)))
            .collect::<Result<_>>()?;
        let mut files = Vec::new();
        for row in 0..batch.num_rows() {
            for (hrefs, versions) in hrefs.iter().zip(&versions) {
                let (Some(Some(href)), Some(version)) = (hrefs.get(row), versions.get(row)) else { continue };
                if seen.insert((Arc::clone(&href.opened), version.clone())) {
                    let (written, opened) = (href.written.clone(), Arc::clone(&href.opened));
                    files.push(Indexed { written, opened, version: version.clone(), refused: href.refused });
                }
            }
        }
        Ok(files)
    }

    async fn look(&self, file: Indexed) -> FileStatus {
        if let Some(error) = local_from_remote(&file.opened).filter(|_| file.refused) {
            let (indexed, found) = (file.version.unwrap_or_default(), ObjectVersion::default());
            return FileStatus { href: file.written, status: Status::Failed, indexed, found, error: Some(error) };
        }
        let Some(indexed) = file.version else {
            let (indexed, found) = (ObjectVersion::default(), ObjectVersion::default());
            return FileStatus { href: file.written, status: Status::Unindexed, indexed, found, error: None };
        };
        let (status, found, error) = match self.headers.current_version(&file.opened, &indexed).await {
            Ok((found, VersionMatch::Same)) => (Status::Unchanged, found, None),
            Ok((found, VersionMatch::Different(_))) => (Status::Changed, found, None),
            Ok((found, VersionMatch::Unknown)) => (Status::Unknown, found, None),
            Err(Error::Store { fault, .. }) if fault.is_not_found() => (Status::Gone, ObjectVersion::default(), None),
            Err(error) => (Status::Failed, ObjectVersion::default(), Some(error)),
        };
        FileStatus { href: file.written, status, indexed, found, error }
    }
}

/// A file with its version in the index.
#[derive(Debug)]
struct Indexed {
    written: String,
    opened: Arc<str>,
    /// None if the index has no header of it.
    version: Option<ObjectVersion>,
    /// Whether it is not to be opened.
    refused: bool,
}

/// The versions in a column of metadata; None if the metadata is NULL.
fn versions(metadata: &ArrayRef) -> Vec<Option<ObjectVersion>> {
    let Some(metadata) = metadata.as_struct_opt() else { return vec![None; metadata.len()] };
    let of = |name: &str| metadata.column_by_name(name);
    let (size, etag, modified) = (of("file_size"), of("etag"), of("last_modified"));
    let version = |row| ObjectVersion {
        size: size.and_then(|array| u64::try_from(cell::integer(array, row)?).ok()),
        etag: etag.and_then(|array| cell::text(array, row).map(str::to_owned)),
        last_modified: modified.and_then(|array| cell::micros(array, row)),
    };
    (0..metadata.len()).map(|row| metadata.is_valid(row).then(|| version(row))).collect()
}

/// A running comparison. Dropping it ends its requests.
#[derive(Debug)]
pub struct RefreshStream {
    headers: Headers,
    collection: Arc<Collection>,
    files: Mutex<mpsc::Receiver<Result<Vec<FileStatus>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl RefreshStream {
    /// The next files, at most 2,048; None after the last. Blocks the calling thread.
    pub fn next(&self) -> Result<Option<Vec<FileStatus>>> {
        self.headers.block_on(async {
            if let Some(files) = self.files.lock().await.recv().await {
                return files.map(Some);
            }
            // A channel also closes when its other side panics: that must not be mistaken for the end of the files.
            match self.task.lock().await.take() {
                Some(task) => match task.await {
                    Ok(()) => Ok(None),
                    Err(error) => Err(Error::Internal {
                        location: self.collection.source.location().clone(),
                        what: format!("requesting the files failed: {error}"),
                    }),
                },
                None => Ok(None),
            }
        })?
    }
}

impl Drop for RefreshStream {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
    }
}
