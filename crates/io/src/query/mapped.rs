//! Several rasters on the grid of one: values of each at the pixels of a block of the first.

use std::sync::Arc;

use rasteret_cog::pixel::{Block, MappedValues, ValueRows};
use rasteret_cog::tiff::DataType;
use rasteret_cog::warp::WarpedBlock;
use rasteret_cog::{PixelMap, Run};

use super::{Reader, Target};
use crate::Result;

/// A raster whose values are read on the grid of another.
#[derive(Debug)]
pub struct BesideTarget {
    pub(super) target: Arc<Target>,
    pub(super) map: PixelMap,
    /// Whether its pixels are those of the other.
    pub(super) has_same_pixels: bool,
    /// Whether its blocks have the pixels of those of the other.
    pub(super) has_same_blocks: bool,
}

/// Its pixels for a block of the other.
#[derive(Debug)]
pub enum BesidePixels {
    /// A block of the same window.
    Block(Block),
    /// Values of the window.
    Values(MappedValues),
    /// Resampled values of the window.
    Warped(WarpedBlock, DataType),
    /// Only invalid pixels.
    Invalid,
}

impl BesideTarget {
    /// The raster `target`, at its level, beside `first`; None unless its grid is that of `first`, or a coarser one aligned with it.
    ///
    /// # Errors
    ///
    /// If its values are not numbers, or no transformation between the CRSs is known to be right.
    pub fn new(reader: &Reader, first: &Target, target: Arc<Target>) -> Result<Option<Self>> {
        target.band.check_real().map_err(|source| target.fault(source))?;
        let (raster, other) = (first.file.header().raster_info(), target.raster_info());
        let map = PixelMap::new(&raster, first.band.transform(), &other, reader.transforms());
        let map = map.map_err(|source| target.fault(source))?;
        if !map.is_aligned() {
            return Ok(None);
        }
        let tiling = first.band.tiling();
        let has_same_pixels = map.is_same_grid((tiling.image_width, tiling.image_height));
        let has_same_blocks = has_same_pixels && target.band.tiling() == tiling;
        Ok(Some(Self { target, map, has_same_pixels, has_same_blocks }))
    }
}

impl BesidePixels {
    /// Fills a column of `rows` with the values of a run of the block's pixels.
    pub fn fill(&self, column: usize, run: &Run, scaling: (f64, f64), rows: &mut ValueRows) {
        match self {
            Self::Block(block) => rows.fill_from_block(column, block, run, scaling),
            Self::Values(values) => rows.fill_from_values(column, values, run, scaling),
            Self::Warped(block, data_type) => {
                let mut numbers = Vec::new();
                let mask = block.run(*data_type, run, &mut numbers);
                rows.fill_from_numbers(column, &numbers, mask, scaling);
            }
            Self::Invalid => rows.fill_with_invalid(column),
        }
    }
}
