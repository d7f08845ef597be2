//! Counts requests, bytes and cache hits per origin, over all sessions of the process.
//!
//! Names of origins contain no secrets, and their number is limited. Counters are atomics; looking up those of a location takes a
//! read lock and allocates nothing.
//!
//! | location | origin |
//! |---|---|
//! | local | `file://` |
//! | URL | scheme, host and port: `https://example.org`, `http://127.0.0.1:8080` |
//! | scheme of a file system of the host | `memory://` |
//! | object | bucket or container: `s3://bucket`, `gs://bucket`, `az://account.blob.core.windows.net/container` |
//!
//! Requests for a file are made in lower layers, in part by `object_store`, which has no origins. They are counted for the origin of the
//! file in whose [`Counters::scope`] they are made, including requests for redirects and tokens.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use url::{Position, Url};

use crate::types::location::{LocationKind, StoreKey, split_scheme};
use crate::{Location, PerProcess};

/// Maximum number of origins with separate counters. A catalog may contain any number of hosts, but more than this are rare.
const MAX_ORIGINS: usize = 1_000;

/// The name of all origins beyond [`MAX_ORIGINS`], and of requests that do not belong to a file.
const OTHER: &str = "(other)";

/// The name of local files.
const LOCAL: &str = "file://";

tokio::task_local! {
    /// The counters of the file of a task.
    static CURRENT: Arc<Counters>;
}

/// The counts of one origin since the process has loaded the extension, or was forked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginStats {
    /// See the module's table; holds no user, password, query string or token.
    pub origin: String,
    /// HTTP requests sent, repetitions and redirects included; reads of local files; files opened and read through a file system of the
    /// host.
    pub requests: u64,
    /// Bytes received in bodies of responses, or read of local files.
    pub bytes: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Requests that failed in the end.
    pub errors: u64,
    /// Headers that were in the cache.
    pub headers_from_cache: u64,
    /// Decoded tiles that were in the cache.
    pub tiles_from_cache: u64,
    /// Sent requests without a response.
    pub in_flight: u64,
}

/// The counts of all origins, sorted by name.
pub fn stats() -> Vec<OriginStats> {
    let stats = here();
    let mut rows = Vec::new();
    {
        let origins = stats.origins.read().unwrap_or_else(PoisonError::into_inner);
        rows.extend(origins.urls.iter().map(|(origin, counters)| counters.read(origin.clone())));
        rows.extend(origins.stores.iter().map(|(key, counters)| counters.read(key.to_string())));
    }
    for (name, counters) in [(LOCAL, &stats.local), (OTHER, &stats.other)] {
        let row = counters.read(name.to_owned());
        if row != (OriginStats { origin: row.origin.clone(), ..OriginStats::default() }) {
            rows.push(row);
        }
    }
    rows.sort_by(|one, other| one.origin.cmp(&other.origin));
    rows
}

/// The counters of one origin.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    retries: AtomicU64,
    errors: AtomicU64,
    headers_from_cache: AtomicU64,
    tiles_from_cache: AtomicU64,
    in_flight: AtomicU64,
}

/// A request in flight, until it is dropped.
pub(crate) struct InFlight(Arc<Counters>);

/// All counters of a process. A forked child begins with none.
#[derive(Debug, Default)]
struct Stats {
    local: Arc<Counters>,
    other: Arc<Counters>,
    origins: RwLock<Origins>,
}

#[derive(Debug, Default)]
struct Origins {
    urls: HashMap<String, Arc<Counters>>,
    stores: HashMap<StoreKey, Arc<Counters>>,
}

/// The counters of a location.
pub(crate) fn of(location: &Location) -> Arc<Counters> {
    match location.kind() {
        LocationKind::File(_) => local(),
        LocationKind::Url { url, .. } => of_url(url),
        LocationKind::Object { store, .. } => of_store(store),
        LocationKind::Other(path) => of_scheme(path),
    }
}

/// The counters of local files.
pub(crate) fn local() -> Arc<Counters> {
    here().local.clone()
}

/// The counters of a URL's server.
pub(crate) fn of_url(url: &Url) -> Arc<Counters> {
    let has_user = !url.username().is_empty() || url.password().is_some();
    let name = match has_user {
        true => Cow::Owned(url.origin().ascii_serialization()),
        false => Cow::Borrowed(&url[..Position::BeforePath]),
    };
    here().find(
        |origins| origins.urls.get(name.as_ref()).cloned(),
        |origins| origins.urls.entry(name.clone().into_owned()).or_default().clone(),
    )
}

/// The counters of all locations of a scheme that only a file system of the host supports: the rest of such a location has no defined form.
fn of_scheme(path: &str) -> Arc<Counters> {
    let name = format!("{}://", split_scheme(path).map_or("", |(scheme, _)| scheme));
    here().find(
        |origins| origins.urls.get(&name).cloned(),
        |origins| origins.urls.entry(name.clone()).or_default().clone(),
    )
}

/// The counters of a bucket or container.
pub(crate) fn of_store(key: &StoreKey) -> Arc<Counters> {
    here().find(
        |origins| origins.stores.get(key).cloned(),
        |origins| origins.stores.entry(key.clone()).or_default().clone(),
    )
}

/// The counters that requests of this task belong to.
pub(crate) fn current() -> Arc<Counters> {
    CURRENT.try_with(Arc::clone).unwrap_or_else(|_| here().other.clone())
}

fn here() -> &'static Stats {
    static STATS: PerProcess<Stats> = PerProcess::new();
    STATS.get_or_make(|_| Stats::default())
}

impl Stats {
    fn find(
        &self,
        known: impl FnOnce(&Origins) -> Option<Arc<Counters>>,
        add: impl FnOnce(&mut Origins) -> Arc<Counters>,
    ) -> Arc<Counters> {
        if let Some(counters) = known(&self.origins.read().unwrap_or_else(PoisonError::into_inner)) {
            return counters;
        }
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it since: then `add` finds it.
        match origins.urls.len() + origins.stores.len() < MAX_ORIGINS {
            true => add(&mut origins),
            false => self.other.clone(),
        }
    }
}

impl Counters {
    /// Runs a future and counts its requests.
    pub(crate) async fn scope<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(Arc::clone(self), future).await
    }

    pub(crate) fn add_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_cached_header(&self) {
        self.headers_from_cache.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_cached_tiles(&self, tiles: u64) {
        self.tiles_from_cache.fetch_add(tiles, Ordering::Relaxed);
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    fn read(&self, origin: String) -> OriginStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OriginStats {
            origin,
            requests: read(&self.requests),
            bytes: read(&self.bytes),
            retries: read(&self.retries),
            errors: read(&self.errors),
            headers_from_cache: read(&self.headers_from_cache),
            tiles_from_cache: read(&self.tiles_from_cache),
            in_flight: read(&self.in_flight),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn origins_contain_no_secrets() {
        of_url(&url("https://user:SECRET@origins.example:8443/a/b.tif?sig=SECRET")).add_request();
        of_url(&url("https://origins.example:8443/c.tif")).add_request();
        let found = stats();
        let row = found.iter().find(|row| row.origin == "https://origins.example:8443").unwrap();
        assert_eq!(row.requests, 2);
        assert!(found.iter().all(|row| !row.origin.contains("SECRET")));
    }

    #[tokio::test]
    async fn requests_are_counted_for_their_scope() {
        let counters = of_url(&url("http://scope.example/"));
        let in_flight = counters.scope(async { counters_in_flight(&current()) }).await;
        assert_eq!(in_flight, 1);
        assert_eq!(counters_in_flight(&counters), 1);
        assert!(!Arc::ptr_eq(&current(), &counters));
    }

    /// Counts a request and returns the number of requests in flight during it.
    fn counters_in_flight(counters: &Arc<Counters>) -> u64 {
        let _request = counters.begin();
        counters.read(String::new()).in_flight
    }

    #[test]
    fn the_number_of_origins_is_bounded() {
        let stats = Stats::default();
        for number in 0..MAX_ORIGINS + 10 {
            let name = number.to_string();
            let counters = stats.find(
                |origins| origins.urls.get(&name).cloned(),
                |origins| origins.urls.entry(name.clone()).or_default().clone(),
            );
            counters.add_request();
        }
        assert_eq!(stats.origins.read().unwrap().urls.len(), MAX_ORIGINS);
        assert_eq!(stats.other.read(String::new()).requests, 10);
    }
}
