//! The location of a file, parsed from an href.
//!
//! Contains all rules for the syntax of locations and for hiding their secrets. A scheme that no store supports is an error
//! that names it, not a local path.
//!
//! | written | is |
//! |---|---|
//! | `a/b.tif`, `/a/b.tif`, `file:///a/b%20c.tif` | a local file; only `file:` is percent-decoded |
//! | `s3://`, `s3a://`, `gs://`, `gcs://` + `bucket/key` | an object; the key is literal, as in the clouds' own tools |
//! | `az://`, `azure://`, `adl://` + `container/key` | an object of the account in the environment |
//! | `az://account.blob.core.windows.net/container/key` | an object, the account named (the form of DuckDB's azure extension) |
//! | `abfss://container@account.dfs.core.windows.net/key`, `wasbs://container@account.blob.core.windows.net/key` | the same, in Hadoop's forms |
//! | `http://`, `https://` | a URL; the query string is sent with every request |
//! | `https://` + a host of S3, GCS or Azure | a URL, and an object if credentials are used or a glob is listed |
//! | `/vsicurl/`, `/vsis3/`, `/vsigs/`, `/vsiaz/`, `/vsiadls/` | as in GDAL |

mod cloud;
pub(crate) mod name;
mod parse;
mod redact;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::path::Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

pub(crate) use cloud::{Address, Sas, StoreKey, path_of, split_sas};
pub(crate) use parse::{check_length, local_from_remote};

use crate::StoreError;

/// Characters that are escaped in the path of a URL: all but the unreserved ones of RFC 3986, and slashes.
const URL_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Location of a file. `Display` and `Debug` are redacted: no query string, no user, no password, no token. Cheap to clone.
#[derive(Clone)]
pub struct Location(Arc<Inner>);

struct Inner {
    place: LocationKind,
    /// The displayed text.
    shown: String,
    /// Identifies the file together with the credentials in its URL: signature, user and password are part of it.
    key: String,
    /// Equal for one file with different signatures, which have different keys.
    resource: Option<String>,
}

/// The kind of store of a file, and its name in this store.
#[derive(Clone)]
pub(crate) enum LocationKind {
    File(PathBuf),
    Object {
        store: StoreKey,
        path: Path,
    },
    Url {
        url: Url,
        object: Option<(StoreKey, Path)>,
    },
    /// A scheme that only a file system of the host may support.
    Other(String),
}

impl Location {
    /// Whether it is a file of this machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.0.place, LocationKind::File(_))
    }

    /// The path of the file in a file system of the host.
    pub(crate) fn host_path(&self) -> Result<Cow<'_, str>, StoreError> {
        Ok(match &self.0.place {
            LocationKind::File(path) => path.to_string_lossy(),
            LocationKind::Object { store: StoreKey::Azure { account, container, sas: Some(Sas(sas)) }, path } => {
                // DuckDB's azure extension reads with secrets only; its httpfs sends the query of a URL.
                let account = account.as_ref().ok_or_else(|| {
                    StoreError::Other(
                        "expected the name of the account in the location, because it has a SAS".to_owned(),
                    )
                })?;
                let path = utf8_percent_encode(path.as_ref(), URL_PATH);
                Cow::Owned(format!("https://{account}.blob.core.windows.net/{container}/{path}?{sas}"))
            }
            LocationKind::Object { store, path } => Cow::Owned(format!("{store}/{path}")),
            LocationKind::Url { url, .. } => Cow::Borrowed(url.as_str()),
            LocationKind::Other(path) => Cow::Borrowed(path),
        })
    }

    pub(crate) fn kind(&self) -> &LocationKind {
        &self.0.place
    }

    /// The key for caches. Two signatures are two keys, so that data read with one credential is never returned for
    /// another.
    pub(crate) fn key(&self) -> &str {
        &self.0.key
    }

    /// The same for two hrefs of one file that differ in their signature only.
    pub(crate) fn resource(&self) -> &str {
        self.0.resource.as_deref().unwrap_or(&self.0.key)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.shown)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({:?})", self.0.shown)
    }
}

/// The scheme and the rest after `://`, if the text starts with a scheme (RFC 3986, section 3.1) of two characters or more.
pub(crate) fn split_scheme(href: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = href.split_once("://")?;
    let mut bytes = scheme.bytes();
    let first = bytes.next()?;
    let rest_is_scheme = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (first.is_ascii_alphabetic() && rest_is_scheme && scheme.len() > 1).then_some((scheme, rest))
}

/// The text of a path or URL without possible secrets.
pub fn redacted(href: &str) -> String {
    match split_scheme(href) {
        Some(_) => redact::url(href),
        None => redact::path(href),
    }
}

#[cfg(test)]
mod tests;
