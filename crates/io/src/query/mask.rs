//! Masks by another raster, of any grid and CRS: applied to each block of a target before it is used.
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

/// A raster that masks others, and the rule for its values.
#[derive(Debug)]
pub struct MaskSource {
    /// The file.
    pub file: Arc<RasterFile>,
    /// The band, counted from 0; None: the band that the header was narrowed to, else the first.
    pub band_index: Option<u32>,
    /// The values that make a pixel valid.
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

    /// The requests of the tiles of the mask for a block of the target, part by part of the block, as of
    /// [`PixelMap::parts`].
    pub(super) fn requests(&self, window: Window) -> impl Iterator<Item = Vec<BlockRequest>> {
        self.map.parts(window).map(|part| requests(&self.target, &self.map.pixels(part)))
    }

    /// The block, masked. Reads tiles of the mask.
    pub(super) fn apply(&self, reader: &Reader, block: Block) -> Result<Block> {
        let read = |part: Window| {
            let pixels = self.map.pixels(part);
            let blocks = reader.blocks(requests(&self.target, &pixels), Keep::Tiles);
            let mut mask = Mask::new(pixels);
            while let Some((_, part)) = blocks.next() {
                mask.add(&part?, &self.source.rule);
            }
            Ok(mask)
        };
        let parts = self.map.parts(block.window);
        let mask = of_parts(reader, block.window, parts, read, Mask::of_window, Mask::paste)?;
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

    /// The requests of the tiles of the weights for a block of the target, part by part of the block, as of
    /// [`PixelMap::parts`].
    pub(super) fn requests(&self, window: Window) -> impl Iterator<Item = Vec<BlockRequest>> {
        self.map.parts(window).map(|part| requests(&self.target, &self.map.pixels(part)))
    }

    /// The block with its weights. Reads tiles of the weights.
    pub(super) fn apply(&self, reader: &Reader, block: Block) -> Result<Block> {
        let read = |part: Window| {
            let pixels = self.map.pixels(part);
            let blocks = reader.blocks(requests(&self.target, &pixels), Keep::Tiles);
            let mut values = MappedValues::new(pixels);
            while let Some((_, part)) = blocks.next() {
                values.add(&part?);
            }
            Ok(values)
        };
        mapped_values(reader, &self.map, block.window, read).map(|values| block.weighted(values))
    }
}

/// The values of another raster at the pixels of a block, which `read` returns part by part.
///
/// # Errors
///
/// If the values of a block for each thread take more memory than there may be, if the query was interrupted, or the
/// error of `read`.
pub(super) fn mapped_values(
    reader: &Reader,
    map: &PixelMap,
    window: Window,
    read: impl FnMut(Window) -> Result<MappedValues>,
) -> Result<MappedValues> {
    let threads = u64::try_from(reader.tiles().workers().limit()).unwrap_or(u64::MAX);
    reader.check_memory(MappedValues::byte_len(window).saturating_mul(threads), || {
        let Window { width, height, .. } = window;
        format!("the values of another raster in a tile of {width} x {height} pixels for each of {threads} threads")
    })?;
    of_parts(reader, window, map.parts(window), read, MappedValues::of_window, MappedValues::paste)
}

/// The result of a window, put together from its parts.
fn of_parts<T>(
    reader: &Reader,
    window: Window,
    parts: impl Iterator<Item = Window>,
    mut read: impl FnMut(Window) -> Result<T>,
    new: impl Fn(Window) -> T,
    paste: impl Fn(&mut T, &T),
) -> Result<T> {
    let mut whole = None;
    for part in parts {
        reader.query().check()?;
        let pixels = read(part)?;
        if part == window {
            return Ok(pixels);
        }
        paste(whole.get_or_insert_with(|| new(window)), &pixels);
    }
    Ok(whole.unwrap_or_else(|| new(window)))
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
