//! DuckDB settings for all `RASTERET_*` variables except `RASTERET_ALLOWED_PREFIXES`, a restriction that SQL must not be
//! able to remove. For hosts from 1.5.2 on; earlier ones have the variables only.
//!
//! The default is the value of the variable, else the built-in value. Settings are read and validated for each query,
//! because DuckDB has no callback for changes.

use std::ffi::{CStr, CString};

use duckdb::ffi;
use rasteret_io::{CredentialMap, Given, Options};

use super::{Context, Feature};
use crate::error::{Error, Result};
use crate::vector::exception::call;
use crate::vector::{LogicalType, Value};

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable that sets the default.
    pub variable: &'static str,
    /// The built-in value as text; empty if there is none.
    built_in: fn(&Options) -> String,
    /// The description in `duckdb_settings()`.
    pub description: &'static str,
    /// The description in Markdown.
    pub details: &'static str,
}

/// All settings.
pub const SETTINGS: [Setting; 16] = [
    Setting {
        variable: "RASTERET_MAX_CONCURRENT",
        built_in: |options| options.max_concurrent.to_string(),
        description: "The maximum number of requests in flight",
        details: "Maximum number of requests in flight, over all threads. Lower if the process may open few files \
            (`ulimit -n`): 464 of 1,024, 80 of 256.",
    },
    Setting {
        variable: "RASTERET_TIMEOUT",
        built_in: |options| options.timeout.as_secs_f64().to_string(),
        description: "Timeout of a request in seconds",
        details: "Timeout of a request, in seconds.",
    },
    Setting {
        variable: "RASTERET_CONNECT_TIMEOUT",
        built_in: |options| options.connect_timeout.as_secs_f64().to_string(),
        description: "Timeout of opening a connection in seconds",
        details: "Timeout of opening a connection, in seconds.",
    },
    Setting {
        variable: "RASTERET_MAX_RETRIES",
        built_in: |options| options.max_retries.to_string(),
        description: "The maximum number of retries of a request after HTTP 429, 5xx or a lost connection",
        details: "Maximum number of retries of a request after HTTP 429, 5xx or a lost connection.",
    },
    Setting {
        variable: "RASTERET_RETRY_TIME",
        built_in: |options| options.retry_time.as_secs_f64().to_string(),
        description: "Time limit for the retries of a query in seconds",
        details: "Time limit for retries of a query in seconds, counted from its first retry, over all files.",
    },
    Setting {
        variable: "RASTERET_HEADER_CACHE_BYTES",
        built_in: |options| options.header_cache_bytes.to_string(),
        description: "Size of the header cache, such as '256MB'; 0 disables it",
        details: "Size of the header cache in bytes; 0 disables it.",
    },
    Setting {
        variable: "RASTERET_TILE_CACHE_BYTES",
        built_in: |options| options.tile_cache_bytes.to_string(),
        description: "Size of the cache of decoded tiles, such as '256MB'; 0 disables it",
        details: "Size of the cache of decoded tiles in bytes; the default holds one band of a Sentinel-2 scene; \
            0 disables it.",
    },
    Setting {
        variable: "RASTERET_ZONE_CACHE_BYTES",
        built_in: |options| options.zone_cache_bytes.to_string(),
        description: "Size of the cache of geometry coverages, such as '64MB'; 0 disables it",
        details: "Size of the coverage cache in bytes: with it, the coverage of a geometry is computed once for \
            all bands and dates on the same grid; 0 disables it.",
    },
    Setting {
        variable: "RASTERET_READ_BUDGET_BYTES",
        built_in: |options| options.read_budget_bytes.to_string(),
        description: "Memory limit for tiles being fetched or decoded, such as '128MB'",
        details: "Memory limit for tiles being fetched or decoded, over all threads.",
    },
    Setting {
        variable: "RASTERET_MAX_TILE_BYTES",
        built_in: |options| options.max_tile_bytes.to_string(),
        description: "Maximum size of a decoded tile, such as '256MB'; larger tiles are an error",
        details: "Maximum size of a decoded tile or strip, including the memory of its decoder; reading pixels of \
            files that declare larger ones is an error.",
    },
    Setting {
        variable: "RASTERET_MEMORY_LIMIT_BYTES",
        built_in: |options| options.memory_limit_bytes.map_or_else(String::new, |bytes| bytes.to_string()),
        description: "Memory limit of a call for its results, such as '4GB'; by default DuckDB's memory_limit",
        details: "Memory limit of a call for windows, coverages, plans and documents; the caches shrink with it, \
            see [security](security.md#bounds). The default is DuckDB's `memory_limit`.",
    },
    Setting {
        variable: "RASTERET_THREADS",
        built_in: |options| options.threads.map_or_else(String::new, |threads| threads.to_string()),
        description: "Number of threads that decode and compute; by default DuckDB's threads",
        details: "Number of threads that decode and compute, over all queries. The default is DuckDB's `threads` \
            when the extension is loaded.",
    },
    Setting {
        variable: "RASTERET_CHECK_VERSION",
        built_in: |options| options.check_version.to_string(),
        description: "How files are compared with their version in the index: 'etag', 'size' or 'none'",
        details: "How a file is compared with its version in the index: `etag` compares entity tag and size (the \
            date if a tag is missing); `size` compares the size only, for servers whose nodes send \
            different tags for the same file; `none` compares nothing.",
    },
    Setting {
        variable: FILE_SYSTEM,
        built_in: |_| "native".to_owned(),
        description: "The clients that files are read through: 'native', or 'duckdb' for DuckDB's file system and its secrets",
        details: "The clients that files are read through: `native`, those of this extension, or `duckdb`, \
            [DuckDB's file system](hosts.md#reading-through-duckdb) with its secrets, proxies and registered \
            file systems.",
    },
    Setting {
        variable: PROGRESS,
        built_in: |_| "true".to_owned(),
        description: "Whether rasteret_enrich shows its progress if the standard error stream is a terminal",
        details: "Whether `rasteret_enrich` shows its progress, if the standard error stream is a terminal.",
    },
    Setting {
        variable: CREDENTIALS,
        built_in: |options| CredentialMap::json(options.credentials.pairs()),
        description: "The credentials of locations by prefix, such as MAP {'s3://bucket/': 'profile=work'}; names of profiles, variables and files, no secrets",
        details: "Credentials by prefix: a MAP, or a JSON object in the environment variable. Values name profiles, \
            variables, files and signing endpoints, and contain no secrets. See [clouds](clouds.md).",
    },
];

/// The setting that is a MAP. Elsewhere its text is JSON.
const CREDENTIALS: &str = "RASTERET_CREDENTIALS";

const FILE_SYSTEM: &str = "RASTERET_FILE_SYSTEM";
const PROGRESS: &str = "RASTERET_PROGRESS";

/// The settings of one query.
pub(super) struct QuerySettings {
    pub(super) options: Options,
    /// Whether files are read through DuckDB's file system.
    pub(super) reads_through_duckdb: bool,
    pub(super) shows_progress: bool,
}

fn of_environment(variable: &str) -> Option<String> {
    std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned()).filter(|text| !text.trim().is_empty())
}

impl Setting {
    /// The name in SQL.
    #[must_use]
    pub fn name(&self) -> String {
        self.variable.to_ascii_lowercase()
    }

    /// The value if neither the setting nor its variable is set; empty if there is none.
    #[must_use]
    pub fn default_value(&self) -> String {
        (self.built_in)(&Options::default())
    }

    /// The value when the extension is loaded. Variables that are not in [`Options`] are validated with the settings.
    fn initial_value(&self, options: &Options) -> String {
        let of_variable =
            [FILE_SYSTEM, PROGRESS].contains(&self.variable).then(|| of_environment(self.variable)).flatten();
        of_variable.unwrap_or_else(|| (self.built_in)(options))
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
/// See [`register`].
unsafe fn register_one(connection: ffi::duckdb_connection, setting: &Setting, options: &Options) -> Result<()> {
    let text = |text: String| CString::new(text).map_err(|_| Error::Internal("a setting with a NUL".to_owned()));
    let name = text(setting.name())?;
    let (value, description) = (text(setting.initial_value(options))?, text(setting.description.to_owned())?);
    let kind = match setting.variable {
        CREDENTIALS => LogicalType::map(&LogicalType::varchar(), &LogicalType::varchar()),
        _ => LogicalType::varchar(),
    };
    // SAFETY: the caller's contract. All handles are created and destroyed here; DuckDB copies their contents.
    unsafe {
        let mut option = call(|api| api.duckdb_create_config_option, ())?;
        let mut value = match setting.variable {
            CREDENTIALS => map_value(&kind, options.credentials.pairs())?,
            _ => call(|api| api.duckdb_create_varchar, (value.as_ptr(),))?,
        };
        let scope = ffi::duckdb_config_option_scope_DUCKDB_CONFIG_OPTION_SCOPE_SESSION;
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

/// A MAP of texts.
///
/// # Safety
/// As for [`register`]; the value is to be destroyed by the caller.
unsafe fn map_value(kind: &LogicalType, pairs: &[(String, String)]) -> Result<ffi::duckdb_value> {
    let text = |text: &str| {
        let text = CString::new(text).map_err(|_| Error::Internal("a setting with a NUL".to_owned()))?;
        // SAFETY: the caller's contract.
        unsafe { call(|api| api.duckdb_create_varchar, (text.as_ptr(),)) }
    };
    let mut keys = pairs.iter().map(|(key, _)| text(key)).collect::<Result<Vec<_>>>()?;
    let mut values = pairs.iter().map(|(_, value)| text(value)).collect::<Result<Vec<_>>>()?;
    // SAFETY: the caller's contract; DuckDB copies the values.
    unsafe {
        let arguments = (kind.raw(), keys.as_mut_ptr(), values.as_mut_ptr(), pairs.len() as ffi::idx_t);
        let map = call(|api| api.duckdb_create_map_value, arguments);
        keys.iter_mut().chain(&mut values).for_each(|value| ffi::duckdb_destroy_value(value));
        map
    }
}

/// The text of a setting's value: of a MAP as JSON.
fn text_of(value: &Value) -> Option<String> {
    let Some(pairs) = value.map() else {
        return value.text();
    };
    // A NULL is an empty value, which is an error.
    let text = |value: &Value| value.text().unwrap_or_default();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (text(key), text(value))).collect();
    Some(CredentialMap::json(&pairs))
}

/// The settings of a query, else the environment.
///
/// # Safety
/// A query of the context's connection must be running.
pub(super) unsafe fn of_query(context: &Context, environment: &Options) -> Result<QuerySettings> {
    let mut given = Vec::with_capacity(SETTINGS.len());
    for setting in &SETTINGS {
        let name = CString::new(setting.name()).unwrap_or_default();
        // SAFETY: the caller's contract.
        let value =
            unsafe { context.setting(CStr::from_bytes_with_nul(name.as_bytes_with_nul()).unwrap_or_default()) }?;
        if let Some(text) = value.filter(|value| !value.is_null()).and_then(|value| text_of(&value)) {
            given.push((setting.variable, Given { place: format!("setting {}", setting.name()), text }));
        }
    }
    let of_query = |variable: &str| given.iter().find(|(known, _)| *known == variable).map(|(_, given)| given.clone());
    let mut options = Options::read(of_query)?;
    options.allowed_prefixes.clone_from(&environment.allowed_prefixes);
    Ok(QuerySettings {
        options,
        reads_through_duckdb: reads_through_duckdb(of_query(FILE_SYSTEM))?,
        shows_progress: shows_progress(of_query(PROGRESS))?,
    })
}

/// Whether progress is shown in a host without settings. Fails if the environment requires a feature that such a host does not have.
pub(super) fn of_old_host(version: &str) -> Result<bool> {
    let given = |variable: &str| {
        Some(Given { place: format!("environment variable {variable}"), text: of_environment(variable)? })
    };
    if reads_through_duckdb(given(FILE_SYSTEM))? {
        let needed = Feature::FileSystem.since_text();
        return Err(Error::argument(format!(
            "environment variable {FILE_SYSTEM}: 'duckdb' needs DuckDB {needed} or later, found {version}"
        )));
    }
    shows_progress(given(PROGRESS))
}

fn reads_through_duckdb(given: Option<Given>) -> Result<bool> {
    let given = given.filter(|given| !given.text.trim().is_empty());
    given.map_or(Ok(false), |given| match given.text.trim().to_ascii_lowercase().as_str() {
        "native" => Ok(false),
        "duckdb" => Ok(true),
        _ => Err(wrong(&given, "'native' or 'duckdb'")),
    })
}

fn shows_progress(given: Option<Given>) -> Result<bool> {
    let given = given.filter(|given| !given.text.trim().is_empty());
    given.map_or(Ok(true), |given| match given.text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(wrong(&given, "true or false")),
    })
}

fn wrong(given: &Given, expected: &str) -> Error {
    Error::argument(format!("{}: expected {expected}, found '{}'", given.place, given.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Option<Given> {
        Some(Given { place: "setting x".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn values_from_the_host() {
        assert!(!reads_through_duckdb(None).unwrap() && !reads_through_duckdb(given(" Native ")).unwrap());
        assert!(reads_through_duckdb(given("duckdb")).unwrap());
        assert!(
            shows_progress(None).unwrap() && shows_progress(given("on")).unwrap() && shows_progress(given("")).unwrap()
        );
        assert!(!shows_progress(given("False")).unwrap());
        let error = reads_through_duckdb(given("httpfs")).unwrap_err().to_string();
        assert!(error.contains("setting x: expected 'native' or 'duckdb', found 'httpfs'"), "{error}");
        assert!(shows_progress(given("2")).is_err());
    }

    #[test]
    fn settings_are_named_after_the_variables() {
        let mut names: Vec<String> = SETTINGS.iter().map(Setting::name).collect();
        assert!(names.iter().all(|name| name.starts_with("rasteret_")), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
