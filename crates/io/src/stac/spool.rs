//! Items that were read at bind, stored until the query reads them: in memory while they are small, then in an unnamed
//! file.
//!
//! The response of an API may differ a moment later, and a file may change. Rows are therefore returned from the same data as
//! the schema, however often a plan is executed.
//!
//! ```text
//! [length, 4 bytes little-endian] [record as JSON] [length] [record] ...
//! ```

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::{SpooledData, SpooledTempFile};

use crate::store::local_file::read_exact_at;
use crate::{Error, Result};

/// Bytes of records that stay in memory: some 5,000 ordinary items.
const IN_MEMORY: usize = 64 << 20;

/// Bytes that are read of the file at once.
const WINDOW: usize = 1 << 20;

/// Takes records.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    file: SpooledTempFile,
    buffer: Vec<u8>,
}

impl Default for SpoolWriter {
    fn default() -> Self {
        Self::with_memory(IN_MEMORY)
    }
}

impl SpoolWriter {
    fn with_memory(bytes: usize) -> Self {
        Self { file: SpooledTempFile::new(bytes), buffer: Vec::new() }
    }

    /// Adds a record.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<()> {
        let length = u32::try_from(record.len()).map_err(|_| failed(&io::Error::other("a record beyond 4 GiB")))?;
        self.buffer.extend(length.to_le_bytes());
        self.buffer.extend(record);
        match self.buffer.len() >= WINDOW {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer).map_err(|error| failed(&error))?;
        self.buffer.clear();
        Ok(())
    }

    /// There are no more records.
    pub(super) fn finish(mut self) -> Result<Spool> {
        self.flush()?;
        let length = self.file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        Ok(match self.file.into_inner() {
            SpooledData::InMemory(bytes) => Spool::Memory(bytes.into_inner().into()),
            SpooledData::OnDisk(file) => Spool::Disk { file: Arc::new(file), length },
        })
    }
}

/// Records for any number of concurrent readers. The file is deleted with the last one.
#[derive(Debug, Clone)]
pub(super) enum Spool {
    Memory(Bytes),
    Disk { file: Arc<File>, length: u64 },
}

impl Spool {
    /// Starts at the first record.
    pub(super) fn reader(&self) -> SpoolReader {
        SpoolReader(match self {
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Disk { file, length } => {
                let at = Positioned { file: Arc::clone(file), at: 0, length: *length };
                Box::new(BufReader::with_capacity(WINDOW, at))
            }
        })
    }
}

/// A position in the records.
pub(super) struct SpoolReader(Box<dyn Read + Send>);

impl SpoolReader {
    /// The next record; None after the last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(failed(&error)),
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        let mut record = vec![0; length];
        self.0.read_exact(&mut record).map_err(|error| failed(&error))?;
        Ok(Some(record))
    }
}

impl std::fmt::Debug for SpoolReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolReader").finish_non_exhaustive()
    }
}

/// A reader with its own position in a shared file.
struct Positioned {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(rest);
        read_exact_at(&self.file, &mut buffer[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn failed(error: &io::Error) -> Error {
    Error::System { what: format!("temporary file of items: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_returned_from_memory_and_from_a_file() {
        for memory in [64 << 20, 10] {
            let mut writer = SpoolWriter::with_memory(memory);
            let records: Vec<Vec<u8>> = (0..3_000u32).map(|index| index.to_string().repeat(200).into_bytes()).collect();
            records.iter().for_each(|record| writer.push(record).unwrap());
            let spool = writer.finish().unwrap();
            assert_eq!(matches!(spool, Spool::Disk { .. }), memory == 10);
            let (mut first, mut second) = (spool.reader(), spool.reader());
            for record in &records {
                assert_eq!(first.next().unwrap().as_ref(), Some(record));
                assert_eq!(second.next().unwrap().as_ref(), Some(record));
            }
            assert_eq!(first.next().unwrap(), None);
        }
        assert_eq!(SpoolWriter::default().finish().unwrap().reader().next().unwrap(), None);
    }
}
