//! Reads pixels for many rows at once: each distinct tile is fetched and decoded once for all of them.
//!
//! ```text
//! ReadRequest (a row) ── prepare ──> Target ── coverage ──> Coverage ── Zone: BlockConsumer ─┐
//! …                                                                                          ├── distinct blocks ──> parts of each BlockConsumer,
//! ReadRequest (a row) ── prepare ──> Target ── coverage ──> Coverage ── Zone: BlockConsumer ─┘                       in the order of its tiles
//! ```
//!
//! Blocks arrive in any order and on several threads. The parts of a read are kept apart and merged in the order of its
//! tiles, so that results do not depend on scheduling.
//!
//! An error of a file fails the call, unless the row's `on_error` makes the row NULL. Other rows that share blocks with
//! it are not affected: an error belongs to the blocks that could not be made.

mod chip;
mod color_tables;
mod consumer;
mod coverage_cache;
mod grid_stream;
mod histograms;
mod mapped;
mod mask;
mod masks_ahead;
mod mosaic;
mod palette;
mod picture;
mod picture_pixels;
mod picture_ranges;
mod pixel_plan;
mod pixel_table;
mod place;
mod raster_band;
mod reader;
mod request;
mod resample;
mod statistics;
mod stretches;
mod value;
mod warp;
mod warp_stream;
mod window;

pub use chip::{ChipRow, PlannedChip};
pub use consumer::{BlockConsumer, Read};
pub use grid_stream::{GridStream, GridTile};
pub use mapped::{BesidePixels, BesideTarget};
pub use mask::{MaskSource, WeightSource};
pub use mosaic::{MosaicRow, PlannedMosaic};
pub use picture::{Frame, PictureOptions, PictureRow};
pub use picture_pixels::PictureSource;
pub use pixel_plan::{PixelPlan, PixelRow, PixelStream};
pub use pixel_table::PixelTable;
pub use place::GridChoice;
pub use reader::Reader;
pub use request::{LevelChoice, OrNull, ReadRequest, ResolvedRead, Target};
pub use statistics::ZoneOptions;
pub use warp::{PlannedWarp, SourceBand, WarpOptions};
pub use window::{PlannedWindow, StartedWindows};
