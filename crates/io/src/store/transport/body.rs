//! The body of a response: the parts that are still arriving, and those that have arrived, joined or not.
//!
//! A header is decoded directly from its parts. Other bodies must be contiguous and are joined as they arrive, so
//! that the memory of one part is reused for the next. Tiles are delivered before the rest of their response has
//! arrived.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::StoreError;
use crate::store::coalesce::joined;
use crate::store::stats::{Counters, InFlight};

/// The parts of a body, as they arrive.
pub(crate) type BodyStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// The body of a response that is still arriving.
pub(super) struct Arriving {
    pub(super) response: Response,
    /// Bytes that are missing.
    pub(super) left: usize,
    /// The time-outs of the request and of its connection.
    pub(super) timeouts: (Duration, Duration),
    /// End of the request's time-out.
    pub(super) deadline: Instant,
    pub(super) counters: Arc<Counters>,
    #[expect(dead_code, reason = "counts the request until it is dropped")]
    pub(super) in_flight: InFlight,
}

impl Arriving {
    /// The parts, of all the missing bytes and no more.
    pub(super) fn parts(self) -> impl stream::Stream<Item = Result<Bytes, StoreError>> + Send + Sync + 'static {
        stream::try_unfold(self, |mut arriving| async move {
            let part = arriving.next().await?;
            Ok(part.map(|part| (part, arriving)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let (timeout, connect_timeout) = self.timeouts;
        let part = timeout_at(self.deadline, self.response.chunk()).await.map_err(|_| StoreError::Timeout(timeout))?;
        let part = part
            .map_err(|error| StoreError::of_client(&error, timeout, connect_timeout))?
            .ok_or(StoreError::Interrupted)?;
        self.counters.add_bytes(part.len());
        self.left = self.left.checked_sub(part.len()).ok_or_else(too_much)?;
        Ok(Some(part))
    }
}

/// Bytes of a response that is not a range of a file: a page of a listing, a token. S3 pages of 1,000 keys are below 1
/// MiB.
pub(crate) const DOCUMENT_MAX: usize = 64 << 20;

/// Bytes of the longest body that stays in parts: that of a header, with a margin.
const APART_MAX: usize = 64 << 10;

/// Consecutive bytes of a file or a document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body(Vec<Bytes>);

impl Body {
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// The parts in order.
    pub(crate) fn into_parts(self) -> Vec<Bytes> {
        self.0
    }

    /// All bytes, contiguous. A single part is not copied.
    pub(crate) fn into_bytes(self) -> Bytes {
        joined(self.0)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

/// Collects the parts of a body.
pub(crate) struct Incoming {
    /// Expected number of bytes, about.
    expected: usize,
    length: usize,
    parts: Vec<Bytes>,
    /// The joined contents of `parts`, from the second part of a long body on.
    joined: BytesMut,
}

impl Incoming {
    pub(crate) fn new(expected: usize) -> Self {
        Self { expected, length: 0, parts: Vec::new(), joined: BytesMut::new() }
    }

    /// Bytes that came so far.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, part: Bytes) {
        let is_first = self.length == 0;
        self.length += part.len();
        if is_first || self.expected <= APART_MAX {
            self.parts.push(part);
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.expected.min(DOCUMENT_MAX));
        }
        self.parts.drain(..).for_each(|first| self.joined.extend_from_slice(&first));
        self.joined.extend_from_slice(&part);
    }

    pub(crate) fn finish(self) -> Body {
        match self.joined.is_empty() {
            true => Body(self.parts),
            false => self.joined.freeze().into(),
        }
    }
}

/// The error for bytes that were not requested.
pub(super) fn too_much() -> StoreError {
    StoreError::Other("the response has more bytes than requested".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(expected: usize, parts: &[&'static [u8]]) -> Body {
        let mut incoming = Incoming::new(expected);
        parts.iter().for_each(|part| incoming.push(Bytes::from_static(part)));
        assert_eq!(incoming.len(), parts.iter().map(|part| part.len()).sum::<usize>());
        incoming.finish()
    }

    #[test]
    fn small_bodies_are_kept_in_parts_and_large_ones_are_joined() {
        let parts: [&[u8]; 3] = [b"ab", b"cde", b"f"];
        assert_eq!(body(6, &parts).into_parts(), parts);
        for expected in [6, APART_MAX + 1] {
            let body = body(expected, &parts);
            assert_eq!((body.len(), body.into_bytes().as_ref()), (6, &b"abcdef"[..]));
        }
        assert_eq!(body(APART_MAX + 1, &parts).into_parts().len(), 1);
        assert_eq!(body(6, &[]).into_bytes().as_ref(), b"");
    }
}
