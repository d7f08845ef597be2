//! Requests of tokens.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService};
use url::Url;

use super::redirect::{self, Follow};
use super::service::{rebuilt, service_error};
use super::{DOCUMENT_MAX, Excess, Transport, refusal, response};
use crate::StoreError;

/// Bytes of a response with a token; tokens have some kilobytes.
const RESPONSE_MAX: usize = 1 << 20;

impl Transport {
    /// The response of an endpoint that issues credentials. Redirects are followed to the same server only.
    pub(crate) async fn token_document(&self, url: &Url, max: u64) -> Result<Bytes, StoreError> {
        self.retrying(None, || async {
            let client = &self.client()?;
            let request = client.get(url.clone()).build().map_err(|error| self.fault(&error))?;
            let response = self.sent(redirect::send(client, request, Follow::SameOrigin(None), None).await)?;
            match response.status().is_success() {
                true => {
                    let max = usize::try_from(max).unwrap_or(DOCUMENT_MAX);
                    Ok(self.body(response, max, Excess::Refused).await?)
                }
                false => Err(refusal(response).await),
            }
        })
        .await
    }

    /// The response to a request for a token. Error codes are those of the endpoint.
    pub(super) async fn token(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // The client panics on other URLs.
        let url = Url::parse(&request.uri().to_string()).ok();
        let is_url = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let Some(host) = url.filter(is_url).and_then(|url| url.host_str().map(str::to_owned)) else {
            return Err(service_error(StoreError::Other("not a valid URL for a request".to_owned())));
        };
        let sent = async {
            let response = self.client()?.call(request).await.map_err(|error| token_fault(&error))?;
            let (parts, body) = response.into_parts();
            let body = read(body).await;
            if parts.status.is_success() {
                return Ok(rebuilt(parts.status, parts.headers, body?.into()));
            }
            let code = response::error_code_of_token(&body.unwrap_or_default());
            Err(StoreError::Token { host: host.clone(), status: parts.status.as_u16(), code })
        };
        let answer = tokio::time::timeout(self.0.timeout, sent).await;
        answer.unwrap_or(Err(StoreError::Timeout(self.0.timeout))).map_err(service_error)
    }
}

async fn read(body: HttpResponseBody) -> Result<Bytes, StoreError> {
    let body = Limited::new(body, RESPONSE_MAX).collect().await;
    let what = || {
        StoreError::Other(format!("expected a response of at most {RESPONSE_MAX} bytes from the endpoint for tokens"))
    };
    body.map(|body| body.to_bytes()).map_err(|_| what())
}

/// The error of a request for a token without a response.
fn token_fault(error: &HttpError) -> StoreError {
    StoreError::of_source(error)
        .unwrap_or_else(|| StoreError::Other("no answer from the endpoint for tokens".to_owned()))
}
