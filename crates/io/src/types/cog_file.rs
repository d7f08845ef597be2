//! A header with the version of its file.

use std::sync::Arc;

use rasteret_cog::{CogHeader, FileInfo};

use super::version::ObjectVersion;

/// A file's header and which version of the file it was read from.
#[derive(Debug, Clone)]
pub struct CogFile {
    /// The parsed header, shared by all rows of the file.
    pub header: Arc<CogHeader>,
    /// The version, as far as the store reports it.
    pub version: ObjectVersion,
}

/// A description of a file for users.
#[derive(Debug, Clone)]
pub struct DescribedFile {
    /// The header and descriptive tags, shared by all rows with the file.
    pub info: Arc<FileInfo>,
    /// Size of the whole file in bytes, if the store reports it.
    pub file_size: Option<u64>,
}
