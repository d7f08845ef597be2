//! Bytes in, header out: the loop between the decoder and whoever fetches.

use std::ops::Range;

use bytes::Bytes;

use crate::{CogHeader, Error, Limits, Place, Result};

/// An answer, or what is missing for one.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodeResult<T> {
    /// Byte ranges to push before the next try: sorted, not empty, disjoint.
    NeedsData(Vec<Range<u64>>),
    /// The answer.
    Data(T),
}

/// Decodes a file's header from whatever bytes it is given.
#[derive(Debug)]
pub struct HeaderDecoder {
    limits: Limits,
    file_size: Option<u64>,
}

impl HeaderDecoder {
    /// A decoder that has seen nothing; `file_size` in bytes, where known, catches impossible offsets early.
    #[must_use]
    pub fn new(limits: Limits, file_size: Option<u64>) -> Self {
        Self { limits, file_size }
    }

    /// Hands over `bytes` that stand at `offset` of the file, in any order and of any size; overlaps are fine.
    pub fn push(&mut self, offset: u64, bytes: Bytes) {
        let _ = (offset, bytes, self.limits, self.file_size);
    }

    /// The header, or the ranges that are missing for it: all that can be known so far, at once.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, see [`Error`].
    pub fn try_decode(&mut self) -> Result<DecodeResult<CogHeader>> {
        Err(Error::Unsupported {
            at: Place::byte(0),
            what: "the decoder is being built".to_owned(),
        })
    }
}
