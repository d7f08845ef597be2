//! Ranges of one file in any store, each request bounded by the session's semaphore.
//!
//! # Why not object_store everywhere
//!
//! Objects of S3, GCS and Azure are read through its stores, and any [`ObjectStore`] can replace them. URLs are not,
//! because its HTTP store builds them from a path, which loses the query string (a signature, usually), and rejects
//! servers that ignore ranges. Local files are not, because its local store resolves links, encodes names and has no
//! working directory.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore};
use reqwest::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::CoalesceConfig;
use crate::store::access::Access;
use crate::store::coalesce::{cut, joined};
use crate::store::host_files::HostFiles;
use crate::store::local_file::LocalFile;
use crate::store::stats::{self, Counters};
use crate::store::transport::{
    Authorize, BodyStream, DOCUMENT_MAX, DocumentRequest, Incoming, OpenResponse, RangeResponse, Span, Transport,
};
use crate::types::stamp::Stamp;
use crate::{Error, Location, ObjectVersion, Result, StoreError, VersionCheck, VersionMatch};

/// One file of a session, for reading ranges of. Cheap to clone; making one costs no request.
#[derive(Debug, Clone)]
pub struct Object {
    location: Location,
    source: Source,
    requests: Arc<Semaphore>,
    access: Access,
    check: VersionCheck,
    counters: Arc<Counters>,
    /// The version in the first response to [`Self::part`].
    first: Arc<OnceLock<ObjectVersion>>,
}

/// The client that serves a file.
#[derive(Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Url {
        transport: Transport,
        url: Url,
        login: Option<Arc<dyn Authorize>>,
    },
    Store {
        /// The client under the store, for the repetition of its requests.
        transport: Transport,
        store: Arc<dyn ObjectStore>,
        path: object_store::path::Path,
    },
    /// A file system of the host.
    Host {
        files: HostFiles,
        path: String,
    },
}

impl Object {
    pub(crate) fn new(
        location: Location,
        source: Source,
        requests: Arc<Semaphore>,
        access: Access,
        check: VersionCheck,
    ) -> Self {
        let counters = stats::of(&location);
        Self { location, source, requests, access, check, counters, first: Arc::default() }
    }

    /// Location of the file, which is displayed redacted.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Bytes of the whole file: one request, or none for a local file.
    pub async fn size(&self) -> Result<u64> {
        let size = self.whole_size().await.map_err(|fault| self.error(None, fault))?;
        size.ok_or_else(|| self.error(None, StoreError::Other("expected the size of the file, found none".to_owned())))
    }

    /// The last `length` bytes (all if the file is shorter) and the size of the file.
    pub async fn tail(&self, length: u64) -> Result<(Bytes, u64)> {
        let response = self.part(Span::Tail(length.max(1))).await.map_err(|fault| self.error(None, fault))?;
        let size = response.version.size.unwrap_or(response.start + response.body.len() as u64);
        Ok((response.body.into_bytes(), size))
    }

    /// Exactly these bytes; an error if the file ends before.
    pub async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        match self.part(Span::Range(range.clone())).await {
            Ok(response) if response.body.len() as u64 == length => Ok(response.body.into_bytes()),
            Ok(response) => Err(self.error(Some(range), StoreError::BeyondEnd(response.version.size))),
            Err(fault) => Err(self.error(Some(range), fault)),
        }
    }

    /// The bytes of each range, in the given order; adjacent ranges are fetched together.
    pub async fn ranges(&self, ranges: &[Range<u64>], coalesce: CoalesceConfig) -> Result<Vec<Bytes>> {
        let spans = self.spans(coalesce.spans(ranges), coalesce).await?;
        let exact = |range: &Range<u64>| {
            cut(range, &spans).ok_or_else(|| self.error(Some(range.clone()), StoreError::BeyondEnd(None)))
        };
        ranges.iter().map(exact).collect()
    }

    /// The bytes of disjoint spans, each fetched in requests of bounded size, all side by side.
    async fn spans(&self, spans: Vec<Range<u64>>, coalesce: CoalesceConfig) -> Result<Vec<(Range<u64>, Bytes)>> {
        let fetched = spans.into_iter().map(|span| async move {
            let parts = try_join_all(coalesce.requests(&span).map(|request| self.range(request))).await?;
            Ok((span, joined(parts)))
        });
        try_join_all(fetched).await
    }

    /// Like the previous function, but a span may end beyond the file, for read-ahead.
    pub(crate) async fn spans_within(
        &self,
        spans: Vec<Range<u64>>,
        coalesce: CoalesceConfig,
    ) -> Result<Vec<(Range<u64>, Bytes)>> {
        let within = |request: Range<u64>| async {
            match self.part(Span::Range(request.clone())).await {
                Ok(response) => Ok(response.body.into_bytes()),
                Err(StoreError::BeyondEnd(_)) => Ok(Bytes::new()),
                Err(fault) => Err(self.error(Some(request), fault)),
            }
        };
        let fetched = spans.into_iter().map(|span| async {
            let parts = try_join_all(coalesce.requests(&span).map(within)).await?;
            Ok((span, joined(parts)))
        });
        try_join_all(fetched).await
    }

    /// Bytes of the version of the first part, because offsets of one version are invalid in another.
    pub(crate) async fn part(&self, span: Span) -> Result<RangeResponse, StoreError> {
        let response = self.get(span).await?;
        self.same_version(self.first.get_or_init(|| response.version.clone()), &response.version)?;
        Ok(response)
    }

    /// Bytes and their version, in one request unless the connection is lost.
    pub(crate) async fn get(&self, span: Span) -> Result<RangeResponse, StoreError> {
        self.stream(span).await?.collect().await
    }

    /// Bytes as a stream of the received parts.
    pub(crate) async fn stream(&self, span: Span) -> Result<RangeStream<'_>, StoreError> {
        self.access.permit(&self.location)?;
        let permit = match &self.source {
            Source::File(_) => None,
            Source::Url { .. } | Source::Store { .. } | Source::Host { .. } => Some(self.permit().await?),
        };
        Ok(RangeStream::new(self, permit, self.open(&span).await?))
    }

    /// Requests bytes and returns the open response.
    async fn open(&self, span: &Span) -> Result<OpenResponse, StoreError> {
        self.counters.scope(self.open_source(span)).await
    }

    async fn open_source(&self, span: &Span) -> Result<OpenResponse, StoreError> {
        match &self.source {
            Source::File(path) => {
                let (path, span) = (path.clone(), span.clone());
                blocking(move || LocalFile::open(&path)?.get(&span)).await
            }
            Source::Url { transport, url, login } => transport.open(url, span, &self.access, login.as_deref()).await,
            Source::Store { store, path, .. } => {
                let response = of_store(store.as_ref(), path, span, &self.access).await;
                response.map_err(|error| StoreError::of_store(&error))
            }
            Source::Host { files, path } => {
                let (files, path, counters) = (files.clone(), path.clone(), self.counters.clone());
                let span = span.clone();
                blocking(move || of_host(&files, &path, &span, &counters)).await
            }
        }
    }

    /// Waits before the rest of a body is requested after a lost connection. Returns the fault if retries are exhausted.
    async fn wait_to_resume(&self, fault: StoreError, tries: u32) -> Result<(), StoreError> {
        match &self.source {
            Source::Url { transport, .. } | Source::Store { transport, .. } => {
                self.counters.scope(transport.wait_to_resume(fault, tries, &self.access)).await
            }
            Source::File(_) | Source::Host { .. } => Err(fault),
        }
    }

    /// Whether a response is of the same version as an earlier one.
    fn same_version(&self, one: &ObjectVersion, other: &ObjectVersion) -> Result<(), StoreError> {
        match one.compare(other, self.check) {
            VersionMatch::Different(difference) => Err(StoreError::Changed(difference)),
            VersionMatch::Same | VersionMatch::Unknown => Ok(()),
        }
    }

    /// The current version of the file, or None if the store reports that it still is the one with `etag`. One request,
    /// or none for a local file.
    pub(crate) async fn version(&self, etag: Option<&str>) -> Result<Option<ObjectVersion>> {
        let version = async {
            self.access.permit(&self.location)?;
            match &self.source {
                Source::File(path) => {
                    let path = path.clone();
                    blocking(move || Ok(Some(Stamp::of(&path)?.into()))).await
                }
                Source::Url { transport, url, login } => {
                    let _permit = self.permit().await?;
                    transport.version(url, etag, &self.access, login.as_deref()).await
                }
                Source::Store { store, path, .. } => {
                    let _permit = self.permit().await?;
                    Ok(Some(
                        head(store.as_ref(), path, &self.access)
                            .await
                            .map_err(|error| StoreError::of_store(&error))?
                            .into(),
                    ))
                }
                Source::Host { .. } => {
                    Ok(Some(ObjectVersion { size: self.whole_size().await?, ..ObjectVersion::default() }))
                }
            }
        };
        self.counters.scope(version).await.map_err(|fault| self.error(None, fault))
    }

    /// Reads the whole file in one request without a range, for servers without support for ranges. For documents, whose size is limited.
    pub(crate) async fn document(&self) -> Result<Bytes, StoreError> {
        self.access.permit(&self.location)?;
        match &self.source {
            Source::Url { transport, url, login } => {
                let _permit = self.permit().await?;
                let document = DocumentRequest { url: url.clone(), body: None, headers: HeaderMap::new() };
                let document = transport.document(&document, DOCUMENT_MAX as u64, &self.access, login.as_deref());
                self.counters.scope(document).await
            }
            Source::File(_) | Source::Store { .. } | Source::Host { .. } => {
                let size = self.whole_size().await?.unwrap_or(0);
                Ok(self.get(Span::Range(0..size)).await?.body.into_bytes())
            }
        }
    }

    async fn whole_size(&self) -> Result<Option<u64>, StoreError> {
        self.access.permit(&self.location)?;
        match &self.source {
            Source::File(path) => {
                let path = path.clone();
                blocking(move || Ok(Some(Stamp::of(&path)?.size))).await
            }
            // A URL that is signed for GET is forbidden for HEAD.
            Source::Url { .. } => match self.get(Span::Range(0..1)).await {
                Ok(response) => Ok(response.version.size),
                Err(StoreError::BeyondEnd(size)) => Ok(size),
                Err(fault) => Err(fault),
            },
            Source::Store { store, path, .. } => {
                let _permit = self.permit().await?;
                let found = self.counters.scope(head(store.as_ref(), path, &self.access)).await;
                Ok(Some(found.map_err(|error| StoreError::of_store(&error))?.size))
            }
            Source::Host { files, path } => {
                let _permit = self.permit().await?;
                let (files, path, counters) = (files.clone(), path.clone(), self.counters.clone());
                blocking(move || files.size(&path, &counters).map(Some)).await
            }
        }
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.requests.acquire().await.map_err(|_| StoreError::Other("the session is closed".to_owned()))
    }

    pub(crate) fn error(&self, range: Option<Range<u64>>, fault: StoreError) -> Error {
        let location = self.location.clone();
        match fault {
            StoreError::Changed(_) => Error::Changed { location, what: fault.to_string() },
            fault => Error::Store { location, range, fault },
        }
    }
}

/// The bytes of a range, in the parts in which they arrive; one of the session's requests as long as it lives.
///
/// A connection that is lost is resumed at the byte that was reached, if the file still is of the version of the first part.
pub(crate) struct RangeStream<'a> {
    object: &'a Object,
    /// None for files that are read without a request.
    #[expect(dead_code, reason = "dropping it permits another request")]
    permit: Option<SemaphorePermit<'a>>,
    version: ObjectVersion,
    start: u64,
    /// Offset of the next byte.
    position: u64,
    end: u64,
    parts: BodyStream,
    /// Connections that were lost.
    lost: u32,
}

impl<'a> RangeStream<'a> {
    fn new(object: &'a Object, permit: Option<SemaphorePermit<'a>>, response: OpenResponse) -> Self {
        let OpenResponse { start, length, version, body } = response;
        Self { object, permit, version, start, position: start, end: start + length, parts: body, lost: 0 }
    }

    /// Version of the file.
    pub(crate) fn version(&self) -> &ObjectVersion {
        &self.version
    }

    /// Number of bytes, those included that have not arrived yet.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    /// The next part; None at the end of the range.
    ///
    /// # Errors
    ///
    /// If the connection is lost and cannot be resumed, or if the file has changed.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let fault = match self.parts.next().await {
                Some(Ok(part)) => {
                    self.position += part.len() as u64;
                    return Ok(Some(part));
                }
                None if self.position == self.end => return Ok(None),
                None => StoreError::Interrupted,
                Some(Err(fault)) => fault,
            };
            self.object.wait_to_resume(fault, self.lost).await?;
            self.lost += 1;
            let rest = self.object.open(&Span::Range(self.position..self.end)).await?;
            self.object.same_version(&self.version, &rest.version)?;
            if rest.start + rest.length != self.end {
                return Err(StoreError::BeyondEnd(rest.version.size));
            }
            self.parts = rest.body;
        }
    }

    /// All parts.
    ///
    /// # Errors
    ///
    /// See [`Self::next`].
    pub(crate) async fn collect(mut self) -> Result<RangeResponse, StoreError> {
        let mut incoming = Incoming::new(self.len());
        while let Some(part) = self.next().await? {
            incoming.push(part);
        }
        Ok(RangeResponse { body: incoming.finish(), start: self.start, version: self.version })
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may be signed, and the store may print its settings: the location is enough.
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Url { .. } => "Url",
            Self::Store { .. } => "Store",
            Self::Host { .. } => "Host",
        })
    }
}

/// Reads a part of a file through a file system of the host, whose only version is the size. Blocks.
fn of_host(files: &HostFiles, path: &str, span: &Span, counters: &Arc<Counters>) -> Result<OpenResponse, StoreError> {
    let range = match span {
        Span::Range(range) => range.clone(),
        Span::Tail(length) => {
            let size = files.size(path, counters)?;
            size.saturating_sub(*length)..size
        }
    };
    let (bytes, size) = files.read(path, &range, counters)?;
    let version = ObjectVersion { size: Some(size), ..ObjectVersion::default() };
    Ok(OpenResponse::of_bytes(range.start, bytes, version))
}

async fn of_store(
    store: &dyn ObjectStore,
    path: &object_store::path::Path,
    span: &Span,
    access: &Access,
) -> object_store::Result<OpenResponse> {
    let range = match span {
        Span::Range(range) => GetRange::Bounded(range.clone()),
        Span::Tail(length) => GetRange::Suffix(*length),
    };
    let mut options = options(access);
    options.range = Some(range);
    let got = match (store.get_opts(path, options).await, span) {
        // Azure has no suffix ranges: the size first, then the bytes.
        (Err(object_store::Error::NotSupported { .. }), Span::Tail(length)) => {
            let size = head(store, path, access).await?.size;
            let range = Some(GetRange::Bounded(size.saturating_sub(*length)..size));
            store.get_opts(path, GetOptions { range, ..self::options(access) }).await?
        }
        (got, _) => got?,
    };
    let (start, length) = (got.range.start, got.range.end - got.range.start);
    let version = got.meta.clone().into();
    let body = got.into_stream().map_err(|error| StoreError::of_store(&error)).boxed();
    Ok(OpenResponse { start, length, version, body })
}

async fn head(
    store: &dyn ObjectStore,
    path: &object_store::path::Path,
    access: &Access,
) -> object_store::Result<object_store::ObjectMeta> {
    let options = GetOptions { head: true, ..options(access) };
    Ok(store.get_opts(path, options).await?.meta)
}

/// Options of a request whose redirects are checked.
fn options(access: &Access) -> GetOptions {
    let mut options = GetOptions::default();
    options.extensions.insert(access.clone());
    options
}

/// Runs file I/O off the threads that wait on sockets.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Other("internal error: a reading thread panicked".to_owned())),
    }
}
