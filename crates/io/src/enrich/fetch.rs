//! Runs ahead of the reader: batches to hrefs, hrefs to headers, `max_concurrent` at a time.
//!
//! ```text
//! batch 7  ▓▓▓▓▓▓▓▓ complete ──> EnrichStream::next
//! batch 8  ▓▓▓▒▓▓▒▒ fetching        a fetch of batch 9 starts as soon as one of batch 8 ends: there is no barrier
//! batch 9  ▒▒░░░░░░ fetching
//! batch 10 ········ decoded, waiting for the window
//! ```
//!
//! The window bounds the records and headers between the source and the reader, by rows and by bytes. A batch enters it
//! as a whole, so that it holds at least one batch of any size.
//!
//! Records that need the same header share it by [`SharedHeader`]. This module decides only when a header is requested.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use rasteret_cog::{CogHeader, Level};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::assets::Asset;
use super::layout::Layout;
use super::scaling::Scaling;
use crate::headers::SharedHeader;
use crate::parquet::Batches;
use crate::types::location::local_from_remote;
use crate::{CogFile, Error, Result};

/// Returns the header of an href, and whether no other caller needs it yet.
pub(super) type Fetch = Arc<dyn Fn(&str) -> (SharedHeader, bool) + Send + Sync>;

/// Rows that may wait for the reader. Sixteen DuckDB vectors: enough for hundreds of concurrent header fetches if records share
/// most of their files, and little memory for small records.
const WINDOW_ROWS: u64 = 16 * 2_048;

/// Bytes of records and headers that may wait for the reader.
const WINDOW_BYTES: u64 = 96 * 1024 * 1024;

/// Fetches that start before sockets are polled again: requests use the open connections while others are being opened,
/// and reuse a connection whose response has arrived.
const LAUNCHED_AT_ONCE: usize = 16;

/// Maximum number of failed hrefs that are not retried. Bounded, because a source may name millions that do not exist.
const FAILURES_KEPT: usize = 10_000;

/// A running fetcher.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) pending: mpsc::UnboundedReceiver<Message>,
    pub(super) window: Arc<Window>,
    pub(super) files: Arc<FileCounts>,
    pub(super) task: JoinHandle<()>,
}

/// Files that were fetched, each once.
#[derive(Debug, Default)]
pub(super) struct FileCounts {
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// Messages of the fetcher. The end is a message, because a channel that merely closes indicates a fault.
#[derive(Debug)]
pub(super) enum Message {
    Batch(Box<Pending>),
    Failed(Error),
    End,
}

/// A batch whose headers are being fetched.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) index: u64,
    /// Records of the source before the batch.
    pub(super) first_row: u64,
    pub(super) batch: RecordBatch,
    /// For each fetched band, each row's asset.
    pub(super) cells: Vec<Vec<Cell>>,
    /// The distinct hrefs of the batch, in the form in which they are opened.
    pub(super) hrefs: Vec<Arc<str>>,
    /// One for each of them.
    headers: Vec<SharedHeader>,
    /// The tasks that read the headers which this batch was the first to need.
    #[expect(dead_code, reason = "dropping it aborts the tasks")]
    tasks: JoinSet<()>,
    /// Closed when all of them have ended.
    completed: mpsc::Receiver<Infallible>,
    #[expect(dead_code, reason = "dropping it releases the batch's share of the window")]
    permit: WindowPermit,
}

/// One asset of one record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// The batch's `header`, narrowed to the band.
    File { header: usize, band: Option<u32>, scaling: Option<Result<Scaling, String>> },
    /// The record has no file for the band.
    Missing(&'static str),
    /// The record has an invalid band.
    NoSuchBand(i64),
}

impl Pending {
    /// The headers of the batch's distinct hrefs. Headers of another batch whose tasks were aborted are read here.
    pub(super) async fn headers(&mut self) -> Vec<Result<CogFile>> {
        // No messages are sent: the last task closes the channel, which wakes this thread once instead of once per header.
        self.completed.recv().await;
        futures::future::join_all(self.headers.iter().map(SharedHeader::get)).await
    }
}

/// Must be called in the runtime.
pub(super) fn start(batches: Batches, layout: Arc<Layout>, fetch: Fetch, max_concurrent: usize) -> Fetching {
    let (send, pending) = mpsc::unbounded_channel();
    let (window, files) = (Arc::new(Window::default()), Arc::<FileCounts>::default());
    let remote = layout.inner.source.are_remote();
    let fetcher = Fetcher {
        layout,
        fetch,
        window: Arc::clone(&window),
        files: Arc::clone(&files),
        // More permits than the semaphore can count are as good as none.
        limit: Arc::new(Semaphore::new(max_concurrent.min(Semaphore::MAX_PERMITS))),
        failures: Arc::default(),
        remote,
    };
    let task = tokio::spawn(fetcher.run(batches, send));
    Fetching { pending, window, files, task }
}

struct Fetcher {
    layout: Arc<Layout>,
    fetch: Fetch,
    window: Arc<Window>,
    files: Arc<FileCounts>,
    /// The option `max_concurrent`. Each request also takes a permit of the session.
    limit: Arc<Semaphore>,
    failures: Arc<Mutex<HashMap<Arc<str>, Error>>>,
    /// For each file of the source, whether it came over the network.
    remote: Vec<bool>,
}

/// Hrefs of the records, before `url_rewrite`.
type Written = HashSet<Arc<str>>;

impl Fetcher {
    async fn run(self, mut batches: Batches, send: mpsc::UnboundedSender<Message>) {
        let (mut index, mut first_row) = (0, 0);
        let message = loop {
            let (batch, is_remote) = match batches.next().await {
                Some(Ok(records)) => (records.batch, self.remote.get(records.file) == Some(&true)),
                Some(Err(error)) => break Message::Failed(error),
                None => break Message::End,
            };
            let rows = batch.num_rows() as u64;
            let permit = self.window.enter(rows, batch.get_array_memory_size() as u64).await;
            let pending = self.launch(index, first_row, batch, is_remote, permit).await;
            if send.send(Message::Batch(Box::new(pending))).is_err() {
                return;
            }
            index += 1;
            first_row += rows;
        };
        // The receiver may have been dropped.
        let _ = send.send(message);
    }

    /// Starts all fetches of a batch; returns when the last has started.
    async fn launch(
        &self,
        index: u64,
        first_row: u64,
        batch: RecordBatch,
        is_remote: bool,
        permit: WindowPermit,
    ) -> Pending {
        let (cells, hrefs, written) = self.cells(&batch);
        let (completion, completed) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let mut headers = Vec::with_capacity(hrefs.len());
        for some in hrefs.chunks(LAUNCHED_AT_ONCE) {
            for href in some {
                // A rewritten href may be local; an href of a remote record must not.
                let refused = (is_remote && written.contains(href)).then(|| local_from_remote(href)).flatten();
                headers.push(match refused {
                    Some(error) => SharedHeader::ready(Err(error)),
                    None => self.header(href, &mut tasks, &completion, &permit).await,
                });
            }
            tokio::task::yield_now().await;
        }
        Pending { index, first_row, batch, cells, hrefs, headers, tasks, completed, permit }
    }

    /// The assets of a batch, its distinct hrefs, and those of them that the records have.
    fn cells(&self, batch: &RecordBatch) -> (Vec<Vec<Cell>>, Vec<Arc<str>>, Written) {
        let inner = &self.layout.inner;
        let by_option: Vec<Option<u32>> =
            self.layout.fetched.iter().map(|band| inner.bands.get(*band).and_then(|band| band.index)).collect();
        let mut cells = vec![Vec::with_capacity(batch.num_rows()); self.layout.fetched.len()];
        let (mut hrefs, mut own) = (Vec::new(), HashSet::new());
        // Keyed by the href in the record, so that each is rewritten once. Two that are rewritten to the same file
        // share it.
        let mut written: HashMap<String, usize> = HashMap::new();
        let mut rewritten: HashMap<Arc<str>, usize> = HashMap::new();
        let scaling = |asset: Asset<'_>| match inner.assets.with_scaling {
            true => Scaling::of(asset.members).transpose(),
            false => None,
        };
        self.layout.assets(batch, |band, _, asset| {
            let cell = match asset {
                Err(why) => Cell::Missing(why),
                Ok(asset) => {
                    let header = written.get(asset.href).copied().unwrap_or_else(|| {
                        let href = inner.rewrites.apply(asset.href);
                        if *href == *asset.href {
                            own.insert(Arc::clone(&href));
                        }
                        let header = *rewritten.entry(Arc::clone(&href)).or_insert_with(|| {
                            hrefs.push(href);
                            hrefs.len() - 1
                        });
                        written.insert(asset.href.to_owned(), header);
                        header
                    });
                    match (by_option.get(band).copied().flatten(), asset.band_index) {
                        (Some(index), _) => Cell::File { header, band: Some(index), scaling: scaling(asset) },
                        (None, None) => Cell::File { header, band: None, scaling: scaling(asset) },
                        (None, Some(index)) => match u32::try_from(index) {
                            Ok(index) => Cell::File { header, band: Some(index), scaling: scaling(asset) },
                            Err(_) => Cell::NoSuchBand(index),
                        },
                    }
                }
            };
            if let Some(cells) = cells.get_mut(band) {
                cells.push(cell);
            }
        });
        (cells, hrefs, own)
    }

    /// The header of an href: one that is being read, a known failure, or a new one as soon as the limit allows.
    async fn header(
        &self,
        href: &Arc<str>,
        tasks: &mut JoinSet<()>,
        completion: &mpsc::Sender<Infallible>,
        permit: &WindowPermit,
    ) -> SharedHeader {
        let known = lock(&self.failures).get(href).cloned();
        if let Some(error) = known {
            return SharedHeader::ready(Err(error));
        }
        let (header, is_new) = (self.fetch)(href);
        if !is_new {
            return header;
        }
        let request = Arc::clone(&self.limit).acquire_owned().await;
        let (own, failures, share) = (header.clone(), Arc::clone(&self.failures), permit.share());
        let (href, completion, files) = (Arc::clone(href), completion.clone(), Arc::clone(&self.files));
        tasks.spawn(async move {
            let _completion = completion;
            let header = own.get().await;
            drop(request);
            files.done.fetch_add(1, Ordering::Relaxed);
            match header {
                Ok(file) => share.add(weight(&file.header)),
                Err(error) => {
                    files.failed.fetch_add(1, Ordering::Relaxed);
                    let mut failures = lock(&failures);
                    if failures.len() < FAILURES_KEPT {
                        failures.insert(href, error);
                    }
                }
            }
        });
        header
    }
}

/// Approximate size of a header in bytes, which is dominated by the tile tables.
fn weight(header: &CogHeader) -> u64 {
    const REST: usize = 1_024;
    const TILE: usize = size_of::<u64>() + size_of::<u32>();
    let level = |level: &Level| {
        let tables = level.encoding.jpeg_tables.as_ref().map_or(0, |tables| tables.len());
        REST + level.tile_offsets.len() * TILE + tables
    };
    let levels = std::iter::once(&header.image).chain(&header.overviews).chain(&header.masks);
    levels.map(level).sum::<usize>() as u64
}

/// Bounds the batches between the source and the reader.
#[derive(Debug, Default)]
pub(super) struct Window {
    inside: Mutex<Inside>,
    left: Notify,
}

#[derive(Debug, Default, Clone, Copy)]
struct Inside {
    batches: u64,
    rows: u64,
    bytes: u64,
}

/// A batch's share of the window, released when it is dropped.
#[derive(Debug)]
struct WindowPermit {
    window: Arc<Window>,
    rows: u64,
    bytes: Arc<AtomicU64>,
}

/// Adds to a batch's share.
struct Share {
    window: Arc<Window>,
    bytes: Arc<AtomicU64>,
}

impl Window {
    /// Waits until the batch fits. A single batch always does.
    async fn enter(self: &Arc<Self>, rows: u64, bytes: u64) -> WindowPermit {
        loop {
            let left = self.left.notified();
            {
                let mut inside = lock(&self.inside);
                let fits = inside.rows + rows <= WINDOW_ROWS && inside.bytes + bytes <= WINDOW_BYTES;
                if fits || inside.batches == 0 {
                    inside.batches += 1;
                    inside.rows += rows;
                    inside.bytes += bytes;
                    return WindowPermit { window: Arc::clone(self), rows, bytes: Arc::new(AtomicU64::new(bytes)) };
                }
            }
            left.await;
        }
    }

    /// Rows inside.
    #[cfg(test)]
    pub(super) fn rows(&self) -> u64 {
        lock(&self.inside).rows
    }
}

impl WindowPermit {
    fn share(&self) -> Share {
        Share { window: Arc::clone(&self.window), bytes: Arc::clone(&self.bytes) }
    }
}

impl Share {
    fn add(&self, bytes: u64) {
        let mut inside = lock(&self.window.inside);
        inside.bytes += bytes;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for WindowPermit {
    fn drop(&mut self) {
        let mut inside = lock(&self.window.inside);
        inside.batches = inside.batches.saturating_sub(1);
        inside.rows = inside.rows.saturating_sub(self.rows);
        inside.bytes = inside.bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        drop(inside);
        self.window.left.notify_one();
    }
}

/// Ignores poisoning: counters and maps are consistent after every statement, even if another thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
