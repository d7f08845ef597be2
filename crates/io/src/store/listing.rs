//! Expands paths and globs to hrefs.
//!
//! `*` and `?` match within a name, `[abc]` and `[!a-z]` one character, and `**` as a whole segment any number of directories.
//! Web servers are not listed, because HTTP has no listing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::path::Path;

use super::local_glob::{self, GlobFault, Segment, is_glob};
use super::{Stores, pages, stats};
use crate::types::location::{Address, Sas, StoreKey, check_length, split_sas, split_scheme};
use crate::{Error, Location, Result, StoreError};

/// Directories of one pattern listed side by side.
const LISTINGS_AT_ONCE: usize = 16;

impl Stores {
    /// The hrefs that match patterns, those of each pattern sorted, in the order of the patterns. A path matches
    /// itself, whether the file exists or not; a glob matches files, local or in an object store, and is an error if
    /// there are none. Blocks the calling thread.
    pub fn files(&self, patterns: &[&str]) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for pattern in patterns {
            files.extend(self.matches(pattern)?);
        }
        Ok(files)
    }

    fn matches(&self, pattern: &str) -> Result<Vec<String>> {
        check_length(pattern)?;
        if !is_glob(without_sas(pattern)) {
            // Invalid paths fail here, before anything is read.
            self.locate(pattern)?;
            return Ok(vec![pattern.to_owned()]);
        }
        if let Some(files) = self.host_files() {
            return match is_literal_url(pattern) {
                true => Ok(vec![pattern.to_owned()]),
                false => Err(invalid(pattern, files.listing_hint())),
            };
        }
        let found = match split_scheme(pattern) {
            None => self.local(pattern)?,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => {
                self.local(pattern.split_at("file://".len()).1)?
            }
            Some((scheme, rest)) => match remote(pattern, scheme, rest)? {
                Some(listing) => self.block_on(self.objects(pattern, listing))??,
                None => vec![pattern.to_owned()],
            },
        };
        match found.is_empty() {
            true => Err(invalid(pattern, "no files found that match the pattern")),
            false => Ok(found),
        }
    }

    /// Local files that match, each of them one that the query may open.
    fn local(&self, pattern: &str) -> Result<Vec<String>> {
        let access = self.access();
        access.check_local_pattern(pattern)?;
        let max = self.memory().of_listing();
        let found = local(pattern, |bytes| {
            self.query().check()?;
            match bytes > max {
                true => Err(invalid(
                    pattern,
                    &format!("the files that match take more than {max} bytes, half of memory_limit"),
                )),
                false => Ok(()),
            }
        })?;
        if access.is_restricted() {
            for file in &found {
                access.check(&Location::local(PathBuf::from(file), crate::types::location::redacted(file)))?;
            }
        }
        Ok(found)
    }

    async fn objects(&self, pattern: &str, listing: Listing) -> Result<Vec<String>> {
        let Listing { head, address, tail } = listing;
        let fault = |fault: StoreError| match fault {
            StoreError::Denied(_) => denied(pattern, fault),
            fault => invalid(pattern, &fault.to_string()),
        };
        self.access().check_remote_pattern(pattern, &address).map_err(fault)?;
        let store = self.registry().store_of(&address, self.access()).await.map_err(fault)?;
        let mut segments = Vec::new();
        for segment in address.key.split('/').filter(|segment| !segment.is_empty()) {
            segments.push(Segment::parse(segment).map_err(|what| invalid(pattern, &what))?);
        }
        let walk = pages::bounded(self.memory().of_listing(), walk(store, segments));
        let keys = stats::of_store(&address.store).scope(walk).await;
        let keys = keys.map_err(|error| fault(StoreError::of_store(&error)))?;
        Ok(keys.into_iter().map(|key| format!("{head}{key}{tail}")).collect())
    }
}

/// Keys that match, sorted. Lists no deeper than the pattern goes, until its first `**`.
async fn walk(store: Arc<dyn ObjectStore>, segments: Vec<Segment>) -> object_store::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut directories = vec![Path::default()];
    for (depth, segment) in segments.iter().enumerate() {
        let is_last = depth + 1 == segments.len();
        match segment {
            Segment::Name(name) if !is_last => {
                for directory in &mut directories {
                    *directory = literal(directory, name)?;
                }
            }
            Segment::AnyDirectories => {
                let rest = &segments[depth..];
                for directory in &directories {
                    let prefix = (!directory.as_ref().is_empty()).then_some(directory);
                    let mut listed = store.list(prefix);
                    while let Some(object) = listed.try_next().await? {
                        let key = object.location.as_ref();
                        let names = below(directory, key).map(|names| names.split('/').collect::<Vec<_>>());
                        if names.is_some_and(|names| fits(rest, &names)) {
                            pages::keep(std::iter::once(key)).map_err(store_error)?;
                            found.insert(key.to_owned());
                        }
                    }
                }
                return Ok(found);
            }
            _ => {
                let listings = stream::iter(directories.drain(..))
                    .map(|directory| {
                        let store = store.clone();
                        async move {
                            let listing = store.list_with_delimiter(Some(&directory)).await?;
                            Ok::<_, object_store::Error>((directory, listing))
                        }
                    })
                    .buffer_unordered(LISTINGS_AT_ONCE)
                    .try_collect::<Vec<_>>()
                    .await?;
                for (directory, listing) in listings {
                    let named = |path: &Path| {
                        below(&directory, path.as_ref())
                            .is_some_and(|name| !name.contains('/') && segment.matches(name))
                    };
                    if is_last {
                        let objects = listing.objects.into_iter().map(|object| object.location);
                        found.extend(objects.filter(named).map(String::from));
                    } else {
                        directories.extend(listing.common_prefixes.into_iter().filter(named));
                    }
                }
            }
        }
    }
    Ok(found)
}

fn store_error(fault: StoreError) -> object_store::Error {
    object_store::Error::Generic { store: "listing", source: Box::new(fault) }
}

/// A child by its literal name: `Path::join` would percent-encode it.
fn literal(directory: &Path, name: &str) -> object_store::Result<Path> {
    let path = match directory.as_ref() {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    };
    Path::parse(path).map_err(|source| object_store::Error::InvalidPath { source })
}

/// The segments of a key below a directory; None for other keys, which a server should not list.
fn below<'a>(directory: &Path, key: &'a str) -> Option<&'a str> {
    match directory.as_ref() {
        "" => Some(key),
        directory => key.strip_prefix(directory)?.strip_prefix('/'),
    }
}

/// Whether the segments of a key match those of a pattern. The time is proportional to both, for any number of `**`.
fn fits(pattern: &[Segment], key: &[&str]) -> bool {
    // For each number of names, whether the segments so far match exactly these.
    let mut matched = vec![false; key.len() + 1];
    matched[0] = true;
    for (at, segment) in pattern.iter().enumerate() {
        match segment {
            // At the end it matches any file below; before that any number of directories, including none.
            Segment::AnyDirectories => {
                let mut is_reached = false;
                for found in &mut matched {
                    let was = std::mem::replace(found, is_reached);
                    is_reached |= was;
                    *found |= was && at + 1 < pattern.len();
                }
            }
            _ => {
                for (count, name) in key.iter().enumerate().rev() {
                    matched[count + 1] = matched[count] && segment.matches(name);
                }
                matched[0] = false;
            }
        }
    }
    matched.last().copied().unwrap_or_default()
}

/// Store and prefix to list, and the text before and after matching keys.
struct Listing {
    head: String,
    address: Address,
    /// A signature.
    tail: String,
}

/// The pattern without its signature, whose question mark is not a wildcard.
fn without_sas(pattern: &str) -> &str {
    match split_scheme(pattern) {
        Some((scheme, _)) if !scheme.eq_ignore_ascii_case("file") => split_sas(pattern).0,
        _ => pattern,
    }
}

/// The listing of a pattern; None for a URL that is not a pattern.
fn remote(pattern: &str, scheme: &str, rest: &str) -> Result<Option<Listing>> {
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        let Some(address) = Address::parse(&scheme, rest) else {
            Location::parse(pattern)?;
            return Ok(None);
        };
        let address = address.map_err(|what| invalid(pattern, &what))?;
        let tail = tail_of(&address);
        let head = pattern[..pattern.len() - address.key.len() - tail.len()].to_owned();
        return match is_glob(&head) {
            true => Err(invalid(pattern, "expected a bucket or container without wildcards")),
            false => Ok(Some(Listing { head, address, tail })),
        };
    }
    // `?` starts the query string and brackets are literal: only a star cannot be meant for the server.
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    if !path.contains('*') {
        Location::parse(pattern)?;
        return Ok(None);
    }
    let url = url::Url::parse(pattern).map_err(|error| invalid(pattern, &format!("not a valid URL: {error}")))?;
    let is_signed = |address: &Address| matches!(address.store, StoreKey::Azure { sas: Some(_), .. });
    match Address::of_url(&url).filter(|address| url.query().is_none() || is_signed(address)) {
        Some(address) => Ok(Some(Listing { head: format!("{}/", address.store), tail: tail_of(&address), address })),
        None => {
            Err(invalid(pattern, "http has no listing: expected a URL without *, or a bucket as s3://, gs:// or az://"))
        }
    }
}

/// Whether a pattern is an HTTP URL without a star, whose other wildcards are ordinary characters.
fn is_literal_url(pattern: &str) -> bool {
    split_scheme(pattern).is_some_and(|(scheme, rest)| {
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
            && !rest.split(['?', '#']).next().unwrap_or(rest).contains('*')
    })
}

fn tail_of(address: &Address) -> String {
    match &address.store {
        StoreKey::Azure { sas: Some(Sas(sas)), .. } => format!("?{sas}"),
        _ => String::new(),
    }
}

/// Local files that match, sorted. `check` is called with the bytes of their names.
fn local(pattern: &str, check: impl Fn(u64) -> Result<()>) -> Result<Vec<String>> {
    // A file that is named like the pattern is meant by it.
    if PathBuf::from(pattern).exists() {
        return Ok(vec![pattern.to_owned()]);
    }
    let found = local_glob::files(pattern, check).map_err(|fault| match fault {
        GlobFault::Pattern(what) => invalid(pattern, &what),
        GlobFault::Folder(path, error) => {
            let location = Location::local(path.clone(), path.display().to_string());
            Error::Store { location, range: None, fault: StoreError::of_file(&error) }
        }
        GlobFault::Caller(error) => error,
    })?;
    let text = |path: PathBuf| {
        let path = path.into_os_string().into_string();
        path.map_err(|_| invalid(pattern, "a file that matches has a name that is not UTF-8"))
    };
    let mut found = found.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found)
}

/// A denial by a lock, as an error about the pattern.
fn denied(pattern: &str, fault: StoreError) -> Error {
    Error::Store {
        location: Location::local(PathBuf::from(pattern), crate::types::location::redacted(pattern)),
        range: None,
        fault,
    }
}

fn invalid(pattern: &str, what: &str) -> Error {
    Error::InvalidArgument { what: format!("{what}: '{}'", crate::types::location::redacted(pattern)) }
}
