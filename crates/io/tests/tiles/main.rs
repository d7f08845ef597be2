//! Blocks of pixels: requests, errors for changed files, and calls that do not wait for each other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod failures;
mod in_flight;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod versions;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::throttle::ThrottleConfig;
use object_store::throttle::ThrottledStore;
use object_store::{ObjectStoreExt, PutPayload};
use rasteret_cog::pixel::Block;
use rasteret_io::BlockRequest;
use rasteret_io::Keep;
use rasteret_io::Session;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use std::time::Instant;
use support::raster::Raster;
use support::session;
use support::store::Counting;

/// A gap larger than the limit for coalescing.
pub(crate) const FAR: Raster = Raster { across: 4, down: 4, side: 16, gap: 300 << 10, seed: 0 };
pub(crate) const NEAR: Raster = Raster { gap: 0, ..FAR };

/// Runs `work` with every block.
pub(crate) fn for_all(
    session: &Session,
    requests: Vec<BlockRequest>,
    keep: Keep,
    work: impl Fn(usize, rasteret_io::Result<Block>) + Sync,
) -> rasteret_io::Result<()> {
    session.blocks(requests, keep).for_each(|request, block| {
        work(request, block);
        ControlFlow::Continue(())
    })
}

/// Reads blocks and compares their pixels; `tiles` are the requested tiles.
pub(crate) fn read(session: &Session, raster: Raster, requests: Vec<BlockRequest>, tiles: &[u32]) {
    let answers: Vec<AtomicUsize> = tiles.iter().map(|_| AtomicUsize::new(0)).collect();
    let work = |request: usize, block: rasteret_io::Result<_>| {
        raster.assert_block(tiles[request], &block.unwrap());
        answers[request].fetch_add(1, Ordering::Relaxed);
    };
    for_all(session, requests, Keep::Tiles, work).unwrap();
    assert!(answers.iter().all(|answers| answers.load(Ordering::Relaxed) == 1), "expected each block once");
}

/// Waits for a condition that other threads fulfil.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until completed calls use no memory, because aborted fetches end a moment later.
pub(crate) fn assert_idle(session: &Session) {
    until(|| {
        let usage = session.usage();
        (usage.tiles_in_flight, usage.tile_bytes_in_flight) == (0, 0)
    });
}

pub(crate) fn all(raster: Raster) -> Vec<u32> {
    (0..raster.tiles()).collect()
}

/// A logging store with files of this raster and slow gets.
pub(crate) fn store(
    variables: &[(&str, &str)],
    files: &[(&str, Raster)],
) -> (Session, Arc<Counting<ThrottledStore<InMemory>>>) {
    let wait = ThrottleConfig { wait_get_per_call: Duration::from_millis(5), ..Default::default() };
    let (session, store) = (session(variables), Counting::new(ThrottledStore::new(InMemory::new(), wait)));
    for (name, raster) in files {
        let path = Path::from(*name);
        session.block_on(store.put(&path, PutPayload::from(raster.bytes()))).unwrap().unwrap();
    }
    session.serve_bucket("b", store.clone());
    (session, store)
}
