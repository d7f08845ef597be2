//! Decodes the tags of an IFD to a [`Level`].
//!
//! Defaults follow TIFF 6.0. Files that violate the specification are read as libtiff reads them, except for tile
//! tables: a table whose length does not match the number of tiles is an error, because guessing would yield wrong
//! pixels. A missing table is an error too, except for byte counts that follow from the other tags.

use super::level::Level;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;
use crate::tiff::value::Value;
use crate::tiff::{
    Compression, DataType, Encoding, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat, Tag,
    data_type,
};
use crate::{Error, Result};

/// Maximum values of the index format's signed columns. Both are of the form 2^n - 1, so OR-ing numbers detects a
/// larger one.
const MAX_OFFSET: u64 = i64::MAX.cast_unsigned();
const MAX_BYTE_COUNT: u32 = i32::MAX.cast_unsigned();

/// Purpose of a tag's value, which determines its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Tile tables. Like libtiff, accepts the tags of strips for tiles and vice versa.
    Table,
    /// Layout and encoding of any level.
    Layout,
    /// Read from the full-resolution image only.
    Image,
    /// Not needed.
    Nothing,
}

impl Need {
    /// Returns the purpose of a tag's value.
    pub(crate) const fn of(tag: Tag) -> Self {
        match tag {
            Tag::TILE_OFFSETS | Tag::TILE_BYTE_COUNTS | Tag::STRIP_OFFSETS | Tag::STRIP_BYTE_COUNTS => Self::Table,
            Tag::IMAGE_WIDTH
            | Tag::IMAGE_LENGTH
            | Tag::BITS_PER_SAMPLE
            | Tag::COMPRESSION
            | Tag::PHOTOMETRIC_INTERPRETATION
            | Tag::FILL_ORDER
            | Tag::SAMPLES_PER_PIXEL
            | Tag::ROWS_PER_STRIP
            | Tag::PLANAR_CONFIGURATION
            | Tag::T4_OPTIONS
            | Tag::PREDICTOR
            | Tag::TILE_WIDTH
            | Tag::TILE_LENGTH
            | Tag::SAMPLE_FORMAT
            | Tag::JPEG_TABLES
            | Tag::YCBCR_SUBSAMPLING
            | Tag::LERC_PARAMETERS => Self::Layout,
            Tag::EXTRA_SAMPLES
            | Tag::MODEL_PIXEL_SCALE
            | Tag::MODEL_TIEPOINT
            | Tag::MODEL_TRANSFORMATION
            | Tag::GEO_KEY_DIRECTORY
            | Tag::GEO_DOUBLE_PARAMS
            | Tag::GEO_ASCII_PARAMS
            | Tag::GDAL_METADATA
            | Tag::GDAL_NODATA => Self::Image,
            _ => Self::Nothing,
        }
    }
}

/// Decodes the level that an IFD describes. All needed values, see [`Need`], must be available in `file`, and tables
/// must be within the limit on tiles.
///
/// # Errors
///
/// [`Error::Malformed`] if the IFD violates TIFF 6.0, [`Error::Unsupported`] for sample types without a [`DataType`].
pub(crate) fn level(file: &File, ifd: &Ifd) -> Result<Level> {
    let tags = Tags { file, ifd };
    let image_width = tags.size(Tag::IMAGE_WIDTH)?;
    let image_height = tags.size(Tag::IMAGE_LENGTH)?;
    let is_tiled = ifd.entry(Tag::TILE_WIDTH).is_some() || ifd.entry(Tag::TILE_LENGTH).is_some();
    let (tile_width, tile_height) = if is_tiled {
        (tags.size(Tag::TILE_WIDTH)?, tags.size(Tag::TILE_LENGTH)?)
    } else {
        // Absent and 2^32 - 1 both mean a single strip, as does any other number beyond the image.
        let rows: u32 = tags.integer(Tag::ROWS_PER_STRIP)?.unwrap_or(u32::MAX);
        if rows == 0 {
            return Err(tags.malformed(Tag::ROWS_PER_STRIP, "expected at least 1, found 0"));
        }
        (image_width, rows.min(image_height))
    };
    let encoding = tags.encoding()?;
    let planes = if encoding.is_planar() { encoding.samples_per_pixel } else { 1 };
    // Three factors of at most 32, 32 and 16 bits.
    let expected = u128::from(image_width.div_ceil(tile_width))
        * u128::from(image_height.div_ceil(tile_height))
        * u128::from(planes);
    let offsets = tags.table([Tag::TILE_OFFSETS, Tag::STRIP_OFFSETS], is_tiled, expected)?;
    let tile_offsets: Vec<u64> = offsets.integers()?;
    // Without an early exit, the loop compiles to vector instructions: there may be millions of tiles.
    if tile_offsets.iter().fold(0, |all, offset| all | offset) > MAX_OFFSET {
        let offset = tile_offsets.iter().find(|offset| **offset > MAX_OFFSET).copied().unwrap_or_default();
        return Err(Error::Malformed {
            at: offsets.at,
            what: format!("expected tile offsets of at most 2^63 - 1, found {offset}"),
        });
    }
    let size = (tile_width, tile_height);
    let tile_byte_counts = match estimated_byte_counts(tags, is_tiled, size, &encoding, &tile_offsets) {
        Some(estimated) => estimated,
        None => tags.byte_counts(is_tiled, expected)?,
    };
    Ok(Level { image_width, image_height, tile_width, tile_height, is_tiled, tile_offsets, tile_byte_counts, encoding })
}

/// Derives missing byte counts, as libtiff does, if each plane is a single strip or tile. Uncompressed ones have the
/// size of their samples. A single compressed strip extends to the end of the file, encoded as 0; others extend to the
/// next offset, or to the end of the file if its size is known.
fn estimated_byte_counts(
    tags: Tags<'_>,
    is_tiled: bool,
    (width, height): (u32, u32),
    encoding: &Encoding,
    offsets: &[u64],
) -> Option<Vec<u32>> {
    let is_absent = [Tag::TILE_BYTE_COUNTS, Tag::STRIP_BYTE_COUNTS].iter().all(|tag| tags.ifd.entry(*tag).is_none());
    let depths = encoding.bits_per_sample.iter().map(|bits| u128::from(*bits));
    let pixel_bits: Vec<u128> = if encoding.is_planar() { depths.collect() } else { vec![depths.sum()] };
    if !is_absent || offsets.len() != pixel_bits.len() {
        return None;
    }
    let counts: Vec<u128> = match encoding.compression {
        // Three factors of at most 32, 32 and 32 bits.
        Compression::None => {
            let bytes = |bits: u128| (u128::from(width) * bits).div_ceil(8) * u128::from(height);
            pixel_bits.into_iter().map(bytes).collect()
        }
        _ if offsets.len() == 1 && !is_tiled => vec![0],
        _ => {
            let mut ends = offsets.to_vec();
            ends.push(tags.file.size()?);
            ends.sort_unstable();
            let end = |offset: u64| ends.get(ends.partition_point(|end| *end <= offset)).copied();
            offsets.iter().map(|offset| Some(u128::from(end(*offset)? - offset))).collect::<Option<_>>()?
        }
    };
    counts.into_iter().map(|count| u32::try_from(count).ok().filter(|count| *count <= MAX_BYTE_COUNT)).collect()
}

/// Typed access to the tags of one IFD.
#[derive(Clone, Copy)]
struct Tags<'a> {
    file: &'a File,
    ifd: &'a Ifd,
}

impl<'a> Tags<'a> {
    fn malformed(self, tag: Tag, what: &str) -> Error {
        Error::Malformed { at: self.ifd.place(tag), what: what.to_owned() }
    }

    fn value(self, tag: Tag) -> Result<Option<Value<'a>>> {
        self.ifd.value(self.file, tag)
    }

    #[inline]
    fn integer<T: TryFrom<u64> + Default>(self, tag: Tag) -> Result<Option<T>> {
        let Some(entry) = self.ifd.entry(tag) else {
            return Ok(None);
        };
        match entry.inline_integer(self.ifd.header.byte_order).and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => self.value(tag)?.map(|value| value.integer()).transpose(),
        }
    }

    /// A required number, at least 1.
    fn size(self, tag: Tag) -> Result<u32> {
        match self.integer(tag)? {
            None => Err(self.malformed(tag, "expected the tag, found none")),
            Some(0) => Err(self.malformed(tag, "expected at least 1, found 0")),
            Some(size) => Ok(size),
        }
    }

    /// Returns the tile table stored under either tag; its length must be the number of tiles.
    fn table(self, tags: [Tag; 2], is_tiled: bool, expected: u128) -> Result<Value<'a>> {
        let [first, second] = if is_tiled { tags } else { [tags[1], tags[0]] };
        let tag = if self.ifd.entry(first).is_some() { first } else { second };
        let Some(table) = self.value(tag)? else {
            return Err(self.malformed(first, "expected the tag, found none"));
        };
        if u128::from(table.count) != expected {
            return Err(Error::Malformed {
                at: table.at,
                what: format!("expected {expected} entries for the image's tiles, found {}", table.count),
            });
        }
        Ok(table)
    }

    /// Returns the byte counts of tiles or strips.
    fn byte_counts(self, is_tiled: bool, expected: u128) -> Result<Vec<u32>> {
        let byte_counts = self.table([Tag::TILE_BYTE_COUNTS, Tag::STRIP_BYTE_COUNTS], is_tiled, expected)?;
        let counts: Vec<u32> = byte_counts.integers()?;
        // As for offsets, no early exit.
        if counts.iter().fold(0, |all, count| all | count) > MAX_BYTE_COUNT {
            let count = counts.iter().find(|count| **count > MAX_BYTE_COUNT).copied().unwrap_or_default();
            return Err(Error::Malformed {
                at: byte_counts.at,
                what: format!("expected tile byte counts of at most 2^31 - 1, found {count}"),
            });
        }
        Ok(counts)
    }

    /// Returns one value per sample. Like libtiff, accepts a single value for all samples, or more values than samples.
    fn per_sample(self, tag: Tag, samples: u16, default: u16) -> Result<Vec<u16>> {
        let samples = usize::from(samples);
        let Some(entry) = self.ifd.entry(tag) else {
            return Ok(vec![default; samples]);
        };
        let one = entry.inline_integer(self.ifd.header.byte_order);
        if let Some(one) = one.and_then(|number| u16::try_from(number).ok()) {
            return Ok(vec![one; samples]);
        }
        let Some(value) = self.value(tag)? else {
            return Ok(vec![default; samples]);
        };
        let mut numbers: Vec<u16> = value.integers()?;
        match numbers[..] {
            [one] => {
                numbers.resize(samples, one);
                Ok(numbers)
            }
            _ if numbers.len() >= samples => {
                numbers.truncate(samples);
                Ok(numbers)
            }
            _ => Err(Error::Malformed {
                at: value.at,
                what: format!("expected 1 or {samples} values, found {}", numbers.len()),
            }),
        }
    }

    fn encoding(self) -> Result<Encoding> {
        let samples_per_pixel: u16 = self.integer(Tag::SAMPLES_PER_PIXEL)?.unwrap_or(1);
        if samples_per_pixel == 0 {
            return Err(self.malformed(Tag::SAMPLES_PER_PIXEL, "expected at least 1, found 0"));
        }
        let planar_configuration = self.planar_configuration()?;
        let bits_per_sample = self.per_sample(Tag::BITS_PER_SAMPLE, samples_per_pixel, 1)?;
        let sample_format = self.sample_format(samples_per_pixel)?;
        let mut dtype = None;
        for (bits, format) in bits_per_sample.iter().zip(&sample_format) {
            let Some(data_type) = data_type(*bits, *format) else {
                return Err(Error::Unsupported {
                    at: self.ifd.place(Tag::BITS_PER_SAMPLE),
                    what: format!("samples of {bits} bits in sample format {} are not supported", format.code()),
                });
            };
            dtype = dtype.or(Some(data_type));
        }
        let lerc_parameters = self.value(Tag::LERC_PARAMETERS)?.map(|value| value.integers()).transpose()?;
        Ok(Encoding {
            compression: self.compression(lerc_parameters.as_deref())?,
            predictor: self.integer(Tag::PREDICTOR)?.map_or(Predictor::None, Predictor::from_code),
            planar_configuration,
            photometric: self.integer(Tag::PHOTOMETRIC_INTERPRETATION)?.map(Photometric::from_code),
            samples_per_pixel,
            dtype: dtype.unwrap_or(DataType::Uint8),
            bits_per_sample,
            sample_format,
            fill_order: self.integer(Tag::FILL_ORDER)?.map_or(FillOrder::MsbFirst, FillOrder::from_code),
            jpeg_tables: self.value(Tag::JPEG_TABLES)?.map(|value| value.to_bytes()),
            ycbcr_subsampling: self.ycbcr_subsampling()?,
            lerc_parameters,
            t4_options: self.integer(Tag::T4_OPTIONS)?,
        })
    }

    fn planar_configuration(self) -> Result<PlanarConfiguration> {
        let code = self.integer(Tag::PLANAR_CONFIGURATION)?.unwrap_or(1);
        match PlanarConfiguration::from_code(code) {
            PlanarConfiguration::Unknown(code) => Err(Error::Malformed {
                at: self.ifd.place(Tag::PLANAR_CONFIGURATION),
                what: format!("expected 1 or 2, found {code}"),
            }),
            known => Ok(known),
        }
    }

    /// The format of each sample. As in GDAL and libtiff, undefined data is read as unsigned integers.
    fn sample_format(self, samples: u16) -> Result<Vec<SampleFormat>> {
        let codes = self.per_sample(Tag::SAMPLE_FORMAT, samples, 1)?;
        let format = |code| match SampleFormat::from_code(code) {
            SampleFormat::Undefined => Ok(SampleFormat::Uint),
            SampleFormat::Unknown(code) => Err(Error::Malformed {
                at: self.ifd.place(Tag::SAMPLE_FORMAT),
                what: format!("expected 1 to 6, found {code}"),
            }),
            known => Ok(known),
        };
        codes.into_iter().map(format).collect()
    }

    /// Returns the compression. Like libtiff, accepts one value per sample if all are equal.
    fn compression(self, lerc_parameters: Option<&[u32]>) -> Result<Compression> {
        let Some(value) = self.value(Tag::COMPRESSION)? else {
            return Ok(Compression::None);
        };
        let codes: Vec<u16> = value.integers()?;
        let Some(code) = codes.first().filter(|first| codes.iter().all(|code| code == *first)) else {
            return Err(self.malformed(Tag::COMPRESSION, "expected one scheme for all samples"));
        };
        Ok(match (Compression::from_code(*code), lerc_parameters) {
            (Compression::Lerc, Some([_, 1, ..])) => Compression::LercDeflate,
            (Compression::Lerc, Some([_, 2, ..])) => Compression::LercZstd,
            (Compression::Lerc, Some([_, second, ..])) if *second != 0 => {
                return Err(Error::Unsupported {
                    at: self.ifd.place(Tag::LERC_PARAMETERS),
                    what: format!("expected a second codec of 0, 1 or 2, found {second}"),
                });
            }
            (compression, _) => compression,
        })
    }

    fn ycbcr_subsampling(self) -> Result<Option<[u16; 2]>> {
        let Some(value) = self.value(Tag::YCBCR_SUBSAMPLING)? else {
            return Ok(None);
        };
        // Only JPEG and uncompressed YCbCr use it, and JPEG repeats it in its own headers. Like libtiff, an invalid
        // value is ignored.
        Ok(match value.integers()?[..] {
            [horizontal, vertical] => Some([horizontal, vertical]),
            _ => None,
        })
    }
}
