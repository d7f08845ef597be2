//! Zones: coverage fractions of pixels, and statistics of their values. `masked_window` adds the windows of coverages to
//! [`WindowWriter`](crate::pixel::WindowWriter), which cannot depend on this module.

mod coverage;
mod histogram;
mod masked_window;
mod statistics;

pub use coverage::Method;
pub use histogram::{Entry, Histogram, MAX_VALUES};
pub use statistics::{Statistics, ValueStatistics, WeightedStatistics, ZonalStats};

pub use crate::grid::{Coverage, Run};
