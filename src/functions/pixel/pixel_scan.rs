//! The rows of `FROM cog_pixels`: one tile after the other, on all of DuckDB's threads.
//!
//! ```text
//! Scan (shared): tiles of the first raster, or blocks of a grid, with the pixels of all rasters ── Cursor (per thread): one tile, and the runs of
//!                                                                            covered pixels that are left
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rasteret_cog::pixel::ValueRows;
use rasteret_cog::{Run, Window};
use rasteret_io::Session;
use rasteret_io::query::{BesidePixels, GridTile, PixelPlan, PixelStream};

use crate::error::Result;
use crate::vector::{LogicalType, OutputChunk, TypeId, Writer};

/// The rasters of a query, resolved when it is planned, without requests for pixels.
pub(crate) struct Rasters {
    pub(super) session: Session,
    pub(super) plan: PixelPlan,
    /// The tiles that contain covered pixels, as rows and columns.
    pub(super) tiles: Arc<[(u32, u32)]>,
    pub(super) columns: Vec<Column>,
}

/// A column of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Level,
    BandIndex,
    Col,
    Row,
    X,
    Y,
    /// The value of a raster.
    Value(usize),
    /// The values of a number of rasters, as a list.
    Values(usize),
    Coverage,
}

impl Column {
    pub(super) fn logical_type(self) -> LogicalType {
        let double = || LogicalType::of(TypeId::Double);
        match self {
            Self::Level | Self::BandIndex | Self::Col | Self::Row => LogicalType::of(TypeId::Integer),
            Self::X | Self::Y | Self::Value(_) | Self::Coverage => double(),
            Self::Values(_) => LogicalType::list(&double()),
        }
    }

    /// Whether the column contains the value of a raster.
    fn has(self, raster: usize) -> bool {
        match self {
            Self::Value(own) => own == raster,
            Self::Values(count) => raster < count,
            _ => false,
        }
    }
}

/// The tiles that have not been assigned to a thread yet.
pub(crate) enum Scan {
    /// With the pixels of the rasters whose values are used.
    Pixels {
        tiles: Box<PixelStream>,
        /// For each raster, its position among those of a tile; None if its values are not used.
        places: Vec<Option<usize>>,
    },
    /// Without pixels: no value is used.
    Windows(AtomicUsize),
}

impl Default for Scan {
    fn default() -> Self {
        Self::Windows(AtomicUsize::new(0))
    }
}

/// The number of rows of a tile whose runs are looked up at once.
const ROWS_AT_ONCE: u32 = 1 << 10;

impl Scan {
    /// A scan for a query of these columns, given by position.
    pub(super) fn new(rasters: &Rasters, columns: &[usize]) -> Self {
        let columns: Vec<Column> = columns.iter().filter_map(|column| rasters.columns.get(*column).copied()).collect();
        let mut used = Vec::new();
        let places = (0..rasters.plan.raster_count()).map(|raster| {
            columns.iter().any(|column| column.has(raster)).then(|| {
                used.push(raster);
                used.len() - 1
            })
        });
        let places: Vec<Option<usize>> = places.collect();
        if used.is_empty() {
            return Self::default();
        }
        let tiles = rasters.plan.stream(&rasters.session, &used, Arc::clone(&rasters.tiles));
        Self::Pixels { tiles: Box::new(tiles), places }
    }

    /// The window of the next unassigned tile, and the pixels of each raster whose values are used.
    fn next(&self, rasters: &Rasters) -> Result<Option<(Window, Vec<Option<BesidePixels>>)>> {
        match self {
            Self::Windows(next) => {
                let tile = rasters.tiles.get(next.fetch_add(1, Ordering::Relaxed));
                let window = tile.and_then(|tile| rasters.plan.window(*tile));
                Ok(window.map(|window| (window, Vec::new())))
            }
            Self::Pixels { tiles, places } => {
                let Some(GridTile { window, pixels }) = tiles.next().transpose()? else {
                    return Ok(None);
                };
                let mut pixels: Vec<Option<BesidePixels>> = pixels.into_iter().map(Some).collect();
                let of_raster = |place: &Option<usize>| pixels.get_mut((*place)?)?.take();
                Ok(Some((window, places.iter().map(of_raster).collect())))
            }
        }
    }
}

/// The current tile of a thread, and its remaining pixels.
#[derive(Default)]
pub(crate) struct Cursor {
    /// The pixels of each raster; None if they are not used.
    pixels: Arc<[Option<BesidePixels>]>,
    runs: VecDeque<Run>,
    /// The part of the tile below those runs.
    rest: Option<Window>,
}

/// The rows of a chunk.
#[derive(Default)]
struct Rows {
    pixels: Vec<(u32, u32)>,
    weights: Vec<f64>,
    /// Runs of pixels, each with the pixels of the rasters in its tile.
    runs: Vec<(Run, Arc<[Option<BesidePixels>]>)>,
}

impl Cursor {
    /// Writes the next rows; none at the end.
    pub(super) fn next(&mut self, rasters: &Rasters, scan: &Scan, output: &mut OutputChunk<'_>) -> Result<()> {
        let mut rows = Rows::default();
        while rows.pixels.len() < output.capacity() {
            let room = output.capacity() - rows.pixels.len();
            if !self.take(room, rasters, &mut rows) && !self.open(rasters, scan)? {
                break;
            }
        }
        rows.write(rasters, output)
    }

    /// Opens the next tile; false at the end.
    fn open(&mut self, rasters: &Rasters, scan: &Scan) -> Result<bool> {
        let Some((window, pixels)) = scan.next(rasters)? else {
            return Ok(false);
        };
        *self = Self { pixels: pixels.into(), runs: VecDeque::new(), rest: Some(window) };
        Ok(true)
    }

    /// Looks up the runs of the next rows, if there are none left.
    fn fill(&mut self, rasters: &Rasters) {
        while self.runs.is_empty() {
            let Some(rest) = self.rest.take().and_then(|rest| rest.intersection(&rasters.plan.coverage.window()?))
            else {
                return;
            };
            let height = rest.height.min(ROWS_AT_ONCE);
            self.runs.extend(rasters.plan.coverage.within(Window { height, ..rest }));
            let row_off = rest.row_off.saturating_add(height);
            self.rest = (rest.height > height).then_some(Window { row_off, height: rest.height - height, ..rest });
        }
    }

    /// Appends a run, or the part of it that fits; false if there is none left.
    fn take(&mut self, room: usize, rasters: &Rasters, rows: &mut Rows) -> bool {
        self.fill(rasters);
        let Some(run) = self.runs.front_mut() else {
            return false;
        };
        let end = run.end.min(run.start.saturating_add(u32::try_from(room).unwrap_or(u32::MAX)));
        let part = Run { end, ..*run };
        run.start = end;
        if run.start >= run.end {
            self.runs.pop_front();
        }
        rows.pixels.extend((part.start..part.end).map(|col| (col, part.row)));
        rows.weights.resize(rows.pixels.len(), part.weight);
        rows.runs.push((part, Arc::clone(&self.pixels)));
        true
    }
}

impl Rows {
    fn write(&self, rasters: &Rasters, output: &mut OutputChunk<'_>) -> Result<()> {
        let plan = &rasters.plan;
        let constant = |number: u32| self.pixels.iter().map(move |_| i32::try_from(number).ok());
        let centre = |(col, row): (u32, u32)| plan.transform.forward(f64::from(col) + 0.5, f64::from(row) + 0.5);
        for (index, column) in output.columns().iter().copied().enumerate() {
            let Some(column) = rasters.columns.get(column) else { continue };
            let mut writer = output.writer(index)?;
            let pixels = self.pixels.iter().copied();
            match column {
                Column::Level => writer.values(constant(plan.level))?,
                Column::BandIndex => writer.values(constant(plan.band_index))?,
                Column::Col => writer.values(pixels.map(|(col, _)| i32::try_from(col).ok()))?,
                Column::Row => writer.values(pixels.map(|(_, row)| i32::try_from(row).ok()))?,
                Column::X => writer.values(pixels.map(|pixel| Some(centre(pixel).0)))?,
                Column::Y => writer.values(pixels.map(|pixel| Some(centre(pixel).1)))?,
                Column::Value(raster) => self.write_values(rasters, *raster..*raster + 1, &mut writer)?,
                Column::Values(count) => {
                    let mut elements = writer.lists(&vec![Some(*count); self.pixels.len()])?;
                    self.write_values(rasters, 0..*count, &mut elements)?;
                }
                Column::Coverage => writer.values(self.weights.iter().copied().map(Some))?,
            }
        }
        output.set_rows(self.pixels.len())
    }

    /// Writes the values of a range of rasters, row by row.
    fn write_values(&self, rasters: &Rasters, range: Range<usize>, writer: &mut Writer<'_>) -> Result<()> {
        let (mut rows, mut start) = (ValueRows::default(), 0);
        let at_once = ValueRows::at_once(range.len());
        for (run, pixels) in &self.runs {
            for first in (run.start..run.end).step_by(at_once as usize) {
                let part = Run { start: first, end: run.end.min(first.saturating_add(at_once)), ..*run };
                rows.start((part.end - part.start) as usize, range.len());
                for (column, raster) in range.clone().enumerate() {
                    match pixels.get(raster) {
                        Some(Some(pixels)) => pixels.fill(column, &part, rasters.plan.scaling(raster), &mut rows),
                        _ => rows.fill_with_invalid(column),
                    }
                }
                writer.copy_values(start, rows.values(), rows.invalid())?;
                start += rows.values().len();
            }
        }
        Ok(())
    }
}
