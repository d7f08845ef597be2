//! Cuts a span of a file at the ends of its tiles while it is arriving.

use bytes::{Bytes, BytesMut};

/// Longest span that memory is reserved for before it arrives.
const RESERVED_MAX: usize = 64 << 20;

/// The bytes that have arrived since the last cut. All pieces lie in one allocation.
pub(super) struct TileSplitter<'a> {
    /// Offset of `held` in the file.
    offset: u64,
    held: BytesMut,
    /// Cuts that are not reached.
    cuts: &'a [u64],
}

impl<'a> TileSplitter<'a> {
    /// For `length` bytes from `offset` of the file. A piece ends at one of the `cuts`, which are ascending offsets in
    /// the file.
    pub(super) fn new(offset: u64, length: usize, cuts: &'a [u64]) -> Self {
        Self { offset, held: BytesMut::with_capacity(length.min(RESERVED_MAX)), cuts }
    }

    /// Adds a part. Returns the bytes before the last cut that it reaches, with their offset in the file.
    pub(super) fn push(&mut self, part: &[u8]) -> Option<(u64, Bytes)> {
        self.held.extend_from_slice(part);
        let end = self.offset + self.held.len() as u64;
        let (reached, ahead) = self.cuts.split_at(self.cuts.partition_point(|cut| *cut <= end));
        self.cuts = ahead;
        let length = usize::try_from(reached.last()?.checked_sub(self.offset)?).ok().filter(|length| *length > 0)?;
        let (offset, piece) = (self.offset, self.held.split_to(length).freeze());
        self.offset += length as u64;
        Some((offset, piece))
    }

    /// The bytes after the last cut.
    pub(super) fn rest(self) -> Bytes {
        self.held.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_at_the_last_reached_cut() {
        let cuts = [5, 10, 11, 14, 16, 40];
        let mut splitter = TileSplitter::new(10, 8, &cuts);
        let parts: [&[u8]; 4] = [b"ab", b"c", b"defg", b"h"];
        let pieces: Vec<_> = parts.into_iter().map(|part| splitter.push(part)).collect();
        let piece = |offset, bytes: &'static [u8]| Some((offset, Bytes::from_static(bytes)));
        assert_eq!(pieces, [piece(10, b"a"), None, piece(11, b"bcdef"), None]);
        assert_eq!(splitter.rest(), &b"gh"[..]);
    }
}
