//! Zones: coverage fractions of pixels, and statistics of their values.

mod coverage;
mod histogram;
mod masked_window;
mod statistics;

pub use coverage::Method;
pub use histogram::{Entry, Histogram, MAX_VALUES};
pub use statistics::{Statistics, ValueStatistics, WeightedStatistics, ZonalStats};

pub use crate::grid::{Coverage, Run};
