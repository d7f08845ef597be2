//! Headers of COGs: the contract between the decoder, the index and pixel readers.
//!
//! ```text
//! CogHeader ── image: Level 0 ──── Encoding        full resolution
//!           ├─ overviews: [Level] ─ Encoding each  reduced resolution, largest first
//!           └─ masks: [Level] ───── Encoding each  transparency masks, largest first; one belongs to the level of its size
//! ```
//!
//! [`HeaderDecoder`] decodes a header, [`InfoDecoder`] also descriptive tags, and [`IfdDecoder`] dumps all IFDs.

mod cog_header;
mod decoder;
mod descriptive;
#[cfg(test)]
pub(crate) mod fixtures;
mod ifds;
mod info;
mod level;
mod level_reader;
mod raster_info;
mod resolution;
mod roles;

pub use cog_header::CogHeader;
pub use decoder::{DecodeResult, HeaderDecoder};
pub use ifds::{IfdDecoder, IfdInfo, MAX_BYTES_SHOWN, MAX_NUMBERS_SHOWN, MAX_TEXT_SHOWN, TagInfo};
pub use info::{Color, FileInfo, InfoDecoder};
pub use level::Level;
pub use raster_info::{Bands, RasterInfo};
pub use roles::Role;
