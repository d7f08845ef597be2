//! Reads Items of files in the order of the files, for `read_stac`.
//!
//! The beginning of each file, which is a whole Item in most cases, is fetched some files ahead. The rest of a larger file is
//! fetched in windows while it is parsed.

use std::cell::RefCell;
use std::io::{self, Read};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::collect::{Collector, Origin};
use super::document::{self, ItemPosition, Stop};
use super::{StacTable, parquet};
use crate::parquet::{ParquetSource, Projection};
use crate::store::Stores;
use crate::store::transport::Span;
use crate::{Error, Object, Result, StoreError};

/// Bytes of a file that are requested at once. One request reads an item; of a server that ignores ranges, no more is
/// read.
const HEAD: u64 = 1 << 20;

/// Bytes of the rest of a file that are in memory.
const WINDOW: u64 = 8 << 20;

/// Files whose beginnings are prefetched: at most 64 MiB, and as many requests in flight as a small server can handle.
const FILES_AHEAD: usize = 64;

/// Rows of Parquet that are decoded at once.
const PARQUET_ROWS: usize = 512;

/// Options for reading items.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Leave out items and files that cannot be read, instead of failing.
    pub ignore_errors: bool,
}

impl StacTable {
    /// Reads items of these files (see [`Stores::files`](crate::Stores::files) for patterns), all of them, to find out their columns. Blocks the
    /// calling thread, which must not be one of the runtime's.
    pub fn open(stores: &Stores, files: &[String], options: ReadOptions) -> Result<Self> {
        let mut collector = Collector::new(options.ignore_errors);
        let mut heads = ahead(stores, files);
        for href in files {
            let Some(head) = stores.block_on(heads.next())? else { break };
            match head {
                Ok(head) => head.read(stores, href, &mut collector)?,
                Err(error) => collector.refuse(error)?,
            }
        }
        drop(heads);
        collector.finish()
    }
}

/// The beginnings of files, in their order, fetched ahead of the one that takes them. To be polled in the runtime.
pub(super) fn ahead(stores: &Stores, hrefs: &[String]) -> impl Stream<Item = Result<Head>> + Unpin + use<> {
    let hrefs: Vec<String> = hrefs.to_vec();
    let stores = stores.clone();
    let heads = hrefs.into_iter().map(move |href| {
        let stores = stores.clone();
        async move {
            // A separate task continues while the items of other files are parsed.
            let task = tokio::spawn(async move { Head::fetch(&stores, &href).await });
            let panicked = || Error::Unexpected { what: "reading a file panicked".to_owned() };
            task.await.unwrap_or_else(|_| Err(panicked()))
        }
    });
    stream::iter(heads).buffered(FILES_AHEAD)
}

/// The beginning of a file.
pub(super) struct Head {
    object: Object,
    bytes: Bytes,
    /// Size of the whole file in bytes, if the store reports it.
    size: Option<u64>,
}

impl Head {
    pub(super) async fn fetch(stores: &Stores, href: &str) -> Result<Self> {
        let object = stores.open(href).await?;
        let (bytes, size) = match object.part(Span::Range(0..HEAD)).await {
            Ok(answer) => (answer.body.into_bytes(), answer.version.size),
            Err(StoreError::BeyondEnd(_)) => (Bytes::new(), Some(0)),
            Err(fault) => return Err(object.error(None, fault)),
        };
        Ok(Self { object, bytes, size })
    }

    /// All bytes of a document.
    ///
    /// # Errors
    ///
    /// Also for one that is longer than the share of the memory limit.
    pub(super) fn whole(self, stores: &Stores) -> Result<Vec<u8>> {
        let object = self.object.clone();
        let max = stores.memory().of_document();
        let mut bytes = Vec::new();
        let windows = Windows { stores, object: &self.object, size: self.size, at: 0, current: self.bytes };
        windows.take(max + 1).read_to_end(&mut bytes).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => object.error(None, StoreError::of_file(&error)),
        })?;
        if bytes.len() as u64 > max {
            let what = format!("expected a document of at most {max} bytes (a share of the memory limit), found more");
            return Err(Error::Records { location: object.location().clone(), what });
        }
        Ok(bytes)
    }

    /// Passes on the items of a file at `href`.
    pub(super) fn read(self, stores: &Stores, href: &str, collector: &mut Collector) -> Result<()> {
        if self.bytes.starts_with(b"PAR1") {
            let outcome = rows(stores, href, &self.object, collector);
            return outcome.or_else(|error| collector.refuse(error));
        }
        let location = self.object.location().clone();
        let origin = Origin { location: &location, base: href };
        let collector = RefCell::new(collector);
        let spoiled = |at: Option<ItemPosition>, what: String| {
            let what = at.map_or(what.clone(), |at| format!("{at}: {what}"));
            collector.borrow().refuse(Error::Records { location: location.clone(), what })
        };
        let outcome = document::read(
            Windows { stores, object: &self.object, size: self.size, at: 0, current: self.bytes },
            stores.memory().of_item(),
            &mut |position, item| collector.borrow_mut().add(origin, position, item).map(drop),
            &mut |position, what| spoiled(Some(position), what),
        );
        match outcome {
            Ok(()) => Ok(()),
            Err(Stop::Malformed { at, what }) => spoiled(at, what),
            Err(Stop::Error(error @ Error::Store { .. })) => collector.borrow().refuse(error),
            Err(Stop::Error(error)) => Err(error),
        }
    }
}

/// Rows of a Parquet file as items.
fn rows(stores: &Stores, href: &str, object: &Object, collector: &mut Collector) -> Result<()> {
    let location = object.location();
    let origin = Origin { location, base: href };
    let files = vec![href.to_owned()];
    let mut batches = stores.block_on(async {
        let source = ParquetSource::open(stores, files).await?;
        let all = Projection::columns(0..source.schema().fields().len());
        source.read(&all, PARQUET_ROWS)
    })??;
    let mut number = 0;
    while let Some(records) = stores.block_on(batches.next())? {
        let batch = records?.batch;
        for row in 0..batch.num_rows() {
            match parquet::item(&batch, row) {
                Ok(item) => {
                    collector.add(origin, ItemPosition::Row(number), item)?;
                }
                Err(what) => {
                    let what = format!("{}: {what}", ItemPosition::Row(number));
                    collector.refuse(Error::Records { location: location.clone(), what })?;
                }
            }
            number += 1;
        }
    }
    Ok(())
}

/// A file's bytes one after the other; blocks.
struct Windows<'a> {
    stores: &'a Stores,
    object: &'a Object,
    size: Option<u64>,
    /// Bytes read so far.
    at: u64,
    current: Bytes,
}

impl Windows<'_> {
    /// The bytes that follow; none at the end of the file.
    fn fetch(&mut self) -> Result<Bytes> {
        let (object, at) = (self.object, self.at);
        // A first response that is shorter than the request has the whole file.
        let size = self.size.or((at < HEAD).then_some(at));
        let end = size.map_or(at + WINDOW, |size| size.min(at + WINDOW));
        if end <= at {
            return Ok(Bytes::new());
        }
        match self.stores.block_on(object.part(Span::Range(at..end)))? {
            Ok(answer) => Ok(answer.body.into_bytes()),
            Err(StoreError::BeyondEnd(_)) if size.is_none() => Ok(Bytes::new()),
            // The server sends all it has or nothing: this time all of it is read.
            Err(StoreError::RangeIgnored) => {
                let whole = self.stores.block_on(object.document())?;
                let whole = whole.map_err(|fault| object.error(None, fault))?;
                self.size = Some(whole.len() as u64);
                Ok(usize::try_from(at)
                    .ok()
                    .filter(|at| *at < whole.len())
                    .map(|at| whole.slice(at..))
                    .unwrap_or_default())
            }
            Err(fault) => Err(object.error(Some(at..end), fault)),
        }
    }
}

impl Read for Windows<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            self.current = self.fetch().map_err(io::Error::other)?;
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        self.at += count as u64;
        Ok(count)
    }
}
