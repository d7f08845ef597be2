//! The layout and encoding of an image's samples.

use bytes::Bytes;

use super::codes::{FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat};
use super::compression::Compression;
use super::data_type::DataType;

/// The layout and encoding of the samples of one image: everything that a codec needs besides the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Compression (259), with LERC's second codec resolved from LercParameters.
    pub compression: Compression,
    /// Predictor (317); `None` when absent.
    pub predictor: Predictor,
    /// PlanarConfiguration (284); `Chunky` when absent.
    pub planar_configuration: PlanarConfiguration,
    /// PhotometricInterpretation (262), None when absent.
    pub photometric: Option<Photometric>,
    /// SamplesPerPixel (277), at least 1.
    pub samples_per_pixel: u16,
    /// BitsPerSample (258), one per sample.
    pub bits_per_sample: Vec<u16>,
    /// SampleFormat (339), one per sample.
    pub sample_format: Vec<SampleFormat>,
    /// Type of the decoded samples of the first band, or of the band that the header was narrowed to.
    pub dtype: DataType,
    /// FillOrder (266); `MsbFirst` when absent.
    pub fill_order: FillOrder,
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
    /// Uncompressed chunky grey samples of a type.
    #[must_use]
    pub fn uncompressed(dtype: DataType, samples_per_pixel: u16) -> Self {
        // Types have at most 16 bytes.
        let bits = u16::try_from(8 * dtype.size()).unwrap_or(u16::MAX);
        Self {
            compression: Compression::None,
            predictor: Predictor::None,
            planar_configuration: PlanarConfiguration::Chunky,
            photometric: Some(Photometric::BlackIsZero),
            samples_per_pixel,
            bits_per_sample: vec![bits; samples_per_pixel.into()],
            sample_format: vec![SampleFormat::of(dtype); samples_per_pixel.into()],
            dtype,
            fill_order: FillOrder::MsbFirst,
            jpeg_tables: None,
            ycbcr_subsampling: None,
            lerc_parameters: None,
            t4_options: None,
        }
    }

    /// Whether the samples of each band have tiles of their own.
    #[must_use]
    pub fn is_planar(&self) -> bool {
        self.planar_configuration == PlanarConfiguration::Planar
    }

    /// The type of one band's decoded samples; None beyond the last band.
    pub(crate) fn data_type_of(&self, band: usize) -> Option<DataType> {
        data_type(*self.bits_per_sample.get(band)?, *self.sample_format.get(band)?)
    }
}

/// The type of decoded samples of a depth and format; None if there is none.
///
/// As in GDAL, depths between 8, 16, 32 and 64 bits are widened, and read as unsigned whatever their format; a 24-bit float
/// becomes a `float32`.
pub(crate) fn data_type(bits: u16, format: SampleFormat) -> Option<DataType> {
    use SampleFormat::{ComplexFloat, ComplexInt, Float, Int, Uint};
    Some(match (format, bits) {
        (_, 0) => return None,
        (Int, 8) => DataType::Int8,
        (Int, 16) => DataType::Int16,
        (Int, 32) => DataType::Int32,
        (Int, 64) => DataType::Int64,
        (Float, 16) => DataType::Float16,
        (Float, 24 | 32) => DataType::Float32,
        (Float, 64) => DataType::Float64,
        (ComplexInt, 32) => DataType::ComplexInt16,
        (ComplexInt, 64) => DataType::ComplexInt32,
        (ComplexFloat, 64) => DataType::Complex64,
        (ComplexFloat, 128) => DataType::Complex128,
        (Uint | Int, ..=8) => DataType::Uint8,
        (Uint | Int, ..=16) => DataType::Uint16,
        (Uint | Int, ..=32) => DataType::Uint32,
        (Uint | Int, ..=64) => DataType::Uint64,
        _ => return None,
    })
}
