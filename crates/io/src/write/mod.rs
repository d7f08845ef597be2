//! Windows of pixels written as one cloud-optimized GeoTIFF.
//!
//! ```text
//! windows, in any order ── CogWriter::push ──> unnamed temporary file of pixels
//!                       ── CogWriter::finish: row of tiles by row of tiles ──> unnamed temporary file of encoded tiles
//!                                             head, tiles ──> temporary file ── rename, or multipart upload ──> target
//! ```
//!
//! The grid of the file is that of the first window, and reaches as far as the windows do. A row of tiles of each level is
//! in memory at a time. The target is replaced only once the new file is complete.

mod cog_writer;
mod grid;
mod spool;
mod target;

pub use cog_writer::{CogDescription, CogWriter, WrittenCog};
pub use grid::PixelWindow;
