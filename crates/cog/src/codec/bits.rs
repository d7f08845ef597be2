//! Samples that are not whole words: 1 to 7, 9 to 15, 17 to 31 and 33 to 63 bits, and pixels of mixed depths.
//!
//! Each row is a stream of bits, most significant first regardless of the byte order, padded to a byte; as in GDAL and
//! tifffile, also if depths are whole bytes. 24-bit floats are three bytes in the file's order (Technical Note 3).
//! libtiff swaps three-byte samples in big-endian files, so 24-bit integers are least significant byte first there, as
//! GDAL writes and reads them.

use crate::Result;
use crate::tiff::{ByteOrder, DataType, Predictor};

use super::block::{Block, malformed};
use super::predictor::{no_predictor, predictor_of};
use super::words::Word;
use super::{Samples, bytes, predictor};

/// Padding for reads beyond the last sample.
const SLACK: usize = 16;

/// Decodes a tile.
///
/// # Errors
///
/// See [`super::decode`].
pub(super) fn decode(encoded: &[u8], block: &Block) -> Result<Samples> {
    let row_bytes = block.row_bytes();
    let length = row_bytes * block.height;
    let mut packed = vec![0; length + SLACK];
    bytes::fill(encoded, block.encoding, &mut packed[..length])?;
    let rows = Rows { packed: &mut packed, row_bytes, block };
    let predictor = predictor_of(block.encoding);
    let is_integer_predictor = matches!(predictor, Predictor::None | Predictor::Horizontal);
    Ok(match block.data_type {
        DataType::Float32 if matches!(predictor, Predictor::None | Predictor::FloatingPoint) => {
            Samples::Float32(rows.triples())
        }
        DataType::Uint8 if is_integer_predictor => Samples::Uint8(rows.unpack::<u8>()?),
        DataType::Uint16 if is_integer_predictor => Samples::Uint16(rows.unpack::<u16>()?),
        DataType::Uint32 if is_integer_predictor => Samples::Uint32(rows.unpack::<u32>()?),
        DataType::Uint64 if is_integer_predictor => Samples::Uint64(rows.unpack::<u64>()?),
        _ => return Err(no_predictor(block)),
    })
}

/// The packed rows of a block, followed by [`SLACK`] bytes.
struct Rows<'a> {
    packed: &'a mut [u8],
    row_bytes: usize,
    block: &'a Block<'a>,
}

impl Rows<'_> {
    /// Converts 24-bit floats to 32-bit floats.
    fn triples(self) -> Vec<f32> {
        let block = self.block;
        let row = block.width * block.samples_per_pixel;
        let mut samples = Vec::with_capacity(block.samples());
        for bytes in self.packed.chunks_exact_mut(self.row_bytes).take(block.height) {
            if predictor_of(block.encoding) == Predictor::FloatingPoint {
                predictor::planes(bytes, block.samples_per_pixel);
                let (first, rest) = bytes.split_at(row);
                let (second, third) = rest.split_at(row);
                let triples = first.iter().zip(second).zip(third);
                samples.extend(triples.map(|((a, b), c)| widen(u32::from_be_bytes([0, *a, *b, *c]))));
            } else {
                samples.extend(bytes.as_chunks::<3>().0.iter().map(|triple| widen(number(*triple, block.byte_order))));
            }
        }
        samples
    }

    /// Unpacks unsigned samples.
    fn unpack<W: Unpacked>(self) -> Result<Vec<W>> {
        let block = self.block;
        let depths = block.depths();
        let row = block.width * block.samples_per_pixel;
        let mut samples = vec![W::default(); block.samples()];
        let is_mixed = depths.windows(2).any(|pair| pair[0] != pair[1]);
        let undoes = predictor_of(block.encoding) == Predictor::Horizontal;
        if undoes && is_mixed {
            return Err(malformed("expected samples of one depth with predictor 2, found several"));
        }
        let depth = depths.first().copied().unwrap_or_default();
        let mask = W::from_bits(u64::MAX.checked_shr(64 - u32::from(depth)).unwrap_or_default());
        for (index, samples) in samples.chunks_exact_mut(row).enumerate() {
            let bytes = &self.packed[index * self.row_bytes..];
            match depth {
                _ if is_mixed => mixed(bytes, depths, samples),
                1 => parts::<1, 8, W>(bytes, samples),
                2 => parts::<2, 4, W>(bytes, samples),
                4 => parts::<4, 2, W>(bytes, samples),
                12 => twelve(bytes, samples),
                24 if block.byte_order == ByteOrder::Big => {
                    let triples = bytes.as_chunks::<3>().0;
                    samples.iter_mut().zip(triples).for_each(|(sample, triple)| {
                        *sample = W::from_bits(number(*triple, ByteOrder::Little).into());
                    });
                }
                _ => {
                    let depth = usize::from(depth);
                    for (index, sample) in samples.iter_mut().enumerate() {
                        *sample = W::from_bits(field(bytes, index * depth, depth));
                    }
                }
            }
            if undoes {
                // Differences are modulo the depth, so sums wrap there.
                predictor::horizontal::<false, W>(samples, block.samples_per_pixel);
                samples.iter_mut().for_each(|sample| *sample = sample.masked(mask));
            }
        }
        Ok(samples)
    }
}

/// A word to unpack samples into.
trait Unpacked: Word {
    /// Truncates a number to the word.
    fn from_bits(bits: u64) -> Self;

    /// Applies a mask.
    fn masked(self, mask: Self) -> Self;
}

macro_rules! unpacked {
    ($($word:ty),*) => {$(
        impl Unpacked for $word {
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "a sample's depth is at most the word's")]
            fn from_bits(bits: u64) -> Self {
                bits as $word
            }

            #[inline(always)]
            fn masked(self, mask: Self) -> Self {
                self & mask
            }
        }
    )*};
}

unpacked!(u8, u16, u32, u64);

/// Unpacks samples of `BITS` bits, `PER_BYTE` per byte.
fn parts<const BITS: usize, const PER_BYTE: usize, W: Unpacked>(bytes: &[u8], samples: &mut [W]) {
    let mask = (1 << BITS) - 1;
    let part = |byte: u8, index: usize| W::from_bits(u64::from(byte) >> (8 - BITS - index * BITS) & mask);
    let (whole, rest) = samples.as_chunks_mut::<PER_BYTE>();
    for (samples, byte) in whole.iter_mut().zip(bytes) {
        for (index, sample) in samples.iter_mut().enumerate() {
            *sample = part(*byte, index);
        }
    }
    if let Some(byte) = bytes.get(whole.len()) {
        for (index, sample) in rest.iter_mut().enumerate() {
            *sample = part(*byte, index);
        }
    }
}

/// Unpacks 12-bit samples: two in three bytes.
fn twelve<W: Unpacked>(bytes: &[u8], samples: &mut [W]) {
    let (whole, rest) = samples.as_chunks_mut::<2>();
    for (pair, [a, b, c]) in whole.iter_mut().zip(bytes.as_chunks::<3>().0) {
        let [a, b, c] = [a, b, c].map(|byte| u64::from(*byte));
        *pair = [W::from_bits(a << 4 | b >> 4), W::from_bits((b & 15) << 8 | c)];
    }
    if let ([sample], [a, b, ..]) = (rest, &bytes[3 * whole.len()..]) {
        *sample = W::from_bits(u64::from(*a) << 4 | u64::from(*b) >> 4);
    }
}

/// Unpacks pixels whose bands have different depths.
fn mixed<W: Unpacked>(bytes: &[u8], depths: &[u16], samples: &mut [W]) {
    let mut at = 0;
    for (sample, depth) in samples.iter_mut().zip(depths.iter().cycle()) {
        let depth = usize::from(*depth);
        *sample = W::from_bits(field(bytes, at, depth));
        at += depth;
    }
}

/// Extracts `depth` bits (1 to 64) at a bit offset; the slice must have [`SLACK`] bytes of padding.
#[inline(always)]
fn field(bytes: &[u8], bit: usize, depth: usize) -> u64 {
    let bytes = &bytes[bit / 8..];
    let skip = bit % 8;
    if depth <= 57
        && let Some(window) = bytes.first_chunk()
    {
        return u64::from_be_bytes(*window) << skip >> (64 - depth);
    }
    let window = bytes.first_chunk().map_or(0, |window| u128::from_be_bytes(*window));
    // At most 64 bits remain.
    u64::try_from(window << skip >> (128 - depth)).unwrap_or_default()
}

/// Combines three bytes in the file's order.
fn number([a, b, c]: [u8; 3], byte_order: ByteOrder) -> u32 {
    match byte_order {
        ByteOrder::Little => u32::from_le_bytes([a, b, c, 0]),
        ByteOrder::Big => u32::from_be_bytes([0, a, b, c]),
    }
}

/// Widens a 24-bit float (Technical Note 3: a sign bit, 7 bits of exponent with a bias of 63, 16 bits of mantissa) to
/// 32 bits, which is exact.
fn widen(bits: u32) -> f32 {
    /// 2^(-62 - 16): the unit of subnormal numbers.
    const SMALLEST: f32 = 1.0 / (1u128 << 78) as f32;
    let sign = bits >> 23 << 31;
    let mantissa = bits & 0xFFFF;
    match bits >> 16 & 0x7F {
        0 => {
            #[allow(clippy::cast_precision_loss, reason = "16 bits fit a mantissa of 24")]
            let small = mantissa as f32 * SMALLEST;
            f32::from_bits(sign | small.to_bits())
        }
        0x7F => f32::from_bits(sign | 0x7F80_0000 | mantissa << 7),
        exponent => f32::from_bits(sign | (exponent + 127 - 63) << 23 | mantissa << 7),
    }
}
