//! Which version of a file: what stores say of it beside its bytes.

use crate::CogFile;
use crate::object::Stamp;
use crate::transport::Answer;

/// What tells one version of a file from another. Any of it may be unknown: plain servers know no tag, local files have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Version {
    /// Bytes.
    pub size: Option<u64>,
    /// Entity tag, in its quotes.
    pub etag: Option<String>,
    /// Microseconds since 1970-01-01 UTC.
    pub last_modified: Option<i64>,
}

impl Version {
    /// Whether two versions are one; None where they have too little in common to say. Another size is another version. Of
    /// entity tags, the same is the same version whatever the time, because servers that share an archive do not agree on
    /// times; without tags on both sides, the time decides. A size alone proves nothing.
    pub fn is_same(&self, other: &Self) -> Option<bool> {
        if self.size.zip(other.size).is_some_and(|(one, two)| one != two) {
            return Some(false);
        }
        if let Some((one, two)) = self.etag.as_deref().zip(other.etag.as_deref()) {
            return Some(opaque(one) == opaque(two));
        }
        self.last_modified.zip(other.last_modified).map(|(one, two)| one == two)
    }
}

/// The tag without the mark of a weak one (RFC 9110, 8.8.3.2, weak comparison).
fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

impl From<Answer> for Version {
    fn from(answer: Answer) -> Self {
        Self { size: answer.size, etag: answer.etag, last_modified: answer.last_modified }
    }
}

impl From<Stamp> for Version {
    fn from(stamp: Stamp) -> Self {
        Self { size: Some(stamp.size), etag: None, last_modified: stamp.last_modified() }
    }
}

impl From<object_store::ObjectMeta> for Version {
    fn from(meta: object_store::ObjectMeta) -> Self {
        // Stores that were sent no date make up the epoch.
        let last_modified = Some(meta.last_modified.timestamp_micros()).filter(|micros| *micros != 0);
        Self { size: Some(meta.size), etag: meta.e_tag, last_modified }
    }
}

impl From<&CogFile> for Version {
    fn from(file: &CogFile) -> Self {
        Self { size: file.file_size, etag: file.etag.clone(), last_modified: file.last_modified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(size: impl Into<Option<u64>>, etag: Option<&str>, last_modified: impl Into<Option<i64>>) -> Version {
        Version { size: size.into(), etag: etag.map(str::to_owned), last_modified: last_modified.into() }
    }

    #[test]
    fn what_tells_versions_apart() {
        let indexed = version(10, Some("\"a\""), 5);
        for (found, expected) in [
            (version(10, Some("\"a\""), 5), Some(true)),
            (version(None, Some("W/\"a\""), None), Some(true)),
            (version(10, Some("\"a\""), 6), Some(true)),
            (version(10, Some("\"b\""), 5), Some(false)),
            (version(11, Some("\"a\""), 5), Some(false)),
            (version(10, None, 5), Some(true)),
            (version(10, None, 6), Some(false)),
            (version(10, None, None), None),
            (version(11, None, None), Some(false)),
            (Version::default(), None),
        ] {
            assert_eq!(indexed.is_same(&found), expected, "{found:?}");
            assert_eq!(found.is_same(&indexed), expected, "{found:?}");
        }
    }
}
