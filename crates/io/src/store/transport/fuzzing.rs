//! Parses responses, in one function for fuzz targets.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::redirect;
use super::response::{self, RangeResponse, Span};

/// Reads headers, one a line, and the whole as an error's document.
///
/// # Panics
///
/// Panics if a range that was not requested is accepted, other text is taken for an error code, or a redirect changes
/// the scheme.
pub(crate) fn read(data: &[u8]) {
    let headers: HeaderMap = data.split(|byte| *byte == b'\n').filter_map(header).collect();
    for requested in [Span::Range(0..100), Span::Range(7..8), Span::Tail(8)] {
        if let Ok((response, length)) = RangeResponse::of_partial(&headers, &requested) {
            let end = response.start + length as u64;
            assert!(response.version.size.is_none_or(|size| end <= size), "{response:?}");
            assert!(match &requested {
                Span::Range(range) => response.start == range.start && end <= range.end,
                Span::Tail(most) => length as u64 <= *most,
            });
        }
    }
    let _ = (
        RangeResponse::of_whole(&headers),
        response::size_of_unsatisfied(&headers),
        response::content_length(&headers),
    );
    let _ = (response::is_xml(&headers), response::is_html(&headers), headers.get("range").map(Span::of_header));
    for code in [response::error_code_of_headers(&headers), response::error_code_of_xml(data)].into_iter().flatten() {
        assert!(code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
    }
    if let Ok(base) = Url::parse("https://user:password@host/dir/a.tif?sig=x")
        && let Some(target) = redirect::target(&base, &headers)
    {
        assert!(matches!(target.scheme(), "http" | "https") && target.has_host(), "{target}");
        assert!(target.username().is_empty() && target.password().is_none(), "{target}");
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn headers_are_read_line_by_line() {
        let line = super::header(b"Content-Range: bytes 0-99/1000\r").unwrap();
        assert_eq!((line.0.as_str(), line.1.to_str().unwrap()), ("content-range", "bytes 0-99/1000"));
        super::read(b"Location: //other/x\nContent-Range: bytes 0-99/1000\n<Code>Gone</Code>");
    }
}
