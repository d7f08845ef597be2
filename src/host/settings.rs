//! DuckDB settings for all `RASTERET_*` variables except the lock, which SQL must not be able to lift. For hosts from
//! 1.5.2 on.
//!
//! The default is the value of the variable, else the built-in value. Settings are read and validated for each query,
//! because DuckDB has no callback for changes.

use std::ffi::{CStr, CString};

use duckdb::ffi;
use rasteret_io::{Given, Options};

use super::Context;
use crate::error::{Error, Result};
use crate::vector::LogicalType;
use crate::vector::exception::call;

/// A setting.
pub(crate) struct Setting {
    /// The environment variable that sets the default.
    pub(crate) variable: &'static str,
    /// The built-in value as text; empty if there is none.
    built_in: fn(&Options) -> String,
    /// The description in `duckdb_settings()`.
    pub(crate) description: &'static str,
}

/// All settings.
pub(crate) const SETTINGS: [Setting; 13] = [
    Setting {
        variable: "RASTERET_MAX_CONCURRENT",
        built_in: |options| options.max_concurrent.to_string(),
        description: "The maximum number of requests in flight",
    },
    Setting {
        variable: "RASTERET_TIMEOUT",
        built_in: |options| options.timeout.as_secs_f64().to_string(),
        description: "Timeout of a request in seconds",
    },
    Setting {
        variable: "RASTERET_CONNECT_TIMEOUT",
        built_in: |options| options.connect_timeout.as_secs_f64().to_string(),
        description: "Timeout of opening a connection in seconds",
    },
    Setting {
        variable: "RASTERET_MAX_RETRIES",
        built_in: |options| options.max_retries.to_string(),
        description: "The maximum number of retries of a request after HTTP 429, 5xx or a lost connection",
    },
    Setting {
        variable: "RASTERET_RETRY_TIME",
        built_in: |options| options.retry_time.as_secs_f64().to_string(),
        description: "Time limit for the retries of a query in seconds",
    },
    Setting {
        variable: "RASTERET_HEADER_CACHE_BYTES",
        built_in: |options| options.header_cache_bytes.to_string(),
        description: "Size of the header cache, such as '256MB'; 0 disables it",
    },
    Setting {
        variable: "RASTERET_TILE_CACHE_BYTES",
        built_in: |options| options.tile_cache_bytes.to_string(),
        description: "Size of the cache of decoded tiles, such as '256MB'; 0 disables it",
    },
    Setting {
        variable: "RASTERET_ZONE_CACHE_BYTES",
        built_in: |options| options.zone_cache_bytes.to_string(),
        description: "Size of the cache of geometry coverages, such as '64MB'; 0 disables it",
    },
    Setting {
        variable: "RASTERET_READ_BUDGET_BYTES",
        built_in: |options| options.read_budget_bytes.to_string(),
        description: "Memory limit for tiles being fetched or decoded, such as '128MB'",
    },
    Setting {
        variable: "RASTERET_MAX_TILE_BYTES",
        built_in: |options| options.max_tile_bytes.to_string(),
        description: "Maximum size of a decoded tile, such as '256MB'; larger tiles are an error",
    },
    Setting {
        variable: "RASTERET_MEMORY_LIMIT_BYTES",
        built_in: |options| options.memory_limit_bytes.map_or_else(String::new, |bytes| bytes.to_string()),
        description: "Memory limit of a call for its results, such as '4GB'; by default DuckDB's memory_limit",
    },
    Setting {
        variable: "RASTERET_THREADS",
        built_in: |options| options.threads.map_or_else(String::new, |threads| threads.to_string()),
        description: "Number of threads that decode and compute; by default DuckDB's threads",
    },
    Setting {
        variable: "RASTERET_CHECK_VERSION",
        built_in: |options| options.check_version.to_string(),
        description: "How files are compared with their version in the index: 'etag', 'size' or 'none'",
    },
];

impl Setting {
    /// The name in SQL.
    fn name(&self) -> String {
        self.variable.to_ascii_lowercase()
    }
}

/// Registers all settings, with the options of the environment as defaults.
///
/// # Safety
/// `connection` must be live, and the host must have late slots.
pub(crate) unsafe fn register(connection: ffi::duckdb_connection, options: &Options) -> Result<()> {
    SETTINGS.iter().try_for_each(|setting| {
        // SAFETY: the caller's contract.
        unsafe { register_one(connection, setting, options) }
    })
}

/// # Safety
/// As for [`register`].
unsafe fn register_one(connection: ffi::duckdb_connection, setting: &Setting, options: &Options) -> Result<()> {
    let text = |text: String| CString::new(text).map_err(|_| Error::Internal("a setting with a NUL".to_owned()));
    let name = text(setting.name())?;
    let (value, description) = (text((setting.built_in)(options))?, text(setting.description.to_owned())?);
    let kind = LogicalType::varchar();
    // SAFETY: the caller's contract. All handles are created and destroyed here; DuckDB copies their contents.
    unsafe {
        let mut option = call(|api| api.duckdb_create_config_option, ())?;
        let mut value = call(|api| api.duckdb_create_varchar, (value.as_ptr(),))?;
        let scope = ffi::duckdb_config_option_scope_DUCKDB_CONFIG_OPTION_SCOPE_GLOBAL;
        let outcome = call(|api| api.duckdb_config_option_set_name, (option, name.as_ptr()))
            .and_then(|()| call(|api| api.duckdb_config_option_set_type, (option, kind.raw())))
            .and_then(|()| call(|api| api.duckdb_config_option_set_default_value, (option, value)))
            .and_then(|()| call(|api| api.duckdb_config_option_set_default_scope, (option, scope)))
            .and_then(|()| call(|api| api.duckdb_config_option_set_description, (option, description.as_ptr())))
            .and_then(|()| call(|api| api.duckdb_register_config_option, (connection, option)));
        ffi::duckdb_destroy_value(&raw mut value);
        ffi::duckdb_destroy_config_option(&raw mut option);
        match outcome? == ffi::DuckDBSuccess {
            true => Ok(()),
            false => Err(Error::Internal(format!("DuckDB refused the setting {}", setting.name()))),
        }
    }
}

/// The options of a query: its settings, else the environment.
///
/// # Safety
/// A query of the context's connection must be running.
pub(super) unsafe fn options(context: &Context, environment: &Options) -> Result<Options> {
    let mut given = Vec::with_capacity(SETTINGS.len());
    for setting in &SETTINGS {
        let name = CString::new(setting.name()).unwrap_or_default();
        // SAFETY: the caller's contract.
        let value =
            unsafe { context.setting(CStr::from_bytes_with_nul(name.as_bytes_with_nul()).unwrap_or_default()) }?;
        if let Some(text) = value.filter(|value| !value.is_null()).and_then(|value| value.text()) {
            given.push((setting.variable, Given { place: format!("setting {}", setting.name()), text }));
        }
    }
    let of_query = |variable: &str| given.iter().find(|(known, _)| *known == variable).map(|(_, given)| given.clone());
    let mut options = Options::read(of_query)?;
    options.allowed_prefixes.clone_from(&environment.allowed_prefixes);
    Ok(options)
}
