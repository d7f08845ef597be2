//! Pieces of a body that is still arriving.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Body, DOCUMENT_MAX, RangeResponse};

/// How the body of a range is taken while it is still coming.
#[derive(Clone)]
pub(crate) struct Pieces {
    /// Offsets in the file, ascending: a piece ends at one of them.
    pub(crate) cuts: Arc<[u64]>,
    pub(crate) take: Arc<PieceHandler>,
}

/// Receives a piece and its offset in the file, with the file's version in a response that has no body yet. If a
/// request is repeated, pieces are delivered again.
pub(crate) type PieceHandler = dyn Fn(&RangeResponse, u64, Bytes) + Send + Sync;

/// A body that is cut while it is coming in. All pieces lie in one allocation.
pub(super) struct TileSplitter<'a> {
    /// Where in the file `held` stands.
    offset: u64,
    held: BytesMut,
    /// Those that are not reached.
    cuts: &'a [u64],
}

impl<'a> TileSplitter<'a> {
    /// For a body of `length` bytes that stands at `offset` of the file.
    pub(super) fn new(offset: u64, length: usize, cuts: &'a [u64]) -> Self {
        Self { offset, held: BytesMut::with_capacity(length.min(DOCUMENT_MAX)), cuts }
    }

    /// Where in the file the bytes end that came so far.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// Adds a part. Returns the bytes before the last cut that it reaches, with their offset in the file.
    pub(super) fn push(&mut self, part: Bytes) -> Option<(u64, Bytes)> {
        self.held.extend_from_slice(&part);
        let (reached, ahead) = self.cuts.split_at(self.cuts.partition_point(|cut| *cut <= self.end()));
        self.cuts = ahead;
        let length = usize::try_from(reached.last()?.checked_sub(self.offset)?).ok().filter(|length| *length > 0)?;
        let (offset, piece) = (self.offset, self.held.split_to(length).freeze());
        self.offset += length as u64;
        Some((offset, piece))
    }

    /// The bytes after the last cut, and their offset.
    pub(super) fn rest(self) -> (u64, Body) {
        (self.offset, self.held.freeze().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_at_the_last_cut_that_is_reached() {
        // Before the body, at its start, in a part, at the end of one, beyond the body.
        let cuts = [5, 10, 11, 14, 16, 40];
        let mut splitter = TileSplitter::new(10, 8, &cuts);
        let parts: [&'static [u8]; 4] = [b"ab", b"c", b"defg", b"h"];
        let pieces: Vec<_> = parts.into_iter().map(|part| splitter.push(Bytes::from_static(part))).collect();
        let piece = |offset, bytes: &'static [u8]| Some((offset, Bytes::from_static(bytes)));
        assert_eq!(pieces, [piece(10, b"a"), None, piece(11, b"bcdef"), None]);
        assert_eq!(splitter.end(), 18);
        let (offset, rest) = splitter.rest();
        assert_eq!((offset, rest.into_bytes().as_ref()), (16, &b"gh"[..]));
    }
}
