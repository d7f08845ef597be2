//! Sizes of the levels of a COG.

use super::CogOptions;

/// The size of a level, in pixels and in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelSize {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Columns of tiles.
    pub tiles_across: u32,
    /// Rows of tiles.
    pub tiles_down: u32,
}

impl LevelSize {
    fn new(width: u32, height: u32, block_size: u32) -> Self {
        Self { width, height, tiles_across: width.div_ceil(block_size), tiles_down: height.div_ceil(block_size) }
    }

    /// Number of tiles.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        u64::from(self.tiles_across) * u64::from(self.tiles_down)
    }
}

/// The full resolution and its overviews: halves, rounded up, until one fits into a tile, as GDAL's COG driver has them.
pub(super) fn levels(width: u32, height: u32, options: &CogOptions) -> Vec<LevelSize> {
    let mut levels = vec![LevelSize::new(width, height, options.block_size)];
    let (mut width, mut height) = (width, height);
    while options.overviews.is_some() && width.max(height) > options.block_size {
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
        levels.push(LevelSize::new(width, height, options.block_size));
    }
    levels
}
