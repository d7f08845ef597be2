//! `FROM 'scene.tif'`: table names with the extension of a GeoTIFF that do not refer to a table are read with
//! `cog_info`.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use duckdb::ffi;

use crate::error::Result;
use crate::vector::exception::call;
use crate::vector::{contain, throwing};

/// The function that reads such files.
const FUNCTION: &CStr = c"cog_info";

/// Extensions of GeoTIFFs, case-insensitive.
const ENDINGS: [&str; 3] = [".tif", ".tiff", ".gtiff"];

/// Registers the replacement scan in a database.
///
/// # Safety
/// `database` must be live.
pub(crate) unsafe fn register(database: ffi::duckdb_database) -> Result<()> {
    // SAFETY: the caller's contract; the callback has no data.
    unsafe {
        let callback: unsafe extern "C" fn(_, _, _) = throwing!(replace, _, _, _);
        call(|api| api.duckdb_add_replacement_scan, (database, Some(callback), null_mut(), None))
    }
}

/// # Safety
/// Called by DuckDB with a live info and the name of a table that does not exist.
unsafe extern "C-unwind" fn replace(info: ffi::duckdb_replacement_scan_info, name: *const c_char, _data: *mut c_void) {
    let outcome = contain("cog_info", || {
        // SAFETY: the name is a C string that is live during the call; DuckDB copies the value, which is destroyed
        // here.
        unsafe {
            if !is_geotiff(&CStr::from_ptr(name).to_string_lossy()) {
                return Ok(());
            }
            call(|api| api.duckdb_replacement_scan_set_function_name, (info, FUNCTION.as_ptr()))?;
            let mut value = call(|api| api.duckdb_create_varchar, (name,))?;
            let added = call(|api| api.duckdb_replacement_scan_add_parameter, (info, value));
            ffi::duckdb_destroy_value(&raw mut value);
            added
        }
    });
    if let Err(failure) = outcome {
        // SAFETY: `info` is live, and DuckDB is the direct caller of this frame.
        unsafe { failure.report(info, |api| api.duckdb_replacement_scan_set_error) };
    }
}

/// Whether a name is that of a GeoTIFF: a path, a glob, or a URL, without its query.
fn is_geotiff(name: &str) -> bool {
    let path = match name.contains("://") {
        true => name.split(['?', '#']).next().unwrap_or(name),
        false => name,
    };
    let ends_with = |ending: &str| {
        path.len()
            .checked_sub(ending.len())
            .and_then(|at| path.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    ENDINGS.iter().any(|ending| ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::is_geotiff;

    #[test]
    fn names_of_geotiffs() {
        for name in ["a.tif", "/d/B04.TIFF", "s3://b/**/*.tif", "https://h/a.tif?sig=x.csv", "x.gtiff", "a?.tif"] {
            assert!(is_geotiff(name), "{name}");
        }
        for name in ["tif", "a.tif.csv", "a.parquet", "https://h/a.csv?f=.tif", "é.ti", ""] {
            assert!(!is_geotiff(name), "{name}");
        }
    }
}
