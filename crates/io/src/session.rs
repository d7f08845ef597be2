//! Sessions: the stores, caches and limits of a loaded extension, with the functions of all layers.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use rasteret_cog::write::CogOptions;

use crate::headers::Headers;
use crate::query::Reader;
use crate::store::Stores;
use crate::store::access::AccessPolicy;
use crate::store::credentials::{Credentials, Variables};
use crate::store::host_files::HostFiles;
use crate::types::location::StoreKey;
use crate::write::{CogDescription, CogWriter};
use crate::{IsInterrupted, Options, Result};

/// Shared state behind the SQL functions, with the locks of one query. Cheap to clone, and for any number of threads at once.
///
/// It derefs to the [`Reader`] of a query, that to [`Headers`](crate::Headers), and those to [`Stores`]. Functions of a
/// lower layer take only the type that they need, and accept a session.
#[derive(Debug, Clone)]
pub struct Session(Reader);

/// Bytes that a session holds, and fetches that it shares between callers, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of cached headers.
    pub header_cache_bytes: u64,
    /// Headers that are being read from stores.
    pub headers_in_flight: usize,
    /// Bytes of cached tiles.
    pub tile_cache_bytes: u64,
    /// Tiles that are being fetched or decoded.
    pub tiles_in_flight: usize,
    /// Bytes that those tiles take of the memory limit.
    pub tile_bytes_in_flight: usize,
}

impl Deref for Session {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.0
    }
}

impl Session {
    /// A session without credentials.
    pub fn new(options: Options) -> Self {
        Self::with_credentials(options, Credentials::default())
    }

    /// A session with the environment of the process, read now: limits from `RASTERET_*`, see [`Options`], and the
    /// clouds' credentials from their own variables. Fails on an invalid value of a `RASTERET_*` variable.
    pub fn from_env() -> Result<Self> {
        // A value that is not UTF-8 is invalid, and must not be treated as unset: it may be a lock.
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// A session with the environment variables returned by `variable`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Result<Self> {
        let options = Options::from_variables(&variable)?;
        Ok(Self::with_credentials(options, Credentials::from_variables(Variables::new(variable))))
    }

    fn with_credentials(options: Options, credentials: Credentials) -> Self {
        Self(Reader::new(Stores::new(options, credentials)))
    }

    /// The same session for one query, under the locks of its host. They hold for all clones.
    #[must_use]
    pub fn for_query(&self, policy: &AccessPolicy) -> Self {
        Self(self.with_stores(self.stores().for_query(policy)))
    }

    /// Returns the session with calls that end when the host interrupts the query. Without a callback, calls end when their work is
    /// done or their time-outs are over.
    #[must_use]
    pub fn interruptible(self, is_interrupted: Option<IsInterrupted>) -> Self {
        Self(self.with_stores(self.stores().clone().interruptible(is_interrupted)))
    }

    /// Computes the results of a call: work on this thread fails soon after the query is interrupted.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`Error::Interrupted`](crate::Error::Interrupted) in their place if the query is interrupted.
    pub fn interruptibly<T, E: From<crate::Error>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let outcome = self.query().interruptibly(work);
        match (outcome, self.query().check()) {
            (Err(_), Err(interrupted)) => Err(interrupted.into()),
            (outcome, _) => outcome,
        }
    }

    /// Begins to write a cloud-optimized GeoTIFF, see [`CogWriter`]. `temporary` is the folder for the temporary files of an object.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store) if a lock of the host forbids the file, or its folder cannot be written to;
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a location that is neither a local path nor an object.
    pub fn write_cog(
        &self,
        href: &str,
        options: CogOptions,
        description: CogDescription,
        temporary: Option<&Path>,
    ) -> Result<CogWriter> {
        CogWriter::new(Headers::clone(self), self.tiles().clone(), href, options, description, temporary)
    }

    /// Returns the session with files read through a file system of the host. Caches contain data read by other queries:
    /// create such a session with [`Self::with_options`], for one query.
    #[must_use]
    pub fn with_files(self, files: HostFiles) -> Self {
        Self(self.with_stores(self.stores().clone().with_files(files)))
    }

    /// Sets the memory limit of the host. Caches are reduced if their share of it is smaller than the limit of the options.
    pub fn set_memory_limit(&self, bytes: u64) {
        if self.memory().set_host(bytes) {
            let shares = self.memory().shares(self.options());
            self.set_bytes(shares.headers);
            self.coverages().set_bytes(shares.zones);
            self.tiles().tiles().set_bytes(shares.tiles, shares.in_flight);
        }
    }

    /// Sets how many threads the host itself would use; `RASTERET_THREADS` takes precedence.
    pub fn set_host_threads(&self, threads: usize) {
        self.tiles().workers().set_host_threads(threads);
    }

    /// A session with the same settings but no shared state, for a forked child process.
    #[must_use]
    pub fn anew(&self) -> Self {
        self.with_options(self.options().clone())
    }

    /// A session with these options and the same credentials, which shares nothing else with this one.
    #[must_use]
    pub fn with_options(&self, options: Options) -> Self {
        let session = Self::with_credentials(options, self.registry().credentials().clone());
        session.set_host_threads(self.tiles().workers().limit());
        session
    }

    /// Uses a store of the caller for `s3://bucket/`, instead of S3.
    pub fn serve_bucket(&self, bucket: &str, store: Arc<dyn ObjectStore>) {
        self.registry().insert(StoreKey::S3 { bucket: bucket.to_owned(), region: None }, store);
    }

    /// Current memory usage and shared fetches.
    pub fn usage(&self) -> Usage {
        let (header_cache_bytes, headers_in_flight) = self.cache_usage();
        let tiles = self.tiles().tiles();
        Usage {
            header_cache_bytes,
            headers_in_flight,
            tile_cache_bytes: tiles.cached_bytes(),
            tiles_in_flight: tiles.in_flight(),
            tile_bytes_in_flight: tiles.charged_bytes(),
        }
    }

    fn stores(&self) -> &Stores {
        self
    }
}
