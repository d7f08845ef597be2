//! One file, wherever it is: ranges of its bytes, each request bounded by the session's semaphore.

use std::ops::Range;

use bytes::Bytes;

use crate::{Location, Result};

/// How close ranges must be to become one request, and how large a request may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoalesceConfig {
    /// Bytes between two ranges that are rather read and thrown away than asked for separately.
    pub max_gap: u64,
    /// Bytes of one request at most; a range that is larger itself is split into several requests.
    pub max_size: u64,
}

/// One file of a session, open for reading ranges. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Object {}

impl Object {
    /// Where the file is; displays redacted.
    pub fn location(&self) -> &Location {
        todo!()
    }

    /// Bytes of the whole file: one HEAD request, or none for a local file.
    pub async fn size(&self) -> Result<u64> {
        todo!()
    }

    /// The last `length` bytes (all, where the file is shorter) and the size of the whole file.
    pub async fn tail(&self, length: u64) -> Result<(Bytes, u64)> {
        let _ = length;
        todo!()
    }

    /// Exactly these bytes; an error where the file ends before.
    pub async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let _ = range;
        todo!()
    }

    /// Exactly these bytes each, in the order asked for, with ranges close together fetched as one.
    pub async fn ranges(&self, ranges: &[Range<u64>], coalesce: CoalesceConfig) -> Result<Vec<Bytes>> {
        let _ = (ranges, coalesce);
        todo!()
    }
}
