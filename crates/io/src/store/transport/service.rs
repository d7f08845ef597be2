//! The transport as the HTTP client of object_store's stores.

use async_trait::async_trait;
use futures::TryStreamExt;
use http_body::Frame;
use http_body_util::StreamBody;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::redirect::{self, Follow};
use super::response;
use super::{DOCUMENT_MAX, Excess, RangeResponse, Span, Transport, listing, refusal};
use crate::StoreError;
use crate::store::access::Access;
use crate::store::{pages, stats};

/// The header that names the project which pays for a request.
const USER_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

impl HttpConnector for Transport {
    fn connect(&self, _options: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            if Self::is_upload(&request) {
                return self.upload(request).await;
            }
            // A request for a token: not repeated, its body is consumed.
            stats::current().add_request();
            return self.token(request).await;
        }
        let (parts, _) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string())
            .map_err(|_| service_error(StoreError::Other("not a valid URL for a request".to_owned())))?;
        let ranged = parts.headers.contains_key(RANGE);
        let is_listing = parts.method == Method::GET && listing::is_listing(&url);
        let span = parts.headers.get(RANGE).and_then(Span::of_header);
        let follow = Follow::of_store(&url, &parts.headers, parts.extensions.get::<Access>());
        self.retrying(parts.extensions.get::<Access>(), || {
            let (span, url) = (&span, &url);
            let mut request = Request::new(parts.method.clone(), url.clone());
            *request.headers_mut() = parts.headers.clone();
            async move {
                let deadline = self.deadline();
                let client = self.client()?;
                let response = self.sent(redirect::send(&client, request, follow, None).await)?;
                let status = response.status();
                if !status.is_success() {
                    return Err(refusal(response).await);
                }
                if ranged && status == StatusCode::OK {
                    return Err(StoreError::RangeIgnored.into());
                }
                let headers = response.headers().clone();
                let partial = span.as_ref().filter(|_| status == StatusCode::PARTIAL_CONTENT);
                if let Some(span) = partial {
                    let (_, length) = RangeResponse::of_partial(&headers, span)?;
                    let parts = self.arriving(response, length, deadline).parts();
                    let body = StreamBody::new(parts.map_ok(Frame::data).map_err(service_error));
                    return Ok(rebuilt(status, headers, HttpResponseBody::new(body)));
                }
                let limit = response::content_length(&headers).unwrap_or(DOCUMENT_MAX).min(DOCUMENT_MAX);
                let mut body = self.body(response, limit, Excess::Refused).await?;
                if is_listing {
                    let names;
                    (body, names) = listing::readable(body);
                    pages::count(url, &names)?;
                }
                Ok(rebuilt(status, headers, body.into()))
            }
        })
        .await
        .map_err(service_error)
    }
}

/// The transport of a bucket of Google, whose requests a project may pay for.
///
/// `object_store` requests a token for unsigned uploads, too: an empty one is not sent.
#[derive(Debug, Clone)]
pub(crate) struct Billed {
    pub(crate) transport: Transport,
    /// None: the owner of the bucket pays.
    pub(crate) project: Option<HeaderValue>,
}

impl HttpConnector for Billed {
    fn connect(&self, _options: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Billed {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes().trim_ascii() == b"Bearer") {
            request.headers_mut().remove(AUTHORIZATION);
        }
        // Not the requests for tokens.
        if let Some(project) = &self.project
            && (matches!(*request.method(), Method::GET | Method::HEAD) || Transport::is_upload(&request))
        {
            request.headers_mut().insert(USER_PROJECT, project.clone());
        }
        self.transport.call(request).await
    }
}

pub(super) fn rebuilt(status: StatusCode, headers: HeaderMap, body: HttpResponseBody) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Kind Unknown is the one that object_store never repeats.
pub(super) fn service_error(fault: StoreError) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, fault)
}
