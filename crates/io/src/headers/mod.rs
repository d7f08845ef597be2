//! Headers of files: fetched in as few requests as they take, many files at once, and cached.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod driver;
