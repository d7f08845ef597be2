//! Fetches what the header decoder asks for.
//!
//! Owns how many requests a header costs:
//!
//! ```text
//! round 0   one GET of the first 32 KiB: a normal COG is done; size, tag and date come with it
//! round 1+  what the decoder misses, all of it at once, coalesced, each round read ahead for the IFDs that follow
//! ```

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rasteret_cog::{CogHeader, DecodeResult, HeaderDecoder, Limits};

use crate::coalesce::CoalesceConfig;
use crate::object::{LocalFile, Object, Stamp};
use crate::transport::{Answer, Span};
use crate::{CogFile, Error, Fault, Location, Result};

/// Bytes of the first request: the header, tables included, of a COG of some 2,000 tiles and its overviews, at a price that
/// cannot be told from that of a smaller request.
pub(crate) const FIRST_GET: u64 = 32 << 10;

/// Bytes that a later request has at least: an IFD is asked for by its first two bytes, and its entries, their values and
/// the next IFD follow close behind.
const READ_AHEAD_MIN: u64 = 32 << 10;

/// Bytes read ahead at most. Overviews' tables follow those of the image and are a third of their size together.
const READ_AHEAD_MAX: u64 = 1 << 20;

/// Rounds after which a file is given up: as many IFDs, each beyond the reach of the one before. Bounds what a hostile
/// file can make a client do, along with the decoder's own limits.
const MAX_ROUNDS: u32 = 1_000;

/// Bytes of tables from which decoding is moved off the threads that wait on sockets.
const DECODE_INLINE_MAX: u64 = 1 << 20;

/// Header tables lie close together or not at all: the gaps worth reading through are those between an IFD's tables.
const HEADER_COALESCE: CoalesceConfig = CoalesceConfig {
    max_gap: 64 << 10,
    max_size: 8 << 20,
};

/// The header of a file in a store.
pub(crate) async fn read(object: &Object) -> Result<CogFile> {
    let first = match object.get(Span::Range(0..FIRST_GET)).await {
        Ok(answer) => answer,
        // There is no first byte: an empty file, for the decoder to say so.
        Err(Fault::BeyondEnd(size)) => Answer {
            size: size.or(Some(0)),
            ..Answer::default()
        },
        Err(fault) => return Err(object.error(None, fault)),
    };
    let mut decoding = Decoding::new(first.size, first.bytes);
    let header = loop {
        match decoding.step(object.location())? {
            Step::Done(header) => break header,
            Step::Fetch(spans) => {
                let fetched = object.spans(spans, HEADER_COALESCE).await?;
                let bytes: usize = fetched.iter().map(|(_, bytes)| bytes.len()).sum();
                decoding.push(fetched);
                if bytes as u64 > DECODE_INLINE_MAX {
                    decoding = off_thread(decoding, object.location()).await?;
                }
            }
        }
    };
    Ok(CogFile {
        header,
        file_size: first.size,
        etag: first.etag,
        last_modified: first.last_modified,
    })
}

/// The header of a local file, and what tells whether the file has changed since. Blocks.
pub(crate) fn read_local(location: &Location, path: &Path) -> Result<(CogFile, Stamp)> {
    let at = |range, fault| Error::Store {
        location: location.clone(),
        range,
        fault,
    };
    let file = LocalFile::open(path).map_err(|fault| at(None, fault))?;
    let stamp = file.stamp;
    let first = file
        .read(&(0..FIRST_GET))
        .map_err(|fault| at(None, fault))?;
    let mut decoding = Decoding::new(Some(stamp.size), first);
    loop {
        match decoding.step(location)? {
            Step::Done(header) => {
                let (file_size, last_modified) = (Some(stamp.size), stamp.last_modified());
                return Ok((
                    CogFile {
                        header,
                        file_size,
                        etag: None,
                        last_modified,
                    },
                    stamp,
                ));
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

/// A decoder and the rounds that it has had.
struct Decoding {
    decoder: HeaderDecoder,
    size: Option<u64>,
    rounds: u32,
    /// The ranges of the last round, as the decoder named them.
    asked: Vec<Range<u64>>,
    /// What the last step found out, when it was taken elsewhere.
    taken: Option<Result<DecodeResult<CogHeader>, rasteret_cog::Error>>,
}

enum Step {
    Done(Arc<CogHeader>),
    /// Disjoint and within the file.
    Fetch(Vec<Range<u64>>),
}

impl Decoding {
    fn new(size: Option<u64>, first: Bytes) -> Self {
        let mut decoder = HeaderDecoder::new(Limits::default(), size);
        decoder.push(0, first);
        Self {
            decoder,
            size,
            rounds: 0,
            asked: Vec::new(),
            taken: None,
        }
    }

    fn push(&mut self, fetched: Vec<(Range<u64>, Bytes)>) {
        for (span, bytes) in fetched {
            self.decoder.push(span.start, bytes);
        }
        self.rounds += 1;
    }

    fn step(&mut self, location: &Location) -> Result<Step> {
        let taken = self
            .taken
            .take()
            .unwrap_or_else(|| self.decoder.try_decode());
        match taken.map_err(|source| Error::Header {
            location: location.clone(),
            source,
        })? {
            DecodeResult::Data(header) => Ok(Step::Done(Arc::new(header))),
            DecodeResult::NeedsData(missing) => {
                let at = |range, fault| Error::Store {
                    location: location.clone(),
                    range,
                    fault,
                };
                let size = self.size.unwrap_or(u64::MAX);
                if let Some(beyond) = missing.iter().find(|range| range.end > size) {
                    return Err(at(Some(beyond.clone()), Fault::BeyondEnd(self.size)));
                }
                if self.rounds >= MAX_ROUNDS {
                    let what =
                        format!("the header is scattered over more than {MAX_ROUNDS} places");
                    return Err(at(None, Fault::Other(what)));
                }
                // Bytes that were handed over and are asked for again would be asked for forever.
                if missing.is_empty() || missing == self.asked {
                    let what = "the decoder asks for what it has".to_owned();
                    return Err(Error::Internal {
                        location: location.clone(),
                        what,
                    });
                }
                self.asked.clone_from(&missing);
                Ok(Step::Fetch(self.spans(missing)))
            }
        }
    }

    /// What to fetch for the ranges that are missing.
    fn spans(&self, missing: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let size = self.size.unwrap_or(u64::MAX);
        let asked: u64 = missing
            .iter()
            .map(|range| range.end.saturating_sub(range.start))
            .fold(0, u64::saturating_add);
        let ahead = (asked / 2).clamp(READ_AHEAD_MIN, READ_AHEAD_MAX);
        let mut wanted: Vec<_> = missing
            .into_iter()
            .map(|range| widened(range, READ_AHEAD_MIN, size))
            .collect();
        // Whatever else there is to the header stands behind what is known of it.
        if let (Some(last), true) = (
            wanted.iter_mut().max_by_key(|range| range.end),
            self.size.is_some(),
        ) {
            last.end = last.end.saturating_add(ahead - READ_AHEAD_MIN).min(size);
        }
        HEADER_COALESCE.spans(&wanted)
    }
}

/// The range, grown to a minimal length: forwards, and at the end of the file backwards. Where the size is not known it
/// stays as it is, for nobody can tell whether the file goes on.
fn widened(range: Range<u64>, length: u64, size: u64) -> Range<u64> {
    if size == u64::MAX {
        return range;
    }
    let end = range.end.max(range.start.saturating_add(length)).min(size);
    let start = range.start.min(end.saturating_sub(length));
    start..end
}

/// Decodes large tables on a thread of its own.
async fn off_thread(mut decoding: Decoding, location: &Location) -> Result<Decoding> {
    let decoded = tokio::task::spawn_blocking(move || {
        decoding.taken = Some(decoding.decoder.try_decode());
        decoding
    });
    decoded.await.map_err(|_| Error::Internal {
        location: location.clone(),
        what: "decoding panicked".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_grow_within_the_file() {
        assert_eq!(widened(100..102, 50, 1000), 100..150);
        assert_eq!(widened(100..400, 50, 1000), 100..400);
        assert_eq!(widened(990..992, 50, 1000), 950..1000);
        assert_eq!(widened(0..2, 50, 10), 0..10);
        assert_eq!(widened(100..102, 50, u64::MAX), 100..102);
    }
}
