//! A band of a level of a file.

use std::sync::Arc;

use rasteret_cog::pixel::Band;

use crate::Error;
use crate::tiles::{BlockRequest, RasterFile};

/// A band of a level, and the file that its blocks are read from. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct RasterBand {
    pub(super) file: Arc<RasterFile>,
    pub(super) band: Arc<Band>,
}

impl RasterBand {
    /// The request of a block at a row and column of the tile grid.
    pub(super) fn block(&self, row: u32, col: u32) -> BlockRequest {
        BlockRequest { file: self.file.clone(), band: self.band.clone(), row, col }
    }

    /// The requests of blocks at rows and columns of the tile grid.
    pub(super) fn requests(&self, tiles: Vec<(u32, u32)>) -> Vec<BlockRequest> {
        tiles.into_iter().map(|(row, col)| self.block(row, col)).collect()
    }

    pub(super) fn fault(&self, source: rasteret_cog::Error) -> Error {
        fault(&self.file, source)
    }
}

/// The error of a file, or of an argument that does not fit it.
pub(super) fn fault(file: &RasterFile, source: rasteret_cog::Error) -> Error {
    Error::Header { location: file.location().clone(), source }
}
