//! Partially known contents of a file: available, missing and impossible ranges.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::pushed::Pushed;
use crate::{Error, FilePosition, Limits, Result};

/// Prefetch size where the length of the data is unknown: at the start of the file, and for IFDs elsewhere.
///
/// 32 KiB contain the IFDs and tables of nearly all COGs, and cost about one round trip.
pub(crate) const PREFETCH: u64 = 32 << 10;

/// The bytes pushed so far, and the missing ranges.
#[derive(Debug)]
pub(crate) struct File {
    limits: Limits,
    size: Option<u64>,
    pushed: Pushed,
    /// Missing ranges since the last [`File::needs`], with the position that required them.
    missing: Vec<(Range<u64>, FilePosition)>,
    /// [`Pushed::held`] at the last non-empty [`File::needs`].
    held_when_asked: Option<u64>,
}

impl File {
    pub(crate) fn new(limits: Limits, size: Option<u64>) -> Self {
        Self { limits, size, pushed: Pushed::default(), missing: Vec::new(), held_when_asked: None }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn push(&mut self, offset: u64, bytes: Bytes) {
        self.pushed.push(offset, bytes);
    }

    /// File size in bytes, if known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether a range can be inside the file.
    pub(crate) fn may_hold(&self, offset: u64, length: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| self.size.is_none_or(|size| end <= size))
    }

    /// Number of bytes pushed so far.
    pub(crate) fn held(&self) -> u64 {
        self.pushed.held()
    }

    /// Returns the bytes at `offset`; None if missing.
    #[inline]
    pub(crate) fn get(&self, offset: u64, length: u64, at: FilePosition) -> Result<Option<Cow<'_, [u8]>>> {
        if !self.may_hold(offset, length) {
            return Err(self.beyond_the_end(offset, length, at));
        }
        Ok(self.pushed.get(offset..offset + length))
    }

    /// Whether the bytes at `offset` are available; otherwise records them for [`File::needs`].
    pub(crate) fn require(&mut self, offset: u64, length: u64, at: FilePosition) -> Result<bool> {
        self.require_with_prefetch(offset, length, length, at)
    }

    /// Like [`File::require`], but extends the missing range to `prefetch` bytes. At the end of the file, it is extended
    /// backwards: writers that append an IFD place its values near it.
    pub(crate) fn require_with_prefetch(
        &mut self,
        offset: u64,
        length: u64,
        prefetch: u64,
        at: FilePosition,
    ) -> Result<bool> {
        if !self.may_hold(offset, length) {
            return Err(self.beyond_the_end(offset, length, at));
        }
        let is_held = self.pushed.holds(offset..offset + length);
        if !is_held {
            let end = offset.saturating_add(prefetch.max(length));
            let end = self.size.map_or(end, |size| end.min(size));
            let start = offset.min(end.saturating_sub(prefetch));
            self.missing.push((start..end, at));
        }
        Ok(is_held)
    }

    /// Like [`File::get`]; records missing bytes as [`File::require_with_prefetch`] does.
    pub(crate) fn get_with_prefetch(
        &mut self,
        offset: u64,
        length: u64,
        prefetch: u64,
        at: FilePosition,
    ) -> Result<Option<Cow<'_, [u8]>>> {
        if !self.require_with_prefetch(offset, length, prefetch, at)? {
            return Ok(None);
        }
        self.get(offset, length, at)
    }

    #[cold]
    fn beyond_the_end(&self, offset: u64, length: u64, at: FilePosition) -> Error {
        let size = self.size.unwrap_or(u64::MAX);
        Error::Malformed {
            at,
            what: format!("expected {length} bytes at byte {offset}, but the file ends at byte {size}"),
        }
    }

    /// Returns the missing ranges: sorted, disjoint, without available bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if nothing was pushed since ranges were last returned: the file is truncated.
    pub(crate) fn needs(&mut self) -> Result<Vec<Range<u64>>> {
        let missing = std::mem::take(&mut self.missing);
        let Some((first, at)) = missing.first() else {
            return Ok(Vec::new());
        };
        if self.held_when_asked == Some(self.pushed.held()) {
            return Err(Error::Malformed {
                at: *at,
                what: format!("expected more bytes at byte {}, but the file ends before", first.start),
            });
        }
        self.held_when_asked = Some(self.pushed.held());
        let mut gaps: Vec<Range<u64>> = missing.into_iter().flat_map(|(range, _)| self.pushed.gaps(range)).collect();
        gaps.sort_unstable_by_key(|gap| gap.start);
        gaps.dedup_by(|later, earlier| {
            let joined = later.start <= earlier.end;
            if joined {
                earlier.end = earlier.end.max(later.end);
            }
            joined
        });
        Ok(gaps)
    }
}
