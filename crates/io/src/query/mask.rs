//! Masks by another raster, of any grid and CRS: applied to each block of a target before anything takes it.
//!
//! ```text
//! block of the target ── PixelMap ──> tiles of the mask ── read as any others ──> Mask ──> the block, masked
//! ```

use std::sync::Arc;

use rasteret_cog::pixel::{Block, MappedValues, Mask, MaskRule};
use rasteret_cog::{MappedPixels, PixelMap};

use super::Reader;
use super::raster_band::RasterBand;
use crate::Result;
use crate::tiles::{BlockRequest, Keep, RasterFile};
use rasteret_cog::Window;

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
    target: RasterBand,
    map: PixelMap,
}

impl TargetMask {
    /// The mask of the blocks of `masked`, whose full resolution is `target`.
    ///
    /// # Errors
    ///
    /// If no transformation from the mask's CRS to that of the target is known, or if its values are not numbers.
    pub(super) fn new(
        reader: &Reader,
        source: &Arc<MaskSource>,
        target: RasterBand,
        masked: &RasterBand,
    ) -> Result<Self> {
        let map = map(reader, &target, masked)?;
        Ok(Self { source: Arc::clone(source), target, map })
    }

    /// The requests of the tiles of the mask for a block of the target.
    pub(super) fn requests(&self, window: Window) -> Vec<BlockRequest> {
        requests(&self.target, &self.map.pixels(window))
    }

    /// The block, masked. Reads tiles of the mask.
    pub(super) fn apply(&self, reader: &Reader, block: Block) -> Result<Block> {
        let pixels = self.map.pixels(block.window);
        let blocks = reader.blocks(requests(&self.target, &pixels), Keep::Tiles);
        let mut mask = Mask::new(pixels);
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
    target: RasterBand,
    map: PixelMap,
}

impl TargetWeights {
    /// The weights of the blocks of `weighted`, by the full resolution `target`.
    ///
    /// # Errors
    ///
    /// As of [`TargetMask::new`].
    pub(super) fn new(reader: &Reader, target: RasterBand, weighted: &RasterBand) -> Result<Self> {
        let map = map(reader, &target, weighted)?;
        Ok(Self { target, map })
    }

    /// The requests of the tiles of the weights for a block of the target.
    pub(super) fn requests(&self, window: Window) -> Vec<BlockRequest> {
        requests(&self.target, &self.map.pixels(window))
    }

    /// The block with its weights. Reads tiles of the weights.
    pub(super) fn apply(&self, reader: &Reader, block: Block) -> Result<Block> {
        let pixels = self.map.pixels(block.window);
        let blocks = reader.blocks(requests(&self.target, &pixels), Keep::Tiles);
        let mut values = MappedValues::new(pixels);
        while let Some((_, part)) = blocks.next() {
            values.add(&part?);
        }
        Ok(block.weighted(values))
    }
}

/// The requests of the tiles that hold mapped pixels.
fn requests(target: &RasterBand, pixels: &MappedPixels) -> Vec<BlockRequest> {
    target.requests(pixels.tiles(&target.band.tiling()))
}

/// From the pixels of a level to those of another raster.
fn map(reader: &Reader, other: &RasterBand, target: &RasterBand) -> Result<PixelMap> {
    let made = || {
        other.band.check_real()?;
        let (raster, info) = (target.file.header().raster_info(), other.file.header().raster_info());
        PixelMap::new(&raster, target.band.transform(), &info, reader.transforms())
    };
    made().map_err(|source| other.fault(source))
}
