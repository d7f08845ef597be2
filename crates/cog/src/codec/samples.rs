//! Decoded samples in native types.

use crate::tiff::DataType;

/// Samples of one block, row by row, pixel-interleaved.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// [`DataType::Uint8`].
    Uint8(Vec<u8>),
    /// [`DataType::Uint16`].
    Uint16(Vec<u16>),
    /// [`DataType::Uint32`].
    Uint32(Vec<u32>),
    /// [`DataType::Uint64`].
    Uint64(Vec<u64>),
    /// [`DataType::Int8`].
    Int8(Vec<i8>),
    /// [`DataType::Int16`].
    Int16(Vec<i16>),
    /// [`DataType::Int32`].
    Int32(Vec<i32>),
    /// [`DataType::Int64`].
    Int64(Vec<i64>),
    /// [`DataType::Float16`], as bits.
    Float16(Vec<u16>),
    /// [`DataType::Float32`].
    Float32(Vec<f32>),
    /// [`DataType::Float64`].
    Float64(Vec<f64>),
    /// [`DataType::Complex64`]: real and imaginary parts.
    Complex64(Vec<[f32; 2]>),
    /// [`DataType::Complex128`]: real and imaginary parts.
    Complex128(Vec<[f64; 2]>),
}

/// A decoded tile or strip.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedTile {
    /// Columns, including padding.
    pub width: u32,
    /// Rows, including padding.
    pub height: u32,
    /// Samples per pixel: 1 for a tile of a plane.
    pub samples_per_pixel: u16,
    /// `width * height * samples_per_pixel` samples. If the bands of a chunky image differ in type, all have the widest
    /// one.
    pub samples: Samples,
    /// Validity of pixels if the codec stores it (LERC): one byte each, 0 for invalid.
    pub valid: Option<Vec<u8>>,
}

impl Samples {
    /// Type of the samples.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Uint8(_) => DataType::Uint8,
            Self::Uint16(_) => DataType::Uint16,
            Self::Uint32(_) => DataType::Uint32,
            Self::Uint64(_) => DataType::Uint64,
            Self::Int8(_) => DataType::Int8,
            Self::Int16(_) => DataType::Int16,
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::Float16(_) => DataType::Float16,
            Self::Float32(_) => DataType::Float32,
            Self::Float64(_) => DataType::Float64,
            Self::Complex64(_) => DataType::Complex64,
            Self::Complex128(_) => DataType::Complex128,
        }
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Uint8(samples) => samples.len(),
            Self::Uint16(samples) | Self::Float16(samples) => samples.len(),
            Self::Uint32(samples) => samples.len(),
            Self::Uint64(samples) => samples.len(),
            Self::Int8(samples) => samples.len(),
            Self::Int16(samples) => samples.len(),
            Self::Int32(samples) => samples.len(),
            Self::Int64(samples) => samples.len(),
            Self::Float32(samples) => samples.len(),
            Self::Float64(samples) => samples.len(),
            Self::Complex64(samples) => samples.len(),
            Self::Complex128(samples) => samples.len(),
        }
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
