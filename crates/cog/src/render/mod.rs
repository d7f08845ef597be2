//! Pictures of rasters: values of bands stretched to 8 bits, coloured, and encoded as PNG.
//!
//! ```text
//! preview_grid, MapTile ──> TargetGrid ── resampled ──> BandPixels ── Stretch ──> Range ──┐
//!                                                           └──────────── Colors ─────────┴──> Picture ──> PNG
//! ```
//!
//! | bands | colours |
//! |---|---|
//! | one | grey, a [`Colormap`], or the file's colour table |
//! | three | red, green and blue |
//! | four | red, green, blue and opacity |

mod colormap;
mod frame;
mod picture;
mod stretch;
mod values;

pub use colormap::Colormap;
pub use frame::{MAX_PREVIEW_SIZE, MAX_TILE_SIZE, MapTile, preview_grid};
pub use picture::{Colors, Picture};
pub use stretch::{BandPixels, Range, Stretch};

#[cfg(test)]
mod tests;
