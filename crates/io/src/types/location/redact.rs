//! The displayable form of a location, and the part of a URL that identifies the file.
//!
//! These parts of a URL are treated as secrets: user and password before `@`, and everything after `?` or `#`.

use std::borrow::Cow;

use url::Url;

/// A URL or anything like one, without user, password, query string and fragment.
pub(super) fn url(href: &str) -> String {
    let href = without_query(href);
    let Some((scheme, rest)) = href.split_once("://") else {
        return malformed(href);
    };
    let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    // A fragment never leaves the client but may hold a token (OAuth 2 puts one there); in the key of an object, though,
    // `#` is a character like others.
    let rest = if http { rest.split('#').next().unwrap_or(rest) } else { rest };
    let (authority, path) = match rest.find(['/', '\\']) {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    // Hadoop's Azure form has the container before the `@`: no secret unless a password follows it.
    let container = scheme.to_ascii_lowercase().starts_with("abfs");
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) if container && !user.contains(':') => format!("{user}@{host}"),
        _ => without_users(authority, true),
    };
    let (scheme, path) = (malformed(scheme), without_users(path, authority.is_empty()));
    text(format!("{scheme}://{authority}{path}")).into_owned()
}

/// A local path. A question mark is an ordinary character in it, but a relative href of a catalog may carry a signature
/// that would have been sent had it been resolved, and a misspelt URL is a path: text that looks like a query string or
/// a password is not displayed.
pub(super) fn path(path: &str) -> String {
    let end = match path.find('?') {
        Some(mark) if !is_pattern(&path[mark..]) => mark,
        _ => path.len(),
    };
    malformed(without_parameters(&path[..end]))
}

/// Whether the question mark at the start of a text belongs to a glob: a file extension follows.
fn is_pattern(rest: &str) -> bool {
    const EXTENSIONS: [&str; 6] = ["tif", "tiff", "json", "geojson", "ndjson", "parquet"];
    let extension = rest.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    !rest.contains(['=', '&']) && EXTENSIONS.contains(&extension.as_str())
}

/// The text up to a query string, percent-encoded or not.
fn without_query(text: &str) -> &str {
    without_parameters(&text[..text.find('?').unwrap_or(text.len())])
}

/// The text up to parameters that no question mark precedes: `a.tif;sig=x`, `a.tif&sig=x`, `a.tif%3Fsig%3Dx`.
fn without_parameters(text: &str) -> &str {
    // The length does not change, because only ASCII letters do.
    let lower = text.to_ascii_lowercase();
    let starts = [";", "&", "%3f", "%3b", "%26"].into_iter().filter_map(|mark| lower.find(mark));
    match starts.min() {
        Some(start) if lower[start..].contains('=') || lower[start..].contains("%3d") => &text[..start],
        _ => text,
    }
}

/// A text that is not a URL but may have been meant as one, without possible user and password.
fn malformed(text: &str) -> String {
    let start = text.trim_start();
    self::text(without_users(text, start.starts_with("//") || start.starts_with(r"\\"))).into_owned()
}

/// The path without `user:password@` in any of its segments. With `host`, the first segment that has a name is meant as a host, as
/// is one that follows `http:`.
fn without_users(path: &str, mut host: bool) -> String {
    let mut shown = String::with_capacity(path.len());
    for segment in path.split_inclusive(['/', '\\']) {
        let name = segment.trim_end_matches(['/', '\\']);
        let lower = name.to_ascii_lowercase();
        let behind = name.rfind('@').map(|at| at + 1).max(lower.rfind("%40").map(|at| at + "%40".len()));
        let is_user = |user: &str| host || user.contains(':') || user.contains("%3a");
        shown.push_str(match behind {
            Some(behind) if is_user(&lower[..behind]) => &segment[behind..],
            _ => segment,
        });
        let scheme = lower.trim().trim_end_matches(':');
        host = (host && name.trim().is_empty()) || scheme == "http" || scheme == "https" || (host && scheme.is_empty());
    }
    shown
}

/// Text without control characters, so that no location breaks a line of a log or of a terminal.
pub(super) fn text<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if text.contains(char::is_control) { Cow::Owned(text.replace(char::is_control, "\u{fffd}")) } else { text }
}

/// The URL without user, password and the parameters of a signature: the part that stays the same when a catalog signs
/// the file again. Other parameters identify the file and are kept.
pub(super) fn without_signature(url: &Url) -> String {
    let end = url.as_str().find('?').unwrap_or(url.as_str().len());
    let start = url.as_str().find("://").map_or(0, |colon| colon + 3);
    let (authority, path) = match url.as_str()[start..end].find('/') {
        Some(slash) => url.as_str()[start..end].split_at(slash),
        None => (&url.as_str()[start..end], ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut key = format!("{}{host}{path}", &url.as_str()[..start]);
    let query = url.query().unwrap_or_default();
    let signed = query.split('&').any(|pair| is_one_of(name(pair), SIGNATURES));
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if signed && is_signing_parameter(name(pair)) {
            continue;
        }
        key.push(separator);
        key.push_str(pair);
        separator = '&';
    }
    key
}

fn name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_signing_parameter(name: &str) -> bool {
    let has_prefix = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    has_prefix("x-amz-") || has_prefix("x-goog-") || is_one_of(name, SIGNATURES) || is_one_of(name, SIGNED_WITH)
}

/// The signature itself: AWS and GCS version 4, their version 2 and CloudFront, Azure SAS.
const SIGNATURES: &[&str] = &["X-Amz-Signature", "X-Goog-Signature", "Signature", "sig"];

/// Parameters that accompany a signature: AWS and GCS version 2, CloudFront, then the fields of an Azure SAS.
const SIGNED_WITH: &[&str] = &[
    "AWSAccessKeyId",
    "GoogleAccessId",
    "Expires",
    "Key-Pair-Id",
    "Policy", // keep with the services' names
    "sv",
    "ss",
    "srt",
    "sp",
    "st",
    "se",
    "sr",
    "sip",
    "spr",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
    "skv",
    "saoid",
    "suoid",
    "scid",
    "sdd",
    "ses",
    "si",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
];
