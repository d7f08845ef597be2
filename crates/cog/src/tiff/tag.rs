//! Tag codes and their names in the specifications.

use std::fmt;

use ::tiff::tags::Tag as Known;

/// Tag code of an IFD entry. Displays as name and code: `TileWidth (322)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

/// Defines constants for the tags that this crate reads, each with a slot.
macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $code:expr;)*) => {
        impl Tag {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Number of slots.
            pub(crate) const SLOTS: usize = [$(stringify!($name)),*].len();

            /// Index of a tag in the lookup table of IFDs, resolved at compile time for constants.
            #[inline]
            pub(crate) const fn slot(self) -> Option<usize> {
                #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
                enum Slot { $($name),* }
                match self {
                    $(Self::$name => Some(Slot::$name as usize),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    /// Role of the image (TIFF 6.0, section 8).
    NEW_SUBFILE_TYPE = Known::NewSubfileType.to_u16();
    /// The older form of NewSubfileType.
    SUBFILE_TYPE = Known::SubfileType.to_u16();
    /// Columns.
    IMAGE_WIDTH = Known::ImageWidth.to_u16();
    /// Rows.
    IMAGE_LENGTH = Known::ImageLength.to_u16();
    /// Bit depth of each sample.
    BITS_PER_SAMPLE = Known::BitsPerSample.to_u16();
    /// Compression scheme.
    COMPRESSION = Known::Compression.to_u16();
    /// Colour space.
    PHOTOMETRIC_INTERPRETATION = Known::PhotometricInterpretation.to_u16();
    /// Bit order within bytes.
    FILL_ORDER = Known::FillOrder.to_u16();
    /// Byte offset of each strip.
    STRIP_OFFSETS = Known::StripOffsets.to_u16();
    /// Samples per pixel.
    SAMPLES_PER_PIXEL = Known::SamplesPerPixel.to_u16();
    /// Rows per strip.
    ROWS_PER_STRIP = Known::RowsPerStrip.to_u16();
    /// Byte count of each strip.
    STRIP_BYTE_COUNTS = Known::StripByteCounts.to_u16();
    /// Chunky or planar layout of samples.
    PLANAR_CONFIGURATION = Known::PlanarConfiguration.to_u16();
    /// Options of CCITT T.4 (TIFF 6.0, section 11).
    T4_OPTIONS = 292;
    /// Differencing before compression (TIFF 6.0, section 14; TIFF Technical Note 3).
    PREDICTOR = Known::Predictor.to_u16();
    /// Columns of a tile (TIFF 6.0, section 15).
    TILE_WIDTH = Known::TileWidth.to_u16();
    /// Rows of a tile.
    TILE_LENGTH = Known::TileLength.to_u16();
    /// Byte offset of each tile.
    TILE_OFFSETS = Known::TileOffsets.to_u16();
    /// Byte count of each tile.
    TILE_BYTE_COUNTS = Known::TileByteCounts.to_u16();
    /// Offsets of child IFDs (TIFF Technical Note 1).
    SUB_IFDS = Known::SubIfd.to_u16();
    /// Meaning of samples beyond those of the colour space (TIFF 6.0, section 18).
    EXTRA_SAMPLES = Known::ExtraSamples.to_u16();
    /// Integer, floating point or complex (TIFF 6.0, section 19).
    SAMPLE_FORMAT = Known::SampleFormat.to_u16();
    /// Quantization and Huffman tables shared by all tiles (TIFF Technical Note 2).
    JPEG_TABLES = Known::JPEGTables.to_u16();
    /// Subsampling of the chroma samples (TIFF 6.0, section 21).
    YCBCR_SUBSAMPLING = Known::ChromaSubsampling.to_u16();
    /// Size of a pixel in world units (GeoTIFF 1.1, requirement class ModelPixelScaleTag).
    MODEL_PIXEL_SCALE = Known::ModelPixelScaleTag.to_u16();
    /// Pairs of raster and world points (GeoTIFF 1.1).
    MODEL_TIEPOINT = Known::ModelTiepointTag.to_u16();
    /// 4 by 4 matrix from raster to world (GeoTIFF 1.1).
    MODEL_TRANSFORMATION = Known::ModelTransformationTag.to_u16();
    /// GeoKeys (GeoTIFF 1.1).
    GEO_KEY_DIRECTORY = Known::GeoKeyDirectoryTag.to_u16();
    /// DOUBLE values of GeoKeys.
    GEO_DOUBLE_PARAMS = Known::GeoDoubleParamsTag.to_u16();
    /// ASCII values of GeoKeys.
    GEO_ASCII_PARAMS = Known::GeoAsciiParamsTag.to_u16();
    /// GDAL's metadata, as XML.
    GDAL_METADATA = 42112;
    /// GDAL's nodata value, as text.
    GDAL_NODATA = Known::GdalNodata.to_u16();
    /// LERC's version and second codec.
    LERC_PARAMETERS = 50674;
}

impl Tag {
    /// Colours of a palette image (TIFF 6.0, section 5); without a slot, since only descriptions read it.
    pub const COLOR_MAP: Self = Self(320);

    /// Name in the specification; None for unknown tags.
    #[must_use]
    pub fn name(self) -> Option<String> {
        let name = match self {
            Self::YCBCR_SUBSAMPLING => "YCbCrSubSampling",
            Self::SUB_IFDS => "SubIFDs",
            Self::T4_OPTIONS => "T4Options",
            Self::GDAL_METADATA => "GDAL_METADATA",
            Self::GDAL_NODATA => "GDAL_NODATA",
            Self::LERC_PARAMETERS => "LercParameters",
            Self(269) => "DocumentName",
            Self(285) => "PageName",
            Self(286) => "XPosition",
            Self(287) => "YPosition",
            Self(293) => "T6Options",
            Self(297) => "PageNumber",
            Self(301) => "TransferFunction",
            Self(318) => "WhitePoint",
            Self(319) => "PrimaryChromaticities",
            Self(321) => "HalftoneHints",
            Self(332) => "InkSet",
            Self(333) => "InkNames",
            Self(334) => "NumberOfInks",
            Self(336) => "DotRange",
            Self(337) => "TargetPrinter",
            Self(342) => "TransferRange",
            Self(512) => "JPEGProc",
            Self(513) => "JPEGInterchangeFormat",
            Self(514) => "JPEGInterchangeFormatLength",
            Self(519) => "JPEGQTables",
            Self(520) => "JPEGDCTables",
            Self(521) => "JPEGACTables",
            Self(529) => "YCbCrCoefficients",
            Self(531) => "YCbCrPositioning",
            Self(532) => "ReferenceBlackWhite",
            Self(700) => "XMP",
            Self(33920) => "IntergraphMatrix",
            Self(34377) => "Photoshop",
            Self(50844) => "RPCCoefficient",
            Self(50909) => "GEO_METADATA",
            Self(code) => {
                return Known::from_u16(code).map(|known| format!("{known:?}"));
            }
        };
        Some(name.to_owned())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn tags_display_as_name_and_code() {
        assert_eq!(Tag::TILE_WIDTH.to_string(), "TileWidth (322)");
        assert_eq!(Tag::GDAL_NODATA.to_string(), "GDAL_NODATA (42113)");
        assert_eq!(Tag::GEO_KEY_DIRECTORY.to_string(), "GeoKeyDirectoryTag (34735)");
        assert_eq!(Tag(65000).to_string(), "65000");
    }
}
