//! The main chain of IFDs, followed as bytes are pushed.

use std::collections::HashSet;

use super::file::File;
use super::ifd::{FileHeader, Ifd};
use crate::{Error, FilePosition, Result};

/// The part of the chain followed so far.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    header: Option<FileHeader>,
    next: u64,
    seen: HashSet<u64>,
    ifds: Vec<Ifd>,
}

impl Chain {
    /// IFDs read so far, in chain order.
    pub(crate) fn ifds(&self) -> &[Ifd] {
        &self.ifds
    }

    /// Follows the chain as far as possible; true at its end, false if bytes are missing, which are recorded in `file`.
    ///
    /// # Errors
    ///
    /// An invalid TIFF header, a chain that is empty or cyclic, or more IFDs than the limit.
    pub(crate) fn advance(&mut self, file: &mut File) -> Result<bool> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(header) = FileHeader::read(file)? else {
                    return Ok(false);
                };
                if header.first_ifd == 0 {
                    return Err(Error::Malformed {
                        at: FilePosition::byte(4),
                        what: "expected the offset of the first IFD, found 0".to_owned(),
                    });
                }
                self.next = header.first_ifd;
                self.header = Some(header);
                header
            }
        };
        while self.next != 0 {
            let index = u32::try_from(self.ifds.len()).unwrap_or(u32::MAX);
            // Truncated files, and writers that leave the last offset uninitialized, point beyond the end. Like
            // libtiff, ends the chain there.
            if index > 0 && !file.may_hold(self.next, 2) {
                self.next = 0;
                break;
            }
            let at = FilePosition { ifd: Some(index), tag: None, byte: Some(self.next) };
            if self.seen.contains(&self.next) {
                return Err(Error::Malformed { at, what: "the chain of IFDs contains a cycle".to_owned() });
            }
            let max = file.limits().max_ifds;
            if index >= max {
                return Err(Error::LimitExceeded {
                    at,
                    limit: "count of IFDs",
                    asked: u64::from(index) + 1,
                    max: u64::from(max),
                });
            }
            let Some((ifd, next)) = Ifd::read(file, header, index, self.next)? else {
                return Ok(false);
            };
            // The last IFD need not be recorded, which avoids allocations for single-IFD files.
            if next != 0 {
                self.seen.insert(self.next);
            }
            self.ifds.push(ifd);
            self.next = next;
        }
        Ok(true)
    }
}
