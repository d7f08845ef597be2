//! Converts the bytes of a block's rows to samples: byte order, bit depth and predictor.
//!
//! | bits as stored | rows |
//! |---|---|
//! | 8, 16, 32, 64, 128 | samples in the file's byte order, decompressed to their final location and converted in place |
//! | 24, floating point | three bytes in the file's byte order |
//! | others | a stream of bits, most significant first regardless of the byte order; rows are byte-aligned |

use bytemuck::Pod;

use crate::Result;
use crate::tiff::{ByteOrder, Compression, DataType, Encoding, FillOrder, Photometric, PlanarConfiguration, Predictor};

use super::block::{Block, unsupported};
use super::predictor::{no_predictor, predictor_of};
use super::samples::{DecodedTile, Samples};
use super::words::Word;
use super::{bits, bytes, predictor};

/// Whether the stored byte order differs from the native one.
pub(super) fn is_swapped(byte_order: ByteOrder) -> bool {
    match byte_order {
        ByteOrder::Little => cfg!(target_endian = "big"),
        ByteOrder::Big => cfg!(target_endian = "little"),
    }
}

/// Decodes a tile of a byte codec.
///
/// # Errors
///
/// See [`super::decode`].
pub(super) fn decode(encoded: &[u8], block: &Block) -> Result<DecodedTile> {
    refuse_subsampled(block)?;
    bytes::check_length(encoded, block.encoding, block.row_bytes().saturating_mul(block.height))?;
    let depths = block.depths();
    let depth = depths.first().copied().unwrap_or_default();
    let is_mixed = depths.iter().any(|other| *other != depth);
    let is_whole = !is_mixed && usize::from(depth) == 8 * block.data_type.size();
    if !is_whole {
        let samples = bits::decode(encoded, block)?;
        return block.tile(samples, None);
    }
    let samples = match block.data_type {
        DataType::Uint8 => Samples::Uint8(whole::<u8, u8>(encoded, block)?),
        DataType::Uint16 => Samples::Uint16(whole::<u16, u16>(encoded, block)?),
        DataType::Uint32 => Samples::Uint32(whole::<u32, u32>(encoded, block)?),
        DataType::Uint64 => Samples::Uint64(whole::<u64, u64>(encoded, block)?),
        DataType::Int8 => Samples::Int8(whole::<i8, u8>(encoded, block)?),
        DataType::Int16 => Samples::Int16(whole::<i16, u16>(encoded, block)?),
        DataType::Int32 => Samples::Int32(whole::<i32, u32>(encoded, block)?),
        DataType::Int64 => Samples::Int64(whole::<i64, u64>(encoded, block)?),
        DataType::Float16 => Samples::Float16(whole::<u16, u16>(encoded, block)?),
        DataType::Float32 => Samples::Float32(whole::<f32, u32>(encoded, block)?),
        DataType::Float64 => Samples::Float64(whole::<f64, u64>(encoded, block)?),
        DataType::Complex64 => Samples::Complex64(complex::<[f32; 2], u32>(encoded, block)?),
        DataType::Complex128 => Samples::Complex128(complex::<[f64; 2], u64>(encoded, block)?),
        DataType::ComplexInt16 | DataType::ComplexInt32 => {
            return Err(unsupported(format!("samples of type {} are not supported", block.data_type)));
        }
    };
    block.tile(samples, None)
}

/// Rejects YCbCr with subsampled chroma (TIFF 6.0, section 21), whose rows are not rows of samples.
fn refuse_subsampled(block: &Block) -> Result<()> {
    match block.encoding {
        Encoding {
            photometric: Some(Photometric::YCbCr),
            planar_configuration: PlanarConfiguration::Chunky,
            samples_per_pixel: 3,
            ycbcr_subsampling,
            ..
        } if *ycbcr_subsampling != Some([1, 1]) => {
            // The default is 2 by 2.
            let [horizontal, vertical] = ycbcr_subsampling.unwrap_or([2, 2]);
            let compression = block.encoding.compression;
            Err(unsupported(format!("YCbCr subsampled {horizontal} by {vertical} with compression {compression}")))
        }
        _ => Ok(()),
    }
}

/// Samples `T` stored as words `W` of the same size.
fn whole<T: Pod, W: Word>(encoded: &[u8], block: &Block) -> Result<Vec<T>> {
    let mut samples = filled::<T>(encoded, block)?;
    let words: &mut [W] = bytemuck::cast_slice_mut(&mut samples);
    let swap = is_swapped(block.byte_order);
    let row = block.width * block.samples_per_pixel;
    match predictor_of(block.encoding) {
        Predictor::None if swap => words.iter_mut().for_each(|word| *word = word.swapped()),
        Predictor::None => {}
        Predictor::Horizontal if swap => words.chunks_exact_mut(row).for_each(|row| {
            predictor::horizontal::<true, W>(row, block.samples_per_pixel);
        }),
        Predictor::Horizontal => words.chunks_exact_mut(row).for_each(|row| {
            predictor::horizontal::<false, W>(row, block.samples_per_pixel);
        }),
        Predictor::FloatingPoint if block.data_type.is_float() => {
            let mut planes = vec![0; size_of::<W>() * row];
            for row in words.chunks_exact_mut(row) {
                planes.copy_from_slice(bytemuck::cast_slice(row));
                predictor::planes(&mut planes, block.samples_per_pixel);
                predictor::join_planes(&planes, row);
            }
        }
        _ => return Err(no_predictor(block)),
    }
    Ok(samples)
}

/// Samples as stored, before byte order and predictor are applied.
fn filled<T: Pod>(encoded: &[u8], block: &Block) -> Result<Vec<T>> {
    let stored = || bytemuck::try_cast_slice(encoded.get(..block.samples() * size_of::<T>())?).ok();
    if let (Compression::None, FillOrder::MsbFirst, Some(samples)) =
        (block.encoding.compression, block.encoding.fill_order, stored())
    {
        return Ok(samples.to_vec());
    }
    let mut samples = vec![T::zeroed(); block.samples()];
    bytes::fill(encoded, block.encoding, bytemuck::cast_slice_mut(&mut samples))?;
    Ok(samples)
}

/// Complex samples `T` of two words `W`.
fn complex<T: Pod, W: Word>(encoded: &[u8], block: &Block) -> Result<Vec<T>> {
    let mut samples = filled::<T>(encoded, block)?;
    let swap = is_swapped(block.byte_order);
    match predictor_of(block.encoding) {
        Predictor::None if swap => {
            let words: &mut [W] = bytemuck::cast_slice_mut(&mut samples);
            words.iter_mut().for_each(|word| *word = word.swapped());
        }
        Predictor::None => {}
        Predictor::Horizontal if block.data_type == DataType::Complex64 => {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut samples);
            let row = 8 * block.width * block.samples_per_pixel;
            bytes
                .chunks_exact_mut(row)
                .for_each(|row| predictor::pairs(row, block.samples_per_pixel, block.byte_order));
        }
        _ => return Err(no_predictor(block)),
    }
    Ok(samples)
}
