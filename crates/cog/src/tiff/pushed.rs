//! The bytes pushed so far.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

/// Disjoint pieces of a file. Overlapping bytes of later pushes are dropped.
///
/// A sorted list, since headers are pushed in one or a few pieces.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// Offset and bytes of each piece, sorted by offset; none is empty.
    pieces: Vec<(u64, Bytes)>,
    /// Total size of the pieces.
    held: u64,
}

impl Pushed {
    /// Adds `bytes` at `offset`; drops parts that are known already or lie beyond 2^64.
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

    /// Total size, which grows with every push of new bytes.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Index of the first piece that starts after `offset`.
    fn after(&self, offset: u64) -> usize {
        self.pieces.partition_point(|(start, _)| *start <= offset)
    }

    /// Returns the bytes of a range, if complete; without copying if they are in one piece.
    #[inline]
    pub(crate) fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        let first = self.after(range.start).saturating_sub(1);
        if let Some((offset, piece)) = self.pieces.get(first)
            && let Some(start) = range.start.checked_sub(*offset)
            && let Some(found) = piece.get(index(start)..index(range.end - offset))
        {
            return Some(Cow::Borrowed(found));
        }
        self.join(range, first)
    }

    /// Concatenates the bytes of a range that starts in the piece at `first`.
    #[cold]
    fn join(&self, range: Range<u64>, first: usize) -> Option<Cow<'_, [u8]>> {
        if range.is_empty() {
            return Some(Cow::Borrowed(&[]));
        }
        if !self.holds(range.clone()) {
            return None;
        }
        let mut joined = Vec::with_capacity(index(range.end - range.start));
        for (offset, piece) in self.pieces[first..].iter().take_while(|(offset, _)| *offset < range.end) {
            let start = index(range.start.saturating_sub(*offset));
            let end = piece.len().min(index(range.end - offset));
            joined.extend_from_slice(&piece[start..end]);
        }
        Some(Cow::Owned(joined))
    }

    /// Whether a range is complete.
    #[inline]
    pub(crate) fn holds(&self, range: Range<u64>) -> bool {
        let in_one_piece = self
            .pieces
            .get(self.after(range.start).saturating_sub(1))
            .is_some_and(|(offset, piece)| *offset <= range.start && range.end - offset <= piece.len() as u64);
        in_one_piece || self.gaps(range).is_empty()
    }

    /// The missing parts of a range, in order.
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

/// Converts a distance within a piece, which is in memory.
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
        assert_eq!(*pushed.get(0..12).unwrap(), *b"abcdefghijkl");
        assert_eq!(*pushed.get(7..9).unwrap(), *b"hi");
        assert_eq!(pushed.get(11..13), None);
        assert_eq!(*pushed.get(20..20).unwrap(), *b"");
    }

    #[test]
    fn the_end_of_the_address_space_does_not_overflow() {
        let mut pushed = Pushed::default();
        pushed.push(u64::MAX - 1, Bytes::from_static(b"abc"));
        assert_eq!(pushed.held(), 1);
        assert_eq!(pushed.gaps(u64::MAX - 2..u64::MAX), vec![u64::MAX - 2..u64::MAX - 1]);
    }
}
