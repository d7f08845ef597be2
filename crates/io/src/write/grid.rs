//! The common grid of windows.

use rasteret_cog::geo::GeoTransform;
use rasteret_cog::tiff::DataType;
use rasteret_cog::write::CogProfile;

use crate::{Error, Result};

/// How far a window may be off the grid, in pixels: rounding of coordinates, but no shift that could be meant.
const TOLERANCE: f64 = 1e-3;

/// Pixels with their place, as `cog_read` returns them.
#[derive(Debug, Clone)]
pub struct PixelWindow<'a> {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Column of the first pixel, which counts without a transform.
    pub col_off: i64,
    /// Row of the first pixel, which counts without a transform.
    pub row_off: i64,
    /// Bands.
    pub bands: u16,
    /// Type of the samples.
    pub dtype: DataType,
    /// The transform of the window's pixel corners.
    pub transform: Option<GeoTransform>,
    /// The CRS.
    pub crs: Option<&'a str>,
    /// The value of invalid pixels.
    pub nodata: Option<f64>,
    /// Samples, band after band, row-major, little-endian.
    pub data: &'a [u8],
    /// A byte per pixel, 0 for invalid ones.
    pub mask: &'a [u8],
}

/// A window in pixels of the common grid, whose origin is the first window's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) col: i64,
    pub(super) row: i64,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The grid of the first window, and the extent of all.
#[derive(Debug)]
pub(super) struct CommonGrid {
    /// Properties that all windows share; its size is the first window's.
    profile: CogProfile,
    first: (i64, i64),
    cols: (i64, i64),
    rows: (i64, i64),
    windows: u64,
}

impl CommonGrid {
    pub(super) fn new(window: &PixelWindow<'_>) -> Self {
        let profile = CogProfile {
            transform: window.transform,
            crs: window.crs.map(str::to_owned),
            nodata: window.nodata,
            ..CogProfile::new(window.width, window.height, window.bands, window.dtype)
        };
        let first = (window.col_off, window.row_off);
        Self { profile, first, cols: (i64::MAX, i64::MIN), rows: (i64::MAX, i64::MIN), windows: 0 }
    }

    /// Places a window on the grid.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a window of another kind or off the grid, which names its number and what differs.
    pub(super) fn place(&mut self, window: &PixelWindow<'_>) -> Result<Placement> {
        self.windows += 1;
        let number = self.windows;
        let invalid = |what: String| Err(Error::InvalidArgument { what: format!("window {number}: {what}") });
        let samples = usize_of(window.width).saturating_mul(usize_of(window.height));
        let bytes = samples.saturating_mul(usize::from(window.bands)).saturating_mul(window.dtype.size());
        if window.width == 0
            || window.height == 0
            || window.bands == 0
            || window.data.len() != bytes
            || window.mask.len() != samples
        {
            let size =
                format!("{} x {} pixels of {} bands of {}", window.width, window.height, window.bands, window.dtype);
            let found = format!("{} and {}", window.data.len(), window.mask.len());
            return invalid(format!(
                "expected data of {bytes} and a mask of {samples} bytes for {size}, found {found}"
            ));
        }
        let first = &self.profile;
        if (window.bands, window.dtype) != (first.bands, first.dtype) {
            return invalid(format!(
                "expected {} bands of {} as in the first window, found {} of {}",
                first.bands, first.dtype, window.bands, window.dtype
            ));
        }
        if window.crs != first.crs.as_deref() {
            let shown = |crs: Option<&str>| crs.map_or_else(|| "none".to_owned(), |crs| crs.chars().take(40).collect());
            return invalid(format!("expected the CRS {}, found {}", shown(first.crs.as_deref()), shown(window.crs)));
        }
        let same = |a: Option<f64>, b: Option<f64>| a.map(f64::to_bits) == b.map(f64::to_bits);
        if !same(window.nodata, first.nodata) {
            return invalid(format!("expected nodata {:?}, found {:?}", first.nodata, window.nodata));
        }
        let (col, row) = match (first.transform, window.transform) {
            (Some(grid), Some(own)) => match offset(&grid, &own, window.width, window.height) {
                Ok(offset) => offset,
                Err(what) => return invalid(what),
            },
            (None, None) => match steps(self.first, (window.col_off, window.row_off)) {
                Ok(offset) => offset,
                Err(what) => return invalid(what),
            },
            (grid, _) => {
                let (expected, found) = if grid.is_some() { ("a", "none") } else { ("no", "one") };
                return invalid(format!("expected {expected} transform as in the first window, found {found}"));
            }
        };
        let placement = Placement { col, row, width: window.width, height: window.height };
        self.cols = (self.cols.0.min(col), self.cols.1.max(col + i64::from(window.width)));
        self.rows = (self.rows.0.min(row), self.rows.1.max(row + i64::from(window.height)));
        Ok(placement)
    }

    /// The profile of the whole raster, and the place of its first pixel on the grid.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a raster of 2^31 or more columns or rows.
    pub(super) fn extent(&self) -> Result<(CogProfile, i64, i64)> {
        let (width, height) = (self.cols.1 - self.cols.0, self.rows.1 - self.rows.0);
        let side = |side: i64| i32::try_from(side).ok().and_then(|side| u32::try_from(side).ok());
        let (Some(columns), Some(lines)) = (side(width), side(height)) else {
            let what =
                format!("expected windows that span less than 2147483648 columns and rows, found {width} x {height}");
            return Err(Error::InvalidArgument { what });
        };
        let profile = CogProfile {
            width: columns,
            height: lines,
            transform: self.profile.transform.map(|transform| {
                #[expect(clippy::cast_precision_loss, reason = "below 2^31")]
                let (c, f) = transform.forward(self.cols.0 as f64, self.rows.0 as f64);
                GeoTransform { c, f, ..transform }
            }),
            ..self.profile.clone()
        };
        Ok((profile, self.cols.0, self.rows.0))
    }
}

/// Columns and rows between the places of two windows.
fn steps(first: (i64, i64), own: (i64, i64)) -> Result<(i64, i64), String> {
    let between = |own: i64, first: i64| own.checked_sub(first).filter(|steps| i32::try_from(*steps).is_ok());
    between(own.0, first.0).zip(between(own.1, first.1)).ok_or_else(|| {
        format!("expected a place within {} pixels of the first window's, {first:?}, found {own:?}", i32::MAX)
    })
}

/// The place of a window on the grid of another.
fn offset(grid: &GeoTransform, own: &GeoTransform, width: u32, height: u32) -> Result<(i64, i64), String> {
    let inverse = grid.inverse().ok_or("expected pixels that have an area")?;
    let at = |col: f64, row: f64| {
        let (x, y) = own.forward(col, row);
        inverse.forward(x, y)
    };
    let (col, row) = at(0.0, 0.0);
    let (far_col, far_row) = at(width.into(), height.into());
    let size = |from: f64, to: f64, size: u32| (to - from - f64::from(size)).abs() <= TOLERANCE;
    let (side_col, side_row) = at(width.into(), 0.0);
    let is_same_grid = size(col, far_col, width)
        && size(row, far_row, height)
        && size(col, side_col, width)
        && (side_row - row).abs() <= TOLERANCE;
    if !is_same_grid {
        let pixels = |transform: &GeoTransform| format!("{:?}", [transform.a, transform.b, transform.d, transform.e]);
        return Err(format!("expected the pixels of the first window {}, found {}", pixels(grid), pixels(own)));
    }
    let whole = |offset: f64| {
        let rounded = offset.round();
        let is_near = (offset - rounded).abs() <= TOLERANCE && rounded.abs() < f64::from(i32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within 31 bits")]
        is_near.then_some(rounded as i64)
    };
    whole(col).zip(whole(row)).ok_or_else(|| {
        format!("expected a place on the grid of the first window, found one {col} columns and {row} rows from it")
    })
}

pub(super) fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
