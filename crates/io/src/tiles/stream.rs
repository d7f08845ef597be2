//! Blocks as they become ready, for any number of threads.
//!
//! ```text
//!             queues (by file and offset)        tiles under way             ready
//! requests ─> remote ─┬─ budget: admit a block's ─> tasks fetch ─────────┬─> blocks of which ──> next(): decode what is
//!          └> local ──┘  spans, all or none      └> next() reads a span ─┘   all tiles are here     not decoded, make it
//! ```
//!
//! A thread in `next()` takes the first of: a ready block, a span of a local file to read, a local span to admit. When there is
//! none it waits until a tile arrives; when none is under way, until the budget has room, and then goes on without room. So
//! there is always something to wait for that does not depend on other callers.

mod make;

use std::collections::VecDeque;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rasteret_cog::codec::DecodedTile;
use rasteret_cog::pixel::{Block, TileSource};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::budget::{Account, Charge};
use super::fetch::{Flight, OpenFile};
use super::plan::{Plan, PlannedBlock, PlannedFile, PlannedSpan, PlannedTile, coalesce};
use super::slot::{Found, Seat, Stage};
use super::workers::ALONE;
use super::{BlockRequest, Keep, Tiles};
use crate::query::POLL;
use crate::runtime::runtime;
use crate::{Error, Result, Session};

/// The blocks of one call, handed out as their bytes arrive. Dropping it ends what it has under way.
#[derive(Debug)]
pub struct BlockStream(Arc<Shared>);

/// What the threads of one call share.
pub(super) struct Shared {
    session: Session,
    keep: Keep,
    account: Account,
    /// None where nothing is in a store.
    runtime: Option<&'static Runtime>,
    requests: Vec<BlockRequest>,
    blocks: Vec<PlannedBlock>,
    files: Vec<PlannedFile>,
    open: Vec<Option<OpenFile>>,
    spans: Vec<PlannedSpan>,
    state: Mutex<State>,
    wake: Condvar,
    /// Dropped with the call: what ends its fetches.
    alive: watch::Sender<()>,
    me: Weak<Shared>,
}

struct State {
    tiles: Vec<Tile>,
    /// Blocks that can be made.
    ready: VecDeque<usize>,
    /// Blocks of files in stores, and of local files, whose spans are not admitted.
    remote: VecDeque<usize>,
    local: VecDeque<usize>,
    /// Admitted spans of local files that nobody reads yet.
    reads: VecDeque<(usize, Flight)>,
    admitted: Vec<bool>,
    /// For each block, tiles that it waits for.
    missing: Vec<usize>,
    /// Tiles that are under way, here or for others.
    under_way: usize,
    /// Blocks that are not in the hands of a thread.
    left: usize,
    /// A thread waits for room in the budget.
    admitting: bool,
    closed: bool,
}

struct Tile {
    file: usize,
    range: Range<u64>,
    span: Option<usize>,
    hold: Hold,
    /// Whether its slot will tell.
    waiting: bool,
    /// Blocks to count down when it is available.
    parked: Vec<usize>,
    /// Blocks that will need it.
    users: usize,
}

/// How a call holds on to a tile.
enum Hold {
    Decoded(Arc<DecodedTile>),
    Seat(Seat),
    Nothing,
}

/// What a thread is to do.
enum Step {
    Make(usize),
    Read(usize, Flight),
    Failed(usize, Error),
    Done,
}

impl Session {
    /// The blocks that are asked for. Each encoded tile behind them is fetched once and decoded once, also when other calls
    /// need it at the same time. Makes no request before [`BlockStream::start`] or the first [`BlockStream::next`].
    pub fn blocks(&self, requests: Vec<BlockRequest>, keep: Keep) -> BlockStream {
        let mut plan = Plan::new(self.tiles(), &requests, self.access());
        let runtime = match plan.files.iter().any(|file| file.stamp.is_none()).then(runtime).transpose() {
            Ok(runtime) => runtime,
            Err(error) => {
                plan.blocks.fill_with(|| PlannedBlock::Failed(error.clone()));
                plan.tiles.clear();
                None
            }
        };
        BlockStream(Shared::new(self.clone(), keep, runtime, requests, plan))
    }
}

impl BlockStream {
    /// Asks stores for as much as there is room for, so that bytes are under way while the caller prepares for them.
    pub fn start(&self) {
        self.0.admit_remote(&mut self.0.lock());
    }

    /// Does `work` with each block and the position of its request, in any order, on the calling thread and on helpers, as far as the
    /// session's limit on threads goes, until `work` breaks: what is under way then is let go. Fails only where `work` panics.
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
        // Decoding one tile takes longer than starting a thread.
        let alone = if self.0.spans.is_empty() { ALONE } else { Duration::ZERO };
        self.0.session.workers().share(alone, step, || self.0.lock().left, || self.close())
    }

    /// The next block that is ready, with the position of its request; None once no more are to be had. Waits while bytes
    /// are under way; decodes on the calling thread, which must not be one of the runtime's. For any number of threads at once.
    /// The error of one file does not disturb the blocks of another.
    pub fn next(&self) -> Option<(usize, Result<Block>)> {
        loop {
            match self.0.step() {
                Step::Make(block) => {
                    if let Some(made) = self.0.make(block) {
                        return Some((block, made));
                    }
                }
                Step::Failed(block, error) => return Some((block, Err(error))),
                Step::Read(file, flight) => {
                    if let Some(open) = &self.0.open[file] {
                        flight.read(open);
                    }
                }
                Step::Done => return None,
            }
        }
    }

    /// Has every thread get None from now on.
    fn close(&self) {
        self.0.lock().closed = true;
        self.0.wake.notify_all();
    }
}

impl Shared {
    fn new(
        session: Session,
        keep: Keep,
        runtime: Option<&'static Runtime>,
        requests: Vec<BlockRequest>,
        plan: Plan,
    ) -> Arc<Self> {
        let (remote, local) = plan.order();
        let Plan { files, tiles, spans, blocks } = plan;
        let mut missing = vec![0; blocks.len()];
        for tile in tiles.iter().filter(|tile| tile.span.is_some()) {
            tile.blocks.iter().for_each(|block| missing[*block] += 1);
        }
        let mut spans_of = vec![0; files.len()];
        spans.iter().for_each(|span| spans_of[span.file] += 1);
        let open = files.iter().zip(spans_of);
        let open = open.map(|(file, spans)| file.stamp.map(|stamp| OpenFile::new(stamp, spans))).collect();
        let state = State {
            ready: (0..blocks.len()).filter(|block| missing[*block] == 0).collect(),
            tiles: tiles.into_iter().map(Tile::from).collect(),
            remote: remote.into(),
            local: local.into(),
            reads: VecDeque::new(),
            admitted: vec![false; spans.len()],
            missing,
            under_way: 0,
            left: blocks.len(),
            admitting: false,
            closed: false,
        };
        Arc::new_cyclic(|me| Self {
            account: session.tiles().budget.account(),
            session,
            keep,
            runtime,
            requests,
            blocks,
            files,
            open,
            spans,
            state: Mutex::new(state),
            wake: Condvar::new(),
            alive: watch::Sender::new(()),
            me: me.clone(),
        })
    }

    /// Finds something to do, or waits for it.
    fn step(&self) -> Step {
        let query = self.session.query();
        let mut state = self.lock();
        loop {
            if state.left == 0 || state.closed {
                return Step::Done;
            }
            if query.is_interrupted() {
                // The first thread that notices tells it as the error of a block, the others are done.
                state.closed = true;
                self.wake.notify_all();
                return Step::Failed(0, Error::Interrupted);
            }
            // Requests are kept going whatever else there is to do.
            self.admit_remote(&mut state);
            if let Some(block) = state.ready.pop_front() {
                return self.taken(&mut state, Step::Make(block));
            }
            if let Some((file, flight)) = state.reads.pop_front() {
                return Step::Read(file, flight);
            }
            if let Some(charge) = self.room_for(&state, Queue::Local) {
                self.admit(&mut state, Queue::Local, charge);
                continue;
            }
            if state.under_way > 0 || state.admitting {
                state = match query.can_tell() {
                    true => self.wake.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0,
                    false => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
                continue;
            }
            let queue = if state.remote.is_empty() { Queue::Local } else { Queue::Remote };
            match state.queue(queue).front() {
                Some(block) => {
                    let cost = self.cost(&state, *block);
                    state.admitting = true;
                    drop(state);
                    let charge = self.account.charge_patiently(cost);
                    state = self.lock();
                    state.admitting = false;
                    self.admit(&mut state, queue, charge);
                    self.wake.notify_all();
                }
                // Every block is in hand or waits for a tile that is under way; an error is better than to wait for ever.
                None => {
                    let lost = state.missing.iter().position(|missing| *missing > 0);
                    let Some(block) = lost else {
                        return Step::Done;
                    };
                    state.missing[block] = 0;
                    let location = self.requests[block].file.location().clone();
                    let error = Error::Internal { location, what: "a tile was lost".to_owned() };
                    return self.taken(&mut state, Step::Failed(block, error));
                }
            }
        }
    }

    fn taken(&self, state: &mut State, step: Step) -> Step {
        state.left -= 1;
        if state.left == 0 {
            // The others have nothing to wait for any more.
            self.wake.notify_all();
        }
        step
    }

    /// Starts as many requests as there is room for.
    fn admit_remote(&self, state: &mut State) {
        while let Some(charge) = self.room_for(state, Queue::Remote) {
            self.admit(state, Queue::Remote, charge);
        }
    }

    /// The charge for the next block of a queue, where there is room for it.
    fn room_for(&self, state: &State, queue: Queue) -> Option<Charge> {
        if state.admitting {
            return None;
        }
        let block = *state.queue(queue).front()?;
        self.account.try_charge(self.cost(state, block))
    }

    /// Bytes of the spans that a block needs and that are not admitted.
    fn cost(&self, state: &State, block: usize) -> u64 {
        let mut spans = self.new_spans(state, block);
        spans.sort_unstable();
        spans.dedup();
        spans.into_iter().map(|span| &self.spans[span].range).map(|range| range.end - range.start).sum()
    }

    fn new_spans(&self, state: &State, block: usize) -> Vec<usize> {
        let spans = self.sources(block).iter().filter_map(|(_, tile)| state.tiles[(*tile)?].span);
        spans.filter(|span| !state.admitted[*span]).collect()
    }

    fn sources(&self, block: usize) -> &[(TileSource, Option<usize>)] {
        match &self.blocks[block] {
            PlannedBlock::Sources(sources) => sources,
            PlannedBlock::Failed(_) => &[],
        }
    }

    /// Starts to fetch the spans of the first block of a queue.
    fn admit(&self, state: &mut State, queue: Queue, mut charge: Charge) {
        let Some(block) = state.queue_mut(queue).pop_front() else {
            return;
        };
        for span in self.new_spans(state, block) {
            // One span may hold several of the block's tiles.
            if !std::mem::replace(&mut state.admitted[span], true) {
                self.admit_span(state, span, &mut charge);
            }
        }
    }

    /// Claims those tiles of a span that nobody fetches, and waits for the others.
    fn admit_span(&self, state: &mut State, span: usize, charge: &mut Charge) {
        let PlannedSpan { file, tiles, .. } = &self.spans[span];
        let mut claimed = Vec::new();
        for &index in tiles {
            let tile = &mut state.tiles[index];
            let Hold::Seat(seat) = &tile.hold else {
                continue;
            };
            let mut slot = seat.lock();
            if matches!(slot.stage, Stage::Idle) {
                slot.stage = Stage::Fetching;
                claimed.push((seat.share(), tile.range.clone()));
            }
            let under_way = slot.stage.is_under_way();
            if under_way {
                slot.wait(self.me.clone(), index);
            }
            drop(slot);
            tile.waiting = under_way;
            state.under_way += usize::from(under_way);
            if !under_way {
                self.available(state, index);
            }
        }
        let local = self.files[*file].stamp.is_some();
        // Others may have fetched some since the plan was made: what lies between those is not worth reading.
        let ranges: Vec<_> = claimed.iter().map(|(_, range)| range.clone()).collect();
        let spans = coalesce(local, self.tiles().budget.limit()).spans(&ranges);
        claimed.sort_unstable_by_key(|(_, range)| range.start);
        let mut claimed = claimed.into_iter().peekable();
        for span in spans {
            let mut inside = Vec::new();
            while let Some(tile) = claimed.next_if(|(_, range)| range.start < span.end) {
                inside.push(tile);
            }
            let charge = charge.split(span.end - span.start);
            let flight = Flight::new(self.files[*file].file.clone(), span, inside, charge);
            match self.runtime {
                Some(runtime) if !local => drop(runtime.spawn(self.fetch(flight))),
                _ => {
                    state.reads.push_back((*file, flight));
                    self.wake.notify_one();
                }
            }
        }
    }

    fn fetch(&self, flight: Flight) -> impl Future<Output = ()> + Send + 'static {
        Arc::new(flight).fetch(self.session.clone(), self.alive.subscribe())
    }

    /// Called for slots that this call waits for.
    pub(super) fn tiles_are_available(&self, tiles: &[usize]) {
        let mut state = self.lock();
        for &tile in tiles {
            if std::mem::take(&mut state.tiles[tile].waiting) {
                state.under_way -= 1;
            }
            self.available(&mut state, tile);
        }
        // Tiles of blocks that miss others wake nobody, as long as some are under way.
        let is_news = !state.ready.is_empty() || state.under_way == 0;
        drop(state);
        if is_news {
            self.wake.notify_all();
        }
    }

    /// Counts down the blocks that wait for a tile.
    fn available(&self, state: &mut State, tile: usize) {
        for block in std::mem::take(&mut state.tiles[tile].parked) {
            state.missing[block] = state.missing[block].saturating_sub(1);
            if state.missing[block] == 0 {
                state.ready.push_back(block);
            }
        }
    }

    fn tiles(&self) -> &Arc<Tiles> {
        self.session.tiles()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks wait in one of two, by where their file is.
#[derive(Clone, Copy)]
enum Queue {
    Remote,
    Local,
}

impl State {
    fn queue(&self, queue: Queue) -> &VecDeque<usize> {
        match queue {
            Queue::Remote => &self.remote,
            Queue::Local => &self.local,
        }
    }

    fn queue_mut(&mut self, queue: Queue) -> &mut VecDeque<usize> {
        match queue {
            Queue::Remote => &mut self.remote,
            Queue::Local => &mut self.local,
        }
    }
}

impl From<PlannedTile> for Tile {
    fn from(planned: PlannedTile) -> Self {
        let PlannedTile { file, range, span, found, blocks } = planned;
        let hold = match found {
            Some(Found::Decoded(tile)) => Hold::Decoded(tile),
            Some(Found::Seat(seat)) => Hold::Seat(seat),
            None => Hold::Nothing,
        };
        let (users, parked) = (blocks.len(), if span.is_some() { blocks } else { Vec::new() });
        Self { file, range, span, hold, waiting: false, parked, users }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}
