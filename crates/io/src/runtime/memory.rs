//! Memory limit for the results of one call: windows, coverages, records.
//!
//! The host counts the vectors that a query keeps, but neither those between two functions of an expression nor
//! intermediate results. The memory that a call will take is therefore compared with the limit before it is allocated.
//! Caches and tiles in flight have separate bounds, which are shares of a small limit:
//!
//! | bound | at most |
//! |---|---|
//! | windows of a call, which DuckDB may copy | half |
//! | the distinct values of the zones of a call, which are copied when they are merged | half |
//! | the entries of a listing | half |
//! | a coverage while it is computed | a quarter |
//! | decoded tiles in the cache, tiles in flight | an eighth each |
//! | cached headers | a sixteenth |
//! | cached coverages | a thirty-second |
//! | the text of a STAC document | a sixteenth, 256 MiB |
//! | the text of a STAC item, which takes up to 36 times as much once parsed | a sixty-fourth, 16 MiB |

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Options, Result};

/// The limit if neither the host nor a setting states one.
const UNKNOWN: u64 = 4 << 30;

/// The limit of a session.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Limit of the environment.
    set: Option<u64>,
    /// Limit of the host; [`u64::MAX`] if it is unknown.
    host: AtomicU64,
}

/// The bounds that follow from a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) tiles: u64,
    pub(crate) in_flight: u64,
    pub(crate) headers: u64,
    pub(crate) zones: u64,
}

impl Memory {
    pub(crate) fn new(options: &Options) -> Self {
        Self { set: options.memory_limit_bytes, host: AtomicU64::new(u64::MAX) }
    }

    /// Takes the host's limit; whether it is another one than before.
    pub(crate) fn set_host(&self, bytes: u64) -> bool {
        self.host.swap(bytes, Ordering::Relaxed) != bytes
    }

    /// The limit in bytes.
    pub(crate) fn limit(&self) -> u64 {
        let host = self.host.load(Ordering::Relaxed);
        match self.set {
            Some(set) => set.min(host),
            None if host == u64::MAX => UNKNOWN,
            None => host,
        }
    }

    /// Bytes that one coverage may take while it is computed.
    pub(crate) fn of_coverage(&self) -> u64 {
        self.limit() / 4
    }

    /// Bytes that the entries of a listing may take, which are copied into the hrefs of files.
    pub(crate) fn of_listing(&self) -> u64 {
        self.limit() / 2
    }

    /// Bytes of text that a STAC document may have: a page of a search, a Catalog. One of a million links has 100 MiB.
    pub(crate) fn of_document(&self) -> u64 {
        (self.limit() / 16).min(256 << 20)
    }

    /// Bytes of text that a STAC item, or a link, may have.
    pub(crate) fn of_item(&self) -> u64 {
        (self.limit() / 64).min(16 << 20)
    }

    /// Bytes for caches and for tiles being fetched or decoded, within the options.
    pub(crate) fn shares(&self, options: &Options) -> Shares {
        let limit = self.limit();
        Shares {
            tiles: options.tile_cache_bytes.min(limit / 8),
            in_flight: options.read_budget_bytes.min((limit / 8).max(1)),
            headers: options.header_cache_bytes.min(limit / 16),
            zones: options.zone_cache_bytes.min(limit / 32),
        }
    }

    /// Returns an error for more bytes than the limit.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub(crate) fn check(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        let limit = self.limit();
        if bytes <= limit {
            return Ok(());
        }
        let setting = match self.set {
            Some(set) if set == limit => "RASTERET_MEMORY_LIMIT_BYTES",
            _ if self.host.load(Ordering::Relaxed) == u64::MAX => "the default of RASTERET_MEMORY_LIMIT_BYTES",
            _ => "memory_limit",
        };
        Err(Error::OutOfMemory {
            what: format!("{} take {bytes} bytes, where {setting} allows {limit}: use fewer or smaller ones", what()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_applies() {
        let memory = |set| Memory::new(&Options { memory_limit_bytes: set, ..Options::default() });
        let check =
            |memory: &Memory, bytes| memory.check(bytes, || "3 windows".to_owned()).map_err(|error| error.to_string());
        let unknown = memory(None);
        assert_eq!(check(&unknown, UNKNOWN), Ok(()));
        assert!(check(&unknown, UNKNOWN + 1).unwrap_err().contains("the default of RASTERET_MEMORY_LIMIT_BYTES"));
        assert!(unknown.set_host(1000) && !unknown.set_host(1000));
        let error = check(&unknown, 1001).unwrap_err();
        assert_eq!(error, "3 windows take 1001 bytes, where memory_limit allows 1000: use fewer or smaller ones");
        let set = memory(Some(500));
        set.set_host(1000);
        assert_eq!(check(&set, 500), Ok(()));
        assert!(check(&set, 501).unwrap_err().contains("RASTERET_MEMORY_LIMIT_BYTES allows 500"));
    }

    #[test]
    fn shares_are_bounded_by_the_limit() {
        let options = Options::default();
        let memory = Memory::new(&options);
        let all = Shares { tiles: 256 << 20, in_flight: 128 << 20, headers: 256 << 20, zones: 64 << 20 };
        assert_eq!(memory.shares(&options), all);
        memory.set_host(1 << 30);
        let some = Shares { tiles: 128 << 20, in_flight: 128 << 20, headers: 64 << 20, zones: 32 << 20 };
        assert_eq!(memory.shares(&options), some);
        assert_eq!(memory.of_coverage(), 256 << 20);
    }
}
