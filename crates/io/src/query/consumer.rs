//! Reads of several rows: collects the blocks that they need, and delivers each block to its consumers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rasteret_cog::pixel::Block;

use super::Reader;
use super::Target;
use super::masks_ahead::MasksAhead;
use crate::OnError;
use crate::tiles::{BlockStream, Keep};
use crate::{Error, Result};

/// Consumes the blocks of the tiles of one read.
pub trait BlockConsumer: Sync {
    /// The result of one block.
    type Part: Send + Sync;

    /// The combined result of all blocks.
    type Total: Default;

    /// The tiles whose blocks it needs, as rows and columns of the tile grid, each once.
    fn tiles(&self) -> Cow<'_, [(u32, u32)]>;

    /// Returns the result of a tile's block. Called once for each of [`tiles`](Self::tiles), with the position among
    /// them, on any thread and in any order.
    ///
    /// # Errors
    ///
    /// If the result takes more memory than there may be: fails the call.
    fn part(&self, tile: usize, block: &Block) -> Result<Self::Part>;

    /// Adds the part of a tile; called in the order of [`tiles`](Self::tiles).
    fn add(total: &mut Self::Total, part: Self::Part);
}

/// Tiles that are planned together. A raster may have tens of millions, each of which takes some hundred bytes while it is planned.
const TILES_AT_ONCE: usize = 1 << 16;

/// Divides the tiles of reads into batches, each a list of reads with ranges of their tiles. Each read is in at least
/// one batch.
pub(super) fn batches(lengths: impl Iterator<Item = usize>) -> Vec<Vec<(usize, Range<usize>)>> {
    let mut batches: Vec<Vec<_>> = vec![Vec::new()];
    let mut room = TILES_AT_ONCE;
    for (at, length) in lengths.enumerate() {
        let mut start = 0usize;
        loop {
            let end = length.min(start.saturating_add(room));
            if let Some(batch) = batches.last_mut() {
                batch.push((at, start..end));
            }
            room -= end - start;
            if end == length {
                break;
            }
            start = end;
            room = TILES_AT_ONCE;
            batches.push(Vec::new());
        }
    }
    batches
}

/// A read of one target.
#[derive(Debug)]
pub struct Read<S> {
    /// The band of a file.
    pub target: Arc<Target>,
    /// The consumer of its blocks.
    pub consumer: S,
    /// Whether the result is None if the file cannot be read.
    pub on_error: OnError,
}

/// A block of a target, by the target's identity.
type BlockKey = (*const Target, u32, u32);

/// The blocks of several reads, and the consumers of each.
pub(super) struct PendingRead {
    reader: Reader,
    blocks: BlockStream,
    masks: Option<MasksAhead>,
    /// The target of each block.
    targets: Vec<Arc<Target>>,
    /// For each block, the reads that need it, each with its slot.
    consumers: Vec<Vec<(usize, usize)>>,
    /// The first slot of each read; one more at the end.
    slots: Vec<usize>,
    /// For each read, the effect of a file that cannot be read.
    on_error: Vec<OnError>,
}

impl Reader {
    /// Returns the total of each read, its parts added in the order of [`BlockConsumer::tiles`]; None if its file
    /// cannot be read and its `on_error` permits that.
    ///
    /// The calling thread blocks, and decodes together with helper threads up to the session's limit.
    ///
    /// # Errors
    ///
    /// The error of the first block, in the order of the reads, among those that were tried.
    pub fn read<S: BlockConsumer>(&self, reads: &[Read<S>], keep: Keep) -> Result<Vec<Option<S::Total>>> {
        let tiles: Vec<_> = reads.iter().map(|read| read.consumer.tiles()).collect();
        let mut totals: Vec<Option<S::Total>> = reads.iter().map(|_| Some(S::Total::default())).collect();
        for batch in batches(tiles.iter().map(|tiles| tiles.len())) {
            let batched = batch
                .iter()
                .map(|(read, range)| (&reads[*read].target, reads[*read].on_error, &tiles[*read][range.clone()]));
            let parts = self.pending_read(batched, keep).finish(|at, tile, block| {
                let (read, range) = &batch[at];
                reads[*read].consumer.part(range.start + tile, block)
            })?;
            for ((read, _), parts) in batch.into_iter().zip(parts) {
                match (&mut totals[read], parts) {
                    (Some(total), Some(parts)) => parts.into_iter().for_each(|part| S::add(total, part)),
                    (total, _) => *total = None,
                }
            }
        }
        Ok(totals)
    }

    /// The blocks of all reads, given the target and tiles of each. A block that several reads need is read once.
    pub(super) fn pending_read<'a, T>(
        &self,
        reads: impl Iterator<Item = (&'a Arc<Target>, OnError, T)>,
        keep: Keep,
    ) -> PendingRead
    where
        T: AsRef<[(u32, u32)]>,
    {
        let (mut requests, mut consumers, mut slots) = (Vec::new(), Vec::<Vec<_>>::new(), vec![0]);
        let mut targets = Vec::new();
        let mut rules = Vec::new();
        let mut known: HashMap<BlockKey, usize> = HashMap::new();
        let mut slot = 0;
        for (at, (target, on_error, tiles)) in reads.enumerate() {
            rules.push(on_error);
            for &(row, col) in tiles.as_ref() {
                let request = *known.entry((Arc::as_ptr(target), row, col)).or_insert_with(|| {
                    requests.push(target.block(row, col));
                    targets.push(Arc::clone(target));
                    consumers.push(Vec::new());
                    requests.len() - 1
                });
                consumers[request].push((at, slot));
                slot += 1;
            }
            slots.push(slot);
        }
        let of_masks = targets.iter().zip(&requests).map(|(target, request)| (target, request.row, request.col));
        let (masks, failures) = MasksAhead::new(self, of_masks);
        let blocks = self.tiles().blocks_except(requests, keep, &failures);
        PendingRead { reader: self.clone(), blocks, masks, targets, consumers, slots, on_error: rules }
    }
}

/// Whether the call is about to fail, so that nothing is read ahead for it.
fn gives_up(blocks: &BlockStream, on_error: &[OnError]) -> bool {
    blocks.is_failing() && on_error.contains(&OnError::Fail)
}

impl PendingRead {
    /// Starts fetching, so that bytes arrive while the caller prepares for them.
    pub(super) fn start(&self) {
        if let Some(masks) = self.masks.as_ref().filter(|_| !gives_up(&self.blocks, &self.on_error)) {
            masks.start();
        }
        self.blocks.start();
    }

    /// Returns, for each read, the results of `part` for its blocks in order; None if a block cannot be read and the
    /// read permits that. `part` receives the read, the position of the tile in it and the block. It is called once per
    /// block, on any thread and in any order.
    pub(super) fn finish<P: Send + Sync>(
        self,
        part: impl Fn(usize, usize, &Block) -> Result<P> + Sync,
    ) -> Result<Vec<Option<Vec<P>>>> {
        let Self { reader, blocks, masks, targets, consumers, slots, on_error } = self;
        if let Some(masks) = masks.filter(|_| !gives_up(&blocks, &on_error)) {
            // Masks first: the tiles of the targets could exhaust the budget.
            masks.start();
            blocks.start();
            masks.finish()?;
        }
        let parts: Vec<OnceLock<P>> = (0..slots.last().copied().unwrap_or(0)).map(|_| OnceLock::new()).collect();
        let unread: Vec<AtomicBool> = on_error.iter().map(|_| AtomicBool::new(false)).collect();
        let fault: Mutex<Option<(usize, Error)>> = Mutex::default();
        let fails = |error: &Error, at: usize| on_error[at] == OnError::Fail || !error.is_of_file();
        let masked = |request: usize, block: Block| targets[request].masked(&reader, block);
        let consume = |request: usize, block: Block| {
            let block = masked(request, block)?;
            for &(at, slot) in &consumers[request] {
                // Each slot belongs to one tile of one read, so it is empty.
                let _ = parts[slot].set(part(at, slot - slots[at], &block)?);
            }
            Ok(())
        };
        blocks.for_each(|request, block| match block.and_then(|block| consume(request, block)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) if consumers[request].iter().any(|(at, _)| fails(&error, *at)) => {
                let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
                if fault.as_ref().is_none_or(|(first, _)| request < *first) {
                    *fault = Some((request, error));
                }
                ControlFlow::Break(())
            }
            Err(_) => {
                consumers[request].iter().for_each(|(at, _)| unread[*at].store(true, Ordering::Relaxed));
                ControlFlow::Continue(())
            }
        })?;
        if let Some((_, error)) = fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut parts = parts.into_iter().map(OnceLock::into_inner);
        let lengths = slots.windows(2).map(|pair| pair[1] - pair[0]);
        let answers = lengths.zip(unread).map(|(length, unread)| {
            let parts: Vec<P> = parts.by_ref().take(length).flatten().collect();
            (!unread.into_inner()).then_some(parts)
        });
        Ok(answers.collect())
    }
}

impl Reader {
    /// Returns the result of `make` for each row, computing several at a time; None stays None.
    ///
    /// # Errors
    ///
    /// The first row's that fails, in their order among those that were tried.
    pub(super) fn of_rows<R: Sync, T: Send + Sync>(
        &self,
        rows: &[Option<R>],
        make: impl Fn(&R) -> Result<T> + Sync,
    ) -> Result<Vec<Option<T>>> {
        let made: Vec<OnceLock<Result<T>>> = rows.iter().map(|_| OnceLock::new()).collect();
        self.for_each(rows.len(), |at| {
            if let Some(row) = &rows[at] {
                // Each row is taken once.
                let _ = made[at].set(make(row));
            }
        })?;
        made.into_iter().map(|made| made.into_inner().transpose()).collect()
    }
}
