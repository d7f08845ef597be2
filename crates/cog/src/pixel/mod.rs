//! From decoded tiles to the values that a question asks for.
//!
//! ```text
//! Band ── sources(row, col) ──> tiles to fetch and decode: the data's, other planes', the mask's
//!      └─ block(row, col, decoded) ──> Block: one band's values and their validity over one tile's part inside the image
//! ```
//!
//! A block is all that is ever held of an image: what consumes one (a window that is filled, statistics, a neighbourhood)
//! takes the part that it needs and lets it go.

mod band;
mod block;
mod mapped_values;
mod mask;
mod nodata;
mod plane;
mod point_sampler;
mod sample;
mod window_profile;
mod window_writer;

pub use band::{Band, Image, TileSource};
pub use block::{Block, Pixel, Pixels, RunVisitor, Visitor};
pub use mapped_values::MappedValues;
pub use mask::{Mask, MaskRule};
pub use nodata::Nodata;
pub use point_sampler::{PointSampler, Resampling, ValueOptions};
pub use sample::Sample;
pub use window_profile::{WindowOptions, WindowProfile};
pub use window_writer::{WindowBuffers, WindowPart, WindowWriter};

#[cfg(test)]
pub(crate) mod tests;
