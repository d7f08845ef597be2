//! Credentials in Google's JSON files: tokens for `authorized_user` and `external_account`; those of service accounts are `object_store`'s.
//!
//! | `type` | token from |
//! |---|---|
//! | `service_account` | signed here |
//! | `authorized_user` | `token_uri`, for the refresh token |
//! | `external_account` | `token_url`, for the token in a file or at a URL; then `service_account_impersonation_url`, if present |

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::sync::Arc;

use super::expiring::Expiring;
use super::variables::Variables;
use crate::StoreError;
use crate::store::transport::Transport;

/// Bytes of a file.
const BYTES_MAX: u64 = 1 << 20;

/// Endpoint to which Google's tools send refresh tokens.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The scope that allows reading and writing objects.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The kind of a file.
pub(crate) enum Kind {
    ServiceAccount,
    Tokens(Arc<GoogleTokens>),
}

/// Provides a GCS client with tokens.
pub(crate) struct GoogleTokens {
    file: String,
    settings: Value,
    is_external: bool,
    transport: Transport,
    current: Expiring<GcpCredential>,
}

/// The file that Google's tools leave the login of a user in, if there is one.
pub(crate) fn well_known_file(variables: &Variables) -> Option<PathBuf> {
    let folder = match variables.get("CLOUDSDK_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None if cfg!(windows) => PathBuf::from(variables.get("APPDATA")?).join("gcloud"),
        None => PathBuf::from(variables.get("HOME")?).join(".config/gcloud"),
    };
    let file = folder.join("application_default_credentials.json");
    file.is_file().then_some(file)
}

impl Kind {
    /// Reads a file. Blocks.
    pub(crate) fn read(path: &Path, transport: &Transport) -> Result<Self, StoreError> {
        let file = shown(path);
        let fail = |what: &str| StoreError::Other(format!("Google credentials file {file}: {what}"));
        let metadata = std::fs::metadata(path).map_err(|error| fail(&StoreError::of_file(&error).to_string()))?;
        if !metadata.is_file() || metadata.len() > BYTES_MAX {
            return Err(fail("expected a file of at most 1 MiB"));
        }
        let bytes = std::fs::read(path).map_err(|error| fail(&StoreError::of_file(&error).to_string()))?;
        let settings: Value = serde_json::from_slice(&bytes).map_err(|_| fail("expected JSON"))?;
        let kind = settings.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_external = match kind {
            "service_account" => {
                return service_account(path, transport)
                    .ok_or_else(|| fail("expected client_email and a private_key in PEM"));
            }
            // Emulators' own: no type, and nothing to sign with.
            "" if settings.get("disable_oauth").is_some() || settings.get("private_key").is_some() => {
                return Ok(Self::ServiceAccount);
            }
            "authorized_user" => false,
            "external_account" => true,
            "" => return Err(fail("expected type")),
            other => {
                let is_word = other.len() <= 64 && other.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let found = if is_word { other } else { "another" };
                return Err(fail(&format!(
                    "type {found} is not supported (expected service_account, authorized_user or external_account)"
                )));
            }
        };
        Ok(Self::Tokens(Arc::new(GoogleTokens {
            file,
            settings,
            is_external,
            transport: transport.clone(),
            current: Expiring::default(),
        })))
    }
}

/// The kind of a file that can be used for signing.
fn service_account(path: &Path, transport: &Transport) -> Option<Kind> {
    let builder = GoogleCloudStorageBuilder::new().with_bucket_name("bucket").with_http_connector(transport.clone());
    builder.with_service_account_path(path.to_string_lossy()).build().is_ok().then_some(Kind::ServiceAccount)
}

/// A path. A key instead of a path is rejected.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_path = text.len() <= 1024 && !text.contains(['{', '}', '"', '\n', '\r']);
    if is_path { crate::types::location::redacted(&text) } else { "of the environment".to_owned() }
}

impl GoogleTokens {
    fn fault(&self, what: &str) -> StoreError {
        StoreError::Other(format!("Google credentials file {}: {what}", self.file))
    }

    fn text(&self, name: &str) -> Result<&str, StoreError> {
        let text = self.settings.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.fault(&format!("expected {name}")))
    }

    async fn resolve(&self) -> Result<(GcpCredential, Option<SystemTime>), StoreError> {
        let answer = match self.is_external {
            true => self.exchanged().await?,
            false => {
                let uri = self.settings.get("token_uri").and_then(Value::as_str).unwrap_or(TOKEN_URI);
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", self.text("client_id")?),
                    ("client_secret", self.text("client_secret")?),
                    ("refresh_token", self.text("refresh_token")?),
                ];
                self.post(uri, &form).await?
            }
        };
        let (token, expires) = self.token(&answer)?;
        match self.settings.get("service_account_impersonation_url").and_then(Value::as_str) {
            Some(url) if self.is_external => self.token(&self.impersonated(url, &token.bearer).await?),
            _ => Ok((token, expires)),
        }
    }

    /// Token and expiry in a response of OAuth, or of the service that issues tokens of service accounts.
    fn token(&self, answer: &Value) -> Result<(GcpCredential, Option<SystemTime>), StoreError> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let token = text("access_token").or_else(|| text("accessToken"));
        let is_sendable = |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let token = token.filter(is_sendable).ok_or_else(|| self.fault("expected a token from its endpoint"))?;
        let seconds =
            answer.get("expires_in").and_then(Value::as_u64).map(|seconds| Duration::from_secs(seconds.min(1 << 30)));
        let time = text("expireTime").and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
        let expires = time.map(SystemTime::from).or_else(|| Some(SystemTime::now() + seconds?));
        Ok((GcpCredential { bearer: token.to_owned() }, expires))
    }

    /// The token of another identity provider, exchanged (RFC 8693).
    async fn exchanged(&self) -> Result<Value, StoreError> {
        let source = self.settings.get("credential_source").unwrap_or(&Value::Null);
        let subject = self.subject(source).await?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", self.text("audience")?),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", self.text("subject_token_type")?),
            ("subject_token", subject.as_str()),
        ];
        self.post(self.text("token_url")?, &form).await
    }

    /// The token of the other identity provider: in a file or at a URL, as text or as a field of JSON.
    async fn subject(&self, source: &Value) -> Result<String, StoreError> {
        let text = |name: &str| source.get(name).and_then(Value::as_str);
        let body = match (text("file"), text("url")) {
            (Some(file), _) => {
                let path = PathBuf::from(file);
                let read = tokio::task::spawn_blocking(move || {
                    let is_small = std::fs::metadata(&path)
                        .is_ok_and(|metadata| metadata.is_file() && metadata.len() <= BYTES_MAX);
                    is_small.then(|| std::fs::read(&path).ok()).flatten()
                });
                let bytes = read.await.ok().flatten();
                bytes.ok_or_else(|| self.fault("credential_source: the file cannot be read"))?
            }
            (None, Some(url)) => {
                let mut request = self.request(url, HttpRequestBody::empty())?;
                for (name, value) in source.get("headers").and_then(Value::as_object).into_iter().flatten() {
                    let header = name
                        .parse::<HeaderName>()
                        .ok()
                        .zip(value.as_str().and_then(|value| HeaderValue::from_str(value).ok()));
                    let (name, value) =
                        header.ok_or_else(|| self.fault("credential_source: headers that cannot be sent"))?;
                    request.headers_mut().insert(name, value);
                }
                self.send(request).await?
            }
            (None, None) => return Err(self.fault("credential_source is not supported (expected file or url)")),
        };
        let format = source.get("format").unwrap_or(&Value::Null);
        let unusable = || self.fault("credential_source: expected a token");
        if format.get("type").and_then(Value::as_str) == Some("json") {
            let name = format.get("subject_token_field_name").and_then(Value::as_str).unwrap_or("access_token");
            let json: Value = serde_json::from_slice(&body).map_err(|_| unusable())?;
            return json.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(unusable);
        }
        String::from_utf8(body).map(|text| text.trim().to_owned()).map_err(|_| unusable())
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<Value, StoreError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.posted(self.request(url, HttpRequestBody::from(body))?, "application/x-www-form-urlencoded").await
    }

    /// The token of a service account, for that of another identity (`generateAccessToken`).
    async fn impersonated(&self, url: &str, bearer: &str) -> Result<Value, StoreError> {
        let body = json!({"scope": [SCOPE]}).to_string();
        let mut request = self.request(url, HttpRequestBody::from(body))?;
        let mut value =
            HeaderValue::try_from(format!("Bearer {bearer}")).map_err(|_| self.fault("a token that cannot be sent"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.posted(request, "application/json").await
    }

    async fn posted(&self, mut request: HttpRequest, kind: &'static str) -> Result<Value, StoreError> {
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let body = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|_| self.fault("expected JSON from its endpoint"))
    }

    fn request(&self, url: &str, body: HttpRequestBody) -> Result<HttpRequest, StoreError> {
        let mut request = HttpRequest::new(body);
        *request.uri_mut() = url.parse().map_err(|_| self.fault("expected a URL as endpoint"))?;
        Ok(request)
    }

    async fn send(&self, request: HttpRequest) -> Result<Vec<u8>, StoreError> {
        let unusable = || self.fault("no usable answer from its endpoint");
        let answer = self.transport.call(request).await;
        let answer = answer.map_err(|error| {
            StoreError::of_source(&error).map_or_else(unusable, |fault| self.fault(&fault.to_string()))
        })?;
        Ok(answer.into_body().bytes().await.map_err(|_| unusable())?.into())
    }
}

#[async_trait]
impl CredentialProvider for GoogleTokens {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let credential = self.current.get(|| self.resolve()).await;
        credential.map_err(|fault| object_store::Error::Generic { store: "GCS", source: Box::new(fault) })
    }
}

impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleTokens").finish_non_exhaustive()
    }
}
