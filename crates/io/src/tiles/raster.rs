//! A file of pixels, and which version of it the index speaks of.
//!
//! Owns the check that a file has not changed since it was indexed: offsets of an old file in a new one give wrong pixels,
//! not none.
//!
//! | index and answer both have | the file is the same when |
//! |---|---|
//! | an entity tag | the tags are equal, `W/` apart, and so are the sizes where both are known |
//! | no tag in one of them | the sizes are equal where both are known, and so are the dates where both are known |
//! | neither | nobody can tell; what the first answer said holds for the later ones |
//!
//! `W/` marks a tag as weak (RFC 9110, section 8.8.3). It is left out of the comparison because one server sends one tag both
//! ways: Apache marks a tag weak while the file is younger than a second, proxies while they compress. The size stands by.
//! With equal tags the dates do not matter: copies of one object on several servers differ in them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rasteret_cog::CogHeader;
use tokio::sync::OnceCell;

use crate::location::Place;
use crate::object::Stamp;
use crate::transport::Answer;
use crate::{CogFile, Error, Location, Object, Result, Session};

/// A file that blocks are read of. Make one for each file of a call or of a query, and share it: it holds the way to the
/// store, and where the index knows no version of the file, what the first answer said about it.
#[derive(Debug)]
pub struct RasterFile {
    location: Location,
    header: Arc<CogHeader>,
    indexed: Version,
    /// Of the first answer, where the index knows nothing.
    first: OnceLock<Version>,
    key: FileKey,
    object: OnceCell<Object>,
}

/// What a store says about which version of a file it has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Version {
    etag: Option<String>,
    size: Option<u64>,
    /// Microseconds since 1970-01-01 UTC.
    last_modified: Option<i64>,
}

/// What tells decoded tiles of this file apart from those of others, of other versions of it, and from those that other
/// metadata would have decoded in another way. Cheap to clone.
#[derive(Clone)]
pub(super) struct FileKey(Arc<Identity>);

#[derive(PartialEq, Eq)]
struct Identity {
    hash: u64,
    location: String,
    encodings: u64,
    which: Which,
}

enum Which {
    /// In a store: the version that the index names.
    Indexed(Version),
    /// Local: the file as it was found.
    Found(Stamp),
    /// Nobody knows: as long as one [`RasterFile`] lives.
    Unknown(Arc<()>),
}

impl RasterFile {
    /// The file at a location, as an index describes it; makes no request and opens nothing.
    pub fn new(location: Location, file: &CogFile) -> Self {
        let indexed = Version { etag: file.etag.clone(), size: file.file_size, last_modified: file.last_modified };
        // A size alone tells too little to keep tiles by.
        let which = match indexed.etag.is_some() || indexed.last_modified.is_some() {
            true => Which::Indexed(indexed.clone()),
            false => Which::Unknown(Arc::default()),
        };
        let key = FileKey::new(location.key().to_owned(), encodings(&file.header), which);
        let (header, first, object) = (file.header.clone(), OnceLock::new(), OnceCell::new());
        Self { location, header, indexed, first, key, object }
    }

    /// Where the file is; displays redacted.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The header that it was made with.
    pub fn header(&self) -> &Arc<CogHeader> {
        &self.header
    }

    /// Where the file ends, as far as is known.
    pub(super) fn end(&self) -> Option<u64> {
        self.indexed.size.or_else(|| Some(Stamp::of(self.path()?).ok()?.size))
    }

    /// The path of a local file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self.location.place() {
            Place::File(path) => Some(path),
            _ => None,
        }
    }

    /// The key of its tiles, and for a local file its stamp. Fails where a local file is not there or is not the one that was
    /// indexed.
    pub(super) fn identify(&self) -> Result<(FileKey, Option<Stamp>)> {
        let Some(path) = self.path() else {
            return Ok((self.key.clone(), None));
        };
        let stamp =
            Stamp::of(path).map_err(|fault| Error::Store { location: self.location.clone(), range: None, fault })?;
        self.check(Version { etag: None, size: Some(stamp.size), last_modified: stamp.last_modified() })?;
        Ok((FileKey::new(self.key.0.location.clone(), self.key.0.encodings, Which::Found(stamp)), Some(stamp)))
    }

    /// What serves a file in a store.
    pub(super) async fn object(&self, session: &Session) -> Result<&Object> {
        self.object.get_or_try_init(|| session.open_at(&self.location)).await
    }

    /// Whether a version that was found is the one that the index speaks of.
    pub(super) fn check(&self, found: Version) -> Result<()> {
        let what = match self.indexed.differs_from(&found) {
            Some(difference) => format!("the file changed since it was indexed: {difference}"),
            None if self.indexed != Version::default() => return Ok(()),
            None => match self.first.get_or_init(|| found.clone()).differs_from(&found) {
                Some(difference) => format!("the file changed while it was read: {difference}"),
                None => return Ok(()),
            },
        };
        Err(Error::Changed { location: self.location.clone(), what })
    }
}

impl Version {
    pub(super) fn of(answer: &Answer) -> Self {
        Self { etag: answer.etag.clone(), size: answer.size, last_modified: answer.last_modified }
    }

    pub(super) fn of_size(size: u64) -> Self {
        Self { size: Some(size), ..Self::default() }
    }

    /// What was expected and what was found, where that cannot be one version.
    fn differs_from(&self, found: &Self) -> Option<String> {
        let strong = |etag: &str| etag.strip_prefix("W/").unwrap_or(etag).to_owned();
        match (&self.etag, &found.etag) {
            (Some(expected), Some(etag)) if strong(expected) != strong(etag) => {
                return Some(format!("expected etag {expected}, found {etag}"));
            }
            _ => {}
        }
        match (self.size, found.size) {
            (Some(expected), Some(size)) if expected != size => {
                return Some(format!("expected {expected} bytes, found {size}"));
            }
            _ => {}
        }
        if self.etag.is_some() && found.etag.is_some() {
            return None;
        }
        match (self.last_modified, found.last_modified) {
            (Some(expected), Some(date)) if !same_date(expected, date) => {
                Some(format!("expected last modified {}, found {}", moment(expected), moment(date)))
            }
            _ => None,
        }
    }
}

/// HTTP's dates have whole seconds (RFC 9110, section 5.6.7): beside one of those, a finer date is cut.
fn same_date(one: i64, other: i64) -> bool {
    const SECOND: i64 = 1_000_000;
    let whole = one.rem_euclid(SECOND) == 0 || other.rem_euclid(SECOND) == 0;
    if whole { one.div_euclid(SECOND) == other.div_euclid(SECOND) } else { one == other }
}

fn moment(micros: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(micros) {
        Some(moment) => format!("{moment}"),
        None => format!("{micros} us since 1970"),
    }
}

/// All that decoding depends on besides the bytes.
fn encodings(header: &CogHeader) -> u64 {
    let mut hasher = DefaultHasher::new();
    header.byte_order.hash(&mut hasher);
    // A planar header that was narrowed to a band counts its tiles from that band's first.
    header.band_index.filter(|_| header.image.encoding.planar_configuration == 2).hash(&mut hasher);
    for level in std::iter::once(&header.image).chain(&header.overviews).chain(&header.masks) {
        (level.image_width, level.image_height, level.tile_width, level.tile_height).hash(&mut hasher);
        level.encoding.hash(&mut hasher);
    }
    hasher.finish()
}

impl FileKey {
    fn new(location: String, encodings: u64, which: Which) -> Self {
        let mut hasher = DefaultHasher::new();
        (&location, encodings).hash(&mut hasher);
        match &which {
            Which::Indexed(version) => version.hash(&mut hasher),
            Which::Found(stamp) => stamp.hash(&mut hasher),
            Which::Unknown(token) => Arc::as_ptr(token).hash(&mut hasher),
        }
        Self(Arc::new(Identity { hash: hasher.finish(), location, encodings, which }))
    }
}

impl Hash for FileKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for FileKey {}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The location's key may hold a query string.
        write!(f, "FileKey({:016x})", self.0.hash)
    }
}

impl PartialEq for Which {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Indexed(one), Self::Indexed(other)) => one == other,
            (Self::Found(one), Self::Found(other)) => one == other,
            (Self::Unknown(one), Self::Unknown(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Which {}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(etag: Option<&str>, size: Option<u64>, last_modified: Option<i64>) -> Version {
        Version { etag: etag.map(str::to_owned), size, last_modified }
    }

    #[test]
    fn what_counts_as_another_version() {
        let same = |one: &Version, other: &Version| {
            assert_eq!((one.differs_from(other), other.differs_from(one)), (None, None), "{one:?} {other:?}");
        };
        let other = |one: &Version, other: &Version, words: &str| {
            assert_eq!(one.differs_from(other).as_deref(), Some(words));
        };
        let a = version(Some("\"a\""), Some(10), Some(1_000_000));
        same(&a, &a);
        same(&a, &version(Some("W/\"a\""), Some(10), Some(1_000_000)));
        same(&a, &version(Some("\"a\""), None, Some(9_000_000)));
        same(&a, &version(None, Some(10), None));
        same(&a, &version(None, None, None));
        same(&version(None, Some(10), Some(1_234_567)), &version(None, Some(10), Some(1_000_000)));
        other(&a, &version(Some("\"b\""), Some(10), Some(1_000_000)), "expected etag \"a\", found \"b\"");
        other(&a, &version(Some("W/\"a\""), Some(11), None), "expected 10 bytes, found 11");
        other(&version(None, Some(10), None), &a.clone().with_size(11), "expected 10 bytes, found 11");
        other(
            &version(None, Some(10), Some(0)),
            &a,
            "expected last modified 1970-01-01 00:00:00 UTC, found 1970-01-01 00:00:01 UTC",
        );
        assert!(version(None, None, Some(1_234_567)).differs_from(&version(None, None, Some(1_234_568))).is_some());
    }

    impl Version {
        fn with_size(self, size: u64) -> Self {
            Self { size: Some(size), ..self }
        }
    }
}
