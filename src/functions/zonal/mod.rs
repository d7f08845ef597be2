//! The functions over zones: statistics of the pixels that a geometry covers.

mod cog_zonal_classes;
mod cog_zonal_quantiles;
mod cog_zonal_stats;

pub(super) use cog_zonal_classes::CogZonalClasses;
pub(super) use cog_zonal_quantiles::CogZonalQuantiles;
pub(super) use cog_zonal_stats::CogZonalStats;
