//! Several rasters on the grid of one: values of each at the pixels of a block of the first.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::pixel::{Block, MappedValues, ValueRows};
use rasteret_cog::zonal::Method;
use rasteret_cog::{PixelMap, Run, Window};

use super::Reader;
use super::{BlockConsumer, Read, ResolvedRead, Target};
use crate::Result;
use crate::tiles::Keep;

/// A raster whose values are read on the grid of another.
#[derive(Debug)]
pub struct BesideTarget {
    pub(super) target: Arc<Target>,
    pub(super) map: PixelMap,
    /// Whether its blocks have the pixels of those of the other.
    pub(super) has_same_blocks: bool,
}

/// Its pixels for a block of the other.
#[derive(Debug)]
pub enum BesidePixels {
    /// A block of the same window.
    Block(Block),
    /// Values of the window.
    Values(MappedValues),
}

impl BesideTarget {
    /// The raster `target`, at its level, beside `first`.
    ///
    /// # Errors
    ///
    /// If its grid is neither that of `first` nor a coarser one aligned with it, or if its values are not numbers.
    pub fn new(reader: &Reader, first: &Target, target: Arc<Target>) -> Result<Self> {
        target.band.check_real().map_err(|source| target.fault(source))?;
        let (raster, other) = (first.file.header().raster_info(), target.raster_info());
        let map = PixelMap::new(&raster, first.band.transform(), &other, reader.transforms());
        let map = map.map_err(|source| target.fault(source))?;
        if !map.is_aligned() {
            let what =
                "expected the grid of the first raster, or a coarser one aligned with it, found another".to_owned();
            return Err(target.fault(rasteret_cog::Error::InvalidArgument { what }));
        }
        let tiling = first.band.tiling();
        let has_same_blocks =
            map.is_same_grid((tiling.image_width, tiling.image_height)) && target.band.tiling() == tiling;
        Ok(Self { target, map, has_same_blocks })
    }
}

impl BesidePixels {
    /// Fills a column of `rows` with the values of a run of the block's pixels.
    pub fn fill(&self, column: usize, run: &Run, scaling: (f64, f64), rows: &mut ValueRows) {
        match self {
            Self::Block(block) => rows.fill_from_block(column, block, run, scaling),
            Self::Values(values) => rows.fill_from_values(column, values, run, scaling),
        }
    }
}

/// The pixels that a geometry covers, with the values of several rasters.
#[derive(Debug, Default)]
pub struct PixelTable {
    /// The raster whose pixels they are; None if the row names none that can be read.
    pub grid: Option<Arc<Target>>,
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

impl Reader {
    /// For each row the pixels of its first raster that its geometry covers, with the values of all its rasters. All files of all rows are
    /// read together.
    ///
    /// # Errors
    ///
    /// If a geometry or its CRS is wrong, grids are not aligned, the pixels take more memory than there may be, or a file cannot be
    /// read.
    pub fn pixel_tables(&self, rows: &[Vec<Option<(ResolvedRead<'_>, Method)>>]) -> Result<Vec<PixelTable>> {
        let mut tables = Vec::with_capacity(rows.len());
        let mut reads = Vec::new();
        let mut bytes = 0_u64;
        for rasters in rows {
            let Some((first, method)) = rasters.iter().flatten().next() else {
                tables.push(PixelTable { values: rasters.iter().map(|_| None).collect(), ..PixelTable::default() });
                continue;
            };
            let coverage = first.coverage(self, *method)?;
            let window = coverage.window();
            let pixels = window.map_or(0, |window| window.pixels());
            bytes = bytes.saturating_add(pixels.saturating_mul(BYTES_OF_A_PIXEL));
            for (resolved, _) in rasters.iter().flatten() {
                bytes = bytes.saturating_add(window.map_or(0, MappedValues::byte_len));
                self.check_memory(bytes.saturating_mul(2), || "the pixels of the rows of a call".to_owned())?;
                let beside = BesideTarget::new(self, &first.target, Arc::clone(&resolved.target))?;
                let none = Window { col_off: 0, row_off: 0, width: 0, height: 0 };
                let values = MappedValues::new(beside.map.pixels(window.unwrap_or(none)));
                let tiles = values.tiles(&resolved.target.band.tiling());
                let consumer = Gather { tiles, values: Mutex::new(values) };
                reads.push(Read {
                    target: Arc::clone(&resolved.target),
                    consumer,
                    on_error: resolved.request.on_error,
                });
            }
            let runs = window.map(|window| coverage.within(window).collect()).unwrap_or_default();
            tables.push(PixelTable { grid: Some(Arc::clone(&first.target)), runs, values: Vec::new() });
        }
        let is_read: Vec<bool> = self.read(&reads, Keep::Tiles)?.iter().map(Option::is_some).collect();
        let mut gathered = reads.into_iter().zip(is_read);
        for (rasters, table) in rows.iter().zip(&mut tables).filter(|(_, table)| table.grid.is_some()) {
            for raster in rasters {
                let read = raster.as_ref().and_then(|_| gathered.next()).filter(|(_, is_read)| *is_read);
                table.values.push(read.map(|(read, _)| {
                    let values = read.consumer.values.into_inner().unwrap_or_else(PoisonError::into_inner);
                    let runs = table.runs.iter().flat_map(|run| values.run(run.row, run.start, run.end));
                    runs.copied().collect()
                }));
            }
        }
        Ok(tables)
    }
}

/// Bytes of a pixel in a result: its place, its weight, its list of values.
const BYTES_OF_A_PIXEL: u64 = 56;
