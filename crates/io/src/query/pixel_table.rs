//! Tables of the pixels of rows, which are read together.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::pixel::{Block, MappedValues};
use rasteret_cog::warp::WarpedBlock;
use rasteret_cog::{Run, Window};

use super::pixel_plan::{PixelPlan, PixelRow, Rasters, ScaledTarget};
use super::resample::Part;
use super::{BesideTarget, BlockConsumer, PlannedWarp, Read, Reader};
use crate::Result;
use crate::tiles::Keep;

/// Bytes of a pixel in a result: its place, its weight, its list of values.
const BYTES_OF_A_PIXEL: u64 = 56;

/// Bytes of a value in a result.
const BYTES_OF_A_VALUE: u64 = size_of::<Option<f64>>() as u64;

/// The pixels that a geometry covers, with the values of several rasters.
#[derive(Debug, Default)]
pub struct PixelTable {
    /// Affine from pixel corners to coordinates; None if the row has no raster that can be read, or no pixels.
    pub transform: Option<GeoTransform>,
    /// Runs of pixels, row by row.
    pub runs: Vec<Run>,
    /// For each raster the values of all pixels, in the order of the runs; None for one that is NULL, or cannot be read.
    pub values: Vec<Option<Vec<Option<f64>>>>,
}

/// Takes the values of one raster.
struct Gather {
    tiles: Vec<(u32, u32)>,
    values: Mutex<MappedValues>,
}

impl BlockConsumer for Gather {
    type Part = ();
    type Total = ();

    fn tiles(&self) -> Cow<'_, [(u32, u32)]> {
        Cow::Borrowed(&self.tiles)
    }

    fn part(&self, _tile: usize, block: &Block) -> Result<()> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).add(block);
        Ok(())
    }

    fn add((): &mut (), (): ()) {}
}

/// The read of one raster of a row.
enum Source {
    /// Nothing: it is NULL, or cannot be read.
    Nothing,
    /// Blocks of its own, by the position of the read.
    Blocks(usize, (f64, f64)),
    /// Blocks of the grid, by the positions of the parts.
    Parts(Range<usize>),
}

/// The reads of the rows of a call.
#[derive(Default)]
struct Sources<'a> {
    reads: Vec<Read<Gather>>,
    parts: Vec<Part<'a>>,
    /// Memory for the results and what they are made of.
    bytes: u64,
}

impl Reader {
    /// For each row the pixels that its geometry covers, with the values of all its rasters. All files of all rows are read together.
    ///
    /// # Errors
    ///
    /// If a geometry, its CRS or the grid is wrong, the pixels take more memory than there may be, or a file cannot be read.
    pub fn pixel_tables(&self, rows: Vec<PixelRow<'_>>) -> Result<Vec<PixelTable>> {
        let counts: Vec<usize> = rows.iter().map(|row| row.rasters.len()).collect();
        let plans = self.plan_pixels(rows)?;
        let mut sources = Sources::default();
        let mut of_rows = Vec::with_capacity(plans.len());
        for plan in &plans {
            of_rows.push(plan.as_ref().map(|plan| sources.add(self, plan)).transpose()?);
        }
        let Sources { reads, parts, .. } = sources;
        let are_read: Vec<bool> = self.read(&reads, Keep::Tiles)?.iter().map(Option::is_some).collect();
        let (blocks, are_warped) = self.read_parts(&parts)?;
        let tables = plans.iter().zip(of_rows).zip(counts).map(|((plan, of_rasters), count)| {
            let Some((plan, of_rasters)) = plan.as_ref().zip(of_rasters) else {
                return PixelTable { values: (0..count).map(|_| None).collect(), ..PixelTable::default() };
            };
            let runs = runs_of(plan);
            let values = of_rasters.into_iter().map(|source| match source {
                Source::Nothing => None,
                Source::Blocks(at, scaling) => are_read[at].then(|| gathered(&reads[at].consumer, &runs, scaling)),
                Source::Parts(range) => are_warped[range.clone()].iter().all(|is_read| *is_read).then(|| {
                    warped(plan, &runs, parts[range.clone()].iter().map(|part| part.warp).zip(&blocks[range]))
                }),
            });
            PixelTable { transform: Some(plan.transform), values: values.collect(), runs }
        });
        Ok(tables.collect())
    }
}

/// The covered pixels of a row.
fn runs_of(plan: &PixelPlan) -> Vec<Run> {
    plan.coverage.window().map(|window| plan.coverage.within(window).collect()).unwrap_or_default()
}

impl<'a> Sources<'a> {
    /// Adds what is read for a row.
    fn add(&mut self, reader: &Reader, plan: &'a PixelPlan) -> Result<Vec<Source>> {
        let window = plan.coverage.window();
        let pixels = window.map_or(0, |window| window.pixels());
        self.charge(reader, pixels.saturating_mul(BYTES_OF_A_PIXEL))?;
        match &plan.rasters {
            Rasters::Beside(rasters) => {
                let add = |raster: &Option<ScaledTarget>| match raster {
                    Some((raster, scaling)) => {
                        self.add_beside(reader, plan, raster).map(|at| Source::Blocks(at, *scaling))
                    }
                    None => Ok(Source::Nothing),
                };
                rasters.iter().map(add).collect()
            }
            Rasters::Warped(rasters) => {
                let tiles = plan.tiles(reader)?;
                let windows: Vec<Window> = tiles.iter().filter_map(|tile| plan.window(*tile)).collect();
                let of_blocks = windows.iter().map(Window::pixels).fold(0, u64::saturating_add);
                let add = |raster: &'a Option<Arc<PlannedWarp>>| {
                    let Some(warp) = raster else { return Ok(Source::Nothing) };
                    let of_values = pixels.saturating_mul(BYTES_OF_A_VALUE);
                    self.charge(reader, of_blocks.saturating_mul(warp.pixel_bytes()).saturating_add(of_values))?;
                    let start = self.parts.len();
                    let met = windows.iter().filter(|window| warp.warp.may_meet(**window));
                    self.parts.extend(met.map(|window| Part { warp, window: *window }));
                    Ok(Source::Parts(start..self.parts.len()))
                };
                rasters.iter().map(add).collect()
            }
        }
    }

    /// Adds the read of a raster on the pixels of the first; returns its position.
    fn add_beside(&mut self, reader: &Reader, plan: &PixelPlan, raster: &BesideTarget) -> Result<usize> {
        let none = Window { col_off: 0, row_off: 0, width: 0, height: 0 };
        let window = plan.coverage.window().unwrap_or(none);
        self.charge(reader, MappedValues::byte_len(window))?;
        let values = MappedValues::new(raster.map.pixels(window));
        let tiles = values.tiles(&raster.target.band.tiling());
        let consumer = Gather { tiles, values: Mutex::new(values) };
        self.reads.push(Read { target: Arc::clone(&raster.target), consumer, on_error: plan.on_error });
        Ok(self.reads.len() - 1)
    }

    /// Adds bytes, which DuckDB may copy.
    fn charge(&mut self, reader: &Reader, bytes: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        reader.check_memory(self.bytes.saturating_mul(2), || "the pixels of the rows of a call".to_owned())
    }
}

/// The values of runs, multiplied and increased.
fn gathered(consumer: &Gather, runs: &[Run], (scale, offset): (f64, f64)) -> Vec<Option<f64>> {
    let values = consumer.values.lock().unwrap_or_else(PoisonError::into_inner);
    let values = runs.iter().flat_map(|run| values.run(run.row, run.start, run.end));
    values.map(|value| value.map(|value| value * scale + offset)).collect()
}

/// The values of runs from blocks of the grid.
fn warped<'a>(
    plan: &PixelPlan,
    runs: &[Run],
    blocks: impl Iterator<Item = (&'a PlannedWarp, &'a WarpedBlock)>,
) -> Vec<Option<f64>> {
    let mut starts = Vec::with_capacity(runs.len());
    let mut count = 0;
    for run in runs {
        starts.push(count);
        count += (run.end - run.start) as usize;
    }
    let mut values = vec![None; count];
    let mut numbers = Vec::new();
    for (warp, block) in blocks {
        for part in plan.coverage.within(block.window) {
            let after = runs.partition_point(|run| (run.row, run.start) <= (part.row, part.start));
            let Some(at) = after.checked_sub(1) else { continue };
            let start = starts[at] + (part.start - runs[at].start) as usize;
            let mask = block.run(warp.data_type(), &part, &mut numbers);
            let places = values.iter_mut().skip(start).zip(&numbers).zip(mask);
            places.filter(|(_, mask)| **mask != 0).for_each(|((value, number), _)| *value = Some(*number));
        }
    }
    values
}
