//! Roles of AWS: `AssumeRole`, signed, and `AssumeRoleWithWebIdentity`, with a token from a file.

use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::resolved::{Resolved, Resolver, domain, time};
use crate::StoreError;

/// Bytes of a token of an identity provider.
const TOKEN_MAX: u64 = 64 << 10;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "AssumeRoleResult", alias = "AssumeRoleWithWebIdentityResult")]
    result: AnswerResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerResult {
    credentials: AnswerCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

/// A role to assume.
pub(super) struct Role<'a> {
    pub(super) arn: &'a str,
    pub(super) session_name: Option<&'a str>,
    pub(super) external_id: Option<&'a str>,
    pub(super) duration: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    /// Endpoint of the service, if it is not that of AWS.
    pub(super) endpoint: Option<&'a str>,
}

impl Role<'_> {
    /// The credentials of the role for those of another user or role.
    pub(super) async fn assume(&self, resolver: &Resolver, with: Resolved) -> Result<Resolved, StoreError> {
        let form = self.form("AssumeRole", self.external_id.map(|id| ("ExternalId", id)));
        self.send(resolver, form, Some(with.into())).await
    }

    /// The credentials of the role for the token in a file.
    pub(super) async fn assume_with_token(&self, resolver: &Resolver, file: &str) -> Result<Resolved, StoreError> {
        let fail = |what: String| {
            StoreError::Other(format!("web identity token file {}: {what}", crate::types::location::redacted(file)))
        };
        let path = file.to_owned();
        let read = tokio::task::spawn_blocking(move || match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > TOKEN_MAX || !metadata.is_file() => None,
            Ok(_) => Some(std::fs::read_to_string(&path).map_err(|error| StoreError::of_file(&error))),
            Err(error) => Some(Err(StoreError::of_file(&error))),
        });
        let read = read.await.map_err(|_| fail("internal error: a reading thread panicked".to_owned()))?;
        let token = read.ok_or_else(|| fail("expected a file of at most 64 KiB".to_owned()))?;
        let token = token.map_err(|fault| fail(fault.to_string()))?;
        let form = self.form("AssumeRoleWithWebIdentity", Some(("WebIdentityToken", token.trim())));
        self.send(resolver, form, None).await
    }

    fn form(&self, action: &str, more: Option<(&str, &str)>) -> String {
        let usual = [
            ("Action", action),
            ("Version", "2011-06-15"),
            ("RoleArn", self.arn),
            ("RoleSessionName", self.session_name.unwrap_or("rasteret")),
        ];
        let duration = self.duration.map(|seconds| ("DurationSeconds", seconds));
        let pairs = usual.into_iter().chain(duration).chain(more);
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    async fn send(
        &self,
        resolver: &Resolver,
        form: String,
        with: Option<AwsCredential>,
    ) -> Result<Resolved, StoreError> {
        let (endpoint, region) = match (self.endpoint, self.region) {
            (Some(endpoint), region) => (endpoint.to_owned(), region.unwrap_or("us-east-1")),
            (None, Some(region)) => (format!("https://sts.{region}.{}", domain(region)), region),
            (None, None) => ("https://sts.amazonaws.com".to_owned(), "us-east-1"),
        };
        let url =
            Url::parse(&endpoint).map_err(|_| StoreError::Other("endpoint of STS: not a valid URL".to_owned()))?;
        let mut request = HttpRequest::new(HttpRequestBody::from(form));
        *request.method_mut() = reqwest::Method::POST;
        *request.uri_mut() =
            url.as_str().parse().map_err(|_| StoreError::Other("endpoint of STS: not a valid URL".to_owned()))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/xml"));
        if let Some(credential) = &with {
            let signer = AwsAuthorizer::new(credential, "sts", region);
            let signed = signer.try_authorize(&mut request, None);
            signed.map_err(|_| StoreError::Other("the request for a role could not be signed".to_owned()))?;
        }
        let host = url.host_str().unwrap_or_default();
        let unusable =
            || StoreError::Other(format!("no credentials for role {} from {host}: unusable answer", self.arn));
        let answer = resolver.transport.call(request).await.map_err(|error| {
            let fault = StoreError::of_source(&error).unwrap_or_else(unusable);
            StoreError::Other(format!("no credentials for role {}: {fault}", self.arn))
        })?;
        let body = answer.into_body().bytes().await.map_err(|_| unusable())?;
        let answer: Answer = quick_xml::de::from_reader(body.as_ref()).map_err(|_| unusable())?;
        let found = answer.result.credentials;
        Ok(Resolved {
            id: found.access_key_id,
            secret: found.secret_access_key,
            token: Some(found.session_token),
            expires: time(&found.expiration),
        })
    }
}
