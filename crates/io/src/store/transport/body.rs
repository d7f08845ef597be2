//! The body of a response: in the parts in which it arrived, or joined.
//!
//! A header is decoded from its parts as they are. Other bodies must be contiguous and are joined as they arrive, so
//! that the memory of one part is reused for the next. Tiles are delivered before the rest of their response has
//! arrived.

use bytes::{Bytes, BytesMut};

use crate::store::coalesce::joined;

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

    /// The parts, one behind the other.
    pub(crate) fn into_parts(self) -> Vec<Bytes> {
        self.0
    }

    /// All bytes side by side; no copy where there is one part.
    pub(crate) fn into_bytes(self) -> Bytes {
        joined(self.0)
    }

    /// Keeps the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        let mut left = length;
        self.0.retain_mut(|part| {
            part.truncate(left);
            left -= part.len();
            !part.is_empty()
        });
    }

    /// Removes the first `length` bytes.
    pub(super) fn advance(&mut self, length: usize) {
        let mut left = length;
        self.0.retain_mut(|part| {
            let skipped = left.min(part.len());
            drop(part.split_to(skipped));
            left -= skipped;
            !part.is_empty()
        });
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

/// A body that is coming in.
pub(super) struct Incoming {
    /// Bytes that are expected, about.
    expected: usize,
    length: usize,
    parts: Vec<Bytes>,
    /// The joined contents of `parts`, from the second part of a long body on.
    joined: BytesMut,
}

impl Incoming {
    pub(super) fn new(expected: usize) -> Self {
        Self { expected, length: 0, parts: Vec::new(), joined: BytesMut::new() }
    }

    /// Bytes that came so far.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, part: Bytes) {
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

    pub(super) fn finish(self) -> Body {
        match self.joined.is_empty() {
            true => Body(self.parts),
            false => self.joined.freeze().into(),
        }
    }
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
    fn short_bodies_stay_apart_and_long_ones_are_joined() {
        let parts: [&[u8]; 3] = [b"ab", b"cde", b"f"];
        assert_eq!(body(6, &parts).into_parts(), parts);
        for expected in [6, APART_MAX + 1] {
            let body = body(expected, &parts);
            assert_eq!((body.len(), body.into_bytes().as_ref()), (6, &b"abcdef"[..]));
        }
        assert_eq!(body(APART_MAX + 1, &parts).into_parts().len(), 1);
        assert_eq!(body(6, &[]).into_bytes().as_ref(), b"");
    }

    #[test]
    fn parts_are_cut_at_both_ends() {
        for from in 0..=7 {
            for to in from..=7 {
                let mut body = body(6, &[b"ab", b"cde", b"f"]);
                body.truncate(to);
                body.advance(from);
                assert_eq!(body.into_bytes().as_ref(), &b"abcdef"[from.min(6)..to.min(6)], "{from}..{to}");
            }
        }
    }
}
