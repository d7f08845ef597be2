//! Histograms of zones, for `cog_zonal_quantiles` and `cog_zonal_classes`.
//!
//! ```text
//! tiles of a zone   0   1   2   3   4      neighbours are merged as soon as both are there, whatever the order in which they arrive,
//!                   └─┬─┘   └─┬─┘   │      so that few parts are kept, and the result does not depend on that order
//!                     └───┬───┘     │
//!                         └────┬────┘
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rasteret_cog::pixel::Block;
use rasteret_cog::zonal::{Histogram, MAX_VALUES};

use super::statistics::{Zone, ZoneOptions};
use super::{BlockConsumer, Reader, ResolvedRead};
use crate::Result;

/// Merges the values of a zone.
struct Values<'a> {
    zone: Zone,
    /// Histograms of 2^level tiles, by level and position among those of the level.
    merged: Mutex<BTreeMap<(u32, usize), Histogram>>,
    held: &'a Held<'a>,
}

/// The memory for the values of the zones of a call.
struct Held<'a> {
    reader: &'a Reader,
    bytes: AtomicU64,
}

impl Reader {
    /// The histograms of rows' zones; None for None, and if the file cannot be read and `on_error` allows that.
    ///
    /// # Errors
    ///
    /// As [`zonal_statistics`](Self::zonal_statistics), and where a zone has more than [`MAX_VALUES`] distinct values, or the values of
    /// all zones take more memory than there may be.
    pub fn zonal_histograms(
        &self,
        resolved: &[Option<(ResolvedRead<'_>, ZoneOptions)>],
    ) -> Result<Vec<Option<Histogram>>> {
        let held = Held { reader: self, bytes: AtomicU64::new(0) };
        let values = |zone| Values { zone, merged: Mutex::default(), held: &held };
        self.zones_of(resolved, values, |values, (), scale, resolved| {
            values.finish().finish(scale).map_err(|source| resolved.target.fault(source))
        })
    }
}

impl BlockConsumer for Values<'_> {
    type Part = ();
    type Total = ();

    fn tiles(&self) -> Cow<'_, [(u32, u32)]> {
        Cow::Borrowed(&self.zone.tiles)
    }

    fn part(&self, tile: usize, block: &Block) -> Result<()> {
        let (mut histogram, most) = (Histogram::default(), self.held.most_of_a_block());
        if !histogram.add_up_to(most, block, &self.zone.coverage) && most < MAX_VALUES {
            self.held.check(self.held.reader.memory().limit())?;
        }
        self.held.add(histogram.byte_len())?;
        let mut place = (0, tile);
        while let Some(other) = self.neighbour(place, &mut histogram) {
            let before = histogram.byte_len() + other.byte_len();
            let (mut first, second) = if place.1 % 2 == 0 { (histogram, other) } else { (other, histogram) };
            first.merge(second);
            self.held.release(before.saturating_sub(first.byte_len()));
            histogram = first;
            place = (place.0 + 1, place.1 / 2);
        }
        Ok(())
    }

    fn add((): &mut (), (): ()) {}
}

impl Values<'_> {
    /// Takes the histogram that one at a place is merged with; puts that one, which leaves an empty one, if it is not there yet.
    fn neighbour(&self, place: (u32, usize), histogram: &mut Histogram) -> Option<Histogram> {
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        let neighbour = merged.remove(&(place.0, place.1 ^ 1));
        if neighbour.is_none() {
            merged.insert(place, std::mem::take(histogram));
        }
        neighbour
    }

    /// The values of all tiles.
    fn finish(self) -> Histogram {
        let merged = self.merged.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut parts: Vec<_> = merged.into_iter().collect();
        parts.sort_by_key(|((level, place), _)| place << level);
        // The last ones have the fewest tiles.
        let parts = parts.into_iter().rev().map(|(_, part)| part);
        let all = parts.reduce(|last, mut part| {
            part.merge(last);
            part
        });
        all.unwrap_or_default()
    }
}

impl Held<'_> {
    /// Maximum number of distinct values of a block, so that each thread may collect, sort and merge as many.
    fn most_of_a_block(&self) -> usize {
        let threads = u64::try_from(self.reader.tiles().workers().limit()).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.reader.memory().limit() / BYTES_OF_A_VALUE / threads).unwrap_or(usize::MAX)
    }

    /// Adds bytes.
    fn add(&self, bytes: u64) -> Result<()> {
        self.check(self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes))
    }

    fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Values are copied when they are merged.
    fn check(&self, bytes: u64) -> Result<()> {
        self.reader.check_memory(bytes.saturating_mul(2), || "the distinct values of the zones of a call".to_owned())
    }
}

/// Bytes of a value while it is collected and sorted.
const BYTES_OF_A_VALUE: u64 = 48;
