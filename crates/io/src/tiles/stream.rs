//! Blocks as they become ready, for any number of threads.
//!
//! ```text
//! Plan::fetches ─> producer (one task): acquire bytes ─> start SpanFetches ─> await each tile ─┐ notify
//! Plan::failed, Plan::ready ──────────────────────────────────────────────────────────────────┴─> ready ─> next()
//! ```
//!
//! `next()` takes the first ready block, decodes those of its tiles that are not decoded, and assembles it. Tiles of local files are
//! read when they are decoded. Blocks with cached failures are returned first, before anything is fetched.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rasteret_cog::pixel::Block;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::budget::{Charge, PATIENCE, PATIENCE_AGAIN};
use super::entry::{AbortOnDrop, Fetched, TileHandle};
use super::fetch::{Pending, SpanFetch};
use super::plan::{Plan, PlannedSpan, coalesce, spans};
use super::{BlockRequest, Keep, TileReader, Tiles};
use crate::runtime::interrupt::POLL;
use crate::runtime::runtime;
use crate::runtime::workers::ALONE;
use crate::store::Stores;
use crate::{Error, Result};

/// The blocks of one call, returned as their bytes arrive. Dropping it ends its requests, except those for tiles that other calls
/// wait for.
pub struct BlockStream {
    call: Arc<Call>,
    /// None if nothing is fetched from a store.
    runtime: Option<&'static Runtime>,
    producer: OnceLock<AbortOnDrop>,
}

/// State that the threads and the producer of a call share.
pub(super) struct Call {
    pub(super) reader: TileReader,
    pub(super) keep: Keep,
    pub(super) requests: Vec<BlockRequest>,
    pub(super) plan: Plan,
    state: Mutex<State>,
    /// Notified when a block is ready, and when there will be no more.
    wake: Condvar,
}

struct State {
    /// For each tile, the handle as long as blocks need it.
    handles: Vec<Option<TileHandle>>,
    /// For each tile, the blocks that need it and are not created.
    users: Vec<usize>,
    /// For each file, the tiles that blocks still need.
    tiles_left: Vec<usize>,
    /// For each block, the tiles that have not arrived.
    missing: Vec<usize>,
    /// Blocks that can be created.
    ready: VecDeque<usize>,
    /// The first blocks in `ready`, which fail.
    failures: usize,
    /// Number of tiles that the producer waits for.
    arriving: usize,
    /// Whether the last spans exceeded the memory limit, because the call was stalled.
    has_exceeded_limit: bool,
    /// Number of blocks that are not assigned to a thread.
    left: usize,
    /// Whether the producer has ended.
    producer_has_ended: bool,
    /// Whether the call was ended or interrupted: no more blocks are returned.
    closed: bool,
}

impl TileReader {
    /// Returns the blocks of `requests`. Each encoded tile is fetched once and decoded once, even if other calls need it
    /// at the same time. Makes no request before [`BlockStream::start`] or the first [`BlockStream::next`].
    pub fn blocks(&self, requests: Vec<BlockRequest>, keep: Keep) -> BlockStream {
        self.blocks_except(requests, keep, &HashMap::new())
    }

    /// Like [`blocks`](Self::blocks), with the errors of blocks, by the position of their requests, that depend on something which cannot
    /// be read.
    pub(crate) fn blocks_except(
        &self,
        requests: Vec<BlockRequest>,
        keep: Keep,
        failures: &HashMap<usize, Error>,
    ) -> BlockStream {
        let mut plan = Plan::new(self.tiles(), &requests, self.access(), self.is_native(), failures);
        let runtime = match (!plan.fetches.is_empty()).then(runtime).transpose() {
            Ok(runtime) => runtime,
            Err(error) => {
                plan = Plan::failed(requests.len(), &error);
                None
            }
        };
        let call = Arc::new(Call {
            state: Mutex::new(State::new(&plan)),
            reader: self.clone(),
            keep,
            requests,
            plan,
            wake: Condvar::new(),
        });
        BlockStream { call, runtime, producer: OnceLock::new() }
    }
}

impl BlockStream {
    /// Starts requests, as far as the memory limit allows, so that bytes arrive while the caller prepares for them.
    pub fn start(&self) {
        self.start_unless_failed(&self.call.lock());
    }

    /// Whether a block that has not been returned is known to fail.
    pub(crate) fn is_failing(&self) -> bool {
        self.call.lock().failures > 0
    }

    /// Calls `work` with each block and the position of its request, in any order, on the calling thread and on helpers, as far as the
    /// session's limit on threads goes, until `work` breaks. Fails only if `work` panics.
    pub fn for_each(&self, work: impl Fn(usize, Result<Block>) -> ControlFlow<()> + Sync) -> Result<()> {
        let step = || match self.next() {
            Some((request, block)) => {
                let more = work(request, block).is_continue();
                if !more {
                    self.close();
                }
                more
            }
            None => false,
        };
        // Helpers would start requests while `work` decides about the blocks that fail.
        let left = || {
            let state = self.call.lock();
            if state.failures > 0 { 0 } else { state.left }
        };
        // Decoding one tile takes longer than starting a thread.
        let alone = if self.call.plan.tiles.iter().all(|tile| tile.cached.is_some()) { ALONE } else { Duration::ZERO };
        self.call.reader.workers().share(alone, step, left, || self.close())
    }

    /// The next block that is ready, with the position of its request; None at the end. Waits for bytes to arrive; decodes on the
    /// calling thread, which must not be one of the runtime's. For any number of threads at once. The error of one file does not
    /// affect the blocks of another.
    pub fn next(&self) -> Option<(usize, Result<Block>)> {
        let (call, query) = (&self.call, self.call.reader.query());
        let mut state = call.lock();
        loop {
            if state.left == 0 || state.closed {
                return None;
            }
            if query.is_interrupted() {
                // The first thread that notices reports it as the error of a block; the others end.
                state.closed = true;
                call.wake.notify_all();
                return Some((0, Err(Error::Interrupted)));
            }
            self.start_unless_failed(&state);
            if let Some((block, handles)) = call.take(&mut state) {
                drop(state);
                let made = call.make(block, &handles);
                // The call's own handles are the last ones: tiles are released with their last block.
                drop(handles);
                call.release(block);
                return Some((block, made));
            }
            if state.producer_has_ended {
                let block = state.missing.iter().position(|missing| *missing > 0)?;
                state.missing[block] = 0;
                state.left -= 1;
                let location = call.requests[block].file.location().clone();
                return Some((block, Err(Error::Internal { location, what: "a tile was not fetched".to_owned() })));
            }
            state = match query.reports_interrupts() {
                true => call.wake.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0,
                false => call.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Starts the producer once the blocks that are known to fail have been returned.
    fn start_unless_failed(&self, state: &State) {
        if let Some(runtime) = self.runtime
            && state.failures == 0
        {
            self.producer.get_or_init(|| AbortOnDrop::new(runtime.spawn(produce(self.call.clone(), runtime))));
        }
    }

    /// Ends the call: every thread receives None from now on.
    fn close(&self) {
        self.call.lock().closed = true;
        self.call.wake.notify_all();
    }
}

/// Fetches the spans of a call as the memory limit allows, and notifies its threads as tiles arrive.
async fn produce(call: Arc<Call>, runtime: &'static Runtime) {
    let _producer = Producer(call.clone());
    let arrival = |(tile, handle): (usize, TileHandle)| async move {
        handle.fetched().await;
        tile
    };
    let mut arriving = FuturesUnordered::new();
    for at in 0..call.plan.fetches.len() {
        let fetch = call.fetch(at, runtime);
        tokio::pin!(fetch);
        let tiles = loop {
            tokio::select! {
                biased;
                tiles = &mut fetch => break tiles,
                Some(tile) = arriving.next() => call.notify(tile),
            }
        };
        arriving.extend(tiles.into_iter().map(arrival));
    }
    while let Some(tile) = arriving.next().await {
        call.notify(tile);
    }
}

/// Ends the wait of the call's threads when the producer ends, also where it panics.
struct Producer(Arc<Call>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.lock().producer_has_ended = true;
        self.0.wake.notify_all();
    }
}

impl Call {
    /// Starts one of [`Plan::fetches`] once there is memory for all of its spans; returns their tiles.
    async fn fetch(&self, at: usize, runtime: &Runtime) -> Vec<(usize, TileHandle)> {
        let spans = &self.plan.fetches[at];
        let bytes = spans.iter().map(|span| &self.plan.spans[*span].range).map(|range| range.end - range.start).sum();
        let patience = if self.lock().has_exceeded_limit { PATIENCE_AGAIN } else { PATIENCE };
        let mut charge = self.tiles().budget.acquire(bytes, patience, || self.is_stalled()).await;
        let has_exceeded_limit = charge.is_none();
        let mut tiles = Vec::new();
        for span in spans.iter().map(|span| &self.plan.spans[*span]) {
            let keys: Vec<_> = span.tiles.iter().map(|tile| &self.plan.tiles[*tile].key).collect();
            let start = |new: &[usize]| self.start(span, new, &mut charge, runtime);
            let handles = self.tiles().in_flight.handles(&keys, &self.tiles().cache, start);
            tiles.extend(span.tiles.iter().zip(handles).filter_map(|(tile, handle)| Some((*tile, handle?))));
        }
        let mut state = self.lock();
        state.has_exceeded_limit = has_exceeded_limit;
        state.arriving += tiles.len();
        for (tile, handle) in &tiles {
            state.handles[*tile] = Some(handle.clone());
        }
        drop(state);
        tiles
    }

    /// Starts the requests for those tiles of a span, by their positions in it, that no other call has fetched since the plan was made.
    fn start(
        &self,
        span: &PlannedSpan,
        new: &[usize],
        charge: &mut Option<Charge>,
        runtime: &Runtime,
    ) -> Vec<Option<Fetched>> {
        let ranges: Vec<_> = new.iter().map(|at| self.plan.tiles[span.tiles[*at]].key.range()).collect();
        let mut fetched: Vec<Option<Fetched>> = new.iter().map(|_| None).collect();
        for (range, inside) in spans(coalesce(self.tiles().budget.limit()), &ranges) {
            let charge = charge.as_mut().map(|charge| charge.split(range.end - range.start));
            let (pending, receivers): (Vec<Pending>, Vec<_>) = inside
                .iter()
                .map(|at| {
                    let (sender, receiver) = oneshot::channel();
                    ((ranges[*at].clone(), sender), receiver)
                })
                .unzip();
            let fetch = SpanFetch::new(self.plan.files[span.file].file.clone(), range, pending, charge);
            let task = Arc::new(AbortOnDrop::new(runtime.spawn(fetch.run(Stores::clone(&self.reader)))));
            for (at, receiver) in inside.into_iter().zip(receivers) {
                fetched[at] = Some(Fetched::new(receiver, &task));
            }
        }
        fetched
    }

    /// Marks a tile as arrived and notifies a thread for each block that is ready by that.
    fn notify(&self, tile: usize) {
        let mut state = self.lock();
        state.arriving -= 1;
        for &block in &self.plan.tiles[tile].blocks {
            state.missing[block] -= 1;
            if state.missing[block] == 0 {
                state.ready.push_back(block);
                self.wake.notify_one();
            }
        }
    }

    /// Whether only other calls can release memory.
    fn is_stalled(&self) -> bool {
        let state = self.lock();
        state.arriving == 0 && state.ready.is_empty()
    }

    /// Takes a ready block, with the handles of its tiles: the first that does not wait for another thread to decode a tile, if there
    /// is one.
    fn take(&self, state: &mut State) -> Option<(usize, Vec<Option<TileHandle>>)> {
        let mut first = None;
        for at in 0..state.ready.len() {
            let block = state.ready[at];
            let sources = self.plan.blocks[block].sources();
            let handles: Vec<_> = sources.iter().map(|(_, tile)| self.handle(state, (*tile)?)).collect();
            if !handles.iter().flatten().any(TileHandle::is_decoding) {
                first = Some((at, handles));
                break;
            }
            first.get_or_insert((at, handles));
        }
        let (at, handles) = first?;
        let block = state.ready.remove(at)?;
        state.failures = state.failures.saturating_sub(1);
        state.left -= 1;
        if state.left == 0 {
            // The other threads have nothing left to wait for.
            self.wake.notify_all();
        }
        Some((block, handles))
    }

    fn handle(&self, state: &mut State, tile: usize) -> Option<TileHandle> {
        let planned = &self.plan.tiles[tile];
        if state.handles[tile].is_none() && self.plan.files[planned.file].local.is_some() {
            let handles = self.tiles().in_flight.handles(&[&planned.key], &self.tiles().cache, |_| vec![None]);
            state.handles[tile] = handles.into_iter().next().flatten();
        }
        state.handles[tile].clone()
    }

    /// Releases tiles that no other block needs, and files that no other tile is read of.
    fn release(&self, block: usize) {
        let mut unused = Vec::new();
        let mut state = self.lock();
        let sources = self.plan.blocks[block].sources();
        for (position, (_, tile)) in sources.iter().enumerate() {
            // A tile that occurs twice in a block is counted once.
            let Some(tile) = tile.filter(|tile| !sources[..position].iter().any(|(_, other)| *other == Some(*tile)))
            else {
                continue;
            };
            state.users[tile] = state.users[tile].saturating_sub(1);
            if state.users[tile] > 0 {
                continue;
            }
            unused.push(state.handles[tile].take());
            let file = self.plan.tiles[tile].file;
            state.tiles_left[file] = state.tiles_left[file].saturating_sub(1);
            if let (0, Some(local)) = (state.tiles_left[file], &self.plan.files[file].local) {
                local.close();
            }
        }
        drop(state);
        // Large memory is freed without the lock.
        drop(unused);
    }

    pub(super) fn tiles(&self) -> &Arc<Tiles> {
        self.reader.tiles()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(plan: &Plan) -> Self {
        let mut missing = vec![0; plan.blocks.len()];
        for tile in plan.spans.iter().flat_map(|span| &span.tiles) {
            plan.tiles[*tile].blocks.iter().for_each(|block| missing[*block] += 1);
        }
        let mut tiles_left = vec![0; plan.files.len()];
        plan.tiles.iter().filter(|tile| !tile.blocks.is_empty()).for_each(|tile| tiles_left[tile.file] += 1);
        Self {
            handles: plan.tiles.iter().map(|tile| tile.cached.clone().map(TileHandle::Decoded)).collect(),
            users: plan.tiles.iter().map(|tile| tile.blocks.len()).collect(),
            tiles_left,
            missing,
            ready: plan.failed.iter().chain(&plan.ready).copied().collect(),
            failures: plan.failed.len(),
            arriving: 0,
            has_exceeded_limit: false,
            left: plan.blocks.len(),
            producer_has_ended: plan.fetches.is_empty(),
            closed: false,
        }
    }
}

impl fmt::Debug for BlockStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockStream").field("blocks", &self.call.plan.blocks.len()).finish_non_exhaustive()
    }
}
