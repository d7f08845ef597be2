//! What the table functions over files share: their arguments, and the files' headers in order, a batch at a time.

use rasteret_io::Session;

use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::vector::BindInfo;

/// Files fetched at once: enough to keep all connections busy, few enough to hold their headers in memory.
const FILES_PER_BATCH: usize = 512;

/// The files of a call.
#[derive(Clone)]
pub(crate) struct FileList {
    session: Session,
    hrefs: Vec<String>,
    ignore_errors: bool,
}

/// A position in the files of a call, and how a batch of them is read.
pub(crate) struct FileScan<T> {
    files: FileList,
    read: Read<T>,
    next: usize,
}

/// Reads many files at once, answering in their order.
type Read<T> = fn(&Session, &[&str]) -> Vec<Result<T, rasteret_io::Error>>;

/// A file and what was read of it.
pub(crate) struct Scanned<T> {
    pub(super) href: String,
    pub(super) content: T,
}

impl FileList {
    /// Expands `paths`; no header is fetched yet.
    pub(super) fn bind(session: &Session, info: &BindInfo) -> Result<Self> {
        let hrefs = files::paths(session, info)?;
        let ignore_errors = params::ignore_errors(info);
        Ok(Self { session: session.clone(), hrefs, ignore_errors })
    }

    /// How many files give their rows, where that is certain.
    pub(super) fn exact_len(&self) -> Option<u64> {
        (!self.ignore_errors).then_some(self.hrefs.len() as u64)
    }

    /// Starts at the first file.
    pub(super) fn scan<T>(&self, read: Read<T>) -> FileScan<T> {
        FileScan { files: self.clone(), read, next: 0 }
    }
}

impl<T> FileScan<T> {
    /// The next files, in order; empty at the end. A file that fails is left out, or fails the call.
    pub(super) fn next_batch(&mut self) -> Result<Vec<Scanned<T>>> {
        let FileList { session, hrefs, ignore_errors } = &self.files;
        while self.next < hrefs.len() {
            let batch = &hrefs[self.next..hrefs.len().min(self.next + FILES_PER_BATCH)];
            self.next += batch.len();
            let contents = (self.read)(session, &batch.iter().map(String::as_str).collect::<Vec<_>>());
            let mut scanned = Vec::with_capacity(batch.len());
            for (href, content) in batch.iter().zip(contents) {
                match content {
                    Ok(content) => scanned.push(Scanned { href: href.clone(), content }),
                    // What a lock of DuckDB forbids is no fault of a file.
                    Err(error) if *ignore_errors && error.denial().is_none() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if !scanned.is_empty() {
                return Ok(scanned);
            }
        }
        Ok(Vec::new())
    }
}
