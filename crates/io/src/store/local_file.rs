//! Local files. All of this blocks.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use crate::StoreError;
use crate::runtime::descriptors;
use crate::store::stats;
use crate::store::transport::{OpenResponse, Span};
use crate::types::stamp::Stamp;

/// An open local file.
#[derive(Debug)]
pub(crate) struct LocalFile {
    file: File,
    pub(crate) stamp: Stamp,
}

impl LocalFile {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // Opening a pipe waits for its writer, and devices have no end, so both are rejected before opening.
        Stamp::of(path)?;
        let file = descriptors::open(path).map_err(|error| StoreError::of_file(&error))?;
        let stamp = Stamp::of_metadata(&file.metadata().map_err(|error| StoreError::of_file(&error))?)?;
        Ok(Self { file, stamp })
    }

    /// Bytes at an offset, fewer if the file ends before.
    pub(crate) fn read(&self, range: &Range<u64>) -> Result<Bytes, StoreError> {
        let end = range.end.min(self.stamp.size);
        let length = usize::try_from(end.saturating_sub(range.start))
            .map_err(|_| StoreError::BeyondEnd(Some(self.stamp.size)))?;
        let mut buffer = vec![0; length];
        let counters = stats::local();
        counters.add_request();
        counters.add_bytes(length);
        read_exact_at(&self.file, &mut buffer, range.start).map_err(|error| StoreError::of_file(&error))?;
        Ok(buffer.into())
    }

    /// The stamp that the open file has now.
    pub(crate) fn stamp_now(&self) -> Result<Stamp, StoreError> {
        Stamp::of_metadata(&self.file.metadata().map_err(|error| StoreError::of_file(&error))?)
    }

    pub(super) fn get(&self, span: &Span) -> Result<OpenResponse, StoreError> {
        let size = self.stamp.size;
        let range = match span {
            Span::Range(range) => range.clone(),
            Span::Tail(length) => size.saturating_sub(*length)..size,
        };
        if range.start > size {
            return Err(StoreError::BeyondEnd(Some(size)));
        }
        Ok(OpenResponse::of_bytes(range.start, self.read(&range)?, self.stamp.into()))
    }
}

#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
        }
    }
    Ok(())
}
