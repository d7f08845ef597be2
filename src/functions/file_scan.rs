//! What the table functions over files share: their arguments, and the files' headers in order, a batch at a time.

use rasteret_io::{CogFile, Session};

use super::files;
use crate::error::Result;
use crate::vector::{BindInfo, LogicalType, TypeId};

/// Files fetched at once: enough to keep all connections busy, few enough to hold their headers in memory.
const FILES_PER_BATCH: usize = 512;

/// The files of a call.
#[derive(Clone)]
pub(super) struct FileList {
    session: Session,
    hrefs: Vec<String>,
    ignore_errors: bool,
}

/// A position in the files of a call.
pub(super) struct FileScan {
    files: FileList,
    next: usize,
}

/// A file with its header.
pub(super) struct ScannedFile {
    pub(super) href: String,
    pub(super) file: CogFile,
}

impl FileList {
    /// The named parameters that every function over files has.
    pub(super) fn named_parameters() -> Vec<(&'static str, LogicalType)> {
        vec![("ignore_errors", LogicalType::of(TypeId::Boolean))]
    }

    /// Expands `paths`; no header is fetched yet.
    pub(super) fn bind(session: &Session, info: &BindInfo) -> Result<Self> {
        let hrefs = files::paths(session, info)?;
        let ignore_errors = info.named("ignore_errors").and_then(|value| value.boolean()).unwrap_or(false);
        Ok(Self { session: session.clone(), hrefs, ignore_errors })
    }

    /// How many files give their rows, where that is certain.
    pub(super) fn exact_len(&self) -> Option<u64> {
        (!self.ignore_errors).then_some(self.hrefs.len() as u64)
    }

    /// Starts at the first file.
    pub(super) fn scan(&self) -> FileScan {
        FileScan { files: self.clone(), next: 0 }
    }
}

impl FileScan {
    /// The next files, in order; empty at the end. A file that fails is left out, or fails the call.
    pub(super) fn next_batch(&mut self) -> Result<Vec<ScannedFile>> {
        let FileList { session, hrefs, ignore_errors } = &self.files;
        while self.next < hrefs.len() {
            let batch = &hrefs[self.next..hrefs.len().min(self.next + FILES_PER_BATCH)];
            self.next += batch.len();
            let headers = session.headers(&batch.iter().map(String::as_str).collect::<Vec<_>>());
            let mut scanned = Vec::with_capacity(batch.len());
            for (href, header) in batch.iter().zip(headers) {
                match header {
                    Ok(file) => scanned.push(ScannedFile { href: href.clone(), file }),
                    Err(_) if *ignore_errors => {}
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
