//! Chips: several rasters on one grid of a fixed size, as single floats.
//!
//! ```text
//! ChipRow ── lattice of the first source ──> grid of the size ── a warp per band ── group within the memory limit ──> f32, NaN or fill
//! ```

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rasteret_cog::geo::BBox;
use rasteret_cog::pixel::WindowBuffers;
use rasteret_cog::warp::{TargetGrid, to_singles};

use super::place::{RowGeometry, argument};
use super::{GridChoice, PlannedWarp, ReadRequest, Reader, ResolvedRead, SourceBand, WarpOptions};
use crate::{Error, Result};

/// Default width and height of a chip around a point.
const SIZE: u32 = 256;

/// Distance in pixels within which a coordinate is on an edge, regardless of rounding.
const ON_EDGE: f64 = 1e-6;

/// A row whose sources become a chip.
#[derive(Debug)]
pub struct ChipRow<'a> {
    /// The bands, in order; None for those of a source that is NULL or cannot be read. The first one that is not None has the geometry.
    pub bands: Vec<Option<SourceBand<'a>>>,
    /// The grid; None for that of the first source.
    pub grid: Option<GridChoice>,
    /// Width and height; None for the pixels under the geometry, or the default around a point.
    pub size: Option<(u32, u32)>,
    /// The value of invalid pixels.
    pub fill: f32,
}

/// A chip that is about to be read.
#[derive(Debug)]
pub struct PlannedChip {
    /// Its pixels.
    pub grid: Arc<TargetGrid>,
    bands: Vec<Option<PlannedWarp>>,
    fill: f32,
}

impl PlannedChip {
    /// The number of bands.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The number of values of a band.
    fn band_len(&self) -> usize {
        self.grid.width as usize * self.grid.height as usize
    }

    /// The number of values of all bands.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.band_len() * self.bands.len()
    }
}

impl Reader {
    /// The chips of rows; None for None, without a band that can be read, and where the geometry is empty or not defined in the CRS of
    /// the grid. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry, its CRS or the grid is wrong, or the chips take more memory than there may be.
    pub fn plan_chips(&self, rows: Vec<Option<ChipRow<'_>>>) -> Result<Vec<Option<PlannedChip>>> {
        let grids = self.of_rows(&rows, |row| match row.bands.iter().flatten().next() {
            Some(first) => self.chip_grid(&first.resolved, row.grid.as_ref(), row.size),
            None => Ok(None),
        })?;
        let (mut chips, mut warps) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut values = 0_u64;
        for (row, grid) in rows.into_iter().zip(grids) {
            let (Some(row), Some(Some(grid))) = (row, grid) else {
                chips.push(None);
                continue;
            };
            let pixels = u64::from(grid.width) * u64::from(grid.height);
            values = values.saturating_add(pixels.saturating_mul(row.bands.len() as u64));
            chips.push(Some((Arc::clone(&grid), row.bands.len(), row.fill)));
            // As in boundless windows, nothing lies beyond the sides of a raster on its own grid.
            let turns = row.grid.is_some();
            warps.extend(row.bands.into_iter().map(|band| {
                let SourceBand { resolved, resampling, auto_level, scaled } = band?;
                let grid = GridChoice::Grid(Arc::clone(&grid));
                let request = ReadRequest { geometry: None, ..resolved.request };
                let options = WarpOptions { grid, resampling, auto_level, scaled, all_touched: false, turns };
                Some((ResolvedRead { request, ..resolved }, options))
            }));
        }
        // DuckDB copies the result of a constant call, and fields taken out of a STRUCT.
        self.check_memory(values.saturating_mul(2 * size_of::<f32>() as u64), || {
            format!("the chips of {} rows, which DuckDB may copy,", chips.iter().flatten().count())
        })?;
        let mut warps = self.plan_warps(warps)?.into_iter();
        let planned = chips.into_iter().map(|chip| {
            let (grid, count, fill) = chip?;
            Some(PlannedChip { grid, bands: warps.by_ref().take(count).collect(), fill })
        });
        let planned: Vec<_> = planned.collect();
        // A band is read in the type of its raster before it is converted.
        let bands = planned.iter().flatten().flat_map(|chip| chip.bands.iter().flatten());
        let largest = bands.map(PlannedWarp::byte_len).max().unwrap_or(0);
        self.check_memory(values.saturating_mul(2 * size_of::<f32>() as u64).saturating_add(largest), || {
            format!(
                "the chips of {} rows, which DuckDB may copy, and a band of {largest} bytes",
                planned.iter().flatten().count()
            )
        })?;
        Ok(planned)
    }

    /// The grid of a chip; None where the geometry is empty, or not defined in the CRS of the grid.
    fn chip_grid(
        &self,
        resolved: &ResolvedRead<'_>,
        choice: Option<&GridChoice>,
        size: Option<(u32, u32)>,
    ) -> Result<Option<Arc<TargetGrid>>> {
        let lattice = self.lattice(resolved, choice)?;
        let Some(row) = RowGeometry::of(resolved)? else { return Ok(None) };
        let transform = row.transform(self, lattice.crs.as_deref())?;
        // Of points that are not defined there, other functions have no value either.
        let Ok(Some(bounds)) = lattice.bounds(&row.geometry, transform.as_ref()) else { return Ok(None) };
        let is_point = row.geometry.lines.is_empty() && row.geometry.polygons.is_empty();
        let (start, size) = placed(&bounds, size.or_else(|| is_point.then_some((SIZE, SIZE))));
        lattice.at(start, size).map(|grid| Some(Arc::new(grid))).map_err(argument)
    }

    /// Writes the values of chips, one after the other, to `values`. Returns the number of valid ones of each.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or a valid integer is too large for a single float.
    pub fn fill_chips(&self, chips: &[&PlannedChip], values: &mut [f32]) -> Result<Vec<usize>> {
        let mut valid = vec![0; chips.len()];
        let mut bands = Vec::new();
        let mut rest = values;
        for (at, chip) in chips.iter().enumerate() {
            for band in &chip.bands {
                let (values, others) = rest.split_at_mut_checked(chip.band_len()).unwrap_or_default();
                rest = others;
                match band {
                    Some(warp) => bands.push(OutputBand { at, warp, fill: chip.fill, values }),
                    None => values.fill(chip.fill),
                }
            }
        }
        // As many as possible, since chips share tiles.
        let room = self.memory().of_coverage() / 2;
        let mut bands = bands.into_iter().peekable();
        while bands.peek().is_some() {
            let mut bytes = 0_u64;
            let mut group = Vec::new();
            let fits = |band: &OutputBand<'_>, bytes: u64| bytes == 0 || bytes.saturating_add(band.byte_len()) <= room;
            while let Some(band) = bands.next_if(|band| fits(band, bytes)) {
                bytes += band.byte_len();
                group.push(band);
            }
            for (at, count) in self.fill_bands(group)? {
                valid[at] += count;
            }
        }
        Ok(valid)
    }

    /// Reads bands together and converts them. Returns the number of valid values of each, with the position of its chip.
    fn fill_bands(&self, bands: Vec<OutputBand<'_>>) -> Result<Vec<(usize, usize)>> {
        let lengths = bands.iter().map(|band| (band.warp.data_len(), band.warp.mask_len()));
        let mut pixels: Vec<_> = lengths.map(|(data, mask)| (vec![0; data], vec![0; mask])).collect();
        let warps: Vec<&PlannedWarp> = bands.iter().map(|band| band.warp).collect();
        let buffers = pixels.iter_mut().map(|(data, mask)| WindowBuffers { data, mask }).collect();
        let are_read = self.fill_warps(&warps, buffers)?;
        let fault: OnceLock<Error> = OnceLock::new();
        let bands: Vec<_> = bands.into_iter().map(|band| Mutex::new((band, 0))).collect();
        self.for_each(bands.len(), |at| {
            let mut band = bands[at].lock().unwrap_or_else(PoisonError::into_inner);
            let (OutputBand { warp, fill, values, .. }, valid) = &mut *band;
            if !are_read[at] {
                values.fill(*fill);
                return;
            }
            let (data, mask) = &pixels[at];
            match to_singles(warp.data_type(), data, mask, *fill, values) {
                Ok(count) => *valid = count,
                Err(source) => {
                    let _ = fault.set(warp.target.fault(source));
                }
            }
        })?;
        let counts = bands.into_iter().map(|band| {
            let (band, count) = band.into_inner().unwrap_or_else(PoisonError::into_inner);
            (band.at, count)
        });
        fault.into_inner().map_or_else(|| Ok(counts.collect()), Err)
    }
}

/// A band of a chip, and the memory of its values.
struct OutputBand<'a> {
    /// The position of the chip.
    at: usize,
    warp: &'a PlannedWarp,
    fill: f32,
    values: &'a mut [f32],
}

impl OutputBand<'_> {
    /// Memory for its pixels as read, in bytes.
    fn byte_len(&self) -> u64 {
        self.warp.byte_len()
    }
}

/// The first pixel and the size of a chip: of a size, with the pixel that contains the centre of the bounds in the middle, or else the
/// pixels within the bounds.
fn placed(bounds: &BBox, size: Option<(u32, u32)>) -> ((f64, f64), (u32, u32)) {
    let snapped = |place: f64| if (place - place.round()).abs() <= ON_EDGE { place.round() } else { place };
    let around = |min: f64, max: f64, size: u32| snapped(f64::midpoint(min, max)).floor() - f64::from(size / 2);
    if let Some((width, height)) = size {
        let start = (around(bounds.xmin, bounds.xmax, width), around(bounds.ymin, bounds.ymax, height));
        return (start, (width, height));
    }
    let within = |min: f64, max: f64| {
        let start = snapped(min).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
        let length = (snapped(max).ceil() - start).max(1.0) as u32;
        (start, length)
    };
    let ((col, width), (row, height)) = (within(bounds.xmin, bounds.xmax), within(bounds.ymin, bounds.ymax));
    ((col, row), (width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let bounds = |xmin, ymin, xmax, ymax| BBox { xmin, ymin, xmax, ymax };
        let point = bounds(10.5, 20.0 - 1e-9, 10.5, 20.0 - 1e-9);
        assert_eq!(placed(&point, Some((4, 5))), ((8.0, 18.0), (4, 5)));
        assert_eq!(placed(&point, Some((1, 1))), ((10.0, 20.0), (1, 1)));
        let area = bounds(-3.0 + 1e-9, 2.5, 5.0 - 1e-9, 4.0);
        assert_eq!(placed(&area, None), ((-3.0, 2.0), (8, 2)));
        // The pixels of an aligned box have the place of its size.
        assert_eq!(placed(&bounds(100.0, 50.0, 356.0, 306.0), Some((256, 256))), ((100.0, 50.0), (256, 256)));
        assert_eq!(placed(&bounds(100.0, 50.0, 105.0, 53.0), Some((5, 3))), ((100.0, 50.0), (5, 3)));
    }
}
