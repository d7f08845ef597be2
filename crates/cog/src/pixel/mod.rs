//! Pixel values of bands: blocks, windows and points.
//!
//! ```text
//! Band ── sources(row, col) ──> tiles to fetch and decode: of the data, other planes, the mask
//!      └─ block(row, col, decoded) ──> Block: one band's values and their validity over one tile's part inside the image
//! ```
//!
//! Blocks are the only representation of pixels: a consumer, such as a [`WindowWriter`], statistics or a
//! [`PointSampler`], takes what it needs from a block and drops it.

mod band;
mod block;
mod mapped_blocks;
mod mapped_values;
mod mask;
mod nodata;
mod plane;
mod point_sampler;
mod sample;
mod value_rows;
mod window_profile;
mod window_writer;

pub use band::{Band, Image, TileSource};
pub use block::{Block, Pixel, Pixels, RunVisitor, Visitor};
pub use mapped_values::MappedValues;
pub use mask::{Mask, MaskRule};
pub use nodata::Nodata;
pub use point_sampler::{Interpolation, PointSampler, ValueOptions};
pub use sample::Sample;
pub use value_rows::ValueRows;
pub use window_profile::{WindowOptions, WindowProfile};
pub use window_writer::{WindowBuffers, WindowPart, WindowWriter};

#[cfg(test)]
pub(crate) mod tests;
