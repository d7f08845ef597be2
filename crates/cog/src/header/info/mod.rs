//! A file described for a person: what `cog_info` shows beside the header.
//!
//! Owns the reading of colour maps, names of bands and descriptive tags, each as GDAL reads it, and the rules of a
//! cloud-optimized layout as far as the header decides them. Tolerates what it cannot read: a tag of a wrong type is left out.

mod layout;
mod palette;
mod tags;

use bytes::Bytes;

use super::cog_header::CogHeader;
use super::decoder::{DecodeResult, HeaderDecoder};
use super::level::Level;
use crate::{Limits, Result};

pub use palette::Color;

/// A file's header, and what else its tags say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileInfo {
    /// The header.
    pub header: CogHeader,
    /// The description of each band, as GDAL_METADATA names it; None for a band without one.
    pub band_names: Vec<Option<String>>,
    /// ColorMap (320) of an image of palette colours: one colour for each value from 0.
    pub colormap: Option<Vec<Color>>,
    /// The dataset's items of GDAL_METADATA and the descriptive tags of TIFF, under GDAL's names; each name once.
    pub tags: Vec<(String, String)>,
    /// The rules of a cloud-optimized GeoTIFF that the file breaks; empty for one that keeps them.
    pub cog_faults: Vec<String>,
}

/// Decodes what there is to be said of a file; driven as [`HeaderDecoder`] is, and for the same bytes.
#[derive(Debug)]
pub struct InfoDecoder(HeaderDecoder);

impl InfoDecoder {
    /// A decoder that has seen nothing; `file_size` in bytes, where known, catches impossible offsets early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self(HeaderDecoder::describing(limits, file_size))
    }

    /// Hands over `bytes` that stand at `offset` of the file, in any order and of any size; overlaps are fine.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        self.0.push(offset, bytes);
    }

    /// The description, or the ranges that are missing for it.
    ///
    /// # Errors
    ///
    /// As [`HeaderDecoder::try_decode`].
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
    /// Nothing but the header.
    fn of(header: CogHeader) -> Self {
        let band_names = vec![None; header.image.encoding.samples_per_pixel.into()];
        Self { header, band_names, colormap: None, tags: Vec::new(), cog_faults: Vec::new() }
    }

    /// For each overview, how many pixels of the image one of its pixels stands for along a row.
    #[must_use]
    pub fn overview_factors(&self) -> Vec<u32> {
        let width = f64::from(self.header.image.image_width);
        let factor = |overview: &Level| (width / f64::from(overview.image_width.max(1))).round();
        // A quotient of two 32-bit numbers, the divisor at least 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.header.overviews.iter().map(|overview| factor(overview) as u32).collect()
    }

    /// The width and height of a pixel in units of the CRS; None without georeferencing.
    #[must_use]
    pub fn resolution(&self) -> Option<[f64; 2]> {
        let [a, b, _, d, e, _] = self.header.transform?.to_array();
        Some([a.hypot(d), b.hypot(e)])
    }
}
