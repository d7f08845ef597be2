//! Reads the headers of many files concurrently, while the calling thread waits.
//!
//! Distributes the work: each distinct href is read once, files in stores by as many tasks as requests may be in flight, local
//! files by a few blocking threads. Each task takes the next file when it has finished one, so that a million files need
//! no more memory than their results.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use tokio::task::{AbortHandle, JoinHandle};

use super::Headers;
use crate::runtime::runtime;
use crate::types::location::LocationKind;
use crate::{Error, Location, Result};

/// Local files read in parallel: disks and network file systems process several concurrently; more would be queued.
const LOCAL_READERS: usize = 8;

/// Local files per reader: below this, another thread costs more time than it saves.
const LOCAL_FILES_PER_READER: usize = 16;

/// Work to do for each file.
pub(crate) trait Task: 'static {
    type Output: Clone + Send + 'static;

    /// The result for a file in a store, if it is cached.
    fn known(headers: &Headers, location: &Location) -> Option<Self::Output>;

    /// For a file in a store.
    fn remote(headers: &Headers, location: &Location) -> impl Future<Output = Result<Self::Output>> + Send;

    /// For a local file. Blocks.
    fn local(headers: &Headers, location: &Location) -> Result<Self::Output>;
}

/// Does the task once for each distinct href; results are in the order of `hrefs`. Blocks the calling thread, which
/// must not be one of the runtime's. A panic of the task is an error of its file.
pub(crate) fn run<T: Task>(headers: &Headers, hrefs: &[&str]) -> Vec<Result<T::Output>> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(hrefs.len());
    let mut distinct = Vec::new();
    let slots: Vec<usize> = hrefs
        .iter()
        .map(|href| {
            *places.entry(href).or_insert_with(|| {
                distinct.push(*href);
                distinct.len() - 1
            })
        })
        .collect();
    let mut outputs = match run_distinct::<T>(headers, &distinct) {
        Ok(outputs) => outputs,
        Err(error) => return vec![Err(error); hrefs.len()],
    };
    // All hrefs are distinct: the results are in order already.
    if distinct.len() == hrefs.len() {
        outputs.truncate(hrefs.len());
        return outputs;
    }
    slots.into_iter().map(|slot| outputs[slot].clone()).collect()
}

fn run_distinct<T: Task>(headers: &Headers, hrefs: &[&str]) -> Result<Vec<Result<T::Output>>> {
    let mut outputs: Vec<Option<Result<T::Output>>> = vec![None; hrefs.len()];
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    for (slot, href) in hrefs.iter().enumerate() {
        match headers.locate(href) {
            Err(error) => outputs[slot] = Some(Err(error)),
            Ok(location)
                if headers.access().is_restricted()
                    && let Err(error) = headers.access().check(&location) =>
            {
                outputs[slot] = Some(Err(error));
            }
            Ok(location) if headers.is_native() && matches!(location.kind(), LocationKind::File(_)) => {
                local.push((slot, location));
            }
            Ok(location) => match T::known(headers, &location) {
                Some(output) => outputs[slot] = Some(Ok(output)),
                None => remote.push((slot, location)),
            },
        }
    }
    if !remote.is_empty() || !local.is_empty() {
        let runtime = runtime()?;
        let readers = local.len().div_ceil(LOCAL_FILES_PER_READER).min(LOCAL_READERS);
        let fetchers = remote.len().min(headers.options().max_concurrent);
        let (local, remote) = (Queue::new(local), Queue::new(remote));
        let queues = [local.clone(), remote.clone()];
        let tasks: Vec<JoinHandle<Vec<Indexed<T>>>> = (0..fetchers)
            .map(|_| runtime.spawn(fetch::<T>(headers.clone(), remote.clone())))
            .chain((0..readers).map(|_| {
                let (headers, queue) = (headers.clone(), local.clone());
                runtime.spawn_blocking(move || read::<T>(&headers, &queue))
            }))
            .collect();
        // Waited for in a task: the calling thread is woken once, and not by each fetcher.
        let ends: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let done = headers.block_on(runtime.spawn(join_all(tasks))).inspect_err(|_| {
            // The query was interrupted, and its results are not needed. Local files that are being read are read to
            // their end.
            queues.iter().for_each(|queue| queue.close());
            ends.iter().for_each(AbortHandle::abort);
        })?;
        for (slot, output) in done.into_iter().flatten().flatten().flatten() {
            outputs[slot] = Some(output);
        }
    }
    // Only a runtime that is being shut down loses a task.
    let lost = |slot: usize| Err(headers.locate(hrefs[slot]).map_or_else(|error| error, |at| panicked(&at)));
    Ok(outputs.into_iter().enumerate().map(|(slot, output)| output.unwrap_or_else(|| lost(slot))).collect())
}

async fn fetch<T: Task>(headers: Headers, queue: Arc<Queue>) -> Vec<Indexed<T>> {
    let mut outputs = Vec::new();
    while let Some((slot, location)) = queue.next() {
        let output = AssertUnwindSafe(T::remote(&headers, location)).catch_unwind().await;
        outputs.push((*slot, output.unwrap_or_else(|_| Err(panicked(location)))));
    }
    outputs
}

fn read<T: Task>(headers: &Headers, queue: &Queue) -> Vec<Indexed<T>> {
    let mut outputs = Vec::new();
    while let Some((slot, location)) = queue.next() {
        let output = std::panic::catch_unwind(AssertUnwindSafe(|| T::local(headers, location)));
        outputs.push((*slot, output.unwrap_or_else(|_| Err(panicked(location)))));
    }
    outputs
}

type Indexed<T> = (usize, Result<<T as Task>::Output>);

/// Files, each of which is returned once.
struct Queue {
    files: Vec<(usize, Location)>,
    next: AtomicUsize,
}

impl Queue {
    fn new(files: Vec<(usize, Location)>) -> Arc<Self> {
        Arc::new(Self { files, next: AtomicUsize::new(0) })
    }

    /// Returns no more files.
    fn close(&self) {
        self.next.fetch_max(self.files.len(), Ordering::Relaxed);
    }

    fn next(&self) -> Option<&(usize, Location)> {
        self.files.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// The error of a file if reading it panicked.
pub(crate) fn panicked(location: &Location) -> Error {
    Error::Internal { location: location.clone(), what: "reading the header panicked".to_owned() }
}
