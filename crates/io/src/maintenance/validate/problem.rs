//! Checks, and the problems that they find.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Location;

/// A check of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A column of the index.
    Column,
    /// A field of the metadata's type.
    Type,
    /// A record's id.
    Id,
    /// A record's box.
    Bbox,
    /// Metadata that should be there.
    Missing,
    /// Location of a band's file.
    Href,
    /// A field that reading needs.
    Null,
    /// A value by itself.
    Value,
    /// Georeferencing of the image.
    Transform,
    /// Tile tables against the grid and the file's size.
    Tables,
    /// The header's CRS against the record's.
    Crs,
    /// Comparison with the current file.
    Header,
}

impl Check {
    /// The word in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Column => "column",
            Self::Type => "type",
            Self::Id => "id",
            Self::Bbox => "bbox",
            Self::Missing => "missing",
            Self::Href => "href",
            Self::Null => "null",
            Self::Value => "value",
            Self::Transform => "transform",
            Self::Tables => "tables",
            Self::Crs => "crs",
            Self::Header => "header",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The record's id, or its position from 0 if it has none; None for a problem of the index.
    pub record: Option<String>,
    /// The band; None if it is the whole record.
    pub band: Option<String>,
    /// The check that failed.
    pub check: Check,
    /// Expected and found.
    pub message: String,
    /// The Parquet file; displays redacted.
    pub file: Option<Arc<Location>>,
}

/// Collects the problems of a batch.
pub(super) struct Found<'a> {
    pub(super) problems: &'a mut VecDeque<Problem>,
    /// Record of each row.
    pub(super) names: &'a [String],
    pub(super) file: Option<Arc<Location>>,
}

impl Found<'_> {
    pub(super) fn say(&mut self, row: Option<usize>, band: Option<&str>, check: Check, message: String) {
        let record = row.and_then(|row| self.names.get(row).cloned());
        let band = band.map(str::to_owned);
        self.problems.push_back(Problem { record, band, check, message, file: self.file.clone() });
    }
}
