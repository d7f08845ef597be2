//! Blocks as they become ready, for any number of threads.

use rasteret_cog::pixel::Block;

use super::{BlockRequest, Keep};
use crate::{Result, Session};

/// The blocks of one call, handed out as their bytes arrive. Dropping it ends what it has under way.
#[derive(Debug)]
pub struct BlockStream {}

impl BlockStream {
    /// The next block that is ready, with the position of its request; None once all have been given out. Blocks while bytes
    /// are under way; decodes on the calling thread, which must not be one of the runtime's. For any number of threads at once.
    /// The error of one file does not disturb the blocks of another.
    pub fn next(&self) -> Option<(usize, Result<Block>)> {
        todo!()
    }
}

impl Session {
    /// The blocks that are asked for. Each encoded tile behind them is fetched once and decoded once, also when other calls
    /// need it at the same time. Makes no request before the first [`BlockStream::next`].
    pub fn blocks(&self, requests: Vec<BlockRequest>, keep: Keep) -> BlockStream {
        let _ = (requests, keep);
        todo!()
    }
}
