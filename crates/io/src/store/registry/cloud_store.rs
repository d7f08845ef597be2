//! A client of one bucket or container that is replaced if a server rejects its credentials or reports another region.
//!
//! A rejected request is repeated once. Its error describes how the request was signed, and the host that it was sent to.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::builder::{Built, StoreBuilder};
use crate::StoreError;
use crate::store::credentials::Renewal;
use crate::types::credentials::rule::Rule;
use crate::types::location::StoreKey;

/// Shared by all files of a bucket or container under one rule.
pub(super) struct CloudStore(Arc<Inner>);

struct Inner {
    builder: Arc<StoreBuilder>,
    key: StoreKey,
    rule: Option<Arc<Rule>>,
    current: RwLock<Arc<Built>>,
    renewal: Renewal,
}

impl CloudStore {
    /// A client under a rule, or under the environment.
    pub(super) async fn new(
        builder: Arc<StoreBuilder>,
        key: StoreKey,
        rule: Option<Arc<Rule>>,
    ) -> Result<Self, StoreError> {
        let built = builder.build(&key, rule.as_deref(), None).await?;
        let current = RwLock::new(Arc::new(built));
        Ok(Self(Arc::new(Inner { builder, key, rule, current, renewal: Renewal::default() })))
    }
}

impl Inner {
    fn current(&self) -> Arc<Built> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Creates a new client. Returns whether it differs from the previous one.
    async fn rebuild(&self, region: Option<String>) -> bool {
        match self.builder.build(&self.key, self.rule.as_deref(), region).await {
            Ok(built) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(built);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether a request that failed with the client of `generation` is to be repeated.
    async fn repeats(&self, fault: &StoreError, generation: u64, used: &Built) -> bool {
        match fault {
            StoreError::OtherRegion { region, .. } if used.region.as_ref() != Some(region) => {
                self.renewal.renew(generation, || self.rebuild(Some(region.clone()))).await
            }
            fault if fault.is_refusal() && used.is_renewable => {
                self.renewal.renew(generation, || self.rebuild(used.region.clone())).await
            }
            _ => false,
        }
    }

    async fn with_client<T, F>(&self, attempt: impl Fn(Arc<dyn ObjectStore>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let (generation, used) = (self.renewal.generation(), self.current());
        let error = match attempt(Arc::clone(&used.store)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let fault = StoreError::of_store(&error);
        if !self.repeats(&fault, generation, &used).await {
            return Err(explained(error, fault, &used));
        }
        let used = self.current();
        attempt(Arc::clone(&used.store)).await.map_err(|error| {
            let fault = StoreError::of_store(&error);
            explained(error, fault, &used)
        })
    }
}

/// Adds the description of the request to an error, if it was rejected.
fn explained(error: Error, fault: StoreError, used: &Built) -> Error {
    match fault.is_refusal() {
        true => Error::Generic { store: "store", source: Box::new(fault.explained(|| used.how.clone())) },
        false => error,
    }
}

#[async_trait]
impl ObjectStore for CloudStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0
            .with_client(|store| {
                let options = options.clone();
                async move { store.get_opts(location, options).await }
            })
            .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.with_client(|store| async move { store.get_ranges(location, ranges).await }).await
    }

    /// Repeated if its first page is rejected.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix) = (Arc::clone(&self.0), prefix.cloned());
        let begun = async move {
            let begin = |store: Arc<dyn ObjectStore>| {
                // An empty listing ends here, and is polled again by the chain.
                let mut listed = store.list(prefix.as_ref()).fuse();
                async move {
                    let first = listed.next().await.transpose()?;
                    Ok(stream::iter(first.map(Ok)).chain(listed))
                }
            };
            inner.with_client(begin).await
        };
        stream::once(begun).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.with_client(|store| async move { store.list_with_delimiter(prefix).await }).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(in_parts_only())
    }

    /// Only the request that begins the upload is repeated with other credentials.
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.0.with_client(|store| {
            let options = options.clone();
            async move { store.put_multipart_opts(location, options).await }
        });
        let upload = upload.await?;
        Ok(Box::new(ExplainedUpload { upload, used: self.0.current() }))
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(in_parts_only()) }).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(in_parts_only())
    }
}

/// An upload whose errors describe how its requests were made.
#[derive(Debug)]
struct ExplainedUpload {
    upload: Box<dyn MultipartUpload>,
    used: Arc<Built>,
}

impl ExplainedUpload {
    fn error(error: Error, used: &Built) -> Error {
        let fault = StoreError::of_store(&error);
        explained(error, fault, used)
    }
}

#[async_trait]
impl MultipartUpload for ExplainedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, used) = (self.upload.put_part(data), Arc::clone(&self.used));
        Box::pin(async move { part.await.map_err(|error| Self::error(error, &used)) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.upload.complete().await.map_err(|error| Self::error(error, &self.used))
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

fn in_parts_only() -> Error {
    Error::NotSupported { source: "objects are written in parts only".into() }
}

impl fmt::Display for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.key)
    }
}

impl fmt::Debug for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Clients print their settings.
        write!(f, "CloudStore({})", self.0.key)
    }
}
