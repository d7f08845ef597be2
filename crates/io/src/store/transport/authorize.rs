//! The interface for adding credentials to the requests for a URL.

use std::fmt;

use async_trait::async_trait;
use reqwest::Request;
use reqwest::header::HeaderMap;
use tokio::sync::OwnedMutexGuard;
use url::Url;

use crate::StoreError;

/// Adds credentials to requests and to those that follow from their redirects. Credentials are selected for each request by its URL.
#[async_trait]
pub(crate) trait Authorize: fmt::Debug + Send + Sync {
    /// Waits while another request logs in at the URL's host. Held until the response has arrived.
    async fn enter(&self, url: &Url) -> Result<Option<OwnedMutexGuard<()>>, StoreError>;

    /// Adds the credentials for the server of the request's URL.
    async fn authorize(&self, request: &mut Request) -> Result<(), StoreError>;

    /// Looks at the headers of a response.
    fn observe(&self, url: &Url, headers: &HeaderMap);

    /// The credentials that a request is about to use.
    fn generation(&self) -> u64;

    /// Whether a request that was refused with credentials of `generation` is to be repeated with others.
    async fn renew(&self, generation: u64) -> bool;

    /// The credentials in words, for errors.
    fn described(&self) -> String;
}

/// The credentials of a request for a URL, if it has any but those in the URL.
pub(crate) type Login<'a> = Option<&'a dyn Authorize>;
