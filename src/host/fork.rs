//! Handlers that run around a fork of the host's process, on systems with `fork`.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

use rasteret_cog::crs::{ForkHold, hold_for_fork};

thread_local! {
    /// The lock that a forking thread holds until the fork is done.
    static HELD: RefCell<Option<ForkHold>> = const { RefCell::new(None) };
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
}

/// Registers the fork handlers, once per process: a child inherits the handlers of its parent.
pub(crate) fn register() {
    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);
    if !IS_REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handlers do not unwind, and exist until the library is unloaded, when the C library removes them. After a failure, for
        // lack of memory, forks run without them.
        unsafe { pthread_atfork(Some(before), Some(after), Some(after)) };
    }
}

extern "C" fn before() {
    let held = hold_for_fork();
    let _ = HELD.try_with(|slot| slot.try_borrow_mut().map(|mut slot| *slot = Some(held)));
}

extern "C" fn after() {
    drop(HELD.try_with(|slot| slot.try_borrow_mut().map(|mut slot| slot.take())));
}
