//! Relative hrefs to ones that can be opened from anywhere.
//!
//! | base | a relative href is |
//! |---|---|
//! | `http(s)://`, `file://` | resolved by RFC 3986 (section 5.2); user and password of the base are removed |
//! | `s3://` and the other stores | joined to the key, whose characters are literal |
//! | a path | joined to the folder, with `.` and `..` resolved |

use url::Url;

use crate::Location;
use crate::types::location::split_scheme;

/// The href as seen from `base`, the file or the item's own link.
pub(super) fn resolve(base: &str, href: &str) -> String {
    if href.is_empty() || is_absolute(href) {
        return href.to_owned();
    }
    let Some((scheme, rest)) = split_scheme(base) else {
        return match href.starts_with('/') {
            true => href.to_owned(),
            false => joined(folder(base), href),
        };
    };
    if ["http", "https", "file"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        let joined = Url::parse(base).and_then(|base| base.join(href));
        return match joined {
            Ok(mut url) => {
                // Columns are shown; a password in a base must not become part of every href. URLs of these schemes have a
                // host and so take both calls.
                let _ = (url.set_username(""), url.set_password(None));
                url.into()
            }
            Err(_) => href.to_owned(),
        };
    }
    let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
    let key = match href.strip_prefix('/') {
        Some(from_root) => joined("", from_root),
        None => joined(folder(key), href),
    };
    format!("{scheme}://{authority}/{key}")
}

/// Whether an href needs no base: a scheme (RFC 3986 lets no relative path have a colon in its first segment), or a path of
/// one of GDAL's virtual file systems.
pub(super) fn is_absolute(href: &str) -> bool {
    if href.starts_with("/vsi") {
        return true;
    }
    let Some((scheme, _)) = href.split_once(':') else { return false };
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Whether a document at `base` must not refer to the resolved file `href`: a remote document to a local file. URIs
/// that are not files (`data:`, `urn:`) are harmless.
pub(super) fn leads_to_local_file(base: &str, href: &str) -> bool {
    let is_local = |href: &str| Location::parse(href).is_ok_and(|location| location.is_local());
    if is_local(base) || !is_local(href) {
        return false;
    }
    match href.split_once(':').filter(|_| is_absolute(href) && !href.starts_with("/vsi")) {
        // One letter is a drive.
        Some((scheme, _)) => scheme.len() == 1 || scheme.eq_ignore_ascii_case("file"),
        None => true,
    }
}

/// The part before the file name, including its slash.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// `folder` + `href` without `.` and `..`, as far as there are folders to go up.
fn joined(folder: &str, href: &str) -> String {
    let path = format!("{folder}{href}");
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            ".." if !root.is_empty() => {}
            segment => segments.push(segment),
        }
    }
    format!("{root}{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_hrefs() {
        for (base, href, expected) in [
            ("test/data/item.json", "./a.tif", "test/data/a.tif"),
            ("test/data/item.json", "../a b.tif", "test/a b.tif"),
            ("item.json", "a.tif", "a.tif"),
            ("item.json", "../a.tif", "../a.tif"),
            ("../x/item.json", "../../a.tif", "../../a.tif"),
            ("/x/item.json", "../../a.tif", "/a.tif"),
            ("/x/item.json", "/data/a.tif", "/data/a.tif"),
            ("https://u:p@h/c/item.json?sig=1", "./a.tif", "https://h/c/a.tif"),
            ("https://h/c/item.json", "/a.tif?x=1", "https://h/a.tif?x=1"),
            ("https://h/c/item.json", "//other/a.tif", "https://other/a.tif"),
            ("file:///c/item.json", "a.tif", "file:///c/a.tif"),
            ("s3://b/c/item.json", "../d/a b.tif", "s3://b/d/a b.tif"),
            ("s3://b/c/item.json", "/a.tif", "s3://b/a.tif"),
            ("s3://b/c/item.json", "../../../a.tif", "s3://b/../../a.tif"),
        ] {
            assert_eq!(resolve(base, href), expected, "{href} from {base}");
        }
    }

    #[test]
    fn remote_documents_cannot_refer_to_local_files() {
        for (base, href, expected) in [
            ("https://h/c/item.json", "file:///etc/passwd", true),
            ("https://h/c/item.json", "FILE:/etc/passwd", true),
            ("https://h/c/item.json", "file:/etc/passwd", true),
            ("https://h/c/item.json", "/vsicurl/file:///etc/passwd", true),
            ("s3://b/item.json", "C:\\data\\a.tif", true),
            ("/vsicurl/https://h/item.json", "/etc/passwd", true),
            ("https://h/c/item.json", "https://h/a.tif", false),
            ("https://h/c/item.json", "data:image/png;base64,AA", false),
            ("c/item.json", "/etc/passwd", false),
            ("file:///c/item.json", "file:///etc/passwd", false),
        ] {
            assert_eq!(leads_to_local_file(base, &resolve(base, href)), expected, "{href} from {base}");
        }
    }

    #[test]
    fn absolute_hrefs_are_unchanged() {
        for href in ["https://h/a.tif", "s3://b/a.tif", "/vsis3/b/a.tif", "urn:a:b", "", "data:image/png;base64,AA"] {
            assert_eq!(resolve("https://h/c/item.json", href), href);
            assert_eq!(resolve("c/item.json", href), href);
        }
    }
}
