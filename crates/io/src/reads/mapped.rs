//! Several rasters on the grid of one: values of each at the pixels of a block of the first.

use std::sync::Arc;

use rasteret_cog::pixel::{Block, MappedValues};
use rasteret_cog::{PixelMap, Run, Window};

use super::Target;
use crate::tiles::{BlockRequest, Keep};
use crate::{Error, Result, Session};

/// A raster beside another, on whose grid its values are wanted.
#[derive(Debug)]
pub struct BesideTarget {
    target: Arc<Target>,
    map: PixelMap,
    /// Whether its blocks have the pixels of those of the other.
    has_same_blocks: bool,
}

/// Its pixels for a block of the other.
#[derive(Debug)]
pub enum BesidePixels {
    /// A block of the same window.
    Block(Block),
    /// Values of the window.
    Values(MappedValues),
}

impl BesideTarget {
    /// The raster `target`, at its level, beside `first`.
    ///
    /// # Errors
    ///
    /// Where its grid is not that of `first` and no coarser one aligned with it, or its values are no numbers.
    pub fn new(session: &Session, first: &Target, target: Arc<Target>) -> Result<Self> {
        target.band.check_real().map_err(|source| target.fault(source))?;
        let (raster, other) = (first.file.header().raster_info(), target.raster_info());
        let map = PixelMap::new(&raster, first.band.transform(), &other, session.transforms());
        let map = map.map_err(|source| target.fault(source))?;
        if !map.is_aligned() {
            let what =
                "expected the grid of the first raster, or a coarser one aligned with it, found another".to_owned();
            return Err(target.fault(rasteret_cog::Error::InvalidArgument { what }));
        }
        let tiling = first.band.tiling();
        let has_same_blocks =
            map.is_same_grid((tiling.image_width, tiling.image_height)) && target.band.tiling() == tiling;
        Ok(Self { target, map, has_same_blocks })
    }

    /// The requests for the pixels of a block of the other at a row and column of its tile grid, and what takes them.
    fn requests(&self, (row, col): (u32, u32), window: Window) -> (Vec<BlockRequest>, Option<MappedValues>) {
        if self.has_same_blocks {
            return (vec![self.target.block(row, col)], None);
        }
        let values = MappedValues::new(self.map.pixels(window));
        let tiles = values.tiles(&self.target.band.tiling());
        (tiles.into_iter().map(|(row, col)| self.target.block(row, col)).collect(), Some(values))
    }
}

impl Session {
    /// The pixels of rasters beside another, for the block of the other at (row, col) of its tile grid. Reads all of them together.
    ///
    /// # Errors
    ///
    /// Where a raster or its mask cannot be read.
    pub fn beside<'a>(
        &self,
        beside: impl Iterator<Item = &'a BesideTarget>,
        tile: (u32, u32),
        window: Window,
    ) -> Result<Vec<BesidePixels>> {
        let beside: Vec<_> = beside.collect();
        let (mut requests, mut owners) = (Vec::new(), Vec::new());
        let mut pixels: Vec<Option<BesidePixels>> = Vec::with_capacity(beside.len());
        for (at, raster) in beside.iter().enumerate() {
            let (of_raster, values) = raster.requests(tile, window);
            owners.extend(std::iter::repeat_n(at, of_raster.len()));
            requests.extend(of_raster);
            pixels.push(values.map(BesidePixels::Values));
        }
        let blocks = self.blocks(requests, Keep::Tiles);
        while let Some((request, block)) = blocks.next() {
            let Some((raster, pixels)) = owners.get(request).and_then(|at| beside.get(*at).zip(pixels.get_mut(*at)))
            else {
                continue;
            };
            let block = raster.target.masked(self, block?)?;
            match pixels {
                Some(BesidePixels::Values(values)) => values.add(&block),
                found => *found = Some(BesidePixels::Block(block)),
            }
        }
        let lost = |raster: &BesideTarget| Error::Internal {
            location: raster.target.file.location().clone(),
            what: "a block was not read".to_owned(),
        };
        pixels.into_iter().zip(beside).map(|(pixels, raster)| pixels.ok_or_else(|| lost(raster))).collect()
    }
}

impl BesidePixels {
    /// Adds the values of a run of the block's pixels; None where they are invalid.
    pub fn extend(&self, run: &Run, values: &mut Vec<Option<f64>>) {
        match self {
            Self::Block(block) => values.extend(block.pixels(run).map(|pixel| pixel.is_valid.then_some(pixel.value))),
            Self::Values(all) => values.extend_from_slice(all.run(run.row, run.start, run.end)),
        }
    }
}
