//! The capabilities of the DuckDB release that loaded the extension, and its state for each query.
//!
//! | module | contains |
//! |---|---|
//! | [`release`] | features of each release, and the slots of the C API struct that may be used |
//! | [`api`] | the copied slots of the C API |
//! | [`query`] | the session of a query |
//! | [`context`] | the client context of a query |
//! | [`file_system`] | DuckDB's file system, for the files of a query |
//! | `fork` | forks of the process |
//! | [`locks`] | files that a query may open |
//! | [`memory`] | the memory limit |
//! | [`interrupt`] | interrupts of a query |
//! | [`settings`] | the settings of a query |
//! | `temporary` | the folder of temporary files |
//! | [`replacement`] | `FROM 'scene.tif'` |

pub(crate) mod api;
mod context;
mod file_system;
#[cfg(unix)]
pub(crate) mod fork;
mod interrupt;
mod locks;
pub(crate) mod memory;
mod query;
mod release;
pub(crate) mod replacement;
pub(crate) mod settings;
mod temporary;

pub(crate) use context::Context;
pub(crate) use file_system::Lease;
pub(crate) use query::{PlanFiles, QuerySession, session_of_query, update_session};
pub(crate) use release::Host;
pub use release::{Availability, FEATURES, Feature};
pub(crate) use temporary::temporary_folder;
