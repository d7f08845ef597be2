//! Headers of a vector of metadata STRUCTs: rows that hold the same metadata share one, read once.
//!
//! A join of rasters and plots repeats a raster's tile tables in every row, and reading them costs far more than most questions
//! about them. Rows are found by a fingerprint and compared as a whole, which is at once where DuckDB shares their lists' memory.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_cog::CogHeader;
use rasteret_io::CogFile;

use crate::error::Result;
use crate::schema::MetadataReader;
use crate::vector::Reader;

/// The headers of a vector, each with what a function keeps beside it.
pub(super) struct SharedHeaders<'a, T> {
    metadata: MetadataReader<'a>,
    entries: Vec<Entry<T>>,
    by_fingerprint: HashMap<u64, Vec<usize>>,
    /// The entry of the row before: rows of one raster often stand together.
    last: usize,
}

/// A header, and the first row that holds it.
struct Entry<T> {
    row: usize,
    file: CogFile,
    kept: T,
}

impl<'a, T: Default> SharedHeaders<'a, T> {
    /// Headers of a vector of metadata STRUCTs.
    pub(super) fn new(reader: &'a Reader<'a>) -> Result<Self> {
        let metadata = MetadataReader::new(reader)?;
        Ok(Self { metadata, entries: Vec::new(), by_fingerprint: HashMap::new(), last: 0 })
    }

    /// The header of a row and what is kept beside it; None for NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<(&Arc<CogHeader>, &mut T)>> {
        Ok(self.get_file(row)?.map(|(file, kept)| (&file.header, kept)))
    }

    /// The same, with what the metadata says of the file.
    pub(super) fn get_file(&mut self, row: usize) -> Result<Option<(&CogFile, &mut T)>> {
        if self.metadata.is_null(row) {
            return Ok(None);
        }
        let is_last = self.entries.get(self.last).is_some_and(|entry| self.metadata.is_same(entry.row, row));
        if !is_last {
            match self.find(row)? {
                Some(found) => self.last = found,
                None => return Ok(None),
            }
        }
        Ok(self.entries.get_mut(self.last).map(|entry| (&entry.file, &mut entry.kept)))
    }

    /// The entry of a row, made if there is none yet.
    fn find(&mut self, row: usize) -> Result<Option<usize>> {
        let fingerprint = self.metadata.fingerprint(row);
        let alike = self.by_fingerprint.entry(fingerprint).or_default();
        let entries = &self.entries;
        if let Some(found) = alike.iter().find(|&&at| self.metadata.is_same(entries[at].row, row)) {
            return Ok(Some(*found));
        }
        let Some(file) = self.metadata.read(row)? else {
            return Ok(None);
        };
        alike.push(self.entries.len());
        self.entries.push(Entry { row, file, kept: T::default() });
        Ok(Some(self.entries.len() - 1))
    }
}
