//! Identities of files and tiles.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use rasteret_cog::pixel::Image;

use crate::ObjectVersion;
use crate::types::stamp::Stamp;

/// The identity of a file's decoded tiles: its location, its version, and how its metadata encodes them. Cheap to clone.
#[derive(Clone)]
pub(super) struct FileKey(Arc<Identity>);

#[derive(PartialEq, Eq)]
struct Identity {
    hash: u64,
    location: String,
    encodings: u64,
    which: Which,
}

pub(super) enum Which {
    /// In a store: the version of the index.
    Indexed(ObjectVersion),
    /// A local file: its size and date when it was found.
    Found(Stamp),
    /// Unknown: tiles are cached for the lifetime of one [`RasterFile`].
    Unknown(Arc<()>),
}

/// One encoded tile of one version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TileKey {
    pub(super) file: FileKey,
    pub(super) image: Image,
    pub(super) position: u64,
    /// The byte range is part of the key: another range in an index is another tile.
    pub(super) start: u64,
    pub(super) end: u64,
}

impl FileKey {
    pub(super) fn new(location: String, encodings: u64, which: Which) -> Self {
        let mut hasher = DefaultHasher::new();
        (&location, encodings).hash(&mut hasher);
        match &which {
            Which::Indexed(version) => version.hash(&mut hasher),
            Which::Found(stamp) => stamp.hash(&mut hasher),
            Which::Unknown(token) => Arc::as_ptr(token).hash(&mut hasher),
        }
        Self(Arc::new(Identity { hash: hasher.finish(), location, encodings, which }))
    }

    /// The key of the same file as it was found.
    pub(super) fn found(&self, stamp: Stamp) -> Self {
        Self::new(self.0.location.clone(), self.0.encodings, Which::Found(stamp))
    }

    /// The key of cached failures of this file, without the token of one call. None for a local file, which costs no
    /// requests.
    pub(super) fn of_failure(&self) -> Option<Self> {
        match &self.0.which {
            Which::Indexed(_) => Some(self.clone()),
            Which::Unknown(_) => {
                let version = Which::Indexed(ObjectVersion::default());
                Some(Self::new(self.0.location.clone(), self.0.encodings, version))
            }
            Which::Found(_) => None,
        }
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

impl TileKey {
    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// The key of a cached failure of this tile; None for a tile of a local file.
    pub(super) fn of_failure(&self) -> Option<Self> {
        Some(Self { file: self.file.of_failure()?, ..self.clone() })
    }
}
