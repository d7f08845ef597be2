//! The tiles of a level: where each lies in the image, in the world and in the file.
//!
//! ```text
//!            tile_col 0     1     2            index within a plane = tile_row * tiles_across + tile_col
//! tile_row 0 ┌─────┬─────┬──╎──┐              position in the tables = plane * tiles_per_plane + index
//!          1 ├─────┼─────┼──╎──┤ tiles at the right and lower edge are padded: the padding belongs to the file,
//!            └╌╌╌╌╌┴╌╌╌╌╌┴╌╌╌╌╌┘ not to the image, and no box includes it
//! ```
//!
//! A [`TileLayout`] is the arithmetic between tile positions, pixels and world coordinates: it knows sizes and no tables, so that
//! who plans from an index reads the entries of the chosen tiles only. A [`TileGrid`] has a header's tables beside it. Refuses
//! tables that contradict the grid.

use std::ops::Range;

use crate::cover::Tiling;
use crate::geo::{BBox, GeoTransform};
use crate::{CogHeader, Error, Frame, Level, Place, Result};

/// Where a range ends that goes on to the end of the file.
pub const OPEN_END: u64 = u64::MAX;

/// Where the tiles of one level lie in the image, in the world and in the tables.
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

/// What a level's metadata says besides its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelShape {
    /// The image and its tiles.
    pub tiling: Tiling,
    /// Whether the samples of each band have tiles of their own.
    pub is_planar: bool,
    /// Entries of the table of offsets.
    pub offsets: usize,
    /// Entries of the table of byte counts.
    pub byte_counts: usize,
}

/// The grid of one level of a file, with its tables.
#[derive(Debug, Clone, Copy)]
pub struct TileGrid<'a> {
    layout: TileLayout,
    level: &'a Level,
}

/// Which tile of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileAddress {
    /// The plane of the tables.
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
    /// The part inside the image, in world coordinates.
    pub bbox: BBox,
}

impl CogHeader {
    /// How many levels there are, the full resolution included.
    #[must_use]
    pub fn level_count(&self) -> usize {
        1 + self.overviews.len()
    }

    /// The grid of a level, 0 being the full resolution.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when there is no such level, [`Error::Malformed`] when its tables contradict its sizes.
    pub fn grid(&self, index: u32) -> Result<TileGrid<'_>> {
        let level = match index.checked_sub(1) {
            None => Some(&self.image),
            Some(overview) => usize::try_from(overview).ok().and_then(|at| self.overviews.get(at)),
        };
        let level = level.ok_or_else(|| TileLayout::no_level(index, self.level_count()))?;
        let layout = TileLayout::new(&self.frame(), index, level.shape())?;
        Ok(TileGrid { layout, level })
    }

    /// The grid of the mask at a position of [`CogHeader::masks`], in pixels; masks are never narrowed to a band.
    pub(crate) fn mask_grid(&self, index: u32) -> Result<TileGrid<'_>> {
        let mask = usize::try_from(index).ok().and_then(|at| self.masks.get(at));
        let level = mask.ok_or_else(|| Error::InvalidArgument {
            what: format!("mask: expected one of the {} masks from 0, found {index}", self.masks.len()),
        })?;
        let pixels = GeoTransform::from_array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        Ok(TileGrid { layout: TileLayout::of("mask", index, level.shape(), pixels, None)?, level })
    }
}

impl Level {
    /// All but the tables and what codecs need.
    #[must_use]
    pub fn shape(&self) -> LevelShape {
        LevelShape {
            tiling: Tiling {
                image_width: self.image_width,
                image_height: self.image_height,
                tile_width: self.tile_width,
                tile_height: self.tile_height,
            },
            is_planar: self.encoding.planar_configuration == 2 && self.encoding.samples_per_pixel > 1,
            offsets: self.tile_offsets.len(),
            byte_counts: self.tile_byte_counts.len(),
        }
    }
}

impl TileLayout {
    /// The layout of a level, 0 being the full resolution, of a file whose full resolution is `frame`.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when the lengths of its tables contradict its sizes.
    pub fn new(frame: &Frame, level: u32, shape: LevelShape) -> Result<Self> {
        let columns = f64::from(frame.width) / f64::from(shape.tiling.image_width);
        let rows = f64::from(frame.height) / f64::from(shape.tiling.image_height);
        let [a, b, c, d, e, f] = frame.native_transform().to_array();
        let transform = GeoTransform::from_array([a * columns, b * rows, c, d * columns, e * rows, f]);
        Self::of("level", level, shape, transform, frame.bands.narrowed_to)
    }

    fn of(name: &str, level: u32, shape: LevelShape, transform: GeoTransform, band_index: Option<u32>) -> Result<Self> {
        let LevelShape { tiling, is_planar, offsets, byte_counts } = shape;
        let malformed = |what: String| Error::Malformed { at: Place { ifd: None, tag: None, byte: None }, what };
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

    /// The error of a level that a file of `count` levels does not have.
    #[must_use]
    pub fn no_level(level: u32, count: usize) -> Error {
        Error::InvalidArgument { what: format!("level: expected one of the {count} levels from 0, found {level}") }
    }

    /// The level, 0 being the full resolution.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Planes in the tables: 1 for chunky files and for headers narrowed to a band.
    pub(crate) fn planes(&self) -> u64 {
        self.planes
    }

    /// Pixel corners of this level to the raster's own coordinates.
    pub(crate) fn transform(&self) -> GeoTransform {
        self.transform
    }

    /// The image and its tiles.
    pub(crate) fn tiling(&self) -> Tiling {
        self.tiling
    }

    /// The position of a tile in the tables.
    #[must_use]
    pub fn position(&self, address: TileAddress) -> u64 {
        address.plane * self.tiles_per_plane + self.index(address)
    }

    /// The tile at a position in the tables; None beyond their end.
    fn address(&self, position: u64) -> Option<TileAddress> {
        let (plane, index) = (position / self.tiles_per_plane, position % self.tiles_per_plane);
        let row = u32::try_from(index / self.tiles_across).ok()?;
        let col = u32::try_from(index % self.tiles_across).ok()?;
        (plane < self.planes).then_some(TileAddress { plane, row, col })
    }

    /// A tile of the grid, whose entries in the tables are `offset` and `byte_count`.
    #[must_use]
    #[inline]
    pub fn tile(&self, address: TileAddress, offset: u64, byte_count: u32) -> Tile {
        let TileAddress { plane, row, col } = address;
        // TIFF has no word for a tile that was never written; GDAL leaves its offset, its byte count, or both at 0.
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

    /// The band of a plane; None where planes hold all bands.
    fn band_of_plane(&self, plane: u64) -> Option<u32> {
        if !self.is_planar {
            return None;
        }
        match self.band_index {
            Some(band) if self.planes == 1 => Some(band),
            _ => u32::try_from(plane).ok(),
        }
    }

    /// The box of a tile's part inside the image.
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

impl TileGrid<'_> {
    /// The grid without the tables.
    #[must_use]
    pub fn layout(&self) -> TileLayout {
        self.layout
    }

    /// See [`TileLayout::planes`].
    pub(crate) fn planes(&self) -> u64 {
        self.layout.planes
    }

    /// See [`TileLayout::transform`].
    pub(crate) fn transform(&self) -> GeoTransform {
        self.layout.transform
    }

    /// See [`TileLayout::tiling`].
    pub(crate) fn tiling(&self) -> Tiling {
        self.layout.tiling
    }

    /// See [`TileLayout::position`].
    pub(crate) fn position(&self, plane: u64, row: u32, col: u32) -> u64 {
        self.layout.position(TileAddress { plane, row, col })
    }

    /// The tile at a position in the tables; None beyond their end.
    #[must_use]
    pub fn tile(&self, position: u64) -> Option<Tile> {
        let at = usize::try_from(position).ok()?;
        let (offset, byte_count) = (self.level.tile_offsets.get(at)?, self.level.tile_byte_counts.get(at)?);
        Some(self.layout.tile(self.layout.address(position)?, *offset, *byte_count))
    }

    /// The bytes of the tile at a position in the tables; None for a sparse tile, and beyond the end of the tables.
    ///
    /// An image that is one strip has all bytes from its offset on where its byte count is 0: early fax writers left it so, and
    /// libtiff reads their files. The range then ends at [`OPEN_END`].
    pub(crate) fn bytes(&self, position: u64) -> Option<Range<u64>> {
        if let ([offset], [0]) = (&*self.level.tile_offsets, &*self.level.tile_byte_counts)
            && (*offset > 0 && position == 0 && !self.level.is_tiled)
        {
            return Some(*offset..OPEN_END);
        }
        let tile = self.tile(position)?;
        let offset = tile.offset?;
        Some(offset..offset.saturating_add(tile.byte_count.into()))
    }
}

#[cfg(test)]
mod tests {
    use crate::geo::{BBox, GeoTransform};
    use crate::tiff::{ByteOrder, Compression, DataType};
    use crate::{CogHeader, Encoding, Error, Level};

    /// A level of 100 x 50 tiles in an image of `width` x `height`.
    fn level(width: u32, height: u32, planes: u16) -> Level {
        let tiles = u64::from(width.div_ceil(100) * height.div_ceil(50)) * u64::from(planes);
        Level {
            image_width: width,
            image_height: height,
            tile_width: 100,
            tile_height: 50,
            is_tiled: true,
            tile_offsets: (0..tiles).map(|tile| 1000 + tile).collect(),
            tile_byte_counts: (1..).take(usize::try_from(tiles).unwrap()).collect(),
            encoding: Encoding {
                compression: Compression::None,
                predictor: 1,
                planar_configuration: if planes > 1 { 2 } else { 1 },
                photometric: Some(1),
                samples_per_pixel: planes,
                bits_per_sample: vec![8; planes.into()],
                sample_format: vec![1; planes.into()],
                dtype: DataType::Uint8,
                fill_order: 1,
                jpeg_tables: None,
                ycbcr_subsampling: None,
                lerc_parameters: None,
                t4_options: None,
            },
        }
    }

    fn header(image: Level, overviews: Vec<Level>) -> CogHeader {
        CogHeader {
            byte_order: ByteOrder::Little,
            image,
            overviews,
            masks: Vec::new(),
            band_index: None,
            extra_samples: None,
            transform: Some(GeoTransform::from_array([10.0, 0.0, 500.0, 0.0, -10.0, 900.0])),
            pixel_scale: None,
            tiepoint: None,
            crs: None,
            nodata: None,
            nodata_text: None,
            nodata_values: None,
            scale: None,
            offset: None,
        }
    }

    #[test]
    fn edge_tiles_end_with_the_image() {
        let header = header(level(250, 70, 1), Vec::new());
        let grid = header.grid(0).unwrap();
        let tile = grid.tile(5).unwrap();
        assert_eq!((tile.row, tile.col, tile.index), (1, 2, 5));
        assert_eq!((tile.offset, tile.byte_count, tile.band_index), (Some(1005), 6, None));
        assert_eq!(tile.bbox, BBox { xmin: 2500.0, ymin: 200.0, xmax: 3000.0, ymax: 400.0 });
        assert_eq!(grid.tile(6), None);
    }

    #[test]
    fn planes_follow_one_another() {
        let header = header(level(250, 70, 3), Vec::new());
        let tile = header.grid(0).unwrap().tile(13).unwrap();
        assert_eq!((tile.band_index, tile.row, tile.col, tile.index), (Some(2), 0, 1, 1));
    }

    #[test]
    fn a_header_narrowed_to_a_band_keeps_its_number() {
        let mut narrowed = header(level(250, 70, 3), Vec::new());
        narrowed.image.tile_offsets.truncate(6);
        narrowed.image.tile_byte_counts.truncate(6);
        narrowed.band_index = Some(2);
        assert_eq!(narrowed.grid(0).unwrap().tile(0).unwrap().band_index, Some(2));
    }

    #[test]
    fn an_overview_covers_the_same_ground() {
        let header = header(level(250, 70, 1), vec![level(125, 35, 1)]);
        let tile = header.grid(1).unwrap().tile(1).unwrap();
        assert_eq!((tile.level, tile.col), (1, 1));
        assert_eq!(tile.bbox, BBox { xmin: 2500.0, ymin: 200.0, xmax: 3000.0, ymax: 900.0 });
    }

    #[test]
    fn a_tile_without_offset_or_byte_count_is_sparse() {
        let mut sparse = header(level(250, 70, 1), Vec::new());
        sparse.image.tile_offsets[0] = 0;
        sparse.image.tile_byte_counts[1] = 0;
        let grid = sparse.grid(0).unwrap();
        for position in 0..2 {
            let tile = grid.tile(position).unwrap();
            assert_eq!((tile.offset, tile.byte_count), (None, 0));
        }
    }

    #[test]
    fn one_strip_without_byte_count_goes_on_to_the_end() {
        let mut strip = header(level(100, 50, 1), Vec::new());
        strip.image.tile_byte_counts[0] = 0;
        assert_eq!(strip.grid(0).unwrap().bytes(0), None);
        strip.image.is_tiled = false;
        assert_eq!(strip.grid(0).unwrap().bytes(0), Some(1000..super::OPEN_END));
        strip.image.tile_offsets[0] = 0;
        assert_eq!(strip.grid(0).unwrap().bytes(0), None);
        assert_eq!(strip.grid(0).unwrap().bytes(1), None);
    }

    #[test]
    fn without_georeferencing_coordinates_are_pixels() {
        let mut plain = header(level(250, 70, 1), Vec::new());
        plain.transform = None;
        assert_eq!(plain.native_bounds(), BBox { xmin: 0.0, ymin: 0.0, xmax: 250.0, ymax: 70.0 });
    }

    #[test]
    fn tables_that_contradict_the_grid_and_unknown_levels_are_errors() {
        let mut short = header(level(250, 70, 1), Vec::new());
        assert!(matches!(short.grid(1), Err(Error::InvalidArgument { .. })));
        short.image.tile_offsets.pop();
        assert!(matches!(short.grid(0), Err(Error::Malformed { .. })));
    }
}
