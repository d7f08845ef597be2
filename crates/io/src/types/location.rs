//! Where a file is: the text that a user or a catalogue calls an href, understood once.
//!
//! Owns every rule about how locations are written, and that their secrets are never shown. Refuses schemes that no store
//! here can read, by name, instead of treating them as local paths.
//!
//! | written | is |
//! |---|---|
//! | `a/b.tif`, `/a/b.tif`, `file:///a/b%20c.tif` | a local file; only `file:` is percent-decoded |
//! | `s3://`, `s3a://`, `gs://`, `gcs://` + `bucket/key` | an object; the key is literal, as in the clouds' own tools |
//! | `az://`, `azure://`, `adl://` + `container/key` | an object of the account that the environment names |
//! | `az://account.blob.core.windows.net/container/key` | an object, the account named (the form of DuckDB's azure extension) |
//! | `abfss://container@account.dfs.core.windows.net/key` | the same, in Hadoop's form |
//! | `http://`, `https://` | a URL; the query string is sent with every request |
//! | `https://` + a host of S3, GCS or Azure | a URL, and an object where credentials are to be used or a glob is to be listed |
//! | `/vsicurl/`, `/vsis3/`, `/vsigs/`, `/vsiaz/`, `/vsiadls/` | what GDAL means by them |

mod cloud;
mod redact;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::path::Path;
use url::Url;

pub(crate) use cloud::{Address, StoreKey, path_of};

use crate::{Error, Fault, Result};

/// Where a file is. `Display` and `Debug` are redacted: no query string, no user, no password, no token. Cheap to clone.
#[derive(Clone)]
pub struct Location(Arc<Inner>);

struct Inner {
    place: Place,
    /// What may be shown.
    shown: String,
    /// What tells this file, as its caller may read it, from others: a signature, a user and a password are a part of it.
    key: String,
    /// The same for one file under two signatures, where that is not the key.
    resource: Option<String>,
}

/// Which kind of store a file is in, and what that store calls it.
#[derive(Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Object { store: StoreKey, path: Path },
    Url { url: Url, object: Option<(StoreKey, Path)> },
}

impl Location {
    /// Understands an href. Fails on an empty one, on a scheme that cannot be read and on what is not a URL.
    pub fn parse(href: &str) -> Result<Self> {
        if href.is_empty() {
            return Err(Error::InvalidArgument { what: "expected a path or a URL, found an empty string".to_owned() });
        }
        if let Some(inner) = gdal_prefix(href)? {
            return Self::parse(&inner);
        }
        if let Some(path) = href.strip_prefix("file:") {
            return Self::file_url(href, path);
        }
        let Some((scheme, rest)) = split_scheme(href) else {
            return Ok(Self::local(PathBuf::from(href), redact::path(href)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Self::url(href),
            scheme => match Address::parse(scheme, rest) {
                Some(address) => Self::object(href, address.map_err(|what| invalid(href, &what))?),
                None => Err(invalid(
                    href,
                    &format!(
                        "scheme {}:// cannot be read (expected a path, file://, http(s)://, s3://, gs://, az:// or abfss://)",
                        redact::text(scheme)
                    ),
                )),
            },
        }
    }

    /// A local file, as a listing found it.
    pub(crate) fn local(path: PathBuf, shown: String) -> Self {
        // Two working directories give one relative path two meanings; where there is none the path keys itself.
        let key = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let key = format!("file:{}", key.display());
        Self(Arc::new(Inner { place: Place::File(path), shown, key, resource: None }))
    }

    fn file_url(href: &str, path: &str) -> Result<Self> {
        // `file:relative` is no URL that any writer makes, but a file can be named so.
        if !path.starts_with('/') {
            return Ok(Self::local(PathBuf::from(href), redact::path(href)));
        }
        let url = Url::parse(href).map_err(|error| invalid(href, &format!("not a valid URL: {error}")))?;
        match url.to_file_path() {
            Ok(path) => {
                let shown = redact::path(&path.to_string_lossy());
                Ok(Self::local(path, shown))
            }
            Err(()) => Err(invalid(href, "expected file:///path, found a file URL with a host")),
        }
    }

    fn url(href: &str) -> Result<Self> {
        let mut url = Url::parse(href).map_err(|error| invalid(href, &format!("not a valid URL: {error}")))?;
        // A fragment is the client's own (RFC 3986, section 3.5): it is never sent.
        url.set_fragment(None);
        let (key, resource) = (url.to_string(), Some(redact::without_signature(&url)));
        let signed = url.query().is_some();
        let object = if signed { None } else { Address::of_url(&url) };
        let object = object.and_then(|address| Some((address.store, path_of(&address.key)?)));
        Ok(Self(Arc::new(Inner { place: Place::Url { url, object }, shown: redact::url(href), key, resource })))
    }

    fn object(href: &str, address: Address) -> Result<Self> {
        if address.key.trim_matches('/').is_empty() {
            return Err(invalid(href, "expected a key after the bucket"));
        }
        let path = path_of(&address.key).ok_or_else(|| {
            invalid(href, "expected a key without empty, '.' or '..' segments and without control characters")
        })?;
        let key = format!("{}/{path}", address.store);
        let place = Place::Object { store: address.store, path };
        Ok(Self(Arc::new(Inner { place, shown: redact::url(href), key, resource: None })))
    }

    /// Whether it is a file of this machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.0.place, Place::File(_))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// What caches know it by. Two signatures are two keys: what one credential has read is not given to another.
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

/// `scheme` and what follows `://`, where the text starts with a scheme (RFC 3986, section 3.1) of two characters or more.
pub(crate) fn split_scheme(href: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = href.split_once("://")?;
    let mut bytes = scheme.bytes();
    let first = bytes.next()?;
    let rest_is_scheme = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (first.is_ascii_alphabetic() && rest_is_scheme && scheme.len() > 1).then_some((scheme, rest))
}

/// What one of GDAL's virtual file systems stands for; None where the text names none.
fn gdal_prefix(href: &str) -> Result<Option<String>> {
    let Some(rest) = href.strip_prefix("/vsi") else {
        return Ok(None);
    };
    let (name, path) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => return Ok(None),
    };
    let below = path.strip_prefix('/').unwrap_or(path);
    let inner = match name.strip_suffix("_streaming").unwrap_or(name) {
        "curl" => match path.strip_prefix('?') {
            Some(query) => url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == "url")
                .map(|(_, url)| url.into_owned())
                .ok_or_else(|| invalid("/vsicurl", "expected url=... among the options"))?,
            None => below.to_owned(),
        },
        "s3" => format!("s3://{below}"),
        "gs" => format!("gs://{below}"),
        "az" => format!("az://{below}"),
        "adls" => format!("abfss://{below}"),
        // An archive, a piece of a file or memory of another process: no store here reads those.
        "zip" | "gzip" | "tar" | "7z" | "rar" | "mem" | "subfile" | "stdin" | "sparse" | "crypt" | "cached" | "oss"
        | "swift" | "hdfs" | "webhdfs" => {
            return Err(invalid(
                &format!("/vsi{name}"),
                "GDAL's /vsicurl/, /vsis3/, /vsigs/, /vsiaz/ and /vsiadls/ can be read, others not",
            ));
        }
        _ => return Ok(None),
    };
    // One prefix is unwrapped: a chain of them is nothing that GDAL would accept either.
    if inner.starts_with("/vsi") {
        return Err(invalid(&format!("/vsi{name}"), "expected a URL after the prefix, found another /vsi prefix"));
    }
    Ok(Some(inner))
}

/// Why a file that a document names is not opened: a local one, where the document came over the network. Its author would choose
/// what is read on this machine.
pub(crate) fn local_from_remote(href: &str) -> Option<Error> {
    let location = Location::parse(href).ok().filter(Location::is_local)?;
    let fault = Fault::Other("a remote document cannot refer to a local file".to_owned());
    Some(Error::Store { location, range: None, fault })
}

/// The text without what may be secret in it.
pub(crate) fn redacted(href: &str) -> String {
    match split_scheme(href) {
        Some(_) => redact::url(href),
        None => redact::path(href),
    }
}

fn invalid(href: &str, what: &str) -> Error {
    Error::InvalidArgument { what: format!("{}: {what}", redact::url(href)) }
}

#[cfg(test)]
mod tests;
