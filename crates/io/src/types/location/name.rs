//! Canonical names of locations: all notations of a file have the same name.
//!
//! | location | name |
//! |---|---|
//! | local | the absolute path, links and `..` resolved as far as there are such files, as DuckDB since 1.5 does |
//! | `http(s)` | the URL as RFC 3986 normalises it (case of the host, `.` and `..`, also percent-encoded, default port), repeated slashes as one |
//! | object | `s3://bucket/key`, `gs://bucket/key`, `az://container/key` or `az://account.blob.core.windows.net/container/key` |
//!
//! A remote location that some server may resolve to another folder (`..` hidden in a percent-encoding) has no name, so that no
//! prefix allows it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

use super::cloud::{Address, StoreKey};
use super::{LocationKind, split_scheme};

/// Number of times a path is decoded to find hidden segments: proxies and servers decode once each.
const DECODINGS: usize = 3;

/// Schemes of URLs as DuckDB up to 1.5 stores them in `allowed_directories` while httpfs is not loaded: a path below the working
/// directory, its slashes joined.
const SCHEMES: &[&str] =
    &["http", "https", "s3", "s3a", "s3n", "gs", "gcs", "az", "azure", "adl", "abfs", "abfss", "r2", "hf"];

/// The name of a location.
pub(crate) fn of_place(place: &LocationKind) -> Option<Cow<'_, str>> {
    match place {
        LocationKind::File(path) => Some(of_path(path).into()),
        LocationKind::Url { url, .. } => of_url(url).map(Cow::Owned),
        LocationKind::Object { store, path } => of_object(store, path.as_ref()).map(Cow::Owned),
        // The meaning of such a path depends on the host: no prefix allows it.
        LocationKind::Other(_) => None,
    }
}

/// The name of objects at an address, including patterns.
pub(crate) fn of_address(address: &Address) -> Option<String> {
    of_object(&address.store, &address.key)
}

fn of_object(store: &StoreKey, key: &str) -> Option<String> {
    (!has_parent(key)).then(|| format!("{store}/{key}"))
}

/// The name of a URL.
pub(crate) fn of_url(url: &Url) -> Option<String> {
    let mut decoded = url.path().to_owned();
    for _ in 0..DECODINGS {
        if has_parent(&decoded) {
            return None;
        }
        decoded = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
    }
    if has_parent(&decoded) {
        return None;
    }
    let mut url = url.clone();
    url.set_fragment(None);
    let path = joined_slashes(url.path());
    url.set_path(&path);
    Some(url.into())
}

fn has_parent(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| segment == "..")
}

fn joined_slashes(path: &str) -> String {
    let mut joined = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !joined.ends_with('/') {
            joined.push(character);
        }
    }
    joined
}

/// The name of an entry of a setting; None if it cannot be a file.
pub(crate) fn of_entry(entry: &str) -> Option<String> {
    let entry = entry.trim();
    if entry.is_empty() {
        return None;
    }
    let remote = remote_entry(entry);
    let Some((scheme, rest)) = split_scheme(remote.as_deref().unwrap_or(entry)) else {
        return Some(of_path(Path::new(entry)));
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => of_url(&Url::parse(&format!("{scheme}://{rest}")).ok()?),
        "file" => Some(of_path(&Url::parse(entry).ok()?.to_file_path().ok()?)),
        _ => of_address(&Address::parse(&scheme, rest)?.ok()?),
    }
}

/// A URL in which DuckDB has merged slashes.
fn remote_entry(entry: &str) -> Option<String> {
    let mut start = 0;
    for segment in entry.split('/') {
        let scheme = segment.strip_suffix(':').filter(|scheme| SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()));
        if let Some(scheme) = scheme {
            let rest = &entry[start + segment.len()..];
            return Some(format!("{scheme}://{}", rest.trim_start_matches('/')));
        }
        start += segment.len() + 1;
    }
    None
}

/// The absolute path with forward slashes, with links resolved in its existing part. Nothing behind a part that does
/// not exist can be opened, so `..` is resolved textually there.
pub(crate) fn of_path(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut existing: Vec<Component<'_>> = absolute.components().collect();
    let mut missing: Vec<OsString> = Vec::new();
    let mut parents = 0_usize;
    let resolved = loop {
        let current: PathBuf = existing.iter().collect();
        if parents == 0
            && let Ok(real) = current.canonicalize()
        {
            break real;
        }
        match existing.last() {
            Some(Component::ParentDir) => parents += 1,
            Some(Component::Normal(_)) if parents > 0 => parents -= 1,
            Some(Component::Normal(name)) => missing.push((*name).to_owned()),
            Some(Component::CurDir) => {}
            Some(Component::RootDir | Component::Prefix(_)) | None => break current,
        }
        existing.pop();
    };
    let whole: PathBuf = std::iter::once(resolved.into_os_string()).chain(missing.into_iter().rev()).collect();
    let text = whole.to_string_lossy();
    if cfg!(windows) { text.trim_start_matches(r"\\?\").replace('\\', "/") } else { text.into_owned() }
}
