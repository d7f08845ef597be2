//! Runs of pixels.

/// Pixels next to one another in a row that weigh the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The row.
    pub row: u32,
    /// The first column.
    pub start: u32,
    /// The column after the last.
    pub end: u32,
    /// The weight of each pixel, greater than 0.
    pub weight: f64,
}
