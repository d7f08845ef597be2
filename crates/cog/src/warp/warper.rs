//! Resamples a band to the blocks of a grid.

use half::f16;

use super::block::{BLOCK, WarpBlock};
use super::grid::TargetGrid;
use super::patch::{Output, Patch, SourcePixels, WarpSample, WarpedBlock};
use super::positions::Positions;
use super::resampling::{Resampling, unsupported};
use super::scale::KernelScale;
use super::source_map::{Copied, SourceMap};
use super::{area, kernel};
use crate::codec::Samples;
use crate::crs::Transforms;
use crate::grid::Window;
use crate::header::RasterInfo;
use crate::pixel::{Band, Nodata, WindowOptions};
use crate::tiff::DataType;
use crate::{Error, Result};

/// Source pixels that a block may need before it is split.
const SOURCE_PIXELS: u64 = 1 << 22;

/// Source pixels that a single target pixel may need.
const MAX_SOURCE_PIXELS: u64 = 1 << 24;

/// Resamples one band of one level to a window of a grid.
#[derive(Debug)]
pub struct Warp {
    pub(super) map: SourceMap,
    pub(super) method: Resampling,
    pub(super) scale: KernelScale,
    pub(super) data_type: DataType,
    pub(super) nodata_tag: Option<f64>,
    /// The nodata value, which interpolated values must not equal.
    pub(super) nodata: Option<Nodata>,
    /// Bytes of an invalid pixel.
    pub(super) fill: Vec<u8>,
    pub(super) scaled: bool,
}

impl Warp {
    /// Side of the blocks in which a target is resampled.
    pub const BLOCK: u32 = BLOCK;

    /// Prepares the resampling of a band to `window` of a grid. `source` is the size and georeferencing of the band's level.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where no transformation between the CRSs is known to be right, or where one has a CRS and the other
    /// none; [`Error::Unsupported`] for complex samples, unless the method is [`Resampling::Nearest`] and values are not scaled.
    pub fn new(
        band: &Band,
        source: &RasterInfo,
        (grid, window): (&TargetGrid, Window),
        (method, scaled): (Resampling, bool),
        transforms: &Transforms,
    ) -> Result<Self> {
        let map = SourceMap::new(grid, source, transforms)?;
        if method != Resampling::Nearest || scaled {
            band.check_real()?;
        }
        let data_type = if scaled { DataType::Float64 } else { band.data_type() };
        // On the source's own pixels, every method copies; this one copies bits.
        let method = if map.is_translation() { Resampling::Nearest } else { method };
        let scale = match method {
            Resampling::Bilinear | Resampling::Cubic => KernelScale::new(&map, window),
            _ => KernelScale::ONE,
        };
        Ok(Self {
            fill: band.fill_bytes(data_type, scaled),
            nodata: band.sample_nodata().filter(|_| !scaled),
            nodata_tag: if scaled { Some(f64::NAN) } else { band.nodata() },
            map,
            method,
            scale,
            data_type,
            scaled,
        })
    }

    /// Type of the values: that of the band, or `float64` for scaled values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The nodata value as stored in the file; NaN for scaled values.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.nodata_tag
    }

    /// Bytes of an invalid pixel: nodata, or 0.
    #[must_use]
    pub fn fill(&self) -> &[u8] {
        &self.fill
    }

    /// Options with which the source windows are to be read.
    #[must_use]
    pub fn window_options(&self) -> WindowOptions {
        WindowOptions { scaled: self.scaled, all_touched: false }
    }

    /// Memory for the source pixels of a block, in bytes.
    #[must_use]
    pub fn source_bytes(&self, block: &WarpBlock) -> u64 {
        let pixels: u64 = block.sources.iter().map(Window::pixels).sum();
        let corners = (u64::from(block.window.width) + 1).saturating_mul(u64::from(block.window.height) + 1);
        let positions = corners.saturating_mul(2 * size_of::<f64>() as u64);
        pixels.saturating_mul(self.data_type.size() as u64 + 1).saturating_add(positions)
    }

    /// The blocks of a window of the target, row by row.
    pub fn blocks(window: Window) -> impl Iterator<Item = Window> {
        Self::blocks_of(window, BLOCK)
    }

    /// The blocks of a size of a window of the target, row by row.
    pub fn blocks_of(window: Window, side: u32) -> impl Iterator<Item = Window> {
        let side = side.max(1);
        let step = side as usize;
        let rows = (window.row_off..window.row_end()).step_by(step);
        rows.flat_map(move |row_off| {
            let cols = (window.col_off..window.col_end()).step_by(step);
            cols.filter_map(move |col_off| Window { col_off, row_off, width: side, height: side }.intersection(&window))
        })
    }

    /// Whether a window of the target may meet the source: false only if it certainly does not.
    #[must_use]
    pub fn may_meet(&self, window: Window) -> bool {
        self.map.may_meet(window)
    }

    /// The parts of the source that a block of the target needs. A block that needs much is split.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a single target pixel needs too many source pixels, or if the corners of too many target pixels are
    /// undefined or far apart in the source.
    pub fn plan(&self, block: Window) -> Result<Vec<WarpBlock>> {
        let mut planned = Vec::new();
        let mut left = vec![block];
        while let Some(window) = left.pop() {
            let block = self.plan_one(window)?;
            let pixels: u64 = block.sources.iter().map(Window::pixels).sum();
            let is_single = window.width == 1 && window.height == 1;
            if pixels <= SOURCE_PIXELS || (is_single && pixels <= MAX_SOURCE_PIXELS) {
                planned.push(block);
            } else if is_single {
                return Err(Error::InvalidArgument {
                    what: format!(
                        "grid: expected target pixels of at most {MAX_SOURCE_PIXELS} source pixels, found one of {pixels}: level: 'auto' \
                         reads overviews, where the file has them"
                    ),
                });
            } else {
                left.extend(quarters(window).into_iter().rev());
            }
        }
        Ok(planned)
    }

    /// Source positions of the pixels of a block, or of their corners.
    ///
    /// They are computed twice, to plan a block and to resample it: that takes less time than to keep those of all blocks of a group,
    /// which do not fit into the processor's caches.
    pub(super) fn positions(&self, window: Window) -> Positions {
        self.map.positions(window, self.method.is_of_area(), self.method == Resampling::Nearest)
    }

    fn plan_one(&self, window: Window) -> Result<WarpBlock> {
        let positions = self.positions(window);
        let reach = self.scale.reach(self.method);
        let sources = positions.windows(&self.map, window, reach, self.method.is_of_area())?;
        Ok(WarpBlock { window, sources })
    }

    /// Resamples a block, given the pixels of its [`sources`](WarpBlock::sources), in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for sample types that cannot be resampled; and those of [`plan`](Self::plan).
    pub fn resample(&self, block: &WarpBlock, sources: &[SourcePixels]) -> Result<WarpedBlock> {
        dispatch(self, block, sources)
    }

    /// [`resample`](Self::resample) for one sample type.
    fn run<T: WarpSample>(&self, block: &WarpBlock, patches: &[Patch<'_, T>], fill: &[u8]) -> Result<WarpedBlock> {
        let mut output = Output::<T>::new(block.window, self.nodata.and_then(T::held), fill);
        let positions = self.positions(block.window);
        if self.method.is_of_area() {
            area::resample(&self.map, self.method, (block.window, &positions), patches, &mut output)?;
        } else {
            kernel::resample(self.scale, self.method, &positions, patches, &mut output);
        }
        Ok(output.finish())
    }
}

impl Warp {
    /// How a window is copied, if target pixels are source pixels. Invalid pixels have yet to be filled.
    #[must_use]
    pub fn copied(&self, window: Window) -> Copied {
        self.map.copied(window)
    }

    /// The same without the pixels that lie 360 degrees away.
    #[must_use]
    pub fn without_turns(mut self) -> Self {
        self.map.turn = None;
        self
    }
}

/// A window split in halves along the axes that have more than one pixel.
fn quarters(window: Window) -> Vec<Window> {
    let halves = |start: u32, size: u32| {
        let first = size.div_ceil(2);
        [(start, first), (start + first, size - first)]
    };
    let rows = halves(window.row_off, window.height);
    let cols = halves(window.col_off, window.width);
    let all = rows.into_iter().flat_map(|row| cols.into_iter().map(move |col| (row, col)));
    let windows = all.map(|((row_off, height), (col_off, width))| Window { col_off, row_off, width, height });
    windows.filter(|window| window.pixels() > 0).collect()
}

/// Resamples samples of any type.
fn dispatch(warp: &Warp, block: &WarpBlock, sources: &[SourcePixels]) -> Result<WarpedBlock> {
    match warp.data_type() {
        DataType::Uint8 => run::<u8>(warp, block, sources),
        DataType::Uint16 => run::<u16>(warp, block, sources),
        DataType::Uint32 => run::<u32>(warp, block, sources),
        DataType::Uint64 => run::<u64>(warp, block, sources),
        DataType::Int8 => run::<i8>(warp, block, sources),
        DataType::Int16 => run::<i16>(warp, block, sources),
        DataType::Int32 => run::<i32>(warp, block, sources),
        DataType::Int64 => run::<i64>(warp, block, sources),
        DataType::Float16 => halves(warp, block, sources),
        DataType::Float32 => run::<f32>(warp, block, sources),
        DataType::Float64 => run::<f64>(warp, block, sources),
        DataType::Complex64 => run::<[f32; 2]>(warp, block, sources),
        DataType::Complex128 => run::<[f64; 2]>(warp, block, sources),
        other => Err(unsupported(other)),
    }
}

fn run<T: WarpSample>(warp: &Warp, block: &WarpBlock, sources: &[SourcePixels]) -> Result<WarpedBlock> {
    let patches = sources.iter().map(Patch::<T>::of).collect::<Result<Vec<_>>>()?;
    warp.run(block, &patches, &warp.fill)
}

/// Half floats are resampled as singles.
fn halves(warp: &Warp, block: &WarpBlock, sources: &[SourcePixels]) -> Result<WarpedBlock> {
    let singles = sources.iter().map(|source| {
        let Samples::Float16(bits) = &source.samples else {
            return Err(unsupported(source.samples.data_type()));
        };
        Ok(bits.iter().map(|bits| f16::from_bits(*bits).to_f32()).collect())
    });
    let singles: Vec<Vec<f32>> = singles.collect::<Result<_>>()?;
    let patches: Vec<Patch<'_, f32>> = sources
        .iter()
        .zip(&singles)
        .map(|(source, samples)| Patch::new(source.window, samples, &source.mask))
        .collect();
    let fill = <[u8; 2]>::try_from(warp.fill()).map_or(0.0, |bytes| f16::from_le_bytes(bytes).to_f32());
    let block = warp.run(block, &patches, &fill.to_le_bytes())?;
    let (values, _) = block.data.as_chunks::<4>();
    let data = values.iter().flat_map(|bytes| f16::from_f32(f32::from_le_bytes(*bytes)).to_le_bytes()).collect();
    Ok(WarpedBlock { data, ..block })
}
