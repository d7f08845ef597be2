//! Cloud-optimized GeoTIFF: headers, grids and plans. **No I/O**: no async, no files, no clock, no environment.
//!
//! Bytes come in through [`HeaderDecoder::push`], and what is missing comes out as
//! [`DecodeResult::NeedsData`]; fetching is the caller's.
//!
//! # Untrusted input
//!
//! Every entry point takes hostile bytes: it returns an [`Error`], and neither panics, loops, nor allocates out of
//! proportion to the bytes it was given. Counts that a file declares pass [`Limits`] before anything is allocated.

#![forbid(unsafe_code)]

mod coalesce;
pub mod codec;
mod cover;
pub mod coverage;
pub mod crs;
mod decoder;
mod error;
mod footprint;
mod frame;
pub mod geo;
mod geometry;
mod grid;
mod header;
mod ifds;
mod info;
mod level;
mod limits;
mod major_tom;
pub mod pixel;
mod plan;
mod role;
mod split;
pub mod tiff;
mod view;

pub use coalesce::CoalesceConfig;
pub use cover::{TileSpan, Tiling};
pub use decoder::{DecodeResult, HeaderDecoder};
pub use error::{Error, Place, Result};
pub use footprint::Footprint;
pub use frame::{Bands, Frame, NATIVE};
pub use geometry::{Corners, EncodedGeometry, Geometry, ParsedGeometry};
pub use grid::{LevelShape, OPEN_END, Tile, TileAddress, TileGrid, TileLayout};
pub use header::{CogHeader, Encoding, Level};
pub use ifds::{IfdDecoder, IfdInfo, MAX_BYTES_SHOWN, MAX_NUMBERS_SHOWN, MAX_TEXT_SHOWN, TagInfo};
pub use info::{Color, FileInfo, InfoDecoder};
pub use limits::Limits;
pub use major_tom::MajorTomCell;
pub use plan::{DEFAULT_CRS, TilePlan};
pub use role::Role;
pub use split::{Shares, Split};
pub use view::{View, Views};
