//! Uploads of objects in parts.
//!
//! The object appears, or is replaced, when the upload is completed. An upload that is dropped before is aborted: its parts are removed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::task::JoinSet;

use super::object::Source;
use super::stats::{self, Counters};
use super::stores::Stores;
use crate::runtime::runtime;
use crate::{Error, Location, Result, StoreError};

/// Parts of an upload in flight.
pub(crate) const PARTS_AT_ONCE: usize = 4;

/// Most parts of an object, on S3 and Google Cloud Storage.
const MAX_PARTS: u64 = 10_000;

/// Least size of a part: S3 accepts 5 MiB, of all parts but the last.
const LEAST_PART: u64 = 8 << 20;

/// How long an upload is aborted for, also after the query was interrupted.
const ABORT_TIME: Duration = Duration::from_secs(10);

/// An object that is being uploaded.
pub(crate) struct Upload {
    stores: Stores,
    location: Location,
    upload: Box<dyn MultipartUpload>,
    counters: Arc<Counters>,
    sending: JoinSet<Result<(), StoreError>>,
    is_complete: bool,
}

/// The size of the parts of an object of `length` bytes.
pub(crate) fn part_size(length: u64) -> u64 {
    length.div_ceil(MAX_PARTS).next_multiple_of(1 << 20).max(LEAST_PART)
}

impl Stores {
    /// Begins to upload an object, with the credentials that it is read with.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a lock of the host forbids the object or the store refuses it.
    pub(crate) fn upload(&self, location: &Location) -> Result<Upload> {
        self.access().check(location)?;
        let counters = stats::of(location);
        let at = |fault| Error::Store { location: location.clone(), range: None, fault };
        // Not interrupted: an upload that the store begins is to be aborted.
        let upload = runtime()?.block_on(counters.scope(async {
            let Source::Store { store, path, .. } = self.registry().source(location, self.access()).await? else {
                return Err(at(StoreError::Other("not an object store".to_owned())));
            };
            let _permit = self.permit().await.map_err(at)?;
            store.put_multipart(&path).await.map_err(|error| at(StoreError::of_store(&error)))
        }))?;
        let (stores, location) = (self.clone(), location.clone());
        Ok(Upload { stores, location, upload, counters, sending: JoinSet::new(), is_complete: false })
    }
}

impl Upload {
    /// Sends the next part, while others are in flight.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a part is refused, and [`Error::Interrupted`].
    pub(crate) fn put(&mut self, part: Bytes) -> Result<()> {
        while self.sending.len() >= PARTS_AT_ONCE {
            self.wait_for_part()?;
        }
        self.stores.check_interrupt()?;
        let part = self.upload.put_part(part.into());
        let (stores, counters) = (self.stores.clone(), Arc::clone(&self.counters));
        let send = async move {
            let _permit = stores.permit().await?;
            counters.scope(part).await.map_err(|error| StoreError::of_store(&error))
        };
        self.sending.spawn_on(send, runtime()?.handle());
        Ok(())
    }

    fn wait_for_part(&mut self) -> Result<()> {
        let failed = StoreError::Other("internal error: a sending thread panicked".to_owned());
        let sent = self.stores.block_on(self.sending.join_next())?;
        sent.unwrap_or(Ok(Ok(()))).unwrap_or(Err(failed)).map_err(|fault| self.error(fault))
    }

    /// Makes the parts the object.
    ///
    /// # Errors
    ///
    /// As of [`put`](Self::put).
    pub(crate) fn complete(mut self) -> Result<()> {
        while !self.sending.is_empty() {
            self.wait_for_part()?;
        }
        self.stores.check_interrupt()?;
        // Not interrupted: it would not be known whether the object is complete.
        let completed = runtime()?.block_on(self.counters.scope(self.upload.complete()));
        completed.map_err(|error| self.error(StoreError::of_store(&error)))?;
        self.is_complete = true;
        Ok(())
    }

    fn error(&self, fault: StoreError) -> Error {
        Error::Store { location: self.location.clone(), range: None, fault }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Ok(runtime) = runtime() else { return };
        if self.is_complete {
            return;
        }
        let abort = async {
            // A part that arrives after the abort would be stored.
            self.sending.shutdown().await;
            self.counters.scope(self.upload.abort()).await
        };
        // The error that is being reported counts, not that of the abort. A timeout is created within the runtime.
        let _ = runtime.block_on(async { tokio::time::timeout(ABORT_TIME, abort).await });
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("location", &self.location).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_not_small() {
        assert_eq!(part_size(1), 8 << 20);
        assert_eq!(part_size(80 << 30), 9 << 20);
        for length in [1_u64, 8 << 20, (8 << 20) * 10_000, (8 << 20) * 10_000 + 1, 5 << 40] {
            assert!(length.div_ceil(part_size(length)) <= 10_000, "{length}");
        }
    }
}
