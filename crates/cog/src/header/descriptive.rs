//! Table of the tags that describe an image.

use crate::tiff::Tag;

/// Format of a tag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueFormat {
    Text,
    Number,
    /// ResolutionUnit: the number and its meaning.
    Unit,
}

/// Descriptive tags of TIFF 6.0 and their GDAL names.
pub(super) const DESCRIPTIVE: [(u16, &str, ValueFormat); 14] = [
    (269, "TIFFTAG_DOCUMENTNAME", ValueFormat::Text),
    (270, "TIFFTAG_IMAGEDESCRIPTION", ValueFormat::Text),
    (305, "TIFFTAG_SOFTWARE", ValueFormat::Text),
    (306, "TIFFTAG_DATETIME", ValueFormat::Text),
    (315, "TIFFTAG_ARTIST", ValueFormat::Text),
    (316, "TIFFTAG_HOSTCOMPUTER", ValueFormat::Text),
    (33432, "TIFFTAG_COPYRIGHT", ValueFormat::Text),
    (282, "TIFFTAG_XRESOLUTION", ValueFormat::Number),
    (283, "TIFFTAG_YRESOLUTION", ValueFormat::Number),
    (296, "TIFFTAG_RESOLUTIONUNIT", ValueFormat::Unit),
    (280, "TIFFTAG_MINSAMPLEVALUE", ValueFormat::Number),
    (281, "TIFFTAG_MAXSAMPLEVALUE", ValueFormat::Number),
    (50908, "TIFF_RSID", ValueFormat::Text),
    (50909, "GEO_METADATA", ValueFormat::Text),
];

/// Whether a tag is needed for a description but not for the header.
pub(super) fn is_descriptive(tag: Tag) -> bool {
    tag == Tag::COLOR_MAP || DESCRIPTIVE.iter().any(|(code, ..)| *code == tag.0)
}
