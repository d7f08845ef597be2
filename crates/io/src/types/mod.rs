//! Types used in the whole crate: locations, versions, headers of files, errors, settings.
//!
//! Does not import other modules of this crate.

pub(crate) mod cog_file;
pub(crate) mod credentials;
pub(crate) mod error;
pub(crate) mod hex;
pub(crate) mod json;
pub(crate) mod location;
pub(crate) mod on_error;
pub(crate) mod options;
pub(crate) mod stamp;
pub(crate) mod store_error;
pub(crate) mod time;
pub(crate) mod tls_fault;
pub(crate) mod url_text;
pub(crate) mod version;
