//! Values of tags that TIFF enumerates, by the names of the specifications.
//!
//! Each type keeps codes that it has no name for as `Unknown`, so that [`from_code`](Predictor::from_code) and
//! [`code`](Predictor::code) round-trip for every number.

use super::data_type::DataType;

macro_rules! codes {
    ($($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $name:ident = $code:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $name,)*
            /// Any other code.
            Unknown(u16),
        }

        impl $type {
            /// The value of a TIFF code.
            #[must_use]
            pub const fn from_code(code: u16) -> Self {
                match code {
                    $($code => Self::$name,)*
                    code => Self::Unknown(code),
                }
            }

            /// The TIFF code.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Unknown(code) => code,
                }
            }
        }
    )*};
}

codes! {
    /// Predictor (317).
    Predictor {
        /// No prediction.
        None = 1,
        /// Horizontal differencing (TIFF 6.0, section 14).
        Horizontal = 2,
        /// Floating-point horizontal differencing (TIFF Technical Note 3).
        FloatingPoint = 3,
    }

    /// PlanarConfiguration (284).
    PlanarConfiguration {
        /// The samples of a pixel are contiguous.
        Chunky = 1,
        /// The samples of each band have tiles of their own.
        Planar = 2,
    }

    /// SampleFormat (339).
    SampleFormat {
        /// Unsigned integer.
        Uint = 1,
        /// Two's complement signed integer.
        Int = 2,
        /// IEEE floating point.
        Float = 3,
        /// Undefined data format.
        Undefined = 4,
        /// Complex integer.
        ComplexInt = 5,
        /// Complex IEEE floating point.
        ComplexFloat = 6,
    }

    /// PhotometricInterpretation (262).
    Photometric {
        /// 0 is white.
        WhiteIsZero = 0,
        /// 0 is black.
        BlackIsZero = 1,
        /// Red, green and blue.
        Rgb = 2,
        /// Indices into ColorMap.
        Palette = 3,
        /// Transparency mask.
        TransparencyMask = 4,
        /// Separated, usually CMYK.
        Separated = 5,
        /// YCbCr.
        YCbCr = 6,
        /// CIE L*a*b*.
        CieLab = 8,
    }

    /// FillOrder (266).
    FillOrder {
        /// The most significant bit of a byte comes first.
        MsbFirst = 1,
        /// The least significant bit of a byte comes first.
        LsbFirst = 2,
    }

    /// The meaning of an extra sample: one value of ExtraSamples (338).
    ExtraSample {
        /// Unspecified data.
        Unspecified = 0,
        /// Associated alpha: colours are premultiplied.
        AssociatedAlpha = 1,
        /// Unassociated alpha.
        UnassociatedAlpha = 2,
    }
}

impl SampleFormat {
    /// The format in which a file stores samples of a type.
    #[must_use]
    pub const fn of(data_type: DataType) -> Self {
        match data_type {
            DataType::Uint8 | DataType::Uint16 | DataType::Uint32 | DataType::Uint64 => Self::Uint,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Self::Int,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::ComplexInt16 | DataType::ComplexInt32 => Self::ComplexInt,
            DataType::Complex64 | DataType::Complex128 => Self::ComplexFloat,
        }
    }
}

impl ExtraSample {
    /// Whether the sample is alpha.
    #[must_use]
    pub const fn is_alpha(self) -> bool {
        matches!(self, Self::AssociatedAlpha | Self::UnassociatedAlpha)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExtraSample, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat};

    #[test]
    fn codes_round_trip() {
        for code in 0..=u16::MAX {
            assert_eq!(Predictor::from_code(code).code(), code);
            assert_eq!(PlanarConfiguration::from_code(code).code(), code);
            assert_eq!(SampleFormat::from_code(code).code(), code);
            assert_eq!(Photometric::from_code(code).code(), code);
            assert_eq!(FillOrder::from_code(code).code(), code);
            assert_eq!(ExtraSample::from_code(code).code(), code);
        }
        assert_eq!(Predictor::from_code(3), Predictor::FloatingPoint);
        assert_eq!(PlanarConfiguration::from_code(2), PlanarConfiguration::Planar);
        assert_eq!(SampleFormat::from_code(6), SampleFormat::ComplexFloat);
        assert_eq!(Photometric::from_code(6), Photometric::YCbCr);
        assert_eq!(FillOrder::from_code(2), FillOrder::LsbFirst);
        assert_eq!(ExtraSample::from_code(2), ExtraSample::UnassociatedAlpha);
        assert_eq!(Predictor::from_code(0), Predictor::Unknown(0));
    }
}
