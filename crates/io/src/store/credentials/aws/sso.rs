//! Single sign-on of AWS: the token that `aws sso login` has left in its cache, exchanged for credentials of a role.

use std::path::PathBuf;
use std::time::SystemTime;

use object_store::client::{HttpRequest, HttpRequestBody};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::profile::{Profile, Profiles};
use super::resolved::{Resolved, Resolver, domain, time};
use crate::StoreError;

/// Bytes of a cached token.
const BYTES_MAX: u64 = 1 << 20;

/// A profile's settings.
struct Sso<'a> {
    profile: &'a Profile,
    account: &'a str,
    role: &'a str,
    region: &'a str,
    /// The text whose digest is the file name of the cached token.
    session: &'a str,
}

/// The credentials of a profile with `sso_session` or `sso_start_url`.
pub(super) async fn resolve(
    resolver: &Resolver,
    profiles: &Profiles,
    profile: &Profile,
) -> Result<Resolved, StoreError> {
    let named = profile.get("sso_session");
    let of_session = |setting: &str| match named {
        Some(name) => profiles
            .setting("sso-session", name, setting)
            .ok_or_else(|| profile.fault(&format!("expected {setting} in [sso-session {name}]"))),
        None => profile.required(setting),
    };
    let sso = Sso {
        profile,
        account: profile.required("sso_account_id")?,
        role: profile.required("sso_role_name")?,
        region: of_session("sso_region")?,
        session: named.map_or_else(|| of_session("sso_start_url"), Ok)?,
    };
    let token = sso.token(resolver).await?;
    sso.credentials(resolver, &token).await
}

impl Sso<'_> {
    fn fault(&self, what: &str) -> StoreError {
        let name = &self.profile.name;
        self.profile.fault(&format!("{what}: run aws sso login --profile {name}"))
    }

    /// The cached token, refreshed if it has expired and can be refreshed.
    async fn token(&self, resolver: &Resolver) -> Result<String, StoreError> {
        let home = resolver.variables.get("HOME").or_else(|| resolver.variables.get("USERPROFILE"));
        let home = PathBuf::from(home.ok_or_else(|| self.fault("no home directory with a token of single sign-on"))?);
        let file = home.join(".aws/sso/cache").join(format!("{}.json", sha1(self.session)));
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let is_small =
                std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= BYTES_MAX);
            is_small.then(|| std::fs::read(&path).ok()).flatten()
        });
        let bytes = read.await.ok().flatten().ok_or_else(|| self.fault("no token of single sign-on in the cache"))?;
        let cached: Value =
            serde_json::from_slice(&bytes).map_err(|_| self.fault("unreadable token of single sign-on"))?;
        let text = |name: &str| cached.get(name).and_then(Value::as_str);
        let expires = text("expiresAt").and_then(time);
        match text("accessToken") {
            Some(token) if expires.is_none_or(|expires| expires > SystemTime::now()) => Ok(token.to_owned()),
            _ => self.refreshed(resolver, &cached).await,
        }
    }

    async fn refreshed(&self, resolver: &Resolver, cached: &Value) -> Result<String, StoreError> {
        let text = |name: &str| cached.get(name).and_then(Value::as_str);
        let (Some(id), Some(secret), Some(token)) = (text("clientId"), text("clientSecret"), text("refreshToken"))
        else {
            return Err(self.fault("the token of single sign-on has expired"));
        };
        let body = json!({"clientId": id, "clientSecret": secret, "grantType": "refresh_token", "refreshToken": token});
        let endpoint = resolver
            .endpoint("AWS_ENDPOINT_URL_SSO_OIDC", || format!("https://oidc.{}.{}", self.region, domain(self.region)));
        let mut request = request(&format!("{endpoint}/token"), HttpRequestBody::from(body.to_string()))?;
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = resolver
            .json(request)
            .await
            .map_err(|fault| self.fault(&format!("the token of single sign-on has expired ({fault})")))?;
        let token = answer.get("accessToken").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| self.fault("the token of single sign-on has expired"))
    }

    async fn credentials(&self, resolver: &Resolver, token: &str) -> Result<Resolved, StoreError> {
        let endpoint = resolver
            .endpoint("AWS_ENDPOINT_URL_SSO", || format!("https://portal.sso.{}.{}", self.region, domain(self.region)));
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (role, account) = (encoded(self.role), encoded(self.account));
        let url = format!("{endpoint}/federation/credentials?role_name={role}&account_id={account}");
        let mut request = request(&url, HttpRequestBody::empty())?;
        let mut value = HeaderValue::try_from(token).map_err(|_| self.fault("unreadable token of single sign-on"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(HeaderName::from_static("x-amz-sso_bearer_token"), value);
        let answer = resolver.json(request).await.map_err(|fault| match fault {
            StoreError::Http { status, .. } if status == StatusCode::UNAUTHORIZED.as_u16() => {
                self.fault("the token of single sign-on is not accepted (HTTP 401)")
            }
            fault => self.profile.fault(&format!("no credentials from single sign-on: {fault}")),
        })?;
        let found = answer.get("roleCredentials").unwrap_or(&Value::Null);
        Resolved::from_json(found, ["accessKeyId", "secretAccessKey", "sessionToken"], found.get("expiration"))
            .ok_or_else(|| self.profile.fault("no credentials from single sign-on: unusable answer"))
    }
}

fn request(url: &str, body: HttpRequestBody) -> Result<HttpRequest, StoreError> {
    let mut request = HttpRequest::new(body);
    *request.uri_mut() =
        url.parse().map_err(|_| StoreError::Other("endpoint of single sign-on: not a valid URL".to_owned()))?;
    Ok(request)
}

/// The hexadecimal digest used as file name of a session by the AWS CLI.
fn sha1(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_files_equal_those_of_the_cli() {
        // echo -n https://d-92671207e4.awsapps.com/start | sha1sum
        assert_eq!(super::sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
