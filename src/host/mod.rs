//! The capabilities of the DuckDB release that loaded the extension, and its state for each query.
//!
//! | module | owns |
//! |---|---|
//! | this | features of each release, and the slots of the C API struct that may be used |
//! | [`api`] | the copied slots of the C API |
//! | [`context`] | settings and the file system of a query |
//! | [`locks`] | files that a query may open |
//! | [`memory`] | the memory limit |
//! | [`interrupt`] | interrupts of a query |
//! | [`settings`] | the settings of a query |
//! | [`replacement`] | `FROM 'scene.tif'` |

pub(crate) mod api;
mod context;
mod interrupt;
mod locks;
pub(crate) mod memory;
pub(crate) mod replacement;
pub(crate) mod settings;

use std::sync::Arc;

use rasteret_io::{AccessPolicy, Session};

pub(crate) use context::Context;
use locks::access_policy;

use rasteret_io::parquet::NullFolders;

use crate::error::Result;
use crate::vector::{SharedSession, host_version};

/// Slots that are the same in every host since `v1.2.0`.
const STABLE_SLOTS: usize = 357;

/// Slots that are the same since 1.5.2.
const LATE_SLOTS: usize = 546;

/// The session of a query, with its settings, the current locks and memory limit of DuckDB, and its interrupts.
///
/// # Safety
/// A query of the context's connection must be running, and the session must only be used for queries of that
/// connection.
pub(crate) unsafe fn session_of_query(shared: &SharedSession, context: Option<&Arc<Context>>) -> Result<Session> {
    let Some(context) = context else {
        // A new session, so that the time for retries starts again.
        return Ok(shared.here().for_query(&AccessPolicy::default()));
    };
    // SAFETY: the caller's contract.
    unsafe {
        let session = shared.with_options(settings::options(context, shared.here().options())?);
        let session = session.for_query(&access_policy(context)?).interruptible(interrupt::interrupts(context));
        if let Some(limit) = memory::memory_limit(context)? {
            session.set_memory_limit(limit);
        }
        Ok(session)
    }
}

/// Updates the session of a plan, which is shared by the state of bind, to the locks and the memory limit of another
/// execution. Returns false if that has other settings, and needs another session.
///
/// # Safety
/// As for [`session_of_query`].
pub(crate) unsafe fn update_session(
    shared: &SharedSession,
    session: &Session,
    context: Option<&Arc<Context>>,
) -> Result<bool> {
    let Some(context) = context else {
        session.set_policy(&AccessPolicy::default());
        return Ok(true);
    };
    // SAFETY: the caller's contract.
    unsafe {
        if settings::options(context, shared.here().options())? != *session.options() {
            return Ok(false);
        }
        session.set_policy(&access_policy(context)?);
        if let Some(limit) = memory::memory_limit(context)? {
            session.set_memory_limit(limit);
        }
        Ok(true)
    }
}

/// A DuckDB release, or a development version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    version: [u32; 3],
    is_released: bool,
}

impl Host {
    /// The host that loaded the extension.
    pub(crate) fn current() -> Self {
        Self::parse(&host_version())
    }

    /// Parses `v1.5.6`, or a development version such as `v1.6.0-dev12`; an invalid version counts as the oldest.
    pub(crate) fn parse(text: &str) -> Self {
        let (numbers, is_released) = match text.trim_start_matches('v').split_once('-') {
            Some((numbers, _)) => (numbers, false),
            None => (text.trim_start_matches('v'), true),
        };
        let mut numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0));
        Self { version: std::array::from_fn(|_| numbers.next().unwrap_or(0)), is_released }
    }

    /// GEOMETRY is a core type since 1.5.0.
    pub(crate) fn has_geometry(self) -> bool {
        self.version >= [1, 5, 0]
    }

    /// Since 1.5.2, including 2.0, the slots after the stable ones have fixed positions. Development versions of the
    /// first of these releases may differ.
    pub(crate) fn has_late_slots(self) -> bool {
        self.version > [2, 0, 0] || (self.is_released && self.version >= [1, 5, 2])
    }

    /// The number of slots of the API struct that may be used.
    pub(crate) fn slots(self) -> usize {
        if self.has_late_slots() { LATE_SLOTS } else { STABLE_SLOTS }
    }

    /// The CRS of a GEOMETRY type is read through a late slot.
    pub(crate) fn has_geometry_crs(self) -> bool {
        self.has_late_slots()
    }

    /// The Hive folder names that `read_parquet` reads as NULL.
    pub(crate) fn null_folders(self) -> NullFolders {
        match self.version {
            version if version >= [2, 0, 0] => NullFolders::DefaultAndTypedWord,
            version if version >= [1, 5, 0] => NullFolders::WordAndDefault,
            _ => NullFolders::Word,
        }
    }

    /// `read_parquet` returns TIME_NS since 1.5.6.
    pub(crate) fn has_time_ns(self) -> bool {
        self.version >= [1, 5, 6]
    }

    /// `read_parquet` returns TIMESTAMPTZ_NS, and columns of the type `"NULL"`, since 2.0.
    pub(crate) fn is_two(self) -> bool {
        self.version >= [2, 0, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn versions_compare_by_number() {
        let versions = ["v1.4.5", "v1.5.0", "v1.5.6", "v1.10.0", "v2.0.0"].map(Host::parse);
        assert!(versions.is_sorted_by_key(|host| host.version));
        assert!(Host::parse("v1.5.6-dev3").has_time_ns());
        for (version, has_late_slots) in [
            ("v1.4.5", false),
            ("v1.5.1", false),
            ("v1.5.2", true),
            ("v1.5.6", true),
            ("v1.5.6-dev3", false),
            ("v1.5.7", true),
            ("v2.0.0-dev3", false),
            ("v2.0.0", true),
            ("v2.0.1-dev3", true),
        ] {
            assert_eq!(Host::parse(version).has_late_slots(), has_late_slots, "{version}");
        }
        assert_eq!((Host::parse("v1.4.5").slots(), Host::parse("v2.0.0").slots()), (357, 546));
        assert!(!Host::parse("nonsense").has_geometry());
        assert!(!versions[0].has_geometry() && versions[1].has_geometry());
        assert!(!versions[1].has_time_ns() && versions[2].has_time_ns());
    }
}
