//! The state of one query: interrupts, whether its progress is shown, and the time left for retries.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Interval at which waiting threads check for an interrupt.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// Whether the host has interrupted a query. Called only while the query runs, by its threads and helper threads.
pub use rasteret_cog::interrupt::IsInterrupted;

/// The state of one query. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Query {
    /// None if the host does not report interrupts.
    is_interrupted: Option<IsInterrupted>,
    /// Whether progress may be shown.
    shows_progress: Arc<AtomicBool>,
}

impl Query {
    pub(crate) fn interruptible(self, is_interrupted: Option<IsInterrupted>) -> Self {
        Self { is_interrupted, ..self }
    }

    pub(crate) fn shows_progress(&self) -> bool {
        self.shows_progress.load(Ordering::Relaxed)
    }

    /// Sets whether progress may be shown, also if the query is executed again.
    pub(crate) fn show_progress(&self, shows_progress: bool) {
        self.shows_progress.store(shows_progress, Ordering::Relaxed);
    }

    /// Whether the host reports interrupts.
    pub(crate) fn reports_interrupts(&self) -> bool {
        self.is_interrupted.is_some()
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.is_interrupted.as_ref().is_some_and(|is_interrupted| is_interrupted())
    }

    /// Does work on this thread that fails soon after the query is interrupted.
    pub(crate) fn interruptibly<T>(&self, work: impl FnOnce() -> T) -> T {
        rasteret_cog::interrupt::interruptible(self.is_interrupted.as_ref(), work)
    }

    /// # Errors
    ///
    /// [`Error::Interrupted`] once the query was interrupted.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Ends when the query is interrupted.
    pub(crate) async fn interrupted(&self) {
        if !self.reports_interrupts() {
            return std::future::pending().await;
        }
        while !self.is_interrupted() {
            tokio::time::sleep(POLL).await;
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("reports_interrupts", &self.reports_interrupts()).finish()
    }
}

/// The time for retries of all requests of a query, counted from the first retry. Each request is retried a few times only, but a query may
/// name millions of files on a server that asks clients to wait.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    since: OnceLock<Instant>,
}

impl Patience {
    /// Whether there is time for this wait and another attempt.
    pub(crate) fn allows(&self, wait: Duration, total: Duration) -> bool {
        self.since.get_or_init(Instant::now).elapsed().saturating_add(wait) <= total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_retries_starts_with_the_first_retry() {
        let patience = Patience::default();
        let second = Duration::from_secs(1);
        assert!(patience.allows(second, second * 2));
        assert!(!patience.allows(second * 3, second * 2));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!patience.allows(second, second));
    }

    #[test]
    fn a_query_without_interrupts_continues() {
        assert!(Query::default().check().is_ok());
        let flag = Arc::new(AtomicBool::new(false));
        let seen = flag.clone();
        let query = Query::default().interruptible(Some(Arc::new(move || seen.load(Ordering::Relaxed))));
        assert!(query.check().is_ok());
        flag.store(true, Ordering::Relaxed);
        assert!(matches!(query.check(), Err(Error::Interrupted)));
    }
}
