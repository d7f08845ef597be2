//! Pixels of several rasters resampled to one grid, block by block.
//!
//! ```text
//! blocks of the grid ── as many as memory allows ──> parts of all rasters that meet them ── read together ──> GridTiles
//! ```
//!
//! One thread reads a group, with helpers, while others use the blocks of the one before.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::{Tiling, Window};

use super::resample::Part;
use super::{BesidePixels, GridTile, PlannedWarp, Reader};
use crate::Result;

/// Groups that fit into the memory for tiles being fetched or decoded: that being read, its source pixels, and those that are in use.
const GROUPS_IN_BUDGET: u64 = 4;

/// Rasters on a grid, for any number of threads.
#[derive(Debug)]
pub struct WarpStream {
    reader: Reader,
    rasters: Vec<Arc<PlannedWarp>>,
    tiling: Tiling,
    /// Blocks of the grid, as rows and columns.
    tiles: Arc<[(u32, u32)]>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Blocks that have been read and not been taken, the first ones last.
    ready: Vec<GridTile>,
    /// The end of the blocks that have been read.
    read: usize,
}

/// Bytes of the blocks that may be read together.
pub(super) fn room(reader: &Reader) -> u64 {
    reader.memory().shares(reader.options()).in_flight / GROUPS_IN_BUDGET
}

impl WarpStream {
    /// The pixels of `rasters` in these tiles of a tiling of their grid. Makes no request before the first [`next`](Self::next).
    pub(super) fn new(
        reader: &Reader,
        rasters: Vec<Arc<PlannedWarp>>,
        tiling: Tiling,
        tiles: Arc<[(u32, u32)]>,
    ) -> Self {
        Self { reader: reader.clone(), rasters, tiling, tiles, state: Mutex::default() }
    }

    /// The next block, in any order; None at the end.
    pub(super) fn next(&self) -> Option<Result<GridTile>> {
        // Threads that need the same group wait for it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ready.is_empty() {
            let windows = self.group(&mut state);
            match self.read(&windows) {
                Ok(tiles) => state.ready.extend(tiles.into_iter().rev()),
                Err(error) => return Some(Err(error)),
            }
        }
        state.ready.pop().map(Ok)
    }

    /// The windows of the next group; at least one, if there are any left.
    fn group(&self, state: &mut State) -> Vec<Window> {
        let room = room(&self.reader);
        let (mut windows, mut bytes) = (Vec::new(), 0_u64);
        while let Some((row, col)) = self.tiles.get(state.read) {
            let Some(window) = Window::of_tile(&self.tiling, *row, *col) else { break };
            let pixel_bytes = self.rasters.iter().map(|raster| raster.pixel_bytes()).sum::<u64>();
            bytes = bytes.saturating_add(window.pixels().saturating_mul(pixel_bytes));
            if bytes > room && !windows.is_empty() {
                break;
            }
            windows.push(window);
            state.read += 1;
        }
        windows
    }

    /// Reads the pixels of all rasters in these windows.
    fn read(&self, windows: &[Window]) -> Result<Vec<GridTile>> {
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        for (tile, window) in windows.iter().enumerate() {
            for (raster, warp) in self.rasters.iter().enumerate().filter(|(_, warp)| warp.warp.may_meet(*window)) {
                parts.push(Part { warp, window: *window });
                places.push((tile, raster));
            }
        }
        let invalid = || self.rasters.iter().map(|_| BesidePixels::Invalid).collect();
        let mut tiles: Vec<_> = windows.iter().map(|window| GridTile { window: *window, pixels: invalid() }).collect();
        let (blocks, _) = self.reader.read_parts(&parts)?;
        for ((block, part), (tile, raster)) in blocks.into_iter().zip(parts).zip(places) {
            tiles[tile].pixels[raster] = BesidePixels::Warped(block, part.warp.data_type());
        }
        Ok(tiles)
    }
}
