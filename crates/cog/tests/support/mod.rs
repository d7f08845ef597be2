//! Drives a decoder from a file in memory.

use std::ops::Range;

use bytes::Bytes;
use rasteret_cog::{CogHeader, DecodeResult, HeaderDecoder, Limits, Result};

/// The header and the rounds of ranges that were fetched for it, the first of them `first` bytes from the start.
pub(crate) fn fetches(file: &[u8], first: u64) -> Result<(CogHeader, Vec<Vec<Range<u64>>>)> {
    let size = file.len() as u64;
    let bytes = Bytes::copy_from_slice(file);
    let mut decoder = HeaderDecoder::new(Limits::default(), Some(size));
    let mut rounds = vec![];
    let mut ranges = vec![0..first.min(size)];
    loop {
        for range in &ranges {
            let end = range.end.min(size) as usize;
            let start = (range.start as usize).min(end);
            decoder.push(range.start, bytes.slice(start..end));
        }
        rounds.push(ranges);
        match decoder.try_decode()? {
            DecodeResult::Data(header) => return Ok((header, rounds)),
            DecodeResult::NeedsData(needs) => ranges = needs,
        }
    }
}

/// The header alone.
pub(crate) fn decode(file: &[u8], first: u64) -> Result<CogHeader> {
    fetches(file, first).map(|(header, _)| header)
}
