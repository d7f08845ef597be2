//! DuckDB's file access restrictions, read for each query and enforced by `rasteret_io`.
//!
//! `enable_external_access`, `allowed_directories` and `allowed_paths` are read as settings. `disabled_filesystems`
//! reads as an empty string in every release, so DuckDB is made to open a nonexistent file, and its error shows whether
//! the file system is disabled. For the file system of an extension, this is only possible once the extension is
//! loaded. Before that, it is considered enabled, because DuckDB loads it on demand, unless local files are disabled:
//! then the extension, itself a file, cannot be loaded.

use std::ffi::CStr;

use rasteret_io::{AccessPolicy, AllowedFiles, FileSystem};

use super::Context;
use crate::error::Result;
use crate::vector::Value;

/// A file that does not exist.
const MISSING: &str = "rasteret-no-such-file";

/// File systems of extensions: a setting with a default that exists once the extension is loaded, and a URL that the
/// file system rejects without a request.
const OF_EXTENSIONS: [(FileSystem, &CStr, &str); 4] = [
    (FileSystem::Http, c"s3_use_ssl", "http://"),
    (FileSystem::S3, c"s3_use_ssl", "s3://"),
    (FileSystem::AzureBlob, c"azure_transport_option_type", "az://"),
    (FileSystem::AzureDfs, c"azure_transport_option_type", "abfss://"),
];

/// The files that the query may open.
///
/// # Safety
/// A query of the context's connection must be running.
pub(crate) unsafe fn access_policy(context: &Context) -> Result<AccessPolicy> {
    let texts = |name: &CStr| -> Result<Vec<String>> {
        // SAFETY: the caller's contract.
        let list = unsafe { context.setting(name)? }.and_then(|value| value.list()).unwrap_or_default();
        Ok(list.iter().filter_map(Value::text).collect())
    };
    // SAFETY: the caller's contract.
    let external = unsafe { context.setting(c"enable_external_access")? }.and_then(|value| value.boolean());
    let allowed = match external {
        Some(true) => None,
        // A setting that cannot be read is treated as a lock.
        Some(false) | None => {
            Some(AllowedFiles { directories: texts(c"allowed_directories")?, paths: texts(c"allowed_paths")? })
        }
    };
    // SAFETY: the caller's contract.
    let disabled = unsafe { disabled(context, allowed.as_ref()) }?;
    Ok(AccessPolicy { allowed, disabled })
}

/// # Safety
/// A query of the context's connection must be running.
unsafe fn disabled(context: &Context, allowed: Option<&AllowedFiles>) -> Result<Vec<FileSystem>> {
    let is_disabled = |system: FileSystem, path: &str| -> Result<bool> {
        // SAFETY: the caller's contract.
        let error = unsafe { context.error_of_opening(path)? };
        Ok(error.is_some_and(|error| error.contains(&format!("{} has been disabled", system.name()))))
    };
    let local = |directories: &[String]| directories.iter().find(|directory| directory.starts_with('/')).cloned();
    let below = allowed.and_then(|allowed| local(&allowed.directories)).unwrap_or_default();
    let is_local_disabled = is_disabled(FileSystem::Local, &format!("{below}{MISSING}"))?;
    let mut disabled = Vec::new();
    if is_local_disabled {
        disabled.push(FileSystem::Local);
    }
    for (system, setting, url) in OF_EXTENSIONS {
        // SAFETY: the caller's contract.
        let is_loaded = unsafe { context.setting(setting)? }.is_some();
        let is_out = match is_loaded {
            // If remote files are not allowed at all, this check is redundant.
            true => allowed.is_none() && is_disabled(system, url)?,
            false => is_local_disabled,
        };
        if is_out {
            disabled.push(system);
        }
    }
    Ok(disabled)
}
