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
use rasteret_cog::pixel::{Block, MappedValues, Mask, MaskRule};

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
        let map = map(session, &target, masked)?;
        Ok(Self { source: Arc::clone(source), target, map })
    }

    /// The requests of the tiles of the mask for a block of the target.
    fn requests(&self, mask: &Mask) -> Vec<BlockRequest> {
        self.target.requests(mask.tiles(&self.target.band.tiling()))
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

/// A raster that weighs the pixels of others.
#[derive(Debug)]
pub struct WeightSource {
    /// The file.
    pub file: Arc<RasterFile>,
    /// The band, counted from 0; None: the band that the header was narrowed to, else the first.
    pub band_index: Option<u32>,
}

/// The weights of a target.
#[derive(Debug)]
pub(super) struct TargetWeights {
    target: Arc<Target>,
    map: PixelMap,
}

impl TargetWeights {
    /// The weights of the blocks of `weighted`, by the full resolution `target`.
    ///
    /// # Errors
    ///
    /// As of [`TargetMask::new`].
    pub(super) fn new(session: &Session, target: Arc<Target>, weighted: &Target) -> Result<Self> {
        let map = map(session, &target, weighted)?;
        Ok(Self { target, map })
    }

    /// The requests of the tiles of the weights for a block of the target.
    fn requests(&self, values: &MappedValues) -> Vec<BlockRequest> {
        self.target.requests(values.tiles(&self.target.band.tiling()))
    }

    /// The block with its weights. Reads tiles of the weights.
    fn apply(&self, session: &Session, block: Block) -> Result<Block> {
        let mut values = MappedValues::new(self.map.pixels(block.window));
        let blocks = session.blocks(self.requests(&values), Keep::Tiles);
        while let Some((_, part)) = blocks.next() {
            values.add(&part?);
        }
        Ok(block.weighted(values))
    }
}

/// From the pixels of a level to those of another raster.
fn map(session: &Session, other: &Target, target: &Target) -> Result<PixelMap> {
    let made = || {
        other.band.check_real()?;
        let (raster, info) = (target.file.header().raster_info(), other.file.header().raster_info());
        PixelMap::new(&raster, target.band.transform(), &info, session.transforms())
    };
    made().map_err(|source| other.fault(source))
}

impl Target {
    /// A block of the target as its mask, if it has one, leaves it, and with its weights.
    ///
    /// # Errors
    ///
    /// Where the mask or the weights cannot be read.
    pub fn masked(&self, session: &Session, block: Block) -> Result<Block> {
        let block = match &self.mask {
            Some(mask) => mask.apply(session, block)?,
            None => block,
        };
        match &self.weights {
            Some(weights) => weights.apply(session, block),
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
        'blocks: for (target, row, col) in blocks {
            let Some(window) = target.band.window(row, col) else { continue };
            let of_mask = target.mask.iter().flat_map(|mask| mask.requests(&Mask::new(mask.map.pixels(window))));
            let of_weights = target
                .weights
                .iter()
                .flat_map(|weights| weights.requests(&MappedValues::new(weights.map.pixels(window))));
            for request in of_mask.chain(of_weights) {
                if !known.insert((Arc::as_ptr(&request.band), request.row, request.col)) {
                    continue;
                }
                // Mapping the pixels of further blocks would be for nothing.
                let Some(rest) = room.checked_sub(request.band.tile_bytes()) else {
                    break 'blocks;
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
