//! The target: a temporary file beside it that is renamed, or an upload.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::store::Stores;
use crate::store::upload::{PARTS_AT_ONCE, Upload, part_size};
use crate::{Error, Location, Result, StoreError};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// Names that are tried for a temporary file.
const ATTEMPTS: u32 = 100;

/// The bytes of a file that is being written.
#[derive(Debug)]
pub(super) enum Output {
    File { file: TemporaryFile, target: PathBuf, location: Location },
    Upload { upload: Upload, part: Vec<u8>, part_size: usize },
}

impl Output {
    /// A file beside the target.
    pub(super) fn beside(target: &Path, location: &Location) -> Result<Self> {
        let file = TemporaryFile::beside(target).map_err(|error| failed(location, &error))?;
        Ok(Self::File { file, target: target.to_owned(), location: location.clone() })
    }

    /// An upload of `length` bytes.
    pub(super) fn upload(stores: &Stores, location: &Location, length: u64) -> Result<Self> {
        let part_size = part_size(length);
        let parts = u64::try_from(PARTS_AT_ONCE).unwrap_or(u64::MAX) + 1;
        stores.check_memory(part_size.saturating_mul(parts), || format!("{parts} parts of {part_size} bytes"))?;
        let part_size = usize::try_from(part_size).unwrap_or(usize::MAX);
        Ok(Self::Upload { upload: stores.upload(location)?, part: Vec::with_capacity(part_size), part_size })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        match self {
            Self::File { file, location, .. } => file.write_all(bytes).map_err(|error| failed(location, &error)),
            Self::Upload { upload, part, part_size } => {
                while !bytes.is_empty() {
                    let (now, later) = bytes.split_at(bytes.len().min(*part_size - part.len()));
                    part.extend_from_slice(now);
                    bytes = later;
                    if part.len() == *part_size {
                        upload.put(std::mem::replace(part, Vec::with_capacity(*part_size)).into())?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Makes what was written the target.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::File { file, target, location } => file.rename(&target).map_err(|error| failed(&location, &error)),
            Self::Upload { mut upload, part, .. } => {
                if !part.is_empty() {
                    upload.put(part.into())?;
                }
                upload.complete()
            }
        }
    }
}

pub(super) fn failed(location: &Location, error: &io::Error) -> Error {
    Error::Store { location: location.clone(), range: None, fault: StoreError::of_file(error) }
}

/// A file beside the target, which is removed unless it has become the target.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    file: Option<BufWriter<File>>,
    path: PathBuf,
}

impl TemporaryFile {
    /// Creates the file, with the permissions of any new file.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        for _ in 0..ATTEMPTS {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file: Some(BufWriter::with_capacity(BUFFER, file)), path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Makes the file the target.
    pub(super) fn rename(mut self, target: &Path) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            file.into_inner().map_err(io::IntoInnerError::into_error)?;
        }
        std::fs::rename(&self.path, target)?;
        self.path.clear();
        Ok(())
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or_else(|| Err(io::ErrorKind::BrokenPipe.into()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            drop(self.file.take());
            // The error that is being reported counts, not that of the removal.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
