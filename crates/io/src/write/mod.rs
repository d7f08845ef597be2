//! Windows of pixels written as one cloud-optimized GeoTIFF.
//!
//! ```text
//! windows, in any order ── CogWriter::push ──> file of pixels without a name
//!                       ── CogWriter::finish: row of tiles by row of tiles ──> encoded tiles, a file without a name
//!                                             head, tiles ──> temporary file ── rename, or multipart upload ──> target
//! ```
//!
//! The grid of the file is that of the first window, and reaches as far as the windows do. Memory holds a row of tiles of
//! each level. A target has its old content, or none, until it has all of the new one.

mod cog_writer;
mod grid;
mod spool;
mod target;

pub use cog_writer::{CogDescription, CogWriter, WrittenCog};
pub use grid::PixelWindow;
