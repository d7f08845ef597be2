//! Resolves host names once for hundreds of connections.
//!
//! A pool that opens 300 connections to one host would otherwise call the system's resolver 300 times at once, each on
//! its own thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;

use crate::StoreError;
use crate::types::store_error::is_exhausted;

/// Maximum age of an address. S3 changes its addresses within minutes; a client that keeps an old one becomes slow,
/// but is not wrong.
const LIFETIME: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct CachingResolver {
    hosts: Mutex<HashMap<String, Lookup>>,
}

#[derive(Debug, Clone)]
struct Lookup {
    resolved_at: Instant,
    addresses: Arc<OnceCell<Vec<SocketAddr>>>,
}

impl Resolve for CachingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            // Usually there are few hosts; removing old ones bounds the memory of a long session with many hosts.
            hosts.retain(|_, lookup| lookup.resolved_at.elapsed() < LIFETIME);
            hosts
                .entry(name.as_str().to_owned())
                .or_insert_with(|| Lookup { resolved_at: Instant::now(), addresses: Arc::default() })
                .clone()
        };
        Box::pin(async move {
            let ask = || async {
                // The connector sets the port; 0 means that of the scheme.
                let found = tokio::net::lookup_host((name.as_str(), 0)).await;
                let found = found.map_err(|error| match is_exhausted(&error) {
                    true => StoreError::NoDescriptors,
                    false => StoreError::UnknownHost,
                })?;
                let found: Vec<_> = found.collect();
                if found.is_empty() { Err(StoreError::UnknownHost) } else { Ok(found) }
            };
            // A failed lookup leaves the cell empty, so that the next one tries again.
            let addresses = lookup.addresses.get_or_try_init(ask).await?.clone();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
