#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod coalesce;
pub mod codec;
pub mod crs;
pub mod geo;
mod geometry;
mod grid;
mod header;
pub mod interrupt;
mod limits;
pub mod pixel;
mod project;
pub mod render;
mod sampling;
pub mod tiff;
mod tile_cover;
pub mod warp;
pub mod write;
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
pub use project::{Footprint, GeometryProjector, PixelMap, ProjectorCache, check_degrees};
pub use sampling::{MajorTomCell, Shares, Split};
pub use tiff::{Encoding, Error, FilePosition, Result};
pub use tile_cover::TilePlan;
