//! Reads pixels for many rows at once: each distinct tile is fetched and decoded once for all of them.
//!
//! ```text
//! ReadRequest (a row) ── prepare ──> Target: Band, GeometryProjector ── zone ──> Coverage ──> BlockConsumer ─┐
//! …                                                                            ├── distinct blocks ──> parts of each BlockConsumer,
//! ReadRequest (a row) ── prepare ──> Target: Band, GeometryProjector ── zone ──> Coverage ──> BlockConsumer ─┘   in the order of its tiles
//! ```
//!
//! Blocks come in any order and on several threads; what each gives to a question is kept apart and put together in the order
//! of tiles, so that an answer does not depend on who was first.
//!
//! An error of a file fails the call, unless the question's `on_error` makes its row NULL. Blocks that it shares with other questions, and
//! those questions, are unaffected: an error belongs to the blocks that it keeps from being made.

mod consumer;
mod mapped;
mod mask;
mod masks_ahead;
mod raster_band;
mod reader;
mod request;
mod statistics;
mod value;
mod window;
mod zone;

pub use consumer::{BlockConsumer, Read};
pub use mapped::{BesidePixels, BesideTarget, PixelTable};
pub use mask::{MaskSource, WeightSource};
pub use reader::Reader;
pub use request::{LevelChoice, OrNull, ReadRequest, ResolvedRead, Target};
pub use statistics::ZoneOptions;
pub use window::{PlannedWindow, StartedWindows};
