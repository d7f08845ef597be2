//! Pictures of 8-bit samples, and PNG.

use super::colormap::Colormap;
use super::stretch::{BandPixels, Range};
use super::values::{each, opaque};
use crate::grid::Window;
use crate::header::Color;
use crate::{Error, Result};

/// The colours of the pixels of a picture.
#[derive(Debug, Clone, Copy)]
pub enum Colors<'a> {
    /// Grey for one band; red, green and blue for three bands, with opacity for four.
    Plain,
    /// Those of a colormap, for one band.
    Map(Colormap),
    /// Those of a file's colour table, by the values of one band.
    Table(&'a [Color]),
}

/// A picture: 8-bit samples, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    /// Grey or red, green and blue, followed by opacity if there are 2 or 4.
    channels: usize,
    samples: Vec<u8>,
}

impl Picture {
    /// Memory in bytes to create and encode a picture of `pixels` pixels.
    #[must_use]
    pub fn bytes(pixels: u64, bands: u64) -> u64 {
        // Values and mask of each band, values to find percentiles, opacity, 8-bit samples of up to four channels, and PNG.
        pixels.saturating_mul(bands.saturating_mul(9).saturating_add(8 + 1 + 4 + 4))
    }

    /// Makes a picture of one, three or four bands, each stretched from its range. A pixel is transparent where a band is invalid or NaN,
    /// and where the colour table has no colour.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for another number of bands, or pixels that do not fit the size.
    pub fn new(size: (u32, u32), bands: &[BandPixels<'_>], ranges: &[Range], colors: Colors<'_>) -> Result<Self> {
        let (width, height) = size;
        let pixels = usize::try_from(u64::from(width) * u64::from(height)).unwrap_or(usize::MAX);
        let wrong = |what: String| Err(Error::InvalidArgument { what });
        let (colored, opacity) = match (bands, colors) {
            ([_], _) | ([_, _, _], Colors::Plain) => (bands, None),
            ([colored @ .., opacity], Colors::Plain) if colored.len() == 3 => (colored, Some(opacity)),
            (_, Colors::Plain) => {
                return wrong(format!("bands: expected one, three or four bands, found {}", bands.len()));
            }
            _ => return wrong(format!("colormap: expected one band with it, found {}", bands.len())),
        };
        if bands.iter().any(|band| band.mask.len() != pixels || band.data.len() != pixels * band.data_type.size()) {
            return wrong(format!("expected bands of {width} x {height} pixels, found others"));
        }
        let mut alpha = vec![u8::MAX; pixels];
        for band in bands {
            alpha.iter_mut().zip(band.mask).for_each(|(alpha, mask)| *alpha &= *mask);
        }
        let samples = match colors {
            Colors::Table(table) => from_table(colored, table, &mut alpha),
            Colors::Map(_) | Colors::Plain => stretched(colored, ranges, &mut alpha),
        };
        if let Some(band) = opacity {
            let full = opaque(band.data_type);
            each(band.data_type, band.data, |at, value| {
                if let Some(alpha) = alpha.get_mut(at) {
                    *alpha &= Range::Between(0.0, full).stretch(value);
                }
            });
        }
        let samples = match colors {
            Colors::Map(map) => samples.iter().flat_map(|value| map.color(*value)).collect(),
            Colors::Plain | Colors::Table(_) => samples,
        };
        Ok(Self::of(size, samples, &alpha))
    }

    /// Adds opacity, unless all pixels are opaque. Transparent pixels are black.
    fn of((width, height): (u32, u32), samples: Vec<u8>, alpha: &[u8]) -> Self {
        let colors = samples.len() / alpha.len().max(1);
        if alpha.iter().all(|alpha| *alpha == u8::MAX) {
            return Self { width, height, channels: colors, samples };
        }
        let mut all = vec![0; samples.len() + alpha.len()];
        let pixels = all.chunks_exact_mut(colors + 1).zip(samples.chunks_exact(colors.max(1))).zip(alpha);
        for ((pixel, color), alpha) in pixels.filter(|(_, alpha)| **alpha != 0) {
            if let Some((last, first)) = pixel.split_last_mut() {
                first.copy_from_slice(color);
                *last = *alpha;
            }
        }
        Self { width, height, channels: colors + 1, samples: all }
    }

    /// Whether all pixels are transparent.
    #[must_use]
    pub fn is_transparent(&self) -> bool {
        self.has_alpha() && self.samples.chunks_exact(self.channels).all(|pixel| pixel.last() == Some(&0))
    }

    fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// The picture as a part of a larger one, which is transparent elsewhere.
    #[must_use]
    pub fn within(self, (width, height): (u32, u32), part: Window) -> Self {
        if (part.width, part.height) == (width, height) {
            return self;
        }
        let alpha = usize::from(!self.has_alpha());
        let channels = self.channels + alpha;
        let mut samples = vec![0; width as usize * height as usize * channels];
        let rows = samples.chunks_exact_mut(width as usize * channels).skip(part.row_off as usize);
        for (row, from) in rows.zip(self.samples.chunks_exact(self.width as usize * self.channels)) {
            let pixels = row.chunks_exact_mut(channels).skip(part.col_off as usize);
            for (pixel, from) in pixels.zip(from.chunks_exact(self.channels)) {
                pixel.fill(u8::MAX);
                if let Some(place) = pixel.get_mut(..self.channels) {
                    place.copy_from_slice(from);
                }
            }
        }
        Self { width, height, channels, samples }
    }

    /// Encodes the picture as PNG.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a picture that PNG cannot contain: one without pixels.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let wrong = |error: png::EncodingError| Error::InvalidArgument { what: format!("PNG: {error}") };
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(match self.channels {
            1 => png::ColorType::Grayscale,
            2 => png::ColorType::GrayscaleAlpha,
            3 => png::ColorType::Rgb,
            _ => png::ColorType::Rgba,
        });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().map_err(wrong)?;
        writer.write_image_data(&self.samples).map_err(wrong)?;
        writer.finish().map_err(wrong)?;
        Ok(bytes)
    }
}

/// 8-bit samples of bands, interleaved by pixel. NaN is transparent.
fn stretched(bands: &[BandPixels<'_>], ranges: &[Range], alpha: &mut [u8]) -> Vec<u8> {
    let mut samples = vec![0; alpha.len() * bands.len()];
    for (first, (band, range)) in bands.iter().zip(ranges).enumerate() {
        each(band.data_type, band.data, |at, value| {
            if value.is_nan() {
                if let Some(alpha) = alpha.get_mut(at) {
                    *alpha = 0;
                }
            } else if let Some(sample) = samples.get_mut(at * bands.len() + first) {
                *sample = range.stretch(value);
            }
        });
    }
    samples
}

/// Colours of the values of a band. Values without a colour are transparent.
fn from_table(bands: &[BandPixels<'_>], table: &[Color], alpha: &mut [u8]) -> Vec<u8> {
    let mut samples = vec![0; alpha.len() * 3];
    for band in bands {
        each(band.data_type, band.data, |at, value| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared before")]
            let color = if value >= 0.0 && value < table.len() as f64 { table.get(value as usize) } else { None };
            let [red, green, blue, opacity] = color.copied().unwrap_or_default().map(|part| part.min(255) as u8);
            if let (Some(sample), Some(alpha)) = (samples.get_mut(3 * at..3 * at + 3), alpha.get_mut(at)) {
                sample.copy_from_slice(&[red, green, blue]);
                *alpha &= opacity;
            }
        });
    }
    samples
}
