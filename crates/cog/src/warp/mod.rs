//! Resampling of a raster to another grid.
//!
//! ```text
//! TargetGrid ── block ── SourceMap ──> positions in the source ──> source windows ── read ──> SourcePixels
//!                                                └───────────────── kernel or shares ───────────────┴──> WarpedBlock
//! ```
//!
//! | method | value of a target pixel |
//! |---|---|
//! | nearest | the source pixel that contains the target pixel's centre |
//! | bilinear, cubic | the source pixels around the centre, weighted as in GDAL's warper; kernels are widened for coarser targets |
//! | average | the source pixels under the target pixel, each weighted by the exact share that it covers |
//! | mode | the value that covers the largest share; the smaller value on a tie |
//! | min, max | the smallest or largest of the values under the target pixel |
//!
//! Invalid pixels never contribute. The kernels have no value where the pixel that contains the centre is invalid, and `cubic` is
//! `bilinear` where one of its sixteen pixels is invalid or outside, both as in GDAL.
//!
//! Positions are exact to far less than a millionth of a pixel: polynomials replace the projection only where they agree with it
//! ([`positions`]), and positions near the edge of a pixel are projected exactly. Longitudes that differ by 360 degrees are the same location.

mod area;
mod block;
mod grid;
mod kernel;
mod mosaic;
mod patch;
mod positions;
mod quadrilaterals;
mod resampling;
mod scale;
mod source_map;
mod values;
mod warper;
mod window;

pub use block::WarpBlock;
pub use grid::TargetGrid;
pub use mosaic::Composite;
pub use patch::{SourcePixels, WarpedBlock, clear_outside, fill_invalid, fill_values};
pub use resampling::Resampling;
pub use scale::level_for_grid;
pub use source_map::Copied;
pub use values::to_singles;
pub use warper::Warp;

#[cfg(test)]
mod tests;
