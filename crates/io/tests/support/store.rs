//! An object store that logs the ranges requested from another one.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
pub(crate) struct Counting<S> {
    inner: S,
    log: Mutex<Vec<String>>,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
    bytes_in_flight: AtomicU64,
    peak_bytes: AtomicU64,
    panic_at: Mutex<Option<String>>,
}

impl<S: ObjectStore> Counting<S> {
    pub(crate) fn new(inner: S) -> Arc<Self> {
        Arc::new(Self {
            inner,
            log: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            bytes_in_flight: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            panic_at: Mutex::default(),
        })
    }

    /// Requests such as `get path 0-32767` and `list path`, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Largest number of concurrent gets.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// Largest number of bytes in flight.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::SeqCst)
    }

    /// Makes gets of this path panic.
    pub(crate) fn panic_at(&self, path: &str) {
        *self.panic_at.lock().unwrap() = Some(path.to_owned());
    }

    fn note(&self, what: String) {
        self.log.lock().unwrap().push(what);
    }
}

impl<S> fmt::Display for Counting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait::async_trait]
impl<S: ObjectStore> ObjectStore for Counting<S> {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let range = match &options.range {
            Some(GetRange::Bounded(range)) => format!(" {}-{}", range.start, range.end - 1),
            Some(GetRange::Suffix(length)) => format!(" -{length}"),
            Some(GetRange::Offset(start)) => format!(" {start}-"),
            None => String::new(),
        };
        self.note(format!("{} {location}{range}", if options.head { "head" } else { "get" }));
        // Without holding the lock, which would be poisoned for requests of other files.
        let panic_at = self.panic_at.lock().unwrap().clone();
        assert_ne!(panic_at.as_deref(), Some(location.as_ref()), "as told");
        self.peak.fetch_max(self.in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let bytes = match &options.range {
            Some(GetRange::Bounded(range)) => range.end - range.start,
            _ => 0,
        };
        self.peak_bytes.fetch_max(self.bytes_in_flight.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
        let got = self.inner.get_opts(location, options).await;
        self.bytes_in_flight.fetch_sub(bytes, Ordering::SeqCst);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        got
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note(format!("list all {}", prefix.map(Path::to_string).unwrap_or_default()));
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.note(format!("list {}", prefix.map(Path::to_string).unwrap_or_default()));
        self.inner.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
