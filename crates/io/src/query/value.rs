//! Values at points, for `cog_value`.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rasteret_cog::pixel::{Block, PointSampler, ValueOptions};

use super::Reader;
use super::{BlockConsumer, OrNull, Read, ResolvedRead};
use crate::{Keep, Result};

impl Reader {
    /// The values at rows' points; None for None, if there is none, and if the file cannot be read and `on_error` allows that.
    ///
    /// Points near the edge of a tile, and those that look for a valid pixel around them, may need tiles that only show to be
    /// needed when others have been read: they are read together, round after round.
    ///
    /// # Errors
    ///
    /// If a geometry is not a single point, its CRS is invalid, or a file cannot be read.
    pub fn values(&self, resolved: &[Option<(ResolvedRead<'_>, ValueOptions)>]) -> Result<Vec<Option<f64>>> {
        let search = |resolved: &ResolvedRead<'_>, options: &ValueOptions| {
            let fault = |source| resolved.target.fault(source);
            resolved.target.band.check_real().map_err(fault)?;
            let Some(point) = resolved.point(self)? else {
                return Ok(None);
            };
            PointSampler::new(&resolved.target.band, point, *options).map_err(fault)
        };
        let searches = self.of_rows(resolved, |(resolved, options)| {
            let on_error = resolved.request.on_error;
            let search = search(resolved, options).or_null(on_error)?.flatten();
            Ok(search.map(|search| Read { target: resolved.target.clone(), consumer: Mutex::new(search), on_error }))
        })?;
        let mut values: Vec<Option<f64>> = resolved.iter().map(|_| None).collect();
        let mut in_flight: Vec<_> =
            searches.into_iter().enumerate().filter_map(|(row, read)| Some((row, read.flatten()?))).collect();
        while !in_flight.is_empty() {
            let (rows, reads): (Vec<_>, Vec<_>) = in_flight.into_iter().unzip();
            let parts = self.read(&reads, Keep::Tiles)?;
            in_flight = Vec::new();
            let read = rows.into_iter().zip(reads).zip(parts);
            for ((row, mut read), _) in read.filter(|(_, parts)| parts.is_some()) {
                let search = read.consumer.get_mut().unwrap_or_else(PoisonError::into_inner);
                if search.wanted().is_empty() {
                    values[row] = search.value();
                } else {
                    in_flight.push((row, read));
                }
            }
        }
        Ok(values)
    }
}

impl BlockConsumer for Mutex<PointSampler> {
    type Part = ();
    type Total = ();

    fn tiles(&self) -> Cow<'_, [(u32, u32)]> {
        Cow::Owned(self.lock().unwrap_or_else(PoisonError::into_inner).wanted().to_vec())
    }

    fn add((): &mut (), (): ()) {}

    fn part(&self, _tile: usize, block: &Block) {
        self.lock().unwrap_or_else(PoisonError::into_inner).consume(block);
    }
}
