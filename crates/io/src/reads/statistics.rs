//! Statistics of zones: what `cog_zonal_stats` answers with.

use std::sync::Arc;

use rasteret_cog::coverage::{Coverage, Method, Statistics, ZonalStats};
use rasteret_cog::pixel::Block;

use super::{Asked, Read, Sink};
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
    /// The statistics of rows' zones; None for None.
    ///
    /// # Errors
    ///
    /// Where a geometry or its CRS is wrong, values are complex, or a file cannot be read.
    pub fn zonal_statistics(&self, asked: &[Option<(Asked<'_>, ZoneOptions)>]) -> Result<Vec<Option<Statistics>>> {
        let zones = self.of_rows(asked, |(asked, options)| {
            let band = &asked.target.band;
            band.check_real().map_err(|source| asked.target.fault(source))?;
            let coverage = asked.coverage(self, options.method)?;
            let tiles = coverage.tiles(&band.tiling());
            Ok(Read { target: asked.target.clone(), sink: Zone { coverage, tiles } })
        })?;
        let reads: Vec<Read<Zone>> = zones.into_iter().flatten().collect();
        let mut parts = self.read(&reads, Keep::Tiles)?.into_iter();
        let answers = asked.iter().map(|row| {
            let (asked, options) = row.as_ref()?;
            let mut total = ZonalStats::default();
            for part in parts.next()? {
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
