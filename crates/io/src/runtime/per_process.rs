//! Values of one process: after a fork, the child creates its own.
//!
//! A forked child has a copy of the parent's memory, but only the thread that called `fork`. A runtime has no threads there, a
//! connection pool shares its sockets with the parent, and a lock that another thread held is never released. A child therefore
//! neither uses nor drops a value of its parent: dropping may wait for such a lock.

use std::mem;
use std::process;
use std::sync::{Arc, OnceLock};

/// A value per process. A parent's value stays in memory until the child ends.
#[derive(Debug)]
pub struct PerProcess<T>(OnceLock<Box<Owned<T>>>);

#[derive(Debug)]
struct Owned<T> {
    process: u32,
    value: Arc<T>,
    /// The value of a child of `process`, in that child's memory.
    child: PerProcess<T>,
}

impl<T> PerProcess<T> {
    /// No value yet in any process.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value of this process; None in a child that has created none.
    pub fn get(&self) -> Option<&T> {
        let owned = self.0.get()?;
        if owned.process == process::id() { Some(&owned.value) } else { owned.child.get() }
    }

    /// The value of this process, to be changed.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let owned = self.0.get_mut()?;
        if owned.process == process::id() { Arc::get_mut(&mut owned.value) } else { owned.child.get_mut() }
    }

    /// The value of this process, created on first use. `make` receives the value of the parent, if there is one, and must not take
    /// its locks. If several threads create values concurrently, all receive the first one.
    pub fn get_or_make(&self, make: impl FnOnce(Option<&T>) -> T) -> &T {
        let (mut last, mut parent) = (self, None);
        while let Some(owned) = last.0.get() {
            if owned.process == process::id() {
                return &owned.value;
            }
            (last, parent) = (&owned.child, Some(&*owned.value));
        }
        // Created outside of the lock: a fork in the meantime would leave it locked in the child.
        let made = PerProcess::owned(make(parent));
        &last.0.get_or_init(|| made).value
    }

    fn owned(value: T) -> Box<Owned<T>> {
        Box::new(Owned { process: process::id(), value: Arc::new(value), child: Self::new() })
    }
}

impl<T> From<T> for PerProcess<T> {
    fn from(value: T) -> Self {
        Self(OnceLock::from(Self::owned(value)))
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.process != process::id() {
            // One reference too many: the parent's value is never dropped here.
            mem::forget(Arc::clone(&self.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a parent process, in a child process.
    fn inherited<T>(value: T) -> PerProcess<T> {
        let mut inherited = PerProcess::owned(value);
        inherited.process = process::id().wrapping_add(1);
        PerProcess(OnceLock::from(inherited))
    }

    #[test]
    fn a_value_is_created_once_per_process() {
        let mut own = PerProcess::new();
        assert_eq!(own.get(), None);
        assert_eq!(own.get_mut(), None);
        assert_eq!(*own.get_or_make(|parent| parent.map_or(1, |_| 0)), 1);
        assert_eq!((own.get(), *own.get_or_make(|_| 2)), (Some(&1), 1));
        assert_eq!(own.get_mut(), Some(&mut 1));

        let mut inherited = inherited(1);
        assert_eq!(inherited.get(), None);
        assert_eq!(inherited.get_mut(), None);
        assert_eq!(*inherited.get_or_make(|parent| parent.map_or(0, |parent| parent + 1)), 2);
        assert_eq!((inherited.get(), *inherited.get_or_make(|_| 3)), (Some(&2), 2));
        assert_eq!(inherited.get_mut(), Some(&mut 2));
    }

    #[test]
    fn a_child_drops_only_its_own_value() {
        let (parents, childs) = (Arc::new(()), Arc::new(()));
        let value = inherited(parents.clone());
        value.get_or_make(|_| childs.clone());
        drop(value);
        assert_eq!((Arc::strong_count(&parents), Arc::strong_count(&childs)), (2, 1));
    }
}
