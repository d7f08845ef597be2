//! Zonal functions: statistics of the pixels covered by a geometry.

mod cog_zonal_classes;
mod cog_zonal_quantiles;
mod cog_zonal_stats;

pub(super) use cog_zonal_classes::CogZonalClasses;
pub(super) use cog_zonal_quantiles::CogZonalQuantiles;
pub(super) use cog_zonal_stats::CogZonalStats;
