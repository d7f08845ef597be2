//! A small TIFF writer, and functions that decode files in memory.
#![allow(dead_code, clippy::cast_possible_truncation, clippy::unwrap_used, clippy::single_range_in_vec_init)]

use std::ops::Range;

use bytes::Bytes;
use rasteret_cog::{CogHeader, DecodeResult, HeaderDecoder, IfdDecoder, IfdInfo, Limits, Result};

/// Values of a tag, by field type.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Byte(Vec<u8>),
    Ascii(&'static str),
    Short(Vec<u16>),
    Long(Vec<u32>),
    Long8(Vec<u64>),
    Double(Vec<f64>),
    Undefined(Vec<u8>),
    /// A type code, a count and bytes, written unchanged.
    Raw(u16, u64, Vec<u8>),
    /// A type code and a count, with the offset of the value.
    At(u16, u64, u64),
}

/// Writes TIFF files from tags, without validation.
#[derive(Debug, Clone)]
pub(crate) struct TiffWriter {
    pub(crate) is_big_endian: bool,
    pub(crate) is_big_tiff: bool,
    /// Tags of each IFD of the main chain.
    pub(crate) ifds: Vec<Vec<(u16, Values)>>,
    /// Bytes between the header and the first IFD.
    pub(crate) gap: usize,
    /// Next-IFD offset of the last IFD.
    pub(crate) last_next: u64,
}

impl TiffWriter {
    /// A little-endian classic TIFF with these IFDs.
    pub(crate) fn new(ifds: Vec<Vec<(u16, Values)>>) -> Self {
        Self { is_big_endian: false, is_big_tiff: false, ifds, gap: 0, last_next: 0 }
    }

    /// Sets a tag of the first IFD.
    pub(crate) fn with(mut self, tag: u16, values: Values) -> Self {
        self.ifds[0].retain(|(other, _)| *other != tag);
        self.ifds[0].push((tag, values));
        self
    }

    /// Removes a tag of the first IFD.
    pub(crate) fn without(mut self, tag: u16) -> Self {
        self.ifds[0].retain(|(other, _)| *other != tag);
        self
    }

    fn number(&self, out: &mut Vec<u8>, value: u64, size: usize) {
        let bytes = value.to_le_bytes();
        if self.is_big_endian {
            out.extend(bytes[..size].iter().rev());
        } else {
            out.extend(&bytes[..size]);
        }
    }

    fn offset_size(&self) -> usize {
        if self.is_big_tiff { 8 } else { 4 }
    }

    fn encode(&self, values: &Values) -> (u16, u64, Vec<u8>) {
        let mut out = Vec::new();
        let (field_type, count) = match values {
            Values::Byte(list) => {
                out.extend(list);
                (1, list.len())
            }
            Values::Ascii(text) => {
                out.extend(text.as_bytes());
                (2, text.len())
            }
            Values::Short(list) => {
                list.iter().for_each(|number| self.number(&mut out, u64::from(*number), 2));
                (3, list.len())
            }
            Values::Long(list) => {
                list.iter().for_each(|number| self.number(&mut out, u64::from(*number), 4));
                (4, list.len())
            }
            Values::Long8(list) => {
                list.iter().for_each(|number| self.number(&mut out, *number, 8));
                (16, list.len())
            }
            Values::Double(list) => {
                list.iter().for_each(|number| self.number(&mut out, number.to_bits(), 8));
                (12, list.len())
            }
            Values::Undefined(list) => {
                out.extend(list);
                (7, list.len())
            }
            Values::At(field_type, count, offset) => {
                self.number(&mut out, *offset, self.offset_size());
                return (*field_type, *count, out);
            }
            Values::Raw(field_type, count, bytes) => return (*field_type, *count, bytes.clone()),
        };
        (field_type, count as u64, out)
    }

    /// Encodes the file: header, gap, then IFDs, each followed by its values.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let offset_size = self.offset_size();
        let mut out = Vec::new();
        out.extend(if self.is_big_endian { b"MM" } else { b"II" });
        if self.is_big_tiff {
            self.number(&mut out, 43, 2);
            self.number(&mut out, 8, 2);
            self.number(&mut out, 0, 2);
        } else {
            self.number(&mut out, 42, 2);
        }
        let first = out.len() + offset_size + self.gap;
        self.number(&mut out, first as u64, offset_size);
        out.resize(first, 0);
        let (count_size, entry_size) = if self.is_big_tiff { (8, 20) } else { (2, 12) };
        for (position, tags) in self.ifds.iter().enumerate() {
            let mut tags = tags.clone();
            tags.sort_by_key(|(tag, _)| *tag);
            let mut values_at = out.len() + count_size + tags.len() * entry_size + offset_size;
            let mut values = Vec::new();
            self.number(&mut out, tags.len() as u64, count_size);
            for (tag, value) in &tags {
                let (field_type, count, mut bytes) = self.encode(value);
                self.number(&mut out, u64::from(*tag), 2);
                self.number(&mut out, u64::from(field_type), 2);
                self.number(&mut out, count, offset_size);
                if bytes.len() <= offset_size {
                    bytes.resize(offset_size, 0);
                    out.extend(bytes);
                } else {
                    self.number(&mut out, values_at as u64, offset_size);
                    values_at += bytes.len();
                    values.extend(bytes);
                }
            }
            let is_last = position + 1 == self.ifds.len();
            let next = if is_last { self.last_next } else { values_at as u64 };
            self.number(&mut out, next, offset_size);
            out.extend(values);
        }
        out
    }
}

/// Tags of a tiled image with one 16-bit band; tile `n` has `n + 1` bytes at `1000 * (n + 1)`.
pub(crate) fn tiled(width: u32, height: u32, tile: u16) -> Vec<(u16, Values)> {
    let tiles = width.div_ceil(u32::from(tile)) * height.div_ceil(u32::from(tile));
    vec![
        (256, Values::Long(vec![width])),
        (257, Values::Long(vec![height])),
        (258, Values::Short(vec![16])),
        (259, Values::Short(vec![8])),
        (262, Values::Short(vec![1])),
        (277, Values::Short(vec![1])),
        (322, Values::Short(vec![tile])),
        (323, Values::Short(vec![tile])),
        (324, Values::Long((1..=tiles).map(|n| 1000 * n).collect())),
        (325, Values::Long((1..=tiles).collect())),
    ]
}

/// `tiled`, marked as a reduced image (1), a mask (4), or both (5).
pub(crate) fn reduced(kind: u32, width: u32, height: u32, tile: u16) -> Vec<(u16, Values)> {
    let mut tags = tiled(width, height, tile);
    tags.push((254, Values::Long(vec![kind])));
    tags
}

/// GeoKeys of type SHORT, as the directory tag.
pub(crate) fn geo_keys(keys: &[(u16, u16)]) -> Values {
    let mut directory = vec![1, 1, 0, keys.len() as u16];
    for (key, value) in keys {
        directory.extend([*key, 0, 1, *value]);
    }
    Values::Short(directory)
}

/// Decodes a header; returns it with the ranges of each round of fetches, of which the first one is the first `first` bytes.
pub(crate) fn fetches(file: &[u8], first: u64) -> Result<(CogHeader, Vec<Vec<Range<u64>>>)> {
    let size = file.len() as u64;
    let bytes = Bytes::copy_from_slice(file);
    let mut decoder = HeaderDecoder::new(Limits::default(), Some(size));
    let mut rounds = vec![];
    let mut ranges = vec![0..first.min(size)];
    loop {
        for range in &ranges {
            decoder.push(range.start, slice(&bytes, range));
        }
        rounds.push(ranges);
        match decoder.try_decode()? {
            DecodeResult::Data(header) => return Ok((header, rounds)),
            DecodeResult::NeedsData(needs) => {
                assert!(!needs.is_empty(), "requests no data, but returns no result");
                assert!(needs.windows(2).all(|pair| pair[0].end < pair[1].start), "not sorted and disjoint: {needs:?}");
                ranges = needs;
            }
        }
    }
}

/// Decodes a header.
pub(crate) fn decode(file: &[u8]) -> Result<CogHeader> {
    fetches(file, 32 << 10).map(|(header, _)| header)
}

/// Returns the error of an invalid header.
pub(crate) fn refusal(file: &[u8]) -> String {
    decode(file).unwrap_err().to_string()
}

/// All IFDs of a file.
pub(crate) fn dump(file: &[u8], first: u64) -> Result<Vec<IfdInfo>> {
    let size = file.len() as u64;
    let bytes = Bytes::copy_from_slice(file);
    let mut decoder = IfdDecoder::new(Limits::default(), Some(size));
    decoder.push(0, slice(&bytes, &(0..first)));
    loop {
        match decoder.try_decode()? {
            DecodeResult::Data(ifds) => return Ok(ifds),
            DecodeResult::NeedsData(needs) => {
                for range in needs {
                    decoder.push(range.start, slice(&bytes, &range));
                }
            }
        }
    }
}

/// Returns the part of a range inside of the file, like a server.
pub(crate) fn slice(file: &Bytes, range: &Range<u64>) -> Bytes {
    let end = range.end.min(file.len() as u64) as usize;
    file.slice((range.start as usize).min(end)..end)
}
