//! A block out of its tiles: each decoded by the first thread that needs it, and let go after the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rasteret_cog::codec::DecodedTile;
use rasteret_cog::pixel::{Block, TileSource};

use super::{Hold, Shared};
use crate::tiles::cache::bytes_of;
use crate::tiles::fetch::Flight;
use crate::tiles::plan::{PlannedBlock, name};
use crate::tiles::slot::{Seat, Stage};
use crate::tiles::{BlockRequest, Keep};
use crate::{Error, Result};

/// What came of asking for a decoded tile.
enum Got {
    Tile(Arc<DecodedTile>),
    Failed(Error),
    /// Another thread decodes it: the block comes back when that is done.
    Parked,
}

impl Shared {
    /// The block, unless it has to wait for a tile that another thread decodes.
    pub(super) fn make(&self, block: usize) -> Option<Result<Block>> {
        let made = match &self.blocks[block] {
            PlannedBlock::Failed(error) => Err(error.clone()),
            PlannedBlock::Sources(sources) => {
                let mut decoded = Vec::with_capacity(sources.len());
                let mut fault = None;
                for (source, tile) in sources {
                    match tile.map(|tile| self.decoded(block, source, tile)) {
                        None => decoded.push(None),
                        Some(Got::Tile(tile)) => decoded.push(Some(tile)),
                        Some(Got::Parked) => return None,
                        Some(Got::Failed(error)) => {
                            fault = Some(error);
                            break;
                        }
                    }
                }
                match fault {
                    Some(error) => Err(error),
                    None => self.assemble(block, &decoded),
                }
            }
        };
        self.release(block);
        Some(made)
    }

    fn assemble(&self, block: usize, decoded: &[Option<Arc<DecodedTile>>]) -> Result<Block> {
        let BlockRequest { file, band, row, col } = &self.requests[block];
        let location = file.location().clone();
        match catch_unwind(AssertUnwindSafe(|| band.block(*row, *col, decoded))) {
            Ok(Ok(block)) => Ok(block),
            Ok(Err(source)) => Err(Error::Pixels { location, tile: format!("tile row {row}, column {col}"), source }),
            Err(_) => {
                Err(Error::Internal { location, what: format!("the block of tile row {row}, column {col} panicked") })
            }
        }
    }

    /// A tile's samples, decoded now if nobody has done so.
    fn decoded(&self, block: usize, source: &TileSource, index: usize) -> Got {
        let seat = match &self.lock().tiles[index].hold {
            Hold::Decoded(tile) => return Got::Tile(tile.clone()),
            Hold::Seat(seat) => seat.share(),
            Hold::Nothing => return Got::Failed(Error::Panicked { what: "a tile was let go too early".to_owned() }),
        };
        loop {
            let mut slot = seat.lock();
            match std::mem::replace(&mut slot.stage, Stage::Decoding) {
                Stage::Encoded(bytes, charge) => {
                    drop(slot);
                    let result = self.decode(block, source, &bytes);
                    drop((bytes, charge));
                    return match result {
                        Ok(tile) => {
                            if self.keep == Keep::Tiles {
                                self.tiles().cache.put(seat.key().clone(), tile.clone());
                            }
                            let charge = self.account.charge(bytes_of(&tile));
                            seat.set(Stage::Ready(tile.clone(), charge));
                            Got::Tile(tile)
                        }
                        Err(error) => {
                            seat.set(Stage::Failed(error.clone()));
                            Got::Failed(error)
                        }
                    };
                }
                // Whoever had claimed it gave it up.
                Stage::Idle => {
                    slot.stage = Stage::Fetching;
                    drop(slot);
                    self.fetch_alone(index, &seat);
                    continue;
                }
                other => slot.stage = other,
            }
            match &slot.stage {
                Stage::Ready(tile, _) => return Got::Tile(tile.clone()),
                Stage::Failed(error) => return Got::Failed(error.clone()),
                _ => {}
            }
            drop(slot);
            if self.park(block, index, &seat) {
                return Got::Parked;
            }
        }
    }

    /// Fetches one tile that is claimed.
    fn fetch_alone(&self, index: usize, seat: &Seat) {
        let (file, range) = {
            let tile = &self.lock().tiles[index];
            (tile.file, tile.range.clone())
        };
        let charge = self.account.charge(range.end - range.start);
        let tiles = vec![(seat.share(), range.clone())];
        let flight = Flight::new(self.files[file].file.clone(), range, tiles, charge);
        match (&self.open[file], self.runtime) {
            (Some(open), _) => flight.read(open),
            (None, Some(runtime)) => drop(runtime.spawn(self.fetch(flight))),
            (None, None) => drop(flight),
        }
    }

    /// Puts a block back until its tile is available; false where it is by now.
    fn park(&self, block: usize, index: usize, seat: &Seat) -> bool {
        let mut state = self.lock();
        let mut slot = seat.lock();
        if !slot.stage.is_under_way() {
            return false;
        }
        let tile = &mut state.tiles[index];
        tile.parked.push(block);
        if !std::mem::replace(&mut tile.waiting, true) {
            slot.wait(self.me.clone(), index);
            state.under_way += 1;
        }
        state.missing[block] = 1;
        state.left += 1;
        true
    }

    fn decode(&self, block: usize, source: &TileSource, bytes: &[u8]) -> Result<Arc<DecodedTile>> {
        let BlockRequest { file, band, .. } = &self.requests[block];
        let (location, tile) = (file.location().clone(), name(source.image, source.position));
        match catch_unwind(AssertUnwindSafe(|| band.decode(source, bytes))) {
            Ok(Ok(tile)) => Ok(Arc::new(tile)),
            Ok(Err(source)) => Err(Error::Pixels { location, tile, source }),
            Err(_) => Err(Error::Internal { location, what: format!("decoding {tile} panicked") }),
        }
    }

    /// Lets go of tiles that no other block needs.
    fn release(&self, block: usize) {
        let mut gone = Vec::new();
        let mut state = self.lock();
        let sources = self.sources(block);
        for (position, (_, tile)) in sources.iter().enumerate() {
            // A tile that a block names twice is counted once.
            let Some(index) = tile.filter(|tile| !sources[..position].iter().any(|(_, other)| *other == Some(*tile)))
            else {
                continue;
            };
            let tile = &mut state.tiles[index];
            tile.users = tile.users.saturating_sub(1);
            if tile.users == 0 {
                gone.push(std::mem::replace(&mut tile.hold, Hold::Nothing));
            }
        }
        drop(state);
        drop(gone);
    }
}
