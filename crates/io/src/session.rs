//! What all functions of one loaded extension share: stores, caches of headers and tiles, limits.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use object_store::ObjectStore;
use rasteret_cog::ProjectorCache;
use rasteret_cog::crs::Transforms;
use rasteret_cog::{CogHeader, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder};
use tokio::sync::Semaphore;

use crate::headers::batch::{self, Task, panicked};
use crate::headers::cache::HeaderCache;
use crate::headers::driver;
use crate::headers::driver::Decoded;
use crate::query::{ZoneCache, zone_cache};
use crate::runtime::descriptors;
use crate::runtime::interrupt::Query;
use crate::runtime::memory::Memory;
use crate::runtime::runtime;
use crate::store::access::{Access, AccessPolicy};
use crate::store::credentials::Credentials;
use crate::store::object::Stamp;
use crate::store::registry::Registry;
use crate::store::transport::{Ask, Transport};
use crate::tiles::{Tiles, Workers};
use crate::types::location::Place;
use crate::{
    CogFile, DescribedFile, Error, Fault, IsInterrupted, Location, Object, ObjectVersion, Options, Result, VersionMatch,
};

/// Shared state behind the SQL functions, and what a query may open. Cheap to clone, and for any number of threads at once.
#[derive(Debug, Clone)]
pub struct Session(Arc<Inner>, Access, Query);

#[derive(Debug)]
struct Inner {
    options: Options,
    registry: Registry,
    cache: HeaderCache,
    /// One permit a request in flight.
    requests: Arc<Semaphore>,
    transforms: Transforms,
    views: ProjectorCache,
    tiles: Arc<Tiles>,
    zones: ZoneCache,
    workers: Workers,
    memory: Memory,
}

impl Session {
    /// A session without credentials.
    pub fn new(options: Options) -> Self {
        Self::with_credentials(options, Credentials::default())
    }

    /// A session with the process's environment, read now: limits from `RASTERET_*`, see [`Options`], and the clouds'
    /// credentials from their own variables. Fails on a `RASTERET_*` value that is no number.
    pub fn from_env() -> Result<Self> {
        // A value that is not UTF-8 is no valid one either, and must not count as unset: it may be a lock.
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// A session with the variables that `variable` knows.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self::with_credentials(Options::from_variables(&variable)?, Credentials::from_variables(&variable)))
    }

    fn with_credentials(options: Options, credentials: Credentials) -> Self {
        let access = Access::new(options.allowed_prefixes.as_deref());
        let inner = Arc::new(Inner {
            registry: Registry::new(Transport::new(&options), credentials),
            cache: HeaderCache::new(options.header_cache_bytes, options.failure_lifetime),
            requests: Arc::new(Semaphore::new(options.max_concurrent.min(descriptors::max_connections()))),
            transforms: Transforms::default(),
            views: ProjectorCache::default(),
            tiles: Tiles::new(&options),
            zones: zone_cache(options.zone_cache_bytes),
            workers: Workers::new(&options),
            memory: Memory::new(&options),
            options,
        });
        Self(inner, access, Query::default())
    }

    /// The same session for one query, under the locks of its host. They hold for all clones.
    pub fn for_query(&self, policy: &AccessPolicy) -> Self {
        Self(Arc::clone(&self.0), self.1.with_policy(policy), Query::default())
    }

    /// The same session, whose calls end once the host has interrupted the query. Where the host cannot tell, they end when their work is
    /// done or their time-outs are over.
    pub fn interruptible(self, is_interrupted: Option<IsInterrupted>) -> Self {
        Self(self.0, self.1, Query::new(is_interrupted))
    }

    /// Takes the host's limit on memory. Caches shrink where their share of it is smaller than what they may have.
    pub fn set_memory_limit(&self, bytes: u64) {
        if self.0.memory.set_host(bytes) {
            let shares = self.0.memory.shares(&self.0.options);
            self.0.cache.set_bytes(shares.headers);
            self.0.zones.set_bytes(shares.zones);
            self.0.tiles.set_bytes(shares.tiles, shares.under_way);
        }
    }

    /// Replaces the locks of a query, where it is executed again.
    pub fn set_policy(&self, policy: &AccessPolicy) {
        self.1.set_policy(policy);
    }

    /// A session with the same settings and nothing else of this one's: for a child that was forked.
    #[must_use]
    pub fn anew(&self) -> Self {
        self.with_options(self.0.options.clone())
    }

    /// A session with these options and the same credentials, which shares nothing else with this one.
    #[must_use]
    pub fn with_options(&self, options: Options) -> Self {
        let session = Self::with_credentials(options, self.0.registry.credentials().clone());
        session.set_host_threads(self.workers().limit());
        session
    }

    /// Serves `s3://bucket/` from a store of the caller's, in place of S3.
    pub fn serve_bucket(&self, bucket: &str, store: Arc<dyn ObjectStore>) {
        self.0.registry.insert(crate::types::location::StoreKey::S3 { bucket: bucket.to_owned(), region: None }, store);
    }

    /// Refuses what would take more memory than the host, or `RASTERET_MEMORY_LIMIT_BYTES`, allows one call.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub fn check_memory(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        self.0.memory.check(bytes, what)
    }

    /// The limits of this session.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Transformations between CRSs, made once for all functions.
    pub fn transforms(&self) -> &Transforms {
        &self.0.transforms
    }

    /// Ways into the pixels of rasters, made once for all functions.
    pub fn views(&self) -> &ProjectorCache {
        &self.0.views
    }

    /// Puts the header of a file into the cache, as an index has it. False where there is no room for it, and where a local file is not the one
    /// that was indexed.
    ///
    /// # Errors
    ///
    /// Where a lock of the host forbids the file.
    pub fn cache_header(&self, location: &Location, file: &CogFile) -> Result<bool> {
        let cache = &self.0.cache;
        self.1.permit(location).map_err(|fault| Error::Store { location: location.clone(), range: None, fault })?;
        let Place::File(path) = location.place() else {
            cache.put_remote(location.key(), file);
            return Ok(cache.get(location.key()).is_some());
        };
        let Ok(stamp) = Stamp::of(path) else {
            return Ok(false);
        };
        let found = ObjectVersion { etag: None, size: Some(stamp.size), last_modified: stamp.last_modified() };
        if !matches!(file.version.compare(&found, self.0.options.check_version), VersionMatch::Same) {
            return Ok(false);
        }
        cache.put_local(location.key(), file, stamp);
        Ok(cache.get_local(location.key(), stamp).is_some())
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header(&self, href: &str) -> Result<CogFile> {
        self.header_at(&Location::parse(href)?).await
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header_at(&self, location: &Location) -> Result<CogFile> {
        self.1.check(location)?;
        let read = async {
            match location.place() {
                Place::File(_) => {
                    let (session, here) = (self.clone(), location.clone());
                    let read = tokio::task::spawn_blocking(move || session.local_header(&here));
                    read.await.unwrap_or_else(|_| Err(panicked(location)))
                }
                _ => self.0.cache.get_or_load(location.key(), || self.load(location)).await,
            }
        };
        AssertUnwindSafe(read).catch_unwind().await.unwrap_or_else(|_| Err(panicked(location)))
    }

    /// The headers of many files, fetched concurrently, each distinct href once; blocks the calling thread, which must not
    /// be one of the runtime's. Answers in the order of `hrefs`.
    pub fn headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
        batch::run::<Headers>(self, hrefs)
    }

    /// Every IFD of many files with its tags; otherwise as [`headers`](Self::headers), but nothing is kept.
    pub fn ifds(&self, hrefs: &[&str]) -> Vec<Result<Vec<IfdInfo>>> {
        batch::run::<Ifds>(self, hrefs)
    }

    /// Descriptions of many files; otherwise as [`headers`](Self::headers), but nothing is kept.
    pub fn descriptions(&self, hrefs: &[&str]) -> Vec<Result<DescribedFile>> {
        batch::run::<Descriptions>(self, hrefs)
    }

    /// The version of a file now, and how it compares with the `indexed` one. One request: a conditional one where that has
    /// an entity tag. The header of a file leaves the cache unless the file is for certain the indexed one.
    pub async fn current_version(&self, href: &str, indexed: &ObjectVersion) -> Result<(ObjectVersion, VersionMatch)> {
        let location = Location::parse(href)?;
        let check = self.0.options.check_version;
        let current = self.open_at(&location).await?.version(indexed.conditional_tag(check)).await;
        let compared = current.map(|current| match current {
            None => (indexed.clone(), VersionMatch::Same),
            Some(current) => {
                let outcome = indexed.compare(&current, check);
                (current, outcome)
            }
        });
        if !matches!(&compared, Ok((_, VersionMatch::Same))) {
            self.0.cache.forget(location.key());
        }
        compared
    }

    /// The headers of many files as they are now, whatever was read before; otherwise as [`headers`](Self::headers).
    pub(crate) fn current_headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
        batch::run::<CurrentHeaders>(self, hrefs)
    }

    /// A file, for reading ranges of; no request is made, save the one that finds the region of a public S3 bucket when it
    /// is first used.
    pub async fn open(&self, href: &str) -> Result<Object> {
        self.open_at(&Location::parse(href)?).await
    }

    /// A file, for reading ranges of.
    pub async fn open_at(&self, location: &Location) -> Result<Object> {
        self.1.check(location)?;
        let source = self.0.registry.source(location).await?;
        let check = self.0.options.check_version;
        Ok(Object::new(location.clone(), source, self.0.requests.clone(), self.1.clone(), check))
    }

    /// Runs a future on the extension's runtime; blocks the calling thread, which must not be one of the runtime's.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] once the query was interrupted: the future is dropped then.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        let runtime = runtime()?;
        if !self.2.can_tell() {
            return Ok(runtime.block_on(future));
        }
        runtime.block_on(async {
            tokio::select! {
                biased;
                output = future => Ok(output),
                () = self.2.interrupted() => Err(Error::Interrupted),
            }
        })
    }

    /// The answer to a question that is asked of `location`.
    pub(crate) async fn document(&self, location: &Location, ask: &Ask) -> Result<Bytes> {
        let closed = || Fault::Other("the session is closed".to_owned());
        let answer = async {
            self.1.permit(location)?;
            let _permit = self.0.requests.acquire().await.map_err(|_| closed())?;
            self.0.registry.transport().document(ask, self.0.memory.of_document(), &self.1).await
        };
        answer.await.map_err(|fault| Error::Store { location: location.clone(), range: None, fault })
    }

    /// What the query may open.
    pub(crate) fn access(&self) -> &Access {
        &self.1
    }

    /// What ends the query before its work is done.
    pub(crate) fn query(&self) -> &Query {
        &self.2
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn tiles(&self) -> &Arc<Tiles> {
        &self.0.tiles
    }

    pub(crate) fn zones(&self) -> &ZoneCache {
        &self.0.zones
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.0.workers
    }

    async fn load(&self, location: &Location) -> Result<CogFile> {
        Ok(driver::read::<HeaderDecoder>(&self.open_at(location).await?).await?.into())
    }

    /// Blocks.
    fn local_header(&self, location: &Location) -> Result<CogFile> {
        let path = local_path(location)?;
        if let Some(file) = self.unchanged(location, path) {
            return Ok(file);
        }
        let (decoded, stamp) = driver::read_local::<HeaderDecoder>(location, path)?;
        let file = decoded.into();
        self.0.cache.put_local(location.key(), &file, stamp);
        Ok(file)
    }

    fn unchanged(&self, location: &Location, path: &Path) -> Option<CogFile> {
        self.0.cache.get_local(location.key(), Stamp::of(path).ok()?)
    }
}

/// Headers, from the cache where they are in it.
struct Headers;

impl Task for Headers {
    type Answer = CogFile;

    fn known(session: &Session, location: &Location) -> Option<CogFile> {
        session.0.cache.get(location.key())
    }

    async fn remote(session: &Session, location: &Location) -> Result<CogFile> {
        session.header_at(location).await
    }

    fn local(session: &Session, location: &Location) -> Result<CogFile> {
        session.local_header(location)
    }
}

/// Headers, read anew: what is looked for is whether they have changed.
struct CurrentHeaders;

impl Task for CurrentHeaders {
    type Answer = CogFile;

    fn known(_: &Session, _: &Location) -> Option<CogFile> {
        None
    }

    async fn remote(session: &Session, location: &Location) -> Result<CogFile> {
        session.load(location).await
    }

    fn local(session: &Session, location: &Location) -> Result<CogFile> {
        session.local_header(location)
    }
}

/// Dumps of IFDs: looked at once, so not kept.
struct Ifds;

impl Task for Ifds {
    type Answer = Vec<IfdInfo>;

    fn known(_: &Session, _: &Location) -> Option<Vec<IfdInfo>> {
        None
    }

    async fn remote(session: &Session, location: &Location) -> Result<Vec<IfdInfo>> {
        Ok(driver::read::<IfdDecoder>(&session.open_at(location).await?).await?.answer)
    }

    fn local(_: &Session, location: &Location) -> Result<Vec<IfdInfo>> {
        Ok(driver::read_local::<IfdDecoder>(location, local_path(location)?)?.0.answer)
    }
}

/// Descriptions of files: looked at once, so not kept.
struct Descriptions;

impl Task for Descriptions {
    type Answer = DescribedFile;

    fn known(_: &Session, _: &Location) -> Option<DescribedFile> {
        None
    }

    async fn remote(session: &Session, location: &Location) -> Result<DescribedFile> {
        Ok(driver::read::<InfoDecoder>(&session.open_at(location).await?).await?.into())
    }

    fn local(_: &Session, location: &Location) -> Result<DescribedFile> {
        Ok(driver::read_local::<InfoDecoder>(location, local_path(location)?)?.0.into())
    }
}

impl From<Decoded<FileInfo>> for DescribedFile {
    fn from(decoded: Decoded<FileInfo>) -> Self {
        Self { info: Arc::new(decoded.answer), file_size: decoded.version.size }
    }
}

impl From<Decoded<CogHeader>> for CogFile {
    fn from(decoded: Decoded<CogHeader>) -> Self {
        let Decoded { answer: mut header, version } = decoded;
        let levels = std::iter::once(&mut header.image).chain(&mut header.overviews).chain(&mut header.masks);
        for tables in levels.filter_map(|level| level.encoding.jpeg_tables.as_mut()) {
            // A slice of the fetched bytes would keep all 32 KiB of them, for as long as the header is cached.
            *tables = Bytes::copy_from_slice(tables);
        }
        Self { header: Arc::new(header), version }
    }
}

fn local_path(location: &Location) -> Result<&Path> {
    match location.place() {
        Place::File(path) => Ok(path),
        _ => Err(Error::Internal { location: location.clone(), what: "not a local file".to_owned() }),
    }
}
