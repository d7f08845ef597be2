//! JPEG 2000 (compression 34712): a codestream, bare or in a JP2 file.
//!
//! Components are returned in the stream's depth. The colour transforms of the codestream are undone, as is YCC if a
//! JP2 file declares it or chroma is subsampled. Signed samples and palettes are not supported.
//!
//! The size, tiles and components of the stream are compared with the TIFF tile first, because the decoder allocates by
//! them.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::block::{Block, malformed, unsupported};
use super::library::guarded;
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::DataType;

/// SOC and SIZ markers (ISO/IEC 15444-1, A.4.1 and A.5.1).
const START_AND_SIZE: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
/// Offsets of the sizes and of the number of components in the codestream, and their lengths.
const SIZES_AT: usize = 8;
const COMPONENTS_AT: usize = 40;
const COMPONENT_BYTES: usize = 3;
/// Type of the JP2 box that contains a codestream (ISO/IEC 15444-1, I.5.4).
const CODESTREAM_BOX: &[u8] = b"jp2c";
/// Maximum number of tiles of a codestream.
const MAX_TILES: u64 = 65_535;
/// Maximum depth: samples are decoded in floats with 24 bits of precision.
const MAX_BITS: u8 = 16;

/// Decodes a tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    let max_bits = match block.data_type {
        DataType::Uint8 => 8,
        DataType::Uint16 => MAX_BITS,
        other => return Err(unsupported(format!("JPEG 2000 of {other} samples"))),
    };
    check(bytes, block, max_bits)?;
    let settings = DecodeSettings { resolve_palette_indices: false, strict: true, target_resolution: None };
    let samples = guarded("JPEG 2000", || {
        let image = Image::new(bytes, &settings).map_err(|error| broken(&error))?;
        if (image.width(), image.height()) != (block.shape.width, block.shape.height) {
            return Err(malformed(format!(
                "expected JPEG 2000 of {} x {} pixels, found {} x {}",
                block.width,
                block.height,
                image.width(),
                image.height()
            )));
        }
        let mut context = DecoderContext::default();
        let decoded = image.decode(&mut context).map_err(|error| broken(&error))?;
        let planes: Vec<&[f32]> = decoded.components().iter().map(|component| component.samples()).collect();
        if planes.len() != block.samples_per_pixel || planes.iter().any(|plane| plane.len() != block.pixels()) {
            return Err(malformed("expected JPEG 2000 components of full size, found others"));
        }
        Ok(match block.data_type {
            DataType::Uint8 => Samples::Uint8(interleaved(&planes, block, u8_of)),
            _ => Samples::Uint16(interleaved(&planes, block, u16_of)),
        })
    })?;
    block.tile(samples, None)
}

/// Checks the codestream, or all codestreams of a JP2 file, since the decoder may choose any.
fn check(bytes: &[u8], block: &Block, max_bits: u8) -> Result<()> {
    if bytes.starts_with(&START_AND_SIZE) {
        return check_codestream(bytes, block, max_bits);
    }
    let (mut rest, mut is_found) = (bytes, false);
    while let Some((kind, contents, next)) = next_box(rest) {
        if kind == CODESTREAM_BOX {
            check_codestream(contents, block, max_bits)?;
            is_found = true;
        }
        rest = next;
    }
    if is_found { Ok(()) } else { Err(malformed("expected a JPEG 2000 codestream, found none")) }
}

/// Splits the first box off a JP2 file: its type, contents, and the rest. A length of 0 extends to the end, one of 1 is
/// followed by a 64-bit length.
fn next_box(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let length = u32::from_be_bytes(bytes.first_chunk().copied()?);
    let kind = bytes.get(4..8)?;
    let (head, length) = match length {
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64::from_be_bytes(bytes.get(8..16)?.first_chunk().copied()?)).ok()?),
        length => (8, usize::try_from(length).ok()?),
    };
    let end = length.max(head).min(bytes.len());
    Some((kind, bytes.get(head..end)?, bytes.get(end..)?))
}

/// Image size and number of tiles, from the eight 32-bit numbers of SIZ.
fn check_sizes(stream: &[u8], block: &Block) -> Result<()> {
    let Some(sizes) = stream.get(SIZES_AT..COMPONENTS_AT) else {
        return Err(malformed("expected a JPEG 2000 codestream, found none"));
    };
    let mut sizes = sizes.as_chunks().0.iter().map(|bytes| u64::from(u32::from_be_bytes(*bytes)));
    let [right, bottom, left, top, tile_width, tile_height, tile_left, tile_top] =
        std::array::from_fn(|_| sizes.next().unwrap_or(0));
    let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
    if (width, height) != (block.shape.width.into(), block.shape.height.into()) {
        return Err(malformed(format!(
            "expected JPEG 2000 of {} x {} pixels, found {width} x {height}",
            block.width, block.height
        )));
    }
    let count = |end: u64, start: u64, size: u64| if size == 0 { 0 } else { end.saturating_sub(start).div_ceil(size) };
    let tiles = count(right, tile_left, tile_width).saturating_mul(count(bottom, tile_top, tile_height));
    if tiles == 0 || tiles > MAX_TILES {
        return Err(malformed(format!("expected JPEG 2000 of 1 to {MAX_TILES} tiles, found {tiles}")));
    }
    Ok(())
}

/// Checks that a codestream has the size of the block, and unsigned components that match the block's samples and fit
/// its type.
fn check_codestream(stream: &[u8], block: &Block, max_bits: u8) -> Result<()> {
    if !stream.starts_with(&START_AND_SIZE) {
        return Err(malformed("expected a JPEG 2000 codestream, found none"));
    }
    let Some([high, low, components @ ..]) = stream.get(COMPONENTS_AT..) else {
        return Err(malformed("expected a JPEG 2000 codestream, found none"));
    };
    check_sizes(stream, block)?;
    let count = usize::from(u16::from_be_bytes([*high, *low]));
    if count != block.samples_per_pixel {
        return Err(malformed(format!("expected JPEG 2000 of {} components, found {count}", block.samples_per_pixel)));
    }
    for component in components.chunks_exact(COMPONENT_BYTES).take(count) {
        let (is_signed, bits) = (component[0] & 0x80 != 0, (component[0] & 0x7F) + 1);
        if is_signed {
            return Err(unsupported("JPEG 2000 of signed samples"));
        }
        if bits > max_bits {
            return Err(malformed(format!("expected JPEG 2000 of type {}, found {bits} bits", block.data_type)));
        }
    }
    Ok(())
}

fn interleaved<T>(planes: &[&[f32]], block: &Block, to: fn(f32) -> T) -> Vec<T> {
    if let [plane] = planes {
        return plane.iter().map(|sample| to(*sample)).collect();
    }
    let mut samples = Vec::with_capacity(block.samples());
    for pixel in 0..block.pixels() {
        samples.extend(planes.iter().map(|plane| to(plane[pixel])));
    }
    samples
}

/// Rounds to the nearest value and clamps: lossy streams overshoot the range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as intended")]
fn u8_of(sample: f32) -> u8 {
    sample.round() as u8
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as intended")]
fn u16_of(sample: f32) -> u16 {
    sample.round() as u16
}

fn broken(error: &hayro_jpeg2000::DecodeError) -> crate::Error {
    malformed(format!("expected JPEG 2000, found {error}"))
}

#[cfg(test)]
mod tests;
