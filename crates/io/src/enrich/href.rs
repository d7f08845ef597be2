//! From the href that a record holds to one that can be opened.

use std::path::Path;
use std::sync::Arc;

use url::Url;

/// The caller's prefixes and what stands for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Rewrites(Vec<(String, String)>);

impl Rewrites {
    pub(super) fn new(mut rewrites: Vec<(String, String)>) -> Self {
        // The longest first: `s3://b/a/` is meant more than `s3://b/`, whatever the order in which they were written.
        rewrites.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self(rewrites)
    }

    fn apply(&self, href: &str) -> Option<String> {
        let (prefix, replacement) = self.0.iter().find(|(prefix, _)| href.starts_with(prefix.as_str()))?;
        Some(format!("{replacement}{}", &href[prefix.len()..]))
    }

    /// The href to open: rewritten, then resolved against the file that it was read from.
    pub(super) fn resolve(&self, href: &str, base: &str) -> Arc<str> {
        match self.apply(href) {
            Some(rewritten) => against(&rewritten, base),
            None => against(href, base),
        }
    }
}

/// A relative href seen from the file `base`: as RFC 3986 has it (section 5) where `base` is a URL, whose keys are literal in
/// object stores, so that nothing is percent-encoded there. Beside a local file, it is the file of that name there if there
/// is one, else what `cog_metadata(href)` takes it for: a path from the working directory.
fn against(href: &str, base: &str) -> Arc<str> {
    if has_scheme(href) || href.is_empty() || href.starts_with("/vsi") {
        return href.into();
    }
    if !has_scheme(base) {
        let directory = base.rfind('/').map_or("", |end| &base[..=end]);
        let beside = format!("{directory}{}", href.strip_prefix("./").unwrap_or(href));
        let is_beside = !href.starts_with('/') && Path::new(&beside).exists();
        return if is_beside { beside.into() } else { href.into() };
    }
    if base.starts_with("http://") || base.starts_with("https://") {
        return match Url::parse(base).and_then(|base| base.join(href)) {
            Ok(url) => url.as_str().into(),
            Err(_) => href.into(),
        };
    }
    let root = base.find("://").map_or(0, |at| at + 3);
    let root = base[root..].find('/').map_or(base.len(), |at| root + at);
    let (origin, path) = base.split_at(root);
    let directory = if href.starts_with('/') { "" } else { path.rfind('/').map_or("", |end| &path[..end]) };
    let mut segments: Vec<&str> = directory.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in href.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    format!("{origin}/{}", segments.join("/")).into()
}

/// RFC 3986, section 3.1; one letter is a drive of Windows.
fn has_scheme(href: &str) -> bool {
    href.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// Whether an asset is a GeoTIFF by its media type (STAC best practices, "Common Media Types") or by the href's extension.
pub(super) fn is_geotiff(media_type: Option<&str>, href: Option<&str>) -> bool {
    let by_type = media_type.is_some_and(|media_type| {
        let media_type = media_type.to_ascii_lowercase();
        let mut parts = media_type.split(';').map(str::trim);
        match parts.next() {
            Some("image/tiff") => parts.any(|parameter| parameter.replace(' ', "") == "application=geotiff"),
            // The name of STAC before 0.9.
            Some("image/vnd.stac.geotiff") => true,
            _ => false,
        }
    });
    by_type
        || href.is_some_and(|href| {
            let path = href.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            path.ends_with(".tif") || path.ends_with(".tiff")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_is_replaced_once() {
        let rewrites = Rewrites::new(vec![
            ("s3://b/".to_owned(), "https://b/".to_owned()),
            ("s3://b/a/".to_owned(), "/mirror/".to_owned()),
        ]);
        assert_eq!(&*rewrites.resolve("s3://b/a/s3://b/a/x.tif", "p"), "/mirror/s3://b/a/x.tif");
        assert_eq!(&*rewrites.resolve("s3://b/c.tif", "p"), "https://b/c.tif");
        assert_eq!(&*rewrites.resolve("s3://c/c.tif", "p"), "s3://c/c.tif");
    }

    #[test]
    fn relative_hrefs_are_seen_from_the_source() {
        for (href, base, expected) in [
            ("a.tif", "items.parquet", "a.tif"),
            ("a.tif", "/no/such/directory/items.parquet", "a.tif"),
            ("./lib.rs", "src/items.parquet", "src/lib.rs"),
            ("../Cargo.toml", "src/items.parquet", "src/../Cargo.toml"),
            ("/a.tif", "/data/items.parquet", "/a.tif"),
            ("./x/a.tif", "https://h/d/items.parquet?sig=1", "https://h/d/x/a.tif"),
            ("/a.tif", "https://h/d/items.parquet", "https://h/a.tif"),
            ("../a b.tif", "s3://b/d/e/items.parquet", "s3://b/d/a b.tif"),
            ("/a.tif", "s3://b/d/e/items.parquet", "s3://b/a.tif"),
            ("../../../a.tif", "s3://b/d/items.parquet", "s3://b/a.tif"),
            ("https://o/a.tif", "s3://b/d/items.parquet", "https://o/a.tif"),
            ("/vsis3/b/a.tif", "s3://b/d/items.parquet", "/vsis3/b/a.tif"),
        ] {
            assert_eq!(&*against(href, base), expected, "{href} from {base}");
        }
    }

    #[test]
    fn geotiffs_by_type_or_extension() {
        assert!(is_geotiff(Some("image/tiff; application=geotiff; profile=cloud-optimized"), None));
        assert!(is_geotiff(Some("image/tiff;application=geotiff"), None));
        assert!(is_geotiff(Some("image/vnd.stac.geotiff; cloud-optimized=true"), None));
        assert!(is_geotiff(None, Some("https://h/a.TIF?x=1")));
        assert!(is_geotiff(Some("image/tiff"), Some("a.tiff")));
        assert!(!is_geotiff(Some("image/tiff"), Some("a")));
        assert!(!is_geotiff(Some("image/jp2"), Some("a.jp2")));
        assert!(!is_geotiff(None, None));
    }
}
