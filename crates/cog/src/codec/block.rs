//! What a codec is told of the block that it decodes, and the bounds that it keeps.

use crate::tiff::{ByteOrder, Compression, DataType, Encoding};
use crate::{Error, FilePosition, Result};

use super::samples::{DecodedTile, Samples};

/// Bytes of one decoded block: what libtiff can hold of one, whose sizes are signed 32-bit numbers. Larger ones are refused.
pub const MAX_BLOCK_BYTES: u64 = i32::MAX.cast_unsigned() as u64;

/// The size of a block of samples: a tile with its padding, or a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShape {
    /// Columns.
    pub width: u32,
    /// Rows; the last strip of an image has only those that are in the image.
    pub height: u32,
    /// Samples of one pixel: 1 for a tile of a plane.
    pub samples_per_pixel: u16,
}

/// A block to be decoded: its size, which [`MAX_BLOCK_BYTES`] holds for, and what TIFF says of its samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// What TIFF says of the image.
    pub(crate) encoding: &'a Encoding,
    /// Order of bytes in samples.
    pub(crate) byte_order: ByteOrder,
    /// Size; none of the three numbers is 0.
    pub(crate) shape: BlockShape,
    /// The band that the first sample of a pixel belongs to.
    pub(crate) first_sample: u16,
    /// Type of the decoded samples: where bands differ, the smallest that holds all of them.
    pub(crate) data_type: DataType,
    /// Columns, as `shape` has them.
    pub(crate) width: usize,
    /// Rows, as `shape` has them.
    pub(crate) height: usize,
    /// Samples of one pixel, as `shape` has them.
    pub(crate) samples_per_pixel: usize,
}

impl<'a> Block<'a> {
    /// A block that can be held.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] beyond [`MAX_BLOCK_BYTES`], [`Error::Unsupported`] for sample types that are not decoded,
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

    /// Pixels of the block.
    pub(crate) fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// Samples of the block.
    pub(crate) fn samples(&self) -> usize {
        self.pixels() * self.samples_per_pixel
    }

    /// Bits of each sample of a pixel.
    pub(crate) fn depths(&self) -> &'a [u16] {
        let first = usize::from(self.first_sample);
        self.encoding.bits_per_sample.get(first..first + self.samples_per_pixel).unwrap_or_default()
    }

    /// Bytes of a row as stored by the codecs of bytes: rows start at bytes.
    pub(crate) fn row_bytes(&self) -> usize {
        let bits: usize = self.depths().iter().map(|bits| usize::from(*bits)).sum();
        (self.width * bits).div_ceil(8)
    }

    /// The tile that these samples make.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] where their number or type is not the block's.
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

/// No place in the file: the caller knows which tile it is.
const NOWHERE: FilePosition = FilePosition { ifd: None, tag: None, byte: None };

/// The tile's bytes are not what the file says.
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { at: NOWHERE, what: what.into() }
}

/// The tile may be right, but is not decoded here.
pub(crate) fn unsupported(what: impl Into<String>) -> Error {
    Error::Unsupported { at: NOWHERE, what: what.into() }
}

/// Bytes that a block takes while it is decoded: its samples in the widest of their types, and beside them what the codec works on.
pub(crate) fn decoding_bytes(encoding: &Encoding, shape: BlockShape) -> u64 {
    let widest =
        (0..encoding.bits_per_sample.len()).filter_map(|band| encoding.data_type_of(band)).map(DataType::size).max();
    let beside: u64 = match encoding.compression {
        // Coefficients and samples as floats of 32 bits, before and after the transforms.
        Compression::Jpeg2000 | Compression::Jxl => 12,
        _ => 0,
    };
    let sample = widest.unwrap_or(1) as u64 + beside;
    let pixels = u64::from(shape.width) * u64::from(shape.height);
    pixels.saturating_mul(shape.samples_per_pixel.into()).saturating_mul(sample)
}

/// The type that all samples of a pixel are decoded to.
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
            Err(unsupported(format!("samples of type {complex} are not decoded")))
        }
        Some(data_type) => Ok(data_type),
        None => Err(Error::InvalidArgument { what: "expected at least one sample a pixel, found 0".to_owned() }),
    }
}

/// The wider of two unsigned types; other mixtures have no type in common that keeps every value.
fn wider(a: DataType, b: DataType) -> Result<DataType> {
    let is_unsigned =
        |data_type| matches!(data_type, DataType::Uint8 | DataType::Uint16 | DataType::Uint32 | DataType::Uint64);
    if is_unsigned(a) && is_unsigned(b) {
        return Ok(if a.size() > b.size() { a } else { b });
    }
    Err(unsupported(format!("samples of types {a} and {b} in one pixel are not decoded")))
}
