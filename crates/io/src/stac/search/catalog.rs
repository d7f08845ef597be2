//! A static catalog: documents connected by links, read level by level.
//!
//! Each document is read once, so that a catalog that lists its parent as a child ends. Links are relative to the URL
//! of their document: a copy of a catalog is read as the copy. Items are in the order of the links, those of a level
//! before those below it. Bounds on levels and documents stop a server that invents documents.

use futures::StreamExt;

use super::linked::{Linked, target};
use crate::stac::collect::{Collector, Seen};
use crate::stac::files::ahead;
use crate::store::Stores;
use crate::types::json;
use crate::types::location::local_from_remote;
use crate::{Error, Location, Result};

/// Levels of a catalog. Deep layouts have some ten: provider, collection, tile, year, month, day.
const MAX_LEVELS: usize = 64;

/// Maximum number of Catalogs and Collections read before the first item: Sentinel-2 has 57,000 tiles with items below them.
const MAX_FOLDERS: usize = 100_000;

/// And for each item that there is.
const FOLDERS_OF_AN_ITEM: usize = 10;

/// A Catalog or a Collection that was read.
pub(super) struct Folder {
    href: String,
    /// The id of the Collection that it is or is in.
    collection: Option<String>,
    items: Vec<String>,
    children: Vec<String>,
}

/// Reads the items of all documents below `root`.
pub(super) fn crawl(stores: &Stores, root: Folder, collections: &[String], collector: &mut Collector) -> Result<()> {
    let mut seen = Seen::default();
    seen.first(&key(&root.href));
    let href = root.href.clone();
    let mut level = vec![root];
    let (mut folders, mut found) = (0, 0_usize);
    for _ in 0..MAX_LEVELS {
        if level.is_empty() {
            return Ok(());
        }
        folders += level.len();
        let max = found.saturating_mul(FOLDERS_OF_AN_ITEM).saturating_add(MAX_FOLDERS);
        if folders > max {
            let what =
                format!("expected at most {max} Catalogs and Collections for {found} items, found more: search a part");
            return Err(wrong(&href, &what));
        }
        let mut children = Vec::new();
        for folder in level {
            // Items of an excluded collection need not be fetched, because its id is their `collection`.
            let wanted = folder.collection.as_ref().is_none_or(|id| collections.is_empty() || collections.contains(id));
            if wanted {
                let items = new_of(&folder.href, folder.items, &mut seen, collector)?;
                found += items.len();
                read_items(stores, &items, collector)?;
            }
            if collector.is_full() {
                return Ok(());
            }
            let hrefs = new_of(&folder.href, folder.children, &mut seen, collector)?;
            children.extend(hrefs.into_iter().map(|href| (href, folder.collection.clone())));
        }
        level = read_folders(stores, children, collector)?;
    }
    Err(wrong(&href, &format!("expected at most {MAX_LEVELS} levels of Catalogs, found more: search a part")))
}

impl Folder {
    /// Links of a document at `href`, with at most `link_max` bytes each.
    pub(super) fn new(href: String, document: &Linked<'_>, parent: Option<String>, link_max: u64) -> Self {
        let collection = document.id().filter(|_| document.is_collection()).or(parent);
        let (mut items, mut children) = (Vec::new(), Vec::new());
        for (relation, link) in document.links(&["item", "child"], link_max) {
            let hrefs = if relation == "item" { &mut items } else { &mut children };
            hrefs.extend(target(&link, &href));
        }
        Self { href, collection, items, children }
    }

    /// Bytes of its links.
    fn size(&self) -> u64 {
        let hrefs = self.items.iter().chain(&self.children);
        hrefs.map(|href| (href.capacity() + size_of::<String>()) as u64).sum()
    }
}

/// The hrefs of a document's links that were not met before.
fn new_of(base: &str, hrefs: Vec<String>, seen: &mut Seen, collector: &Collector) -> Result<Vec<String>> {
    let is_remote = Location::parse_any(base).is_ok_and(|location| !location.is_local());
    let mut new = Vec::new();
    for href in hrefs {
        match local_from_remote(&href).filter(|_| is_remote) {
            Some(error) => collector.refuse(error)?,
            None if seen.first(&key(&href)) => new.push(href),
            None => {}
        }
    }
    Ok(new)
}

/// The same for two hrefs of one document.
fn key(href: &str) -> String {
    Location::parse_any(href).map_or_else(|_| href.to_owned(), |location| location.resource().to_owned())
}

fn read_items(stores: &Stores, hrefs: &[String], collector: &mut Collector) -> Result<()> {
    let mut heads = ahead(stores, hrefs);
    for href in hrefs {
        let Some(head) = stores.block_on(heads.next())? else { break };
        match head {
            Ok(head) => head.read(stores, href, collector)?,
            Err(error) => collector.refuse(error)?,
        }
        if collector.is_full() {
            break;
        }
    }
    Ok(())
}

fn read_folders(
    stores: &Stores,
    children: Vec<(String, Option<String>)>,
    collector: &Collector,
) -> Result<Vec<Folder>> {
    let hrefs: Vec<String> = children.iter().map(|(href, _)| href.clone()).collect();
    let mut heads = ahead(stores, &hrefs);
    let mut folders = Vec::new();
    let mut bytes = 0;
    for (href, parent) in children {
        let Some(head) = stores.block_on(heads.next())? else { break };
        let folder = head.and_then(|head| head.whole(stores)).and_then(|text| {
            let text = json::with_nulls(&text);
            let document = Linked::parse(&text);
            let document =
                document.map_err(|error| wrong(&href, &format!("expected a Catalog or a Collection: {error}")))?;
            Ok(Folder::new(href, &document, parent, stores.memory().of_item()))
        });
        match folder {
            Ok(folder) => {
                bytes += folder.size();
                stores.memory().check(bytes, || "the links of one level of a catalog".to_owned())?;
                folders.push(folder);
            }
            Err(error) => collector.refuse(error)?,
        }
    }
    Ok(folders)
}

fn wrong(href: &str, what: &str) -> Error {
    match Location::parse(href) {
        Ok(location) => Error::Records { location, what: what.to_owned() },
        Err(error) => error,
    }
}
