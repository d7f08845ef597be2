//! File access restrictions of a query.
//!
//! Compares locations with DuckDB's settings and with `RASTERET_ALLOWED_PREFIXES`. Every location is checked when it is opened or listed,
//! before any cache lookup, and again for each request and each redirect.
//!
//! | setting | rejects |
//! |---|---|
//! | `enable_external_access = false` | all files but `allowed_paths` and those below `allowed_directories` |
//! | `disabled_filesystems` | all files of the file system that DuckDB would read them through |
//! | `RASTERET_ALLOWED_PREFIXES` | all files that are neither one of its entries nor below one |
//!
//! Locations are compared by [`name`], their canonical form. A file that is renamed or replaced by a link between the check and the
//! opening is not noticed, as in DuckDB.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use url::Url;

use crate::runtime::interrupt::Patience;
use crate::types::location::{Address, LocationKind, name};
use crate::types::options::ALLOWED_PREFIXES;
use crate::{Error, Location, Result, StoreError};

/// The locations that the host lets a query open; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Files that may be opened with `enable_external_access = false`.
    pub allowed: Option<AllowedFiles>,
    /// `disabled_filesystems`.
    pub disabled: Vec<FileSystem>,
}

/// The host's `allowed_directories` and `allowed_paths`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedFiles {
    /// All files below these may be opened.
    pub directories: Vec<String>,
    /// These files may be opened.
    pub paths: Vec<String>,
}

/// DuckDB's file systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileSystem {
    /// Local files.
    Local,
    /// `http://` and `https://`, of the extension httpfs.
    Http,
    /// `s3://` and `gs://`, of the extension httpfs.
    S3,
    /// `az://` and other URLs of blobs, of the extension azure.
    AzureBlob,
    /// `abfss://`, of the extension azure.
    AzureDfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Local, Self::Http, Self::S3, Self::AzureBlob, Self::AzureDfs];

    /// DuckDB's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "LocalFileSystem",
            Self::Http => "HTTPFileSystem",
            Self::S3 => "S3FileSystem",
            Self::AzureBlob => "AzureBlobStorageFileSystem",
            Self::AzureDfs => "AzureDfsStorageFileSystem",
        }
    }
}

/// The locations that one query may open. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Of `RASTERET_ALLOWED_PREFIXES`.
    prefixes: Option<Arc<Rules>>,
    policy: RwLock<Arc<Compiled>>,
    /// Whether the policy denies anything; if nothing is locked, this is the only check.
    is_restricted: AtomicBool,
}

#[derive(Debug, Default)]
struct Compiled {
    allowed: Option<Rules>,
    disabled: Vec<FileSystem>,
    /// Time limit for retries of allowed requests.
    patience: Patience,
}

impl Access {
    /// Access to files with these prefixes; None: to all.
    pub(crate) fn new(prefixes: Option<&[String]>) -> Self {
        let prefixes = prefixes.map(|prefixes| Arc::new(Rules::new(prefixes, prefixes)));
        Self(Arc::new(Inner { prefixes, ..Inner::default() }))
    }

    /// Access for another query, under the same prefixes.
    pub(crate) fn with_policy(&self, policy: &AccessPolicy) -> Self {
        let access = Self(Arc::new(Inner { prefixes: self.0.prefixes.clone(), ..Inner::default() }));
        access.set_policy(policy);
        access
    }

    /// Replaces the policy for all clones: a prepared statement is executed under the settings of that time.
    pub(crate) fn set_policy(&self, policy: &AccessPolicy) {
        let AccessPolicy { allowed, disabled } = policy;
        let allowed = allowed.as_ref().map(|allowed| Rules::new(&allowed.directories, &allowed.paths));
        let is_restricted = allowed.is_some() || !disabled.is_empty();
        *self.0.policy.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Compiled { allowed, disabled: disabled.clone(), patience: Patience::default() });
        self.0.is_restricted.store(is_restricted, Ordering::Release);
    }

    /// Whether the query may retry a request after `wait`, within the time limit `total` for all its retries.
    pub(crate) fn may_repeat(&self, wait: Duration, total: Duration) -> bool {
        let policy = Arc::clone(&self.0.policy.read().unwrap_or_else(PoisonError::into_inner));
        policy.patience.allows(wait, total)
    }

    /// Whether any location is denied.
    pub(crate) fn is_restricted(&self) -> bool {
        self.0.prefixes.is_some() || self.0.is_restricted.load(Ordering::Acquire)
    }

    /// Whether a file may be opened.
    pub(crate) fn check(&self, location: &Location) -> Result<()> {
        self.permit(location).map_err(|fault| Error::Store { location: location.clone(), range: None, fault })
    }

    /// Like `check`, for callers that add the location to the error.
    pub(crate) fn permit(&self, location: &Location) -> Result<(), StoreError> {
        if !self.is_restricted() {
            return Ok(());
        }
        let place = location.kind();
        self.decide(file_system(place, location), name::of_place(place).as_deref(), || location.to_string())
    }

    /// Whether a redirect to a URL may be followed.
    pub(crate) fn permit_url(&self, url: &Url) -> Result<(), StoreError> {
        if !self.is_restricted() {
            return Ok(());
        }
        self.decide(FileSystem::Http, name::of_url(url).as_deref(), || crate::types::location::redacted(url.as_str()))
    }

    /// Whether local files that match a pattern may be listed.
    pub(crate) fn check_local_pattern(&self, pattern: &str) -> Result<()> {
        match self.is_restricted() {
            true => self.check(&Location::local(pattern.into(), crate::types::location::redacted(pattern))),
            false => Ok(()),
        }
    }

    /// Whether objects that match a pattern may be listed.
    pub(crate) fn check_remote_pattern(&self, pattern: &str, address: &Address) -> Result<(), StoreError> {
        if !self.is_restricted() {
            return Ok(());
        }
        let system = of_scheme(pattern);
        // Cloud URLs are compared as written, other hrefs by their address.
        let name = match system {
            FileSystem::Http => Url::parse(pattern).ok().and_then(|url| name::of_url(&url)),
            _ => name::of_address(address),
        };
        self.decide(system, name.as_deref(), || crate::types::location::redacted(pattern))
    }

    fn decide(&self, system: FileSystem, name: Option<&str>, shown: impl Fn() -> String) -> Result<(), StoreError> {
        let policy = Arc::clone(&self.0.policy.read().unwrap_or_else(PoisonError::into_inner));
        if policy.disabled.contains(&system) {
            return Err(StoreError::Denied(format!(
                "File system {} has been disabled by configuration",
                system.name()
            )));
        }
        let is_allowed = |rules: &Rules| name.is_some_and(|name| rules.allow(name));
        if policy.allowed.as_ref().is_some_and(|rules| !is_allowed(rules)) {
            let what =
                format!("Cannot access file \"{}\" - file system operations are disabled by configuration", shown());
            return Err(StoreError::Denied(what));
        }
        if self.0.prefixes.as_deref().is_some_and(|rules| !is_allowed(rules)) {
            let what = format!("Cannot access file \"{}\" - no prefix in {ALLOWED_PREFIXES} allows it", shown());
            return Err(StoreError::Denied(what));
        }
        Ok(())
    }
}

/// Returns the file system that DuckDB would use for the file.
fn file_system(place: &LocationKind, location: &Location) -> FileSystem {
    match place {
        LocationKind::File(_) => FileSystem::Local,
        LocationKind::Url { .. } => FileSystem::Http,
        LocationKind::Object { .. } => of_scheme(&location.to_string()),
        // The host rejects such a file if its own file system is disabled.
        LocationKind::Other(_) => FileSystem::Local,
    }
}

fn of_scheme(href: &str) -> FileSystem {
    let scheme = href.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    match scheme.as_str() {
        "http" | "https" => FileSystem::Http,
        "az" | "azure" | "adl" => FileSystem::AzureBlob,
        "abfs" | "abfss" => FileSystem::AzureDfs,
        _ => FileSystem::S3,
    }
}

/// Canonical names of files that may be opened.
#[derive(Debug)]
struct Rules {
    /// Each ends in a slash.
    directories: Vec<String>,
    paths: HashSet<String>,
}

impl Rules {
    fn new(directories: &[String], paths: &[String]) -> Self {
        let directories = directories.iter().filter_map(|text| name::of_entry(text)).map(|mut name| {
            if !name.ends_with('/') {
                name.push('/');
            }
            name
        });
        let paths = paths.iter().filter_map(|text| name::of_entry(text));
        Self { directories: directories.collect(), paths: paths.collect() }
    }

    fn allow(&self, name: &str) -> bool {
        self.paths.contains(name) || self.directories.iter().any(|directory| name.starts_with(directory))
    }
}
