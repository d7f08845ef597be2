//! Joins the responses to coalesced requests and cuts the original ranges out of them. `CoalesceConfig` determines the
//! requests.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Joins the responses to the requests of a span; no copy if there was one request.
pub(crate) fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole.freeze()
}

/// The bytes of a range inside one of `spans`. None if it is in no span, or if the bytes of the span are incomplete.
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

    #[test]
    fn large_ranges_are_split() {
        let spans = [(10..14, Bytes::from_static(b"abcd")), (20..22, Bytes::from_static(b"xy"))];
        assert_eq!(cut(&(11..13), &spans).as_deref(), Some(&b"bc"[..]));
        assert_eq!(cut(&(20..22), &spans).as_deref(), Some(&b"xy"[..]));
        assert_eq!(cut(&(3..3), &spans).as_deref(), Some(&b""[..]));
        assert_eq!(cut(&(20..23), &spans), None);
        assert_eq!(cut(&(5..6), &spans), None);
    }
}
