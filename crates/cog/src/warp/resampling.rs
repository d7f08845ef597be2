//! Resampling methods.

use crate::tiff::DataType;
use crate::{Error, FilePosition};

/// Resampling method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resampling {
    /// The pixel that contains the centre.
    Nearest,
    /// Linear weights by distance along each axis.
    Bilinear,
    /// Catmull-Rom.
    Cubic,
    /// Mean, weighted by area.
    Average,
    /// Value with the largest area.
    Mode,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
}

impl Resampling {
    /// Whether values depend on the area of the target pixel, not only on its centre.
    pub(super) fn is_of_area(self) -> bool {
        matches!(self, Self::Average | Self::Mode | Self::Min | Self::Max)
    }
}

/// The error of a sample type.
pub(super) fn unsupported(data_type: DataType) -> Error {
    Error::Unsupported {
        at: FilePosition { ifd: None, tag: None, byte: None },
        what: format!("expected samples that can be resampled, found {data_type}"),
    }
}
