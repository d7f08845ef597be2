//! Colour tables of palette images.
//!
//! A header does not contain them: they are read with the first picture of a file, and kept for its version.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reader;
use super::color_tables::{ColorTable, Key};
use crate::{ObjectVersion, RasterFile, Result};

impl Reader {
    /// The colour tables of files, read concurrently, each once; None for a file without one.
    ///
    /// # Errors
    ///
    /// If the query is interrupted; a file that cannot be read is an error of its own.
    pub(super) fn color_tables_of(&self, files: &[&RasterFile]) -> Result<Vec<Result<Option<ColorTable>>>> {
        let key = |file: &RasterFile| (file.location().key().to_owned(), file.version().clone());
        let mut tables: HashMap<Key, Result<Option<ColorTable>>> = HashMap::new();
        let mut unknown = Vec::new();
        for file in files {
            let key = key(file);
            if tables.contains_key(&key) {
                continue;
            }
            let known = self.known_color_tables().get(&key);
            if known.is_none() {
                unknown.push((key.clone(), file.location().clone()));
            }
            tables.insert(key, Ok(known));
        }
        let locations: Vec<_> = unknown.iter().map(|(_, location)| location.clone()).collect();
        for ((key, _), described) in unknown.into_iter().zip(self.descriptions_at(&locations)?) {
            let table = described.map(|file| file.info.colormap.clone().map(Arc::new));
            // A file of an unknown version may change.
            if let Ok(Some(table)) = &table
                && key.1 != ObjectVersion::default()
            {
                self.known_color_tables().put(key.clone(), Arc::clone(table));
            }
            tables.insert(key, table);
        }
        Ok(files.iter().map(|file| tables.get(&key(file)).cloned().unwrap_or(Ok(None))).collect())
    }
}
