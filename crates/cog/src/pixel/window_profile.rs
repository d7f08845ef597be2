//! Profile of a window, as rasterio's `profile`: size, transform and type, before pixels are read.

use super::band::Band;
use crate::geo::GeoTransform;
use crate::geometry::Geometry;
use crate::grid::{Tiling, Window};
use crate::tiff::DataType;
use crate::{Error, Result};

/// Options for reading a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowOptions {
    /// Selects all pixels that the geometry touches, instead of those with their centre inside.
    pub all_touched: bool,
    /// Applies the band's scale and offset.
    pub scaled: bool,
}

/// Properties of a window that are known before its pixels are read.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowProfile {
    /// Position and size in the level.
    pub window: Window,
    /// Affine from pixel corners of the window to native coordinates.
    pub transform: GeoTransform,
    /// Type of the values: that of the band, or `float64` for scaled values.
    pub data_type: DataType,
    /// The nodata value as stored in the file; NaN for scaled values.
    pub nodata: Option<f64>,
    pixels: usize,
    /// Memory for bookkeeping while the window is filled, in bytes.
    pieces_len: u64,
}

impl WindowProfile {
    /// Maximum size of a window's values and mask: the capacity of a DuckDB BLOB, and likely to fit in memory.
    pub const MAX_BYTES: u64 = 1 << 31;

    /// Returns the profile of the window around a geometry in the pixel coordinates of the band's level, or of the
    /// whole image without a geometry. None if the geometry lies outside the image.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the window exceeds [`MAX_BYTES`](Self::MAX_BYTES), [`Error::Unsupported`] for
    /// scaled complex values.
    pub(crate) fn new(band: &Band, geometry: Option<&Geometry>, options: WindowOptions) -> Result<Option<Self>> {
        let tiling = band.tiling();
        let (width, height) = (tiling.image_width, tiling.image_height);
        let window = match geometry {
            None => Some(Window::of_image(width, height)),
            Some(geometry) => geometry.bbox().and_then(|bounds| Window::around(bounds, width, height)),
        };
        window.map(|window| Self::of_window(band, window, options)).transpose()
    }

    /// Returns the profile of a window of the band's level.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub(crate) fn of_window(band: &Band, window: Window, options: WindowOptions) -> Result<Self> {
        let tiling = band.tiling();
        let (data_type, nodata) = if options.scaled {
            band.check_real()?;
            (DataType::Float64, Some(f64::NAN))
        } else {
            (band.data_type(), band.nodata())
        };
        let pixels = checked_pixels(window, data_type, &tiling)?;
        let transform = band.transform().window(window.col_off, window.row_off);
        let pieces_len = u64::try_from(pieces(window, &tiling) * PIECE_BYTES).unwrap_or(u64::MAX);
        Ok(Self { window, transform, data_type, nodata, pixels, pieces_len })
    }

    /// Size of the values in bytes.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.pixels * self.data_type.size()
    }

    /// Size of the mask in bytes.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        self.pixels
    }

    /// Memory needed while the window is filled, in bytes.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        (self.data_len() as u64).saturating_add(self.mask_len() as u64).saturating_add(self.pieces_len)
    }
}

/// The number of pixels of a window, if it fits into memory with its mask and the row pieces of its tiles.
fn checked_pixels(window: Window, data_type: DataType, tiling: &Tiling) -> Result<usize> {
    let bytes = u128::from(window.pixels()) * (data_type.size() as u128 + 1);
    let pieces = pieces(window, tiling);
    if pieces * PIECE_BYTES > u128::from(WindowProfile::MAX_BYTES) / 2 {
        return Err(Error::InvalidArgument {
            what: format!(
                "expected a window of at most {} row segments in tiles, found {pieces} in {} x {} pixels: use a smaller geometry or a \
                 coarser level; cog_pixels and cog_zonal_stats have no limit",
                u128::from(WindowProfile::MAX_BYTES) / 2 / PIECE_BYTES,
                window.width,
                window.height
            ),
        });
    }
    match usize::try_from(window.pixels()) {
        Ok(pixels) if bytes <= u128::from(WindowProfile::MAX_BYTES) => Ok(pixels),
        _ => Err(Error::InvalidArgument {
            what: format!(
                "expected a window of at most {} bytes, found {} x {} pixels of {data_type}, {bytes} bytes: use a smaller geometry or a \
                 coarser level; cog_pixels and cog_zonal_stats have no limit",
                WindowProfile::MAX_BYTES,
                window.width,
                window.height
            ),
        }),
    }
}

/// Size of a row piece in bytes.
const PIECE_BYTES: u128 = size_of::<(&mut [u8], &mut [u8])>() as u128;

/// Number of row pieces: one per row of the window and tile column.
fn pieces(window: Window, tiling: &Tiling) -> u128 {
    let width = tiling.tile_width.max(1);
    let across = (window.col_end().div_ceil(width)).saturating_sub(window.col_off / width);
    u128::from(across) * u128::from(window.height)
}
