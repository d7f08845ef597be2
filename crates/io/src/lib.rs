#![doc = include_str!("../README.md")]

mod access;
mod batch;
mod byte_cache;
mod cache;
mod coalesce;
mod credentials;
mod descriptors;
mod driver;
pub mod enrich;
mod environment;
mod error;
mod failures;
mod fault;
mod json;
mod listing;
mod location;
mod memory;
mod object;
mod options;
mod per_process;
mod query;
pub mod reads;
mod registry;
mod runtime;
mod session;
pub mod source;
pub mod stac;
mod tiles;
mod transport;
pub mod upkeep;
mod version;

pub use access::{AccessPolicy, AllowedFiles, FileSystem};
pub use error::{Error, Result};
pub use fault::Fault;
pub use location::Location;
pub use object::Object;
pub use options::{Given, Options};
pub use per_process::PerProcess;
pub use query::IsInterrupted;
pub use session::{CogFile, DescribedFile, Session};
pub use tiles::{BlockRequest, BlockStream, Keep, RasterFile};
pub use version::{ObjectVersion, VersionCheck, VersionMatch};

/// For fuzz targets: what is not to be had otherwise.
#[doc(hidden)]
pub mod fuzzing {
    /// Reads the headers, one a line, and the error document of an answer.
    pub fn answer(data: &[u8]) {
        crate::transport::fuzzing::read(data);
    }
}

/// Which requests serve a set of ranges; a plan counts them before anything is read, so the rule is `rasteret-cog`'s.
pub use rasteret_cog::CoalesceConfig;
