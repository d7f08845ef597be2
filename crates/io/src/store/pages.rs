//! Bounds on the listing of a bucket or container, whose server may return pages without end.
//!
//! `object_store` follows the continuation token of each page, and returns entries only. The pages are therefore counted where they
//! arrive, in the scope of the listing that they are for.
//!
//! | bound | value |
//! |---|---|
//! | pages | 100,000, which is 100 million keys of S3 |
//! | consecutive pages without an entry, or with those of an earlier page | 1,000 |
//! | requests of the same page | 4: a listing is restarted when its credentials have expired |
//! | entries in memory | the memory limit |

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use url::Url;

use crate::StoreError;

/// Maximum number of pages of a listing.
const MAX_PAGES: usize = 100_000;

/// Maximum number of consecutive pages without new entries. Those of Azure may be empty.
const MAX_STALE: usize = 1_000;

/// Maximum number of requests of one page.
const MAX_VISITS: u32 = 4;

/// Memory of an entry without its name.
const ENTRY_BYTES: u64 = 160;

tokio::task_local! {
    /// The listing of a task.
    static CURRENT: Listing;
}

/// The state of one listing.
#[derive(Debug)]
struct Listing {
    max_bytes: u64,
    hasher: RandomState,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    count: usize,
    /// Consecutive pages without new entries.
    stale: usize,
    bytes: u64,
    /// Number of requests of each URL, by hash.
    visits: HashMap<u64, u32>,
    /// Hashes of the entries of pages.
    entries: HashSet<u64>,
}

/// Runs a listing with entries of at most `max_bytes`.
pub(super) async fn bounded<F: Future>(max_bytes: u64, listing: F) -> F::Output {
    let state = Listing { max_bytes, hasher: RandomState::new(), pages: Mutex::default() };
    CURRENT.scope(state, listing).await
}

/// Counts a received page, with the names of its entries.
///
/// # Errors
///
/// If the listing that it is for exceeds a bound.
pub(super) fn count(url: &Url, names: &[String]) -> Result<(), StoreError> {
    CURRENT.try_with(|listing| listing.count(url, names)).unwrap_or(Ok(()))
}

/// Counts names stored by a listing.
///
/// # Errors
///
/// If they take more memory than there may be.
pub(super) fn keep<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
    CURRENT.try_with(|listing| listing.keep(names)).unwrap_or(Ok(()))
}

impl Listing {
    fn count(&self, url: &Url, names: &[String]) -> Result<(), StoreError> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.count += 1;
        let visits = pages.visits.entry(self.hasher.hash_one(url)).or_default();
        *visits += 1;
        if *visits > MAX_VISITS {
            return Err(endless("repeats a page"));
        }
        let is_new = !names.is_empty() && pages.entries.insert(self.hasher.hash_one(names));
        pages.stale = if is_new { 0 } else { pages.stale + 1 };
        if pages.stale > MAX_STALE {
            return Err(endless(&format!("has more than {MAX_STALE} consecutive pages without new entries")));
        }
        if pages.count > MAX_PAGES {
            return Err(endless(&format!("has more than {MAX_PAGES} pages: use a longer prefix")));
        }
        drop(pages);
        // A listing of one level is collected by the store.
        let is_collected = url.query_pairs().any(|(name, _)| name == "delimiter");
        if is_collected { self.keep(names.iter().map(String::as_str)) } else { Ok(()) }
    }

    fn keep<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.bytes += names.map(|name| name.len() as u64 + ENTRY_BYTES).sum::<u64>();
        if pages.bytes <= self.max_bytes {
            return Ok(());
        }
        let max = self.max_bytes;
        Err(StoreError::Other(format!(
            "the entries of the listing take more than {max} bytes, half of memory_limit or RASTERET_MEMORY_LIMIT_BYTES: use a longer prefix"
        )))
    }
}

fn endless(what: &str) -> StoreError {
    StoreError::Other(format!("expected a listing that ends, found one that {what}"))
}
