//! The target: a temporary file next to it that is renamed, or an upload.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// Names that are tried for a temporary file.
const ATTEMPTS: u32 = 100;

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
