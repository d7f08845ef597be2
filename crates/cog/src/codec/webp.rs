//! WebP (compression 50001): three samples a pixel, or four.
//!
//! A tile whose alpha is opaque may be stored without it, and libtiff reads a tile with alpha where the file has none: the
//! file says how many samples there are, and the tile is given or loses its alpha accordingly.

use webp::{BitstreamFeatures, Decoder};

use super::block::{Block, malformed, unsupported};
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::DataType;

/// Decodes one tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    let wanted = block.samples_per_pixel;
    if block.data_type != DataType::Uint8 || !matches!(wanted, 3 | 4) {
        return Err(unsupported(format!("WebP of {wanted} samples of type {} a pixel", block.data_type)));
    }
    let features = BitstreamFeatures::new(bytes).ok_or_else(|| malformed("expected a WebP, found no header of one"))?;
    // The decoder allocates what the header says, so this comes first.
    if (features.width(), features.height()) != (block.shape.width, block.shape.height) || features.has_animation() {
        return Err(malformed(format!(
            "expected a WebP image of {} x {} pixels, found {} x {}{}",
            block.width,
            block.height,
            features.width(),
            features.height(),
            if features.has_animation() { ", animated" } else { "" }
        )));
    }
    let image = Decoder::new(bytes).decode().ok_or_else(|| malformed("expected a WebP, found a broken one"))?;
    let samples = match (if image.is_alpha() { 4 } else { 3 }, wanted) {
        (3, 4) => image.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], u8::MAX]).collect(),
        (4, 3) => image.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        _ => image.to_vec(),
    };
    block.tile(Samples::Uint8(samples), None)
}

#[cfg(test)]
mod tests;
