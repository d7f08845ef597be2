//! Zones: the statistics of `cog_zonal_stats`, and the histograms behind `cog_zonal_quantiles` and `cog_zonal_classes`.

use std::borrow::Cow;
use std::sync::Arc;

use rasteret_cog::pixel::Block;
use rasteret_cog::zonal::{Coverage, Histogram, Method, Statistics, ZonalStats};

use super::Reader;
use super::{BlockConsumer, OrNull, Read, ResolvedRead};
use crate::{Keep, Result};

/// How the pixels of a zone become numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneOptions {
    /// When a pixel counts.
    pub method: Method,
    /// Whether values are multiplied by the band's scale, and its offset added.
    pub scaled: bool,
}

/// A result over the pixels of a zone, summed block by block.
trait Accumulator: Default + Send + Sync {
    /// Adds the pixels of a block that are covered.
    fn add(&mut self, block: &Block, coverage: &Coverage);

    /// Adds the result of other blocks.
    fn merge(&mut self, other: Self);
}

impl Accumulator for ZonalStats {
    fn add(&mut self, block: &Block, coverage: &Coverage) {
        Self::add(self, block, coverage);
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, &other);
    }
}

impl Accumulator for Histogram {
    fn add(&mut self, block: &Block, coverage: &Coverage) {
        Self::add(self, block, coverage);
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, other);
    }
}

/// A zone that blocks are measured against.
struct Zone<A> {
    coverage: Arc<Coverage>,
    tiles: Vec<(u32, u32)>,
    result: std::marker::PhantomData<fn() -> A>,
}

impl Reader {
    /// The statistics of rows' zones; None for None, and if the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// If a geometry or its CRS is wrong, values are complex, or a file cannot be read.
    pub fn zonal_statistics(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
    ) -> Result<Vec<Option<Statistics>>> {
        self.accumulate(resolved, |total: ZonalStats, scale, _| Ok(total.finish(scale)))
    }

    /// The histograms of rows' zones; None for None, and if the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// As [`zonal_statistics`](Self::zonal_statistics), and where a zone has more than
    /// [`MAX_VALUES`](rasteret_cog::zonal::MAX_VALUES) distinct values.
    pub fn zonal_histograms(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
    ) -> Result<Vec<Option<Histogram>>> {
        self.accumulate(resolved, |total: Histogram, scale, resolved| {
            total.finish(scale).map_err(|source| resolved.target.fault(source))
        })
    }

    /// The results of rows' zones, which `finish` makes of the pixels' sum and the scale and offset that apply.
    fn accumulate<A: Accumulator, T>(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
        finish: impl Fn(A, Option<(f64, f64)>, &ResolvedRead<'_>) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let zone = |resolved: &ResolvedRead<'_>, options: &ZoneOptions| {
            let band = &resolved.target.band;
            band.check_real().map_err(|source| resolved.target.fault(source))?;
            let coverage = resolved.coverage(self, options.method)?;
            let tiles = coverage.tiles(&band.tiling());
            let (target, on_error) = (resolved.target.clone(), resolved.request.on_error);
            Ok(Read { target, consumer: Zone { coverage, tiles, result: std::marker::PhantomData }, on_error })
        };
        let zones =
            self.of_rows(resolved, |(resolved, options)| zone(resolved, options).or_null(resolved.request.on_error))?;
        let is_zone: Vec<bool> = zones.iter().map(|zone| matches!(zone, Some(Some(_)))).collect();
        let reads: Vec<Read<Zone<A>>> = zones.into_iter().flatten().flatten().collect();
        let mut totals = self.read(&reads, Keep::Tiles)?.into_iter();
        let results = resolved.iter().zip(is_zone).map(|(row, is_zone)| {
            let Some((resolved, options)) = row.as_ref().filter(|_| is_zone) else {
                return Ok(None);
            };
            let Some(total) = totals.next().flatten() else {
                return Ok(None);
            };
            finish(total, options.scaled.then(|| resolved.target.band.scale_and_offset()), resolved).map(Some)
        });
        results.collect()
    }
}

impl<A: Accumulator> BlockConsumer for Zone<A> {
    type Part = A;
    type Total = A;

    fn tiles(&self) -> Cow<'_, [(u32, u32)]> {
        Cow::Borrowed(&self.tiles)
    }

    fn add(total: &mut A, part: A) {
        total.merge(part);
    }

    fn part(&self, _tile: usize, block: &Block) -> A {
        let mut result = A::default();
        result.add(block, &self.coverage);
        result
    }
}
