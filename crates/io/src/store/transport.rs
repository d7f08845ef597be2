//! The HTTP client of all stores: connections, timeouts, retries, and the interpretation of statuses.
//!
//! Contains the connection pool (keep-alive, per host), the retry policy and the parsing of responses. The bytes of a file
//! are streams, which the caller resumes after a lost connection (see `RangeStream`); documents and listings are read
//! completely, and requested again if their connection is lost. Both must arrive within the timeout of their request.
//!
//! # Why not the retries of object_store
//!
//! They repeat a request that timed out, and the error that they end in shows the URL and hides the status. Its clients
//! run over this transport instead, with their own retries switched off.
//!
//! # Why HTTP/1.1 only
//!
//! S3 and Azure support nothing else. Over HTTP/2, hundreds of responses of 32 KiB share the flow-control window of one
//! connection; object_store's authors measured the same for GCS.

mod authorize;
mod body;
mod dns;
pub(crate) mod fuzzing;
mod listing;
mod redirect;
mod response;
mod service;
mod tls;
mod token;
mod upload;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, RANGE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use tower::util::MapResponseLayer;
use url::Url;

pub(crate) use authorize::{Authorize, Login};
pub(crate) use body::{Body, BodyStream, DOCUMENT_MAX, Incoming};
pub(crate) use response::{OpenResponse, RangeResponse, Span};
pub(crate) use service::Billed;

use self::body::{Arriving, too_much};
use self::redirect::{Failure, Follow};
use crate::runtime::descriptors;
use crate::store::access::Access;
use crate::store::stats::{self, Counters};
use crate::{ObjectVersion, Options, StoreError};

/// First wait before a retry, doubled each time. A shorter one would add to the load that a 429 reports.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);

/// Longest wait before a retry, even if the server's Retry-After is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Bytes at the start of a file that are read and discarded if a server ignores the requested range. A larger limit
/// would download whole files by accident.
const IGNORED_RANGE_MAX: u64 = 1 << 20;

/// The content type of POST requests.
const JSON: &str = "application/json";

/// A request for a document.
#[derive(Clone)]
pub(crate) struct DocumentRequest {
    pub(crate) url: Url,
    /// JSON to POST; None for a GET.
    pub(crate) body: Option<Bytes>,
    pub(crate) headers: HeaderMap,
}

/// Shared by all stores of a session.
#[derive(Debug, Clone)]
pub(crate) struct Transport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Created with the first request, and again if idle connections are to be closed.
    client: Mutex<Option<Client>>,
    /// Shared by all clients.
    tls: OnceLock<Result<rustls::ClientConfig, StoreError>>,
    resolver: Arc<dns::CachingResolver>,
    /// Maximum number of idle connections per host.
    max_idle: usize,
    /// Connections that a client opens before it is replaced.
    max_opened: usize,
    timeout: Duration,
    connect_timeout: Duration,
    max_retries: u32,
    retry_time: Duration,
}

/// A client and its pool. reqwest closes idle connections of one host at a time, and all of them with the client.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    /// Connections that it has opened.
    opened: Arc<AtomicUsize>,
}

impl Transport {
    pub(crate) fn new(options: &Options) -> Self {
        Self(Arc::new(Inner {
            client: Mutex::default(),
            tls: OnceLock::new(),
            resolver: Arc::default(),
            max_idle: options.max_concurrent.min(descriptors::max_connections()),
            max_opened: descriptors::max_opened(),
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
            max_retries: options.max_retries,
            retry_time: options.retry_time,
        }))
    }

    /// A part of the file at a URL, in one request unless it has to be repeated. The body is still arriving; it ends with
    /// an error if the connection is lost.
    pub(crate) async fn open(
        &self,
        url: &Url,
        span: &Span,
        access: &Access,
        login: Login<'_>,
    ) -> Result<OpenResponse, StoreError> {
        let range = span.header()?;
        self.with_login(url, access, login, || async {
            let deadline = self.deadline();
            let client = &self.client()?;
            // The builder turns `user:password@` of the URL into an Authorization header.
            let request = client.get(url.clone()).header(RANGE, range.clone());
            let response = self.send(client, request, access, login).await?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {
                    let (RangeResponse { start, version, .. }, length) =
                        RangeResponse::of_partial(response.headers(), span)?;
                    let body = self.arriving(response, length, deadline).parts().boxed();
                    Ok(OpenResponse { start, length: length as u64, version, body })
                }
                StatusCode::OK => Ok(self.whole(response, span).await?),
                _ => Err(refusal(response).await),
            }
        })
        .await
    }

    /// The version of the file at a URL now; None if it is still the one with `etag`. One request, with a byte of the file
    /// at most: a URL that is signed for GET is forbidden for HEAD.
    pub(crate) async fn version(
        &self,
        url: &Url,
        etag: Option<&str>,
        access: &Access,
        login: Login<'_>,
    ) -> Result<Option<ObjectVersion>, StoreError> {
        let first = Span::Range(0..1);
        let range = first.header()?;
        let tag = etag.and_then(|etag| HeaderValue::try_from(etag).ok());
        self.with_login(url, access, login, || async {
            let client = &self.client()?;
            let mut request = client.get(url.clone()).header(RANGE, range.clone());
            if let Some(tag) = &tag {
                request = request.header(IF_NONE_MATCH, tag.clone());
            }
            let response = self.send(client, request, access, login).await?;
            match response.status() {
                StatusCode::NOT_MODIFIED => Ok(None),
                StatusCode::PARTIAL_CONTENT => {
                    let (answer, length) = RangeResponse::of_partial(response.headers(), &first)?;
                    // Read, so that the connection can be used again.
                    self.body(response, length, Excess::Refused).await?;
                    Ok(Some(answer.version))
                }
                // The body is not read: the connection is dropped instead of the whole file fetched.
                StatusCode::OK => Ok(Some(RangeResponse::of_whole(response.headers()).version)),
                // There is no first byte.
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    let size = response::size_of_unsatisfied(response.headers()).or(Some(0));
                    Ok(Some(ObjectVersion { size, ..RangeResponse::of_whole(response.headers()).version }))
                }
                _ => Err(refusal(response).await),
            }
        })
        .await
    }

    /// The body of a JSON document. A POST is repeated as well, because searches change nothing.
    pub(crate) async fn document(
        &self,
        document: &DocumentRequest,
        max: u64,
        access: &Access,
        login: Login<'_>,
    ) -> Result<Bytes, StoreError> {
        self.with_login(&document.url, access, login, || async {
            let client = &self.client()?;
            let request = match &document.body {
                None => client.get(document.url.clone()),
                Some(body) => client.post(document.url.clone()).header(CONTENT_TYPE, JSON).body(body.clone()),
            };
            let request = request
                .headers(document.headers.clone())
                .header(ACCEPT, "application/geo+json, application/json;q=0.9, */*;q=0.1");
            let response = self.send(client, request, access, login).await?;
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            let max = usize::try_from(max).map_or(DOCUMENT_MAX, |max| max.min(DOCUMENT_MAX));
            let limit = response::content_length(response.headers()).unwrap_or(max);
            if limit > max {
                return Err(
                    StoreError::Other(format!("expected a response of at most {max} bytes, found {limit}")).into()
                );
            }
            Ok(self.body(response, limit, Excess::Refused).await?)
        })
        .await
    }

    /// The region of an S3 bucket, which S3 returns even without permission to read the bucket.
    pub(crate) async fn bucket_region(&self, bucket: &str) -> Result<Option<String>, StoreError> {
        // The certificate of *.s3.amazonaws.com covers one label: names of buckets with dots are moved to the path.
        let url = match bucket.contains('.') {
            true => format!("https://s3.amazonaws.com/{bucket}"),
            false => format!("https://{bucket}.s3.amazonaws.com"),
        };
        let url = Url::parse(&url).map_err(|_| StoreError::Other("not a valid name of a bucket".to_owned()))?;
        let counters = stats::of_url(&url);
        let answer = self.retrying(None, || async {
            let client = self.client()?;
            stats::current().add_request();
            let response = client.head(url.clone()).send().await.map_err(|error| self.fault(&error))?;
            let region = response.headers().get("x-amz-bucket-region").and_then(|value| value.to_str().ok());
            match region {
                Some(region) => Ok(Some(region.to_owned())),
                None if response.status() == StatusCode::NOT_FOUND => Err(refusal(response).await),
                None => Ok(None),
            }
        });
        counters.scope(answer).await
    }

    /// The server ignored the range and sends the whole file: read up to the end of the requested range, then drop the
    /// connection.
    async fn whole(&self, response: Response, span: &Span) -> Result<OpenResponse, StoreError> {
        let mut version = RangeResponse::of_whole(response.headers()).version;
        let Span::Range(range) = span else {
            return Err(StoreError::RangeIgnored);
        };
        // Bytes in the middle of a login page could pass for pixels; those at the start of a file identify its format.
        if range.end > IGNORED_RANGE_MAX || (range.start > 0 && response::is_html(response.headers())) {
            return Err(StoreError::RangeIgnored);
        }
        let end = version.size.map_or(range.end, |size| size.min(range.end));
        if end <= range.start {
            return Err(StoreError::BeyondEnd(version.size));
        }
        let end = usize::try_from(end).map_err(|_| StoreError::RangeIgnored)?;
        let start = usize::try_from(range.start).map_err(|_| StoreError::RangeIgnored)?;
        let mut body = self.body(response, end, Excess::Cut).await?;
        let length = body.len();
        if length <= start {
            return Err(StoreError::BeyondEnd(Some(length as u64)));
        }
        // Without a Content-Length the end of a short body is the only word about the size.
        if length < end {
            version.size = Some(length as u64);
        }
        Ok(OpenResponse::of_bytes(range.start, body.split_off(start), version))
    }

    /// The body, of which about `limit` bytes are read at most.
    async fn body(&self, mut response: Response, limit: usize, excess: Excess) -> Result<Bytes, StoreError> {
        let (mut incoming, counters) = (Incoming::new(limit), stats::current());
        while incoming.len() < limit
            && let Some(part) = response.chunk().await.map_err(|error| self.fault(&error))?
        {
            counters.add_bytes(part.len());
            incoming.push(part);
        }
        let mut body = incoming.finish().into_bytes();
        match excess {
            Excess::Cut => body.truncate(limit),
            Excess::Refused if body.len() > limit => return Err(too_much()),
            Excess::Refused => {}
        }
        Ok(body)
    }

    /// The body of a response, of `length` bytes.
    fn arriving(&self, response: Response, length: usize, deadline: tokio::time::Instant) -> Arriving {
        let counters = stats::current();
        let in_flight = counters.begin();
        let timeouts = (self.0.timeout, self.0.connect_timeout);
        Arriving { response, left: length, timeouts, deadline, counters, in_flight }
    }

    /// The end of an attempt that begins now.
    fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.0.timeout
    }

    /// Waits before the rest of an interrupted body is requested. The fault, if it may not be requested again.
    pub(crate) async fn wait_to_resume(
        &self,
        fault: StoreError,
        tries: u32,
        access: &Access,
    ) -> Result<(), StoreError> {
        let counters = stats::current();
        let waited = self.wait_to_repeat(fault.into(), tries, Some(access), &counters).await;
        waited.inspect_err(|_| counters.add_error())
    }

    /// The same as [`Self::retrying`]; a request rejected with credentials that can be renewed is repeated once more.
    async fn with_login<T, F>(
        &self,
        url: &Url,
        access: &Access,
        login: Login<'_>,
        attempt: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let Some(login) = login else {
            let answer = self.retrying(Some(access), attempt).await;
            return answer.map_err(|fault| fault.explained(|| own_credentials(url).to_owned()));
        };
        let generation = login.generation();
        let mut answer = self.retrying(Some(access), &attempt).await;
        if answer.as_ref().is_err_and(StoreError::is_refusal) && login.renew(generation).await {
            answer = self.retrying(Some(access), &attempt).await;
        }
        answer.map_err(|fault| fault.explained(|| login.described()))
    }

    /// Retries requests after temporary failures, with increasing waits, and counts the retries.
    async fn retrying<T, F>(&self, access: Option<&Access>, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let counters = stats::current();
        let answer = self.repeated(access, attempt, &counters).await;
        // The end of a file is a valid response.
        if answer.as_ref().is_err_and(|fault| !matches!(fault, StoreError::BeyondEnd(_))) {
            counters.add_error();
        }
        answer
    }

    /// One attempt lasts no longer than the time-out, and all repetitions of a query's requests no longer than [`Options::retry_time`].
    async fn repeated<T, F>(
        &self,
        access: Option<&Access>,
        attempt: impl Fn() -> F,
        counters: &Arc<Counters>,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let (mut tries, mut without_descriptors) = (0, None);
        loop {
            let in_flight = counters.begin();
            let answer = tokio::time::timeout(self.0.timeout, attempt()).await;
            drop(in_flight);
            let refusal = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(refusal)) => refusal,
                Err(_) => return Err(StoreError::Timeout(self.0.timeout)),
            };
            if refusal.fault == StoreError::NoDescriptors {
                // Not an error of a server: descriptors become available when requests in flight end.
                let since: Instant = *without_descriptors.get_or_insert_with(Instant::now);
                if since.elapsed() < self.0.timeout {
                    self.close_idle();
                    tokio::time::sleep(backoff(0) / 4).await;
                    continue;
                }
            }
            self.wait_to_repeat(refusal, tries, access, counters).await?;
            tries += 1;
        }
    }

    /// Waits before a request is retried, and counts the retry. Returns the fault if retries are exhausted.
    async fn wait_to_repeat(
        &self,
        refusal: Refusal,
        tries: u32,
        access: Option<&Access>,
        counters: &Counters,
    ) -> Result<(), StoreError> {
        if tries >= self.0.max_retries || !refusal.fault.is_transient() {
            return Err(refusal.fault);
        }
        let retry_after = refusal.retry_after.unwrap_or_default();
        let wait = retry_after.max(backoff(tries)).min(BACKOFF_MAX);
        // A server that asks clients to wait longer would reject the next request.
        if retry_after > self.0.retry_time {
            return Err(refusal.fault);
        }
        if access.is_some_and(|access| !access.may_repeat(wait, self.0.retry_time)) {
            return Err(refusal.fault);
        }
        tokio::time::sleep(wait).await;
        counters.add_retry();
        Ok(())
    }

    /// Sends a request of a query, which follows redirects that the query may open.
    async fn send(
        &self,
        client: &reqwest::Client,
        request: RequestBuilder,
        access: &Access,
        login: Login<'_>,
    ) -> Result<Response, StoreError> {
        let request = request.build().map_err(|error| self.fault(&error))?;
        self.sent(redirect::send(client, request, Follow::Allowed(access), login).await)
    }

    fn sent(&self, response: Result<Response, Failure>) -> Result<Response, StoreError> {
        response.map_err(|failure| match failure {
            Failure::Client(error) => self.fault(&error),
            Failure::StoreError(fault) => fault,
        })
    }

    /// Returns the client. It is replaced when it has opened so many connections that some of them must be idle.
    fn client(&self) -> Result<reqwest::Client, StoreError> {
        let mut current = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Client { client, opened }) = &*current
            && opened.load(Ordering::Relaxed) < self.0.max_opened
        {
            return Ok(client.clone());
        }
        let made = self.new_client()?;
        Ok(current.insert(made).client.clone())
    }

    /// Closes idle connections. Those in use are closed when their requests end.
    fn close_idle(&self) {
        let mut current = self.0.client.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|client| client.opened.load(Ordering::Relaxed) > 0);
    }

    fn new_client(&self) -> Result<Client, StoreError> {
        let tls = self
            .0
            .tls
            .get_or_init(|| tls::config().map_err(|_| StoreError::Other("could not negotiate TLS".to_owned())));
        let opened = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&opened);
        let builder = reqwest::Client::builder();
        let builder = if ignores_proxies() { builder.no_proxy() } else { builder };
        let client = builder
            .tls_backend_preconfigured(tls.clone()?)
            .user_agent(concat!("rasteret/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .pool_max_idle_per_host(self.0.max_idle)
            .connect_timeout(self.0.connect_timeout)
            // Redirects are followed here, each checked; see there.
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::clone(&self.0.resolver))
            .connector_layer(MapResponseLayer::new(move |connection| {
                counter.fetch_add(1, Ordering::Relaxed);
                connection
            }))
            .build()
            .map_err(|_| StoreError::Other("no HTTP client could be made".to_owned()))?;
        Ok(Client { client, opened })
    }

    fn fault(&self, error: &reqwest::Error) -> StoreError {
        StoreError::of_client(error, self.0.timeout, self.0.connect_timeout)
    }
}

/// `NO_PROXY=*`, which reqwest applies to host names but not to addresses.
fn ignores_proxies() -> bool {
    let excluded = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    excluded.split(',').any(|entry| entry.trim() == "*")
}

/// Whether bytes beyond the requested ones are cut off or an error.
#[derive(Clone, Copy)]
enum Excess {
    Cut,
    Refused,
}

/// A failed attempt, and the wait that the server requires.
struct Refusal {
    fault: StoreError,
    retry_after: Option<Duration>,
}

impl From<StoreError> for Refusal {
    fn from(fault: StoreError) -> Self {
        Self { fault, retry_after: None }
    }
}

/// The credentials of a request that no rule covers: only its URL can have them.
fn own_credentials(url: &Url) -> &'static str {
    if !url.username().is_empty() || url.password().is_some() {
        "the request was made with the login of the location"
    } else if url.query().is_some() {
        "the request was made with the query of the location, and no other credentials"
    } else {
        "the request was made without credentials"
    }
}

/// The error for a status that is not a success. The store's own code is read from a header or from a small XML body.
async fn refusal(mut response: Response) -> Refusal {
    let status = response.status().as_u16();
    if status == StatusCode::RANGE_NOT_SATISFIABLE.as_u16() {
        return StoreError::BeyondEnd(response::size_of_unsatisfied(response.headers())).into();
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut code = response::error_code_of_headers(response.headers());
    let mut region = response::region_of_headers(response.headers());
    // The code is within the first hundred bytes of error documents of S3, GCS and Azure.
    if (code.is_none() || region.is_none())
        && response::is_xml(response.headers())
        && let Ok(Some(chunk)) = response.chunk().await
    {
        code = code.or_else(|| response::error_code_of_xml(&chunk));
        region = region.or_else(|| response::region_of_xml(&chunk));
    }
    let fault = match region.filter(|_| matches!(status, 301 | 307 | 400)) {
        Some(region) => StoreError::OtherRegion { status, code, region },
        None => StoreError::Http { status, code },
    };
    Refusal { fault, retry_after: retry_after.map(Duration::from_secs) }
}

/// 200 ms, 400 ms ... each shortened by up to a half at random, so that hundreds of requests refused together do not
/// return together.
fn backoff(tries: u32) -> Duration {
    let longest = BACKOFF_FIRST.saturating_mul(1 << tries.min(10)).min(BACKOFF_MAX);
    // A fresh RandomState hashes differently each time: randomness enough, without a dependency.
    let share = (RandomState::new().hash_one(tries) % 1024) as f64 / 1024.0;
    longest.mul_f64(0.5 + share / 2.0)
}
