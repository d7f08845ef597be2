//! How the samples of an image are laid out and encoded.

use bytes::Bytes;

use super::compression::Compression;
use super::data_type::DataType;

/// How the samples of one image are laid out and encoded: all that a codec needs besides the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Compression (259), with LERC's second codec resolved from LercParameters.
    pub compression: Compression,
    /// Predictor (317): 1 none, 2 horizontal differencing, 3 floating point. 1 when absent.
    pub predictor: u16,
    /// PlanarConfiguration (284): 1 chunky, 2 planar. 1 when absent.
    pub planar_configuration: u16,
    /// PhotometricInterpretation (262), None when absent.
    pub photometric: Option<u16>,
    /// SamplesPerPixel (277), at least 1.
    pub samples_per_pixel: u16,
    /// BitsPerSample (258), one per sample.
    pub bits_per_sample: Vec<u16>,
    /// SampleFormat (339), one per sample: 1 unsigned, 2 signed, 3 floating point, 5 complex integer, 6 complex floating point.
    pub sample_format: Vec<u16>,
    /// numpy's name of the type that decoded samples have, of the first (or the narrowed-to) band.
    pub dtype: DataType,
    /// FillOrder (266): 1 most significant bit first, 2 least. 1 when absent.
    pub fill_order: u16,
    /// JPEGTables (347).
    pub jpeg_tables: Option<Bytes>,
    /// YCbCrSubSampling (530), horizontal and vertical.
    pub ycbcr_subsampling: Option<[u16; 2]>,
    /// LercParameters (50674): version, then the additional compression.
    pub lerc_parameters: Option<Vec<u32>>,
    /// T4Options (292).
    pub t4_options: Option<u32>,
}

impl Encoding {
    /// The type of one band's decoded samples; None beyond the last band.
    pub(crate) fn data_type_of(&self, band: usize) -> Option<DataType> {
        data_type(*self.bits_per_sample.get(band)?, *self.sample_format.get(band)?)
    }
}

/// The type that samples of so many bits have when decoded; None where no type fits.
///
/// As GDAL has it: depths between 8, 16, 32 and 64 bits widen, and are unsigned whatever their format says; a 24-bit
/// float becomes a `float32`.
pub(crate) fn data_type(bits: u16, format: u16) -> Option<DataType> {
    Some(match (format, bits) {
        (_, 0) => return None,
        (2, 8) => DataType::Int8,
        (2, 16) => DataType::Int16,
        (2, 32) => DataType::Int32,
        (2, 64) => DataType::Int64,
        (3, 16) => DataType::Float16,
        (3, 24 | 32) => DataType::Float32,
        (3, 64) => DataType::Float64,
        (5, 32) => DataType::ComplexInt16,
        (5, 64) => DataType::ComplexInt32,
        (6, 64) => DataType::Complex64,
        (6, 128) => DataType::Complex128,
        (1 | 2, ..=8) => DataType::Uint8,
        (1 | 2, ..=16) => DataType::Uint16,
        (1 | 2, ..=32) => DataType::Uint32,
        (1 | 2, ..=64) => DataType::Uint64,
        _ => return None,
    })
}
