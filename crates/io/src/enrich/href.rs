//! Resolves the href of a record to one that can be opened.

use std::sync::Arc;

/// The caller's prefixes and their replacements.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rewrites(Vec<(String, String)>);

impl Rewrites {
    pub(crate) fn new(mut rewrites: Vec<(String, String)>) -> Self {
        // Sorted by length, so that `s3://b/a/` is tried before `s3://b/` in any order of the options.
        rewrites.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self(rewrites)
    }

    /// The href to open. A path is relative to the working directory, as everywhere in SQL: a record names the same
    /// file here and in `cog_metadata(href)`, wherever its Parquet file is.
    pub(crate) fn apply(&self, href: &str) -> Arc<str> {
        match self.0.iter().find(|(prefix, _)| href.starts_with(prefix.as_str())) {
            Some((prefix, replacement)) => format!("{replacement}{}", &href[prefix.len()..]).into(),
            None => href.into(),
        }
    }
}

/// Whether an asset is a GeoTIFF by its media type (STAC best practices, "Common Media Types") or by the href's extension.
pub(crate) fn is_geotiff(media_type: Option<&str>, href: Option<&str>) -> bool {
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
        assert_eq!(&*rewrites.apply("s3://b/a/s3://b/a/x.tif"), "/mirror/s3://b/a/x.tif");
        assert_eq!(&*rewrites.apply("s3://b/c.tif"), "https://b/c.tif");
        assert_eq!(&*rewrites.apply("s3://c/c.tif"), "s3://c/c.tif");
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
