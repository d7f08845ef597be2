//! A document with links: a Catalog, a Collection, the first page of an API, a page of items.
//!
//! Members are parsed when they are needed and links one at a time, so that the memory is that of the text and 16 bytes
//! per link or item.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::stac::document::too_long;
use crate::stac::href;

/// The members that a search needs, as text.
#[derive(Debug, Deserialize)]
pub(super) struct Linked<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    extent: Option<&'a RawValue>,
    #[serde(borrow, rename = "conformsTo")]
    conforms_to: Option<&'a RawValue>,
    #[serde(borrow)]
    links: Option<&'a RawValue>,
    #[serde(borrow)]
    features: Option<&'a RawValue>,
}

/// A link, with the members that paging has.
pub(super) type Link = Map<String, Value>;

impl<'a> Linked<'a> {
    /// The document of a text, or why there is none.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, String> {
        // Serde takes a list for a structure too.
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err("found no JSON object".to_owned());
        }
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// Its `type`.
    pub(super) fn kind(&self) -> Option<String> {
        self.kind.and_then(text)
    }

    /// Whether it is a Collection. Before STAC 1.0 only an `extent` distinguishes Collections from Catalogs.
    pub(super) fn is_collection(&self) -> bool {
        self.kind().map_or(self.extent.is_some(), |kind| kind == "Collection")
    }

    /// Its `id`.
    pub(super) fn id(&self) -> Option<String> {
        self.id.and_then(text)
    }

    /// Its conformance classes, if it has a list of them.
    pub(super) fn conformance(&self) -> Option<Vec<String>> {
        let classes = elements(self.conforms_to?)?;
        Some(classes.into_iter().filter_map(text).collect())
    }

    /// Its items, each as text; None if it is not a page of items.
    pub(super) fn features(&self) -> Option<Vec<&'a RawValue>> {
        elements(self.features?)
    }

    /// The links of these relations, with the relation, in their order.
    pub(super) fn links<'r>(&self, relations: &'r [&'r str], max: u64) -> impl Iterator<Item = (&'r str, Link)> {
        let links = self.links.and_then(elements).unwrap_or_default();
        links.into_iter().filter_map(move |link| {
            let Related { rel } = serde_json::from_str(link.get()).ok()?;
            let rel = text(rel?)?;
            let relation = relations.iter().find(|relation| **relation == rel)?;
            let Ok(Value::Object(link)) = parse(link, max) else { return None };
            Some((*relation, link))
        })
    }
}

/// The relation of a link.
#[derive(Deserialize)]
struct Related<'a> {
    #[serde(borrow)]
    rel: Option<&'a RawValue>,
}

/// A value of at most `max` bytes of text.
pub(super) fn parse(raw: &RawValue, max: u64) -> Result<Value, String> {
    if raw.get().len() as u64 > max {
        return Err(too_long(max));
    }
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}

/// The URL of a link in a document at `base`.
pub(super) fn target(link: &Link, base: &str) -> Option<String> {
    Some(href::resolve(base, link.get("href")?.as_str()?))
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_members_are_skipped() {
        let text = br#" {"type": 7, "id": ["x"], "links": [{"rel": "child", "href": "a"}, 5, {"rel": 5}, {"href": "b"},
            {"rel": "item", "href": "c"}, {"rel": "next"}], "conformsTo": ["x", 5]}"#;
        let document = Linked::parse(text).unwrap();
        assert_eq!((document.kind(), document.id()), (None, None));
        assert_eq!(document.conformance(), Some(vec!["x".to_owned()]));
        assert!(document.features().is_none());
        let links: Vec<_> =
            document.links(&["item", "child"], 100).map(|(rel, link)| (rel, target(&link, "/d/x"))).collect();
        assert_eq!(links, [("child", Some("/d/a".to_owned())), ("item", Some("/d/c".to_owned()))]);
        assert_eq!(document.links(&["item"], 10).count(), 0);
        assert!(Linked::parse(br#"{"links": 5}"#).unwrap().links(&["item"], 100).next().is_none());
    }

    #[test]
    fn other_documents() {
        assert_eq!(Linked::parse(b"[1]").unwrap_err(), "found no JSON object");
        assert_eq!(Linked::parse(b"").unwrap_err(), "found no JSON object");
        assert!(Linked::parse(b"{\"links\": [}").unwrap_err().starts_with("expected value"));
    }
}
