//! File descriptors: the share of the process's descriptors that is used, and the behaviour if there are none left.
//!
//! | | |
//! |---|---|
//! | requests in flight | at most half of the limit, less a reserve for files of the host and files read during requests |
//! | idle connections | closed once half as many connections again were opened as may be in use, and if there are no descriptors |
//! | no descriptor for a connection or a file | waited for, since those in use become free: a connection within the request's time-out, a file for 2 s |

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::types::store_error;

/// Descriptors for other purposes, if the limit allows: DuckDB's files and temporary files, Parquet files, local rasters.
const RESERVE: usize = 96;

/// Maximum time to wait for a descriptor. Requests take less; a host that has used up its own descriptors does not release them.
const FILE_WAIT: Duration = Duration::from_secs(2);

/// Time between two attempts to open a file.
const FILE_PAUSE: Duration = Duration::from_millis(10);

/// Maximum number of connections in use: half of the available descriptors, so that as many idle connections may be open.
pub(crate) fn max_connections() -> usize {
    limit().map_or(usize::MAX, connections_within)
}

/// Connections that a client opens before it is replaced, and its idle ones closed: half as many again as may be in use. With fewer, a
/// client whose connections are all in use would be replaced over and over.
pub(crate) fn max_opened() -> usize {
    let most = max_connections();
    most.saturating_add(most / 2).saturating_add(1)
}

fn connections_within(limit: usize) -> usize {
    let reserve = RESERVE.min(limit / 2);
    ((limit - reserve) / 2).max(1)
}

/// The process's limit; None if there is none.
#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    usize::try_from(limit).ok()
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

/// Opens a local file for reading, and waits for a descriptor. Blocks.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let start = Instant::now();
    loop {
        match File::open(path) {
            Err(error) if store_error::is_exhausted(&error) && start.elapsed() < FILE_WAIT => thread::sleep(FILE_PAUSE),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_free_descriptors() {
        let found = [0, 1, 16, 64, 128, 256, 1024, 65_536].map(connections_within);
        assert_eq!(found, [1, 1, 4, 16, 32, 80, 464, 32_720]);
    }

    #[test]
    fn errors_for_a_lack_of_descriptors() {
        let codes = if cfg!(windows) { [10024, 4] } else { [24, 23] };
        assert!(codes.into_iter().all(|code| store_error::is_exhausted(&io::Error::from_raw_os_error(code))));
        assert!(!store_error::is_exhausted(&io::Error::from_raw_os_error(2)));
        assert!(!store_error::is_exhausted(&io::Error::other("24")));
    }
}
