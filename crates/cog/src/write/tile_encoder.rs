//! Encoding of single tiles: predictor, then compression.

use libdeflater::{CompressionLvl, Compressor};

use super::options::invalid;
use super::{CogOptions, CogProfile};
use crate::tiff::{Compression, DataType, Predictor};
use crate::{Error, Result};

/// Levels of GDAL's COG driver.
const DEFLATE_LEVEL: u8 = 6;
const ZSTD_LEVEL: u8 = 9;
const LZMA_LEVEL: u8 = 6;

/// Encodes the tiles of a file; one per thread, since compressors keep their memory.
pub struct TileEncoder {
    compression: Compression,
    level: u8,
    predictor: Predictor,
    /// Bytes of a row of a tile.
    row_bytes: usize,
    bands: usize,
    sample_bytes: usize,
    block_size: usize,
    deflate: Compressor,
    zstd: zstd_safe::CCtx<'static>,
}

impl TileEncoder {
    /// An encoder for tiles of a file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for options that do not fit the samples.
    pub fn new(profile: &CogProfile, options: &CogOptions) -> Result<Self> {
        let default = match options.compression {
            Compression::Zstd => ZSTD_LEVEL,
            Compression::Lzma => LZMA_LEVEL,
            _ => DEFLATE_LEVEL,
        };
        let level = options.level.unwrap_or(default);
        let deflate = if options.compression == Compression::Deflate { level } else { DEFLATE_LEVEL };
        let deflate = CompressionLvl::new(deflate.into()).map_err(|_| failed("deflate", "no such level"))?;
        let block_size = usize::try_from(options.block_size).unwrap_or(usize::MAX);
        Ok(Self {
            compression: options.compression,
            level,
            predictor: options.predictor_for(profile.dtype)?,
            row_bytes: block_size.saturating_mul(profile.pixel_bytes()),
            bands: profile.bands.into(),
            sample_bytes: sample_bytes(profile.dtype),
            block_size,
            deflate: Compressor::new(deflate),
            zstd: zstd_safe::CCtx::create(),
        })
    }

    /// Encodes the samples of a tile: rows of pixels with the bands of a pixel together, little-endian. The samples are
    /// changed by the predictor.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the encoded tile exceeds 4 GiB, or the library fails.
    pub fn encode(&mut self, tile: &mut [u8]) -> Result<Vec<u8>> {
        for row in tile.chunks_exact_mut(self.row_bytes) {
            match self.predictor {
                Predictor::Horizontal => horizontal(row, self.sample_bytes, self.bands),
                Predictor::FloatingPoint => floating_point(row, self.sample_bytes, self.bands),
                _ => {}
            }
        }
        let encoded = match self.compression {
            Compression::None => tile.to_vec(),
            Compression::Lzw => weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
                .encode(tile)
                .map_err(|error| failed("lzw", &error.to_string()))?,
            Compression::Deflate => self.deflate(tile)?,
            Compression::Zstd => self.zstd(tile)?,
            Compression::Lzma => lzma(tile, self.level)?,
            other => return invalid(format!("tiles cannot be written as {other}")),
        };
        if u32::try_from(encoded.len()).is_err() {
            return invalid(format!("expected a tile of at most {} bytes, found {}", u32::MAX, encoded.len()));
        }
        Ok(encoded)
    }

    /// Encodes the mask of a tile, one byte per pixel and 0 for invalid ones, as one bit per pixel.
    ///
    /// # Errors
    ///
    /// See [`encode`](Self::encode).
    pub fn encode_mask(&mut self, mask: &[u8]) -> Result<Vec<u8>> {
        let mut bits = Vec::with_capacity(mask.len() / 8);
        for row in mask.chunks_exact(self.block_size) {
            bits.extend(row.chunks(8).map(|pixels| {
                pixels.iter().enumerate().fold(0, |byte, (at, valid)| byte | u8::from(*valid != 0) << (7 - at))
            }));
        }
        self.deflate(&bits)
    }

    fn deflate(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut output = vec![0; self.deflate.zlib_compress_bound(bytes.len())];
        let length = self.deflate.zlib_compress(bytes, &mut output);
        let length = length.map_err(|error| failed("deflate", &error.to_string()))?;
        output.truncate(length);
        Ok(output)
    }

    fn zstd(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut output = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        let written = self.zstd.compress(&mut output, bytes, self.level.into());
        written.map_err(|code| failed("zstd", zstd_safe::get_error_name(code)))?;
        Ok(output)
    }
}

/// Bytes of the numbers that a predictor works on: those of a part of a complex number are a sample each.
fn sample_bytes(dtype: DataType) -> usize {
    dtype.size().min(8)
}

fn failed(codec: &str, what: &str) -> Error {
    Error::InvalidArgument { what: format!("the tile cannot be compressed by {codec}: {what}") }
}

fn lzma(bytes: &[u8], level: u8) -> Result<Vec<u8>> {
    use std::io::Write;
    let encode = || {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), level.into());
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    encode().map_err(|error| failed("lzma", &error.to_string()))
}

/// Replaces the samples of a row by their differences to the pixel before (TIFF 6.0, section 14).
fn horizontal(row: &mut [u8], sample_bytes: usize, bands: usize) {
    match sample_bytes {
        1 => differences(row, bands, |[at], [before]: [u8; 1]| [at.wrapping_sub(before)]),
        2 => differences(row, bands, |at, before| {
            u16::from_le_bytes(at).wrapping_sub(u16::from_le_bytes(before)).to_le_bytes()
        }),
        4 => differences(row, bands, |at, before| {
            u32::from_le_bytes(at).wrapping_sub(u32::from_le_bytes(before)).to_le_bytes()
        }),
        _ => differences(row, bands, |at, before| {
            u64::from_le_bytes(at).wrapping_sub(u64::from_le_bytes(before)).to_le_bytes()
        }),
    }
}

#[inline]
fn differences<const BYTES: usize>(
    row: &mut [u8],
    bands: usize,
    difference: impl Fn([u8; BYTES], [u8; BYTES]) -> [u8; BYTES],
) {
    // With a copy, no sample depends on a changed one, and the loop is vectorized.
    let copy = row.to_vec();
    let before = copy.as_chunks::<BYTES>().0;
    for (sample, before) in row.as_chunks_mut::<BYTES>().0.iter_mut().skip(bands).zip(before) {
        *sample = difference(*sample, *before);
    }
}

/// The floating-point predictor (TIFF Technical Note 3): a plane of the most significant bytes of all samples, then the
/// next ones, and the differences of these bytes to the pixel before.
fn floating_point(row: &mut [u8], sample_bytes: usize, bands: usize) {
    let samples = row.to_vec();
    let count = row.len() / sample_bytes;
    for (at, sample) in samples.chunks_exact(sample_bytes).enumerate() {
        for (place, byte) in sample.iter().rev().enumerate() {
            row[place * count + at] = *byte;
        }
    }
    horizontal(row, 1, bands);
}

impl std::fmt::Debug for TileEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TileEncoder")
            .field("compression", &self.compression)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
