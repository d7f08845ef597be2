//! Encoding of cloud-optimized GeoTIFFs (OGC COG 1.0, GDAL's COG driver): no I/O.
//!
//! ```text
//! rows of pixels ── Pyramid ──> rows of tiles of each level ── TileEncoder ──> encoded tiles, which the caller stores
//! CogProfile, CogOptions, sizes of the encoded tiles ── CogLayout ──> head of the file, order of the tiles behind it
//! ```
//!
//! The head holds the ghost area that announces the layout to GDAL, then all IFDs. The tiles follow: those of the
//! smallest overview first, the full resolution last, each between its size and a copy of its last four bytes.
//!
//! Overviews are built from the level before, while rows arrive: a level holds one row of tiles and three rows of pixels.

mod geo_tags;
mod halve;
mod layout;
mod levels;
mod number;
mod options;
mod overview;
mod profile;
mod pyramid;
#[cfg(test)]
mod tests;
mod tile_encoder;

pub use layout::{CogLayout, EncodedTile};
pub use levels::LevelSize;
pub use options::{BigTiff, CogOptions, OverviewResampling, PredictorChoice};
pub use profile::CogProfile;
pub use pyramid::{Pyramid, TileRow};
pub use tile_encoder::TileEncoder;
