//! Texts that are inserted into URLs: endpoints, regions, names of buckets and accounts.

use url::Url;

/// Maximum length in bytes of a value in a URL. The `http` crate accepts URLs of 64 KiB, and percent-encoding triples a byte.
pub(crate) const URL_PART_MAX: usize = 2 << 10;

/// Whether an endpoint is a valid URL. Rejects URLs that a browser would repair, and those to which `object_store` cannot append a path.
pub(crate) fn is_endpoint(text: &str) -> bool {
    let after_scheme = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    is_url_text(text)
        && after_scheme.is_some_and(|rest| !rest.starts_with('/') && !rest.contains(['?', '#']))
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// Characters that are literal in a URL (RFC 3986, section 2).
pub(crate) fn is_url_text(text: &str) -> bool {
    let is_url = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    text.len() <= URL_PART_MAX && text.bytes().all(is_url)
}

/// Whether a text can be a part of a host's name or of a path: a region, an account, a bucket, a container.
pub(crate) fn is_label(text: &str) -> bool {
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-._$".contains(&byte);
    !text.is_empty() && text.len() <= 255 && !text.starts_with('.') && text.bytes().all(is_label)
}

/// Whether a text can be the id of a project of Google; those of a domain begin with its name and a colon.
pub(crate) fn is_project(text: &str) -> bool {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(is_id)
}

/// The convention of Google's emulators leaves the scheme out.
pub(crate) fn with_scheme(endpoint: &str) -> String {
    match endpoint.contains("://") {
        true => endpoint.to_owned(),
        false => format!("http://{endpoint}"),
    }
}
