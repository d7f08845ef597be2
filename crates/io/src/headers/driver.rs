//! Fetches the ranges that a decoder needs, in as few requests as possible:
//!
//! ```text
//! round 0   one GET of the first 32 KiB, which is sufficient for usual COGs; returns size, tag and date as well
//! round 1+  all missing ranges, coalesced, with read-ahead for the following IFDs
//! ```

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use rasteret_cog::{CogHeader, DecodeResult, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder, Limits};

use crate::CoalesceConfig;
use crate::store::local_file::LocalFile;
use crate::store::object::Object;
use crate::store::transport::{Body, RangeResponse, Span};
use crate::types::stamp::Stamp;
use crate::{Error, Location, ObjectVersion, Result, StoreError};

/// Bytes of the first request: the header, including tables, of a COG of some 2,000 tiles and its overviews. A smaller
/// request would not be measurably faster.
pub(crate) const FIRST_GET: u64 = 32 << 10;

/// Minimal bytes of a later request: the decoder requests an IFD by its first two bytes, and its entries, their values
/// and the next IFD usually follow.
const READ_AHEAD_MIN: u64 = 32 << 10;

/// Bytes read ahead at most. Overviews' tables follow those of the image and are a third of their size together.
const READ_AHEAD_MAX: u64 = 1 << 20;

/// Rounds after which reading fails: as many IFDs, each out of reach of the one before. Together with the limits of the
/// decoder this bounds the requests that a hostile file can cause.
const MAX_ROUNDS: u32 = 1_000;

/// Bytes of tables from which decoding is moved off the threads that wait on sockets.
const DECODE_INLINE_MAX: usize = 1 << 20;

/// Header tables lie close together or not at all: the gaps worth reading through are those between an IFD's tables.
const HEADER_COALESCE: CoalesceConfig = CoalesceConfig { max_gap: 64 << 10, max_size: 8 << 20 };

/// A decoder that returns a value, or the ranges that it needs.
pub(crate) trait Decoder: Send + 'static {
    type Output: Send + 'static;

    fn new(limits: Limits, file_size: Option<u64>) -> Self;
    fn push(&mut self, offset: u64, bytes: Bytes);
    fn try_decode(&mut self) -> rasteret_cog::Result<DecodeResult<Self::Output>>;
}

/// A decoded value, and the version of the file that it was read from.
#[derive(Debug)]
pub(crate) struct Decoded<T> {
    pub(crate) value: T,
    pub(crate) version: ObjectVersion,
}

/// Decodes a file in a store.
pub(crate) async fn read<D: Decoder>(object: &Object) -> Result<Decoded<D::Output>> {
    let first = match object.part(Span::Range(0..FIRST_GET)).await {
        Ok(value) => value,
        // There is no first byte: the decoder reports an empty file.
        Err(StoreError::BeyondEnd(size)) => {
            let version = ObjectVersion { size: size.or(Some(0)), ..ObjectVersion::default() };
            RangeResponse { version, ..RangeResponse::default() }
        }
        Err(fault) => return Err(object.error(None, fault)),
    };
    let mut decoding = Decoding::<D>::new(first.version.size, first.body);
    let value = loop {
        match decoding.step(object.location())? {
            Step::Done(value) => break value,
            Step::Fetch(spans) => {
                let fetched = object.spans_within(spans, HEADER_COALESCE).await?;
                let bytes: usize = fetched.iter().map(|(_, bytes)| bytes.len()).sum();
                decoding.push(fetched);
                if bytes > DECODE_INLINE_MAX {
                    decoding = off_thread(decoding, object.location()).await?;
                }
            }
        }
    };
    Ok(Decoded { value, version: first.version })
}

/// Decodes a local file; also returns its stamp, by which later changes are detected. Blocks.
pub(crate) fn read_local<D: Decoder>(location: &Location, path: &Path) -> Result<(Decoded<D::Output>, Stamp)> {
    let at = |range, fault| Error::Store { location: location.clone(), range, fault };
    let file = LocalFile::open(path).map_err(|fault| at(None, fault))?;
    let stamp = file.stamp;
    let first = file.read(&(0..FIRST_GET)).map_err(|fault| at(None, fault))?;
    let mut decoding = Decoding::<D>::new(Some(stamp.size), first.into());
    loop {
        match decoding.step(location)? {
            Step::Done(value) => {
                // A file that is written to while it is read yields a mixture of both versions.
                if file.stamp_now().map_err(|fault| at(None, fault))? != stamp {
                    let what = "the file changed while it was read".to_owned();
                    return Err(Error::Changed { location: location.clone(), what });
                }
                return Ok((Decoded { value, version: stamp.into() }, stamp));
            }
            Step::Fetch(spans) => {
                let read = |span: Range<u64>| match file.read(&span) {
                    Ok(bytes) => Ok((span, bytes)),
                    Err(fault) => Err(at(Some(span), fault)),
                };
                decoding.push(spans.into_iter().map(read).collect::<Result<_>>()?);
            }
        }
    }
}

/// A decoder and its number of rounds.
struct Decoding<D: Decoder> {
    decoder: D,
    size: Option<u64>,
    rounds: u32,
    /// The result of the next step, if it was computed on another thread.
    taken: Option<rasteret_cog::Result<DecodeResult<D::Output>>>,
}

enum Step<T> {
    Done(T),
    /// Sorted, disjoint and, if the size of the file is known, within the file.
    Fetch(Vec<Range<u64>>),
}

impl<D: Decoder> Decoding<D> {
    fn new(size: Option<u64>, first: Body) -> Self {
        let mut decoder = D::new(Limits::default(), size);
        let mut offset = 0;
        for part in first.into_parts() {
            let length = part.len() as u64;
            decoder.push(offset, part);
            offset += length;
        }
        Self { decoder, size, rounds: 0, taken: None }
    }

    /// Pushes fetched bytes. The decoder detects when they contain nothing new.
    fn push(&mut self, fetched: Vec<(Range<u64>, Bytes)>) {
        for (span, bytes) in fetched {
            self.decoder.push(span.start, bytes);
        }
        self.rounds += 1;
    }

    fn step(&mut self, location: &Location) -> Result<Step<D::Output>> {
        let taken = self.taken.take().unwrap_or_else(|| self.decoder.try_decode());
        match taken.map_err(|source| Error::Header { location: location.clone(), source })? {
            DecodeResult::Data(value) => Ok(Step::Done(value)),
            DecodeResult::NeedsData(_) if self.rounds >= MAX_ROUNDS => {
                let what = format!("the header needs more than {MAX_ROUNDS} rounds of requests");
                Err(Error::Store { location: location.clone(), range: None, fault: StoreError::Other(what) })
            }
            DecodeResult::NeedsData(missing) => Ok(Step::Fetch(wider(missing, self.size))),
        }
    }
}

/// The ranges to fetch for the missing ones. They are not widened if the size of the file is unknown, because the file
/// may end there.
fn wider(mut missing: Vec<Range<u64>>, size: Option<u64>) -> Vec<Range<u64>> {
    if let Some(size) = size {
        let requested = missing.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add);
        let ahead = (requested / 2).clamp(READ_AHEAD_MIN, READ_AHEAD_MAX);
        missing.iter_mut().for_each(|range| *range = widened(range, READ_AHEAD_MIN, size));
        // The rest of the header follows the last known range.
        if let Some(last) = missing.iter_mut().max_by_key(|range| range.end) {
            last.end = last.end.saturating_add(ahead - READ_AHEAD_MIN).min(size);
        }
    }
    HEADER_COALESCE.spans(&missing)
}

/// The range, grown to a minimal length: forwards, and at the end of the file backwards.
fn widened(range: &Range<u64>, length: u64, size: u64) -> Range<u64> {
    let end = range.end.max(range.start.saturating_add(length)).min(size);
    let start = range.start.min(end.saturating_sub(length));
    start..end
}

/// Decodes large tables off the threads that wait on sockets.
async fn off_thread<D: Decoder>(mut decoding: Decoding<D>, location: &Location) -> Result<Decoding<D>> {
    let decoded = tokio::task::spawn_blocking(move || {
        decoding.taken = Some(decoding.decoder.try_decode());
        decoding
    });
    decoded.await.map_err(|_| Error::Internal { location: location.clone(), what: "decoding panicked".to_owned() })
}

impl Decoder for HeaderDecoder {
    type Output = CogHeader;

    fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self::new(limits, file_size)
    }

    fn push(&mut self, offset: u64, bytes: Bytes) {
        self.push(offset, bytes);
    }

    fn try_decode(&mut self) -> rasteret_cog::Result<DecodeResult<CogHeader>> {
        self.try_decode()
    }
}

impl Decoder for InfoDecoder {
    type Output = FileInfo;

    fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self::new(limits, file_size)
    }

    fn push(&mut self, offset: u64, bytes: Bytes) {
        self.push(offset, bytes);
    }

    fn try_decode(&mut self) -> rasteret_cog::Result<DecodeResult<FileInfo>> {
        self.try_decode()
    }
}

impl Decoder for IfdDecoder {
    type Output = Vec<IfdInfo>;

    fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self::new(limits, file_size)
    }

    fn push(&mut self, offset: u64, bytes: Bytes) {
        self.push(offset, bytes);
    }

    fn try_decode(&mut self) -> rasteret_cog::Result<DecodeResult<Vec<IfdInfo>>> {
        self.try_decode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_grow_within_the_file() {
        assert_eq!(widened(&(100..102), 50, 1000), 100..150);
        assert_eq!(widened(&(100..400), 50, 1000), 100..400);
        assert_eq!(widened(&(990..992), 50, 1000), 950..1000);
        assert_eq!(widened(&(0..2), 50, 10), 0..10);
    }
}
