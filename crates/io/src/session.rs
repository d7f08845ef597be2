//! What all functions of one loaded extension share: stores, the header cache, limits.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rasteret_cog::CogHeader;

use crate::{Object, Result};

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

/// Limits and time-outs of a session.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests in flight at once, over all threads.
    pub max_concurrent: usize,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How often a request is repeated after HTTP 429, 5xx or a connection error.
    pub max_retries: u32,
    /// Bytes of headers kept; 0 keeps none.
    pub header_cache_bytes: u64,
}

/// Shared state behind the SQL functions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Session {}

impl Session {
    /// A session with the process's environment: limits from `RASTERET_*`, credentials from the clouds' own variables.
    pub fn from_env() -> Result<Self> {
        todo!()
    }

    /// The limits of this session.
    pub fn options(&self) -> &Options {
        todo!()
    }

    /// The header of one file, from the cache or by as few requests as it takes.
    pub async fn header(&self, href: &str) -> Result<CogFile> {
        let _ = href;
        todo!()
    }

    /// The headers of many files, fetched concurrently, each distinct href once; blocks the calling thread.
    /// Answers in the order of `hrefs`.
    pub fn headers(&self, hrefs: &[&str]) -> Vec<Result<CogFile>> {
        let _ = hrefs;
        todo!()
    }

    /// A file for reading ranges of; no request is made yet.
    pub async fn open(&self, href: &str) -> Result<Object> {
        let _ = href;
        todo!()
    }

    /// The hrefs that patterns stand for, each pattern's sorted: a path is itself, a glob is what it matches, locally or
    /// in an object store. An error when a glob matches nothing. Blocks the calling thread.
    pub fn files(&self, patterns: &[&str]) -> Result<Vec<String>> {
        let _ = patterns;
        todo!()
    }

    /// Runs a future on the extension's runtime; blocks the calling thread, which must not be one of the runtime's.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _ = future;
        todo!()
    }
}
