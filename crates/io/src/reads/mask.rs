//! Masks by another raster, of any grid and CRS: applied to each block of a target before anything takes it.
//!
//! ```text
//! block of the target ── PixelMap ──> tiles of the mask ── read as any others ──> Mask ──> the block, masked
//! ```
//!
//! The tiles of the masks of a call are fetched beside those of its targets, as many as the cache of decoded tiles has room for: they are
//! there when the blocks are. A block whose mask tiles are not there any more reads them again.

use std::collections::HashSet;
use std::sync::Arc;

use rasteret_cog::PixelMap;
use rasteret_cog::pixel::{Block, Mask, MaskRule};

use super::Target;
use crate::tiles::{BlockRequest, BlockStream, Keep, RasterFile};
use crate::{Result, Session};

/// A raster that masks others, and how.
#[derive(Debug)]
pub struct MaskSource {
    /// The file.
    pub file: Arc<RasterFile>,
    /// The band, counted from 0; None: the band that the header was narrowed to, else the first.
    pub band_index: Option<u32>,
    /// Which values let a pixel count.
    pub rule: MaskRule,
}

/// The mask of a target.
#[derive(Debug)]
pub(super) struct TargetMask {
    source: Arc<MaskSource>,
    target: Arc<Target>,
    map: PixelMap,
}

impl TargetMask {
    /// The mask of the blocks of `masked`, whose full resolution is `target`.
    ///
    /// # Errors
    ///
    /// Where the mask's CRS is not known to lead to that of the target, or its values are no numbers.
    pub(super) fn new(
        session: &Session,
        source: &Arc<MaskSource>,
        target: Arc<Target>,
        masked: &Target,
    ) -> Result<Self> {
        let made = || {
            target.band.check_real()?;
            let (raster, other) = (masked.file.header().raster_info(), source.file.header().raster_info());
            PixelMap::new(&raster, masked.band.transform(), &other, session.transforms())
        };
        let map = made().map_err(|source| target.fault(source))?;
        Ok(Self { source: Arc::clone(source), target, map })
    }

    /// The requests of the tiles of the mask for a block of the target.
    fn requests(&self, mask: &Mask) -> Vec<BlockRequest> {
        let tiles = mask.tiles(&self.target.band.tiling());
        tiles.into_iter().map(|(row, col)| self.target.block(row, col)).collect()
    }

    /// The block, masked. Reads tiles of the mask.
    fn apply(&self, session: &Session, block: Block) -> Result<Block> {
        let mut mask = Mask::new(self.map.pixels(block.window));
        let blocks = session.blocks(self.requests(&mask), Keep::Tiles);
        while let Some((_, part)) = blocks.next() {
            mask.add(&part?, &self.source.rule);
        }
        block.masked(mask).map_err(|source| self.target.fault(source))
    }
}

impl Target {
    /// A block of the target as its mask, if it has one, leaves it.
    ///
    /// # Errors
    ///
    /// Where the mask cannot be read.
    pub fn masked(&self, session: &Session, block: Block) -> Result<Block> {
        match &self.mask {
            Some(mask) => mask.apply(session, block),
            None => Ok(block),
        }
    }
}

/// Tiles of masks that are read ahead.
pub(super) struct MasksAhead(BlockStream);

impl MasksAhead {
    /// The tiles of the masks of blocks, each once, as many as half of the cache of decoded tiles has room for; None where there are none.
    pub(super) fn new<'a>(
        session: &Session,
        blocks: impl Iterator<Item = (&'a Arc<Target>, u32, u32)>,
    ) -> Option<Self> {
        let mut room = session.memory().shares(session.options()).tiles / 2;
        let (mut known, mut requests) = (HashSet::new(), Vec::new());
        for (target, row, col) in blocks {
            let Some(mask) = &target.mask else { continue };
            let Some(window) = target.band.window(row, col) else { continue };
            for request in mask.requests(&Mask::new(mask.map.pixels(window))) {
                if !known.insert((Arc::as_ptr(&mask.target), request.row, request.col)) {
                    continue;
                }
                let Some(rest) = room.checked_sub(mask.target.band.tile_bytes()) else {
                    break;
                };
                room = rest;
                requests.push(request);
            }
        }
        (!requests.is_empty()).then(|| Self(session.blocks(requests, Keep::Tiles)))
    }

    /// Starts fetching.
    pub(super) fn start(&self) {
        self.0.start();
    }

    /// Decodes the tiles into the cache. A tile that cannot be read fails where it is needed.
    pub(super) fn finish(self) -> Result<()> {
        self.0.for_each(|_, _| std::ops::ControlFlow::Continue(()))
    }
}
