//! Requests of uploads in parts: S3, Google Cloud Storage and Azure.
//!
//! Each of them may be repeated: a part replaces the same part, and an upload that is completed or aborted again is in the same state.

use http_body_util::BodyExt;
use object_store::client::{HttpError, HttpRequest, HttpResponse};
use reqwest::{Method, Request};
use url::Url;

use super::redirect::{self, Follow};
use super::service::{rebuilt, service_error};
use super::{DOCUMENT_MAX, Excess, Transport, refusal, response};
use crate::StoreError;
use crate::store::access::Access;

impl Transport {
    /// Whether a request belongs to an upload; other requests with a body are those of tokens.
    pub(super) fn is_upload(request: &HttpRequest) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        match *request.method() {
            Method::PUT => {
                pairs.any(|(name, value)| name == "uploadId" || (name == "comp" && value.starts_with("block")))
            }
            Method::POST => pairs.any(|(name, _)| matches!(name, "uploads" | "uploadId")),
            Method::DELETE => pairs.any(|(name, _)| name == "uploadId"),
            _ => false,
        }
    }

    /// The response to a request of an upload.
    pub(super) async fn upload(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string())
            .map_err(|_| service_error(StoreError::Other("not a valid URL for a request".to_owned())))?;
        let body = body.collect().await?.to_bytes();
        let access = parts.extensions.get::<Access>();
        self.retrying(access, || {
            let mut request = Request::new(parts.method.clone(), url.clone());
            *request.headers_mut() = parts.headers.clone();
            *request.body_mut() = Some(body.clone().into());
            async move {
                let client = self.client()?;
                let response = self.sent(redirect::send(&client, request, Follow::SameOrigin(access), None).await)?;
                let status = response.status();
                if !status.is_success() {
                    return Err(refusal(response).await);
                }
                let headers = response.headers().clone();
                let limit = response::content_length(&headers).unwrap_or(DOCUMENT_MAX);
                let body = self.body(response, limit, Excess::Refused).await?;
                Ok(rebuilt(status, headers, body.into()))
            }
        })
        .await
        .map_err(service_error)
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;

    use super::*;

    fn request(method: Method, url: &str) -> HttpRequest {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().unwrap();
        request
    }

    #[test]
    fn uploads_are_told_from_tokens() {
        for (method, url) in [
            (Method::POST, "https://b.s3.amazonaws.com/k.tif?uploads"),
            (Method::POST, "https://b.s3.amazonaws.com/k.tif?uploads="),
            (Method::PUT, "https://b.s3.amazonaws.com/k.tif?partNumber=1&uploadId=x"),
            (Method::POST, "https://storage.googleapis.com/b/k.tif?uploadId=x"),
            (Method::DELETE, "https://b.s3.amazonaws.com/k.tif?uploadId=x"),
            (Method::PUT, "https://a.blob.core.windows.net/c/k.tif?comp=block&blockid=x"),
            (Method::PUT, "https://a.blob.core.windows.net/c/k.tif?sig=y&comp=blocklist"),
        ] {
            assert!(Transport::is_upload(&request(method, url)), "{url}");
        }
        for (method, url) in [
            (Method::POST, "https://oauth2.googleapis.com/token"),
            (Method::PUT, "http://169.254.169.254/latest/api/token"),
            (Method::POST, "https://login.microsoftonline.com/t/oauth2/v2.0/token?comp=block"),
            (Method::DELETE, "https://b.s3.amazonaws.com/k.tif"),
            (Method::GET, "https://b.s3.amazonaws.com/k.tif?uploadId=x"),
        ] {
            assert!(!Transport::is_upload(&request(method, url)), "{url}");
        }
    }
}
