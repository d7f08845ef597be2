//! Grid cells and splits of data sets for machine learning.

mod major_tom;
mod split;

pub use major_tom::MajorTomCell;
pub use split::{Shares, Split};
