//! JPEG 2000 (compression 34712): a codestream, bare or in a JP2 file.
//!
//! Components come out in the stream's own depth; what the stream itself transforms (its reversible and irreversible colour
//! transforms) is undone, and so is YCC where a JP2 file declares it or chroma is subsampled. Refuses signed samples and
//! palettes.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::block::{Block, malformed, unsupported};
use super::library::guarded;
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::DataType;

/// Start of codestream and the marker of its size, ISO/IEC 15444-1 A.4.1 and A.5.1.
const START_AND_SIZE: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
/// From the start of the codestream to its number of components, and the bytes for each of them.
const COMPONENTS_AT: usize = 40;
const COMPONENT_BYTES: usize = 3;
/// Samples are decoded in floats of 24 bits.
const MAX_BITS: u8 = 16;

/// Decodes one tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    let max_bits = match block.data_type {
        DataType::Uint8 => 8,
        DataType::Uint16 => MAX_BITS,
        other => return Err(unsupported(format!("JPEG 2000 of {other} samples"))),
    };
    check_components(bytes, block, max_bits)?;
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
            return Err(malformed("expected JPEG 2000 whose components have all pixels, found others"));
        }
        Ok(match block.data_type {
            DataType::Uint8 => Samples::Uint8(interleaved(&planes, block, u8_of)),
            _ => Samples::Uint16(interleaved(&planes, block, u16_of)),
        })
    })?;
    block.tile(samples, None)
}

/// Checks what the decoder does not: that components are as many as the block's samples, unsigned, and fit its type.
fn check_components(bytes: &[u8], block: &Block, max_bits: u8) -> Result<()> {
    let start = bytes.windows(4).position(|window| window == START_AND_SIZE);
    let sizes = start.and_then(|start| bytes.get(start + COMPONENTS_AT..));
    let Some([high, low, components @ ..]) = sizes else {
        return Err(malformed("expected a JPEG 2000 codestream, found none"));
    };
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

/// The nearest value; those beyond the type's range, which lossy streams overshoot into, are its limits.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is what is wanted")]
fn u8_of(sample: f32) -> u8 {
    sample.round() as u8
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is what is wanted")]
fn u16_of(sample: f32) -> u16 {
    sample.round() as u16
}

fn broken(error: &hayro_jpeg2000::DecodeError) -> crate::Error {
    malformed(format!("expected JPEG 2000, found {error}"))
}

#[cfg(test)]
mod tests;
