//! Requests of tokens.

use bytes::Bytes;
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpService};
use url::Url;

use super::redirect::{self, Follow};
use super::service::service_error;
use super::{DOCUMENT_MAX, Excess, Transport, refusal, response};
use crate::StoreError;

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
        let host = request.uri().host().unwrap_or_default().to_owned();
        let sent = async {
            let response = self.client()?.call(request).await.map_err(|error| token_fault(&error))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let status = response.status().as_u16();
            let body = response.into_body().bytes().await.unwrap_or_default();
            Err(StoreError::Token { host: host.clone(), status, code: response::error_code_of_token(&body) })
        };
        let answer = tokio::time::timeout(self.0.timeout, sent).await;
        answer.unwrap_or(Err(StoreError::Timeout(self.0.timeout))).map_err(service_error)
    }
}

/// The error of a request for a token without a response.
fn token_fault(error: &HttpError) -> StoreError {
    StoreError::of_source(error)
        .unwrap_or_else(|| StoreError::Other("no answer from the endpoint for tokens".to_owned()))
}
