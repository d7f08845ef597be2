//! The columns of an enrichment's output.

use arrow_schema::{DataType, Field, Fields};

/// A column of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// A column of the source, by its index in [`EnrichPlan::source_schema`](super::EnrichPlan::source_schema).
    Source(usize),
    /// `{band}_metadata`, by the band's index in [`EnrichPlan::bands`](super::EnrichPlan::bands).
    Metadata(usize),
    /// A column that the source lacks.
    Normalized(Normalized),
    /// `rasteret_error`.
    Error,
}

/// Columns that are computed if the source has no column with this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalized {
    /// `"proj:epsg"` INTEGER.
    Epsg,
    /// `crs` VARCHAR.
    Crs,
    /// `bbox` STRUCT(xmin, ymin, xmax, ymax DOUBLE).
    Bbox,
    /// `year` INTEGER.
    Year,
    /// `month` INTEGER.
    Month,
}

impl Normalized {
    /// All, in the output's order.
    pub const ALL: [Self; 5] = [Self::Epsg, Self::Crs, Self::Bbox, Self::Year, Self::Month];

    /// The column's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsg => "proj:epsg",
            Self::Crs => "crs",
            Self::Bbox => "bbox",
            Self::Year => "year",
            Self::Month => "month",
        }
    }

    /// The column's Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Epsg | Self::Year | Self::Month => DataType::Int32,
            Self::Crs => DataType::Utf8,
            Self::Bbox => DataType::Struct(bbox_fields()),
        }
    }
}

/// The fields of `bbox`.
pub(super) fn bbox_fields() -> Fields {
    ["xmin", "ymin", "xmax", "ymax"].into_iter().map(|name| Field::new(name, DataType::Float64, true)).collect()
}
