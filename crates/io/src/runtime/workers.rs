//! Helper threads of calls, limited over all callers.
//!
//! DuckDB calls from several threads at once, or from one with the others idle (a scan that keeps order, a handful of rows):
//! a caller starts helpers as far as the session's limit goes, counting all callers. A helper that finds the limit exceeded,
//! because another caller has arrived, ends after its current item.
//!
//! # Why scoped threads and no pool
//!
//! Work borrows the caller's rows, which `std::thread::scope` allows without unsafe code. A rayon pool would allow this too, but
//! its threads would remain after the database is closed, and would not count against the limit of the callers. Starting a
//! thread takes about 30 us, decoding a tile two milliseconds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use crate::{Error, Options, Result};

/// Time that a caller works without helpers. Starting a thread would take longer than less work.
pub(crate) const ALONE: Duration = Duration::from_micros(200);

/// Maximum and current number of working threads.
#[derive(Debug)]
pub(crate) struct Workers {
    is_set: bool,
    limit: AtomicUsize,
    active: AtomicUsize,
}

/// A thread at work, for as long as this lives.
struct Active<'a>(&'a Workers);

impl Workers {
    pub(crate) fn new(options: &Options) -> Self {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        Self {
            is_set: options.threads.is_some(),
            limit: AtomicUsize::new(options.threads.unwrap_or_else(processors)),
            active: AtomicUsize::new(0),
        }
    }

    /// Calls `step` on this thread and on helpers until it returns false. `left` returns how many steps there may be; `stop` ends
    /// steps that wait.
    pub(crate) fn share(
        &self,
        alone: Duration,
        step: impl Fn() -> bool + Sync,
        left: impl Fn() -> usize + Sync,
        stop: impl Fn() + Sync,
    ) -> Result<()> {
        let panicked = AtomicBool::new(false);
        let safe_step = || {
            let more = !panicked.load(Ordering::Relaxed)
                && catch_unwind(AssertUnwindSafe(&step)).unwrap_or_else(|_| {
                    panicked.store(true, Ordering::Relaxed);
                    false
                });
            if panicked.load(Ordering::Relaxed) {
                stop();
            }
            more
        };
        let _caller = self.enter();
        let (helpers, mut can_start, start) = (AtomicUsize::new(0), true, Instant::now());
        thread::scope(|scope| {
            loop {
                while can_start
                    && start.elapsed() >= alone
                    && helpers.load(Ordering::Relaxed) < left().saturating_sub(1)
                {
                    let Some(active) = self.try_enter() else {
                        break;
                    };
                    helpers.fetch_add(1, Ordering::Relaxed);
                    let (helpers, safe_step) = (&helpers, &safe_step);
                    let help = move || {
                        let _active = active;
                        while !self.is_crowded() && safe_step() {}
                        helpers.fetch_sub(1, Ordering::Relaxed);
                    };
                    // If no thread can be started, the caller does all the work.
                    can_start = Builder::new().name("rasteret-work".to_owned()).spawn_scoped(scope, help).is_ok();
                }
                if !safe_step() {
                    break;
                }
            }
        });
        match panicked.load(Ordering::Relaxed) {
            true => Err(Error::Unexpected { what: "work on pixels panicked".to_owned() }),
            false => Ok(()),
        }
    }

    /// Sets how many threads the host itself would use; `RASTERET_THREADS` takes precedence.
    pub(crate) fn set_host_threads(&self, threads: usize) {
        if !self.is_set {
            self.limit.store(threads.max(1), Ordering::Relaxed);
        }
    }

    /// Maximum number of working threads.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Active<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(self)
    }

    fn try_enter(&self) -> Option<Active<'_>> {
        let limit = self.limit();
        let one_more = |active: usize| (active < limit).then_some(active + 1);
        self.active.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Active(self))
    }

    fn is_crowded(&self) -> bool {
        self.active.load(Ordering::Relaxed) > self.limit()
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
