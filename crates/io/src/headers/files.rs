//! Headers by href: of one file or many, from the cache or read again.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use rasteret_cog::{CogHeader, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder};

use super::Headers;
use super::batch::{self, Task, panicked};
use super::driver::{self, Decoded};
use super::in_flight::SharedHeader;
use crate::store::stats;
use crate::types::location::LocationKind;
use crate::types::stamp::Stamp;
use crate::{CogFile, DescribedFile, Error, Location, ObjectVersion, Result, VersionMatch};

impl Headers {
    /// Adds the header of an index to the cache. False if there is no room for it, or if a local
    /// file is not the version that was indexed.
    ///
    /// # Errors
    ///
    /// If a lock of the host forbids the file.
    pub fn cache_header(&self, location: &Location, file: &CogFile) -> Result<bool> {
        let cache = &self.cache;
        self.access().permit(location).map_err(|fault| Error::Store {
            location: location.clone(),
            range: None,
            fault,
        })?;
        let LocationKind::File(path) = location.kind() else {
            cache.put_remote(location.key(), file);
            return Ok(cache.get(location.key()).is_some());
        };
        let Ok(stamp) = Stamp::of(path) else {
            return Ok(false);
        };
        let found = ObjectVersion { etag: None, size: Some(stamp.size), last_modified: stamp.last_modified() };
        if !matches!(file.version.compare(&found, self.options().check_version), VersionMatch::Same) {
            return Ok(false);
        }
        cache.put_local(location.key(), file, stamp);
        Ok(cache.get_local(location.key(), stamp).is_some())
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header(&self, href: &str) -> Result<CogFile> {
        self.header_at(&self.locate(href)?).await
    }

    /// Like [`header`](Self::header), by location.
    pub async fn header_at(&self, location: &Location) -> Result<CogFile> {
        self.access().check(location)?;
        if location.is_local() && self.is_native() {
            return self.local_header_at(location).await;
        }
        if let Some(known) = self.known_or_failed(location) {
            return known;
        }
        let (entry, _) = self.cache.entry(location.key());
        entry.get_or_load(|| self.load_into_cache(location)).await
    }

    /// The header of one file, shared with all callers that need it at the same time; and whether no other caller needs it yet. It is
    /// read when it is awaited.
    pub(crate) fn shared_header(&self, location: &Location) -> (SharedHeader, bool) {
        if let Err(error) = self.access().check(location) {
            return (SharedHeader::ready(Err(error)), false);
        }
        let (headers, here) = (self.clone(), location.clone());
        if location.is_local() && self.is_native() {
            let load = move || {
                let (headers, here) = (headers.clone(), here.clone());
                async move { headers.local_header_at(&here).await }.boxed()
            };
            return (SharedHeader::alone(load), true);
        }
        if let Some(known) = self.known_or_failed(location) {
            return (SharedHeader::ready(known), false);
        }
        let (entry, is_new) = self.cache.entry(location.key());
        let load = move || {
            let (headers, here) = (headers.clone(), here.clone());
            async move { headers.load_into_cache(&here).await }.boxed()
        };
        (SharedHeader::InFlight { entry, load: Arc::new(load) }, is_new)
    }

    /// The cached header of a file in a store, or the error with which it failed recently.
    fn known_or_failed(&self, location: &Location) -> Option<Result<CogFile>> {
        let known = self.cache.known(location.key())?;
        if known.is_ok() {
            stats::of(location).add_cached_header();
        }
        Some(known)
    }

    async fn local_header_at(&self, location: &Location) -> Result<CogFile> {
        let (headers, here) = (self.clone(), location.clone());
        let read = tokio::task::spawn_blocking(move || headers.local_header(&here));
        read.await.unwrap_or_else(|_| Err(panicked(location)))
    }

    async fn load_into_cache(&self, location: &Location) -> Result<CogFile> {
        let load = || async {
            let loaded = AssertUnwindSafe(self.load(location)).catch_unwind().await;
            loaded.unwrap_or_else(|_| Err(panicked(location)))
        };
        self.cache.load(location.key(), load).await
    }

    /// The headers of many files, fetched concurrently, each distinct href once; blocks the calling thread, which must not
    /// be one of the runtime's. Results are in the order of `hrefs`.
    pub fn headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
        batch::run::<CachedHeaders>(self, hrefs)
    }

    /// Every IFD of many files with its tags. Like [`headers`](Self::headers), but without cache.
    pub fn ifds(&self, hrefs: &[&str]) -> Vec<Result<Vec<IfdInfo>>> {
        batch::run::<Ifds>(self, hrefs)
    }

    /// Descriptions of many files. Like [`headers`](Self::headers), but without cache.
    pub fn descriptions(&self, hrefs: &[&str]) -> Vec<Result<DescribedFile>> {
        batch::run::<Descriptions>(self, hrefs)
    }

    /// The version of a file now, and how it compares with the `indexed` one. One request: a conditional one where that has
    /// an entity tag. The header of a file leaves the cache unless the file is for certain the indexed one.
    pub async fn current_version(&self, href: &str, indexed: &ObjectVersion) -> Result<(ObjectVersion, VersionMatch)> {
        let location = self.locate(href)?;
        let check = self.options().check_version;
        let current = self.open_at(&location).await?.version(indexed.conditional_tag(check)).await;
        let compared = current.map(|current| match current {
            None => (indexed.clone(), VersionMatch::Same),
            Some(current) => {
                let outcome = indexed.compare(&current, check);
                (current, outcome)
            }
        });
        if !matches!(&compared, Ok((_, VersionMatch::Same))) {
            self.cache.forget(location.key());
        }
        compared
    }

    /// The current headers of many files. Like [`headers`](Self::headers), but without cache.
    pub(crate) fn current_headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
        batch::run::<CurrentHeaders>(self, hrefs)
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
        self.cache.put_local(location.key(), &file, stamp);
        Ok(file)
    }

    fn unchanged(&self, location: &Location, path: &Path) -> Option<CogFile> {
        let file = self.cache.get_local(location.key(), Stamp::of(path).ok()?)?;
        stats::local().add_cached_header();
        Some(file)
    }

    /// The cached header of a file in a store.
    fn known(&self, location: &Location) -> Option<CogFile> {
        let file = self.cache.get(location.key())?;
        stats::of(location).add_cached_header();
        Some(file)
    }
}

/// Headers, from the cache if possible.
struct CachedHeaders;

impl Task for CachedHeaders {
    type Output = CogFile;

    fn known(headers: &Headers, location: &Location) -> Option<CogFile> {
        headers.known(location)
    }

    async fn remote(headers: &Headers, location: &Location) -> Result<CogFile> {
        headers.header_at(location).await
    }

    fn local(headers: &Headers, location: &Location) -> Result<CogFile> {
        headers.local_header(location)
    }
}

/// Current headers, read from the files.
struct CurrentHeaders;

impl Task for CurrentHeaders {
    type Output = CogFile;

    fn known(_: &Headers, _: &Location) -> Option<CogFile> {
        None
    }

    async fn remote(headers: &Headers, location: &Location) -> Result<CogFile> {
        headers.load(location).await
    }

    fn local(headers: &Headers, location: &Location) -> Result<CogFile> {
        headers.local_header(location)
    }
}

/// Dumps of IFDs, which are not cached.
struct Ifds;

impl Task for Ifds {
    type Output = Vec<IfdInfo>;

    fn known(_: &Headers, _: &Location) -> Option<Vec<IfdInfo>> {
        None
    }

    async fn remote(headers: &Headers, location: &Location) -> Result<Vec<IfdInfo>> {
        Ok(driver::read::<IfdDecoder>(&headers.open_at(location).await?).await?.value)
    }

    fn local(_: &Headers, location: &Location) -> Result<Vec<IfdInfo>> {
        Ok(driver::read_local::<IfdDecoder>(location, local_path(location)?)?.0.value)
    }
}

/// Descriptions of files, which are not cached.
struct Descriptions;

impl Task for Descriptions {
    type Output = DescribedFile;

    fn known(_: &Headers, _: &Location) -> Option<DescribedFile> {
        None
    }

    async fn remote(headers: &Headers, location: &Location) -> Result<DescribedFile> {
        Ok(driver::read::<InfoDecoder>(&headers.open_at(location).await?).await?.into())
    }

    fn local(_: &Headers, location: &Location) -> Result<DescribedFile> {
        Ok(driver::read_local::<InfoDecoder>(location, local_path(location)?)?.0.into())
    }
}

impl From<Decoded<FileInfo>> for DescribedFile {
    fn from(decoded: Decoded<FileInfo>) -> Self {
        Self { info: Arc::new(decoded.value), file_size: decoded.version.size }
    }
}

impl From<Decoded<CogHeader>> for CogFile {
    fn from(decoded: Decoded<CogHeader>) -> Self {
        let Decoded { value: mut header, version } = decoded;
        let levels = std::iter::once(&mut header.image).chain(&mut header.overviews).chain(&mut header.masks);
        for tables in levels.filter_map(|level| level.encoding.jpeg_tables.as_mut()) {
            // A slice of the fetched bytes would keep all 32 KiB of them, for as long as the header is cached.
            *tables = Bytes::copy_from_slice(tables);
        }
        Self { header: Arc::new(header), version }
    }
}

fn local_path(location: &Location) -> Result<&Path> {
    match location.kind() {
        LocationKind::File(path) => Ok(path),
        _ => Err(Error::Internal { location: location.clone(), what: "not a local file".to_owned() }),
    }
}
