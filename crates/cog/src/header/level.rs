//! One image of a file and its tiles or strips.

use crate::tiff::Encoding;

/// One image of a file: its size, tiles, tile tables and encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Columns.
    pub image_width: u32,
    /// Rows.
    pub image_height: u32,
    /// Columns of a tile; strips are tiles as wide as the image.
    pub tile_width: u32,
    /// Rows of a tile, or RowsPerStrip (at most `image_height`).
    pub tile_height: u32,
    /// Whether the file has tiles (true) or strips.
    pub is_tiled: bool,
    /// Byte offset of each tile, row-major, plane by plane in planar files; 0 for a sparse tile. At most `i64::MAX`
    /// each.
    pub tile_offsets: Vec<u64>,
    /// Byte count of each tile, in the order of `tile_offsets`; 0 for a sparse tile. At most `i32::MAX` each.
    pub tile_byte_counts: Vec<u32>,
    /// Layout and encoding of the samples.
    pub encoding: Encoding,
}

impl Level {
    /// Returns the level narrowed to one band: its type and, if planar, its tiles.
    pub(super) fn for_band(&self, band: usize) -> Self {
        let mut encoding = self.encoding.clone();
        if let Some(data_type) = encoding.data_type_of(band) {
            encoding.dtype = data_type;
        }
        let (tile_offsets, tile_byte_counts) = if encoding.is_planar() {
            let bands = encoding.samples_per_pixel;
            (plane(&self.tile_offsets, band, bands), plane(&self.tile_byte_counts, band, bands))
        } else {
            (self.tile_offsets.clone(), self.tile_byte_counts.clone())
        };
        Self { tile_offsets, tile_byte_counts, encoding, ..*self }
    }
}

/// The entries of a planar file's table for one band.
fn plane<T: Copy>(table: &[T], band: usize, bands: u16) -> Vec<T> {
    let tiles = table.len() / usize::from(bands.max(1));
    table.get(band * tiles..(band + 1) * tiles).unwrap_or_default().to_vec()
}
