//! Which requests serve a set of ranges.
//!
//! ```text
//! asked     ▐██▌ ▐█▌          ▐████████████████▌
//! spans     ▐██████▌          ▐████████████████▌     a gap up to max_gap is read along
//! requests  ▐██████▌          ▐███████▌▐███████▌     none is larger than max_size
//! ```

use std::ops::Range;

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
    #[must_use]
    pub fn spans(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
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
    pub fn requests(&self, span: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
        let (end, size) = (span.end, self.max_size.max(1));
        std::iter::successors(Some(span.start), move |start| start.checked_add(size))
            .take_while(move |start| *start < end)
            .map(move |start| start..start.saturating_add(size).min(end))
    }

    /// How many requests serve ranges, before they are made.
    #[must_use]
    pub fn request_count(&self, ranges: &[Range<u64>]) -> u64 {
        let count = |span: &Range<u64>| (span.end - span.start).div_ceil(self.max_size.max(1));
        self.spans(ranges).iter().map(count).fold(0, u64::saturating_add)
    }

    /// The requests that serve ranges, in order, each with how many of the distinct ranges begin in it.
    #[must_use]
    pub fn serve(&self, ranges: &[Range<u64>]) -> Vec<(Range<u64>, usize)> {
        let mut distinct: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        distinct.sort_unstable_by_key(|range| (range.start, range.end));
        distinct.dedup();
        let before = |end: u64| distinct.partition_point(|range| range.start < end);
        let requests = self.spans(&distinct).into_iter().flat_map(|span| self.requests(&span));
        requests.map(|request| (request.clone(), before(request.end) - before(request.start))).collect()
    }
}

#[cfg(test)]
mod tests;
