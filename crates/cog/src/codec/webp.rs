//! WebP (compression 50001) with three or four samples per pixel.
//!
//! Opaque tiles may be stored without alpha, and libtiff accepts tiles with alpha in files without: alpha is added or
//! removed to match the file's number of samples.

use webp::{BitstreamFeatures, Decoder};

use super::block::{Block, malformed, unsupported};
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::DataType;

/// Decodes a tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    let wanted = block.samples_per_pixel;
    if block.data_type != DataType::Uint8 || !matches!(wanted, 3 | 4) {
        return Err(unsupported(format!("WebP with {wanted} samples of type {} per pixel", block.data_type)));
    }
    let features =
        BitstreamFeatures::new(bytes).ok_or_else(|| malformed("expected a WebP image, found no WebP header"))?;
    // Check the size first, since the decoder allocates by the header.
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
    let image = Decoder::new(bytes).decode().ok_or_else(|| malformed("expected a WebP image, found invalid data"))?;
    let samples = match (if image.is_alpha() { 4 } else { 3 }, wanted) {
        (3, 4) => image.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], u8::MAX]).collect(),
        (4, 3) => image.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        _ => image.to_vec(),
    };
    block.tile(Samples::Uint8(samples), None)
}

#[cfg(test)]
mod tests;
