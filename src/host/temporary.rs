//! DuckDB's folder for temporary files.

use std::path::PathBuf;

use super::Context;
use crate::error::Result;

/// The folder of `temp_directory`, which may not exist yet; None if there is none.
///
/// # Safety
/// A query of the context's connection must be running.
pub(crate) unsafe fn temporary_folder(context: &Context) -> Result<Option<PathBuf>> {
    // SAFETY: the caller's contract.
    let setting = unsafe { context.setting(c"temp_directory")? };
    let folder = setting.and_then(|value| value.text()).filter(|folder| !folder.is_empty());
    Ok(folder.map(PathBuf::from))
}
