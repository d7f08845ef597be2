//! Plans a call: the distinct tiles of all its blocks, and the spans of bytes that hold them.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rasteret_cog::CoalesceConfig;
use rasteret_cog::OPEN_END;
use rasteret_cog::codec::DecodedTile;
use rasteret_cog::pixel::{Image, TileSource};

use super::fetch::LocalTiles;
use super::key::{FileKey, TileKey};
use super::{BlockRequest, RasterFile, Tiles};
use crate::store::access::Access;
use crate::store::stats;
use crate::{Error, Result, StoreError, VersionCheck};

/// Spans that fit into the budget side by side, at least: fewer would not overlap fetching with decoding.
const SPANS_IN_BUDGET: u64 = 8;

/// The work of a call.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) files: Vec<PlannedFile>,
    pub(super) tiles: Vec<PlannedTile>,
    pub(super) spans: Vec<PlannedSpan>,
    /// One per request.
    pub(super) blocks: Vec<PlannedBlock>,
    /// Spans by the block that needs them first, in the order in which they are fetched.
    pub(super) fetches: Vec<Vec<usize>>,
    /// Blocks that fail without a request.
    pub(super) failed: Vec<usize>,
    /// Blocks that need no request, in the order in which they are created.
    pub(super) ready: Vec<usize>,
}

pub(super) struct PlannedFile {
    pub(super) file: Arc<RasterFile>,
    /// Reads a local file.
    pub(super) local: Option<LocalTiles>,
}

pub(super) struct PlannedTile {
    pub(super) file: usize,
    pub(super) key: TileKey,
    /// The tile, if it is in the cache.
    pub(super) cached: Option<Arc<DecodedTile>>,
    /// The blocks that need it, without those that fail.
    pub(super) blocks: Vec<usize>,
    /// The span that it is fetched with.
    span: Option<usize>,
}

/// Bytes of a file in a store.
pub(super) struct PlannedSpan {
    pub(super) file: usize,
    pub(super) range: Range<u64>,
    pub(super) tiles: Vec<usize>,
}

/// The tiles of a block, in the order that `Band::block` expects.
pub(super) enum PlannedBlock {
    Sources(Vec<(TileSource, Option<usize>)>),
    /// Its file cannot be read, or one of its tiles failed recently.
    Failed(Error),
}

impl Plan {
    /// Checks local files; makes no request. `failures` are errors of requests, by position, whose blocks are not fetched.
    pub(super) fn new(
        tiles: &Tiles,
        requests: &[BlockRequest],
        access: &Access,
        is_native: bool,
        failures: &HashMap<usize, Error>,
    ) -> Self {
        let mut plan = Self::default();
        let of_tiles = plan.add_blocks(tiles, requests, Files::new(access, tiles.check_version, is_native));
        for (index, block) in plan.blocks.iter_mut().enumerate() {
            let failure = |tile: usize| of_tiles.get(&tile).cloned();
            let failed = failures.get(&index).cloned().or_else(|| block.tiles().find_map(failure));
            if let Some(error) = failed {
                *block = PlannedBlock::Failed(error);
            }
            for tile in block.tiles() {
                // A block may contain a tile twice, as data and as alpha.
                let blocks = &mut plan.tiles[tile].blocks;
                if blocks.last() != Some(&index) {
                    blocks.push(index);
                }
            }
        }
        plan.add_spans(tiles);
        plan.order();
        plan.count_cached();
        plan
    }

    /// A plan whose blocks all fail.
    pub(super) fn failed(requests: usize, error: &Error) -> Self {
        let blocks = (0..requests).map(|_| PlannedBlock::Failed(error.clone())).collect();
        Self { blocks, failed: (0..requests).collect(), ..Self::default() }
    }

    /// The error of the first block that fails without a request.
    pub(super) fn into_error(self) -> Option<Error> {
        self.blocks.into_iter().find_map(|block| match block {
            PlannedBlock::Failed(error) => Some(error),
            PlannedBlock::Sources(_) => None,
        })
    }

    /// Adds each request's block and its tiles. Returns the tiles that failed recently.
    fn add_blocks(&mut self, tiles: &Tiles, requests: &[BlockRequest], mut files: Files<'_>) -> HashMap<usize, Error> {
        let max_bytes = tiles.max_tile_bytes.saturating_add(tiles.max_tile_bytes / 8);
        let mut known: HashMap<TileKey, usize> = HashMap::new();
        let mut failures = HashMap::new();
        for request in requests {
            let file = files.index(&mut self.files, &request.file);
            let block = match file.and_then(|file| Ok((file, sources(request, max_bytes)?))) {
                Err(error) => PlannedBlock::Failed(error),
                Ok(((file, file_key), sources)) => {
                    let tile = |source: TileSource| {
                        let Some(range) = source.range.clone() else {
                            return (source, None);
                        };
                        let key = tile_key(file_key, &source, &range);
                        let tile = *known.entry(key).or_insert_with_key(|key| {
                            let cached = tiles.cache.get(key);
                            if cached.is_none()
                                && let Some(error) = tiles.failure(key)
                            {
                                failures.insert(self.tiles.len(), error);
                            }
                            let key = key.clone();
                            self.tiles.push(PlannedTile { file, key, cached, blocks: Vec::new(), span: None });
                            self.tiles.len() - 1
                        });
                        (source, Some(tile))
                    };
                    PlannedBlock::Sources(sources.into_iter().map(tile).collect())
                }
            };
            self.blocks.push(block);
        }
        failures
    }

    /// Assigns each tile that is fetched from a store to a span.
    fn add_spans(&mut self, tiles: &Tiles) {
        let mut by_file: Vec<Vec<usize>> = vec![Vec::new(); self.files.len()];
        for (index, tile) in self.tiles.iter().enumerate() {
            if tile.cached.is_none() && !tile.blocks.is_empty() && self.files[tile.file].local.is_none() {
                by_file[tile.file].push(index);
            }
        }
        let coalesce = coalesce(tiles.budget.limit());
        for (file, tiles) in by_file.into_iter().enumerate() {
            let ranges: Vec<_> = tiles.iter().map(|tile| self.tiles[*tile].key.range()).collect();
            for (range, inside) in spans(coalesce, &ranges) {
                let inside: Vec<usize> = inside.into_iter().map(|at| tiles[at]).collect();
                inside.iter().for_each(|tile| self.tiles[*tile].span = Some(self.spans.len()));
                self.spans.push(PlannedSpan { file, range, tiles: inside });
            }
        }
    }

    /// Counts the tiles from the cache.
    fn count_cached(&self) {
        let mut cached = vec![0; self.files.len()];
        self.tiles.iter().filter(|tile| tile.cached.is_some()).for_each(|tile| cached[tile.file] += 1);
        for (planned, tiles) in self.files.iter().zip(cached).filter(|(_, tiles)| *tiles > 0) {
            stats::of(planned.file.location()).add_cached_tiles(tiles);
        }
    }

    /// Orders blocks and their spans by file and offset.
    fn order(&mut self) {
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for (index, block) in self.blocks.iter().enumerate() {
            let uncached = block.tiles().map(|tile| &self.tiles[tile]).find(|tile| tile.cached.is_none());
            match (block, uncached) {
                (PlannedBlock::Failed(_), _) => self.failed.push(index),
                (_, None) => self.ready.push(index),
                (_, Some(tile)) => match self.files[tile.file].local {
                    Some(_) => local.push((tile.file, tile.key.start, index)),
                    None => remote.push((tile.file, tile.key.start, index)),
                },
            }
        }
        local.sort_unstable();
        remote.sort_unstable();
        self.ready.extend(local.into_iter().map(|(_, _, block)| block));
        let mut is_planned = vec![false; self.spans.len()];
        for (_, _, block) in remote {
            let spans = self.blocks[block].tiles().filter_map(|tile| self.tiles[tile].span);
            let new: Vec<usize> = spans.filter(|span| !std::mem::replace(&mut is_planned[*span], true)).collect();
            if !new.is_empty() {
                self.fetches.push(new);
            }
        }
    }
}

impl PlannedBlock {
    pub(super) fn sources(&self) -> &[(TileSource, Option<usize>)] {
        match self {
            Self::Sources(sources) => sources,
            Self::Failed(_) => &[],
        }
    }

    fn tiles(&self) -> impl Iterator<Item = usize> + '_ {
        self.sources().iter().filter_map(|(_, tile)| *tile)
    }
}

/// Coalescing of tiles of files in stores.
pub(super) fn coalesce(budget: u64) -> CoalesceConfig {
    let config = CoalesceConfig::default();
    CoalesceConfig { max_size: config.max_size.min(budget / SPANS_IN_BUDGET), ..config }
}

/// Coalesces ranges to spans, each with the positions of its ranges, sorted by offset.
pub(super) fn spans(coalesce: CoalesceConfig, ranges: &[Range<u64>]) -> Vec<(Range<u64>, Vec<usize>)> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|at| ranges[*at].start);
    let mut order = order.into_iter().peekable();
    let inside = |span: Range<u64>| {
        let inside = std::iter::from_fn(|| order.next_if(|at| ranges[*at].start < span.end)).collect();
        (span, inside)
    };
    coalesce.spans(ranges).into_iter().map(inside).collect()
}

/// Files by the `Arc` of a request, and by their identity.
struct Files<'a> {
    access: &'a Access,
    /// Whether local files are read here, and not through a file system of the host.
    is_native: bool,
    check: VersionCheck,
    of_arc: HashMap<*const RasterFile, Result<(usize, FileKey)>>,
    of_key: HashMap<FileKey, usize>,
}

impl<'a> Files<'a> {
    fn new(access: &'a Access, check: VersionCheck, is_native: bool) -> Self {
        Self { access, is_native, check, of_arc: HashMap::new(), of_key: HashMap::new() }
    }

    fn index(&mut self, files: &mut Vec<PlannedFile>, file: &Arc<RasterFile>) -> Result<(usize, &FileKey)> {
        let (access, is_native, check, of_key) = (self.access, self.is_native, self.check, &mut self.of_key);
        let known = self.of_arc.entry(Arc::as_ptr(file)).or_insert_with(|| {
            // A query must not read cached tiles of a file that it may not open.
            access.check(file.location())?;
            let (key, stamp) = match is_native {
                true => file.identify(check)?,
                false => (file.key().clone(), None),
            };
            let index = *of_key.entry(key.clone()).or_insert_with(|| {
                files.push(PlannedFile { file: file.clone(), local: stamp.map(LocalTiles::new) });
                files.len() - 1
            });
            Ok((index, key))
        });
        match known {
            Ok((index, key)) => Ok((*index, key)),
            Err(error) => Err(error.clone()),
        }
    }
}

fn tile_key(file: &FileKey, source: &TileSource, range: &Range<u64>) -> TileKey {
    TileKey { file: file.clone(), image: source.image, position: source.position, start: range.start, end: range.end }
}

/// The encoded tiles of a block; none may have more than `max_bytes`.
fn sources(request: &BlockRequest, max_bytes: u64) -> Result<Vec<TileSource>> {
    let location = request.file.location();
    let sources = catch_unwind(AssertUnwindSafe(|| request.band.sources(request.row, request.col)));
    let mut sources = sources.map_err(|_| Error::Internal {
        location: location.clone(),
        what: format!("planning the block of tile row {}, column {} panicked", request.row, request.col),
    })?;
    for source in &mut sources {
        let (image, position) = (source.image, source.position);
        if let Some(range) = source.range.as_mut().filter(|range| range.end == OPEN_END) {
            range.end = request.file.end().ok_or_else(|| Error::InvalidArgument {
                what: format!(
                    "{location}: {}: expected a byte count, or metadata with file_size, found neither",
                    name(image, position)
                ),
            })?;
            if range.start >= range.end {
                let range = Some(range.start..range.start.saturating_add(1));
                let fault = StoreError::BeyondEnd(request.file.end());
                return Err(Error::Store { location: location.clone(), range, fault });
            }
        }
        let bytes = source.range.as_ref().map_or(0, |range| range.end.saturating_sub(range.start));
        if bytes > max_bytes {
            let at = rasteret_cog::FilePosition { ifd: None, tag: None, byte: None };
            let limit = "size of an encoded tile in bytes (setting RASTERET_MAX_TILE_BYTES, and an eighth of it)";
            let source = rasteret_cog::Error::LimitExceeded { at, limit, asked: bytes, max: max_bytes };
            return Err(Error::Pixels { location: location.clone(), tile: name(image, position), source });
        }
    }
    Ok(sources)
}

/// `level 0, tile 17` or `mask 0, tile 17`.
pub(super) fn name(image: Image, position: u64) -> String {
    match image {
        Image::Level(level) => format!("level {level}, tile {position}"),
        Image::Mask(mask) => format!("mask {mask}, tile {position}"),
    }
}
