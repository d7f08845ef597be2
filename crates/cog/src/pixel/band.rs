//! One band of one level of a file, and its blocks.

use std::ops::Range;
use std::sync::Arc;

use crate::codec::DecodedTile;
use crate::geo::GeoTransform;
use crate::tiff::DataType;
use crate::{CogHeader, Error, Result, Tiling};

use super::Window;

/// One band of one level of a file, ready to be read tile by tile.
#[derive(Debug, Clone)]
pub struct Band {
    header: Arc<CogHeader>,
    level: u32,
    index: u32,
    masked: bool,
}

/// An image of a file that has tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Image {
    /// A level, 0 being the full resolution.
    Level(u32),
    /// The mask at this position of [`CogHeader::masks`].
    Mask(u32),
}

/// An encoded tile that a block is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileSource {
    /// The image that it is a tile of.
    pub image: Image,
    /// Its position in that image's tables.
    pub position: u64,
    /// Its bytes in the file; None for a sparse tile, of which there is nothing to decode.
    pub range: Option<Range<u64>>,
}

/// One band's values over one tile's part inside the image, and which of them are valid.
#[derive(Debug, Clone)]
pub struct Block {
    /// The pixels of the level that the block covers.
    pub window: Window,
}

impl Band {
    /// A band (counted from 0) of a level (0 is the full resolution); with `masked`, the internal mask and the alpha band make
    /// pixels invalid.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such level or band; [`Error::Malformed`] where the level's tables
    /// contradict its sizes.
    pub fn new(header: Arc<CogHeader>, level: u32, band_index: u32, masked: bool) -> Result<Self> {
        header.grid(level)?;
        header.check_band(band_index)?;
        Ok(Self { header, level, index: band_index, masked })
    }

    /// The level's image and its tiles.
    #[must_use]
    pub fn tiling(&self) -> Tiling {
        todo!()
    }

    /// Pixel corners of the level to the raster's own coordinates.
    #[must_use]
    pub fn transform(&self) -> GeoTransform {
        todo!()
    }

    /// Type of the band's samples.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        todo!()
    }

    /// The encoded tiles that the block at a row and column of the tile grid is made of, the data's own first.
    #[must_use]
    pub fn sources(&self, row: u32, col: u32) -> Vec<TileSource> {
        let _ = (row, col);
        todo!()
    }

    /// Decodes one of [`sources`](Self::sources).
    ///
    /// # Errors
    ///
    /// As [`crate::codec::decode`].
    pub fn decode(&self, source: &TileSource, bytes: &[u8]) -> Result<DecodedTile> {
        let _ = (source, bytes);
        Err(Error::InvalidArgument { what: String::new() })
    }

    /// The block at a row and column of the tile grid; `decoded` holds what [`sources`](Self::sources) names, in its order,
    /// None for sparse tiles.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] where the tiles do not fit together.
    pub fn block(&self, row: u32, col: u32, decoded: &[Option<Arc<DecodedTile>>]) -> Result<Block> {
        let _ = (row, col, decoded, &self.header, self.level, self.index, self.masked);
        Err(Error::InvalidArgument { what: String::new() })
    }
}
