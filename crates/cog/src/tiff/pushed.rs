//! The bytes of a file that have been handed over so far.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Disjoint pieces of a file. Where pushes overlap, the first stays.
///
/// A list, since a header comes in one piece, or in a few.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// Offset and bytes of each piece, by offset; none is empty.
    pieces: Vec<(u64, Bytes)>,
    /// Bytes held, each counted once.
    held: u64,
}

impl Pushed {
    /// Takes `bytes` that stand at `offset`; parts that are held already, or lie beyond 2^64, are dropped.
    pub(crate) fn push(&mut self, offset: u64, mut bytes: Bytes) {
        bytes.truncate(usize::try_from(u64::MAX - offset).unwrap_or(usize::MAX));
        let range = offset..offset + bytes.len() as u64;
        for gap in self.gaps(range) {
            let start = index(gap.start - offset);
            let piece = bytes.slice(start..start + index(gap.end - gap.start));
            self.held += piece.len() as u64;
            let position = self.after(gap.start);
            self.pieces.insert(position, (gap.start, piece));
        }
    }

    /// Bytes held: grows with every push that brings something new.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Position of the first piece that starts after `offset`.
    fn after(&self, offset: u64) -> usize {
        self.pieces.partition_point(|(start, _)| *start <= offset)
    }

    /// The bytes of a range, if all are held: without a copy where one piece has them.
    pub(crate) fn get(&self, range: Range<u64>) -> Option<Bytes> {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        let first = self.after(range.start).checked_sub(1)?;
        let (offset, piece) = self.pieces.get(first)?;
        let start = index(range.start - offset);
        let length = usize::try_from(range.end - range.start).ok()?;
        if piece.len().checked_sub(start)? >= length {
            return Some(piece.slice(start..start + length));
        }
        if !self.gaps(range.clone()).is_empty() {
            return None;
        }
        let mut joined = BytesMut::with_capacity(length);
        for (offset, piece) in self.pieces[first..].iter().take_while(|(offset, _)| *offset < range.end) {
            let start = index(range.start.saturating_sub(*offset));
            let end = piece.len().min(index(range.end - offset));
            joined.extend_from_slice(&piece[start..end]);
        }
        Some(joined.freeze())
    }

    /// The parts of a range that are not held, in order.
    pub(crate) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        let first = self.after(at).saturating_sub(1);
        for (offset, piece) in &self.pieces[first..] {
            if at >= range.end || *offset >= range.end {
                break;
            }
            if at < *offset {
                gaps.push(at..*offset);
            }
            at = at.max(offset + piece.len() as u64);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }
}

/// A distance within one piece, which an index can hold since the piece is in memory.
fn index(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::Pushed;
    use bytes::Bytes;

    #[test]
    fn overlapping_pieces_join() {
        let mut pushed = Pushed::default();
        assert_eq!(pushed.gaps(0..4), vec![0..4]);
        pushed.push(6, Bytes::from_static(b"ghij"));
        pushed.push(2, Bytes::from_static(b"cd"));
        assert_eq!(pushed.gaps(0..20), vec![0..2, 4..6, 10..20]);
        pushed.push(0, Bytes::from_static(b"ab..ef....kl"));
        assert_eq!(pushed.held(), 12);
        assert_eq!(pushed.get(0..12).unwrap(), "abcdefghijkl");
        assert_eq!(pushed.get(7..9).unwrap(), "hi");
        assert_eq!(pushed.get(11..13), None);
        assert_eq!(pushed.get(20..20).unwrap(), "");
    }

    #[test]
    fn the_end_of_the_address_space_does_not_overflow() {
        let mut pushed = Pushed::default();
        pushed.push(u64::MAX - 1, Bytes::from_static(b"abc"));
        assert_eq!(pushed.held(), 1);
        assert_eq!(pushed.gaps(u64::MAX - 2..u64::MAX), vec![u64::MAX - 2..u64::MAX - 1]);
    }
}
