//! Runs of pixels: what coverage is kept as, and the parts of it that tiles need.

use crate::Tiling;
use crate::pixel::Window;

/// Pixels next to one another in a row that weigh the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The row.
    pub row: u32,
    /// The first column.
    pub start: u32,
    /// The column after the last.
    pub end: u32,
    /// The weight of each pixel, greater than 0.
    pub weight: f64,
}

/// The pixels that a geometry covers.
///
/// The same for every band, date and file on one grid: made once for a geometry, a grid and a [`Method`](super::Method), it
/// is shared behind an `Arc` by whoever reads that grid. [`byte_len`](Self::byte_len) is what a cache counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    runs: Vec<Run>,
    /// The smallest window with all of them; None where there are none.
    window: Option<Window>,
}

impl Coverage {
    /// All pixels of an image, each wholly.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        let rows = if width == 0 { 0 } else { height };
        Self::from_runs((0..rows).map(|row| Run { row, start: 0, end: width, weight: 1.0 }).collect())
    }

    /// Runs that come by row, then by column.
    fn from_runs(runs: Vec<Run>) -> Self {
        let window = around(&runs);
        Self { runs, window }
    }

    /// All runs: by row, then by column, none overlapping another.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether no pixel is covered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The memory that it takes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        size_of::<Self>() + self.runs.capacity() * size_of::<Run>()
    }

    /// The sum of all weights: for polygons, the area inside the image in pixels.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.runs.iter().map(|run| f64::from(run.end - run.start) * run.weight).sum()
    }

    /// The smallest window with all covered pixels; None where there are none.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// The tiles (row, col) that hold covered pixels, row-major, each once.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        let (tile_width, tile_height) = (tiling.tile_width.max(1), tiling.tile_height.max(1));
        // Most geometries lie in one tile, and need not be gone through.
        let mut around = self.window.iter().flat_map(|window| window.tiles(tiling));
        if let (Some(only), None) = (around.next(), around.next()) {
            return vec![only];
        }
        let mut tiles = Vec::new();
        let mut rest = &self.runs[..];
        while let Some(first) = rest.first() {
            let row = first.row / tile_height;
            let below = (u64::from(row) + 1) * u64::from(tile_height);
            let (here, after) = rest.split_at(rest.partition_point(|run| u64::from(run.row) < below));
            let mut columns = Columns::default();
            // Most runs lie in the tiles of the one before.
            let (mut start, mut end) = (0, 0);
            for run in here {
                if run.start < start || end < u64::from(run.end) {
                    let (from, to) = (run.start / tile_width, (run.end - 1) / tile_width + 1);
                    columns.insert(from, to);
                    (start, end) = (from * tile_width, u64::from(to) * u64::from(tile_width));
                }
            }
            tiles.extend(columns.spans.iter().flat_map(|(from, to)| (*from..*to).map(|col| (row, col))));
            rest = after;
        }
        tiles
    }

    /// The parts of runs inside a window, by row, then by column. Runs outside are searched past, not looked at.
    pub fn within(&self, window: Window) -> impl Iterator<Item = Run> + '_ {
        let (rest, has_all_columns) = match self.window.and_then(|all| Some((all, all.intersection(&window)?))) {
            None => (&[][..], true),
            Some((all, shared)) if all == shared => (&self.runs[..], true),
            Some((all, shared)) => {
                let above = |row: u32| self.runs.partition_point(|run| run.row < row);
                (&self.runs[above(shared.row_off)..above(shared.row_end())], all.width == shared.width)
            }
        };
        Within { rest, start: window.col_off, end: window.col_end(), has_all_columns }
    }
}

/// The smallest window with all pixels of runs, which come by row; None where there are none.
fn around(runs: &[Run]) -> Option<Window> {
    let (first, last) = (runs.first()?, runs.last()?);
    let start = runs.iter().map(|run| run.start).min()?;
    let end = runs.iter().map(|run| run.end).max()?;
    Some(Window { col_off: start, row_off: first.row, width: end - start, height: last.row - first.row + 1 })
}

/// Iterator of [`Coverage::within`].
struct Within<'a> {
    /// Runs in rows of the window.
    rest: &'a [Run],
    /// The window's columns.
    start: u32,
    end: u32,
    /// Whether no run reaches out of them.
    has_all_columns: bool,
}

impl Iterator for Within<'_> {
    type Item = Run;

    #[inline]
    fn next(&mut self) -> Option<Run> {
        loop {
            let run = *self.rest.first()?;
            if run.end <= self.start {
                let start = self.start;
                self.skip(|other| other.row == run.row && other.end <= start);
            } else if run.start >= self.end {
                self.skip(|other| other.row == run.row);
            } else {
                self.rest = &self.rest[1..];
                return Some(Run { start: run.start.max(self.start), end: run.end.min(self.end), ..run });
            }
        }
    }

    /// A plain loop where nothing is cut, as for most zones.
    #[inline]
    fn fold<B, F: FnMut(B, Run) -> B>(self, mut all: B, mut with: F) -> B {
        if self.has_all_columns {
            return self.rest.iter().copied().fold(all, with);
        }
        for run in self {
            all = with(all, run);
        }
        all
    }
}

impl Within<'_> {
    /// Goes past the runs for which `is_before` holds, the first of which does: steps that double, then a binary search, since
    /// a row has few runs and the coverage many.
    fn skip(&mut self, is_before: impl Fn(&Run) -> bool) {
        let mut step = 1;
        while self.rest.get(step).is_some_and(&is_before) {
            self.rest = &self.rest[step..];
            step *= 2;
        }
        let near = &self.rest[..self.rest.len().min(step)];
        self.rest = &self.rest[near.partition_point(is_before)..];
    }
}

/// Columns of tiles: spans in order, apart from one another.
#[derive(Default)]
struct Columns {
    spans: Vec<(u32, u32)>,
}

impl Columns {
    fn insert(&mut self, start: u32, end: u32) {
        // Spans that meet the new one become one with it.
        let from = self.spans.partition_point(|span| span.1 < start);
        let to = self.spans.partition_point(|span| span.0 <= end);
        let merged = self.spans[from..to].iter().fold((start, end), |all, span| (all.0.min(span.0), all.1.max(span.1)));
        self.spans.splice(from..to, [merged]);
    }
}

/// Runs in the making, in order.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
}

impl Runs {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { runs: Vec::with_capacity(capacity) }
    }

    /// Adds pixels behind all that were added; those that weigh nothing are left out, those that go on as before lengthen it.
    pub(super) fn push(&mut self, row: u32, start: u32, end: u32, weight: f64) {
        if start >= end || weight.is_nan() || weight <= 0.0 {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if last.row == row && last.end == start && last.weight == weight => last.end = end,
            _ => self.runs.push(Run { row, start, end, weight }),
        }
    }

    /// The coverage, in no more memory than it needs by much.
    pub(super) fn finish(mut self) -> Coverage {
        if self.runs.capacity() / 2 > self.runs.len() {
            self.runs.shrink_to_fit();
        }
        Coverage::from_runs(self.runs)
    }
}

/// Whole pixels in any order, with repetitions: rows and half-open ranges of columns.
#[derive(Debug, Default)]
pub(super) struct Spans {
    pub(super) spans: Vec<(u32, u32, u32)>,
}

impl Spans {
    pub(super) fn push(&mut self, row: u32, start: u32, end: u32) {
        match self.spans.last_mut() {
            Some(last) if last.0 == row && last.1 <= start && start <= last.2 => last.2 = last.2.max(end),
            _ if start < end => self.spans.push((row, start, end)),
            _ => {}
        }
    }

    /// Each pixel once, with weight 1.
    pub(super) fn finish(mut self) -> Coverage {
        if !self.spans.is_sorted() {
            self.spans.sort_unstable();
        }
        let mut runs = Runs::with_capacity(self.spans.len());
        let mut reached = (0, 0);
        for (row, start, end) in self.spans {
            if row != reached.0 {
                reached = (row, 0);
            }
            runs.push(row, start.max(reached.1), end, 1.0);
            reached.1 = end.max(reached.1);
        }
        runs.finish()
    }
}
