//! Resolved keys, and functions to resolve them.

use std::time::{Duration, SystemTime};

use object_store::aws::AwsCredential;
use object_store::client::{HttpRequest, HttpService};
use serde_json::Value;

use crate::StoreError;
use crate::store::credentials::variables::Variables;
use crate::store::transport::Transport;

/// Keys, and how long they are valid.
#[derive(Clone)]
pub(super) struct Resolved {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
    pub(super) expires: Option<SystemTime>,
}

/// The client, variables and profiles that credentials are resolved with.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) transport: Transport,
    pub(crate) variables: Variables,
}

impl Resolver {
    pub(super) fn region(&self) -> Option<String> {
        self.variables.get("AWS_REGION").or_else(|| self.variables.get("AWS_DEFAULT_REGION"))
    }

    /// The endpoint in a variable, without a trailing slash, or the default of AWS.
    pub(super) fn endpoint(&self, variable: &str, usual: impl FnOnce() -> String) -> String {
        self.variables.get(variable).map_or_else(usual, |endpoint| endpoint.trim_end_matches('/').to_owned())
    }

    /// The JSON response of a request.
    pub(super) async fn json(&self, request: HttpRequest) -> Result<Value, StoreError> {
        let unusable = || StoreError::Other("unusable answer".to_owned());
        let answer = self.transport.call(request).await;
        let answer = answer.map_err(|error| StoreError::of_source(&error).unwrap_or_else(unusable))?;
        let body = answer.into_body().bytes().await.map_err(|_| unusable())?;
        serde_json::from_slice(&body).map_err(|_| unusable())
    }
}

impl Resolved {
    /// Keys from JSON with these names; the expiry is a text or milliseconds since 1970.
    pub(super) fn from_json(json: &Value, names: [&str; 3], expires: Option<&Value>) -> Option<Self> {
        let text =
            |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let [id, secret, token] = names;
        let expires = expires.and_then(|value| match value {
            Value::String(text) => time(text),
            other => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(other.as_u64()?)),
        });
        let resolved = Self { id: text(id)?, secret: text(secret)?, token: text(token), expires };
        resolved.is_sendable().then_some(resolved)
    }

    /// Whether it is valid in headers.
    pub(super) fn is_sendable(&self) -> bool {
        let is_visible = |text: &str| text.len() <= 16 << 10 && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_visible(&self.id) && is_visible(&self.secret) && self.token.as_deref().is_none_or(is_visible)
    }
}

impl From<Resolved> for AwsCredential {
    fn from(resolved: Resolved) -> Self {
        Self { key_id: resolved.id, secret_key: resolved.secret, token: resolved.token }
    }
}

/// The domain of AWS' services in a region.
pub(super) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

pub(super) fn time(text: &str) -> Option<SystemTime> {
    // Older versions of the AWS CLI wrote `2020-01-01T00:00:00UTC`.
    chrono::DateTime::parse_from_rfc3339(&text.replace("UTC", "Z")).ok().map(SystemTime::from)
}
