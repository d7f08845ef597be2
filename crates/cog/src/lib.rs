//! Cloud-optimized GeoTIFFs without I/O: headers, tile grids, plans, codecs and pixels. No async, no files, no clock, no
//! environment.
//!
//! Bytes are pushed to a [`HeaderDecoder`], which returns the header or the missing ranges; fetching them is left to the caller.
//!
//! ```
//! use bytes::Bytes;
//! use rasteret_cog::{DecodeResult, HeaderDecoder, Limits};
//!
//! # fn main() -> rasteret_cog::Result<()> {
//! // A little-endian TIFF: one strip of 4 x 2 bytes at offset 8, followed by the IFD.
//! let mut file = b"II\x2A\x00\x10\x00\x00\x00".to_vec();
//! file.extend([7; 8]);
//! let entries: [(u16, u32); 5] = [(256, 4), (257, 2), (258, 8), (273, 8), (279, 8)];
//! file.extend(5u16.to_le_bytes());
//! for (tag, value) in entries {
//!     file.extend(tag.to_le_bytes());
//!     file.extend([4, 0, 1, 0, 0, 0]); // one LONG
//!     file.extend(value.to_le_bytes());
//! }
//! file.extend([0; 4]);
//!
//! let mut decoder = HeaderDecoder::new(Limits::default(), Some(file.len() as u64));
//! let header = loop {
//!     match decoder.try_decode()? {
//!         DecodeResult::Data(header) => break header,
//!         DecodeResult::NeedsData(ranges) => {
//!             for range in ranges {
//!                 let (start, end) = (range.start as usize, range.end as usize);
//!                 decoder.push(range.start, Bytes::copy_from_slice(&file[start..end.min(file.len())]));
//!             }
//!         }
//!     }
//! };
//! assert_eq!((header.image.image_width, header.image.image_height), (4, 2));
//! let tile = header.grid(0)?.tile(0).expect("the image has a strip");
//! assert_eq!((tile.offset, tile.byte_count), (Some(8), 8));
//! # Ok(())
//! # }
//! ```
//!
//! # Untrusted input
//!
//! Every entry point accepts untrusted bytes: it returns an [`Error`] instead of panicking, always terminates, and allocates
//! in proportion to its input. Counts declared by a file are checked against [`Limits`] before memory is allocated.

#![forbid(unsafe_code)]

mod coalesce;
pub mod codec;
pub mod crs;
pub mod geo;
mod geometry;
mod grid;
mod header;
mod limits;
pub mod pixel;
mod project;
mod sampling;
pub mod tiff;
mod tile_cover;
pub mod zonal;

pub use coalesce::CoalesceConfig;
pub use crs::{DEFAULT_CRS, NATIVE};
pub use geometry::{Corners, EncodedGeometry, Geometry, ParsedGeometry};
pub use grid::{
    LevelShape, MappedPixels, OPEN_END, Run, Tile, TileAddress, TileGrid, TileLayout, TileSpan, Tiling, Window,
};
pub use header::{
    Bands, CogHeader, Color, DecodeResult, FileInfo, HeaderDecoder, IfdDecoder, IfdInfo, InfoDecoder, Level,
    MAX_BYTES_SHOWN, MAX_NUMBERS_SHOWN, MAX_TEXT_SHOWN, RasterInfo, Role, TagInfo,
};
pub use limits::Limits;
pub use project::{Footprint, GeometryProjector, PixelMap, ProjectorCache};
pub use sampling::{MajorTomCell, Shares, Split};
pub use tiff::{Encoding, Error, FilePosition, Result};
pub use tile_cover::TilePlan;
