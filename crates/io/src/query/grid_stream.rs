//! Pixels of several rasters on the grid of the first, tile by tile, read ahead of the consuming threads.
//!
//! ```text
//! tiles of the first ── as many as memory allows ──> Group ── one BlockStream for all rasters ──> GridTile, when all of its blocks
//!                                                    Group ── fetched meanwhile                   have arrived
//! ```
//!
//! A group holds the decoded tiles of one raster until those of the others are there; that is what bounds its size.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rasteret_cog::pixel::{Block, Image, MappedValues};
use rasteret_cog::{Tiling, Window};

use super::mask::mapped_values;
use super::masks_ahead::MasksAhead;
use super::{BesidePixels, BesideTarget, Reader};
use crate::tiles::{BlockRequest, BlockStream, Keep, RasterFile};
use crate::{Error, Result};

/// Tiles of one raster that are planned at once. A raster may have tens of millions, each of which takes some hundred bytes while it is
/// planned.
const TILES_AT_ONCE: usize = 1 << 16;

/// Groups that fit into the memory for tiles being fetched or decoded: the one that is taken, the one ahead, and as much again for other
/// calls.
const GROUPS_IN_BUDGET: u64 = 4;

/// Rasters on the grid of the first, for any number of threads.
#[derive(Debug)]
pub struct GridStream {
    reader: Reader,
    /// The tiles of the first raster.
    tiling: Tiling,
    rasters: Vec<Arc<BesideTarget>>,
    /// Tiles of the first raster, as rows and columns of its tile grid.
    tiles: Arc<[(u32, u32)]>,
    groups: Mutex<Groups>,
}

/// The pixels of the rasters in a tile of the first.
#[derive(Debug)]
pub struct GridTile {
    /// The tile's pixels in the image.
    pub window: Window,
    /// Those of each raster.
    pub pixels: Vec<BesidePixels>,
}

#[derive(Debug, Default)]
struct Groups {
    /// The group that threads take tiles of; None before the first tile is taken.
    current: Option<Arc<Group>>,
    /// The group whose tiles are fetched meanwhile.
    ahead: Option<Arc<Group>>,
    /// The end of the tiles that have been planned.
    planned: usize,
}

/// Tiles whose blocks are read together.
#[derive(Debug)]
struct Group {
    blocks: BlockStream,
    /// The tiles of masks and weights, which are decoded before the first block is taken.
    masks: Mutex<Option<MasksAhead>>,
    /// The tile in the group and the raster that each block is for.
    owners: Vec<(usize, usize)>,
    tiles: Vec<Mutex<Gathered>>,
    /// The windows of tiles where no raster has pixels.
    empty: Mutex<Vec<Window>>,
}

/// The blocks of a tile that have arrived.
#[derive(Debug)]
struct Gathered {
    window: Window,
    missing: usize,
    /// Of each raster.
    blocks: Vec<Vec<Block>>,
}

impl GridStream {
    /// The pixels of `rasters` in these tiles of the first raster, whose tiling is given. Makes no request before the first [`next`](Self::next).
    pub fn new(reader: &Reader, tiling: Tiling, rasters: Vec<Arc<BesideTarget>>, tiles: Arc<[(u32, u32)]>) -> Self {
        Self { reader: reader.clone(), tiling, rasters, tiles, groups: Mutex::default() }
    }

    /// The next tile whose pixels are there, in any order; None at the end. Waits for bytes to arrive, decodes on the calling thread.
    pub fn next(&self) -> Option<Result<GridTile>> {
        let mut group = self.current(None)?;
        loop {
            match group.next(&self.reader, &self.rasters) {
                Some(tile) => return Some(tile),
                // Other threads may still work on tiles of this group.
                None => group = self.current(Some(&group))?,
            }
        }
    }

    /// The group to take tiles of, after one that has none left.
    fn current(&self, done: Option<&Arc<Group>>) -> Option<Arc<Group>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let is_done = match (&groups.current, done) {
            (Some(current), Some(done)) => Arc::ptr_eq(current, done),
            (current, _) => current.is_none(),
        };
        if is_done {
            let ahead = groups.ahead.take();
            let current = ahead.or_else(|| self.plan(&mut groups).map(Arc::new))?;
            // Its requests before those of the group ahead.
            current.start();
            groups.ahead = self.plan(&mut groups).map(Arc::new);
            groups.ahead.iter().for_each(|ahead| ahead.start());
            groups.current = Some(current);
        }
        groups.current.clone()
    }

    /// The next group; None where all tiles have been planned.
    fn plan(&self, groups: &mut MutexGuard<'_, Groups>) -> Option<Group> {
        let mut room = self.room();
        let (mut known, mut requests, mut owners, mut of_masks) = (HashSet::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut tiles, mut empty) = (Vec::new(), Vec::new());
        while let Some(&tile) = self.tiles.get(groups.planned) {
            let window = Window::of_tile(&self.tiling, tile.0, tile.1)?;
            let of_rasters: Vec<_> = self.rasters.iter().map(|raster| raster.requests(tile, window)).collect();
            let new = of_rasters.iter().flatten().filter(|request| is_new(request, &mut known));
            let bytes = new.fold(0_u64, |bytes, request| bytes.saturating_add(request.band.tile_bytes()));
            let planned = tiles.len() + empty.len();
            if planned > 0 && (planned >= TILES_AT_ONCE || room.is_some_and(|room| bytes > room)) {
                break;
            }
            room = room.map(|room| room.saturating_sub(bytes));
            groups.planned += 1;
            let missing = of_rasters.iter().map(Vec::len).sum();
            if missing == 0 {
                empty.push(window);
                continue;
            }
            for (raster, of_raster) in of_rasters.into_iter().enumerate() {
                let target = &self.rasters[raster].target;
                of_masks.extend(of_raster.iter().map(|request| (target, request.row, request.col)));
                owners.extend(std::iter::repeat_n((tiles.len(), raster), of_raster.len()));
                requests.extend(of_raster);
            }
            tiles.push(Mutex::new(Gathered { window, missing, blocks: vec![Vec::new(); self.rasters.len()] }));
        }
        if tiles.is_empty() && empty.is_empty() {
            return None;
        }
        let (masks, failures) = MasksAhead::new(&self.reader, of_masks.into_iter());
        let blocks = self.reader.tiles().blocks_except(requests, self.keep(), &failures);
        Some(Group { blocks, masks: Mutex::new(masks), owners, tiles, empty: Mutex::new(empty) })
    }

    /// Bytes of decoded tiles that a group may hold; None where no tile has to wait for another.
    fn room(&self) -> Option<u64> {
        let waits = |raster: &Arc<BesideTarget>| !raster.has_same_blocks || raster.target.mask.is_some();
        (self.rasters.len() > 1 || self.rasters.iter().any(waits)).then(|| {
            let shares = self.reader.memory().shares(self.reader.options());
            shares.in_flight / GROUPS_IN_BUDGET
        })
    }

    /// A tile of a coarser raster lies under several of the first, also in other groups.
    fn keep(&self) -> Keep {
        let is_shared = self.rasters.iter().any(|raster| !raster.has_same_blocks);
        if is_shared { Keep::Tiles } else { Keep::Nothing }
    }
}

/// Whether a request needs an encoded tile that is not known yet.
fn is_new(request: &BlockRequest, known: &mut HashSet<(*const RasterFile, Image, u64)>) -> bool {
    let file = Arc::as_ptr(&request.file);
    let sources = request.band.sources(request.row, request.col);
    sources.iter().filter(|source| known.insert((file, source.image, source.position))).count() > 0
}

impl Group {
    /// Starts requests, as far as the memory for tiles allows.
    fn start(&self) {
        if let Some(masks) = &*self.masks.lock().unwrap_or_else(PoisonError::into_inner) {
            masks.start();
        }
        self.blocks.start();
    }

    /// The next tile that is complete; None where none is left for this thread.
    fn next(&self, reader: &Reader, rasters: &[Arc<BesideTarget>]) -> Option<Result<GridTile>> {
        // The other threads wait: their blocks need the masks too.
        let masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner).take().map(MasksAhead::finish);
        if let Some(Err(error)) = masks {
            return Some(Err(error));
        }
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(window) = empty {
            let pixels = rasters.iter().map(|raster| raster.pixels(reader, window, Vec::new()));
            return Some(pixels.collect::<Result<_>>().map(|pixels| GridTile { window, pixels }));
        }
        while let Some((request, block)) = self.blocks.next() {
            let (tile, raster) = *self.owners.get(request)?;
            let target = &rasters.get(raster)?.target;
            let block = match block.and_then(|block| target.masked(reader, block)) {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            let mut gathered = self.tiles.get(tile)?.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.blocks.get_mut(raster)?.push(block);
            gathered.missing = gathered.missing.saturating_sub(1);
            if gathered.missing == 0 {
                let (window, blocks) = (gathered.window, std::mem::take(&mut gathered.blocks));
                drop(gathered);
                let pixels = rasters.iter().zip(blocks).map(|(raster, blocks)| raster.pixels(reader, window, blocks));
                return Some(pixels.collect::<Result<_>>().map(|pixels| GridTile { window, pixels }));
            }
        }
        None
    }
}

impl BesideTarget {
    /// The requests for its pixels in a tile of the other raster.
    fn requests(&self, (row, col): (u32, u32), window: Window) -> Vec<BlockRequest> {
        if self.has_same_blocks {
            return vec![self.target.block(row, col)];
        }
        let tiles = |part| self.map.pixels(part).tiles(&self.target.band.tiling());
        let tiles: BTreeSet<_> = self.map.parts(window).flat_map(tiles).collect();
        self.target.raster_band().requests(tiles.into_iter().collect())
    }

    /// Its pixels in a window, from the blocks of its requests.
    fn pixels(&self, reader: &Reader, window: Window, mut blocks: Vec<Block>) -> Result<BesidePixels> {
        if self.has_same_blocks {
            let lost = || Error::Internal {
                location: self.target.file.location().clone(),
                what: "a block was not read".to_owned(),
            };
            return blocks.pop().map(BesidePixels::Block).ok_or_else(lost);
        }
        let values = |part| {
            let mut values = MappedValues::new(self.map.pixels(part));
            blocks.iter().for_each(|block| values.add(block));
            Ok(values)
        };
        mapped_values(reader, &self.map, window, values).map(BesidePixels::Values)
    }
}
