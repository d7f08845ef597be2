//! Coverage of a geometry as runs of pixels. It is computed in `zonal/coverage/`.
//!
//! Consecutive equal rows, as those of a rectangle, are stored once: a raster may have 2^31 rows.

use std::ops::Range;

use super::run::Run;
use super::tiling::Tiling;
use super::window::Window;

/// The pixels that a geometry covers.
///
/// Depends only on the geometry, the grid and the method, not on bands, dates or files, so it can be cached and shared.
/// [`byte_len`](Self::byte_len) is its size for a cache.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    runs: Vec<Run>,
    /// Rows that repeat the runs of the first of them. `runs` contains only the first one.
    repeated: Range<u32>,
    /// Bounding window; None if empty.
    window: Option<Window>,
}

impl Coverage {
    /// Covers all pixels of an image with weight 1.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        if width == 0 || height == 0 {
            return Self::default();
        }
        Self::from_runs(vec![Run { row: 0, start: 0, end: width, weight: 1.0 }]).repeating(0, height - 1)
    }

    /// `runs` must be sorted by row, then column.
    fn from_runs(runs: Vec<Run>) -> Self {
        let window = around(&runs);
        Self { runs, repeated: 0..0, window }
    }

    /// Repeats a row `times` times; the rows below it move down.
    pub(crate) fn repeating(mut self, row: u32, times: u32) -> Self {
        let below = self.runs.partition_point(|run| run.row <= row);
        self.runs[below..].iter_mut().for_each(|run| run.row = run.row.saturating_add(times));
        if self.window.is_some_and(|window| window.contains(window.col_off, row)) {
            self.repeated = row..row.saturating_add(times).saturating_add(1);
        }
        if let Some(window) = self.window.as_mut().filter(|window| window.row_end() > row) {
            window.height = window.height.saturating_add(times);
        }
        self
    }

    /// All runs, sorted by row, then column. Runs do not overlap.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        self.window.into_iter().flat_map(|window| self.within(window))
    }

    /// The stored runs, each with the rows that have it.
    fn kept(&self) -> impl Iterator<Item = (Run, Range<u32>)> + '_ {
        self.runs.iter().map(|run| {
            let is_repeated = !self.repeated.is_empty() && run.row == self.repeated.start;
            (*run, if is_repeated { self.repeated.clone() } else { run.row..run.row + 1 })
        })
    }

    /// The runs of one row.
    fn row(&self, row: u32) -> &[Run] {
        let kept = if self.repeated.contains(&row) { self.repeated.start } else { row };
        let below = &self.runs[self.runs.partition_point(|run| run.row < kept)..];
        &below[..below.partition_point(|run| run.row == kept)]
    }

    /// The weights of the pixels inside a window, each with the number of pixels. Yields one item per stored run,
    /// regardless of the number of repeated rows.
    pub(crate) fn weights_within(&self, window: Window) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.kept().filter_map(move |(run, rows)| {
            let rows = rows.end.min(window.row_end()).saturating_sub(rows.start.max(window.row_off));
            let cols = run.end.min(window.col_end()).saturating_sub(run.start.max(window.col_off));
            (rows > 0 && cols > 0).then(|| (run.weight, u64::from(rows) * u64::from(cols)))
        })
    }

    /// Whether no pixel is covered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Memory size in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        size_of::<Self>() + self.runs.capacity() * size_of::<Run>()
    }

    /// Sum of all weights: for polygons, the covered area in pixels.
    #[must_use]
    pub fn weight(&self) -> f64 {
        let weight = |(run, rows): (Run, Range<u32>)| {
            f64::from(run.end - run.start) * f64::from(rows.end - rows.start) * run.weight
        };
        self.kept().map(weight).sum()
    }

    /// Bounding window of the covered pixels; None if empty.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// The tiles (row, col) that contain covered pixels, row-major, each once.
    #[must_use]
    pub fn tiles(&self, tiling: &Tiling) -> Vec<(u32, u32)> {
        let (tile_width, tile_height) = (tiling.tile_width.max(1), tiling.tile_height.max(1));
        // Most geometries lie in a single tile.
        let mut around = self.window.iter().flat_map(|window| window.tiles(tiling));
        if let (Some(only), None) = (around.next(), around.next()) {
            return vec![only];
        }
        if !self.repeated.is_empty() {
            return self.tiles_of_repeated(tile_width, tile_height);
        }
        let mut tiles = Vec::new();
        let mut rest = &self.runs[..];
        while let Some(first) = rest.first() {
            let row = first.row / tile_height;
            let below = (u64::from(row) + 1) * u64::from(tile_height);
            let (here, after) = rest.split_at(rest.partition_point(|run| u64::from(run.row) < below));
            tiles.extend(Columns::of(here.iter().copied(), tile_width).tiles(row));
            rest = after;
        }
        tiles
    }

    /// The tiles of a coverage with repeated rows: scans the stored runs once per row of tiles.
    fn tiles_of_repeated(&self, tile_width: u32, tile_height: u32) -> Vec<(u32, u32)> {
        let mut tiles = Vec::new();
        let rows =
            self.window.map_or(0..0, |window| window.row_off / tile_height..(window.row_end() - 1) / tile_height + 1);
        for row in rows {
            let first = row.saturating_mul(tile_height);
            let last = first.saturating_add(tile_height - 1);
            let here = self.kept().filter(|(_, rows)| rows.start <= last && rows.end > first);
            tiles.extend(Columns::of(here.map(|(run, _)| run), tile_width).tiles(row));
        }
        tiles
    }

    /// The runs clipped to a window, sorted by row, then column. Runs outside are skipped by binary search.
    pub fn within(&self, window: Window) -> impl Iterator<Item = Run> + '_ {
        let shared = self.window.and_then(|all| Some((all, all.intersection(&window)?)));
        if !self.repeated.is_empty() {
            let rows = shared.map_or(0..0, |(_, shared)| shared.row_off..shared.row_end());
            let cols = window.col_off..window.col_end();
            return Within::Repeated(Repeated { coverage: self, rows, cols, row: 0, runs: &[] });
        }
        let (rest, has_all_columns) = match shared {
            None => (&[][..], true),
            Some((all, shared)) if all == shared => (&self.runs[..], true),
            Some((all, shared)) => {
                let above = |row: u32| self.runs.partition_point(|run| run.row < row);
                (&self.runs[above(shared.row_off)..above(shared.row_end())], all.width == shared.width)
            }
        };
        Within::Listed(Listed { rest, start: window.col_off, end: window.col_end(), has_all_columns })
    }
}

/// Bounding window of runs sorted by row; None if empty.
fn around(runs: &[Run]) -> Option<Window> {
    let (first, last) = (runs.first()?, runs.last()?);
    let start = runs.iter().map(|run| run.start).min()?;
    let end = runs.iter().map(|run| run.end).max()?;
    Some(Window { col_off: start, row_off: first.row, width: end - start, height: last.row - first.row + 1 })
}

/// Iterator of [`Coverage::within`].
enum Within<'a> {
    Listed(Listed<'a>),
    Repeated(Repeated<'a>),
}

impl Iterator for Within<'_> {
    type Item = Run;

    #[inline]
    fn next(&mut self) -> Option<Run> {
        match self {
            Self::Listed(runs) => runs.next(),
            Self::Repeated(runs) => runs.next(),
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Run) -> B>(self, all: B, with: F) -> B {
        match self {
            Self::Listed(runs) => runs.fold(all, with),
            Self::Repeated(runs) => runs.fold(all, with),
        }
    }
}

/// Iterates over the runs of a coverage with repeated rows.
struct Repeated<'a> {
    coverage: &'a Coverage,
    /// Remaining rows.
    rows: Range<u32>,
    /// Columns of the window.
    cols: Range<u32>,
    /// The row of `runs`.
    row: u32,
    runs: &'a [Run],
}

impl Iterator for Repeated<'_> {
    type Item = Run;

    #[inline]
    fn next(&mut self) -> Option<Run> {
        loop {
            let Some((run, rest)) = self.runs.split_first() else {
                self.row = self.rows.next()?;
                self.runs = self.coverage.row(self.row);
                continue;
            };
            self.runs = rest;
            let (start, end) = (run.start.max(self.cols.start), run.end.min(self.cols.end));
            if start < end {
                return Some(Run { row: self.row, start, end, weight: run.weight });
            }
        }
    }
}

/// Iterates over the runs of a coverage without repeated rows.
struct Listed<'a> {
    /// Remaining runs in the rows of the window.
    rest: &'a [Run],
    /// Columns of the window.
    start: u32,
    end: u32,
    /// Whether no run needs clipping.
    has_all_columns: bool,
}

impl Iterator for Listed<'_> {
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

    /// Most zones need no clipping: a plain loop is faster.
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

impl Listed<'_> {
    /// Skips the runs for which `is_before` holds, which includes the first one. Uses galloping search, since rows have
    /// few runs and coverages have many.
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

/// Sorted, disjoint spans of tile columns.
#[derive(Default)]
struct Columns {
    spans: Vec<(u32, u32)>,
}

impl Columns {
    /// The tile columns that contain runs.
    fn of(runs: impl Iterator<Item = Run>, tile_width: u32) -> Self {
        let mut columns = Self::default();
        // Most runs lie in the same tiles as the previous one.
        let (mut start, mut end) = (0, 0);
        for run in runs {
            if run.start < start || end < u64::from(run.end) {
                let (from, to) = (run.start / tile_width, (run.end - 1) / tile_width + 1);
                columns.insert(from, to);
                (start, end) = (from * tile_width, u64::from(to) * u64::from(tile_width));
            }
        }
        columns
    }

    /// The tiles of one row of tiles.
    fn tiles(&self, row: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.spans.iter().flat_map(move |(from, to)| (*from..*to).map(move |col| (row, col)))
    }

    fn insert(&mut self, start: u32, end: u32) {
        // Merge overlapping and adjacent spans.
        let from = self.spans.partition_point(|span| span.1 < start);
        let to = self.spans.partition_point(|span| span.0 <= end);
        let merged = self.spans[from..to].iter().fold((start, end), |all, span| (all.0.min(span.0), all.1.max(span.1)));
        self.spans.splice(from..to, [merged]);
    }
}

/// Builds a coverage from runs in order.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
}

impl Runs {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { runs: Vec::with_capacity(capacity) }
    }

    /// Appends pixels. Ignores pixels without weight, and extends the last run if the weight is the same.
    pub(crate) fn push(&mut self, row: u32, start: u32, end: u32, weight: f64) {
        if start >= end || weight.is_nan() || weight <= 0.0 {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if last.row == row && last.end == start && last.weight == weight => last.end = end,
            _ => self.runs.push(Run { row, start, end, weight }),
        }
    }

    /// Returns the coverage, without much unused capacity.
    pub(crate) fn finish(mut self) -> Coverage {
        if self.runs.capacity() / 2 > self.runs.len() {
            self.runs.shrink_to_fit();
        }
        Coverage::from_runs(self.runs)
    }
}

/// Builds a coverage of weight 1 from unordered, overlapping spans (row, first column, end column).
#[derive(Debug, Default)]
pub(crate) struct Spans {
    pub(crate) spans: Vec<(u32, u32, u32)>,
}

impl Spans {
    pub(crate) fn push(&mut self, row: u32, start: u32, end: u32) {
        match self.spans.last_mut() {
            Some(last) if last.0 == row && last.1 <= start && start <= last.2 => last.2 = last.2.max(end),
            _ if start < end => self.spans.push((row, start, end)),
            _ => {}
        }
    }

    /// Merges the spans, so that each pixel is covered once.
    pub(crate) fn finish(mut self) -> Coverage {
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
