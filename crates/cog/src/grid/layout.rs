//! Tiles of a level: their position in the image, in the world and in the file.
//!
//! ```text
//!            tile_col 0     1     2            index within a plane = tile_row * tiles_across + tile_col
//! tile_row 0 ┌─────┬─────┬──╎──┐              position in the tables = plane * tiles_per_plane + index
//!          1 ├─────┼─────┼──╎──┤ tiles at the right and lower edge are padded; bounding boxes exclude
//!            └╌╌╌╌╌┴╌╌╌╌╌┴╌╌╌╌╌┘ the padding
//! ```
//!
//! [`TileLayout`] computes tile positions and bounds from sizes alone, so that a planner reads only the needed entries
//! of the tile tables in an index. [`TileGrid`](super::TileGrid) adds the tables of a header. Tables whose length does
//! not match the grid are an error.

use super::tiling::Tiling;
use crate::geo::{BBox, GeoTransform};
use crate::header::{Level, RasterInfo};
use crate::{Error, FilePosition, Result};

/// End of a range that extends to the end of the file.
pub const OPEN_END: u64 = u64::MAX;

/// Positions of the tiles of one level in the image, in the world and in the tile tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileLayout {
    level: u32,
    tiling: Tiling,
    transform: GeoTransform,
    planes: u64,
    /// Whether each plane holds one band.
    is_planar: bool,
    band_index: Option<u32>,
    tiles_across: u64,
    tiles_per_plane: u64,
}

/// Size and table lengths of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelShape {
    /// The image and its tiles.
    pub tiling: Tiling,
    /// Whether the samples of each band have tiles of their own.
    pub is_planar: bool,
    /// Number of entries in the table of offsets.
    pub offsets: usize,
    /// Number of entries in the table of byte counts.
    pub byte_counts: usize,
}

/// Position of a tile in the grid of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileAddress {
    /// Plane in the tile tables.
    pub plane: u64,
    /// Row in the grid, from the top.
    pub row: u32,
    /// Column in the grid, from the left.
    pub col: u32,
}

/// A tile of a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile {
    /// The level, 0 being the full resolution.
    pub level: u32,
    /// The band whose samples the tile holds; None where one tile holds all bands.
    pub band_index: Option<u32>,
    /// Row in the grid, from the top.
    pub row: u32,
    /// Column in the grid, from the left.
    pub col: u32,
    /// Position within its plane, row-major.
    pub index: u64,
    /// Byte offset in the file; None for a sparse tile.
    pub offset: Option<u64>,
    /// Byte count in the file; 0 for a sparse tile.
    pub byte_count: u32,
    /// Bounds of the part inside the image, in world coordinates.
    pub bbox: BBox,
}

impl Level {
    /// Returns the size and table lengths of the level.
    #[must_use]
    pub fn shape(&self) -> LevelShape {
        LevelShape {
            tiling: Tiling {
                image_width: self.image_width,
                image_height: self.image_height,
                tile_width: self.tile_width,
                tile_height: self.tile_height,
            },
            is_planar: self.encoding.is_planar() && self.encoding.samples_per_pixel > 1,
            offsets: self.tile_offsets.len(),
            byte_counts: self.tile_byte_counts.len(),
        }
    }
}

impl TileLayout {
    /// Creates the layout of a level (0 is the full resolution) of a raster.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the table lengths do not match the sizes.
    pub fn new(frame: &RasterInfo, level: u32, shape: LevelShape) -> Result<Self> {
        let columns = f64::from(frame.width) / f64::from(shape.tiling.image_width);
        let rows = f64::from(frame.height) / f64::from(shape.tiling.image_height);
        let [a, b, c, d, e, f] = frame.native_transform().to_array();
        let transform = GeoTransform::from_array([a * columns, b * rows, c, d * columns, e * rows, f]);
        Self::of("level", level, shape, transform, frame.bands.narrowed_to)
    }

    pub(super) fn of(
        name: &str,
        level: u32,
        shape: LevelShape,
        transform: GeoTransform,
        band_index: Option<u32>,
    ) -> Result<Self> {
        let LevelShape { tiling, is_planar, offsets, byte_counts } = shape;
        let malformed = |what: String| Error::Malformed { at: FilePosition { ifd: None, tag: None, byte: None }, what };
        if tiling.tile_width == 0 || tiling.tile_height == 0 {
            return Err(malformed(format!("{name} {level}: expected tiles with an area, found none")));
        }
        let tiles_across = u64::from(tiling.image_width.div_ceil(tiling.tile_width));
        let tiles_per_plane = tiles_across * u64::from(tiling.image_height.div_ceil(tiling.tile_height));
        let entries = offsets as u64;
        if entries == 0 || !entries.is_multiple_of(tiles_per_plane) || byte_counts != offsets {
            return Err(malformed(format!(
                "{name} {level}: expected offsets and byte counts of {tiles_per_plane} tiles a plane, found {offsets} and \
                 {byte_counts}"
            )));
        }
        let planes = entries / tiles_per_plane;
        Ok(Self { level, tiling, transform, planes, is_planar, band_index, tiles_across, tiles_per_plane })
    }

    /// Error for a level that does not exist in a file with `count` levels.
    #[must_use]
    pub fn no_level(level: u32, count: usize) -> Error {
        Error::InvalidArgument { what: format!("level: expected one of the {count} levels from 0, found {level}") }
    }

    /// Index of the level; 0 is the full resolution.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Number of planes in the tables: 1 for chunky files and for headers narrowed to a band.
    pub(crate) fn planes(&self) -> u64 {
        self.planes
    }

    /// Affine from pixel corners of this level to native coordinates.
    pub(crate) fn transform(&self) -> GeoTransform {
        self.transform
    }

    /// The image and its tiles.
    pub(crate) fn tiling(&self) -> Tiling {
        self.tiling
    }

    /// Position of a tile in the tables.
    #[must_use]
    pub fn position(&self, address: TileAddress) -> u64 {
        address.plane * self.tiles_per_plane + self.index(address)
    }

    /// The tile at a position in the tables; None beyond their end.
    pub(super) fn address(&self, position: u64) -> Option<TileAddress> {
        let (plane, index) = (position / self.tiles_per_plane, position % self.tiles_per_plane);
        let row = u32::try_from(index / self.tiles_across).ok()?;
        let col = u32::try_from(index % self.tiles_across).ok()?;
        (plane < self.planes).then_some(TileAddress { plane, row, col })
    }

    /// Returns a tile, given its entries in the tables.
    #[must_use]
    #[inline]
    pub fn tile(&self, address: TileAddress, offset: u64, byte_count: u32) -> Tile {
        let TileAddress { plane, row, col } = address;
        // TIFF does not define unwritten tiles. GDAL sets the offset, the byte count, or both to 0.
        let sparse = offset == 0 || byte_count == 0;
        Tile {
            level: self.level,
            band_index: self.band_of_plane(plane),
            row,
            col,
            index: self.index(address),
            offset: (!sparse).then_some(offset),
            byte_count: if sparse { 0 } else { byte_count },
            bbox: self.tile_bbox(row, col),
        }
    }

    /// The position of a tile within its plane.
    fn index(&self, address: TileAddress) -> u64 {
        u64::from(address.row) * self.tiles_across + u64::from(address.col)
    }

    /// The band of a plane; None if planes hold all bands.
    fn band_of_plane(&self, plane: u64) -> Option<u32> {
        if !self.is_planar {
            return None;
        }
        match self.band_index {
            Some(band) if self.planes == 1 => Some(band),
            _ => u32::try_from(plane).ok(),
        }
    }

    /// Bounds of the part of a tile inside the image.
    #[inline]
    fn tile_bbox(&self, row: u32, col: u32) -> BBox {
        let edge = |position: u32, size: u32, end: u32| {
            let start = u64::from(position) * u64::from(size);
            let stop = (start + u64::from(size)).min(u64::from(end));
            (start as f64, stop as f64)
        };
        let (left, right) = edge(col, self.tiling.tile_width, self.tiling.image_width);
        let (top, bottom) = edge(row, self.tiling.tile_height, self.tiling.image_height);
        self.transform.bounds_of(BBox { xmin: left, ymin: top, xmax: right, ymax: bottom })
    }
}
