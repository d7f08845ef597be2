//! Fetches encoded tiles: spans of files in stores, single tiles of local files. Each response is checked to be of the version that
//! was indexed.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::try_join_all;
use rasteret_cog::CoalesceConfig;
use tokio::sync::oneshot;

use super::RasterFile;
use super::budget::Charge;
use super::splitter::TileSplitter;
use crate::store::Stores;
use crate::store::coalesce::joined;
use crate::store::local_file::LocalFile;
use crate::store::transport::Span;
use crate::types::stamp::Stamp;
use crate::{Error, Object, ObjectVersion, Result, StoreError, VersionCheck};

/// The encoded bytes of a tile.
#[derive(Debug, Clone)]
pub(super) struct EncodedTile {
    pub(super) bytes: Bytes,
    /// For the whole span, which is one allocation as long as any of its tiles lives.
    #[expect(dead_code, reason = "dropping the last clone releases the charge")]
    charge: Option<Arc<Charge>>,
}

/// A tile that a span is fetched for: its range in the file, and the channel that completes it.
pub(super) type Pending = (Range<u64>, oneshot::Sender<Result<EncodedTile>>);

/// The fetch of one span of a file in a store.
pub(super) struct SpanFetch {
    file: Arc<RasterFile>,
    span: Range<u64>,
    /// Incomplete tiles, sorted by offset.
    tiles: Mutex<Vec<Pending>>,
    charge: Option<Arc<Charge>>,
}

impl SpanFetch {
    /// `tiles` are sorted by offset.
    pub(super) fn new(
        file: Arc<RasterFile>,
        span: Range<u64>,
        tiles: Vec<Pending>,
        charge: Option<Charge>,
    ) -> Arc<Self> {
        Arc::new(Self { file, span, tiles: Mutex::new(tiles), charge: charge.map(Arc::new) })
    }

    /// Fetches the span and completes each tile as soon as its bytes have arrived.
    pub(super) async fn run(self: Arc<Self>, stores: Stores) {
        match self.fetch(&stores).await {
            Ok(rest) => {
                self.complete(self.span.end.saturating_sub(rest.len() as u64), &rest);
                let outside = self.internal();
                self.complete_before(u64::MAX, |_| Err(outside.clone()));
            }
            Err(error) => self.complete_before(u64::MAX, |_| Err(error.clone())),
        }
    }

    /// Returns the remaining bytes at the end of the span.
    async fn fetch(&self, stores: &Stores) -> Result<Bytes> {
        let object = self.file.object(stores).await?;
        let requests: Vec<_> = CoalesceConfig::default().requests(&self.span).collect();
        let check = stores.options().check_version;
        // A tile that is larger than a request is fetched in parts, and completed when all of them are there.
        let is_whole = requests.len() == 1;
        let cuts = if is_whole { cuts(self.tiles().iter().map(|(range, _)| range)) } else { Vec::new() };
        let parts = requests.into_iter().map(|request| self.part(object, request, &cuts, check));
        Ok(joined(try_join_all(parts).await?))
    }

    /// Fetches one request, and completes tiles at the cuts while the rest is arriving. Returns the bytes after the last cut.
    async fn part(&self, object: &Object, request: Range<u64>, cuts: &[u64], check: VersionCheck) -> Result<Bytes> {
        let error = |fault| self.error(object, &request, fault, check);
        let mut stream = object.stream(Span::Range(request.clone())).await.map_err(error)?;
        self.file.check(stream.version(), check)?;
        let mut splitter = TileSplitter::new(request.start, stream.len(), cuts);
        while let Some(part) = stream.next().await.map_err(error)? {
            if let Some((offset, piece)) = splitter.push(&part) {
                self.complete(offset, &piece);
            }
        }
        match stream.len() as u64 == request.end - request.start {
            true => Ok(splitter.rest()),
            false => Err(error(StoreError::BeyondEnd(stream.version().size))),
        }
    }

    /// The error of a request. A file that ends too early has changed, unless its size is that of the index.
    fn error(&self, object: &Object, request: &Range<u64>, fault: StoreError, check: VersionCheck) -> Error {
        if let StoreError::BeyondEnd(Some(size)) = &fault {
            let version = ObjectVersion { size: Some(*size), ..ObjectVersion::default() };
            if let Err(changed) = self.file.check(&version, check) {
                return changed;
            }
        }
        object.error(Some(request.clone()), fault)
    }

    /// Completes the tiles in a piece of the span that ends between tiles.
    fn complete(&self, offset: u64, piece: &Bytes) {
        self.complete_before(offset + piece.len() as u64, |range| match slice(piece, offset, range) {
            Some(bytes) => Ok(EncodedTile { bytes, charge: self.charge.clone() }),
            None => Err(self.internal()),
        });
    }

    /// Completes the tiles that begin before `end`.
    fn complete_before(&self, end: u64, outcome: impl Fn(&Range<u64>) -> Result<EncodedTile>) {
        let mut tiles = self.tiles();
        let count = tiles.partition_point(|(range, _)| range.start < end);
        let complete: Vec<_> = tiles.drain(..count).collect();
        drop(tiles);
        for (range, sender) in complete {
            // All calls that need it may have ended.
            let _ = sender.send(outcome(&range));
        }
    }

    fn internal(&self) -> Error {
        let what = "a tile lies outside of its span".to_owned();
        Error::Internal { location: self.file.location().clone(), what }
    }

    fn tiles(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Offsets at which a span can be cut: the end of each tile that does not overlap with the next. Tiles are sorted by offset.
fn cuts<'a>(tiles: impl Iterator<Item = &'a Range<u64>>) -> Vec<u64> {
    let mut cuts: Vec<u64> = Vec::new();
    for tile in tiles {
        match cuts.last_mut() {
            Some(end) if tile.start < *end => *end = tile.end.max(*end),
            _ => cuts.push(tile.end),
        }
    }
    cuts
}

fn slice(piece: &Bytes, offset: u64, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start.checked_sub(offset)?).ok()?;
    let end = usize::try_from(range.end.checked_sub(offset)?).ok()?;
    (start <= end && end <= piece.len()).then(|| piece.slice(start..end))
}

/// A local file of a call. It is opened when its first tile is read and closed after its last one: a call may have more files than a
/// process may have open.
pub(super) struct LocalTiles {
    stamp: Stamp,
    open: Mutex<Option<Arc<LocalFile>>>,
}

impl LocalTiles {
    /// Tiles of the version of a file identified by `stamp`.
    pub(super) fn new(stamp: Stamp) -> Self {
        Self { stamp, open: Mutex::default() }
    }

    /// Reads one tile. Blocks.
    pub(super) fn read(&self, of: &RasterFile, range: &Range<u64>) -> Result<Bytes> {
        let at = |range: Option<Range<u64>>, fault| Error::Store { location: of.location().clone(), range, fault };
        let file = self.open(of).map_err(|fault| at(None, fault))?;
        let bytes = file.read(range).map_err(|fault| at(Some(range.clone()), fault))?;
        // A file that is written to while it is read yields a mixture of both versions.
        let now = file.stamp_now().map_err(|fault| at(Some(range.clone()), fault))?;
        if file.stamp != self.stamp || now != self.stamp {
            let what = "the file changed while it was read".to_owned();
            return Err(Error::Changed { location: of.location().clone(), what });
        }
        if range.end > now.size {
            return Err(at(Some(range.clone()), StoreError::BeyondEnd(Some(now.size))));
        }
        Ok(bytes)
    }

    /// Closes the file.
    pub(super) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn open(&self, of: &RasterFile) -> Result<Arc<LocalFile>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.as_ref() {
            return Ok(file.clone());
        }
        let path = of.path().ok_or_else(|| StoreError::Other("not a local file".to_owned()))?;
        Ok(open.insert(Arc::new(LocalFile::open(path)?)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_tiles_are_not_split() {
        let at = |tiles: &[Range<u64>]| cuts(tiles.iter());
        assert!(at(&[]).is_empty());
        assert_eq!(at(&[0..4, 4..8, 10..12]), [4, 8, 12]);
        // Two tiles with the same range, a tile that overlaps the next one, and a tile inside of another.
        assert_eq!(at(&[0..4, 0..4, 3..8, 8..20, 9..10, 19..21]), [8, 21]);
    }
}
