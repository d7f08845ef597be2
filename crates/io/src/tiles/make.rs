//! Assembles a block from its tiles, each decoded by the first thread that needs it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rasteret_cog::codec::DecodedTile;
use rasteret_cog::pixel::{Block, TileSource};

use super::cache::bytes_of;
use super::entry::{TileEntry, TileHandle};
use super::plan::{PlannedBlock, name};
use super::stream::Call;
use super::{BlockRequest, Keep};
use crate::{Error, Result};

impl Call {
    /// Creates a block; `handles` are those of its tiles, None for sparse tiles.
    pub(super) fn make(&self, block: usize, handles: &[Option<TileHandle>]) -> Result<Block> {
        let sources = match &self.plan.blocks[block] {
            PlannedBlock::Failed(error) => return Err(error.clone()),
            PlannedBlock::Sources(sources) => sources,
        };
        let decoded = sources.iter().zip(handles).map(|((source, tile), handle)| match (tile, handle) {
            (None, _) => Ok(None),
            (Some(_), Some(TileHandle::Decoded(tile))) => Ok(Some(tile.clone())),
            (Some(tile), Some(TileHandle::InFlight(entry))) => self.decoded(block, source, *tile, entry).map(Some),
            (Some(_), None) => Err(self.internal(block, "a tile was not fetched".to_owned())),
        });
        let decoded = decoded.collect::<Result<Vec<_>>>()?;
        let BlockRequest { file, band, row, col } = &self.requests[block];
        match catch_unwind(AssertUnwindSafe(|| band.block(*row, *col, &decoded))) {
            Ok(made) => made.map_err(|source| {
                let (location, tile) = (file.location().clone(), format!("tile row {row}, column {col}"));
                Error::Pixels { location, tile, source }
            }),
            Err(_) => Err(self.internal(block, format!("the block of tile row {row}, column {col} panicked"))),
        }
    }

    /// The samples of a tile, decoded now unless another thread has done it.
    fn decoded(&self, block: usize, source: &TileSource, tile: usize, entry: &TileEntry) -> Result<Arc<DecodedTile>> {
        let tiles = self.tiles();
        entry.decoded(|key| match self.decode(block, source, tile, entry) {
            Ok(tile) => {
                if self.keep == Keep::Tiles {
                    tiles.cache.put(key.clone(), tile.clone());
                }
                let charge = tiles.budget.charge(bytes_of(&tile));
                Ok((tile, charge))
            }
            Err(error) => {
                tiles.remember(key, &error);
                Err(error)
            }
        })
    }

    fn decode(&self, block: usize, source: &TileSource, tile: usize, entry: &TileEntry) -> Result<Arc<DecodedTile>> {
        let file = &self.plan.files[self.plan.tiles[tile].file];
        let bytes = match (&file.local, entry.encoded()) {
            (Some(local), _) => local.read(&file.file, &self.plan.tiles[tile].key.range())?,
            (None, Some(encoded)) => encoded.clone()?.bytes,
            (None, None) => return Err(self.internal(block, "reading tiles panicked".to_owned())),
        };
        let BlockRequest { file, band, .. } = &self.requests[block];
        let (location, tile) = (file.location().clone(), || name(source.image, source.position));
        match catch_unwind(AssertUnwindSafe(|| band.decode(source, &bytes))) {
            Ok(decoded) => decoded.map(Arc::new).map_err(|source| Error::Pixels { location, tile: tile(), source }),
            Err(_) => Err(self.internal(block, format!("decoding {} panicked", tile()))),
        }
    }

    fn internal(&self, block: usize, what: String) -> Error {
        Error::Internal { location: self.requests[block].file.location().clone(), what }
    }
}
