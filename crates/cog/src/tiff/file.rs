//! A file as a decoder sees it: what is there, what is missing, and what cannot be.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::pushed::Pushed;
use crate::{Error, FilePosition, Limits, Result};

/// Bytes asked for where the length of what follows is not known: the file's start, and IFDs away from it.
///
/// 32 KiB hold the IFDs and tables of nearly all COGs and still cost about one round trip.
pub(crate) const PREFETCH: u64 = 32 << 10;

/// The bytes at hand, and a list of those that were looked for in vain.
#[derive(Debug)]
pub(crate) struct File {
    limits: Limits,
    size: Option<u64>,
    pushed: Pushed,
    /// What was looked for since the last [`File::needs`], with the place it was for.
    missing: Vec<(Range<u64>, FilePosition)>,
    /// [`Pushed::held`] at the last [`File::needs`] that asked for something.
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

    /// Bytes of the file, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether a range may be part of the file, as far as its size is known.
    pub(crate) fn may_hold(&self, offset: u64, length: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| self.size.is_none_or(|size| end <= size))
    }

    /// Bytes held so far.
    pub(crate) fn held(&self) -> u64 {
        self.pushed.held()
    }

    /// The bytes at `offset`; None when they are missing.
    #[inline]
    pub(crate) fn get(&self, offset: u64, length: u64, at: FilePosition) -> Result<Option<Cow<'_, [u8]>>> {
        if !self.may_hold(offset, length) {
            return Err(self.beyond_the_end(offset, length, at));
        }
        Ok(self.pushed.get(offset..offset + length))
    }

    /// Whether the bytes at `offset` are there; when they are missing, that is noted for [`File::needs`].
    pub(crate) fn require(&mut self, offset: u64, length: u64, at: FilePosition) -> Result<bool> {
        self.require_with_prefetch(offset, length, length, at)
    }

    /// As [`File::require`]; what is missing is asked for with what follows, up to `prefetch` bytes in all. Where the file
    /// ends before, the rest is taken from what precedes: writers put an IFD at the end of a file and its values around it.
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

    /// As [`File::get`]; what is missing is noted as [`File::require_with_prefetch`] does.
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

    /// The ranges that were looked for in vain: sorted, disjoint, without bytes that are held. Empty if there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when nothing new was pushed since the last time ranges were given: whoever fetches has
    /// nothing more, so the file is shorter than it claims.
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
