//! Batches with their headers, in the source's order.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use tokio::sync::mpsc;

use super::fetch::{Cell, Fetching, FileCounts, Message, Pending};
use super::layout::Layout;
use super::scaling::Scaling;
use crate::headers::Headers;
use crate::{CogFile, Error, Location, OnError, Result};

/// A running enrichment. Dropping it ends its fetches.
#[derive(Debug)]
pub struct EnrichStream {
    headers: Headers,
    layout: Arc<Layout>,
    pending: tokio::sync::Mutex<mpsc::UnboundedReceiver<Message>>,
    tally: Mutex<Tally>,
    files: Arc<FileCounts>,
    task: tokio::task::JoinHandle<()>,
    #[cfg_attr(not(test), expect(dead_code, reason = "what tests look at"))]
    pub(super) window: Arc<super::fetch::Window>,
}

/// Consecutive records of the source and their headers. Each vector has the projection's columns of its
/// kind, in the projection's order.
#[derive(Debug)]
pub struct EnrichedBatch {
    /// Position in the source's order, counted from 0.
    pub index: u64,
    /// The source's columns; its `num_rows` is the batch's, even without columns.
    pub source: RecordBatch,
    /// For each metadata column, each row's header, narrowed to its band; None if there is none.
    pub metadata: Vec<Vec<Option<CogFile>>>,
    /// For each computed column, its values, of [`super::Normalized::data_type`].
    pub normalized: Vec<ArrayRef>,
    /// For each row, its failures; empty unless the projection contains [`super::Column::Error`].
    pub errors: Vec<Option<String>>,
}

/// The progress of an enrichment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnrichProgress {
    /// Records that were returned.
    pub records: u64,
    /// Files that were fetched, each once, including those that failed.
    pub files: u64,
    /// Files that failed.
    pub failed: u64,
}

/// Counts over all threads so far.
#[derive(Debug, Default)]
struct Tally {
    /// The last batch was returned.
    ended: bool,
    /// Returned batches that are not completed.
    open: u64,
    rows: u64,
    /// Assets that were tried and those that failed.
    tried: u64,
    failed: u64,
    causes: Vec<String>,
    /// The first asset that a lock of the host forbids.
    denial: Option<Error>,
    /// For each fetched band, whether any record has it.
    seen: Vec<bool>,
}

/// Causes shown when everything fails.
const CAUSES: usize = 3;

impl EnrichStream {
    pub(super) fn new(headers: Headers, layout: Arc<Layout>, fetching: Fetching) -> Self {
        let Fetching { pending, window, files, task } = fetching;
        let tally = Tally { seen: vec![false; layout.bands.len()], ..Tally::default() };
        let (pending, tally) = (tokio::sync::Mutex::new(pending), Mutex::new(tally));
        Self { headers, layout, pending, tally, files, task, window }
    }

    /// The progress of the enrichment.
    pub fn progress(&self) -> EnrichProgress {
        EnrichProgress {
            records: self.tally().rows,
            files: self.files.done.load(Ordering::Relaxed),
            failed: self.files.failed.load(Ordering::Relaxed),
        }
    }

    /// The next batch, at most 2,048 rows; None after the last. May be called from several threads at once: each batch
    /// is returned to one of them, with its position in [`EnrichedBatch::index`]. Blocks the calling thread.
    pub fn next(&self) -> Result<Option<EnrichedBatch>> {
        self.headers.block_on(self.next_batch())?
    }

    /// Like [`Self::next`], for callers in the runtime.
    pub async fn next_batch(&self) -> Result<Option<EnrichedBatch>> {
        let message = {
            let mut pending = self.pending.lock().await;
            if self.tally().ended {
                return Ok(None);
            }
            let message = pending.recv().await;
            let mut tally = self.tally();
            match &message {
                Some(Message::Batch(_)) => tally.open += 1,
                Some(Message::Failed(_) | Message::End) | None => tally.ended = true,
            }
            message
        };
        match message {
            Some(Message::Batch(pending)) => {
                let batch = self.finish(*pending).await;
                let mut tally = self.tally();
                tally.open -= 1;
                let batch = batch?;
                // Another thread may have seen the end while this batch was open.
                if tally.ended && tally.open == 0 {
                    self.verdict(&tally)?;
                }
                Ok(Some(batch))
            }
            Some(Message::Failed(error)) => Err(error),
            Some(Message::End) => {
                let tally = self.tally();
                if tally.open == 0 {
                    self.verdict(&tally)?;
                }
                Ok(None)
            }
            None => {
                let location = self.layout.inner.source.location().clone();
                Err(Error::Internal { location, what: "reading the records ended unexpectedly".to_owned() })
            }
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error if the counts of all records are one.
    fn verdict(&self, tally: &Tally) -> Result<()> {
        if self.layout.inner.unproven && tally.rows > 0 {
            let unseen = tally.seen.iter().zip(&self.layout.bands).find(|(seen, _)| !**seen);
            if let Some((_, band)) = unseen {
                return Err(Error::InvalidArgument { what: format!("bands: no record has an asset '{band}'") });
            }
        }
        if tally.failed > 0 && tally.failed == tally.tried {
            if let Some(denial) = &tally.denial {
                return Err(denial.clone());
            }
            let causes = tally.causes.join("; ");
            return Err(Error::InvalidArgument { what: format!("all {} assets failed: {causes}", tally.failed) });
        }
        Ok(())
    }

    async fn finish(&self, mut pending: Pending) -> Result<EnrichedBatch> {
        let headers = pending.headers().await;
        let (files, failures) = self.narrow(&pending, &headers);
        self.record(&pending, &failures)?;
        let layout = &self.layout;
        let rows = pending.batch.num_rows();
        let source = layout.source(&pending.batch)?;
        let normalized = layout.inner.normalizer.columns(
            &layout.normalized,
            rows,
            |input| layout.input(&pending.batch, input),
            |row| files.iter().filter_map(move |files| Some(files.get(row)?.as_ref()?.header.as_ref().into())),
            self.headers.transforms(),
        );
        let errors = if layout.errors { self.errors(rows, failures) } else { Vec::new() };
        let metadata = layout.metadata.iter().map(|band| files.get(*band).cloned().unwrap_or_default()).collect();
        Ok(EnrichedBatch { index: pending.index, source, metadata, normalized, errors })
    }

    /// For each fetched band, the header of each row; and failures by row and band.
    fn narrow(&self, pending: &Pending, headers: &[Result<CogFile>]) -> (Vec<Vec<Option<CogFile>>>, Vec<Failure>) {
        let mut narrowed: HashMap<(usize, u32), Result<CogFile>> = HashMap::new();
        let mut scaled: HashMap<(usize, Option<u32>), Vec<Scaled>> = HashMap::new();
        let mut failures = Vec::new();
        let mut files = Vec::with_capacity(pending.cells.len());
        for (band, cells) in pending.cells.iter().enumerate() {
            let mut column = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let file = match cell {
                    Cell::Missing(_) if self.layout.inner.discovered => {
                        column.push(None);
                        continue;
                    }
                    Cell::Missing(why) => Err(Why::Missing(why)),
                    Cell::NoSuchBand(index) => Err(Why::NoSuchBand(*index)),
                    Cell::File { header, band: index, scaling } => {
                        let whole = headers.get(*header);
                        let file = match (whole, index) {
                            (Some(Ok(whole)), Some(index)) => narrowed
                                .entry((*header, *index))
                                .or_insert_with(|| for_band(whole, *index, pending.hrefs.get(*header)))
                                .clone(),
                            (Some(whole), _) => whole.clone(),
                            (None, _) => continue,
                        };
                        match scaling {
                            None => file.map_err(Why::Error),
                            Some(scaling) => file.map_err(Why::Error).and_then(|file| {
                                let scaled = scaled.entry((*header, *index)).or_default();
                                with_scale(&file, *index, scaling, scaled)
                            }),
                        }
                    }
                };
                column.push(match file {
                    Ok(file) => Some(file),
                    Err(why) => {
                        failures.push(Failure { row, band, why });
                        None
                    }
                });
            }
            files.push(column);
        }
        failures.sort_by_key(|failure| (failure.row, failure.band));
        (files, failures)
    }

    /// Updates the counts; returns an error if failures are errors.
    fn record(&self, pending: &Pending, failures: &[Failure]) -> Result<()> {
        let explain = |failure: &Failure| {
            let band = self.layout.bands.get(failure.band).map(String::as_str).unwrap_or_default();
            let row = pending.first_row + failure.row as u64;
            format!("record {row}, {band}: {}", failure.why)
        };
        if let (OnError::Fail, Some(failure)) = (self.layout.inner.on_error, failures.first()) {
            return Err(failure.denial().unwrap_or_else(|| Error::InvalidArgument { what: explain(failure) }));
        }
        let tried: usize = pending.cells.iter().map(|cells| cells.iter().filter(|cell| cell.is_tried()).count()).sum();
        let failed: Vec<&Failure> = failures.iter().filter(|failure| !matches!(failure.why, Why::Missing(_))).collect();
        let mut tally = self.tally();
        tally.rows += pending.batch.num_rows() as u64;
        tally.tried += tried as u64;
        tally.failed += failed.len() as u64;
        if tally.failed == tally.tried {
            let more = CAUSES.saturating_sub(tally.causes.len());
            tally.denial = tally.denial.take().or_else(|| failed.iter().find_map(|failure| failure.denial()));
            tally.causes.extend(failed.iter().take(more).map(|failure| explain(failure)));
        }
        for (seen, cells) in tally.seen.iter_mut().zip(&pending.cells) {
            *seen = *seen || cells.iter().any(Cell::is_tried);
        }
        Ok(())
    }

    fn errors(&self, rows: usize, failures: Vec<Failure>) -> Vec<Option<String>> {
        let mut errors: Vec<Option<String>> = vec![None; rows];
        for failure in failures {
            let band = self.layout.bands.get(failure.band).map(String::as_str).unwrap_or_default();
            let text = format!("{band}: {}", failure.why);
            if let Some(error) = errors.get_mut(failure.row) {
                *error = Some(match error.take() {
                    Some(before) => format!("{before}; {text}"),
                    None => text,
                });
            }
        }
        errors
    }
}

impl Drop for EnrichStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cell {
    fn is_tried(&self) -> bool {
        !matches!(self, Self::Missing(_))
    }
}

/// A file's header with the scale of an Item.
type Scaled = (Scaling, CogFile);

/// An asset without metadata.
#[derive(Debug)]
struct Failure {
    row: usize,
    /// Among the fetched bands.
    band: usize,
    why: Why,
}

impl Failure {
    /// The error if a lock of the host forbids the asset.
    fn denial(&self) -> Option<Error> {
        match &self.why {
            Why::Error(error) if error.denial().is_some() => Some(error.clone()),
            _ => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{0}")]
    Missing(&'static str),
    #[error("expected a band_index from 0, found {0}")]
    NoSuchBand(i64),
    #[error("{0}")]
    Scale(String),
    #[error("{0}")]
    Error(Error),
}

/// The file with the scale of an asset; `known` are those of other rows with the same file.
fn with_scale(
    file: &CogFile,
    band: Option<u32>,
    scaling: &Result<Scaling, String>,
    known: &mut Vec<Scaled>,
) -> Result<CogFile, Why> {
    let scaling = scaling.as_ref().map_err(|what| Why::Scale(what.clone()))?;
    if let Some((_, file)) = known.iter().find(|(known, _)| known == scaling) {
        return Ok(file.clone());
    }
    let file = scaling.apply(file, band).map_err(Why::Scale)?;
    known.push((scaling.clone(), file.clone()));
    Ok(file)
}

fn for_band(file: &CogFile, band: u32, href: Option<&Arc<str>>) -> Result<CogFile> {
    match file.header.for_band(band) {
        Ok(header) => Ok(CogFile { header: Arc::new(header), ..file.clone() }),
        Err(source) => {
            let location = Location::parse_any(href.map(AsRef::as_ref).unwrap_or_default())?;
            Err(Error::Header { location, source })
        }
    }
}
