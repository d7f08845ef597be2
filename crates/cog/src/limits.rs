//! What a file may ask for.

/// Bounds on what a file's own counts can make the decoder fetch, hold or follow. A file over one is refused with
/// [`crate::Error::LimitExceeded`] before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// IFDs of a file. Default 65,536: pages of microscopy stacks and time series run to tens of thousands.
    pub max_ifds: u32,
    /// Entries of one IFD. Default 4,096, libtiff's own bound: the longest in the wild have a few hundred.
    pub max_tags_per_ifd: u64,
    /// Overviews and masks of a file. Default 128: halving 2^32 pixels takes 32 steps, and each may have a mask.
    pub max_levels: u32,
    /// Tiles of one image, all planes together. Default 33,554,432: eight times a 60 MB tile table, 400 MB of tables.
    pub max_tiles: u64,
    /// Bytes of one value other than a tile table: GeoKeys, XML, JPEG tables. Default 16 MiB; a GDAL_METADATA of
    /// thousands of bands comes to a few.
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
