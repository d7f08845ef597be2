//! Limits and time-outs of a session, and the environment variables that set them.

use std::str::FromStr;
use std::time::Duration;

use super::credentials::CredentialMap;
use super::location::name;
use crate::{Error, Result, VersionCheck};

/// The variable with the prefixes of files that may be opened.
pub(crate) const ALLOWED_PREFIXES: &str = "RASTERET_ALLOWED_PREFIXES";

/// Limits and time-outs of a session.
///
/// | variable | sets | unit |
/// |---|---|---|
/// | `RASTERET_MAX_CONCURRENT` | [`max_concurrent`](Self::max_concurrent) | requests |
/// | `RASTERET_TIMEOUT` | [`timeout`](Self::timeout) | seconds |
/// | `RASTERET_CONNECT_TIMEOUT` | [`connect_timeout`](Self::connect_timeout) | seconds |
/// | `RASTERET_MAX_RETRIES` | [`max_retries`](Self::max_retries) | requests |
/// | `RASTERET_HEADER_CACHE_BYTES` | [`header_cache_bytes`](Self::header_cache_bytes) | bytes |
/// | `RASTERET_TILE_CACHE_BYTES` | [`tile_cache_bytes`](Self::tile_cache_bytes) | bytes |
/// | `RASTERET_ZONE_CACHE_BYTES` | [`zone_cache_bytes`](Self::zone_cache_bytes) | bytes |
/// | `RASTERET_READ_BUDGET_BYTES` | [`read_budget_bytes`](Self::read_budget_bytes) | bytes |
/// | `RASTERET_MAX_TILE_BYTES` | [`max_tile_bytes`](Self::max_tile_bytes) | bytes |
/// | `RASTERET_MEMORY_LIMIT_BYTES` | [`memory_limit_bytes`](Self::memory_limit_bytes) | bytes |
/// | `RASTERET_RETRY_TIME` | [`retry_time`](Self::retry_time) | seconds |
/// | `RASTERET_THREADS` | [`threads`](Self::threads) | threads |
/// | `RASTERET_CHECK_VERSION` | [`check_version`](Self::check_version) | `etag`, `size` or `none` |
/// | `RASTERET_CREDENTIALS` | [`credentials`](Self::credentials) | JSON: `{"s3://bucket/": "profile=work"}` |
/// | `RASTERET_ALLOWED_PREFIXES` | [`allowed_prefixes`](Self::allowed_prefixes) | paths and URLs, with commas between them |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Requests in flight at once, over all threads. Default 300: as many as object stores serve one client without
    /// slowing it down.
    pub max_concurrent: usize,
    /// Time-out of one request, including its response. Default 30 s: a query cannot be interrupted while it waits.
    pub timeout: Duration,
    /// Timeout for opening a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// Maximum number of retries of a request after HTTP 429, 5xx or a lost connection. Default 3: waits of 0.2, 0.4 and 0.8 s at
    /// most, so that a refused connection fails within 2 s.
    pub max_retries: u32,
    /// Maximum size of cached headers in bytes; 0 disables the cache. Default 256 MiB: about 60,000 headers of ordinary COGs.
    pub header_cache_bytes: u64,
    /// Maximum size of cached decoded tiles in bytes; 0 disables the cache. Default 256 MiB: a whole band of a Sentinel-2 scene (10980 x 10980 x 2 bytes
    /// are 230 MiB), so that rows of one scene may be in any order.
    pub tile_cache_bytes: u64,
    /// Maximum size of cached coverages in bytes; 0 disables the cache. Default 64 MiB: about 30,000 fields of 60 pixels across, so that each is covered
    /// once for all bands and dates of a grid.
    pub zone_cache_bytes: u64,
    /// Memory limit for tiles being fetched or decoded, over all threads. Default 128 MiB: 256 requests of 512 KiB,
    /// nearly as many as may be in flight. A call that finds the limit reached, or whose block alone is larger,
    /// continues with one block at a time.
    pub read_budget_bytes: u64,
    /// Bytes of one decoded tile or strip, including the buffers of its decoder. A file that declares larger ones is
    /// rejected. Default 256 MiB: each thread may hold one.
    pub max_tile_bytes: u64,
    /// Maximum size of the windows, coverages and records of one call, in bytes. Default: the host's limit (see
    /// [`Session::set_memory_limit`](crate::Session::set_memory_limit)), else 4 GiB.
    pub memory_limit_bytes: Option<u64>,
    /// Time limit for all retries of a query, from the first retry. Default 60 s.
    pub retry_time: Duration,
    /// Threads that decode and compute, over all calls, including the calling ones. Default: the number of the host
    /// (see [`Session::set_host_threads`](crate::Session::set_host_threads)), else the number of processors.
    pub threads: Option<usize>,
    /// Which fields of a file's version are compared with the index before its pixels are used. Default
    /// [`VersionCheck::Etag`].
    pub check_version: VersionCheck,
    /// The credentials of locations, by prefix. Default: none, so that those of the environment are used.
    pub credentials: CredentialMap,
    /// Lifetime of the cached failure of a header or tile in a store after its last use. Default 3 s: longer than
    /// DuckDB takes to re-evaluate a constant call during planning, and short enough that a repaired file is soon read
    /// again.
    pub failure_lifetime: Duration,
    /// The only files that may be opened: these, and those below them. Default: all. Applies in addition to restrictions of the host.
    pub allowed_prefixes: Option<Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_concurrent: 300,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_retries: 3,
            header_cache_bytes: 256 << 20,
            tile_cache_bytes: 256 << 20,
            zone_cache_bytes: 64 << 20,
            read_budget_bytes: 128 << 20,
            max_tile_bytes: 256 << 20,
            memory_limit_bytes: None,
            retry_time: Duration::from_secs(60),
            threads: None,
            check_version: VersionCheck::Etag,
            credentials: CredentialMap::default(),
            failure_lifetime: Duration::from_secs(3),
            allowed_prefixes: None,
        }
    }
}

/// The text of an option and its source: `environment variable RASTERET_TIMEOUT`.
#[derive(Debug, Clone)]
pub struct Given {
    /// The source, for errors.
    pub place: String,
    /// The text; an empty text is ignored.
    pub text: String,
}

impl Options {
    /// The defaults, replaced by the variables that `variable` returns; empty ones count as unset. A value that is not
    /// a number or out of bounds is an error that names the variable.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Self::read(|name| Some(Given { place: format!("environment variable {name}"), text: variable(name)? }))
    }

    /// The defaults, overridden by the options in `given`, by the names of their variables.
    ///
    /// # Errors
    ///
    /// If a text is not a number or out of bounds; the error contains its source.
    pub fn read(given: impl Fn(&str) -> Option<Given>) -> Result<Self> {
        let default = Self::default();
        let given = |name: &str| given(name).filter(|given| !given.text.trim().is_empty());
        let seconds = |name, default: Duration| -> Result<Duration> {
            let seconds = number(given(name), default.as_secs_f64(), 0.001, 3600.0)?;
            Ok(Duration::from_secs_f64(seconds))
        };
        let bytes = |name, default, min| bytes(given(name), default, min);
        Ok(Self {
            max_concurrent: number(given("RASTERET_MAX_CONCURRENT"), default.max_concurrent, 1, 10_000)?,
            timeout: seconds("RASTERET_TIMEOUT", default.timeout)?,
            connect_timeout: seconds("RASTERET_CONNECT_TIMEOUT", default.connect_timeout)?,
            max_retries: number(given("RASTERET_MAX_RETRIES"), default.max_retries, 0, 100)?,
            header_cache_bytes: bytes("RASTERET_HEADER_CACHE_BYTES", default.header_cache_bytes, 0)?,
            tile_cache_bytes: bytes("RASTERET_TILE_CACHE_BYTES", default.tile_cache_bytes, 0)?,
            zone_cache_bytes: bytes("RASTERET_ZONE_CACHE_BYTES", default.zone_cache_bytes, 0)?,
            read_budget_bytes: bytes("RASTERET_READ_BUDGET_BYTES", default.read_budget_bytes, 1)?,
            max_tile_bytes: bytes("RASTERET_MAX_TILE_BYTES", default.max_tile_bytes, 1)?,
            // 0 is not a valid value, and means none.
            memory_limit_bytes: Some(bytes("RASTERET_MEMORY_LIMIT_BYTES", 0, 1)?).filter(|bytes| *bytes > 0),
            retry_time: seconds("RASTERET_RETRY_TIME", default.retry_time)?,
            threads: Some(number(given("RASTERET_THREADS"), 0, 1, 1024)?).filter(|threads| *threads > 0),
            check_version: word(given("RASTERET_CHECK_VERSION"), default.check_version)?,
            credentials: match given("RASTERET_CREDENTIALS") {
                Some(given) => CredentialMap::parse(&given.text, &given.place)?,
                None => default.credentials,
            },
            failure_lifetime: default.failure_lifetime,
            allowed_prefixes: prefixes(given(ALLOWED_PREFIXES))?,
        })
    }
}

fn wrong(given: &Given, expected: &str) -> Error {
    Error::InvalidArgument { what: format!("{}: expected {expected}, found '{}'", given.place, given.text) }
}

fn word<T>(given: Option<Given>, default: T) -> Result<T>
where
    T: FromStr<Err = Error>,
{
    let Some(given) = given else {
        return Ok(default);
    };
    given.text.parse().map_err(|error| Error::InvalidArgument { what: format!("{}: {error}", given.place) })
}

/// Parses the allowed prefixes. Invalid entries are errors, because they would silently forbid the intended files.
fn prefixes(given: Option<Given>) -> Result<Option<Vec<String>>> {
    let Some(given) = given else {
        return Ok(None);
    };
    let entries = given.text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let entries: Vec<String> = entries.map(str::to_owned).collect();
    match entries.iter().find(|entry| name::of_entry(entry).is_none()) {
        None => Ok(Some(entries)),
        Some(entry) => {
            let entry = crate::types::location::redacted(entry).to_string();
            Err(wrong(&Given { text: entry, ..given }, "paths and URLs"))
        }
    }
}

fn number<T>(given: Option<Given>, default: T, min: T, max: T) -> Result<T>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let Some(given) = given else {
        return Ok(default);
    };
    match given.text.trim().parse() {
        Ok(value) if value >= min && value <= max => Ok(value),
        _ => Err(wrong(&given, &format!("a number from {min} to {max}"))),
    }
}

/// A number of units, in bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and the cast saturates")]
fn scaled(number: &str, factor: f64) -> Option<u64> {
    let bytes = number.parse::<f64>().ok()? * factor;
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
}

/// Bytes: a number of them, or one with a unit as DuckDB writes them, such as `256MB` or `1.5 GiB`.
fn bytes(given: Option<Given>, default: u64, min: u64) -> Result<u64> {
    const UNITS: [(&str, f64); 9] = [
        ("", 1.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
    ];
    let Some(given) = given else {
        return Ok(default);
    };
    let max = u64::MAX / 2;
    let wrong = || wrong(&given, &format!("a number of bytes from {min} to {max}, or one with a unit such as '256MB'"));
    let text = given.text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = unit.to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(wrong)?;
    let number = number.trim();
    let bytes = if unit.is_empty() { number.parse().ok() } else { scaled(number, *factor) };
    bytes.filter(|bytes| (min..=max).contains(bytes)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let options = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Options::from_variables(|name| Some(pairs.iter().find(|(known, _)| known == name)?.1.clone()))
        };
        assert_eq!(options(&[]).unwrap(), Options::default());
        let set =
            options(&[("RASTERET_MAX_CONCURRENT", "7"), ("RASTERET_TIMEOUT", " 0.5 "), ("RASTERET_MAX_RETRIES", "")]);
        let set = set.unwrap();
        assert_eq!((set.max_concurrent, set.timeout, set.max_retries), (7, Duration::from_millis(500), 3));
        assert_eq!(options(&[("RASTERET_THREADS", "3")]).unwrap().threads, Some(3));
        let sizes = options(&[("RASTERET_CHECK_VERSION", " SIZE ")]).unwrap();
        assert_eq!(sizes.check_version, VersionCheck::Size);
        let prefixes = options(&[("RASTERET_ALLOWED_PREFIXES", "/data, s3://b/ok/")]).unwrap().allowed_prefixes;
        assert_eq!(prefixes, Some(vec!["/data".to_owned(), "s3://b/ok/".to_owned()]));
        for (text, expected) in [
            ("1000", 1000),
            ("256MB", 256_000_000),
            (" 1.5 GiB ", 1_610_612_736),
            ("0", 0),
            ("2kb", 2000),
            ("3 KiB", 3072),
        ] {
            assert_eq!(options(&[("RASTERET_TILE_CACHE_BYTES", text)]).unwrap().tile_cache_bytes, expected, "{text}");
        }
        for (name, value) in [
            ("RASTERET_CHECK_VERSION", "date"),
            ("RASTERET_ALLOWED_PREFIXES", "ftp://h/x"),
            ("RASTERET_MAX_CONCURRENT", "0"),
            ("RASTERET_MAX_CONCURRENT", "many"),
            ("RASTERET_TIMEOUT", "NaN"),
            ("RASTERET_TIMEOUT", "-1"),
            ("RASTERET_HEADER_CACHE_BYTES", "1 furlong"),
            ("RASTERET_HEADER_CACHE_BYTES", "-1MB"),
            ("RASTERET_HEADER_CACHE_BYTES", "1.5"),
            ("RASTERET_READ_BUDGET_BYTES", "0"),
            ("RASTERET_MAX_TILE_BYTES", "0"),
            ("RASTERET_MEMORY_LIMIT_BYTES", "0"),
            ("RASTERET_RETRY_TIME", "soon"),
            ("RASTERET_THREADS", "0"),
        ] {
            let text = options(&[(name, value)]).unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
    }
}
