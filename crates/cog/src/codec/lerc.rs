//! LERC (compression 34887), plain or inside Deflate or Zstandard.
//!
//! | depth and bands of a blob | contents |
//! |---|---|
//! | samples per pixel, 1 | interleaved pixels; one mask |
//! | 1, samples per pixel | floats, band by band; one mask per band |
//! | samples per pixel - 1, 1 | 8-bit pixels whose alpha was only 0 and 255, and became the mask |
//!
//! These are the three forms that libtiff writes and reads, in LERC versions 2 to 6. Masked pixels are NaN in floats,
//! and 0 and invalid in integers. Sizes and types must be those of the block.
//!
//! The byte order of a blob is independent of the file's. However, in big-endian files libtiff swaps samples between
//! LERC and the image, as for byte codecs: LERC stores the swapped values there.

use bytemuck::Pod;
use lerc::bitmask::BitMask;
use lerc::{DataType as LercType, LercError, LercInfo, Sample};

use super::block::{Block, malformed, unsupported};
use super::layout::is_swapped;
use super::library::guarded;
use super::words::Word;
use super::{DecodedTile, Samples, deflate, zstd};
use crate::Result;
use crate::tiff::{Compression, DataType};

/// Decodes a tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    match block.encoding.compression {
        Compression::LercDeflate => decode_blob(&inner(bytes, block, deflate::decode)?, block),
        Compression::LercZstd => decode_blob(&inner(bytes, block, zstd::decode)?, block),
        _ => decode_blob(bytes, block),
    }
}

/// Decompresses the blob, limited to the size that libtiff allows.
fn inner(bytes: &[u8], block: &Block, decode: fn(&[u8], &mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let size = block.samples() * block.data_type.size();
    let mut blob = vec![0; size + size / 3 + 256];
    let filled = decode(bytes, &mut blob)?;
    blob.truncate(filled);
    Ok(blob)
}

fn decode_blob(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    match block.data_type {
        DataType::Uint8 => integers::<_, u8>(bytes, block, Samples::Uint8),
        DataType::Int8 => integers::<_, u8>(bytes, block, Samples::Int8),
        DataType::Uint16 => integers::<_, u16>(bytes, block, Samples::Uint16),
        DataType::Int16 => integers::<_, u16>(bytes, block, Samples::Int16),
        DataType::Uint32 => integers::<_, u32>(bytes, block, Samples::Uint32),
        DataType::Int32 => integers::<_, u32>(bytes, block, Samples::Int32),
        DataType::Float32 => floats::<_, u32>(bytes, block, f32::NAN, Samples::Float32),
        DataType::Float64 => floats::<_, u64>(bytes, block, f64::NAN, Samples::Float64),
        other => Err(unsupported(format!("LERC of {other} samples"))),
    }
}

fn integers<T: Sample + Pod, W: Word>(bytes: &[u8], block: &Block, wrap: fn(Vec<T>) -> Samples) -> Result<DecodedTile> {
    let info = info::<T>(bytes, block)?;
    let depth = block.samples_per_pixel;
    let is_alpha_in_mask = T::DATA_TYPE == LercType::Byte && usize_of(info.depth) == depth - 1;
    let expected = if is_alpha_in_mask { depth - 1 } else { depth };
    if usize_of(info.depth) != expected || info.bands != 1 {
        return Err(layout(&info, block));
    }
    let (mut samples, masks) = samples::<T>(bytes, &info, block.pixels() * expected)?;
    turn::<T, W>(&mut samples, block);
    let mask = masks.first();
    if is_alpha_in_mask {
        let mut pixels = Vec::with_capacity(block.samples());
        for (index, pixel) in samples.chunks_exact(expected).enumerate() {
            pixels.extend_from_slice(pixel);
            pixels.push(T::from_f64(if is_valid(mask, index) { 255.0 } else { 0.0 }));
        }
        return block.tile(wrap(pixels), None);
    }
    let valid = mask.filter(|mask| !mask.is_all_valid());
    let valid = valid.map(|mask| (0..block.pixels()).map(|index| u8::from(is_valid(Some(mask), index))).collect());
    block.tile(wrap(samples), valid)
}

fn floats<T: Sample + Pod, W: Word>(
    bytes: &[u8],
    block: &Block,
    nan: T,
    wrap: fn(Vec<T>) -> Samples,
) -> Result<DecodedTile> {
    let info = info::<T>(bytes, block)?;
    let per_pixel = block.samples_per_pixel;
    let (depth, bands) = (usize_of(info.depth), usize_of(info.bands));
    if (depth, bands) != (per_pixel, 1) && (depth, bands) != (1, per_pixel) {
        return Err(layout(&info, block));
    }
    let (mut samples, masks) = samples::<T>(bytes, &info, block.samples())?;
    for (band, mask) in masks.iter().enumerate().filter(|(_, mask)| !mask.is_all_valid()) {
        let pixels = samples.chunks_exact_mut(depth).skip(band * block.pixels()).take(block.pixels());
        for (index, pixel) in pixels.enumerate() {
            if !is_valid(Some(mask), index) {
                pixel.fill(nan);
            }
        }
    }
    // Including NaN, as in libtiff.
    turn::<T, W>(&mut samples, block);
    if bands > 1 {
        let planes = samples;
        samples = Vec::with_capacity(planes.len());
        for pixel in 0..block.pixels() {
            samples.extend(planes.iter().skip(pixel).step_by(block.pixels()));
        }
    }
    block.tile(wrap(samples), None)
}

/// Swaps samples in the cases where libtiff does.
fn turn<T: Pod, W: Word>(samples: &mut [T], block: &Block) {
    if is_swapped(block.byte_order) {
        bytemuck::cast_slice_mut::<T, W>(samples).iter_mut().for_each(|word| *word = word.swapped());
    }
}

/// Reads the header of a blob and checks its size and type.
fn info<T: Sample>(bytes: &[u8], block: &Block) -> Result<LercInfo> {
    // Older versions predate TIFF's use of LERC, and contain floats only: libtiff started with version 2.
    if bytes.starts_with(b"CntZImage ") {
        return Err(unsupported("LERC of version 1"));
    }
    let info = guarded("LERC", || lerc::decode_info(bytes).map_err(|error| broken(&error)))?;
    if (info.width, info.height) != (block.shape.width, block.shape.height) || info.data_type != T::DATA_TYPE {
        return Err(malformed(format!(
            "expected LERC of {} x {} samples of type {}, found {} x {} of type {:?}",
            block.width, block.height, block.data_type, info.width, info.height, info.data_type
        )));
    }
    Ok(info)
}

/// Samples in the order of the blob, and its masks. `count` is from the header, and bounded by the block.
fn samples<T: Sample>(bytes: &[u8], info: &LercInfo, count: usize) -> Result<(Vec<T>, Vec<BitMask>)> {
    let mut samples = vec![T::default(); count];
    let decoded = guarded("LERC", || lerc::decode_into(bytes, &mut samples).map_err(|error| broken(&error)))?;
    let masks = decoded.valid_masks;
    let pixels = usize_of(info.width) * usize_of(info.height);
    if masks.len() > usize_of(info.bands) || masks.iter().any(|mask| mask.num_pixels() < pixels) {
        return Err(malformed(format!("expected {pixels} pixels in each LERC mask, found fewer")));
    }
    Ok((samples, masks))
}

/// Whether a mask of the block's size contains a pixel.
fn is_valid(mask: Option<&BitMask>, pixel: usize) -> bool {
    mask.is_none_or(|mask| mask.is_valid(pixel))
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn broken(error: &LercError) -> crate::Error {
    match error {
        LercError::UnsupportedVersion(version) => unsupported(format!("LERC of version {version}")),
        error => malformed(format!("expected a LERC blob, found {error}")),
    }
}

fn layout(info: &LercInfo, block: &Block) -> crate::Error {
    malformed(format!(
        "expected LERC of {} samples per pixel, found depth {} and {} bands",
        block.samples_per_pixel, info.depth, info.bands
    ))
}

#[cfg(test)]
mod tests;
