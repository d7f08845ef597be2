//! Options of a COG that is written, by the names and with the meanings of GDAL's COG driver.

use std::str::FromStr;

use crate::tiff::{Compression, DataType, Predictor};
use crate::{Error, Result};

/// Smallest and largest side of a tile: TIFF 6.0 requires multiples of 16, GDAL writes none above 4096.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 16..=4096;

/// How overviews are computed from the level before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverviewResampling {
    /// Mean of the valid pixels, weighted by the area that a pixel shares with that of the overview. Complex samples are taken
    /// from the nearest pixel.
    Average,
    /// The pixel at the centre of that of the overview.
    Nearest,
    /// The value with the largest area, the smaller one on a tie.
    Mode,
}

/// Which predictor is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredictorChoice {
    /// The one for the sample type; none for halves and complex numbers.
    Auto,
    /// A given one.
    Exactly(Predictor),
}

/// When a BigTIFF is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BigTiff {
    /// If the file exceeds 4 GiB.
    Auto,
    /// Always.
    Yes,
    /// Never: a larger file is an error.
    No,
}

/// Options of a COG that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CogOptions {
    /// One of `None`, `Lzw`, `Deflate`, `Zstd` and `Lzma`.
    pub compression: Compression,
    /// Effort of the compression; None for the default of the scheme.
    pub level: Option<u8>,
    /// Which predictor is used.
    pub predictor: PredictorChoice,
    /// Width and height of a tile in pixels, a multiple of 16.
    pub block_size: u32,
    /// How overviews are computed; None for none.
    pub overviews: Option<OverviewResampling>,
    /// When a BigTIFF is written.
    pub big_tiff: BigTiff,
}

impl Default for CogOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Deflate,
            level: None,
            predictor: PredictorChoice::Auto,
            // That of GDAL's COG driver.
            block_size: 512,
            overviews: Some(OverviewResampling::Average),
            big_tiff: BigTiff::Auto,
        }
    }
}

impl CogOptions {
    /// Compressions that can be written.
    pub const COMPRESSIONS: [Compression; 5] =
        [Compression::None, Compression::Lzw, Compression::Deflate, Compression::Zstd, Compression::Lzma];

    /// Checks the options that do not depend on the samples.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] that names the option, with what was expected and found.
    pub fn check(&self) -> Result<()> {
        if !BLOCK_SIZES.contains(&self.block_size) || !self.block_size.is_multiple_of(16) {
            let (low, high) = (BLOCK_SIZES.start(), BLOCK_SIZES.end());
            return invalid(format!(
                "expected a block size from {low} to {high} that is a multiple of 16, found {}",
                self.block_size
            ));
        }
        let levels = match self.compression {
            Compression::None | Compression::Lzw => 0..=0,
            Compression::Deflate => 1..=12,
            Compression::Zstd => 1..=22,
            Compression::Lzma => 0..=9,
            other => {
                return invalid(format!("expected the compression none, lzw, deflate, zstd or lzma, found {other}"));
            }
        };
        if let Some(level) = self.level {
            if *levels.end() == 0 {
                return invalid(format!("the compression {} has no levels, found {level}", self.compression));
            }
            if !levels.contains(&level) {
                let (low, high) = levels.into_inner();
                return invalid(format!(
                    "expected a level of {} from {low} to {high}, found {level}",
                    self.compression
                ));
            }
        }
        Ok(())
    }

    /// The predictor for samples of a type.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the chosen one is not defined for the type.
    pub fn predictor_for(&self, dtype: DataType) -> Result<Predictor> {
        let natural = match dtype {
            DataType::Float32 | DataType::Float64 => Predictor::FloatingPoint,
            DataType::Float16 => Predictor::None,
            complex if complex.is_complex() => Predictor::None,
            _ => Predictor::Horizontal,
        };
        let compresses = self.compression != Compression::None;
        match self.predictor {
            PredictorChoice::Auto if compresses => Ok(natural),
            PredictorChoice::Auto => Ok(Predictor::None),
            PredictorChoice::Exactly(Predictor::None) => Ok(Predictor::None),
            PredictorChoice::Exactly(_) if !compresses => invalid("a predictor needs a compression, found none"),
            PredictorChoice::Exactly(chosen)
                if chosen == natural
                    || (chosen == Predictor::Horizontal && dtype.is_float() && dtype != DataType::Float16) =>
            {
                Ok(chosen)
            }
            PredictorChoice::Exactly(chosen) => {
                invalid(format!("predictor {} is not defined for samples of type {dtype}", chosen.code()))
            }
        }
    }
}

impl FromStr for OverviewResampling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "average" => Ok(Self::Average),
            "nearest" => Ok(Self::Nearest),
            "mode" => Ok(Self::Mode),
            _ => invalid(format!("expected overviews average, nearest, mode or none, found {name}")),
        }
    }
}

impl FromStr for PredictorChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" | "yes" => Ok(Self::Auto),
            "none" | "no" | "1" => Ok(Self::Exactly(Predictor::None)),
            "standard" | "2" => Ok(Self::Exactly(Predictor::Horizontal)),
            "floating_point" | "3" => Ok(Self::Exactly(Predictor::FloatingPoint)),
            _ => invalid(format!("expected a predictor auto, none, standard (2) or floating_point (3), found {name}")),
        }
    }
}

impl FromStr for BigTiff {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" | "if_needed" => Ok(Self::Auto),
            "yes" | "true" => Ok(Self::Yes),
            "no" | "false" => Ok(Self::No),
            _ => invalid(format!("expected bigtiff auto, yes or no, found {name}")),
        }
    }
}

pub(super) fn invalid<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::InvalidArgument { what: what.into() })
}
