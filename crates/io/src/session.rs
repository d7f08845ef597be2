//! What all functions of one loaded extension share: stores, the header cache, limits.

use std::sync::Arc;

use rasteret_cog::CogHeader;

use crate::Result;

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
}

/// Shared state behind the SQL functions.
#[derive(Debug)]
pub struct Session {}

impl Session {
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
}
