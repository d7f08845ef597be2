//! Objects by location: local files, URLs, S3, Google Cloud Storage and Azure.
//!
//! Contains clients, credentials, requests and retries, coalesced ranges, listings, and the access check. Does not interpret the bytes.

pub(crate) mod access;
pub(crate) mod coalesce;
pub(crate) mod credentials;
pub(crate) mod environment;
pub(crate) mod host_files;
mod listing;
pub(crate) mod local_file;
mod local_glob;
pub(crate) mod object;
mod pages;
pub(crate) mod registry;
pub(crate) mod stats;
mod stores;
pub(crate) mod transport;
pub(crate) mod upload;

pub use stores::Stores;
