//! Coalescing of byte ranges into requests.
//!
//! ```text
//! ranges    ▐██▌ ▐█▌          ▐████████████████▌
//! spans     ▐██████▌          ▐████████████████▌     gaps up to max_gap are read too
//! requests  ▐██████▌          ▐███████▌▐███████▌     at most max_size each
//! ```

use std::ops::Range;

/// Limits for coalescing ranges into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoalesceConfig {
    /// Maximum gap between two ranges of one request.
    pub max_gap: u64,
    /// Maximum size of a request; larger ranges are split.
    pub max_size: u64,
}

impl Default for CoalesceConfig {
    fn default() -> Self {
        Self {
            // A round trip to an object store takes about 20 ms, and a connection transfers about 50 MB/s, so reading a
            // gap of up to 1 MiB is faster than a second request. A quarter of that, because requests run concurrently
            // and bytes cost money.
            max_gap: 256 << 10,
            // One connection does not saturate the network: large spans are faster in pieces. S3's guidelines recommend
            // 8 to 16 MB.
            max_size: 8 << 20,
        }
    }
}

impl CoalesceConfig {
    /// Merges ranges into sorted, disjoint spans. Empty ranges are ignored.
    #[must_use]
    pub fn spans(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut sorted: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        sorted.sort_unstable_by_key(|range| range.start);
        let mut spans: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match spans.last_mut() {
                // Overlapping ranges are always merged, regardless of the size of the span.
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                Some(last) if range.start - last.end <= self.max_gap && range.end - last.start <= self.max_size => {
                    last.end = range.end;
                }
                _ => spans.push(range),
            }
        }
        spans
    }

    /// Splits a span into requests.
    pub fn requests(&self, span: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
        let (end, size) = (span.end, self.max_size.max(1));
        std::iter::successors(Some(span.start), move |start| start.checked_add(size))
            .take_while(move |start| *start < end)
            .map(move |start| start..start.saturating_add(size).min(end))
    }

    /// Number of requests for a set of ranges.
    #[must_use]
    pub fn request_count(&self, ranges: &[Range<u64>]) -> u64 {
        let count = |span: &Range<u64>| (span.end - span.start).div_ceil(self.max_size.max(1));
        self.spans(ranges).iter().map(count).fold(0, u64::saturating_add)
    }

    /// The requests for a set of ranges, in order, each with the number of distinct ranges that start in it.
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
