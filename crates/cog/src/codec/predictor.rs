//! Undoes predictors (317) row by row: 2 is horizontal differencing (TIFF 6.0, section 14), 3 the floating-point
//! predictor (TIFF Technical Note 3).

use crate::tiff::{ByteOrder, Compression, Encoding, Predictor};

use super::block::{Block, unsupported};
use super::words::Word;

/// The effective predictor. As in libtiff, the tag is ignored for other codecs.
pub(super) fn predictor_of(encoding: &Encoding) -> Predictor {
    match encoding.compression {
        Compression::Lzw | Compression::Deflate | Compression::Zstd | Compression::Lzma => {
            match encoding.predictor {
                // Like libtiff, treats 0 as none.
                Predictor::Unknown(0) => Predictor::None,
                predictor => predictor,
            }
        }
        _ => Predictor::None,
    }
}

/// Error for a predictor that is not defined for the sample type and depth.
pub(super) fn no_predictor(block: &Block) -> crate::Error {
    let depth = block.depths().first().copied().unwrap_or_default();
    unsupported(format!(
        "predictor {} of samples of {depth} bits, type {}",
        block.encoding.predictor.code(),
        block.data_type
    ))
}

/// Undoes horizontal differencing of a row of pixels; with `SWAP`, of samples in the opposite byte order.
///
/// Sums wrap regardless of the type, because writers compute differences of unsigned numbers.
pub(super) fn horizontal<const SWAP: bool, W: Word>(row: &mut [W], samples_per_pixel: usize) {
    match samples_per_pixel {
        1 => horizontal_of::<SWAP, 1, W>(row),
        2 => horizontal_of::<SWAP, 2, W>(row),
        3 => horizontal_of::<SWAP, 3, W>(row),
        4 => horizontal_of::<SWAP, 4, W>(row),
        many => {
            let mut sums = vec![W::default(); many];
            for pixel in row.chunks_exact_mut(many) {
                accumulate::<SWAP, W>(&mut sums, pixel);
            }
        }
    }
}

/// [`horizontal`] for a constant number of samples.
fn horizontal_of<const SWAP: bool, const SAMPLES: usize, W: Word>(row: &mut [W]) {
    let mut sums = [W::default(); SAMPLES];
    for pixel in row.as_chunks_mut::<SAMPLES>().0 {
        accumulate::<SWAP, W>(&mut sums, pixel);
    }
}

#[inline(always)]
fn accumulate<const SWAP: bool, W: Word>(sums: &mut [W], pixel: &mut [W]) {
    for (sum, sample) in sums.iter_mut().zip(pixel) {
        *sum = sum.plus(if SWAP { sample.swapped() } else { *sample });
        *sample = *sum;
    }
}

/// Undoes horizontal differencing of a row of 64-bit complex samples, and converts them to native byte order.
///
/// libtiff, which writes such files, treats both floats as one 64-bit number, with the real part in the low half.
pub(super) fn pairs(row: &mut [u8], samples_per_pixel: usize, byte_order: ByteOrder) {
    let mut sums = vec![0u64; samples_per_pixel];
    for pixel in row.chunks_exact_mut(8 * samples_per_pixel) {
        for (sum, bytes) in sums.iter_mut().zip(pixel.as_chunks_mut::<8>().0) {
            *sum = sum.wrapping_add(byte_order.u64(*bytes));
            let [a, b, c, d, e, f, g, h] = sum.to_le_bytes();
            let [real, imaginary] = [[a, b, c, d], [e, f, g, h]].map(|half| u32::from_le_bytes(half).to_ne_bytes());
            bytes[..4].copy_from_slice(&real);
            bytes[4..].copy_from_slice(&imaginary);
        }
    }
}

/// Undoes the final differencing of a row by the floating-point predictor. The result is a plane of the most
/// significant bytes of all samples, then the next ones, down to the least significant.
pub(super) fn planes(row: &mut [u8], samples_per_pixel: usize) {
    horizontal::<false, u8>(row, samples_per_pixel);
}

/// Assembles samples from the [`planes`] of a row.
pub(super) fn join_planes<W: Word>(planes: &[u8], row: &mut [W]) {
    W::join_planes(planes, row);
}
