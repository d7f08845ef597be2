//! The progress of a running enrichment, on the standard error stream if that is a terminal.
//!
//! It is drawn while the query waits for files, and erased before rows are returned, because the host may print them to the same terminal.

use std::io::{IsTerminal, stderr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rasteret_io::enrich::EnrichProgress;

/// Queries that end sooner show nothing.
const DELAY: Duration = Duration::from_millis(500);

/// Time between two updates: fewer than ten in a second.
const UPDATE: Duration = Duration::from_millis(125);

/// Shows the progress of a query until it is dropped.
pub(super) struct Progress {
    line: Arc<Mutex<Line>>,
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The line of the terminal.
#[derive(Default)]
struct Line {
    /// Whether the query waits for files.
    is_waiting: bool,
    /// None if nothing is drawn.
    drawn: Option<ProgressBar>,
}

impl Progress {
    /// Shows what `progress` returns; None if the standard error stream is not a terminal.
    pub(super) fn start(progress: impl Fn() -> EnrichProgress + Send + 'static) -> Option<Self> {
        if !stderr().is_terminal() {
            return None;
        }
        let line = Arc::<Mutex<Line>>::default();
        let (end, ended) = channel();
        let shared = line.clone();
        let thread =
            Builder::new().name("rasteret-progress".to_owned()).spawn(move || draw(&shared, &ended, progress)).ok()?;
        Some(Self { line, end: Some(end), thread: Some(thread) })
    }

    /// Shows the progress while `wait` runs, which waits for files.
    pub(super) fn during<T>(&self, wait: impl FnOnce() -> T) -> T {
        lock(&self.line).is_waiting = true;
        let _clear = Clear(&self.line);
        wait()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed, and concerns nothing else.
            let _ = thread.join();
        }
        lock(&self.line).clear();
    }
}

/// Clears the line, also if the query panics.
struct Clear<'a>(&'a Mutex<Line>);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        let mut line = lock(self.0);
        line.is_waiting = false;
        line.clear();
    }
}

impl Line {
    fn clear(&mut self) {
        if let Some(drawn) = self.drawn.take() {
            drawn.finish_and_clear();
        }
    }
}

/// Draws until the end.
fn draw(line: &Mutex<Line>, ended: &Receiver<()>, progress: impl Fn() -> EnrichProgress) {
    let started = Instant::now();
    let mut wait = DELAY;
    while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = UPDATE;
        let text = text(&progress(), started.elapsed());
        let mut line = lock(line);
        if line.is_waiting {
            // Draws once.
            line.drawn.get_or_insert_with(bar).set_message(text);
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    // All updates are drawn: there are few enough of them.
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20)).with_style(style)
}

/// `rasteret_enrich: 1,200 records, 3,600 files, 2 failed, 810 files/s`
fn text(progress: &EnrichProgress, elapsed: Duration) -> String {
    let EnrichProgress { records, files, failed } = *progress;
    let rate = files.saturating_mul(1000) / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let failed = if failed > 0 { format!(", {} failed", HumanCount(failed)) } else { String::new() };
    let [records, files, rate] = [records, files, rate].map(HumanCount);
    format!("rasteret_enrich: {records} records, {files} files{failed}, {rate} files/s")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_readable() {
        let progress = EnrichProgress { records: 1200, files: 3600, failed: 0 };
        let second = Duration::from_secs(2);
        assert_eq!(text(&progress, second), "rasteret_enrich: 1,200 records, 3,600 files, 1,800 files/s");
        let failing = EnrichProgress { failed: 2, ..progress };
        assert_eq!(text(&failing, second), "rasteret_enrich: 1,200 records, 3,600 files, 2 failed, 1,800 files/s");
        assert_eq!(
            text(&EnrichProgress { records: 0, files: 0, failed: 0 }, Duration::ZERO),
            "rasteret_enrich: 0 records, 0 files, 0 files/s"
        );
    }
}
