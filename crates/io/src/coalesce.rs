//! Which requests serve a set of ranges: no I/O.
//!
//! ```text
//! asked     ▐██▌ ▐█▌          ▐████████████████▌
//! spans     ▐██████▌          ▐████████████████▌     a gap up to max_gap is read along
//! requests  ▐██████▌          ▐███████▌▐███████▌     none is larger than max_size
//! ```

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// How close ranges must be to become one request, and how large a request may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoalesceConfig {
    /// Bytes between two ranges that are rather read and thrown away than asked for separately.
    pub max_gap: u64,
    /// Bytes of one request at most; a range that is larger itself is split into several requests.
    pub max_size: u64,
}

impl Default for CoalesceConfig {
    fn default() -> Self {
        Self {
            // A round trip to an object store takes about 20 ms and a connection gives about 50 MB/s: up to 1 MiB a gap is
            // cheaper read than skipped. A quarter of that, because requests run side by side while bytes cost money.
            max_gap: 256 << 10,
            // One connection does not fill the line: large spans go faster in pieces. S3's guidelines name 8 to 16 MB.
            max_size: 8 << 20,
        }
    }
}

impl CoalesceConfig {
    /// The spans that cover all ranges, sorted and disjoint. Empty ranges need none.
    pub(crate) fn spans(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut sorted: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        sorted.sort_unstable_by_key(|range| range.start);
        let mut spans: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match spans.last_mut() {
                // What overlaps is never asked for twice, however large the span becomes.
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                Some(last) if range.start - last.end <= self.max_gap && range.end - last.start <= self.max_size => {
                    last.end = range.end;
                }
                _ => spans.push(range),
            }
        }
        spans
    }

    /// The requests that a span is cut into.
    pub(crate) fn requests(&self, span: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
        let (end, size) = (span.end, self.max_size.max(1));
        std::iter::successors(Some(span.start), move |start| start.checked_add(size))
            .take_while(move |start| *start < end)
            .map(move |start| start..start.saturating_add(size).min(end))
    }
}

/// One buffer out of the answers to the requests of a span; no copy where there was one request.
pub(crate) fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole.freeze()
}

/// The bytes of a range that lies in one of `spans`. None where it does not, or where the span's bytes are short.
pub(crate) fn cut(range: &Range<u64>, spans: &[(Range<u64>, Bytes)]) -> Option<Bytes> {
    if range.is_empty() {
        return Some(Bytes::new());
    }
    let after = spans.partition_point(|(span, _)| span.start <= range.start);
    let (span, bytes) = spans.get(after.checked_sub(1)?)?;
    let start = usize::try_from(range.start - span.start).ok()?;
    let end = usize::try_from(range.end - span.start).ok()?;
    (end <= bytes.len()).then(|| bytes.slice(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: CoalesceConfig = CoalesceConfig { max_gap: 10, max_size: 100 };

    fn ranges(pairs: &[(u64, u64)]) -> Vec<Range<u64>> {
        pairs.iter().map(|(start, end)| *start..*end).collect()
    }

    #[test]
    fn spans() {
        let check = |asked: &[(u64, u64)], expected: &[(u64, u64)]| {
            assert_eq!(CONFIG.spans(&ranges(asked)), ranges(expected), "{asked:?}");
        };
        check(&[], &[]);
        check(&[(5, 5)], &[]);
        check(&[(0, 10), (20, 30)], &[(0, 30)]);
        check(&[(0, 10), (21, 30)], &[(0, 10), (21, 30)]);
        check(&[(20, 30), (0, 10)], &[(0, 30)]);
        check(&[(0, 60), (60, 101)], &[(0, 60), (60, 101)]);
        check(&[(0, 60), (60, 100)], &[(0, 100)]);
        check(&[(0, 300), (100, 400)], &[(0, 400)]);
        check(&[(0, 50), (10, 20), (55, 60)], &[(0, 60)]);
    }

    #[test]
    fn requests_cover_their_span() {
        let check = |(start, end): (u64, u64), expected: &[(u64, u64)]| {
            assert_eq!(CONFIG.requests(&(start..end)).collect::<Vec<_>>(), ranges(expected));
        };
        check((0, 100), &[(0, 100)]);
        check((5, 250), &[(5, 105), (105, 205), (205, 250)]);
        check((u64::MAX - 10, u64::MAX), &[(u64::MAX - 10, u64::MAX)]);
    }

    #[test]
    fn cuts() {
        let spans = [(10..14, Bytes::from_static(b"abcd")), (20..22, Bytes::from_static(b"xy"))];
        assert_eq!(cut(&(11..13), &spans).as_deref(), Some(&b"bc"[..]));
        assert_eq!(cut(&(20..22), &spans).as_deref(), Some(&b"xy"[..]));
        assert_eq!(cut(&(3..3), &spans).as_deref(), Some(&b""[..]));
        assert_eq!(cut(&(20..23), &spans), None);
        assert_eq!(cut(&(5..6), &spans), None);
    }
}
