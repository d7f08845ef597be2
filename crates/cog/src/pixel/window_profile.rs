//! Size, type and place of a window, before its pixels are read.

use super::band::Band;
use crate::geo::GeoTransform;
use crate::geometry::Geometry;
use crate::grid::{Tiling, Window};
use crate::tiff::DataType;
use crate::{Error, Result};

/// How a window is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowOptions {
    /// Whether all pixels that the geometry touches count; otherwise those whose centre is inside.
    pub all_touched: bool,
    /// Whether values are multiplied by the band's scale, and its offset added.
    pub scaled: bool,
}

/// What is known of a window before its pixels are read.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowProfile {
    /// Where it lies in the level.
    pub window: Window,
    /// Pixel corners of the window to the raster's own coordinates.
    pub transform: GeoTransform,
    /// Type of the values: the band's, or, of scaled ones, `float64`.
    pub data_type: DataType,
    /// The file's nodata as its tag has it; NaN for scaled values.
    pub nodata: Option<f64>,
    pixels: usize,
    /// Bytes of what is kept while it is filled, its pixels aside.
    pieces_len: u64,
}

impl WindowProfile {
    /// Bytes of a window's values and mask: what one DuckDB BLOB can take and a machine is likely to have. More are refused.
    pub const MAX_BYTES: u64 = 1 << 31;

    /// The window of a geometry in the pixel coordinates of the band's level, or, without one, of the whole image. None where the
    /// geometry lies outside the image.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for windows of more than [`MAX_BYTES`](Self::MAX_BYTES), [`Error::Unsupported`] for complex values
    /// that are to be scaled.
    pub(crate) fn new(band: &Band, geometry: Option<&Geometry>, options: WindowOptions) -> Result<Option<Self>> {
        let tiling = band.tiling();
        let (width, height) = (tiling.image_width, tiling.image_height);
        let window = match geometry {
            None => Some(Window::of_image(width, height)),
            Some(geometry) => geometry.bbox().and_then(|bounds| Window::around(bounds, width, height)),
        };
        let Some(window) = window else {
            return Ok(None);
        };
        let (data_type, nodata) = if options.scaled {
            band.check_real()?;
            (DataType::Float64, Some(f64::NAN))
        } else {
            (band.data_type(), band.nodata())
        };
        let pixels = checked_pixels(window, data_type, &tiling)?;
        let transform = band.transform().window(window.col_off, window.row_off);
        let pieces_len = u64::try_from(pieces(window, &tiling) * PIECE_BYTES).unwrap_or(u64::MAX);
        Ok(Some(Self { window, transform, data_type, nodata, pixels, pieces_len }))
    }

    /// Bytes of the values.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.pixels * self.data_type.size()
    }

    /// Bytes of the mask.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        self.pixels
    }

    /// Bytes that the window takes while it is filled.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        (self.data_len() as u64).saturating_add(self.mask_len() as u64).saturating_add(self.pieces_len)
    }
}

/// How many pixels a window has, if they can be held: with the mask, and the pieces of rows that tiles write to.
fn checked_pixels(window: Window, data_type: DataType, tiling: &Tiling) -> Result<usize> {
    let bytes = u128::from(window.pixels()) * (data_type.size() as u128 + 1);
    let pieces = pieces(window, tiling);
    if pieces * PIECE_BYTES > u128::from(WindowProfile::MAX_BYTES) / 2 {
        return Err(Error::InvalidArgument {
            what: format!(
                "expected a window of at most {} pieces of rows in tiles, found {pieces} in {} x {} pixels: a smaller geometry or a \
                 coarser level fits, and cog_pixels and cog_zonal_stats take any size",
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
                "expected a window of at most {} bytes, found {} x {} pixels of {data_type}, {bytes} bytes: a smaller geometry or a \
                 coarser level fits, and cog_pixels and cog_zonal_stats take any size",
                WindowProfile::MAX_BYTES,
                window.width,
                window.height
            ),
        }),
    }
}

/// Bytes of a piece of a row.
const PIECE_BYTES: u128 = size_of::<(&mut [u8], &mut [u8])>() as u128;

/// Pieces that the rows of a window have, one in each tile.
fn pieces(window: Window, tiling: &Tiling) -> u128 {
    let width = tiling.tile_width.max(1);
    let across = (window.col_end().div_ceil(width)).saturating_sub(window.col_off / width);
    u128::from(across) * u128::from(window.height)
}
