//! Limits on untrusted files.

/// Limits on the counts that a file declares. A file that exceeds one is rejected with [`crate::Error::LimitExceeded`]
/// before memory is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of IFDs. Default 65,536: microscopy stacks and time series have tens of thousands of pages.
    pub max_ifds: u32,
    /// Maximum number of entries of an IFD. Default 4,096, the limit of libtiff: real files have at most a few hundred.
    pub max_tags_per_ifd: u64,
    /// Maximum number of overviews and masks. Default 128: halving 2^32 pixels takes 32 steps, and each may have a
    /// mask.
    pub max_levels: u32,
    /// Maximum number of tiles of an image, including all planes. Default 33,554,432: eight times a tile table of 60
    /// MB, 400 MB in memory.
    pub max_tiles: u64,
    /// Maximum size in bytes of a value other than a tile table: GeoKeys, XML, JPEG tables. Default 16 MiB; a
    /// GDAL_METADATA of thousands of bands has a few.
    pub max_value_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_ifds: 65_536,
            max_tags_per_ifd: 4_096,
            max_levels: 128,
            max_tiles: 1 << 25,
            max_value_bytes: 16 << 20,
        }
    }
}
