//! Fax: CCITT modified Huffman (compression 2), Group 3 (3) and Group 4 (4), TIFF 6.0 sections 10 and 11.
//!
//! | | rows | end-of-line codes |
//! |---|---|---|
//! | modified Huffman | one-dimensional, byte-aligned | none |
//! | Group 3 | by T4Options (292): bit 0 two-dimensional, bit 2 byte-aligned end-of-line codes | before rows |
//! | Group 4 | two-dimensional | none |
//!
//! Black is 1 and white 0, regardless of Photometric. The extension for uncompressed rows is not supported.

use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode};

use super::block::{Block, malformed, unsupported};
use super::library::guarded;
use super::{DecodedTile, Samples};
use crate::Result;
use crate::tiff::{Compression, DataType};

/// T4Options: two-dimensional rows.
const TWO_DIMENSIONAL: u32 = 1;
/// T4Options: uncompressed rows are allowed.
const UNCOMPRESSED: u32 = 2;

/// Decodes a tile; the bits of its bytes must be most significant first.
pub(super) fn decode(bytes: &[u8], block: &Block) -> Result<DecodedTile> {
    if block.data_type != DataType::Uint8 || block.samples_per_pixel != 1 || block.depths() != [1] {
        return Err(unsupported("fax compression with more than one bit per pixel"));
    }
    let options = block.encoding.t4_options.unwrap_or_default();
    let encoding = match block.encoding.compression {
        Compression::CcittFax4 => EncodingMode::Group4,
        Compression::CcittFax3 if options & UNCOMPRESSED != 0 => {
            return Err(unsupported("fax compression with uncompressed rows"));
        }
        Compression::CcittFax3 if options & TWO_DIMENSIONAL != 0 => EncodingMode::Group3_2D,
        _ => EncodingMode::Group3_1D,
    };
    let mut context = DecoderContext::new(DecodeSettings {
        columns: block.shape.width,
        rows: block.shape.height,
        end_of_block: encoding != EncodingMode::Group3_1D || block.encoding.compression == Compression::CcittFax3,
        // Optional, since some writers omit them.
        end_of_line: false,
        rows_are_byte_aligned: block.encoding.compression == Compression::CcittRle,
        encoding,
        // Otherwise a damaged row would be white and the following ones wrong.
        strict: true,
    });
    let mut rows = Rows { samples: vec![0; block.samples()], width: block.width, count: 0 };
    guarded("fax compression", || {
        // Trailing bytes are ignored; missing rows are detected by the count.
        match hayro_ccitt::decode(bytes, &mut rows, &mut context) {
            Err(error) if rows.count < block.height => {
                Err(malformed(format!("expected fax rows, found {error} in row {}", rows.count)))
            }
            _ => Ok(()),
        }
    })?;
    if rows.count < block.height {
        return Err(malformed(format!("expected {} fax rows, found {}", block.height, rows.count)));
    }
    block.tile(Samples::Uint8(rows.samples), None)
}

/// Decoded rows, one byte per pixel.
struct Rows {
    samples: Vec<u8>,
    width: usize,
    count: usize,
}

impl Decoder for Rows {
    fn push_row(&mut self, changes: &[u32]) {
        let start = self.count * self.width;
        self.count += 1;
        let Some(row) = self.samples.get_mut(start..start + self.width) else { return };
        let width = self.width;
        let place = |change: &u32| usize::try_from(*change).unwrap_or(width);
        // Alternates between white and black; the last run may extend to the end of the row.
        for run in changes.chunks(2) {
            let end = run.get(1).map_or(width, place);
            if let Some(black) = run.first().and_then(|start| row.get_mut(place(start)..end)) {
                black.fill(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
