//! A file of pixels, and which version of it the index speaks of.

use std::sync::Arc;

use rasteret_cog::CogHeader;

use crate::{CogFile, Location};

/// A file that blocks are read of. Make one for each file of a call or of a query, and share it: it holds the open file, or
/// the store's client.
#[derive(Debug)]
pub struct RasterFile {
    location: Location,
    header: Arc<CogHeader>,
    file_size: Option<u64>,
    etag: Option<String>,
    last_modified: Option<i64>,
}

impl RasterFile {
    /// The file at a location, as an index describes it; makes no request and opens nothing.
    pub fn new(location: Location, file: &CogFile) -> Self {
        Self {
            location,
            header: file.header.clone(),
            file_size: file.file_size,
            etag: file.etag.clone(),
            last_modified: file.last_modified,
        }
    }

    /// Where the file is; displays redacted.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The header that it was made with.
    pub fn header(&self) -> &Arc<CogHeader> {
        &self.header
    }
}
