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

mod decoder;
mod error;
pub mod geo;
mod grid;
mod header;
mod ifds;
mod level;
mod limits;
mod role;
pub mod tiff;

pub use decoder::{DecodeResult, HeaderDecoder};
pub use error::{Error, Place, Result};
pub use grid::{Tile, TileGrid};
pub use header::{CogHeader, Encoding, Level};
pub use ifds::{IfdDecoder, IfdInfo, MAX_BYTES_SHOWN, MAX_NUMBERS_SHOWN, MAX_TEXT_SHOWN, TagInfo};
pub use limits::Limits;
pub use role::Role;
