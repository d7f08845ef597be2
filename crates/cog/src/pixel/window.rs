//! Rectangles of pixels.

/// A rectangle of a level's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first column.
    pub col_off: u32,
    /// The first row.
    pub row_off: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}
