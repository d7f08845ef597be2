//! Functions that return pixels: windows, rows, and values at points.

mod cog_chip;
mod cog_mosaic;
mod cog_pixels;
mod cog_pixels_scalar;
mod cog_read;
mod cog_value;
mod cog_values;
mod pixel_scan;
mod pixel_sources;
mod windows;

pub(super) use cog_chip::CogChip;
pub(super) use cog_mosaic::CogMosaic;
pub(super) use cog_pixels::CogPixels;
pub(super) use cog_pixels_scalar::CogPixelsScalar;
pub(super) use cog_read::CogRead;
pub(super) use cog_value::CogValue;
pub(super) use cog_values::CogValues;
