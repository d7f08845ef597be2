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

    /// The column and row of the pixel that contains a point in pixel coordinates; None outside of the image. The left
    /// and upper edges belong to a pixel.
    #[must_use]
    pub fn pixel_at(&self, (x, y): (f64, f64)) -> Option<(u32, u32)> {
        let position = |at: f64, size: u32| (0.0..f64::from(size)).contains(&at).then(|| inside(at, size));
        Some((position(x, self.image_width)?, position(y, self.image_height)?))
    }

    /// The row and column of the tile that contains the pixel at a column and row.
    #[must_use]
    pub fn tile_of(&self, (col, row): (u32, u32)) -> (u32, u32) {
        (row / self.tile_height.max(1), col / self.tile_width.max(1))
    }
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

/// Truncates to an integer and clamps to `0..=size`; 0 for NaN.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
pub(crate) fn inside(number: f64, size: u32) -> u32 {
    number.clamp(0.0, size.into()) as u32
}
