//! A search of a STAC API, and the pages of its result.
//!
//! The next page is exactly that of the link: a URL, or a body that is merged into the last one (STAC API 1.0, Paging).
//! Pages are requested one at a time, so that a busy server is not overloaded; the transport waits on its 429s.

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::conditions::Conditions;
use super::linked::{self, Link, Linked, target};
use crate::stac::collect::{Collector, Origin, Seen};
use crate::stac::document::ItemPosition;
use crate::store::Stores;
use crate::store::transport::DocumentRequest;
use crate::types::json;
use crate::{Error, Location, Result, StoreError};

/// Consecutive pages without an item after which a search ends: some APIs filter a page after they have cut it, and some have a next
/// page after the last.
const EMPTY_PAGES: usize = 5;

/// Maximum number of consecutive pages with only items of earlier pages. A catalog that changes during a search moves some items to the next page.
const REPEATED_PAGES: usize = 5;

/// Maximum number of pages of a search: a million items at 100 per page.
const MAX_PAGES: u64 = 10_000;

/// Pages after which a search has to have found a tenth of the items that they were requested to have. A server that invents a new item
/// for each page is stopped; one that filters its pages after it has cut them, which rarely leaves less, can be read with a smaller
/// `page_size`.
const SPARSE_PAGES: u64 = 250;

/// The search endpoint of an API, and whether POST is tried first.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) post: bool,
}

impl Endpoint {
    /// The search endpoint in the links of an API's landing page; None for other documents.
    pub(super) fn of(document: &Linked<'_>, url: Url, link_max: u64) -> Option<Self> {
        let searches: Vec<_> = document.links(&["search"], link_max).map(|(_, link)| link).collect();
        let method = |link: &Link, method: &str| {
            link.get("method").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(method))
        };
        let found = searches.iter().find(|link| method(link, "POST")).or(searches.first());
        // A link without a method may support both: POST is tried, since a GET cannot hold a large geometry.
        let post = found.is_some_and(|link| !method(link, "GET"));
        let mut search = match found {
            Some(link) => Url::parse(&target(link, url.as_str())?).ok()?,
            None => {
                document.conformance()?.iter().any(|class| class.contains("item-search")).then_some(())?;
                let mut search = url.clone();
                search.path_segments_mut().ok()?.pop_if_empty().push("search");
                search
            }
        };
        // Links do not contain the query parameters of the caller, such as keys; they are added for the same server.
        if search.origin() == url.origin() {
            if search.query().is_none() {
                search.set_query(url.query());
            }
            let _ = (search.set_username(url.username()), search.set_password(url.password()));
        }
        Some(Self { url: search, post: post || found.is_none() })
    }
}

/// One request of a search.
#[derive(Clone)]
struct Request {
    url: Url,
    /// Body of a POST.
    body: Option<Map<String, Value>>,
    headers: HeaderMap,
}

/// Fetches all pages.
pub(super) fn search(
    stores: &Stores,
    endpoint: Endpoint,
    conditions: &Conditions,
    collector: &mut Collector,
) -> Result<()> {
    let body = conditions.body();
    let mut request = match endpoint.post {
        true => Request { url: endpoint.url.clone(), body: Some(body.clone()), headers: HeaderMap::new() },
        false => Request::get(&endpoint.url, &body),
    };
    let mut answer = request.send(stores);
    if endpoint.post && answer.as_ref().is_err_and(is_without_post) {
        request = Request::get(&endpoint.url, &body);
        answer = request.send(stores);
    }
    let mut requested = Seen::default();
    let (mut empty, mut repeated, mut found) = (0, 0, 0);
    let page_size = conditions.per_page();
    for pages in 1..=MAX_PAGES {
        requested.first(&request.name());
        let text = answer?;
        let location = request.location()?;
        let wrong = |what: String| Error::Records { location: location.clone(), what };
        let page = Page::take(stores, &request, &text, collector)?;
        if collector.is_full() {
            return Ok(());
        }
        empty = if page.items == 0 { empty + 1 } else { 0 };
        repeated = if page.items > 0 && page.repeated == page.items { repeated + 1 } else { 0 };
        if repeated == REPEATED_PAGES {
            let what = format!("found {REPEATED_PAGES} pages in a row with items of earlier pages only");
            return Err(wrong(format!("expected new items behind each link to the next page, {what}")));
        }
        found += (page.items - page.repeated) as u64;
        if pages >= SPARSE_PAGES && found.saturating_mul(10) < pages.saturating_mul(page_size) {
            let what = format!("found {found} items on {pages} pages: use a smaller page_size to continue");
            return Err(wrong(format!("expected a tenth of {page_size} items per page, {what}")));
        }
        request = match page.next {
            Some(next) if empty < EMPTY_PAGES => next,
            _ => return Ok(()),
        };
        // Some APIs link the last page to itself.
        if !requested.first(&request.name()) {
            return Ok(());
        }
        answer = request.send(stores);
    }
    let what = "use a larger page_size, or several searches for parts of datetime or bbox";
    let what = format!("expected at most {MAX_PAGES} pages, found more: {what}");
    Err(Error::Records { location: request.location()?, what })
}

/// A page, after its items were passed on.
struct Page {
    items: usize,
    /// Number of items of earlier pages.
    repeated: usize,
    next: Option<Request>,
}

impl Page {
    /// Takes the items of the page that a request returned, until there are enough.
    fn take(stores: &Stores, request: &Request, text: &[u8], collector: &mut Collector) -> Result<Self> {
        let location = request.location()?;
        let wrong = |what: String| Error::Records { location: location.clone(), what };
        let max = stores.memory().of_item();
        let text = json::with_nulls(text);
        let document =
            Linked::parse(&text).map_err(|error| wrong(format!("expected a page of items as JSON: {error}")))?;
        let Some(features) = document.features() else {
            return Err(wrong("expected a page of items (features, a list), found another document".to_owned()));
        };
        let mut repeated = 0;
        let base = request.url.as_str();
        for (number, item) in (0..).zip(&features) {
            let position = ItemPosition::Item(number);
            match linked::parse(item, max) {
                Ok(item) => {
                    let is_repeated = collector.add(Origin { location: &location, base }, position, item)?;
                    repeated += usize::from(is_repeated);
                }
                Err(what) => collector.refuse(wrong(format!("{position}: {what}")))?,
            }
            if collector.is_full() {
                break;
            }
        }
        let next = document.links(&["next"], max).next().map(|(_, link)| request.next(&link));
        Ok(Self { items: features.len(), repeated, next: next.transpose().map_err(wrong)? })
    }
}

/// The endpoint exists, but not for POST.
fn is_without_post(error: &Error) -> bool {
    matches!(error, Error::Store { fault: StoreError::Http { status: 404 | 405 | 415 | 501, .. }, .. })
}

impl Request {
    /// The same search as a URL.
    fn get(url: &Url, body: &Map<String, Value>) -> Self {
        let mut url = url.clone();
        for (name, value) in body {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(list) if list.iter().all(|value| !value.is_object() && !value.is_array()) => {
                    let texts =
                        list.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                    texts.collect::<Vec<_>>().join(",")
                }
                value => value.to_string(),
            };
            url.query_pairs_mut().append_pair(name, &text);
        }
        Self { url, body: None, headers: HeaderMap::new() }
    }

    /// The request that the `next` link of this one's response describes.
    fn next(&self, link: &Link) -> Result<Self, String> {
        let text = |name: &str| link.get(name).and_then(Value::as_str);
        let href = text("href").ok_or_else(|| "the link to the next page has no href".to_owned())?;
        let mut url = self.url.join(href).map_err(|_| "the link to the next page is not a URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the link to the next page is no http(s) URL".to_owned());
        }
        if url.origin() == self.url.origin() {
            let _ = (url.set_username(self.url.username()), url.set_password(self.url.password()));
        }
        let post = text("method").map_or(link.contains_key("body"), |method| method.eq_ignore_ascii_case("POST"));
        let last = self.body.clone().unwrap_or_default();
        let body = match link.get("body").and_then(Value::as_object) {
            _ if !post => None,
            Some(body) if link.get("merge") == Some(&Value::Bool(true)) => {
                let mut merged = last;
                merged.extend(body.clone());
                Some(merged)
            }
            Some(body) => Some(body.clone()),
            // The token is in the URL; the search is the same.
            None => Some(last),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in link.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pair = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value));
            if let (Ok(name), Ok(value)) = pair
                && name != HOST
                && name != CONTENT_LENGTH
            {
                headers.insert(name, value);
            }
        }
        Ok(Self { url, body, headers })
    }

    /// The parts of a request that distinguish it from others.
    fn name(&self) -> String {
        let body = self.body.as_ref().and_then(|body| serde_json::to_string(body).ok()).unwrap_or_default();
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        format!("{} {body} {}", self.url, headers.join(" "))
    }

    fn location(&self) -> Result<Location> {
        Location::parse(self.url.as_str())
    }

    fn send(&self, stores: &Stores) -> Result<Bytes> {
        let location = self.location()?;
        let body = self.body.as_ref().map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| Error::Unexpected { what: error.to_string() })?;
        let document =
            DocumentRequest { url: self.url.clone(), body: body.map(Into::into), headers: self.headers.clone() };
        stores.block_on(stores.document(&location, &document))?
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(document: Value, url: &str) -> Option<(String, bool)> {
        let text = document.to_string();
        let found = Endpoint::of(&Linked::parse(text.as_bytes()).unwrap(), Url::parse(url).unwrap(), 1_000)?;
        Some((found.url.to_string(), found.post))
    }

    #[test]
    fn endpoints() {
        let link = |href: &str, method: Option<&str>| json!({"rel": "search", "href": href, "method": method});
        let found = endpoint(
            json!({"links": [link("./search", Some("GET")), link("./search", Some("POST"))]}),
            "https://h/v1/",
        );
        assert_eq!(found, Some(("https://h/v1/search".to_owned(), true)));
        let found = endpoint(json!({"links": [link("https://h/s", Some("GET"))]}), "https://h/v1?key=x");
        assert_eq!(found, Some(("https://h/s?key=x".to_owned(), false)));
        let found = endpoint(json!({"links": [link("https://other/s", None)]}), "https://u:p@h/v1?key=x");
        assert_eq!(found, Some(("https://other/s".to_owned(), true)));
        let classes = json!({"conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"]});
        assert_eq!(endpoint(classes, "https://h/v1/"), Some(("https://h/v1/search".to_owned(), true)));
        assert_eq!(endpoint(json!({"type": "Catalog", "links": []}), "https://h/catalog.json"), None);
    }

    fn next(body: Option<Value>, link: Value) -> Result<(String, Option<Value>), String> {
        let body = body.map(|body| body.as_object().unwrap().clone());
        let request = Request { url: Url::parse("https://h/v1/search?a=1").unwrap(), body, headers: HeaderMap::new() };
        let next = request.next(link.as_object().unwrap())?;
        Ok((next.url.to_string(), next.body.map(Value::Object)))
    }

    #[test]
    fn next_pages() {
        let body = || Some(json!({"limit": 2, "collections": ["a"]}));
        let url = "https://h/v1/search?token=2".to_owned();
        let get = json!({"href": "?token=2"});
        assert_eq!(next(None, get).unwrap(), (url.clone(), None));
        let merged = json!({"href": "search?token=2", "method": "POST", "body": {"token": "2"}, "merge": true});
        let expected = json!({"limit": 2, "collections": ["a"], "token": "2"});
        assert_eq!(next(body(), merged).unwrap(), (url.clone(), Some(expected)));
        let replaced = json!({"href": "search?token=2", "method": "POST", "body": {"token": "2"}});
        assert_eq!(next(body(), replaced).unwrap(), (url.clone(), Some(json!({"token": "2"}))));
        let same = json!({"href": "search?token=2", "method": "POST"});
        assert_eq!(next(body(), same).unwrap(), (url, body()));
        assert_eq!(next(None, json!({"method": "GET"})).unwrap_err(), "the link to the next page has no href");
        assert_eq!(
            next(None, json!({"href": "file:///etc/passwd"})).unwrap_err(),
            "the link to the next page is no http(s) URL"
        );
    }

    #[test]
    fn searches_as_urls() {
        let body = json!({"collections": ["a", "b"], "bbox": [1.5, 2.0], "query": {"x": {"lt": 1}}, "limit": 3});
        let request = Request::get(&Url::parse("https://h/s?key=x").unwrap(), body.as_object().unwrap());
        let pairs: Vec<_> = request.url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs, ["key=x", "collections=a,b", "bbox=1.5,2.0", r#"query={"x":{"lt":1}}"#, "limit=3"]);
    }
}
