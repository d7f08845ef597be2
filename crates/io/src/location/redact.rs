//! What of a location may be shown, and what of it names the file.
//!
//! Owns the knowledge of where secrets stand in a URL: user and password before `@`, and anything after `?` or `#`.

use std::borrow::Cow;

use url::Url;

/// A URL or anything like one, without user, password, query string and fragment.
pub(super) fn url(href: &str) -> String {
    let end = href.find('?').unwrap_or(href.len());
    let href = &href[..end];
    let Some((scheme, rest)) = href.split_once("://") else {
        return text(href).into_owned();
    };
    let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    // A fragment never leaves the client but may hold a token (OAuth 2 puts one there); in the key of an object, though,
    // `#` is a character like others.
    let rest = if http { rest.split('#').next().unwrap_or(rest) } else { rest };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    // Hadoop's Azure form has the container before the `@`: no secret unless a password follows it.
    let container = scheme.to_ascii_lowercase().starts_with("abfs");
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) if container && !user.contains(':') => Cow::Owned(format!("{user}@{host}")),
        Some((_, host)) => Cow::Borrowed(host),
        None => Cow::Borrowed(authority),
    };
    text(format!("{scheme}://{authority}{path}")).into_owned()
}

/// A local path. A question mark is a character like others in it, but a relative href of a catalogue may carry a signature
/// that would have been sent had it been resolved: what looks like a query string is not shown.
pub(super) fn path(path: &str) -> String {
    let end = match path.find('?') {
        Some(mark) if path[mark..].contains('=') => mark,
        _ => path.len(),
    };
    text(&path[..end]).into_owned()
}

/// Text without control characters, so that no location breaks a line of a log or of a terminal.
pub(super) fn text<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if text.contains(char::is_control) { Cow::Owned(text.replace(char::is_control, "\u{fffd}")) } else { text }
}

/// The URL without user and password and without the parameters of a signature, where it carries one: what stays the same
/// when a catalogue signs the file again. Other parameters tell files apart and stay.
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

/// What stands beside a signature: AWS and GCS version 2, CloudFront, then the fields of an Azure SAS.
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
