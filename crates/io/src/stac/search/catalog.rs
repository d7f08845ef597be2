//! A static catalogue: documents that name one another by links, level by level.
//!
//! Each document is read once, whatever links lead to it, so that catalogues which name their parents as children end too. Links
//! are followed from where a document was found: a copy of a catalogue is read as the copy. Items come in the order of the
//! links, those of a level before those below it.

use std::collections::HashSet;

use futures::StreamExt;
use serde_json::{Map, Value};

use super::{links, target};
use crate::location::local_from_remote;
use crate::stac::collect::Collector;
use crate::stac::files::ahead;
use crate::{Error, Location, Result, Session, json};

/// A Catalog or a Collection that was read.
struct Folder {
    href: String,
    document: Map<String, Value>,
    /// The id of the Collection that it is or is in.
    collection: Option<String>,
}

/// Gives the items of all documents below `root`, which is at `href`.
pub(super) fn crawl(
    session: &Session,
    href: &str,
    root: Map<String, Value>,
    collections: &[String],
    collector: &mut Collector,
) -> Result<()> {
    let mut seen = HashSet::from([key(href)]);
    let collection = own_collection(&root);
    let mut level = vec![Folder { href: href.to_owned(), document: root, collection }];
    while !level.is_empty() {
        for folder in &level {
            // What is in a collection that is not asked for need not be fetched: its id is the items' `collection`.
            let wanted = folder.collection.as_ref().is_none_or(|id| collections.is_empty() || collections.contains(id));
            if wanted {
                let items = folder.targets("item", &mut seen, collector)?;
                read_items(session, &items, collector)?;
            }
            if collector.is_full() {
                return Ok(());
            }
        }
        let mut children = Vec::new();
        for folder in &level {
            let targets = folder.targets("child", &mut seen, collector)?;
            children.extend(targets.into_iter().map(|href| (href, folder.collection.clone())));
        }
        level = read_folders(session, children, collector)?;
    }
    Ok(())
}

impl Folder {
    /// Where links of this relation lead that none led to before.
    fn targets(&self, rel: &str, seen: &mut HashSet<String>, collector: &Collector) -> Result<Vec<String>> {
        let is_remote = Location::parse(&self.href).is_ok_and(|location| !location.is_local());
        let links = links(&self.document).filter(|(found, _)| *found == rel);
        let mut targets = Vec::new();
        for href in links.filter_map(|(_, link)| target(link, &self.href)) {
            match local_from_remote(&href).filter(|_| is_remote) {
                Some(error) => collector.refuse(error)?,
                None if seen.insert(key(&href)) => targets.push(href),
                None => {}
            }
        }
        Ok(targets)
    }
}

fn own_collection(document: &Map<String, Value>) -> Option<String> {
    // Collections before STAC 1.0 are told from Catalogs by what only they have.
    let is_collection = match document.get("type").and_then(Value::as_str) {
        Some(kind) => kind == "Collection",
        None => document.contains_key("extent"),
    };
    document.get("id").filter(|_| is_collection).and_then(Value::as_str).map(str::to_owned)
}

/// The same for two hrefs of one document.
fn key(href: &str) -> String {
    Location::parse(href).map_or_else(|_| href.to_owned(), |location| location.resource().to_owned())
}

fn read_items(session: &Session, hrefs: &[String], collector: &mut Collector) -> Result<()> {
    let mut heads = ahead(session, hrefs);
    for href in hrefs {
        let Some(head) = session.block_on(heads.next())? else { break };
        match head {
            Ok(head) => head.read(session, href, collector)?,
            Err(error) => collector.refuse(error)?,
        }
        if collector.is_full() {
            break;
        }
    }
    Ok(())
}

fn read_folders(
    session: &Session,
    children: Vec<(String, Option<String>)>,
    collector: &Collector,
) -> Result<Vec<Folder>> {
    let hrefs: Vec<String> = children.iter().map(|(href, _)| href.clone()).collect();
    let mut heads = ahead(session, &hrefs);
    let mut folders = Vec::new();
    for (href, parent) in children {
        let Some(head) = session.block_on(heads.next())? else { break };
        let document = head.and_then(|head| head.whole(session)).and_then(|text| match json::parse(&text) {
            Ok(Value::Object(document)) => Ok(document),
            Ok(_) => Err(wrong(&href, "expected a Catalog or a Collection, found JSON that is no object")),
            Err(error) => Err(wrong(&href, &format!("expected a Catalog or a Collection: {error}"))),
        });
        match document {
            Ok(document) => {
                let collection = own_collection(&document).or(parent);
                folders.push(Folder { href, document, collection });
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
