//! Code shared by the table functions that read files: their arguments, and the headers of the files in order, batch by
//! batch.

use rasteret_io::Session;

use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::vector::BindInfo;

/// The number of files per batch: enough to use all connections, few enough to keep their headers in memory.
const FILES_PER_BATCH: usize = 512;

/// The files of a call.
#[derive(Clone)]
pub(crate) struct FileList {
    session: Session,
    hrefs: Vec<String>,
    ignore_errors: bool,
}

/// A position in the files of a call, and the function that reads a batch.
pub(crate) struct FileScan<T> {
    files: FileList,
    read: Read<T>,
    next: usize,
}

/// Reads several files concurrently, and returns the results in their order.
type Read<T> = fn(&Session, &[&str]) -> Vec<Result<T, rasteret_io::Error>>;

/// A file and its content.
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

    /// The number of files that return rows, if it is known.
    pub(super) fn exact_len(&self) -> Option<u64> {
        (!self.ignore_errors).then_some(self.hrefs.len() as u64)
    }

    /// Starts at the first file.
    pub(super) fn scan<T>(&self, read: Read<T>) -> FileScan<T> {
        FileScan { files: self.clone(), read, next: 0 }
    }
}

impl<T> FileScan<T> {
    /// The next files, in order; empty at the end. A file that fails is skipped, or fails the call.
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
                    // Files excluded by a lock of DuckDB are not skipped.
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
