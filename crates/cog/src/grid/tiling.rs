//! An image cut into tiles, in pixels.

/// An image and the tiles that it is cut into, all in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Columns of the image.
    pub image_width: u32,
    /// Rows of the image.
    pub image_height: u32,
    /// Columns of a tile, at least 1.
    pub tile_width: u32,
    /// Rows of a tile, at least 1.
    pub tile_height: u32,
}

impl Tiling {
    /// Pixel coordinates up to this size are at most a hundred-thousandth of a pixel off after the arithmetic of covers.
    pub const MAX_COORDINATE: f64 = 1e9;
}

/// Tiles next to one another in a row of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileSpan {
    /// The row of tiles.
    pub row: u32,
    /// The first column.
    pub start: u32,
    /// The column after the last.
    pub end: u32,
}
