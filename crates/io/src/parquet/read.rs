//! Bytes of Parquet files to batches: one row group is fetched while the one before it is decoded.
//!
//! ```text
//! footers, a few files ahead ──> row group n+1 (runtime) ──> row group n decoded (blocking thread) ──> Batches
//! ```
//!
//! A local file is decoded page by page. Of a remote one, the projected columns of two row groups are in memory at once.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::open::{File, Plan};
use super::{ParquetSource, Projection, footer};
use crate::runtime::descriptors;
use crate::store::object::blocking;
use crate::types::location::LocationKind;
use crate::{CoalesceConfig, Error, Location, Object, Result, StoreError};

/// Number of footers read in advance, which hides the latency of many small files.
const FILES_AHEAD: usize = 4;

/// Batches that are decoded ahead of the reader.
const BATCHES_AHEAD: usize = 2;

/// Chunks of adjacent columns become one request; 8 MiB keep several requests in flight for a large row group.
const COALESCE: CoalesceConfig = CoalesceConfig { max_gap: 1024 * 1024, max_size: 8 * 1024 * 1024 };

/// Batches of a source, in order. Dropping it ends the reading.
#[derive(Debug)]
pub struct Batches {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<Records>>,
    fetching: JoinHandle<()>,
    decoding: Option<JoinHandle<()>>,
    source: Location,
}

/// Some consecutive records of one file.
#[derive(Debug)]
pub struct Records {
    /// The file, by its index in [`ParquetSource::files`].
    pub file: usize,
    /// The projected columns.
    pub batch: RecordBatch,
}

impl ParquetSource {
    /// The records in order, in batches of at most `rows`. Reading starts at once, in the current runtime, and ends
    /// when the result is dropped.
    pub fn read(&self, projection: &Projection, rows: usize) -> Result<Batches> {
        // Also if no column is read, for which the footer is sufficient.
        self.stores().access().check(self.location())?;
        let first = self.plan(0, self.first(), projection)?;
        Ok(start(self.clone(), projection.clone(), first, rows))
    }
}

impl Batches {
    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next batch, never an empty one; None after the last, and after an error.
    pub async fn next(&mut self) -> Option<Result<Records>> {
        if let Some(records) = self.batches.recv().await {
            return Some(records);
        }
        // A channel also closes when its other side panics: that must not pass for the end of the records.
        let decoding = self.decoding.take()?;
        let fetched = (&mut self.fetching).await;
        let decoded = decoding.await;
        let what = [fetched, decoded].into_iter().find_map(Result::err)?;
        let what = format!("reading the records failed: {what}");
        Some(Err(Error::Internal { location: self.source.clone(), what }))
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // The decoding thread ends by itself once the receiver is dropped.
        self.fetching.abort();
    }
}

/// A piece of one file, ready to be decoded.
struct Piece {
    file: usize,
    location: Location,
    plan: Arc<Plan>,
    reader: ParquetRecordBatchReader,
}

fn start(source: ParquetSource, projection: Projection, first: Plan, rows: usize) -> Batches {
    let (send_batch, batches) = mpsc::channel(BATCHES_AHEAD);
    let (send_piece, pieces) = mpsc::channel(1);
    let schema = Arc::clone(&first.schema);
    let location = source.location().clone();
    let fetching = tokio::spawn(async move {
        if let Err(error) = fetch(&source, &projection, first, rows, &send_piece).await {
            // If the receiver is dropped, the error is not needed.
            let _ = send_piece.send(Err(error)).await;
        }
    });
    let decoding = tokio::task::spawn_blocking(move || decode(pieces, &send_batch));
    Batches { schema, batches, fetching, decoding: Some(decoding), source: location }
}

/// Sends the pieces of the files in order; returns early once the receiver is dropped.
async fn fetch(
    source: &ParquetSource,
    projection: &Projection,
    first: Plan,
    rows: usize,
    pieces: &mpsc::Sender<Result<Piece>>,
) -> Result<()> {
    let first_file = (Arc::clone(source.first()), Arc::new(first));
    let rest = source.files().iter().enumerate().skip(1).map(|(number, href)| async move {
        let file = File::open(source.stores(), href, source.wkb()).await?;
        let plan = source.plan(number, &file, projection)?;
        Ok((Arc::new(file), Arc::new(plan)))
    });
    let mut files = stream::once(async { Ok(first_file) }).chain(stream::iter(rest).buffered(FILES_AHEAD)).boxed();
    let mut index = 0;
    while let Some(file) = files.next().await {
        let (file, plan) = file?;
        if !fetch_file(index, &file, &plan, rows, pieces).await? {
            break;
        }
        index += 1;
    }
    Ok(())
}

/// Sends the pieces of one file; false once the receiver is dropped.
async fn fetch_file(
    index: usize,
    file: &File,
    plan: &Arc<Plan>,
    rows: usize,
    pieces: &mpsc::Sender<Result<Piece>>,
) -> Result<bool> {
    let location = file.object.location();
    let at = |error| footer::fault(location, error);
    let piece = |reader| Piece { file: index, location: location.clone(), plan: Arc::clone(plan), reader };
    if let LocationKind::File(path) = location.kind() {
        let Ok(permit) = pieces.reserve().await else { return Ok(false) };
        let path = path.clone();
        let opened = blocking(move || descriptors::open(&path).map_err(|error| StoreError::of_file(&error))).await;
        let opened = opened.map_err(|fault| file.object.error(None, fault))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, file.reader.clone())
            .with_projection(plan.mask.clone())
            .with_batch_size(rows)
            .build()
            .map_err(at)?;
        permit.send(Ok(piece(reader)));
        return Ok(true);
    }
    let remote = Remote { object: file.object.clone(), metadata: Arc::clone(file.reader.metadata()) };
    let mut row_groups = ParquetRecordBatchStreamBuilder::new_with_metadata(remote, file.reader.clone())
        .with_projection(plan.mask.clone())
        .with_batch_size(rows)
        .build()
        .map_err(at)?;
    loop {
        // Waits for room before fetching, which bounds the memory.
        let Ok(permit) = pieces.reserve().await else { return Ok(false) };
        match row_groups.next_row_group().await.map_err(at)? {
            Some(reader) => permit.send(Ok(piece(reader))),
            None => return Ok(true),
        }
    }
}

/// Decodes pieces up to the last one, an error, or the end of the receiver.
fn decode(mut pieces: mpsc::Receiver<Result<Piece>>, batches: &mpsc::Sender<Result<Records>>) {
    while let Some(piece) = pieces.blocking_recv() {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                let _ = batches.blocking_send(Err(error));
                return;
            }
        };
        let Piece { file, location, plan, reader } = piece;
        for batch in reader {
            let batch = batch.map_err(|error| footer::fault(&location, error.into())).and_then(|batch| {
                plan.apply(&batch).map_err(|what| Error::Records { location: location.clone(), what })
            });
            let failed = batch.is_err();
            if batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0) {
                continue;
            }
            if batches.blocking_send(batch.map(|batch| Records { file, batch })).is_err() || failed {
                return;
            }
        }
    }
}

/// A remote file as a reader of arrow-rs.
struct Remote {
    object: Object,
    metadata: Arc<ParquetMetaData>,
}

impl AsyncFileReader for Remote {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        external(self.object.range(range)).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let object = self.object.clone();
        external(async move { object.ranges(&ranges, COALESCE).await }).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        std::future::ready(Ok(Arc::clone(&self.metadata))).boxed()
    }
}

async fn external<T>(answer: impl Future<Output = Result<T>> + Send) -> Result<T, ParquetError> {
    answer.await.map_err(|error| ParquetError::External(Box::new(error)))
}
