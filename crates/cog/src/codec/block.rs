//! Parameters and size limits of the block that a codec decodes.

use crate::tiff::{ByteOrder, Compression, DataType, Encoding};
use crate::{Error, FilePosition, Result};

use super::samples::{DecodedTile, Samples};

/// Maximum size of a decoded block in bytes: that of libtiff, which uses signed 32-bit sizes.
pub const MAX_BLOCK_BYTES: u64 = i32::MAX.cast_unsigned() as u64;

/// Size of a block of samples: a tile with its padding, or a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShape {
    /// Columns.
    pub width: u32,
    /// Rows; the last strip has only those inside the image.
    pub height: u32,
    /// Samples per pixel: 1 for a tile of a plane.
    pub samples_per_pixel: u16,
}

/// A block to be decoded, of at most [`MAX_BLOCK_BYTES`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Encoding of the image.
    pub(crate) encoding: &'a Encoding,
    /// Byte order of samples.
    pub(crate) byte_order: ByteOrder,
    /// Size; all three numbers are at least 1.
    pub(crate) shape: BlockShape,
    /// The band that the first sample of a pixel belongs to.
    pub(crate) first_sample: u16,
    /// Type of the decoded samples; if bands differ, the widest.
    pub(crate) data_type: DataType,
    /// Columns.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// Samples per pixel.
    pub(crate) samples_per_pixel: usize,
}

impl<'a> Block<'a> {
    /// Creates a block after checking its size and type.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] beyond [`MAX_BLOCK_BYTES`], [`Error::Unsupported`] for sample types without a decoder,
    /// [`Error::InvalidArgument`] for bands that the encoding does not have.
    pub(crate) fn new(
        encoding: &'a Encoding,
        byte_order: ByteOrder,
        shape: BlockShape,
        first_sample: u16,
    ) -> Result<Self> {
        let data_type = data_type(encoding, shape, first_sample)?;
        let BlockShape { width, height, samples_per_pixel } = shape;
        // Three factors of at most 32, 32 and 16 bits, and a sample of at most 16 bytes.
        let bytes = u128::from(width) * u128::from(height) * u128::from(samples_per_pixel) * data_type.size() as u128;
        if bytes == 0 {
            return Err(Error::InvalidArgument {
                what: format!("expected a block of samples, found {width} x {height} x {samples_per_pixel}"),
            });
        }
        match (usize::try_from(width), usize::try_from(height)) {
            (Ok(columns), Ok(rows)) if bytes <= u128::from(MAX_BLOCK_BYTES) => Ok(Self {
                encoding,
                byte_order,
                shape,
                first_sample,
                data_type,
                width: columns,
                height: rows,
                samples_per_pixel: usize::from(samples_per_pixel),
            }),
            _ => Err(Error::LimitExceeded {
                at: NOWHERE,
                limit: "size of a decoded tile in bytes",
                asked: u64::try_from(bytes).unwrap_or(u64::MAX),
                max: MAX_BLOCK_BYTES,
            }),
        }
    }

    /// Number of pixels.
    pub(crate) fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// Number of samples.
    pub(crate) fn samples(&self) -> usize {
        self.pixels() * self.samples_per_pixel
    }

    /// Bit depth of each sample of a pixel.
    pub(crate) fn depths(&self) -> &'a [u16] {
        let first = usize::from(self.first_sample);
        self.encoding.bits_per_sample.get(first..first + self.samples_per_pixel).unwrap_or_default()
    }

    /// Bytes per row for byte codecs; rows start at byte boundaries.
    pub(crate) fn row_bytes(&self) -> usize {
        let bits: usize = self.depths().iter().map(|bits| usize::from(*bits)).sum();
        (self.width * bits).div_ceil(8)
    }

    /// Creates the decoded tile.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the number or type of the samples is not that of the block.
    pub(crate) fn tile(&self, samples: Samples, valid: Option<Vec<u8>>) -> Result<DecodedTile> {
        if samples.len() != self.samples() || samples.data_type() != self.data_type {
            return Err(malformed(format!(
                "expected {} samples of type {} in a tile, found {} of type {}",
                self.samples(),
                self.data_type,
                samples.len(),
                samples.data_type()
            )));
        }
        let BlockShape { width, height, samples_per_pixel } = self.shape;
        Ok(DecodedTile { width, height, samples_per_pixel, samples, valid })
    }
}

/// Without a position, which the caller adds.
const NOWHERE: FilePosition = FilePosition { ifd: None, tag: None, byte: None };

/// The bytes of the tile are invalid.
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { at: NOWHERE, what: what.into() }
}

/// The tile may be valid, but cannot be decoded.
pub(crate) fn unsupported(what: impl Into<String>) -> Error {
    Error::Unsupported { at: NOWHERE, what: what.into() }
}

/// Memory for decoding a block: its samples in their widest type, and the working memory of the codec.
pub(crate) fn decoding_bytes(encoding: &Encoding, shape: BlockShape) -> u64 {
    let widest =
        (0..encoding.bits_per_sample.len()).filter_map(|band| encoding.data_type_of(band)).map(DataType::size).max();
    let beside: u64 = match encoding.compression {
        // 32-bit floats for coefficients and samples, before and after the transforms.
        Compression::Jpeg2000 | Compression::Jxl => 12,
        _ => 0,
    };
    let sample = widest.unwrap_or(1) as u64 + beside;
    let pixels = u64::from(shape.width) * u64::from(shape.height);
    pixels.saturating_mul(shape.samples_per_pixel.into()).saturating_mul(sample)
}

/// The common type of all samples of a pixel.
pub(crate) fn data_type(encoding: &Encoding, shape: BlockShape, first_sample: u16) -> Result<DataType> {
    let bands = usize::from(first_sample)..usize::from(first_sample) + usize::from(shape.samples_per_pixel);
    let mut common: Option<DataType> = None;
    for band in bands {
        let Some(data_type) = encoding.data_type_of(band) else {
            return Err(Error::InvalidArgument { what: format!("expected a band of the file, found band {band}") });
        };
        common = match common {
            None => Some(data_type),
            Some(other) if other == data_type => common,
            Some(other) => Some(wider(other, data_type)?),
        };
    }
    match common {
        Some(complex @ (DataType::ComplexInt16 | DataType::ComplexInt32)) => {
            Err(unsupported(format!("samples of type {complex} are not supported")))
        }
        Some(data_type) => Ok(data_type),
        None => Err(Error::InvalidArgument { what: "expected at least one sample per pixel, found 0".to_owned() }),
    }
}

/// The wider of two unsigned types; other combinations have no type that represents every value.
fn wider(a: DataType, b: DataType) -> Result<DataType> {
    let is_unsigned =
        |data_type| matches!(data_type, DataType::Uint8 | DataType::Uint16 | DataType::Uint32 | DataType::Uint64);
    if is_unsigned(a) && is_unsigned(b) {
        return Ok(if a.size() > b.size() { a } else { b });
    }
    Err(unsupported(format!("samples of types {a} and {b} in one pixel are not supported")))
}
