//! Division of an image into tiles, in pixels.

/// Size of an image and of its tiles, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Columns of the image.
    pub image_width: u32,
    /// Rows of the image.
    pub image_height: u32,
    /// Columns of a tile; at least 1.
    pub tile_width: u32,
    /// Rows of a tile; at least 1.
    pub tile_height: u32,
}

impl Tiling {
    /// Maximum magnitude of pixel coordinates for which the cover is exact: up to it, rounding errors stay below 1e-5
    /// pixels.
    pub const MAX_COORDINATE: f64 = 1e9;
}

/// Adjacent tiles in a row of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileSpan {
    /// Row of tiles.
    pub row: u32,
    /// First column.
    pub start: u32,
    /// End column, exclusive.
    pub end: u32,
}
