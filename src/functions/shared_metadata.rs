//! What is read of a vector of metadata STRUCTs: rows that hold the same metadata share it, read once.
//!
//! A join of rasters and plots repeats a raster's metadata in every row, and reading it costs more than most questions about
//! it. Rows of one raster most often stand together; others are found by a fingerprint and compared as a whole, which is at
//! once where DuckDB shares their lists' memory.

use std::collections::HashMap;

use crate::error::Result;
use crate::schema::MetadataReader;
use crate::vector::Reader;

/// What is read of each metadata in a vector (`M`), with what a function keeps beside it (`T`).
pub(super) struct SharedMetadata<'a, M, T> {
    metadata: MetadataReader<'a>,
    read: Read<'a, M>,
    /// Of each row, whether it holds the metadata of the row before.
    repeats: Vec<bool>,
    entries: Vec<Entry<M, T>>,
    by_fingerprint: HashMap<u64, Vec<usize>>,
    /// The row that was asked for last, and its entry.
    last: Option<(usize, usize)>,
}

/// One of the readings of [`MetadataReader`], None being NULL.
pub(super) type Read<'a, M> = fn(&MetadataReader<'a>, usize) -> Result<Option<M>>;

/// What was read, and the first row that holds it.
struct Entry<M, T> {
    row: usize,
    read: M,
    kept: T,
}

impl<'a, M, T: Default> SharedMetadata<'a, M, T> {
    /// What `read` says of the rows of a vector of metadata STRUCTs.
    pub(super) fn new(reader: &'a Reader<'a>, read: Read<'a, M>) -> Result<Self> {
        let metadata = MetadataReader::new(reader)?;
        let repeats = metadata.repeats();
        Ok(Self { metadata, read, repeats, entries: Vec::new(), by_fingerprint: HashMap::new(), last: None })
    }

    /// What was read of a row, and what is kept beside it; None for NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<(&M, &mut T)>> {
        if self.metadata.is_null(row) {
            return Ok(None);
        }
        let at = match self.last {
            Some((last, at)) if last + 1 == row && self.repeats.get(row) == Some(&true) => at,
            Some((last, at)) if self.metadata.is_same(last, row) => at,
            _ => match self.find(row)? {
                Some(at) => at,
                None => return Ok(None),
            },
        };
        self.last = Some((row, at));
        Ok(self.entries.get_mut(at).map(|entry| (&entry.read, &mut entry.kept)))
    }

    /// The entry of a row, made if there is none yet.
    fn find(&mut self, row: usize) -> Result<Option<usize>> {
        let fingerprint = self.metadata.fingerprint(row);
        let alike = self.by_fingerprint.entry(fingerprint).or_default();
        let entries = &self.entries;
        if let Some(found) = alike.iter().find(|&&at| self.metadata.is_same(entries[at].row, row)) {
            return Ok(Some(*found));
        }
        let Some(read) = (self.read)(&self.metadata, row)? else {
            return Ok(None);
        };
        alike.push(self.entries.len());
        self.entries.push(Entry { row, read, kept: T::default() });
        Ok(Some(self.entries.len() - 1))
    }
}
