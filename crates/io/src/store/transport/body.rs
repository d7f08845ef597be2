//! The bytes of an answer: in the parts that they came in, in one, or cut into pieces while they come.
//!
//! Owns which of the three. A header is decoded from its parts as they are. Other bytes are wanted side by side, and are joined
//! as they come, so that the memory of one part serves the next. Tiles are handed on before the rest of their request is there.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Answer, DOCUMENT_MAX};
use crate::store::coalesce::joined;

/// Bytes of the longest body that stays in parts: a header's, with room for those who ask for more of it.
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

    /// The first `length` bytes, or all where there are no more.
    pub(super) fn truncate(&mut self, length: usize) {
        let mut left = length;
        self.0.retain_mut(|part| {
            part.truncate(left);
            left -= part.len();
            !part.is_empty()
        });
    }

    /// What stands behind the first `length` bytes.
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
    /// What was in `parts`, once there is a second one of a body that is to be in one piece.
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

/// How the body of a range is taken while it is still coming.
#[derive(Clone)]
pub(crate) struct Pieces {
    /// Offsets in the file, ascending: a piece ends at one of them.
    pub(crate) cuts: Arc<[u64]>,
    pub(crate) take: Arc<Take>,
}

/// Takes a piece and its offset in the file; the answer tells the file's version, and has no body yet. When a request has to be
/// repeated, pieces come again.
pub(crate) type Take = dyn Fn(&Answer, u64, Bytes) + Send + Sync;

/// A body that is cut while it is coming in. All pieces lie in one allocation.
pub(super) struct Cutting<'a> {
    /// Where in the file `held` stands.
    offset: u64,
    held: BytesMut,
    /// Those that are not reached.
    cuts: &'a [u64],
}

impl<'a> Cutting<'a> {
    /// For a body of `length` bytes that stands at `offset` of the file.
    pub(super) fn new(offset: u64, length: usize, cuts: &'a [u64]) -> Self {
        Self { offset, held: BytesMut::with_capacity(length.min(DOCUMENT_MAX)), cuts }
    }

    /// Where in the file the bytes end that came so far.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// What lies in front of the last cut that this part reaches, and has not been given, with its offset in the file.
    pub(super) fn push(&mut self, part: Bytes) -> Option<(u64, Bytes)> {
        self.held.extend_from_slice(&part);
        let (reached, ahead) = self.cuts.split_at(self.cuts.partition_point(|cut| *cut <= self.end()));
        self.cuts = ahead;
        let length = usize::try_from(reached.last()?.checked_sub(self.offset)?).ok().filter(|length| *length > 0)?;
        let (offset, piece) = (self.offset, self.held.split_to(length).freeze());
        self.offset += length as u64;
        Some((offset, piece))
    }

    /// What stands behind the last cut, and where.
    pub(super) fn rest(self) -> (u64, Body) {
        (self.offset, self.held.freeze().into())
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
    fn pieces_end_at_the_last_cut_that_is_reached() {
        // Before the body, at its start, in a part, at the end of one, beyond the body.
        let cuts = [5, 10, 11, 14, 16, 40];
        let mut cutting = Cutting::new(10, 8, &cuts);
        let parts: [&'static [u8]; 4] = [b"ab", b"c", b"defg", b"h"];
        let pieces: Vec<_> = parts.into_iter().map(|part| cutting.push(Bytes::from_static(part))).collect();
        let piece = |offset, bytes: &'static [u8]| Some((offset, Bytes::from_static(bytes)));
        assert_eq!(pieces, [piece(10, b"a"), None, piece(11, b"bcdef"), None]);
        assert_eq!(cutting.end(), 18);
        let (offset, rest) = cutting.rest();
        assert_eq!((offset, rest.into_bytes().as_ref()), (16, &b"gh"[..]));
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
