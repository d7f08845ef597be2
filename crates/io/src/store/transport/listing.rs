//! Removes entries that cannot be requested from the pages of listings.
//!
//! `object_store` fails a whole page for one key that is not one of its paths, such as `a//b`, `a/./b` or one with a control character. It
//! removes a leading or trailing slash of a key, which is then another object; a folder marker `a/` looks like a file `a`.
//!
//! | store | root | entries | names |
//! |---|---|---|---|
//! | S3, GCS | `ListBucketResult` | `Contents`, `CommonPrefixes` | `Key`, `Prefix` |
//! | Azure | `EnumerationResults` | `Blob`, `BlobPrefix` | `Name`; with `Encoded="true"` one that XML cannot express |

use bytes::Bytes;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};
use url::Url;

use crate::types::location::path_of;

/// Whether a store's request is for a page of a listing.
pub(super) fn is_listing(url: &Url) -> bool {
    url.query_pairs().any(|(name, value)| name == "list-type" || (name == "comp" && value == "list"))
}

/// The page without unreadable entries, and the names of the others. A page that is not XML is unchanged; `object_store` rejects it.
pub(super) fn readable(page: Bytes) -> (Bytes, Vec<String>) {
    match without_unreadable(&page) {
        Ok((Some(shorter), names)) => (shorter.into(), names),
        Ok((None, names)) => (page, names),
        Err(_) => (page, Vec::new()),
    }
}

/// The page, None if all entries are readable, and the names of readable entries.
fn without_unreadable(page: &[u8]) -> Result<(Option<Vec<u8>>, Vec<String>), Error> {
    let mut reader = Reader::from_reader(page);
    let (mut kept, mut copied, mut names) = (Vec::new(), 0, Vec::new());
    loop {
        let start = position(&reader);
        match reader.read_event()? {
            Event::Start(tag) => {
                let is_prefix = match tag.local_name().as_ref() {
                    b"Contents" | b"Blob" => false,
                    b"CommonPrefixes" | b"BlobPrefix" => true,
                    _ => continue,
                };
                reader.read_to_end(tag.name())?;
                let end = position(&reader);
                let name = name(page.get(start..end).unwrap_or_default())?;
                match name.filter(|name| is_readable(name, is_prefix)) {
                    Some(name) => names.push(name),
                    None => {
                        kept.extend_from_slice(page.get(copied..start).unwrap_or_default());
                        copied = end;
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    kept.extend_from_slice(page.get(copied..).unwrap_or_default());
    Ok(((copied > 0).then_some(kept), names))
}

fn position(reader: &Reader<&[u8]>) -> usize {
    // At most the length of a slice.
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// The key or prefix of an entry; None if it has none that can be read.
fn name(entry: &[u8]) -> Result<Option<String>, Error> {
    let mut reader = Reader::from_reader(entry);
    let (mut depth, mut name) = (0, None::<String>);
    loop {
        match reader.read_event()? {
            Event::Start(tag) => {
                depth += 1;
                if depth == 2 && matches!(tag.local_name().as_ref(), b"Key" | b"Name" | b"Prefix") {
                    if is_encoded(&tag) {
                        return Ok(None);
                    }
                    name = Some(String::new());
                }
            }
            Event::End(_) if name.is_some() => return Ok(name),
            Event::End(_) => depth -= 1,
            Event::Text(text) => push(&mut name, &text.decode()?),
            Event::CData(text) => push(&mut name, &text.decode()?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => push(&mut name, character.encode_utf8(&mut [0; 4])),
                None => push(&mut name, resolve_xml_entity(&reference.decode()?).unwrap_or_default()),
            },
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
}

fn push(name: &mut Option<String>, text: &str) {
    if let Some(name) = name {
        name.push_str(text);
    }
}

fn is_encoded(tag: &BytesStart<'_>) -> bool {
    tag.try_get_attribute("Encoded").ok().flatten().is_some_and(|attribute| attribute.value.as_ref() == b"true")
}

/// Whether `object_store` requests the object by just this key, or lists just this prefix.
fn is_readable(name: &str, is_prefix: bool) -> bool {
    let name = match is_prefix {
        true => name.strip_suffix('/').unwrap_or(name),
        false => name,
    };
    !name.is_empty() && path_of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(entries: &[(&str, &str)]) -> String {
        let entries = entries.iter().map(|(tag, name)| match *tag {
            "CommonPrefixes" => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            tag => format!("<{tag}><Owner><ID>a//b</ID></Owner><Key>{name}</Key><Size>1</Size></{tag}>"),
        });
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Prefix>x//</Prefix>{}\
             <NextContinuationToken>t//</NextContinuationToken></ListBucketResult>",
            entries.collect::<String>()
        )
    }

    #[test]
    fn unreadable_entries_are_skipped() {
        let good = [
            ("Contents", "a b.tif"),
            ("Contents", "a/b&amp;c&#x20;&lt;d.tif"),
            ("Contents", "...tif"),
            ("Contents", "%2F?*#\u{e9}.tif"),
            ("Contents", "<![CDATA[a<b.tif]]>"),
            ("CommonPrefixes", "a/"),
        ];
        let bad = ["a/", "/a.tif", "a//b.tif", "a/./b.tif", "../b.tif", "a&#x1;.tif", "a&#10;b", "", "/", "."];
        let bad = bad.map(|name| ("Contents", name)).into_iter();
        let bad: Vec<_> =
            bad.chain(["a//", "/", "./", "a/../", "a&#x7f;/"].map(|name| ("CommonPrefixes", name))).collect();
        assert_eq!(readable(Bytes::from(s3(&bad))).0, s3(&[]));
        let clean = s3(&good);
        let names = ["a b.tif", "a/b&c <d.tif", "...tif", "%2F?*#\u{e9}.tif", "a<b.tif", "a/"];
        assert_eq!(readable(Bytes::from(clean.clone())), (clean.clone().into(), names.map(str::to_owned).to_vec()));
        for at in 0..=good.len() {
            for entry in &bad {
                let mut mixed = good.to_vec();
                mixed.insert(at, *entry);
                assert_eq!(readable(Bytes::from(s3(&mixed))).0, clean, "{entry:?} at {at}");
            }
        }
    }

    #[test]
    fn pages_of_azure() {
        let page =
            |blobs: &str| format!("<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>");
        let good = "<Blob><Name>a.tif</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>\
                    <BlobPrefix><Name>a/</Name></BlobPrefix><Blob><Name Encoded=\"false\">b.tif</Name></Blob>";
        let bad = "<Blob><Name Encoded=\"true\">a%EF%BF%BE.tif</Name></Blob><BlobPrefix><Name>a//</Name></BlobPrefix>\
                   <Blob><Name>a//b</Name></Blob><Blob><Name></Name></Blob><Blob><Name/></Blob>";
        assert_eq!(readable(Bytes::from(page(good))).0, page(good));
        assert_eq!(readable(Bytes::from(page(&format!("{bad}{good}{bad}")))).0, page(good));
    }

    #[test]
    fn other_documents_are_unchanged() {
        for page in
            ["", "{}", "<a", "<Contents><Key>a//b</Key>", "<Contents></a>", "<Contents>&#x;</Contents>", "\u{0}"]
        {
            assert_eq!(readable(Bytes::from_static(page.as_bytes())).0, page, "{page}");
        }
    }

    #[test]
    fn requests_for_listings() {
        for (url, expected) in [
            ("https://b.s3.amazonaws.com/?list-type=2&prefix=a%2F", true),
            ("https://a.blob.core.windows.net/c?restype=container&comp=list", true),
            ("https://a.blob.core.windows.net/c?restype=container&comp=acl", false),
            ("https://b.s3.amazonaws.com/list-type=2", false),
        ] {
            assert_eq!(is_listing(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
