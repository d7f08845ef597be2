//! What a call has to fetch: distinct tiles over all its blocks, and the spans of bytes that hold them.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rasteret_cog::CoalesceConfig;
use rasteret_cog::OPEN_END;
use rasteret_cog::pixel::{Image, TileSource};

use super::raster::FileKey;
use super::slot::{Found, TileKey};
use super::{BlockRequest, RasterFile, Tiles};
use crate::access::Access;
use crate::object::Stamp;
use crate::{Error, Fault, Result, VersionCheck};

/// Bytes read at once of a local file: there is no round trip to be saved, and threads share the work tile by tile.
const LOCAL_COALESCE: CoalesceConfig = CoalesceConfig { max_gap: 4 << 10, max_size: 1 << 20 };

/// Spans that fit into the budget side by side, at least: fewer would not overlap fetching with decoding.
const SPANS_IN_BUDGET: u64 = 8;

/// What a call has to do.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) files: Vec<PlannedFile>,
    pub(super) tiles: Vec<PlannedTile>,
    pub(super) spans: Vec<PlannedSpan>,
    /// For each request.
    pub(super) blocks: Vec<PlannedBlock>,
}

pub(super) struct PlannedFile {
    pub(super) file: Arc<RasterFile>,
    /// Of a local file.
    pub(super) stamp: Option<Stamp>,
}

pub(super) struct PlannedTile {
    pub(super) file: usize,
    pub(super) range: Range<u64>,
    /// The span that it is a part of; None where it need not be fetched.
    pub(super) span: Option<usize>,
    /// What there is of it at the beginning: samples, or a seat to wait on.
    pub(super) found: Option<Found>,
    /// The blocks that need it.
    pub(super) blocks: Vec<usize>,
}

pub(super) struct PlannedSpan {
    pub(super) file: usize,
    pub(super) range: Range<u64>,
    pub(super) tiles: Vec<usize>,
}

/// What a block is made of, in the order that `Band::block` expects.
pub(super) enum PlannedBlock {
    Sources(Vec<(TileSource, Option<usize>)>),
    /// Nothing can be read of its file, or of its place in it.
    Failed(Error),
}

impl Plan {
    /// Looks at local files; makes no request.
    pub(super) fn new(tiles: &Arc<Tiles>, requests: &[BlockRequest], access: &Access) -> Self {
        let denied = denied(requests, access);
        let max_bytes = tiles.max_tile_bytes.saturating_add(tiles.max_tile_bytes / 8);
        let mut plan = Self::default();
        let mut files = Files::default();
        let mut known: HashMap<TileKey, usize> = HashMap::new();
        let mut keys = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let block = match (
                files.index(&mut plan.files, &request.file, tiles.check_version),
                sources(request, &denied, max_bytes),
            ) {
                (Err(error), _) | (_, Err(error)) => PlannedBlock::Failed(error),
                (Ok((file, key)), Ok(sources)) => {
                    let tile = |source: TileSource| {
                        let tile = source.range.clone().map(|range| {
                            let key = tile_key(key, &source, &range);
                            *known.entry(key).or_insert_with_key(|key| {
                                keys.push(key.clone());
                                plan.tiles.push(PlannedTile {
                                    file,
                                    range,
                                    span: None,
                                    found: None,
                                    blocks: Vec::new(),
                                });
                                plan.tiles.len() - 1
                            })
                        });
                        (source, tile)
                    };
                    PlannedBlock::Sources(sources.into_iter().map(tile).collect())
                }
            };
            if let PlannedBlock::Sources(sources) = &block {
                for tile in sources.iter().filter_map(|(_, tile)| *tile) {
                    // One block may name a tile twice, as data and as alpha.
                    let blocks = &mut plan.tiles[tile].blocks;
                    if blocks.last() != Some(&index) {
                        blocks.push(index);
                    }
                }
            }
            plan.blocks.push(block);
        }
        for (tile, found) in plan.tiles.iter_mut().zip(tiles.board.seats(keys, &tiles.cache)) {
            tile.found = Some(found);
        }
        plan.cut_into_spans(tiles);
        plan
    }

    /// Gives every tile that has to be fetched its span.
    fn cut_into_spans(&mut self, tiles: &Tiles) {
        let mut by_file: Vec<Vec<usize>> = vec![Vec::new(); self.files.len()];
        for (index, tile) in self.tiles.iter().enumerate() {
            if let Some(Found::Seat(_)) = tile.found {
                by_file[tile.file].push(index);
            }
        }
        for (file, wanted) in by_file.into_iter().enumerate() {
            let local = self.files[file].stamp.is_some();
            let ranges: Vec<_> = wanted.iter().map(|tile| self.tiles[*tile].range.clone()).collect();
            let first = self.spans.len();
            let spans = coalesce(local, tiles.budget.limit()).spans(&ranges);
            self.spans.extend(spans.into_iter().map(|range| PlannedSpan { file, range, tiles: Vec::new() }));
            for tile in wanted {
                let start = self.tiles[tile].range.start;
                let after = self.spans[first..].partition_point(|span| span.range.start <= start);
                if let Some(span) = after.checked_sub(1) {
                    self.tiles[tile].span = Some(first + span);
                    self.spans[first + span].tiles.push(tile);
                }
            }
        }
    }

    /// The blocks that have something to wait for, those of files in stores and those of local ones; by file and offset.
    pub(super) fn order(&self) -> (Vec<usize>, Vec<usize>) {
        let place = |block: usize| match &self.blocks[block] {
            PlannedBlock::Failed(_) => None,
            PlannedBlock::Sources(sources) => {
                let waits = |tile: &usize| self.tiles[*tile].span.is_some();
                let first = sources.iter().filter_map(|(_, tile)| *tile).find(waits)?;
                Some((self.tiles[first].file, self.tiles[first].range.start))
            }
        };
        let mut order: Vec<_> =
            (0..self.blocks.len()).filter_map(|block| place(block).map(|place| (place, block))).collect();
        order.sort_unstable();
        let is_local = |file: usize| self.files[file].stamp.is_some();
        let (local, remote): (Vec<_>, Vec<_>) = order.into_iter().partition(|((file, _), _)| is_local(*file));
        let blocks = |order: Vec<(_, usize)>| order.into_iter().map(|(_, block)| block).collect();
        (blocks(remote), blocks(local))
    }
}

/// How tiles become spans.
pub(super) fn coalesce(local: bool, budget: u64) -> CoalesceConfig {
    let config = if local { LOCAL_COALESCE } else { CoalesceConfig::default() };
    CoalesceConfig { max_size: config.max_size.min(budget / SPANS_IN_BUDGET), ..config }
}

/// Files by the `Arc` that a request names them with, and by what they are.
#[derive(Default)]
struct Files {
    of_arc: HashMap<*const RasterFile, Result<(usize, FileKey)>>,
    of_key: HashMap<FileKey, usize>,
}

impl Files {
    fn index(
        &mut self,
        files: &mut Vec<PlannedFile>,
        file: &Arc<RasterFile>,
        check: VersionCheck,
    ) -> Result<(usize, &FileKey)> {
        let of_key = &mut self.of_key;
        let known = self.of_arc.entry(Arc::as_ptr(file)).or_insert_with(|| {
            let (key, stamp) = file.identify(check)?;
            let index = *of_key.entry(key.clone()).or_insert_with(|| {
                files.push(PlannedFile { file: file.clone(), stamp });
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

/// Files that the query may not open, whether their tiles are kept or not.
fn denied(requests: &[BlockRequest], access: &Access) -> HashMap<*const RasterFile, Error> {
    if !access.is_restricted() {
        return HashMap::new();
    }
    let files: HashMap<_, _> = requests.iter().map(|request| (Arc::as_ptr(&request.file), &request.file)).collect();
    files.into_iter().filter_map(|(at, file)| Some((at, access.check(file.location()).err()?))).collect()
}

/// The encoded tiles of a block; none may have more than `max_bytes`.
fn sources(
    request: &BlockRequest,
    denied: &HashMap<*const RasterFile, Error>,
    max_bytes: u64,
) -> Result<Vec<TileSource>> {
    if let Some(error) = denied.get(&Arc::as_ptr(&request.file)) {
        return Err(error.clone());
    }
    let sources = catch_unwind(AssertUnwindSafe(|| request.band.sources(request.row, request.col)));
    let mut sources = sources.map_err(|_| Error::Internal {
        location: request.file.location().clone(),
        what: format!("planning the block of tile row {}, column {} panicked", request.row, request.col),
    })?;
    for source in &mut sources {
        if let Some(range) = source.range.as_mut().filter(|range| range.end == OPEN_END) {
            range.end = request.file.end().ok_or_else(|| Error::InvalidArgument {
                what: format!(
                    "{}: {}: expected a byte count, or metadata with file_size, found neither",
                    request.file.location(),
                    name(source.image, source.position)
                ),
            })?;
            if range.start >= range.end {
                let range = Some(range.start..range.start.saturating_add(1));
                let fault = Fault::BeyondEnd(request.file.end());
                return Err(Error::Store { location: request.file.location().clone(), range, fault });
            }
        }
    }
    let large = sources.iter().find_map(|source| {
        let bytes = source.range.as_ref().map(|range| range.end.saturating_sub(range.start))?;
        (bytes > max_bytes).then_some((source, bytes))
    });
    match large {
        None => Ok(sources),
        Some((source, asked)) => Err(Error::Pixels {
            location: request.file.location().clone(),
            tile: name(source.image, source.position),
            source: rasteret_cog::Error::LimitExceeded {
                at: rasteret_cog::FilePosition { ifd: None, tag: None, byte: None },
                limit: "size of an encoded tile in bytes (setting RASTERET_MAX_TILE_BYTES, and an eighth of it)",
                asked,
                max: max_bytes,
            },
        }),
    }
}

/// `level 0, tile 17` or `mask 0, tile 17`.
pub(super) fn name(image: Image, position: u64) -> String {
    match image {
        Image::Level(level) => format!("level {level}, tile {position}"),
        Image::Mask(mask) => format!("mask {mask}, tile {position}"),
    }
}
