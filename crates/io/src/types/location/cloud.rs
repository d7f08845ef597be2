//! Addresses of objects: the cloud and the bucket or container of a location.
//!
//! A URL of a host that is not listed here is not an object.

use std::fmt;

use object_store::path::Path;
use percent_encoding::percent_decode_str;
use url::Url;

/// A bucket or container, for which there is one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StoreKey {
    S3 { bucket: String, region: Option<String> },
    Gcs { bucket: String },
    Azure { account: Option<String>, container: String, sas: Option<Sas> },
}

/// A shared access signature in a location: a query string, which is never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sas(pub(crate) String);

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sas")
    }
}

/// An object of a store, or a prefix or a pattern of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) store: StoreKey,
    /// Key in the store, without percent-encoding.
    pub(crate) key: String,
}

impl Address {
    /// The address in `scheme://…`; None if the scheme is not that of a cloud, and a description of the fault if it is
    /// malformed.
    pub(crate) fn parse(scheme: &str, rest: &str) -> Option<Result<Self, String>> {
        let azure = matches!(scheme, "az" | "azure" | "adl" | "abfs" | "abfss" | "wasb" | "wasbs");
        if !azure && !matches!(scheme, "s3" | "s3a" | "s3n" | "gs" | "gcs") {
            return None;
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            let name = if azure { "container" } else { "bucket" };
            return Some(Err(format!("expected {scheme}://{name}/key, found no {name}")));
        }
        if azure {
            return Some(Self::azure(bucket, key));
        }
        if bucket.contains('@') {
            return Some(Err("credentials are taken from the environment, never from the location".to_owned()));
        }
        let bucket = bucket.to_owned();
        let store = match scheme {
            "gs" | "gcs" => StoreKey::Gcs { bucket },
            _ => StoreKey::S3 { bucket, region: None },
        };
        Some(Ok(Self { store, key: key.to_owned() }))
    }

    /// `container@account.dfs.core.windows.net/key`, `account.blob.core.windows.net/container/key` or `container/key`. A
    /// container's name has no dot, so the forms cannot be mistaken for each other.
    fn azure(authority: &str, path: &str) -> Result<Self, String> {
        let (path, sas) = split_sas(path);
        let (container, account, key) = match authority.split_once('@') {
            Some((container, host)) => (container, Some(host), path),
            None if authority.contains('.') => {
                let (container, key) = path.split_once('/').unwrap_or((path, ""));
                (container, Some(authority), key)
            }
            None => (authority, None, path),
        };
        if container.is_empty() || container.contains(':') {
            return Err("expected a container".to_owned());
        }
        let account = match account {
            Some(host) => Some(azure_account(host).ok_or_else(|| {
                "expected an account as account.blob.core.windows.net or account.dfs.core.windows.net".to_owned()
            })?),
            None => None,
        };
        let sas = sas.map(|sas| Sas(sas.to_owned()));
        Ok(Self { store: StoreKey::Azure { account, container: container.to_owned(), sas }, key: key.to_owned() })
    }

    /// The address of an `https://` URL of a cloud.
    pub(crate) fn of_url(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        if url.scheme() != "https" || url.port().is_some() {
            return None;
        }
        let path = percent_decode_str(url.path().strip_prefix('/')?).decode_utf8().ok()?;
        let split = || path.split_once('/').map(|(first, rest)| (first.to_owned(), rest.to_owned()));
        if let Some(account) = azure_account(host) {
            let (container, key) = split()?;
            let sas = url.query().filter(|query| is_sas(query)).map(|query| Sas(query.to_owned()));
            return Some(Self { store: StoreKey::Azure { account: Some(account), container, sas }, key });
        }
        if host == "storage.googleapis.com" {
            let (bucket, key) = split()?;
            return Some(Self { store: StoreKey::Gcs { bucket }, key });
        }
        if let Some(bucket) = host.strip_suffix(".storage.googleapis.com") {
            return Some(Self { store: StoreKey::Gcs { bucket: bucket.to_owned() }, key: path.into_owned() });
        }
        let (bucket, region) = s3_host(host)?;
        let (bucket, key) = match bucket {
            Some(bucket) => (bucket, path.into_owned()),
            None => split()?,
        };
        Some(Self { store: StoreKey::S3 { bucket, region }, key })
    }
}

/// Splits a location of Azure and the signature after its last question mark. Other question marks are part of a key or a pattern.
pub(crate) fn split_sas(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('?').filter(|(_, query)| is_sas(query)) {
        Some((path, sas)) => (path, Some(sas)),
        None => (text, None),
    }
}

fn is_sas(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("sig="))
}

/// The path by which `object_store` requests just this key; None for keys that it cannot request. [`Path::parse`] takes a slash off
/// either end, which makes it another object's key.
pub(crate) fn path_of(key: &str) -> Option<Path> {
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
}

/// `account` of `account.blob.core.windows.net`.
fn azure_account(host: &str) -> Option<String> {
    let account = host.strip_suffix(".blob.core.windows.net").or_else(|| host.strip_suffix(".dfs.core.windows.net"))?;
    (!account.is_empty() && !account.contains('.')).then(|| account.to_owned())
}

/// Bucket (in virtual-hosted style) and region (if present) of a host of S3:
/// `bucket.s3.amazonaws.com`, `bucket.s3.region.amazonaws.com`, `bucket.s3-region.amazonaws.com`, `s3.region.amazonaws.com`, each
/// also with `dualstack.` before the region. Buckets may have dots.
fn s3_host(host: &str) -> Option<(Option<String>, Option<String>)> {
    let service = host.strip_suffix(".amazonaws.com")?;
    let (bucket, service) = match service.rfind(".s3.").or_else(|| service.rfind(".s3-")) {
        Some(dot) => (Some(&service[..dot]), &service[dot + 1..]),
        None => match service.strip_suffix(".s3") {
            Some(bucket) => (Some(bucket), "s3"),
            None => (None, service),
        },
    };
    let region = match service {
        "s3" => None,
        _ => {
            let region = service.strip_prefix("s3.").or_else(|| service.strip_prefix("s3-"))?;
            let region = region.strip_prefix("dualstack.").unwrap_or(region);
            // Access points, website endpoints, accelerated and FIPS endpoints are other protocols or other names.
            if region.contains('.')
                || !region.contains('-')
                || region.starts_with("website")
                || region.starts_with("fips")
            {
                return None;
            }
            Some(region.to_owned())
        }
    };
    Some((bucket.map(str::to_owned), region))
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, .. } => write!(f, "s3://{bucket}"),
            Self::Gcs { bucket } => write!(f, "gs://{bucket}"),
            Self::Azure { account: Some(account), container, .. } => {
                write!(f, "az://{account}.blob.core.windows.net/{container}")
            }
            Self::Azure { account: None, container, .. } => write!(f, "az://{container}"),
        }
    }
}
