//! JPEG (compression 7, TIFF Technical Note 2).
//!
//! ```text
//! JPEGTables   SOI DQT DHT EOI ───────┐
//! tile         SOI SOF SOS data EOI ──┴─> SOI DQT DHT SOF SOS data EOI ── zune-jpeg ──> samples
//! ```
//!
//! The two streams of a tile are merged into one with only the segments needed for decoding. Colour information (JFIF,
//! Adobe) is dropped, because TIFF provides it. As in libtiff, YCbCr is converted to RGB if Photometric is YCbCr, and
//! other colours are unchanged: RGB needs no Adobe marker, and CMYK remains CMYK, inverted or not.
//!
//! Only 8-bit Huffman-coded DCT is supported, not 12-bit, lossless or arithmetic JPEG.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::block::{Block, malformed, unsupported};
use super::library::guarded;
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::{DataType, Photometric};

// Markers (ITU-T T.81, table B.1).
const SOF_BASELINE: u8 = 0xC0;
const SOF_EXTENDED: u8 = 0xC1;
const SOF_PROGRESSIVE: u8 = 0xC2;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;

/// Decodes a tile. Missing rows are 0 and invalid; excess rows are dropped.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    if block.data_type != DataType::Uint8 {
        return Err(unsupported(format!("JPEG of {} samples", block.data_type)));
    }
    let stream = Stream::of(block.encoding.jpeg_tables.as_deref(), bytes, block)?;
    let is_ycbcr = block.encoding.photometric == Some(Photometric::YCbCr);
    if is_ycbcr && block.encoding.is_planar() && block.encoding.ycbcr_subsampling != Some([1, 1]) {
        // Chroma planes are smaller than the tile, by unknown factors if the tag is absent.
        return Err(unsupported("JPEG of subsampled YCbCr in planes"));
    }
    let colors = match (stream.components, stream.is_named_rgb) {
        (1, _) => ColorSpace::Luma,
        (2, _) => ColorSpace::MultiBand(std::num::NonZeroU32::MIN.saturating_add(1)),
        (3, true) if is_ycbcr => return Err(malformed("expected a JPEG in YCbCr, found components named R, G and B")),
        (3, false) if !is_ycbcr => ColorSpace::YCbCr,
        (3, _) => ColorSpace::RGB,
        (4, _) => ColorSpace::CMYK,
        (count, _) => return Err(unsupported(format!("JPEG with {count} samples per pixel"))),
    };
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        // In strict mode a truncated stream is an error instead of grey. It does not allow two components.
        .set_strict_mode(stream.components != 2)
        .jpeg_set_out_colorspace(colors);
    let mut samples = vec![0; block.samples()];
    let held = block.width * stream.rows * block.samples_per_pixel;
    guarded("JPEG", || {
        JpegDecoder::new_with_options(ZCursor::new(&stream.bytes), options)
            .decode_into(samples.get_mut(..held).unwrap_or_default())
            .map_err(|error| malformed(format!("expected a JPEG, found {error}")))
    })?;
    let valid = (stream.rows < block.height).then(|| {
        let mut valid = vec![1; block.width * stream.rows];
        valid.resize(block.pixels(), 0);
        valid
    });
    block.tile(Samples::Uint8(samples), valid)
}

/// The merged JPEG stream of a tile.
struct Stream {
    bytes: Vec<u8>,
    components: u8,
    /// Whether the components are named 'R', 'G' and 'B', which the decoder, like libjpeg, treats as RGB.
    is_named_rgb: bool,
    /// Rows of the block in the stream.
    rows: usize,
}

/// Frame header (ITU-T T.81, B.2.2).
struct RasterInfo {
    components: u8,
    is_named_rgb: bool,
    rows: u16,
}

impl Stream {
    /// Merges tables and tile into one stream with the frame of the block.
    fn of(tables: Option<&[u8]>, tile: &[u8], block: &Block) -> Result<Self> {
        let tables = tables.unwrap_or_default();
        let mut bytes = Vec::with_capacity(tables.len() + tile.len());
        bytes.extend([0xFF, SOI]);
        // Writers leave the tag empty if there are no shared tables.
        if !tables.is_empty() {
            let mut segments = Segments::of(tables, "JPEGTables")?;
            while let Some(Segment { marker, contents }) = segments.next()? {
                if is_table(marker) {
                    push(&mut bytes, marker, contents);
                }
            }
        }
        let mut segments = Segments::of(tile, "a JPEG")?;
        let mut frame = None;
        while let Some(Segment { marker, contents }) = segments.next()? {
            match marker {
                _ if is_table(marker) => push(&mut bytes, marker, contents),
                SOF_BASELINE | SOF_EXTENDED | SOF_PROGRESSIVE => {
                    let mut contents = contents.to_vec();
                    frame = Some(RasterInfo::read(&mut contents, block)?);
                    push(&mut bytes, marker, &contents);
                }
                0xC3..=0xCF if marker != JPG => {
                    return Err(unsupported(format!("JPEG with frame type SOF{}", marker - SOF_BASELINE)));
                }
                SOS => {
                    let Some(RasterInfo { components, is_named_rgb, rows }) = frame else {
                        return Err(malformed("expected a JPEG frame header before the first scan, found none"));
                    };
                    push(&mut bytes, marker, contents);
                    bytes.extend(segments.rest);
                    return Ok(Self { bytes, components, is_named_rgb, rows: usize::from(rows) });
                }
                // Application data and comments.
                _ => {}
            }
        }
        Err(malformed("expected a scan in a JPEG, found none"))
    }
}

/// Whether a segment contains tables.
const fn is_table(marker: u8) -> bool {
    matches!(marker, DQT | DHT | DRI)
}

fn push(bytes: &mut Vec<u8>, marker: u8, contents: &[u8]) {
    // The 16-bit length of a segment includes its own two bytes.
    let length = u16::try_from(contents.len() + 2).unwrap_or(u16::MAX);
    bytes.extend([0xFF, marker]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(contents);
}

impl RasterInfo {
    /// Checks a frame header against the block and limits its rows to those of the block.
    fn read(contents: &mut [u8], block: &Block) -> Result<Self> {
        let [precision, y1, y2, x1, x2, components, parameters @ ..] = contents else {
            return Err(malformed("expected a JPEG frame header, found a truncated one"));
        };
        if *precision != 8 {
            return Err(unsupported(format!("JPEG with {precision} bits per sample")));
        }
        let (rows, columns) = (u16::from_be_bytes([*y1, *y2]), u16::from_be_bytes([*x1, *x2]));
        if usize::from(columns) != block.width || rows == 0 || usize::from(*components) != block.samples_per_pixel {
            return Err(malformed(format!(
                "expected a JPEG of {} columns and {} samples per pixel, found {columns} x {rows} pixels of {components}",
                block.width, block.samples_per_pixel
            )));
        }
        // Like libtiff, accepts a full-height last strip: only the rows inside the image are decoded.
        let rows = rows.min(u16::try_from(block.height).unwrap_or(u16::MAX));
        [*y1, *y2] = rows.to_be_bytes();
        let names = parameters.chunks(3).filter_map(|parameters| parameters.first());
        Ok(Self { components: *components, is_named_rgb: names.eq(b"RGB"), rows })
    }
}

/// A marker and the contents of its segment.
struct Segment<'a> {
    marker: u8,
    contents: &'a [u8],
}

/// Segments of a stream up to its first scan or its end.
struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    fn of(bytes: &'a [u8], what: &str) -> Result<Self> {
        match bytes {
            [0xFF, SOI, rest @ ..] => Ok(Self { rest }),
            _ => Err(malformed(format!(
                "expected {what} to begin with FF D8, found {:02X?}",
                &bytes[..bytes.len().min(2)]
            ))),
        }
    }

    fn next(&mut self) -> Result<Option<Segment<'a>>> {
        let marker = loop {
            match self.rest {
                // Any number of fill bytes may precede a marker.
                [0xFF, 0xFF, ..] => self.rest = &self.rest[1..],
                [] | [0xFF, EOI, ..] => return Ok(None),
                [0xFF, marker, ..] => break *marker,
                _ => return Err(malformed("expected a marker in a JPEG, found other bytes")),
            }
        };
        let length = match self.rest {
            [_, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        match self.rest.get(4..length + 2) {
            Some(contents) => {
                self.rest = &self.rest[length + 2..];
                Ok(Some(Segment { marker, contents }))
            }
            None => Err(malformed(format!("expected a JPEG segment of {length} bytes, found a truncated one"))),
        }
    }
}

#[cfg(test)]
mod tests;
