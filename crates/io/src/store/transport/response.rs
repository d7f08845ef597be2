//! The metadata of a response: which bytes it has, the size of the file, and its version.
//!
//! Parses HTTP headers (RFC 9110, sections 8, 14 and 15.3.7). Missing ones are valid: a plain file server may have
//! neither a tag nor a date.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
};

use super::{Body, BodyStream};
use crate::{ObjectVersion, StoreError};

/// A range of bytes to request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Span {
    /// These; fewer if the file ends before.
    Range(Range<u64>),
    /// The last bytes, by number.
    Tail(u64),
}

/// Bytes of a file and metadata of the response.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeResponse {
    pub(crate) body: Body,
    /// The position of `body` in the file.
    pub(crate) start: u64,
    /// Size of the whole file.
    pub(crate) version: ObjectVersion,
}

/// A part of a file whose bytes are still arriving.
pub(crate) struct OpenResponse {
    /// Offset of the first byte in the file.
    pub(crate) start: u64,
    /// Number of bytes.
    pub(crate) length: u64,
    pub(crate) version: ObjectVersion,
    pub(crate) body: BodyStream,
}

impl OpenResponse {
    /// A complete part.
    pub(crate) fn of_bytes(start: u64, bytes: Bytes, version: ObjectVersion) -> Self {
        let length = bytes.len() as u64;
        Self { start, length, version, body: futures::stream::iter([Ok(bytes)]).boxed() }
    }
}

impl Span {
    pub(super) fn header(&self) -> Result<HeaderValue, StoreError> {
        let text = match self {
            Self::Range(range) => format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
            Self::Tail(length) => format!("bytes=-{length}"),
        };
        HeaderValue::try_from(text).map_err(|_| StoreError::Other("not a range".to_owned()))
    }

    /// The reverse, for requests made by a store.
    pub(super) fn of_header(value: &HeaderValue) -> Option<Self> {
        let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let last: u64 = last.parse().ok()?;
        Some(match first {
            "" => Self::Tail(last),
            first => Self::Range(first.parse().ok()?..last.checked_add(1)?),
        })
    }
}

impl RangeResponse {
    /// Parses the headers of a 206, checked against the request; also returns the length of the body.
    pub(super) fn of_partial(headers: &HeaderMap, requested: &Span) -> Result<(Self, usize), StoreError> {
        let no_range = || StoreError::Other("expected a Content-Range of the requested bytes, found none".to_owned());
        let (range, size) = headers.get(CONTENT_RANGE).and_then(content_range).ok_or_else(no_range)?;
        let is_requested = match requested {
            // Fewer bytes than requested are valid only at the end of the file.
            Span::Range(requested) => {
                range.start == requested.start
                    && (range.end == requested.end
                        || (range.end < requested.end && size.is_none_or(|size| size == range.end)))
            }
            Span::Tail(length) => size.is_none_or(|size| range.end == size) && range.end - range.start <= *length,
        };
        let length = usize::try_from(range.end - range.start).ok().filter(|_| is_requested);
        let Some(length) = length else {
            let (first, last) = (range.start, range.end - 1);
            return Err(StoreError::Other(format!(
                "expected the requested bytes, found a Content-Range of bytes {first}-{last}"
            )));
        };
        let version = ObjectVersion { size, ..version(headers) };
        Ok((Self { body: Body::default(), start: range.start, version }, length))
    }

    /// The headers of a 200 or of a response to HEAD.
    pub(super) fn of_whole(headers: &HeaderMap) -> Self {
        let size = content_length(headers).map(|length| length as u64);
        Self { version: ObjectVersion { size, ..version(headers) }, ..Self::default() }
    }
}

/// The version without its size.
fn version(headers: &HeaderMap) -> ObjectVersion {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    ObjectVersion {
        size: None,
        etag: text(ETAG).map(str::to_owned),
        last_modified: text(LAST_MODIFIED).and_then(http_date),
    }
}

/// `bytes 0-32767/123456` or `bytes 0-32767/*`.
fn content_range(value: &HeaderValue) -> Option<(Range<u64>, Option<u64>)> {
    let (range, size) = value.to_str().ok()?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let size = match size.trim() {
        "*" => None,
        size => Some(size.parse().ok()?),
    };
    let end = last.checked_add(1)?;
    (first < end && size.is_none_or(|size| end <= size)).then_some((first..end, size))
}

/// The size in the `bytes */123456` of a 416.
pub(super) fn size_of_unsatisfied(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes */")?.parse().ok()
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// `Thu, 01 Jan 2026 00:00:00 GMT` (RFC 9110, section 5.6.7) in microseconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_micros())
}

pub(super) fn is_xml(headers: &HeaderMap) -> bool {
    content_type(headers).contains("xml")
}

pub(super) fn is_html(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("text/html")
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

/// Azure repeats the code of its error document in a header, even without a document.
pub(super) fn error_code_of_headers(headers: &HeaderMap) -> Option<String> {
    word(headers.get("x-ms-error-code")?.to_str().ok()?)
}

/// `AccessDenied` of `<Error><Code>AccessDenied</Code>...`. The rest of the document may repeat the signature.
pub(super) fn error_code_of_xml(document: &[u8]) -> Option<String> {
    let document = String::from_utf8_lossy(&document[..document.len().min(512)]);
    let (_, rest) = document.split_once("<Code>")?;
    word(rest.split_once("</Code>")?.0)
}

/// The region of an S3 bucket, which S3 reports for a request to another region.
pub(super) fn region_of_headers(headers: &HeaderMap) -> Option<String> {
    region(headers.get("x-amz-bucket-region")?.to_str().ok()?)
}

/// The same of `<Error>...<Region>eu-west-1</Region>`.
pub(super) fn region_of_xml(document: &[u8]) -> Option<String> {
    let document = String::from_utf8_lossy(&document[..document.len().min(2048)]);
    let (_, rest) = document.split_once("<Region>")?;
    region(rest.split_once("</Region>")?.0)
}

fn region(text: &str) -> Option<String> {
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!text.is_empty() && text.len() <= 32 && text.bytes().all(is_region)).then(|| text.to_owned())
}

/// The code of an endpoint for tokens: `invalid_grant` of OAuth's JSON (RFC 6749, section 5.2), that of an error of AWS' JSON or XML.
pub(super) fn error_code_of_token(document: &[u8]) -> Option<String> {
    let document = &document[..document.len().min(64 << 10)];
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(document) else {
        return error_code_of_xml(document);
    };
    let code = ["error", "code", "__type"].iter().find_map(|name| json.get(name)?.as_str());
    let code = code?.rsplit('#').next()?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(is_code)).then(|| code.to_owned())
}

/// A code is one word; anything else could be text that is not to be shown.
fn word(code: &str) -> Option<String> {
    let is_word = !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let parse = |text: &'static str| content_range(&HeaderValue::from_static(text));
        assert_eq!(parse("bytes 0-9/100"), Some((0..10, Some(100))));
        assert_eq!(parse("bytes 5-5/*"), Some((5..6, None)));
        for bad in [
            "bytes 9-0/100",
            "bytes 0-9",
            "items 0-9/10",
            "bytes 0-9/5",
            "bytes 0-18446744073709551615/*",
            "bytes */10",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_206_must_have_the_requested_range() {
        let response = |text: &'static str, span| {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(text))]);
            RangeResponse::of_partial(&headers, &span)
                .map(|(response, length)| (response.start, length, response.version.size))
        };
        assert_eq!(response("bytes 0-99/1000", Span::Range(0..100)), Ok((0, 100, Some(1000))));
        assert_eq!(response("bytes 0-49/50", Span::Range(0..100)), Ok((0, 50, Some(50))));
        assert_eq!(response("bytes 900-999/1000", Span::Tail(100)), Ok((900, 100, Some(1000))));
        for (text, span) in [
            ("bytes 0-49/1000", Span::Range(0..100)),
            ("bytes 1-99/1000", Span::Range(0..100)),
            ("bytes 0-199/1000", Span::Range(0..100)),
            ("bytes 800-899/1000", Span::Tail(100)),
        ] {
            assert!(response(text, span.clone()).is_err(), "{text} for {span:?}");
        }
    }

    #[test]
    fn spans_round_trip_through_headers() {
        for span in [Span::Range(0..1), Span::Range(7..32_768), Span::Tail(8)] {
            assert_eq!(Span::of_header(&span.header().unwrap()), Some(span));
        }
        for other in ["bytes=5-", "bytes=0-1,4-5", "items=0-1", "bytes=0-18446744073709551615"] {
            assert_eq!(Span::of_header(&HeaderValue::from_static(other)), None, "{other}");
        }
    }

    #[test]
    fn error_codes_are_single_words() {
        assert_eq!(error_code_of_xml(b"<Error><Code>NoSuchKey</Code><Key>x</Key>").as_deref(), Some("NoSuchKey"));
        assert_eq!(error_code_of_xml(b"<Error><Code>sig=abc&amp;x</Code>"), None);
        assert_eq!(error_code_of_xml(b"<Error><Code>"), None);
    }

    #[test]
    fn dates() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:01 GMT"), Some(1_000_000));
        assert_eq!(http_date("yesterday"), None);
    }
}
