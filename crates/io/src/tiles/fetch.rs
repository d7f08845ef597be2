//! Bytes of spans, from stores and from local files, each answer checked to be of the version that was indexed.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::try_join_all;
use rasteret_cog::CoalesceConfig;
use tokio::sync::watch;

use super::RasterFile;
use super::budget::Charge;
use super::slot::{self, Seat, Stage};
use crate::coalesce::joined;
use crate::object::{LocalFile, Stamp};
use crate::transport::{Answer, Pieces, Span};
use crate::{Error, Fault, Object, ObjectVersion, Result, Session, VersionCheck};

/// A span that is to be fetched, and the tiles in it, which are claimed. Dropped before they have landed, it gives them back.
pub(super) struct Flight {
    file: Arc<RasterFile>,
    span: Range<u64>,
    /// Those that have not landed, by where they begin.
    tiles: Mutex<Vec<(Seat, Range<u64>)>>,
    /// For the whole span, which is one piece of memory as long as any of its tiles is needed.
    charge: Arc<Charge>,
}

impl Flight {
    /// `tiles` are sorted by where they begin.
    pub(super) fn new(file: Arc<RasterFile>, span: Range<u64>, tiles: Vec<(Seat, Range<u64>)>, charge: Charge) -> Self {
        Self { file, span, tiles: Mutex::new(tiles), charge: Arc::new(charge) }
    }

    /// Fetches from a store; each tile lands as soon as its bytes are there. Ends early when the call is over and nobody else
    /// waits for these tiles.
    pub(super) async fn fetch(self: Arc<Self>, session: Session, mut call: watch::Receiver<()>) {
        let fetched = self.remote(&session);
        tokio::pin!(fetched);
        let rest = tokio::select! {
            rest = &mut fetched => rest,
            _ = call.changed() => {
                if !self.tiles().iter().any(|(seat, _)| seat.is_wanted()) {
                    return;
                }
                fetched.await
            }
        };
        self.land_all(rest);
    }

    /// Reads from a local file. Blocks.
    pub(super) fn read(self, open: &OpenFile) {
        match open.read(&self.file, &self.span) {
            // Tiles before the end of a file that was cut off are whole.
            Ok((bytes, Some(error))) => {
                let place = self.span.start..self.span.start + bytes.len() as u64;
                self.settle(u64::MAX, |range| match slice(&bytes, &place, range) {
                    Some(bytes) => Stage::Encoded(bytes, self.charge.clone()),
                    None => Stage::Failed(error.clone()),
                });
            }
            Ok((bytes, None)) => self.land_all(Ok(bytes)),
            Err(error) => self.land_all(Err(error)),
        }
    }

    /// Asks for the span, and gives what has not landed of it: its last bytes.
    async fn remote(self: &Arc<Self>, session: &Session) -> Result<Bytes> {
        let object = self.file.object(session).await?;
        let requests: Vec<_> = CoalesceConfig::default().requests(&self.span).collect();
        // A tile that is larger than a request may be is asked for in parts, which land together.
        let check = session.options().check_version;
        let pieces = (requests.len() == 1).then(|| self.pieces(check));
        let parts = requests.into_iter().map(|request| self.part(object, request, pieces.as_ref(), check));
        Ok(joined(try_join_all(parts).await?))
    }

    /// Lands tiles while others are still coming.
    fn pieces(self: &Arc<Self>, check: VersionCheck) -> Pieces {
        let flight = self.clone();
        let take = move |answer: &Answer, offset, piece: Bytes| {
            // What is of another version is an error when all of it is there.
            if flight.file.check(&answer.version, check).is_ok() {
                flight.land(offset, &piece);
            }
        };
        Pieces { cuts: cuts(self.tiles().iter().map(|(_, range)| range)).into(), take: Arc::new(take) }
    }

    async fn part(
        &self,
        object: &Object,
        request: Range<u64>,
        pieces: Option<&Pieces>,
        check: VersionCheck,
    ) -> Result<Bytes> {
        let fault = match object.get_in_pieces(Span::Range(request.clone()), pieces).await {
            Ok(answer) => {
                self.file.check(&answer.version, check)?;
                if answer.start + answer.body.len() as u64 == request.end {
                    return Ok(answer.body.into_bytes());
                }
                Fault::BeyondEnd(answer.version.size)
            }
            Err(fault) => fault,
        };
        if let Fault::BeyondEnd(Some(size)) = &fault {
            let version = ObjectVersion { size: Some(*size), ..ObjectVersion::default() };
            self.file.check(&version, check)?;
        }
        Err(object.error(Some(request), fault))
    }

    /// Lands the tiles in a piece of the span; none is cut by its end.
    fn land(&self, offset: u64, piece: &Bytes) {
        let place = offset..offset + piece.len() as u64;
        self.settle(place.end, |range| match slice(piece, &place, range) {
            Some(bytes) => Stage::Encoded(bytes, self.charge.clone()),
            None => Stage::Failed(internal(&self.file, "a tile lies outside of its span")),
        });
    }

    /// Lands what has not landed, with the last bytes of the span or without.
    fn land_all(&self, rest: Result<Bytes>) {
        match rest {
            Ok(rest) => {
                self.land(self.span.end.saturating_sub(rest.len() as u64), &rest);
                // A tile that does not begin before the end of its span is waited for as well.
                self.settle(u64::MAX, |_| Stage::Failed(internal(&self.file, "a tile lies outside of its span")));
            }
            Err(error) => self.settle(u64::MAX, |_| Stage::Failed(error.clone())),
        }
    }

    /// Moves on the tiles that begin before `end`, and tells who waits for them.
    fn settle(&self, end: u64, stage: impl Fn(&Range<u64>) -> Stage) {
        let mut tiles = self.tiles();
        let count = tiles.partition_point(|(_, range)| range.start < end);
        let settled: Vec<_> = tiles.drain(..count).collect();
        drop(tiles);
        slot::tell(settled.iter().flat_map(|(seat, range)| seat.land(stage(range))));
    }

    fn tiles(&self) -> MutexGuard<'_, Vec<(Seat, Range<u64>)>> {
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = internal(&self.file, "reading tiles panicked");
            return self.land_all(Err(error));
        }
        self.tiles().drain(..).for_each(|(seat, _)| seat.give_back());
    }
}

fn internal(file: &RasterFile, what: &str) -> Error {
    Error::Internal { location: file.location().clone(), what: what.to_owned() }
}

/// Where a span can be cut: behind each tile that does not overlap with the next. Tiles are sorted by where they begin.
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

fn slice(bytes: &Bytes, span: &Range<u64>, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start.checked_sub(span.start)?).ok()?;
    let end = usize::try_from(range.end.checked_sub(span.start)?).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

/// A local file of a call: opened when it is first read, closed after its last span, since a call may name more files than
/// a process may have open.
pub(super) struct OpenFile {
    stamp: Stamp,
    state: Mutex<State>,
}

struct State {
    file: Option<Arc<LocalFile>>,
    spans: usize,
}

impl OpenFile {
    /// A file of which so many spans will be read.
    pub(super) fn new(stamp: Stamp, spans: usize) -> Self {
        Self { stamp, state: Mutex::new(State { file: None, spans }) }
    }

    /// The bytes of a span; where the file ends before, those that it has and an error for the rest.
    fn read(&self, of: &RasterFile, span: &Range<u64>) -> Result<(Bytes, Option<Error>)> {
        let at = |range: Option<Range<u64>>, fault| Error::Store { location: of.location().clone(), range, fault };
        let file = self.open(of).map_err(|fault| at(None, fault))?;
        let whole = |fault| at(Some(span.clone()), fault);
        let changed = || {
            let what = "the file changed while it was read".to_owned();
            Error::Changed { location: of.location().clone(), what }
        };
        if file.stamp != self.stamp {
            return Err(changed());
        }
        let size = file.stamp.size;
        let beyond = (span.end > size).then(|| whole(Fault::BeyondEnd(Some(size))));
        let bytes = file.read(&(span.start.min(size)..span.end.min(size))).map_err(whole)?;
        // A file that is written to while it is read gives a mixture.
        if file.stamp_now().map_err(whole)? == self.stamp { Ok((bytes, beyond)) } else { Err(changed()) }
    }

    fn open(&self, of: &RasterFile) -> Result<Arc<LocalFile>, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.spans = state.spans.saturating_sub(1);
        let file = match state.file.take() {
            Some(file) => file,
            None => {
                let path = of.path().ok_or_else(|| Fault::Other("not a local file".to_owned()))?;
                Arc::new(LocalFile::open(path)?)
            }
        };
        if state.spans > 0 {
            state.file = Some(file.clone());
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_that_overlap_are_not_cut_apart() {
        let at = |tiles: &[Range<u64>]| cuts(tiles.iter());
        assert!(at(&[]).is_empty());
        assert_eq!(at(&[0..4, 4..8, 10..12]), [4, 8, 12]);
        // Two tiles of one place, one that goes on in the next, and one within another.
        assert_eq!(at(&[0..4, 0..4, 3..8, 8..20, 9..10, 19..21]), [8, 21]);
    }
}
