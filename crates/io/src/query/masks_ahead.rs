//! Prefetches tiles of masks.
//!
//! The tiles of the masks of a call are fetched beside those of its targets, as many as the cache of decoded tiles has room for, so that
//! they are cached when the blocks arrive. A block whose mask tiles were evicted reads them again.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Reader, Target};
use crate::tiles::{BlockStream, Keep};
use crate::{Error, Result};

/// Tiles of masks that are read ahead.
#[derive(Debug)]
pub(super) struct MasksAhead(BlockStream);

impl MasksAhead {
    /// The tiles of the masks of blocks, each once, up to half of the capacity of the cache of decoded tiles; None if
    /// there are none. Also the errors of blocks, by position, whose mask has a tile that failed recently: DuckDB
    /// evaluates a failing constant repeatedly, which must not fetch the tiles of the blocks each time.
    pub(super) fn new<'a>(
        reader: &Reader,
        blocks: impl Iterator<Item = (&'a Arc<Target>, u32, u32)>,
    ) -> (Option<Self>, HashMap<usize, Error>) {
        let mut room = reader.memory().shares(reader.options()).tiles / 2;
        let (mut known, mut requests) = (HashMap::new(), Vec::new());
        let mut failures = HashMap::new();
        'blocks: for (at, (target, row, col)) in blocks.enumerate() {
            let Some(window) = target.band.window(row, col) else { continue };
            let of_mask = target.mask.iter().flat_map(|mask| mask.requests(window));
            let of_weights = target.weights.iter().flat_map(|weights| weights.requests(window));
            // The error of an interrupt is that of the blocks.
            let parts = of_mask.chain(of_weights).take_while(|_| !reader.query().is_interrupted());
            for request in parts.flatten() {
                let key = (Arc::as_ptr(&request.band), request.row, request.col);
                let is_known = known.contains_key(&key);
                let failure = known.entry(key).or_insert_with(|| reader.tiles().recent_failure(&request));
                if let Some(error) = failure {
                    failures.entry(at).or_insert_with(|| error.clone());
                    continue;
                }
                if is_known {
                    continue;
                }
                // There is no room for the masks of further blocks.
                let Some(rest) = room.checked_sub(request.band.tile_bytes()) else {
                    break 'blocks;
                };
                room = rest;
                requests.push(request);
            }
        }
        ((!requests.is_empty()).then(|| Self(reader.blocks(requests, Keep::Tiles))), failures)
    }

    /// Starts fetching.
    pub(super) fn start(&self) {
        self.0.start();
    }

    /// Decodes the tiles into the cache. A tile that cannot be read fails when it is needed.
    pub(super) fn finish(self) -> Result<()> {
        self.0.for_each(|_, _| std::ops::ControlFlow::Continue(()))
    }
}
