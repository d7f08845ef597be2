//! Bytes of spans, from stores and from local files, each answer checked to be of the version that was indexed.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::try_join_all;
use rasteret_cog::CoalesceConfig;
use tokio::sync::watch;

use super::RasterFile;
use super::budget::Charge;
use super::raster::Version;
use super::slot::{Seat, Stage};
use crate::coalesce::joined;
use crate::object::{LocalFile, Stamp};
use crate::transport::Span;
use crate::{Error, Fault, Object, Result, Session};

/// A span that is to be fetched, and the tiles in it, which are claimed. Dropped before it has landed, it gives them back.
pub(super) struct Flight {
    file: Arc<RasterFile>,
    span: Range<u64>,
    tiles: Vec<(Seat, Range<u64>)>,
    charge: Option<Charge>,
}

impl Flight {
    pub(super) fn new(file: Arc<RasterFile>, span: Range<u64>, tiles: Vec<(Seat, Range<u64>)>, charge: Charge) -> Self {
        Self { file, span, tiles, charge: Some(charge) }
    }

    /// Fetches from a store. Ends early when the call is over and nobody else waits for these tiles.
    pub(super) async fn fetch(mut self, session: Session, mut call: watch::Receiver<()>) {
        let (file, span) = (self.file.clone(), self.span.clone());
        let fetched = remote(&session, &file, &span);
        tokio::pin!(fetched);
        let result = tokio::select! {
            result = &mut fetched => result,
            _ = call.changed() => {
                if !self.tiles.iter().any(|(seat, _)| seat.is_wanted()) {
                    return;
                }
                fetched.await
            }
        };
        self.land(result);
    }

    /// Reads from a local file. Blocks.
    pub(super) fn read(mut self, open: &OpenFile) {
        let result = open.read(&self.file, &self.span);
        self.land(result);
    }

    fn land(&mut self, result: Result<Bytes>) {
        let charge = self.charge.take().map(Arc::new);
        for (seat, range) in self.tiles.drain(..) {
            let bytes = result.as_ref().map(|bytes| slice(bytes, &self.span, &range));
            seat.land(match bytes {
                Ok(Some(bytes)) => Stage::Encoded(bytes, charge.clone()),
                Ok(None) => Stage::Failed(internal(&self.file, "a tile lies outside of its span")),
                Err(error) => Stage::Failed(error.clone()),
            });
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = internal(&self.file, "reading tiles panicked");
            return self.land(Err(error));
        }
        self.tiles.drain(..).for_each(|(seat, _)| seat.give_back());
    }
}

fn internal(file: &RasterFile, what: &str) -> Error {
    Error::Internal { location: file.location().clone(), what: what.to_owned() }
}

fn slice(bytes: &Bytes, span: &Range<u64>, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start.checked_sub(span.start)?).ok()?;
    let end = usize::try_from(range.end.checked_sub(span.start)?).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

async fn remote(session: &Session, file: &RasterFile, span: &Range<u64>) -> Result<Bytes> {
    let object = file.object(session).await?;
    // A tile that is larger than a request may be is asked for in parts.
    let requests = CoalesceConfig::default().requests(span);
    Ok(joined(try_join_all(requests.map(|request| part(object, file, request))).await?))
}

async fn part(object: &Object, file: &RasterFile, request: Range<u64>) -> Result<Bytes> {
    let fault = match object.get(Span::Range(request.clone())).await {
        Ok(answer) => {
            file.check(Version::of(&answer))?;
            if answer.body.len() as u64 == request.end - request.start {
                return Ok(answer.body.into_bytes());
            }
            Fault::BeyondEnd(answer.size)
        }
        Err(fault) => fault,
    };
    if let Fault::BeyondEnd(Some(size)) = &fault {
        file.check(Version::of_size(*size))?;
    }
    Err(object.error(Some(request), fault))
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

    fn read(&self, of: &RasterFile, span: &Range<u64>) -> Result<Bytes> {
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
        if span.end > file.stamp.size {
            return Err(whole(Fault::BeyondEnd(Some(file.stamp.size))));
        }
        let bytes = file.read(span).map_err(whole)?;
        // A file that is written to while it is read gives a mixture.
        if file.stamp_now().map_err(whole)? == self.stamp { Ok(bytes) } else { Err(changed()) }
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
