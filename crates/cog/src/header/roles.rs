//! Roles of IFDs.

use std::fmt;

use crate::Result;
use crate::tiff::Tag;
use crate::tiff::file::File;
use crate::tiff::ifd::Ifd;

/// Role of an IFD's image (TIFF 6.0, section 8, NewSubfileType). Displays in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The first IFD of the file, regardless of its NewSubfileType.
    Image,
    /// Bit 0 without bit 2: a reduced-resolution version of the image.
    Overview,
    /// Bit 2: a transparency mask.
    Mask,
    /// Another page, or another image.
    Page,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Overview => "overview",
            Self::Mask => "mask",
            Self::Page => "page",
        })
    }
}

/// Determines the role of an IFD; None if bytes are missing.
///
/// Like libtiff, falls back to the older SubfileType if NewSubfileType is absent.
pub(crate) fn role(file: &mut File, ifd: &Ifd) -> Result<Option<Role>> {
    if ifd.index == 0 {
        return Ok(Some(Role::Image));
    }
    let (tag, is_old) = match ifd.entry(Tag::NEW_SUBFILE_TYPE) {
        Some(_) => (Tag::NEW_SUBFILE_TYPE, false),
        None => (Tag::SUBFILE_TYPE, true),
    };
    let Some(entry) = ifd.entry(tag) else {
        return Ok(Some(Role::Page));
    };
    // Defaults to a page for invalid values, as in libtiff: that is the tag's default.
    let bits: u32 = match ifd.fetch(file, entry, 1) {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => value.integer().unwrap_or(0),
        Err(_) => 0,
    };
    Ok(Some(match bits {
        // SubfileType is an enumeration: 2 is a reduced image.
        2 if is_old => Role::Overview,
        _ if is_old => Role::Page,
        _ if bits & 4 != 0 => Role::Mask,
        _ if bits & 1 != 0 => Role::Overview,
        _ => Role::Page,
    }))
}
