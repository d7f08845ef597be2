//! Versions of files, and their comparison with the version in an index.
//!
//! Reads of pixels, `rasteret_refresh` and the header cache all use [`ObjectVersion::compare`], so that they agree on whether a
//! file has changed.
//!
//! | [`VersionCheck`] | both sides have | the version is the same if |
//! |---|---|---|
//! | `Etag` (default) | an entity tag | the tags and, where both are known, the sizes are equal; dates are ignored |
//! | | no tag on one side, but dates | the dates and, where both are known, the sizes are equal |
//! | | neither | unknown, unless the sizes differ |
//! | `Size` | a size | the sizes are equal; tags and dates are ignored |
//! | `None` | | never compared: unknown |
//!
//! Tags are compared by [`opaque_tag`]; dates to the second if one of them has whole seconds, as HTTP's dates have. With equal
//! tags dates are ignored because copies of one object on several servers differ in them.

use std::fmt;
use std::str::FromStr;

use crate::types::stamp::Stamp;
use crate::{Error, Result};

/// The version of a file as the store reports it. Any field may be unknown: plain servers send no tag, local files have
/// none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ObjectVersion {
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// Entity tag, with its quotes.
    pub etag: Option<String>,
    /// Microseconds since 1970-01-01 UTC.
    pub last_modified: Option<i64>,
}

/// Which fields of two versions are compared: `RASTERET_CHECK_VERSION`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionCheck {
    /// Entity tag and size; the date if a tag is missing.
    #[default]
    Etag,
    /// The size only, for servers whose nodes send different tags or dates for one file.
    Size,
    /// No check: a replaced file is read with the offsets of the old one.
    None,
}

impl fmt::Display for VersionCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etag => "etag",
            Self::Size => "size",
            Self::None => "none",
        })
    }
}

/// The outcome of [`ObjectVersion::compare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionMatch {
    /// One version.
    Same,
    /// Two versions: `expected etag "a", found "b"`.
    Different(String),
    /// The versions have no field in common that can be compared.
    Unknown,
}

/// Appended to the difference if only the tags differ.
const NODES_DISAGREE: &str = " (same size and date: if the server's nodes send different tags for one file, set \
    RASTERET_CHECK_VERSION=size)";

impl ObjectVersion {
    /// Compares the version in an index (`self`) with the one found.
    pub fn compare(&self, found: &Self, check: VersionCheck) -> VersionMatch {
        let sizes = self.size.zip(found.size);
        let other_size = sizes
            .filter(|(expected, size)| expected != size)
            .map(|(expected, size)| VersionMatch::Different(format!("expected {expected} bytes, found {size}")));
        match check {
            VersionCheck::None => VersionMatch::Unknown,
            VersionCheck::Size => match sizes {
                Some(_) => other_size.unwrap_or(VersionMatch::Same),
                None => VersionMatch::Unknown,
            },
            VersionCheck::Etag => match self.etag.as_deref().zip(found.etag.as_deref()) {
                Some((expected, etag)) if opaque_tag(expected) != opaque_tag(etag) => {
                    let dates = self.last_modified.zip(found.last_modified);
                    let alike = other_size.is_none()
                        && sizes.is_some()
                        && dates.is_some_and(|(expected, date)| is_same_date(expected, date));
                    let hint = if alike { NODES_DISAGREE } else { "" };
                    VersionMatch::Different(format!("expected etag {expected}, found {etag}{hint}"))
                }
                tags => other_size.unwrap_or_else(|| match tags {
                    Some(_) => VersionMatch::Same,
                    None => self.compare_dates(found),
                }),
            },
        }
    }

    fn compare_dates(&self, found: &Self) -> VersionMatch {
        match self.last_modified.zip(found.last_modified) {
            None => VersionMatch::Unknown,
            Some((expected, date)) if is_same_date(expected, date) => VersionMatch::Same,
            Some((expected, date)) => VersionMatch::Different(format!(
                "expected last modified {}, found {}",
                display_date(expected),
                display_date(date)
            )),
        }
    }

    /// The tag for a conditional request, whose 304 means [`VersionMatch::Same`]. A weak tag does not qualify, because
    /// files of different sizes may have it.
    pub(crate) fn conditional_tag(&self, check: VersionCheck) -> Option<&str> {
        self.etag.as_deref().filter(|etag| check == VersionCheck::Etag && etag.starts_with('"'))
    }
}

impl FromStr for VersionCheck {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "etag" => Ok(Self::Etag),
            "size" => Ok(Self::Size),
            "none" => Ok(Self::None),
            _ => Err(Error::InvalidArgument { what: format!("expected etag, size or none, found '{text}'") }),
        }
    }
}

/// The part of an entity tag that is compared: without the mark of a weak tag, the quotes, and the suffix of a content coding.
///
/// One server sends one tag in several ways: Apache marks a tag as weak while the file is younger than a second, nginx while
/// it compresses; Apache (`-gzip`, `-br`), Caddy (`-zstd`) and Jetty (`--gzip`) append the coding, some versions behind the
/// closing quote. The weak comparison is that of RFC 9110, section 8.8.3.2.
fn opaque_tag(etag: &str) -> &str {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    let unquoted = without_coding(etag).trim_matches('"');
    without_coding(unquoted)
}

fn without_coding(etag: &str) -> &str {
    const CODINGS: [&str; 4] = ["gzip", "br", "zstd", "deflate"];
    const SEPARATORS: [&str; 3] = ["--", "-", ";"];
    let base = |coding: &&str| {
        let rest = etag.strip_suffix(coding)?;
        SEPARATORS.iter().find_map(|separator| rest.strip_suffix(separator))
    };
    // A tag that is only a suffix does not identify a file.
    CODINGS.iter().find_map(base).filter(|base| !base.trim_matches('"').is_empty()).unwrap_or(etag)
}

/// HTTP's dates have whole seconds (RFC 9110, section 5.6.7): next to one of those, a finer date is truncated.
fn is_same_date(one: i64, other: i64) -> bool {
    const SECOND: i64 = 1_000_000;
    let whole = one.rem_euclid(SECOND) == 0 || other.rem_euclid(SECOND) == 0;
    if whole { one.div_euclid(SECOND) == other.div_euclid(SECOND) } else { one == other }
}

fn display_date(micros: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(micros) {
        Some(date) => date.to_string(),
        None => format!("{micros} us since 1970"),
    }
}

impl From<Stamp> for ObjectVersion {
    fn from(stamp: Stamp) -> Self {
        Self { size: Some(stamp.size), etag: None, last_modified: stamp.last_modified() }
    }
}

impl From<object_store::ObjectMeta> for ObjectVersion {
    fn from(meta: object_store::ObjectMeta) -> Self {
        // Stores without dates report the epoch.
        let last_modified = Some(meta.last_modified.timestamp_micros()).filter(|micros| *micros != 0);
        Self { size: Some(meta.size), etag: meta.e_tag, last_modified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(
        etag: Option<&str>,
        size: impl Into<Option<u64>>,
        last_modified: impl Into<Option<i64>>,
    ) -> ObjectVersion {
        ObjectVersion { size: size.into(), etag: etag.map(str::to_owned), last_modified: last_modified.into() }
    }

    fn words(outcome: VersionMatch) -> Option<String> {
        match outcome {
            VersionMatch::Same => Some("same".to_owned()),
            VersionMatch::Different(words) => Some(words),
            VersionMatch::Unknown => None,
        }
    }

    #[test]
    fn versions_are_compared_by_tag_size_and_date() {
        let indexed = version(Some("\"a\""), 10, 5_000_000);
        let size = "expected 10 bytes, found 11";
        for (found, expected) in [
            (version(Some("\"a\""), 10, 5_000_000), Some("same")),
            (version(Some("W/\"a\""), None, None), Some("same")),
            (version(Some("\"a\""), 10, 6_000_000), Some("same")),
            (version(Some("\"b\""), 10, None), Some("expected etag \"a\", found \"b\"")),
            (version(Some("\"b\""), 11, 5_000_000), Some("expected etag \"a\", found \"b\"")),
            (version(Some("\"a\""), 11, 5_000_000), Some(size)),
            (version(Some("W/\"a\""), 11, None), Some(size)),
            (version(None, 11, None), Some(size)),
            (version(None, 11, 5_000_000), Some(size)),
            (version(None, 10, 5_000_000), Some("same")),
            (version(None, 10, 5_999_999), Some("same")),
            (
                version(None, 10, 6_000_000),
                Some("expected last modified 1970-01-01 00:00:05 UTC, found 1970-01-01 00:00:06 UTC"),
            ),
            (version(None, 10, None), None),
            (ObjectVersion::default(), None),
        ] {
            let outcome = indexed.compare(&found, VersionCheck::Etag);
            let back = found.compare(&indexed, VersionCheck::Etag);
            assert_eq!(std::mem::discriminant(&outcome), std::mem::discriminant(&back), "{found:?}");
            assert_eq!(words(outcome).as_deref(), expected, "{found:?}");
        }
        let hint = words(indexed.compare(&version(Some("\"b\""), 10, 5_000_000), VersionCheck::Etag));
        assert_eq!(hint, Some(format!("expected etag \"a\", found \"b\"{NODES_DISAGREE}")));
        let fine = version(None, None, 1_234_567);
        assert_eq!(fine.compare(&version(None, None, 1_000_000), VersionCheck::Etag), VersionMatch::Same);
        assert!(words(fine.compare(&version(None, None, 1_234_568), VersionCheck::Etag)).is_some());
    }

    #[test]
    fn equivalent_notations_of_a_tag() {
        for (one, other, same) in [
            ("\"a\"", "W/\"a\"", true),
            ("\"a\"", "\"a-gzip\"", true),
            ("W/\"a-gzip\"", "\"a--gzip\"", true),
            ("\"a\"-gzip", "\"a;gzip\"", true),
            ("\"a-br\"", "\"a-zstd\"", true),
            ("\"5c-61\"", "\"5c-61-gzip\"", true),
            ("a", "\"a\"", true),
            ("\"a\"", "\"a-gzi\"", false),
            ("\"a\"", "\"b-gzip\"", false),
            ("\"agzip\"", "\"a\"", false),
            ("\"-gzip\"", "\"-br\"", false),
            ("\"a-2\"", "\"a\"", false),
            ("\"A\"", "\"a\"", false),
        ] {
            let compared =
                version(Some(one), None, None).compare(&version(Some(other), None, None), VersionCheck::Etag);
            assert_eq!(compared == VersionMatch::Same, same, "{one} {other}");
        }
    }

    #[test]
    fn other_checks_ignore_tags_and_dates() {
        let indexed = version(Some("\"a\""), 10, 5_000_000);
        let other = version(Some("\"b\""), 10, 6_000_000);
        assert_eq!(indexed.compare(&other, VersionCheck::Size), VersionMatch::Same);
        assert_eq!(indexed.compare(&other, VersionCheck::None), VersionMatch::Unknown);
        let larger = version(Some("\"a\""), 11, 5_000_000);
        let size = words(indexed.compare(&larger, VersionCheck::Size));
        assert_eq!(size.as_deref(), Some("expected 10 bytes, found 11"));
        assert_eq!(indexed.compare(&larger, VersionCheck::None), VersionMatch::Unknown);
        assert_eq!(indexed.compare(&version(Some("\"a\""), None, None), VersionCheck::Size), VersionMatch::Unknown);
        assert_eq!("Size".parse::<VersionCheck>().unwrap(), VersionCheck::Size);
        let text = "tag".parse::<VersionCheck>().unwrap_err().to_string();
        assert_eq!(text, "expected etag, size or none, found 'tag'");
    }
}
