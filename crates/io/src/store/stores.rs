//! The stores of a session, as one query may use them.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::access::{Access, AccessPolicy};
use super::credentials::Credentials;
use super::host_files::HostFiles;
use super::object::{Object, Source};
use super::registry::Registry;
use super::stats;
use super::transport::{DocumentRequest, Transport};
use crate::runtime::descriptors;
use crate::runtime::interrupt::{IsInterrupted, Query};
use crate::runtime::memory::Memory;
use crate::runtime::runtime;
use crate::{Error, Location, Options, Result, StoreError};

/// Clients, request permits and limits of a session, with the locks of one query. Cheap to clone; clones share all of it.
#[derive(Debug, Clone)]
pub struct Stores {
    shared: Arc<Shared>,
    access: Access,
    query: Query,
    /// None if files are read by the clients here.
    files: Option<HostFiles>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    registry: Registry,
    /// One permit per request in flight.
    requests: Arc<Semaphore>,
    memory: Memory,
}

impl Stores {
    pub(crate) fn new(options: Options, credentials: Credentials) -> Self {
        let access = Access::new(options.allowed_prefixes.as_deref());
        let shared = Shared {
            registry: Registry::new(Transport::new(&options), credentials, options.credentials.clone()),
            requests: Arc::new(Semaphore::new(options.max_concurrent.min(descriptors::max_connections()))),
            memory: Memory::new(&options),
            options,
        };
        Self { shared: Arc::new(shared), access, query: Query::default(), files: None }
    }

    /// The same stores for another query, under the locks of its host.
    pub(crate) fn for_query(&self, policy: &AccessPolicy) -> Self {
        let (shared, access) = (Arc::clone(&self.shared), self.access.with_policy(policy));
        Self { shared, access, query: Query::default(), files: self.files.clone() }
    }

    pub(crate) fn interruptible(self, is_interrupted: Option<IsInterrupted>) -> Self {
        Self { query: self.query.interruptible(is_interrupted), ..self }
    }

    /// Returns the stores with files read through a file system of the host.
    pub(crate) fn with_files(self, files: HostFiles) -> Self {
        Self { files: Some(files), ..self }
    }

    /// Whether files are read by the clients here, and not through a file system of the host.
    pub(crate) fn is_native(&self) -> bool {
        self.files.is_none()
    }

    /// The file system of the host that files are read through.
    pub(crate) fn host_files(&self) -> Option<&HostFiles> {
        self.files.as_ref()
    }

    /// The location of an href. With a file system of the host, the scheme may be one that only the host supports.
    ///
    /// # Errors
    ///
    /// See [`Location::parse`].
    pub fn locate(&self, href: &str) -> Result<Location> {
        if self.is_native() { Location::parse(href) } else { Location::parse_any(href) }
    }

    /// Sets whether the query may show its progress, also if it is executed again.
    pub fn show_progress(&self, shows_progress: bool) {
        self.query.show_progress(shows_progress);
    }

    /// Whether the query may show its progress.
    pub fn shows_progress(&self) -> bool {
        self.query.shows_progress()
    }

    /// Replaces the locks of a query that is executed again.
    pub fn set_policy(&self, policy: &AccessPolicy) {
        self.access.set_policy(policy);
    }

    /// The limits of the session.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Returns an error for more memory than the host, or `RASTERET_MEMORY_LIMIT_BYTES`, allows for one call.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub fn check_memory(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        self.shared.memory.check(bytes, what)
    }

    /// # Errors
    ///
    /// [`Error::Interrupted`](crate::Error::Interrupted) once the query was interrupted.
    pub fn check_interrupt(&self) -> Result<()> {
        self.query.check()
    }

    /// Opens a file for reading ranges. Makes no request, except the one that finds the region of a public S3 bucket when the bucket
    /// is first used.
    pub async fn open(&self, href: &str) -> Result<Object> {
        self.open_at(&self.locate(href)?).await
    }

    /// Like [`open`](Self::open), by location.
    pub async fn open_at(&self, location: &Location) -> Result<Object> {
        self.access.check(location)?;
        let source = match &self.files {
            Some(files) => {
                let path = location.host_path().map_err(|fault| Error::Store {
                    location: location.clone(),
                    range: None,
                    fault,
                })?;
                Source::Host { files: files.clone(), path: path.into_owned() }
            }
            None => self.shared.registry.source(location, &self.access).await?,
        };
        let (requests, access) = (self.shared.requests.clone(), self.access.clone());
        Ok(Object::new(location.clone(), source, requests, access, self.options().check_version))
    }

    /// Runs a future on the extension's runtime; blocks the calling thread, which must not be one of the runtime's.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] once the query was interrupted: the future is dropped then.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        let runtime = runtime()?;
        if !self.query.reports_interrupts() {
            return Ok(runtime.block_on(future));
        }
        runtime.block_on(async {
            tokio::select! {
                biased;
                output = future => Ok(output),
                () = self.query.interrupted() => Err(Error::Interrupted),
            }
        })
    }

    /// The body of the response to a request for a document.
    pub(crate) async fn document(&self, location: &Location, document: &DocumentRequest) -> Result<Bytes> {
        let body = async {
            self.access.permit(location)?;
            let _permit = self.permit().await?;
            let login = self.shared.registry.login_of(&document.url, &self.access)?;
            let (max, transport) = (self.memory().of_document(), self.shared.registry.transport());
            stats::of(location).scope(transport.document(document, max, &self.access, login.as_deref())).await
        };
        body.await.map_err(|fault| Error::Store { location: location.clone(), range: None, fault })
    }

    /// Waits until the session may make another request.
    pub(crate) async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let closed = |_| StoreError::Other("the session is closed".to_owned());
        self.shared.requests.acquire().await.map_err(closed)
    }

    /// The locations that the query may open.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether the query was interrupted.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }
}
