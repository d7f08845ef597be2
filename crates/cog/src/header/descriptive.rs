//! The tags that describe an image.

use crate::tiff::Tag;

/// How a tag's value is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Text,
    Number,
    /// ResolutionUnit: the number, and in words what it means.
    Unit,
}

/// Tags of TIFF 6.0 that describe an image, and GDAL's names for them.
pub(super) const DESCRIPTIVE: [(u16, &str, Spelling); 14] = [
    (269, "TIFFTAG_DOCUMENTNAME", Spelling::Text),
    (270, "TIFFTAG_IMAGEDESCRIPTION", Spelling::Text),
    (305, "TIFFTAG_SOFTWARE", Spelling::Text),
    (306, "TIFFTAG_DATETIME", Spelling::Text),
    (315, "TIFFTAG_ARTIST", Spelling::Text),
    (316, "TIFFTAG_HOSTCOMPUTER", Spelling::Text),
    (33432, "TIFFTAG_COPYRIGHT", Spelling::Text),
    (282, "TIFFTAG_XRESOLUTION", Spelling::Number),
    (283, "TIFFTAG_YRESOLUTION", Spelling::Number),
    (296, "TIFFTAG_RESOLUTIONUNIT", Spelling::Unit),
    (280, "TIFFTAG_MINSAMPLEVALUE", Spelling::Number),
    (281, "TIFFTAG_MAXSAMPLEVALUE", Spelling::Number),
    (50908, "TIFF_RSID", Spelling::Text),
    (50909, "GEO_METADATA", Spelling::Text),
];

/// Whether a description needs the value of a tag that the header does not.
pub(super) fn is_descriptive(tag: Tag) -> bool {
    tag == Tag::COLOR_MAP || DESCRIPTIVE.iter().any(|(code, ..)| *code == tag.0)
}
