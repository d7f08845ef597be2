//! Interrupts of computations that may take long: outlines, projections of large geometries, checks of their validity.
//!
//! The caller's check applies to its thread, so that it is not a parameter of every function in between.

use std::cell::RefCell;
use std::sync::Arc;

use crate::{Error, Result};

/// Whether a computation is to end.
pub type IsInterrupted = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    static CHECK: RefCell<Option<IsInterrupted>> = const { RefCell::new(None) };
}

/// Restores the check of the thread, also after a panic.
struct Restore(Option<IsInterrupted>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        CHECK.with_borrow_mut(|check| *check = before);
    }
}

/// Does work on this thread, whose long computations fail soon after `is_interrupted` returns true.
pub fn interruptible<T>(is_interrupted: Option<&IsInterrupted>, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(CHECK.with_borrow_mut(|check| std::mem::replace(check, is_interrupted.cloned())));
    work()
}

/// Fails once the caller is interrupted.
///
/// # Errors
///
/// [`Error::InvalidArgument`]; the caller knows that it is interrupted.
pub(crate) fn check() -> Result<()> {
    match CHECK.with_borrow(|check| check.as_ref().is_some_and(|is_interrupted| is_interrupted())) {
        true => Err(Error::InvalidArgument { what: "interrupted".to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_applies_to_the_work_of_its_thread() {
        let (yes, no): (IsInterrupted, IsInterrupted) = (Arc::new(|| true), Arc::new(|| false));
        assert!(check().is_ok());
        interruptible(Some(&yes), || {
            assert!(check().is_err());
            interruptible(Some(&no), || assert!(check().is_ok()));
            interruptible(None, || assert!(check().is_ok()));
            assert!(check().is_err());
            std::thread::scope(|scope| scope.spawn(|| assert!(check().is_ok())).join()).unwrap();
        });
        assert!(check().is_ok());
        let panic = std::panic::AssertUnwindSafe(|| interruptible(Some(&yes), || panic!("as a test")));
        let panicked = std::panic::catch_unwind(panic);
        assert!(panicked.is_err() && check().is_ok());
    }

    #[test]
    fn long_checks_of_geometries_are_interrupted() {
        // A spiral, whose edges are all beside one another.
        let turns = |step: f64| (0..2000).map(move |at| (f64::from(at) * step, f64::from(at)));
        let out = turns(0.01).map(|(angle, radius)| (radius * angle.cos(), radius * angle.sin()));
        let back = turns(0.01).collect::<Vec<_>>().into_iter().rev();
        let back = back.map(|(angle, radius)| ((radius + 0.5) * angle.cos(), (radius + 0.5) * angle.sin()));
        let ring: Vec<_> = out.chain(back).map(|(x, y)| format!("{x} {y}")).collect();
        let text = format!("POLYGON(({}, {}))", ring.join(","), ring[0]);
        assert!(crate::ParsedGeometry::from_text(&text).is_ok());
        let yes: IsInterrupted = Arc::new(|| true);
        let error = interruptible(Some(&yes), || crate::ParsedGeometry::from_text(&text)).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
    }
}
