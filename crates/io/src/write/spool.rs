//! Unnamed temporary files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::store::local_file::read_exact_at;

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// A file without a name, which is gone when this is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
    length: u64,
}

impl Spool {
    /// An empty spool in a folder.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(folder)?), length: 0 })
    }

    /// Appends bytes; returns where they are.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.length;
        self.file.write_all(bytes)?;
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(at)
    }

    /// Makes everything that was appended readable.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Reads bytes that were appended before the last flush.
    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        read_exact_at(self.file.get_ref(), bytes, at)
    }
}
