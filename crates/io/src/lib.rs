#![doc = include_str!("../README.md")]

pub mod enrich;
mod headers;
pub mod maintenance;
pub mod parquet;
pub mod query;
mod runtime;
mod session;
pub mod stac;
mod store;
mod tiles;
mod types;
pub mod write;

pub use headers::Headers;
pub use query::Reader;
pub use runtime::interrupt::IsInterrupted;
pub use runtime::per_process::PerProcess;
pub use session::{Session, Usage};
pub use store::Stores;
pub use store::access::{AccessPolicy, AllowedFiles, FileSystem};
pub use store::host_files::{HostFile, HostFileSystem, HostFiles};
pub use store::object::Object;
pub use store::stats::{OriginStats, stats};
pub use tiles::{BlockRequest, BlockStream, Keep, RasterFile, TileReader};
pub use types::cog_file::{CogFile, DescribedFile};
pub use types::credentials::CredentialMap;
pub use types::error::{Error, Result};
pub use types::location::{Location, redacted};
pub use types::on_error::OnError;
pub use types::options::{Given, Options};
pub use types::store_error::StoreError;
pub use types::version::{ObjectVersion, VersionCheck, VersionMatch};

/// For fuzz targets: internals that are not public otherwise.
#[doc(hidden)]
pub mod fuzzing {
    /// Parses the headers, one per line, and the error document of a response.
    pub fn answer(data: &[u8]) {
        crate::store::transport::fuzzing::read(data);
    }
}

/// The rule for coalescing ranges into requests. Part of `rasteret-cog`, because plans count requests without I/O.
pub use rasteret_cog::CoalesceConfig;
