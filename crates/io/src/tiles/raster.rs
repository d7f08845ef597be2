//! A file of pixels with its indexed version.
//!
//! A file that has changed since it was indexed is an error, because the offsets of the old version would give wrong pixels.
//!
//! Versions are compared by [`ObjectVersion::compare`]. Without a version in the index, later responses are compared with the first one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rasteret_cog::CogHeader;
use tokio::sync::OnceCell;

use super::key::{FileKey, Which};
use crate::store::Stores;
use crate::types::location::LocationKind;
use crate::types::stamp::Stamp;
use crate::{CogFile, Error, Location, Object, ObjectVersion, Result, VersionCheck, VersionMatch};

/// A file that blocks are read of. Make one for each file of a call or of a query, and share it: it holds the file's store, and
/// where the index has no version of the file, the version of the first response.
#[derive(Debug)]
pub struct RasterFile {
    location: Location,
    header: Arc<CogHeader>,
    indexed: ObjectVersion,
    /// The version of the first response, if the index has none.
    first: OnceLock<ObjectVersion>,
    key: FileKey,
    object: OnceCell<Object>,
}

impl RasterFile {
    /// The file at a location, as an index describes it; makes no request and opens nothing.
    pub fn new(location: Location, file: &CogFile) -> Self {
        let indexed = file.version.clone();
        // A size does not identify a version.
        let which = match indexed.etag.is_some() || indexed.last_modified.is_some() {
            true => Which::Indexed(indexed.clone()),
            false => Which::Unknown(Arc::default()),
        };
        let key = FileKey::new(location.key().to_owned(), encodings(&file.header), which);
        let (header, first, object) = (file.header.clone(), OnceLock::new(), OnceCell::new());
        Self { location, header, indexed, first, key, object }
    }

    /// Location of the file, which is displayed redacted.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The header of the file.
    pub fn header(&self) -> &Arc<CogHeader> {
        &self.header
    }

    /// The indexed version, if known.
    pub(crate) fn version(&self) -> &ObjectVersion {
        &self.indexed
    }

    /// Size of the file, if it is known.
    pub(super) fn end(&self) -> Option<u64> {
        self.indexed.size.or_else(|| Some(Stamp::of(self.path()?).ok()?.size))
    }

    /// The path of a local file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self.location.kind() {
            LocationKind::File(path) => Some(path),
            _ => None,
        }
    }

    /// The key of its tiles for the version in the index.
    pub(super) fn key(&self) -> &FileKey {
        &self.key
    }

    /// The key of its tiles, and for a local file its stamp. Fails if a local file is missing or has changed since it was indexed.
    pub(super) fn identify(&self, check: VersionCheck) -> Result<(FileKey, Option<Stamp>)> {
        let Some(path) = self.path() else {
            return Ok((self.key.clone(), None));
        };
        let stamp =
            Stamp::of(path).map_err(|fault| Error::Store { location: self.location.clone(), range: None, fault })?;
        self.check(&stamp.into(), check)?;
        Ok((self.key.found(stamp), Some(stamp)))
    }

    /// The object that serves a file in a store.
    pub(super) async fn object(&self, stores: &Stores) -> Result<&Object> {
        self.object.get_or_try_init(|| stores.open_at(&self.location)).await
    }

    /// Fails if a version that was found is not the one that was indexed.
    pub(super) fn check(&self, found: &ObjectVersion, check: VersionCheck) -> Result<()> {
        let (expected, since) = match self.indexed == ObjectVersion::default() {
            true => (self.first.get_or_init(|| found.clone()), "while it was read"),
            false => (&self.indexed, "since it was indexed"),
        };
        match expected.compare(found, check) {
            VersionMatch::Same | VersionMatch::Unknown => Ok(()),
            VersionMatch::Different(difference) => {
                let what = format!("the file changed {since}: {difference}");
                Err(Error::Changed { location: self.location.clone(), what })
            }
        }
    }
}

/// A hash of everything that decoding depends on except the bytes.
fn encodings(header: &CogHeader) -> u64 {
    let mut hasher = DefaultHasher::new();
    header.byte_order.hash(&mut hasher);
    // In a planar header of one band, tiles are counted from the first tile of this band.
    header.band_index.filter(|_| header.image.encoding.is_planar()).hash(&mut hasher);
    for level in std::iter::once(&header.image).chain(&header.overviews).chain(&header.masks) {
        (level.image_width, level.image_height, level.tile_width, level.tile_height).hash(&mut hasher);
        level.encoding.hash(&mut hasher);
    }
    hasher.finish()
}
