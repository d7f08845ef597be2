//! Keeps the engine's tables whole across a fork.
//!
//! The engine has process-wide locks, and tables that are decoded when they are first used. A child that is forked while another thread
//! decodes one would wait for that thread, which it does not have. So the thread that forks waits for the others, see [`hold_for_fork`].

use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

/// Read by threads in the engine, written by one that forks.
static IN_ENGINE: RwLock<()> = RwLock::new(());

/// While it exists, no other thread is in the engine.
pub type ForkHold = RwLockWriteGuard<'static, ()>;

/// Waits until no thread is in the engine, for milliseconds at most. To be called before a fork, and dropped after it, in the parent and in
/// the child.
pub fn hold_for_fork() -> ForkHold {
    IN_ENGINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs work that may use tables and locks of the engine, between forks. Work must not call this in turn: a thread that waits to fork would
/// keep it out.
pub(super) fn unforked<T>(work: impl FnOnce() -> T) -> T {
    let _in_engine = IN_ENGINE.read().unwrap_or_else(PoisonError::into_inner);
    work()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fork_waits_for_threads_in_the_engine() {
        let (started, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                unforked(|| {
                    started.store(true, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(50));
                    ended.store(true, Ordering::SeqCst);
                });
            });
            while !started.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            drop(hold_for_fork());
            assert!(ended.load(Ordering::SeqCst));
        });
        assert_eq!(unforked(|| 1), 1);
    }
}
