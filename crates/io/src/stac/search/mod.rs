//! `stac_search`: items of a STAC API or a static catalog that satisfy conditions.
//!
//! Conditions have the same meaning whether an API applies them or, for a static catalog, this module does. Source: STAC API 1.0, Item Search, with its Query and Filter extensions.
//!
//! | the URL is | so |
//! |---|---|
//! | a page with a link to a search, or `.../search` | [`api`]: POST, otherwise GET, and the `next` links of pages |
//! | a Catalog or a Collection without one, local or remote | [`catalog`]: its `child` and `item` links, [`filter`] applied here |

mod api;
mod catalog;
mod conditions;
mod filter;
mod interval;
mod linked;
mod meets;

use url::Url;

use super::StacTable;
use super::collect::Collector;
use super::files::Head;
use crate::store::Stores;
use crate::{Error, Location, Result};
pub use conditions::SearchOptions;

use conditions::Conditions;
use filter::Filter;
use linked::{Linked, target};

impl StacTable {
    /// Searches, to the last page. Blocks the calling thread, which must not be one of the runtime's.
    pub fn search(stores: &Stores, url: &str, options: SearchOptions) -> Result<Self> {
        let ignore_errors = options.ignore_errors;
        let conditions = Conditions::new(options)?;
        let collector = Collector::new(ignore_errors).limited(conditions.limit);
        match SearchTarget::find(stores, url)? {
            SearchTarget::Api(endpoint) => {
                let mut collector = collector.each_once();
                api::search(stores, endpoint, &conditions, &mut collector)?;
                collector.finish()
            }
            SearchTarget::Catalog(root) => {
                if conditions.filter.is_some() {
                    let what = format!(
                        "filter: {} is a static catalog, for which CQL2 is not evaluated: use query, or WHERE",
                        crate::types::location::redacted(url)
                    );
                    return Err(Error::InvalidArgument { what });
                }
                let filter = Filter::new(&conditions)?;
                let mut collector = collector.filtered(move |record| filter.accepts(record));
                catalog::crawl(stores, root, &conditions.collections, &mut collector)?;
                collector.finish()
            }
        }
    }
}

/// Source of a search.
enum SearchTarget {
    Api(api::Endpoint),
    Catalog(catalog::Folder),
}

impl SearchTarget {
    /// Reads the document at the URL, unless the URL is that of a search.
    fn find(stores: &Stores, url: &str) -> Result<Self> {
        let location = Location::parse(url)?;
        let web = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if let Some(url) = web.as_ref().filter(|url| url.path().trim_end_matches('/').ends_with("/search")) {
            return Ok(Self::Api(api::Endpoint { url: url.clone(), post: true }));
        }
        let text = stores.block_on(Head::fetch(stores, url))??.whole(stores)?;
        let wrong = |what: &str| Error::Records { location: location.clone(), what: what.to_owned() };
        let expected = "expected a STAC API, its search endpoint, or a static catalog";
        let text = crate::types::json::with_nulls(&text);
        let Ok(document) = Linked::parse(&text) else {
            return Err(wrong(&format!("{expected}, found no JSON object")));
        };
        let link_max = stores.memory().of_item();
        if let Some(endpoint) = web.and_then(|url| api::Endpoint::of(&document, url, link_max)) {
            return Ok(Self::Api(endpoint));
        }
        let kind = document.kind();
        let has = |relations: &[&str]| document.links(relations, link_max).next().is_some();
        if matches!(kind.as_deref(), Some("Feature" | "FeatureCollection")) {
            return Err(wrong(&format!("{expected}, found items: use read_stac")));
        }
        if !has(&["child", "item"]) && has(&["items"]) {
            let root = document.links(&["root"], link_max).next().and_then(|(_, link)| target(&link, url));
            let root =
                root.map(|root| format!(", which is {}", crate::types::location::redacted(&root))).unwrap_or_default();
            return Err(wrong(&format!("{expected}, found a Collection of an API: search the API{root}")));
        }
        if !has(&["child", "item"]) && !matches!(kind.as_deref(), Some("Catalog" | "Collection")) {
            return Err(wrong(&format!("{expected}, found another document")));
        }
        Ok(Self::Catalog(catalog::Folder::new(url.to_owned(), &document, None, link_max)))
    }
}
