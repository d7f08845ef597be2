//! `rasteret_credentials`: prefixes and the credentials of the locations below them.
//!
//! Prefixes and locations are compared in their canonical form: the `https://` URL of a bucket or container is the same location as its
//! `s3://`, `gs://` or `az://` URL. The longest matching prefix is used.

pub(crate) mod rule;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use self::rule::{Rule, Service};
use crate::types::location::name;
use crate::types::location::{Address, LocationKind, StoreKey, redacted, split_scheme};
use crate::{Error, Result};

/// The rules of a session, the longest prefix first. Holds no secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CredentialMap {
    rules: Arc<[Arc<Rule>]>,
    /// Original entries.
    pairs: Arc<[(String, String)]>,
}

impl CredentialMap {
    /// Parses a JSON object of prefixes and values, the format of `RASTERET_CREDENTIALS`.
    pub(crate) fn parse(text: &str, given_by: &str) -> Result<Self> {
        let fail = |what: String| Error::InvalidArgument { what: format!("{given_by}: {what}") };
        // The error of the JSON parser has a position; its text is not shown.
        let object: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            fail(format!(
                "expected a JSON object such as {{\"s3://bucket/\": \"profile=work\"}}, found no such at line {line}, column {column}"
            ))
        })?;
        let texts = object.into_iter().map(|(prefix, value)| match value {
            Value::String(value) => Ok((prefix, value)),
            _ => Err(fail(format!("prefix '{}': expected a text as value", redacted(&prefix)))),
        });
        let pairs: Vec<(String, String)> = texts.collect::<Result<_>>()?;
        let mut rules: Vec<Arc<Rule>> = Vec::with_capacity(pairs.len());
        for (text, value) in &pairs {
            let shown = redacted(text);
            let (service, prefix) = canonical_prefix(text).map_err(|what| fail(format!("prefix '{shown}': {what}")))?;
            let rule = Rule::parse(prefix, service, value).map_err(|what| fail(format!("prefix '{shown}': {what}")))?;
            if rules.iter().any(|known| known.prefix == rule.prefix) {
                return Err(fail(format!("prefix '{shown}': found twice")));
            }
            rules.push(Arc::new(rule));
        }
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Ok(Self { rules: rules.into(), pairs: pairs.into() })
    }

    /// Original prefixes and values.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Prefixes and values as the JSON object that [`Options`](crate::Options) read.
    #[must_use]
    pub fn json(pairs: &[(String, String)]) -> String {
        let members = pairs.iter().map(|(prefix, value)| (prefix.clone(), Value::from(value.as_str())));
        Value::Object(members.collect()).to_string()
    }

    pub(crate) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule of a location; `account` is its account if it has none.
    pub(crate) fn of_place(&self, place: &LocationKind, account: Option<&str>) -> Option<&Arc<Rule>> {
        if self.rules.is_empty() {
            return None;
        }
        match place {
            LocationKind::File(_) | LocationKind::Other(_) => None,
            LocationKind::Url { url, .. } => self.of_url(url),
            LocationKind::Object { store, path } => self.of_folder(store, path.as_ref(), account),
        }
    }

    /// The rule of a key, or of all keys below a folder.
    pub(crate) fn of_folder(&self, store: &StoreKey, key: &str, account: Option<&str>) -> Option<&Arc<Rule>> {
        if self.rules.is_empty() {
            return None;
        }
        let name = format!("{store}/{key}");
        let is_nameless = matches!(store, StoreKey::Azure { account: None, .. });
        let named = name.strip_prefix("az://").zip(account).filter(|_| is_nameless);
        let other = named.map(|(rest, account)| lower_host(format!("az://{account}.blob.core.windows.net/{rest}")));
        let name = lower_host(name);
        self.rules.iter().find(|rule| rule.covers(&name) || other.as_deref().is_some_and(|other| rule.covers(other)))
    }

    /// The rule of a URL.
    pub(crate) fn of_url(&self, url: &Url) -> Option<&Arc<Rule>> {
        if self.rules.is_empty() {
            return None;
        }
        let name = of_url(url)?;
        self.rules.iter().find(|rule| rule.covers(&name))
    }
}

impl fmt::Debug for CredentialMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value of a name of a variable may be a secret by mistake.
        write!(f, "CredentialMap({} prefixes)", self.rules.len())
    }
}

/// The canonical name of a URL, without user and query; None if a server may resolve it to another folder.
pub(crate) fn of_url(url: &Url) -> Option<String> {
    let mut url = url.clone();
    url.set_query(None);
    // URLs of these schemes have a host and so take both calls.
    let _ = (url.set_username(""), url.set_password(None));
    match Address::of_url(&url) {
        Some(address) => Some(lower_host(format!("{}/{}", address.store, address.key))),
        None => name::of_url(&url),
    }
}

/// The host of Azure's form in lower case, as DNS compares it.
fn lower_host(name: String) -> String {
    match name.strip_prefix("az://").and_then(|rest| rest.split_once('/')) {
        Some((host, key)) if host.contains('.') => format!("az://{}/{key}", host.to_ascii_lowercase()),
        _ => name,
    }
}

/// The service and the canonical form of a prefix, without a slash at its end.
fn canonical_prefix(text: &str) -> Result<(Service, String), String> {
    let text = text.trim();
    let expected = || {
        "expected a URL such as s3://bucket/, az://account.blob.core.windows.net/container/ or https://host/".to_owned()
    };
    let (scheme, rest) = split_scheme(text).ok_or_else(expected)?;
    let scheme = scheme.to_ascii_lowercase();
    let name = match scheme.as_str() {
        "http" | "https" if rest.is_empty() => format!("{scheme}://"),
        "http" | "https" => of_http_prefix(text).ok_or_else(expected)?,
        "s3" | "s3a" | "s3n" if rest.trim_matches('/').is_empty() => "s3://".to_owned(),
        "gs" | "gcs" if rest.trim_matches('/').is_empty() => "gs://".to_owned(),
        "az" | "azure" | "adl" | "abfs" | "abfss" if rest.trim_matches('/').is_empty() => "az://".to_owned(),
        // An account without a container.
        "az" | "azure" if is_account(rest) => format!("az://{}", rest.trim_end_matches('/').to_ascii_lowercase()),
        _ => {
            let address = Address::parse(&scheme, rest).ok_or_else(expected)?.map_err(|_| expected())?;
            lower_host(format!("{}/{}", address.store, address.key))
        }
    };
    let service = match name.split_once("://").map_or("", |(scheme, _)| scheme) {
        "s3" => Service::S3,
        "gs" => Service::Gcs,
        "az" => Service::Azure,
        _ => Service::Http,
    };
    let trimmed = match name.ends_with("://") {
        true => &name,
        false => name.trim_end_matches('/'),
    };
    Ok((service, trimmed.to_owned()))
}

fn is_account(rest: &str) -> bool {
    let host = rest.trim_end_matches('/').to_ascii_lowercase();
    !host.contains(['/', '@']) && host.ends_with(".blob.core.windows.net")
}

/// The canonical name of an `http(s)` prefix. A cloud's URL without a key, or without a bucket, gets temporary segments, which are removed again.
fn of_http_prefix(text: &str) -> Option<String> {
    const BELOW: &str = "/-/-";
    let mut url = Url::parse(text).ok()?;
    if !url.has_host() || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_fragment(None);
    let path = format!("{}{BELOW}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    let name = of_url(&url)?;
    let name = name.strip_suffix(BELOW)?;
    Some(match name.ends_with(":/") {
        true => format!("{name}/"),
        false => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    fn map(pairs: &[(&str, &str)]) -> Result<CredentialMap> {
        let text = pairs.iter().map(|(prefix, value)| ((*prefix).to_owned(), Value::from(*value)));
        let text = Value::Object(text.collect()).to_string();
        CredentialMap::parse(&text, "setting rasteret_credentials")
    }

    fn rule(map: &CredentialMap, href: &str, account: Option<&str>) -> Option<String> {
        Some(map.of_place(Location::parse(href).unwrap().kind(), account)?.prefix.clone())
    }

    #[test]
    fn the_longest_prefix_is_used() {
        let map = map(&[
            ("s3://", "anonymous"),
            ("s3://b/", "profile=a"),
            ("s3://b/x/y/", "profile=b"),
            ("https://h.org/data", "bearer_env=TOKEN"),
            ("https://ACCT.blob.core.windows.net/", "sas_env=SAS"),
            ("az://other.blob.core.windows.net/c/", "anonymous"),
            ("az://mine/", "environment"),
        ])
        .unwrap();
        for (href, expected) in [
            ("s3://b/x/y/z.tif", "s3://b/x/y"),
            ("s3a://b/x/yy/z.tif", "s3://b"),
            ("s3://bb/x.tif", "s3://"),
            ("https://b.s3.eu-west-1.amazonaws.com/x/y/z.tif", "s3://b/x/y"),
            ("https://s3.amazonaws.com/b/k.tif?X-Amz-Signature=1", "s3://b"),
            ("/vsis3/b/k.tif", "s3://b"),
            ("HTTPS://H.org:443/data/a.tif?x=1", "https://h.org/data"),
            ("https://user:pw@h.org/data", "https://h.org/data"),
            ("https://acct.blob.core.windows.net/c/k.tif", "az://acct.blob.core.windows.net"),
            ("abfss://c@acct.dfs.core.windows.net/k.tif", "az://acct.blob.core.windows.net"),
            ("az://other.blob.core.windows.net/c/k", "az://other.blob.core.windows.net/c"),
            ("az://mine/k", "az://mine"),
        ] {
            assert_eq!(rule(&map, href, None).as_deref(), Some(expected), "{href}");
        }
        assert_eq!(rule(&map, "az://c/k", Some("acct")).as_deref(), Some("az://acct.blob.core.windows.net"));
        for href in [
            "https://h.org/database/a.tif",
            "http://h.org/data/a.tif",
            "https://h.org:8443/data/a.tif",
            "https://h.org/data/..%2fsecret/a.tif",
            "https://h.org.evil.com/data/a.tif",
            "az://c/k",
            "gs://b/k",
            "/data/a.tif",
        ] {
            assert_eq!(rule(&map, href, None), None, "{href}");
        }
    }

    #[test]
    fn invalid_maps_are_errors_without_secrets() {
        for (prefix, value) in [
            ("b/c", "anonymous"),
            ("s3:/b", "anonymous"),
            ("ftp://h/", "anonymous"),
            ("https://u:SECRET@h/", "anonymous"),
            ("https://h/?sig=SECRET", "anonymous"),
            ("https://h/", "SECRET"),
            ("", "anonymous"),
        ] {
            let error = map(&[(prefix, value)]).unwrap_err().to_string();
            assert!(error.starts_with("setting rasteret_credentials: prefix") && !error.contains("SECRET"), "{error}");
        }
        let twice = map(&[("s3://b", "anonymous"), ("s3a://b/", "profile=x")]).unwrap_err().to_string();
        assert!(twice.ends_with("found twice"), "{twice}");
        for text in ["SECRET", "[\"SECRET\"]", "{"] {
            let error =
                CredentialMap::parse(text, "environment variable RASTERET_CREDENTIALS").unwrap_err().to_string();
            assert!(
                error.contains("RASTERET_CREDENTIALS: expected a JSON object") && !error.contains("SECRET"),
                "{error}"
            );
        }
    }
}
