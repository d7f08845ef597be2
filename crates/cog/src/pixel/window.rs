//! Rectangles of pixels.

/// A rectangle of a level's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Window {
    /// All pixels of an image.
    #[must_use]
    pub fn of_image(width: u32, height: u32) -> Self {
        Self { col_off: 0, row_off: 0, width, height }
    }

    /// The column after the last.
    #[must_use]
    pub fn col_end(&self) -> u32 {
        self.col_off.saturating_add(self.width)
    }

    /// The row after the last.
    #[must_use]
    pub fn row_end(&self) -> u32 {
        self.row_off.saturating_add(self.height)
    }

    /// How many pixels there are.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Whether a pixel is inside.
    #[must_use]
    pub fn contains(&self, col: u32, row: u32) -> bool {
        (self.col_off..self.col_end()).contains(&col) && (self.row_off..self.row_end()).contains(&row)
    }

    /// The pixels that two windows share, None where there are none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (left, top) = (self.col_off.max(other.col_off), self.row_off.max(other.row_off));
        let (right, bottom) = (self.col_end().min(other.col_end()), self.row_end().min(other.row_end()));
        (left < right && top < bottom).then(|| Self {
            col_off: left,
            row_off: top,
            width: right - left,
            height: bottom - top,
        })
    }
}
