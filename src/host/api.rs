//! The function pointers of DuckDB's C API with known positions in the host.

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use duckdb::ffi;

use super::Host;
use crate::error::{Error, Result};

/// The C API version that the extension requests, the same as in its footer.
pub(crate) const VERSION: &str = "v1.2.0";

/// DuckDB's API struct, truncated to the slots with known positions in the host. The others are null, so that using a
/// slot with an unknown position is a Rust panic, which is caught, instead of undefined behaviour.
struct StableApi(ffi::duckdb_ext_api_v1);

// SAFETY: function pointers, written once before any other thread accesses them.
unsafe impl Send for StableApi {}
// SAFETY: as above; read-only once written.
unsafe impl Sync for StableApi {}

static API: OnceLock<StableApi> = OnceLock::new();

/// The C API of the host; None before `LOAD`.
pub(crate) fn api() -> Option<&'static ffi::duckdb_ext_api_v1> {
    API.get().map(|api| &api.0)
}

/// Copies the usable slots of the host's API, and returns an access struct that provides the copy.
///
/// # Safety
/// `info` and `access` must be those that DuckDB gives to the entrypoint, during its call.
pub(crate) unsafe fn take(
    info: ffi::duckdb_extension_info,
    access: *const ffi::duckdb_extension_access,
) -> Result<ffi::duckdb_extension_access> {
    let version = CString::new(VERSION).unwrap_or_default();
    // SAFETY: `access` is live. The host's struct has at least the stable slots, which are nullable function pointers,
    // and a struct of nullable function pointers may be all null. Later slots are copied if `Host::slots` includes
    // them.
    unsafe {
        let get_api = (*access).get_api.ok_or_else(|| Error::Internal("no API".to_owned()))?;
        let host = get_api(info, version.as_ptr());
        if host.is_null() {
            return Err(Error::Internal(format!("this DuckDB does not offer the C API {VERSION}")));
        }
        // The version is read through a stable slot.
        let version = (&raw const (*host.cast::<ffi::duckdb_ext_api_v1>()).duckdb_library_version).read();
        let version = version.map(|version| CStr::from_ptr(version()).to_string_lossy());
        let slots = Host::parse(version.as_deref().unwrap_or_default()).slots();
        let bytes = (slots * size_of::<Option<unsafe extern "C" fn()>>()).min(size_of::<ffi::duckdb_ext_api_v1>());
        let mut api = MaybeUninit::<ffi::duckdb_ext_api_v1>::zeroed();
        api.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(host.cast::<u8>(), bytes);
        let slots = StableApi(api.assume_init());
        API.get_or_init(|| slots);
        Ok(ffi::duckdb_extension_access { get_api: Some(stable_api), ..*access })
    }
}

/// Replaces the host's `get_api`: returns the copied slots.
///
/// # Safety
/// Safe to call from anywhere; the signature is DuckDB's.
unsafe extern "C" fn stable_api(_info: ffi::duckdb_extension_info, _version: *const c_char) -> *const c_void {
    API.get().map_or(std::ptr::null(), |api| std::ptr::from_ref(&api.0).cast())
}
