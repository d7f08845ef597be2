//! Runs of pixels.

/// Adjacent pixels in a row, with the same weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The row.
    pub row: u32,
    /// First column.
    pub start: u32,
    /// End column, exclusive.
    pub end: u32,
    /// Weight of each pixel, greater than 0.
    pub weight: f64,
}
