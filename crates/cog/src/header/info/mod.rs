//! Descriptive information about a file, for `cog_info`.
//!
//! Reads colour maps, band names and descriptive tags as GDAL does, and checks the rules of the COG layout that the
//! header decides. Ignores tags of unexpected types.

mod layout;
mod palette;
mod tags;

use bytes::Bytes;

use super::cog_header::CogHeader;
use super::decoder::{DecodeResult, HeaderDecoder};
use super::level::Level;
use crate::{Limits, Result};

pub use palette::Color;

/// The header of a file and its descriptive tags.
#[derive(Debug, Clone, PartialEq)]
pub struct FileInfo {
    /// The header.
    pub header: CogHeader,
    /// Description of each band from GDAL_METADATA; None for a band without one.
    pub band_names: Vec<Option<String>>,
    /// ColorMap (320) of a palette image, indexed by sample value.
    pub colormap: Option<Vec<Color>>,
    /// Dataset-level items of GDAL_METADATA and descriptive TIFF tags, under GDAL's names, each once.
    pub tags: Vec<(String, String)>,
    /// Violated rules of the COG layout; empty for a valid COG.
    pub cog_faults: Vec<String>,
}

/// Decodes descriptive information. Driven in the same way as [`HeaderDecoder`].
#[derive(Debug)]
pub struct InfoDecoder(HeaderDecoder);

impl InfoDecoder {
    /// Creates an empty decoder. If `file_size` (in bytes) is known, impossible offsets are detected early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self(HeaderDecoder::describing(limits, file_size))
    }

    /// Adds `bytes` found at `offset` of the file. Pushes may come in any order and size, and may overlap.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        self.0.push(offset, bytes);
    }

    /// Returns the information, or the ranges that are missing.
    ///
    /// # Errors
    ///
    /// See [`HeaderDecoder::try_decode`].
    pub fn try_decode(&mut self) -> Result<DecodeResult<FileInfo>> {
        let header = match self.0.try_decode()? {
            DecodeResult::NeedsData(ranges) => return Ok(DecodeResult::NeedsData(ranges)),
            DecodeResult::Data(header) => header,
        };
        let file = self.0.file();
        let images = self.0.images();
        let Some((_, image)) = images.first() else {
            return Ok(DecodeResult::Data(FileInfo::of(header)));
        };
        let described = tags::Described::read(file, image, header.image.encoding.samples_per_pixel);
        Ok(DecodeResult::Data(FileInfo {
            colormap: palette::read(file, image, &header),
            band_names: described.band_names,
            tags: described.tags,
            cog_faults: layout::faults(file, &images, &header),
            header,
        }))
    }
}

impl FileInfo {
    /// Information without any tags.
    fn of(header: CogHeader) -> Self {
        let band_names = vec![None; header.image.encoding.samples_per_pixel.into()];
        Self { header, band_names, colormap: None, tags: Vec::new(), cog_faults: Vec::new() }
    }

    /// Downsampling factor of each overview along a row.
    #[must_use]
    pub fn overview_factors(&self) -> Vec<u32> {
        let width = f64::from(self.header.image.image_width);
        let factor = |overview: &Level| (width / f64::from(overview.image_width.max(1))).round();
        // A quotient of two 32-bit integers, the divisor at least 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.header.overviews.iter().map(|overview| factor(overview) as u32).collect()
    }

    /// Pixel width and height in units of the CRS; None without georeferencing.
    #[must_use]
    pub fn resolution(&self) -> Option<[f64; 2]> {
        let [a, b, _, d, e, _] = self.header.transform?.to_array();
        Some([a.hypot(d), b.hypot(e)])
    }
}
