//! Limits and time-outs of a session, and the environment variables that set them.

use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};

/// Limits and time-outs of a session.
///
/// | variable | sets | unit |
/// |---|---|---|
/// | `RASTERET_MAX_CONCURRENT` | [`max_concurrent`](Self::max_concurrent) | requests |
/// | `RASTERET_TIMEOUT` | [`timeout`](Self::timeout) | seconds |
/// | `RASTERET_CONNECT_TIMEOUT` | [`connect_timeout`](Self::connect_timeout) | seconds |
/// | `RASTERET_MAX_RETRIES` | [`max_retries`](Self::max_retries) | requests |
/// | `RASTERET_HEADER_CACHE_BYTES` | [`header_cache_bytes`](Self::header_cache_bytes) | bytes |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Requests in flight at once, over all threads. Default 300: what object stores serve one client without slowing it
    /// down.
    pub max_concurrent: usize,
    /// How long one request may take, its answer included. Default 30 s: a query cannot be interrupted while it waits.
    pub timeout: Duration,
    /// How long opening a connection may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How often a request is repeated after HTTP 429, 5xx or a lost connection. Default 3: waits of 0.2, 0.4 and 0.8 s at
    /// most, so that a refused connection fails within 2 s.
    pub max_retries: u32,
    /// Bytes of headers kept; 0 keeps none. Default 256 MiB: some 60,000 headers of ordinary COGs.
    pub header_cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_concurrent: 300,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_retries: 3,
            header_cache_bytes: 256 << 20,
        }
    }
}

impl Options {
    /// The defaults, with what the variables that `variable` knows say; empty ones count as unset. A value that is no number
    /// or out of bounds is an error that names the variable.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let default = Self::default();
        let seconds = |name, default: Duration| -> Result<Duration> {
            let seconds = number(&variable, name, default.as_secs_f64(), 0.001, 3600.0)?;
            Ok(Duration::from_secs_f64(seconds))
        };
        Ok(Self {
            max_concurrent: number(&variable, "RASTERET_MAX_CONCURRENT", default.max_concurrent, 1, 10_000)?,
            timeout: seconds("RASTERET_TIMEOUT", default.timeout)?,
            connect_timeout: seconds("RASTERET_CONNECT_TIMEOUT", default.connect_timeout)?,
            max_retries: number(&variable, "RASTERET_MAX_RETRIES", default.max_retries, 0, 100)?,
            header_cache_bytes: number(
                &variable,
                "RASTERET_HEADER_CACHE_BYTES",
                default.header_cache_bytes,
                0,
                u64::MAX / 2,
            )?,
        })
    }
}

fn number<T>(variable: &impl Fn(&str) -> Option<String>, name: &str, default: T, min: T, max: T) -> Result<T>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = variable(name).filter(|text| !text.trim().is_empty()) else {
        return Ok(default);
    };
    match text.trim().parse() {
        Ok(value) if value >= min && value <= max => Ok(value),
        _ => Err(Error::InvalidArgument {
            what: format!("environment variable {name}: expected a number from {min} to {max}, found '{text}'"),
        }),
    }
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
        for (name, value) in [
            ("RASTERET_MAX_CONCURRENT", "0"),
            ("RASTERET_MAX_CONCURRENT", "many"),
            ("RASTERET_TIMEOUT", "NaN"),
            ("RASTERET_TIMEOUT", "-1"),
            ("RASTERET_HEADER_CACHE_BYTES", "1GB"),
        ] {
            let text = options(&[(name, value)]).unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
    }
}
