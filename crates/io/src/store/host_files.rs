//! Files that are read through a file system of the host, instead of the clients here.
//!
//! Determines the size of reads, and caches open files of a query and blocks of them. Listings, entity tags and dates are not supported,
//! because such a file system lacks them.
//!
//! The file system reads from one position at a time, and opening a remote file may cost a request. Files are therefore kept open as
//! long as the query may need them, several of one file for reads side by side. A small read costs a file system as much as
//! one of [`BLOCK`], which it may fetch anyway: it is extended to whole blocks, and blocks are kept for the reads that follow.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::StoreError;
use crate::store::coalesce::joined;
use crate::store::stats::Counters;

/// Minimum size of a read in bytes, if the file is long enough. DuckDB's httpfs fetches as many for any smaller read.
const BLOCK: u64 = 1 << 20;

/// Number of cached blocks of a query, in order of use.
const MAX_BLOCKS: usize = 32;

/// Number of unused files that are kept open: one for each reading thread.
const MAX_IDLE: usize = 32;

/// A file system of the host. Its functions block, and are called from any thread.
pub trait HostFileSystem: Send + Sync {
    /// Opens a file for reading. The fault's text holds no secret.
    ///
    /// # Errors
    ///
    /// If the file does not exist, must not be read, or the query has ended.
    fn open(self: Arc<Self>, path: &str) -> Result<Box<dyn HostFile>, StoreError>;

    /// The hint to a user whose pattern of files cannot be listed.
    fn listing_hint(&self) -> &'static str;
}

/// An open file of a [`HostFileSystem`]. Its functions block.
pub trait HostFile: Send {
    /// Bytes of the whole file.
    fn size(&self) -> u64;

    /// Whether the file can still be read: not once the query that opened it has ended.
    fn is_open(&self) -> bool;

    /// Reads bytes at an offset into the buffer; returns their number, 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// If reading fails, or the query has ended.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError>;
}

/// Files that a query reads through the host's file system. Clones share open files and blocks.
#[derive(Clone)]
pub struct HostFiles(Arc<Inner>);

struct Inner {
    system: Arc<dyn HostFileSystem>,
    /// Open files by their paths, the last one used at the end.
    idle: Mutex<VecDeque<(String, Box<dyn HostFile>)>>,
    /// Blocks by path and number, the most recently used last.
    blocks: Mutex<VecDeque<((String, u64), Block)>>,
}

/// A block, None until it is read. Threads that need the same one wait for the first.
type Block = Arc<Mutex<Option<Bytes>>>;

impl HostFiles {
    /// Files of a file system, for one query.
    pub fn new(system: Arc<dyn HostFileSystem>) -> Self {
        Self(Arc::new(Inner { system, idle: Mutex::default(), blocks: Mutex::default() }))
    }

    /// The hint to a user whose pattern of files cannot be listed.
    pub(crate) fn listing_hint(&self) -> &'static str {
        self.0.system.listing_hint()
    }

    /// Bytes of the whole file. Blocks.
    pub(crate) fn size(&self, path: &str, counters: &Arc<Counters>) -> Result<u64, StoreError> {
        let file = self.take(path, counters)?;
        let size = file.size();
        self.put_back(path, file);
        Ok(size)
    }

    /// The bytes of a range, clipped to the file, and the size of the file. Blocks.
    pub(crate) fn read(
        &self,
        path: &str,
        range: &Range<u64>,
        counters: &Arc<Counters>,
    ) -> Result<(Bytes, u64), StoreError> {
        let mut file = self.take(path, counters)?;
        let size = file.size();
        if range.start >= size {
            self.put_back(path, file);
            return Err(StoreError::BeyondEnd(Some(size)));
        }
        let range = range.start..range.end.clamp(range.start, size);
        // A file that failed is not used again.
        let bytes = match range.end - range.start < BLOCK {
            true => self.read_blocks(path, file.as_mut(), &range, size, counters),
            false => read_exact(file.as_mut(), &range, counters),
        }?;
        self.put_back(path, file);
        Ok((bytes, size))
    }

    /// A range shorter than a block, from the one or two blocks that contain it.
    fn read_blocks(
        &self,
        path: &str,
        file: &mut dyn HostFile,
        range: &Range<u64>,
        size: u64,
        counters: &Arc<Counters>,
    ) -> Result<Bytes, StoreError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let numbers: Vec<u64> = (range.start / BLOCK..=(range.end - 1) / BLOCK).collect();
        let blocks: Vec<Block> = numbers.iter().map(|number| self.block(path, *number)).collect();
        // Locked in the order of the file, so that no two threads wait for one another.
        let mut locked: Vec<MutexGuard<'_, Option<Bytes>>> = blocks.iter().map(|block| lock(block)).collect();
        let missing: Vec<usize> = (0..locked.len()).filter(|at| locked[*at].is_none()).collect();
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            let start = numbers[*first] * BLOCK;
            let end = (numbers[*last] + 1).saturating_mul(BLOCK).min(size);
            let bytes = read_exact(file, &(start..end), counters)?;
            for at in *first..=*last {
                let from = index(numbers[at] * BLOCK - start);
                let to = index(BLOCK).saturating_add(from).min(bytes.len());
                *locked[at] = Some(bytes.slice(from..to));
            }
        }
        let parts: Vec<Bytes> = locked
            .iter()
            .zip(&numbers)
            .filter_map(|(block, number)| {
                let (bytes, start) = (block.as_ref()?, number * BLOCK);
                let from = index(range.start.saturating_sub(start)).min(bytes.len());
                let to = index(range.end.saturating_sub(start)).clamp(from, bytes.len());
                Some(bytes.slice(from..to))
            })
            .collect();
        Ok(joined(parts))
    }

    /// A block, which is cached.
    fn block(&self, path: &str, number: u64) -> Block {
        let mut blocks = lock(&self.0.blocks);
        let known = blocks.iter().position(|((known, at), _)| *at == number && known == path);
        let entry = known.and_then(|at| blocks.remove(at));
        let entry = entry.unwrap_or_else(|| ((path.to_owned(), number), Block::default()));
        let block = entry.1.clone();
        blocks.push_back(entry);
        if blocks.len() > MAX_BLOCKS {
            blocks.pop_front();
        }
        block
    }

    /// An open file that no other thread reads.
    fn take(&self, path: &str, counters: &Arc<Counters>) -> Result<Box<dyn HostFile>, StoreError> {
        let known = {
            let mut idle = lock(&self.0.idle);
            // Files of a completed execution of the plan.
            idle.retain(|(_, file)| file.is_open());
            let at = idle.iter().position(|(known, _)| known == path);
            at.and_then(|at| idle.remove(at))
        };
        if let Some((_, file)) = known {
            return Ok(file);
        }
        let _in_flight = counters.begin();
        counters.add_request();
        self.0.system.clone().open(path).inspect_err(|_| counters.add_error())
    }

    fn put_back(&self, path: &str, file: Box<dyn HostFile>) {
        let oldest = {
            let mut idle = lock(&self.0.idle);
            idle.push_back((path.to_owned(), file));
            if idle.len() > MAX_IDLE { idle.pop_front() } else { None }
        };
        // Closing may wait for a network.
        drop(oldest);
    }
}

impl fmt::Debug for HostFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths may hold query strings.
        f.debug_struct("HostFiles").finish_non_exhaustive()
    }
}

/// All bytes of a range within the file, in as many reads as it takes.
fn read_exact(file: &mut dyn HostFile, range: &Range<u64>, counters: &Arc<Counters>) -> Result<Bytes, StoreError> {
    let mut buffer = vec![0; index(range.end - range.start)];
    let mut done = 0;
    while done < buffer.len() {
        let in_flight = counters.begin();
        counters.add_request();
        let read = file.read(range.start + done as u64, &mut buffer[done..]).inspect_err(|_| counters.add_error())?;
        drop(in_flight);
        if read == 0 {
            return Err(StoreError::BeyondEnd(None));
        }
        counters.add_bytes(read);
        done = done.saturating_add(read).min(buffer.len());
    }
    Ok(buffer.into())
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// A file of 2.5 blocks whose bytes encode their offset, and a log of reads.
    #[derive(Default)]
    struct Counted {
        opened: AtomicUsize,
        reads: Mutex<Vec<(u64, usize)>>,
        closed: AtomicBool,
    }

    const SIZE: u64 = BLOCK * 5 / 2;

    struct CountedFile(Arc<Counted>);

    fn byte(offset: u64) -> u8 {
        u8::try_from(offset % 251).unwrap()
    }

    impl HostFileSystem for Counted {
        fn open(self: Arc<Self>, path: &str) -> Result<Box<dyn HostFile>, StoreError> {
            if path != "a" {
                return Err(StoreError::NoSuchFile);
            }
            self.opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(CountedFile(self)))
        }

        fn listing_hint(&self) -> &'static str {
            "list them yourself"
        }
    }

    impl HostFile for CountedFile {
        fn size(&self) -> u64 {
            SIZE
        }

        fn is_open(&self) -> bool {
            !self.0.closed.load(Ordering::SeqCst)
        }

        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
            self.0.reads.lock().unwrap().push((offset, buffer.len()));
            // File systems may return fewer bytes than requested.
            let count = buffer.len().min(700_000);
            buffer[..count].iter_mut().zip(offset..).for_each(|(to, offset)| *to = byte(offset));
            Ok(count)
        }
    }

    fn check(files: &HostFiles, range: Range<u64>) {
        let (bytes, size) = files.read("a", &range, &Arc::default()).unwrap();
        let expected: Vec<u8> = (range.start..range.end.min(SIZE)).map(byte).collect();
        assert!(size == SIZE && bytes == expected, "{range:?}: {} bytes", bytes.len());
    }

    #[test]
    fn small_reads_fetch_and_cache_blocks() {
        let system = Arc::new(Counted::default());
        let files = HostFiles::new(system.clone());
        check(&files, 0..16);
        check(&files, 1000..2000);
        check(&files, BLOCK - 10..BLOCK + 10);
        check(&files, SIZE - 5..SIZE + 5);
        check(&files, BLOCK + 3..BLOCK + 3);
        let starts: Vec<u64> = system.reads.lock().unwrap().iter().map(|(offset, _)| offset / BLOCK).collect();
        // Each of the three blocks is read once, the two complete ones in two reads.
        assert_eq!(starts, [0, 0, 1, 1, 2]);
        assert_eq!(system.opened.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn large_reads_are_exact() {
        let system = Arc::new(Counted::default());
        let files = HostFiles::new(system.clone());
        check(&files, 5..5 + BLOCK);
        assert_eq!(system.reads.lock().unwrap()[0], (5, index(BLOCK)));
        assert_eq!(files.read("a", &(SIZE..SIZE + 1), &Arc::default()), Err(StoreError::BeyondEnd(Some(SIZE))));
        assert_eq!(files.read("b", &(0..1), &Arc::default()), Err(StoreError::NoSuchFile));
    }

    #[test]
    fn threads_share_blocks_and_open_separate_files() {
        let system = Arc::new(Counted::default());
        let files = HostFiles::new(system.clone());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let files = &files;
                scope.spawn(move || {
                    (0..40).for_each(|step| check(files, step * 60_000 + thread..step * 60_000 + 9_999))
                });
            }
        });
        let mut starts: Vec<u64> = system.reads.lock().unwrap().iter().map(|(offset, _)| *offset).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), system.reads.lock().unwrap().len());
        assert!(system.opened.load(Ordering::SeqCst) <= 8);
    }

    #[test]
    fn files_of_a_completed_query_are_reopened() {
        let system = Arc::new(Counted::default());
        let files = HostFiles::new(system.clone());
        check(&files, 0..16);
        system.closed.store(true, Ordering::SeqCst);
        assert_eq!(files.size("a", &Arc::default()).unwrap(), SIZE);
        assert_eq!(system.opened.load(Ordering::SeqCst), 2);
    }
}
