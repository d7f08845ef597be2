//! Values read from a vector of metadata STRUCTs, once for all rows with the same metadata.
//!
//! A join of rasters and plots repeats the metadata of a raster in many rows, and reading it usually costs more than
//! using it. Rows of the same raster are mostly adjacent. Others are found by a fingerprint and compared completely,
//! which is fast if DuckDB shares the memory of their lists.

use std::collections::HashMap;

use crate::error::Result;
use crate::schema::MetadataReader;
use crate::vector::Reader;

/// The values read from each distinct metadata in a vector (`M`), with additional data of the function (`T`).
pub(super) struct SharedMetadata<'a, M, T> {
    metadata: MetadataReader<'a>,
    read: Read<'a, M>,
    /// For each row, whether its metadata is that of the previous row.
    repeats: Vec<bool>,
    entries: Vec<Entry<M, T>>,
    by_fingerprint: HashMap<u64, Vec<usize>>,
    /// The row of the last lookup, and its entry.
    last: Option<(usize, usize)>,
}

/// A read method of [`MetadataReader`]; None for NULL.
pub(super) type Read<'a, M> = fn(&MetadataReader<'a>, usize) -> Result<Option<M>>;

/// The value read from the metadata, and the first row that has it.
struct Entry<M, T> {
    row: usize,
    read: M,
    kept: T,
}

impl<'a, M, T: Default> SharedMetadata<'a, M, T> {
    /// Reads the rows of a vector of metadata STRUCTs with `read`.
    pub(super) fn new(reader: &'a Reader<'a>, read: Read<'a, M>) -> Result<Self> {
        let metadata = MetadataReader::new(reader)?;
        let repeats = metadata.repeats();
        Ok(Self { metadata, read, repeats, entries: Vec::new(), by_fingerprint: HashMap::new(), last: None })
    }

    /// The value and the additional data of a row; None for NULL.
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

    /// The entry of a row, which is created if necessary.
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
