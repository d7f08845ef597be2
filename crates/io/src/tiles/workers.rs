//! Threads that help a caller, bounded over all callers.

use rasteret_cog::pixel::Block;

use super::{BlockRequest, Keep};
use crate::{Result, Session};

impl Session {
    /// Does `work` with each block of [`blocks`](Self::blocks), in any order, on the calling thread and on helpers, as far as the
    /// session's limit on threads goes. Fails only where `work` panics.
    pub fn for_each_block(
        &self,
        requests: Vec<BlockRequest>,
        keep: Keep,
        work: impl Fn(usize, Result<Block>) + Sync,
    ) -> Result<()> {
        let _ = (requests, keep, work);
        todo!()
    }

    /// Does `work` with each number below `count`, in any order, on the calling thread and on helpers, under the same limit.
    /// Fails only where `work` panics.
    pub fn for_each(&self, count: usize, work: impl Fn(usize) + Sync) -> Result<()> {
        let _ = (count, work);
        todo!()
    }

    /// Tells how many threads the host itself would use; `RASTERET_THREADS` goes before it.
    pub fn set_host_threads(&self, threads: usize) {
        let _ = threads;
        todo!()
    }
}
