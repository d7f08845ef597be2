//! Versions of local files.

use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::StoreError;

/// Identifies the version of a local file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    /// Nanoseconds since 1970-01-01 UTC; 0 if the file system has no times.
    modified: i128,
}

impl Stamp {
    /// The stamp of the file at a path, without opening it.
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        Self::of_metadata(&std::fs::metadata(path).map_err(|error| StoreError::of_file(&error))?)
    }

    pub(crate) fn of_metadata(metadata: &Metadata) -> Result<Self, StoreError> {
        if metadata.is_dir() {
            return Err(StoreError::IsDirectory);
        }
        if !metadata.is_file() {
            return Err(StoreError::Other("expected a regular file, found a pipe, a socket or a device".to_owned()));
        }
        let modified = metadata.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |nanos| -nanos),
        });
        Ok(Self { size: metadata.len(), modified })
    }

    /// Microseconds since 1970-01-01 UTC.
    pub(crate) fn last_modified(&self) -> Option<i64> {
        i64::try_from(self.modified.div_euclid(1000)).ok().filter(|_| self.modified != 0)
    }
}
