//! What all functions of one loaded extension share: stores, the header cache, limits.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use object_store::ObjectStore;
use rasteret_cog::CogHeader;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::cache::HeaderCache;
use crate::credentials::Credentials;
use crate::location::Place;
use crate::object::Stamp;
use crate::registry::Registry;
use crate::runtime::runtime;
use crate::transport::Transport;
use crate::{Error, Location, Object, Options, Result, driver};

/// Local files read side by side: disks and network file systems answer several at once, more only wait in line.
const LOCAL_READERS: usize = 8;

/// Local files for each of the readers: below this, another thread costs more than it gives.
const LOCAL_FILES_PER_READER: usize = 16;

/// A file's header and which version of the file it was read from.
#[derive(Debug, Clone)]
pub struct CogFile {
    /// The parsed header, shared by all rows that name the file.
    pub header: Arc<CogHeader>,
    /// Bytes of the whole file, where the store said.
    pub file_size: Option<u64>,
    /// Entity tag, where the store said.
    pub etag: Option<String>,
    /// Microseconds since 1970-01-01 UTC, where the store said.
    pub last_modified: Option<i64>,
}

/// Shared state behind the SQL functions. Cheap to clone, and for any number of threads at once.
#[derive(Debug, Clone)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    registry: Registry,
    cache: HeaderCache,
    /// One permit a request in flight.
    requests: Arc<Semaphore>,
}

impl Session {
    /// A session without credentials.
    pub fn new(options: Options) -> Self {
        Self::with_credentials(options, Credentials::default())
    }

    /// A session with the process's environment, read now: limits from `RASTERET_*`, see [`Options`], and the clouds'
    /// credentials from their own variables. Fails on a `RASTERET_*` value that is no number.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// A session with the variables that `variable` knows.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self::with_credentials(
            Options::from_variables(&variable)?,
            Credentials::from_variables(&variable),
        ))
    }

    fn with_credentials(options: Options, credentials: Credentials) -> Self {
        Self(Arc::new(Inner {
            registry: Registry::new(Transport::new(&options), credentials),
            cache: HeaderCache::new(options.header_cache_bytes),
            requests: Arc::new(Semaphore::new(options.max_concurrent)),
            options,
        }))
    }

    /// Serves `s3://bucket/` from a store of the caller's, in place of S3.
    pub fn serve_bucket(&self, bucket: &str, store: Arc<dyn ObjectStore>) {
        self.0.registry.insert(
            crate::location::StoreKey::S3 {
                bucket: bucket.to_owned(),
                region: None,
            },
            store,
        );
    }

    /// The limits of this session.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header(&self, href: &str) -> Result<CogFile> {
        self.header_at(&Location::parse(href)?).await
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header_at(&self, location: &Location) -> Result<CogFile> {
        let read = async {
            match location.place() {
                Place::File(_) => {
                    let (session, here) = (self.clone(), location.clone());
                    let read = tokio::task::spawn_blocking(move || session.local_header(&here));
                    read.await.unwrap_or_else(|_| Err(panicked(location)))
                }
                _ => {
                    self.0
                        .cache
                        .get_or_load(location.key(), || self.load(location))
                        .await
                }
            }
        };
        AssertUnwindSafe(read)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(panicked(location)))
    }

    /// The headers of many files, fetched concurrently, each distinct href once; blocks the calling thread, which must not
    /// be one of the runtime's. Answers in the order of `hrefs`.
    pub fn headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
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
        let answers = match self.distinct_headers(&distinct) {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); distinct.len()],
        };
        slots
            .into_iter()
            .map(|slot| answers[slot].clone())
            .collect()
    }

    /// A file, for reading ranges of; no request is made, save the one that finds the region of a public S3 bucket when it
    /// is first used.
    pub async fn open(&self, href: &str) -> Result<Object> {
        self.open_at(&Location::parse(href)?).await
    }

    /// A file, for reading ranges of.
    pub async fn open_at(&self, location: &Location) -> Result<Object> {
        let source = self.0.registry.source(location).await?;
        Ok(Object::new(
            location.clone(),
            source,
            self.0.requests.clone(),
        ))
    }

    /// Runs a future on the extension's runtime; blocks the calling thread, which must not be one of the runtime's.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        Ok(runtime()?.block_on(future))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    async fn load(&self, location: &Location) -> Result<CogFile> {
        driver::read(&self.open_at(location).await?).await
    }

    /// Blocks.
    fn local_header(&self, location: &Location) -> Result<CogFile> {
        let Place::File(path) = location.place() else {
            return Err(Error::Internal {
                location: location.clone(),
                what: "not a local file".to_owned(),
            });
        };
        if let Some(file) = self.unchanged(location, path) {
            return Ok(file);
        }
        let (file, stamp) = driver::read_local(location, path)?;
        self.0.cache.put_local(location.key(), &file, stamp);
        Ok(file)
    }

    fn unchanged(&self, location: &Location, path: &Path) -> Option<CogFile> {
        self.0
            .cache
            .get_local(location.key(), Stamp::of(path).ok()?)
    }

    fn distinct_headers(&self, hrefs: &[&str]) -> Result<Vec<Result<CogFile>>> {
        let mut answers: Vec<Option<Result<CogFile>>> = vec![None; hrefs.len()];
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for (slot, href) in hrefs.iter().enumerate() {
            match Location::parse(href) {
                Err(error) => answers[slot] = Some(Err(error)),
                Ok(location) if matches!(location.place(), Place::File(_)) => {
                    local.push((slot, location))
                }
                Ok(location) => match self.0.cache.get(location.key()) {
                    Some(file) => answers[slot] = Some(Ok(file)),
                    None => remote.push((slot, location)),
                },
            }
        }
        if !remote.is_empty() || !local.is_empty() {
            let runtime = runtime()?;
            let _guard = runtime.enter();
            let readers = local
                .len()
                .div_ceil(LOCAL_FILES_PER_READER)
                .min(LOCAL_READERS);
            let fetchers = remote.len().min(self.0.options.max_concurrent);
            let (local, remote) = (Queue::new(local), Queue::new(remote));
            let tasks: Vec<JoinHandle<Vec<Answered>>> = (0..fetchers)
                .map(|_| tokio::spawn(self.clone().fetch(remote.clone())))
                .chain((0..readers).map(|_| {
                    let (session, queue) = (self.clone(), local.clone());
                    tokio::task::spawn_blocking(move || session.read(&queue))
                }))
                .collect();
            for (slot, answer) in runtime
                .block_on(join_all(tasks))
                .into_iter()
                .flatten()
                .flatten()
            {
                answers[slot] = Some(answer);
            }
        }
        let lost = |slot: usize| {
            Err(Location::parse(hrefs[slot])
                .map_or_else(|error| error, |location| panicked(&location)))
        };
        Ok(answers
            .into_iter()
            .enumerate()
            .map(|(slot, answer)| answer.unwrap_or_else(|| lost(slot)))
            .collect())
    }

    /// One of the tasks that fetch headers: as many as may be in flight, and each takes the next file when it is done with
    /// one, so that a million files cost no more memory than their headers.
    async fn fetch(self, queue: Arc<Queue>) -> Vec<Answered> {
        let mut answered = Vec::new();
        while let Some((slot, location)) = queue.next() {
            answered.push((*slot, self.header_at(location).await));
        }
        answered
    }

    /// The same for local files, on a thread that may block.
    fn read(&self, queue: &Queue) -> Vec<Answered> {
        let mut answered = Vec::new();
        while let Some((slot, location)) = queue.next() {
            let read = std::panic::catch_unwind(AssertUnwindSafe(|| self.local_header(location)));
            answered.push((*slot, read.unwrap_or_else(|_| Err(panicked(location)))));
        }
        answered
    }
}

type Answered = (usize, Result<CogFile>);

/// Files of which each is taken once.
struct Queue {
    files: Vec<(usize, Location)>,
    next: AtomicUsize,
}

impl Queue {
    fn new(files: Vec<(usize, Location)>) -> Arc<Self> {
        Arc::new(Self {
            files,
            next: AtomicUsize::new(0),
        })
    }

    fn next(&self) -> Option<&(usize, Location)> {
        self.files.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

fn panicked(location: &Location) -> Error {
    Error::Internal {
        location: location.clone(),
        what: "reading the header panicked".to_owned(),
    }
}
