//! Statistics of zones: what `cog_zonal_stats` answers with.

use std::sync::Arc;

use rasteret_cog::coverage::{Coverage, Method, Statistics, ZonalStats};
use rasteret_cog::pixel::Block;

use super::{Asked, OrNull, Read, Sink};
use crate::{Keep, Result, Session};

/// How the pixels of a zone become numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneOptions {
    /// When a pixel counts.
    pub method: Method,
    /// Whether values are multiplied by the band's scale, and its offset added.
    pub scaled: bool,
}

/// A zone that blocks are measured against.
struct Zone {
    coverage: Arc<Coverage>,
    tiles: Vec<(u32, u32)>,
}

impl Session {
    /// The statistics of rows' zones; None for None, and where the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// Where a geometry or its CRS is wrong, values are complex, or a file cannot be read.
    pub fn zonal_statistics(&self, asked: &[Option<(Asked<'_>, ZoneOptions)>]) -> Result<Vec<Option<Statistics>>> {
        let zone = |asked: &Asked<'_>, options: &ZoneOptions| {
            let band = &asked.target.band;
            band.check_real().map_err(|source| asked.target.fault(source))?;
            let coverage = asked.coverage(self, options.method)?;
            let tiles = coverage.tiles(&band.tiling());
            let (target, on_error) = (asked.target.clone(), asked.ask.on_error);
            Ok(Read { target, sink: Zone { coverage, tiles }, on_error })
        };
        let zones = self.of_rows(asked, |(asked, options)| zone(asked, options).or_null(asked.ask.on_error))?;
        let is_zone: Vec<bool> = zones.iter().map(|zone| matches!(zone, Some(Some(_)))).collect();
        let reads: Vec<Read<Zone>> = zones.into_iter().flatten().flatten().collect();
        let mut parts = self.read(&reads, Keep::Tiles)?.into_iter();
        let answers = asked.iter().zip(is_zone).map(|(row, is_zone)| {
            let (asked, options) = row.as_ref().filter(|_| is_zone)?;
            let mut total = ZonalStats::default();
            for part in parts.next()?? {
                total.merge(&part);
            }
            Some(total.finish(options.scaled.then(|| asked.target.band.scale_and_offset())))
        });
        Ok(answers.collect())
    }
}

impl Sink for Zone {
    type Part = ZonalStats;

    fn tiles(&self) -> Vec<(u32, u32)> {
        self.tiles.clone()
    }

    fn part(&self, _tile: usize, block: &Block) -> ZonalStats {
        let mut statistics = ZonalStats::default();
        statistics.add(block, &self.coverage);
        statistics
    }
}
