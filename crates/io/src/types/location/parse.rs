//! Hrefs to locations.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::cloud::{Address, Sas, StoreKey, path_of};
use super::{Inner, Location, LocationKind, redact, split_scheme};
use crate::{Error, Result, StoreError};

/// Longest href in bytes: paths have 4,096 at most, and servers reject URLs of more than about 8,192.
const MAX_LENGTH: usize = 1 << 16;

/// Rejects hrefs and patterns that are longer than any real one.
pub(crate) fn check_length(href: &str) -> Result<()> {
    if href.len() <= MAX_LENGTH {
        return Ok(());
    }
    let what = format!("expected a path or a URL of at most {MAX_LENGTH} bytes, found one of {}", href.len());
    Err(Error::InvalidArgument { what })
}

impl Location {
    /// Parses an href. Fails if it is empty, has an unsupported scheme or an invalid URL.
    pub fn parse(href: &str) -> Result<Self> {
        let location = Self::parse_any(href)?;
        match location.kind() {
            LocationKind::Other(_) => Err(location.unreadable()),
            _ => Ok(location),
        }
    }

    /// Like [`parse`](Self::parse), but accepts schemes that only a file system of the host may support.
    pub fn parse_any(href: &str) -> Result<Self> {
        if href.is_empty() {
            return Err(Error::InvalidArgument { what: "expected a path or a URL, found an empty string".to_owned() });
        }
        check_length(href)?;
        if let Some(inner) = gdal_prefix(href)? {
            return Self::parse_any(&inner);
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
                None => {
                    let (place, key) = (LocationKind::Other(href.to_owned()), href.to_owned());
                    Ok(Self(Arc::new(Inner { place, shown: redact::url(href), key, resource: None })))
                }
            },
        }
    }

    /// The error for a scheme that the clients here do not support.
    pub(crate) fn unreadable(&self) -> Error {
        let shown = &self.0.shown;
        let scheme = shown.split("://").next().unwrap_or_default().to_ascii_lowercase();
        let expected = match scheme.as_str() {
            "r2" => {
                "expected s3://bucket/key, with endpoint=https://ACCOUNT.r2.cloudflarestorage.com in rasteret_credentials \
                 or as AWS_ENDPOINT_URL_S3"
            }
            _ => "expected a path, file://, http(s)://, s3://, gs://, az:// or abfss://",
        };
        Error::InvalidArgument { what: format!("{shown}: scheme {scheme}:// cannot be read ({expected})") }
    }

    /// A local file, as a listing found it.
    pub(crate) fn local(path: PathBuf, shown: String) -> Self {
        // A relative path has another meaning in another working directory; without a working directory the path is the
        // key.
        let key = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let key = format!("file:{}", key.display());
        Self(Arc::new(Inner { place: LocationKind::File(path), shown, key, resource: None }))
    }

    fn file_url(href: &str, path: &str) -> Result<Self> {
        // No writer creates URLs such as `file:relative`, but a file can have such a name.
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
        Ok(Self(Arc::new(Inner { place: LocationKind::Url { url, object }, shown: redact::url(href), key, resource })))
    }

    fn object(href: &str, address: Address) -> Result<Self> {
        if address.key.trim_matches('/').is_empty() {
            return Err(invalid(href, "expected a key after the bucket"));
        }
        let path = path_of(&address.key).ok_or_else(|| {
            invalid(href, "expected a key without empty, '.' or '..' segments and without control characters")
        })?;
        let name = format!("{}/{path}", address.store);
        let (key, resource) = match &address.store {
            StoreKey::Azure { sas: Some(Sas(sas)), .. } => (format!("{name}?{sas}"), Some(name)),
            _ => (name, None),
        };
        let place = LocationKind::Object { store: address.store, path };
        Ok(Self(Arc::new(Inner { place, shown: redact::url(href), key, resource })))
    }
}

/// The href of a path of a GDAL virtual file system; None for other paths.
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
                "only GDAL's prefixes /vsicurl/, /vsis3/, /vsigs/, /vsiaz/ and /vsiadls/ are supported",
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

/// The error for a local file in a remote document, which is not opened, because the author of the document could otherwise choose
/// which local files are read.
pub(crate) fn local_from_remote(href: &str) -> Option<Error> {
    let location = Location::parse(href).ok().filter(Location::is_local)?;
    let fault = StoreError::Other("a remote document cannot refer to a local file".to_owned());
    Some(Error::Store { location, range: None, fault })
}

fn invalid(href: &str, what: &str) -> Error {
    Error::InvalidArgument { what: format!("{}: {what}", redact::url(href)) }
}
