//! Coverages of rows, and their statistics for `cog_zonal_stats`.

use std::borrow::Cow;
use std::sync::Arc;

use rasteret_cog::pixel::Block;
use rasteret_cog::zonal::{Coverage, Method, Statistics, ZonalStats};

use super::Reader;
use super::{BlockConsumer, OrNull, Read, ResolvedRead};
use crate::{Keep, Result};

/// Options of zonal functions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneOptions {
    /// The weight of a pixel.
    pub method: Method,
    /// Whether values are multiplied by the band's scale, and its offset added.
    pub scaled: bool,
}

/// The coverage of a row's geometry.
pub(super) struct Zone {
    pub(super) coverage: Arc<Coverage>,
    /// The tiles with covered pixels.
    pub(super) tiles: Vec<(u32, u32)>,
}

/// The zone of a row, which consumes blocks: sums its pixels.
struct Sums(Zone);

impl Reader {
    /// Computes the statistics of the zone of each row. None if the request is None, or if the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// If a geometry or its CRS is wrong, values are complex, or a file cannot be read.
    pub fn zonal_statistics(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
    ) -> Result<Vec<Option<Statistics>>> {
        self.zones_of(resolved, Sums, |_, total, scale, _| Ok(total.finish(scale)))
    }

    /// Computes the result of each row: `finish` receives the consumer of its zone, the accumulated total, and the scale and offset to apply.
    pub(super) fn zones_of<C: BlockConsumer + Send, T>(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
        consumer: impl Fn(Zone) -> C + Sync,
        finish: impl Fn(C, C::Total, Option<(f64, f64)>, &ResolvedRead<'_>) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let read = |resolved: &ResolvedRead<'_>, options: &ZoneOptions| {
            let band = &resolved.target.band;
            band.check_real().map_err(|source| resolved.target.fault(source))?;
            let coverage = resolved.coverage(self, options.method)?;
            let tiles = coverage.tiles(&band.tiling());
            let (target, on_error) = (resolved.target.clone(), resolved.request.on_error);
            Ok(Read { target, consumer: consumer(Zone { coverage, tiles }), on_error })
        };
        let zones =
            self.of_rows(resolved, |(resolved, options)| read(resolved, options).or_null(resolved.request.on_error))?;
        let is_zone: Vec<bool> = zones.iter().map(|zone| matches!(zone, Some(Some(_)))).collect();
        let reads: Vec<Read<C>> = zones.into_iter().flatten().flatten().collect();
        let totals = self.read(&reads, Keep::Tiles)?;
        let mut totals = reads.into_iter().zip(totals);
        let results = resolved.iter().zip(is_zone).map(|(row, is_zone)| {
            let Some((resolved, options)) = row.as_ref().filter(|_| is_zone) else {
                return Ok(None);
            };
            let Some((read, Some(total))) = totals.next() else {
                return Ok(None);
            };
            let scale = options.scaled.then(|| resolved.target.band.scale_and_offset());
            finish(read.consumer, total, scale, resolved).map(Some)
        });
        results.collect()
    }
}

impl BlockConsumer for Sums {
    type Part = ZonalStats;
    type Total = ZonalStats;

    fn tiles(&self) -> Cow<'_, [(u32, u32)]> {
        Cow::Borrowed(&self.0.tiles)
    }

    fn part(&self, _tile: usize, block: &Block) -> Result<ZonalStats> {
        let mut sums = ZonalStats::default();
        sums.add(block, &self.0.coverage);
        Ok(sums)
    }

    fn add(total: &mut ZonalStats, part: ZonalStats) {
        total.merge(&part);
    }
}
