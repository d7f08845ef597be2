//! JPEG XL (compression 50002, or 52546 in DNG).
//!
//! ```text
//! samples 0 or 0 to 2   the stream's grey or colours ──┐
//! the others            its extra channels, in order ──┴──> pixels
//! ```
//!
//! Samples are returned in the stream's depth and colour space, without applying orientation, spot colours or alpha.

use ::jxl::api::{
    Endianness, Event, JxlBitDepth, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer,
    JxlPixelFormat, ProfileLevel,
};
use bytemuck::Pod;

use super::block::{Block, malformed, unsupported};
use super::library::guarded;
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::DataType;

/// Decodes a tile.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    guarded("JPEG XL", || match block.data_type {
        DataType::Uint8 => samples(bytes, block).map(Samples::Uint8),
        DataType::Uint16 => samples(bytes, block).map(Samples::Uint16),
        DataType::Float16 => samples(bytes, block).map(Samples::Float16),
        DataType::Float32 => samples(bytes, block).map(Samples::Float32),
        other => Err(unsupported(format!("JPEG XL of {other} samples"))),
    })
    .and_then(|samples| block.tile(samples, None))
}

/// Pixel format that preserves the stream's samples, if the block's type can represent them.
fn format(block: &Block, depth: &JxlBitDepth) -> Result<JxlDataFormat> {
    let endianness = Endianness::native();
    let bits = depth.bits_per_sample();
    match (block.data_type, depth, u8::try_from(bits)) {
        (DataType::Uint8, JxlBitDepth::Int { .. }, Ok(bit_depth @ 1..=8)) => Ok(JxlDataFormat::U8 { bit_depth }),
        (DataType::Uint16, JxlBitDepth::Int { .. }, Ok(bit_depth @ 1..=16)) => {
            Ok(JxlDataFormat::U16 { endianness, bit_depth })
        }
        (DataType::Float16, JxlBitDepth::Float { .. }, Ok(16)) => Ok(JxlDataFormat::F16 { endianness }),
        (DataType::Float32, JxlBitDepth::Float { .. }, _) => Ok(JxlDataFormat::F32 { endianness }),
        _ => Err(malformed(format!("expected JPEG XL of type {}, found one of {bits} bits", block.data_type))),
    }
}

fn samples<T: Pod>(bytes: &[u8], block: &Block) -> Result<Vec<T>> {
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.render_spot_colors = false;
    options.max_profile_level = ProfileLevel::Main10;
    // The decoder's limit counts three colours and at least 16 columns, whatever the image has. Frames may be larger
    // than the image: twice as many samples leave room for blending and repetition.
    let counted = block.width.max(16).saturating_mul(block.height).saturating_mul(3 + block.samples_per_pixel);
    options.sample_limit = Some(counted.saturating_mul(2));
    let mut decoder = JxlDecoder::new(options);
    let mut input = bytes;
    run(&mut decoder, &mut input, &mut [], |event| matches!(event, Event::BasicInfo))?;

    let found = decoder.basic_info().ok_or_else(cut_short)?.clone();
    let colors = decoder.embedded_color_profile().map_or(1, |profile| profile.channels());
    let channels = colors + found.extra_channels.len();
    if found.size != (block.width, block.height) || channels != block.samples_per_pixel {
        return Err(malformed(format!(
            "expected JPEG XL of {} x {} pixels of {} samples, found {} x {} of {channels}",
            block.width, block.height, block.samples_per_pixel, found.size.0, found.size.1
        )));
    }
    let format = format(block, &found.bit_depth)?;
    decoder
        .set_pixel_format(JxlPixelFormat {
            color_type: if colors == 1 { JxlColorType::Grayscale } else { JxlColorType::Rgb },
            color_data_format: Some(format),
            extra_channel_format: vec![Some(format); found.extra_channels.len()],
        })
        .map_err(|error| broken(&error))?;

    // One plane of interleaved colours, then one per extra channel.
    let mut planes = vec![vec![T::zeroed(); block.pixels() * colors]];
    planes.resize_with(1 + found.extra_channels.len(), || vec![T::zeroed(); block.pixels()]);
    let mut buffers: Vec<_> = planes
        .iter_mut()
        .map(|plane| {
            let row = plane.len() / block.height * size_of::<T>();
            JxlOutputBuffer::new(bytemuck::cast_slice_mut(plane), block.height, row)
        })
        .collect();
    run(&mut decoder, &mut input, &mut buffers, |event| {
        matches!(event, Event::FrameComplete { .. } | Event::Complete)
    })?;
    drop(buffers);

    if let [only] = &mut planes[..] {
        return Ok(std::mem::take(only));
    }
    let mut pixels = Vec::with_capacity(block.samples());
    for (index, color) in planes[0].chunks_exact(colors).enumerate() {
        pixels.extend_from_slice(color);
        pixels.extend(planes[1..].iter().map(|extra| extra[index]));
    }
    Ok(pixels)
}

/// Decodes up to an event of the given kind.
fn run(
    decoder: &mut JxlDecoder,
    input: &mut &[u8],
    buffers: &mut [JxlOutputBuffer],
    is_wanted: fn(Event) -> bool,
) -> Result<()> {
    loop {
        let buffers = if buffers.is_empty() { None } else { Some(&mut *buffers) };
        match decoder.process(input, buffers, None).map_err(|error| broken(&error))? {
            event if is_wanted(event) => return Ok(()),
            Event::NeedMoreInput { .. } | Event::Complete => return Err(cut_short()),
            _ => {}
        }
    }
}

fn broken(error: &::jxl::error::Error) -> crate::Error {
    malformed(format!("expected JPEG XL, found {error}"))
}

fn cut_short() -> crate::Error {
    malformed("expected JPEG XL, found a truncated stream")
}

#[cfg(test)]
mod tests;
