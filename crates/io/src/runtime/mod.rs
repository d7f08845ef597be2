//! The tokio runtime for all I/O.
//!
//! It is a static that is never dropped: DuckDB may still call functions while the process exits, and a runtime that is dropped
//! on one of its own threads panics.

pub(crate) mod byte_cache;
pub(crate) mod descriptors;
pub(crate) mod failures;
pub(crate) mod interrupt;
pub(crate) mod memory;
pub(crate) mod per_process;
pub(crate) mod workers;

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::{Error, PerProcess, Result};

/// Threads that wait on sockets. A response costs tens of microseconds: more threads would wait for each other and take
/// processor time from DuckDB's own.
const MAX_WORKERS: usize = 4;

/// Threads for file I/O and for decoding large tables; a network file system processes as many requests concurrently.
const MAX_BLOCKING: usize = 32;

/// The runtime of this process, started when it is first needed: a forked child has none of its parent's threads.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: PerProcess<io::Result<Runtime>> = PerProcess::new();
    let start = || {
        Builder::new_multi_thread()
            .thread_name("rasteret-io")
            .worker_threads(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS))
            .max_blocking_threads(MAX_BLOCKING)
            .enable_all()
            .build()
    };
    RUNTIME.get_or_make(|_| start()).as_ref().map_err(|error| Error::Unexpected {
        what: format!("could not start the threads of the I/O runtime: {}", error.kind()),
    })
}
