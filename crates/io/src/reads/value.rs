//! Values at points: what `cog_value` answers with.

use std::sync::{Mutex, PoisonError};

use rasteret_cog::pixel::{Block, Neighbourhood, ValueOptions};

use super::{Asked, OrNull, Read, Sink};
use crate::{Error, Keep, Result, Session};

impl Session {
    /// The values at rows' points; None for None, where there is none, and where the file cannot be read and `on_error` allows that.
    ///
    /// Points near the edge of a tile, and those that look for a valid pixel around them, may need tiles that only show to be
    /// needed when others have been read: they are read together, round after round.
    ///
    /// # Errors
    ///
    /// Where a geometry is no single point, its CRS is wrong, or a file cannot be read.
    pub fn values(&self, asked: &[Option<(Asked<'_>, ValueOptions)>]) -> Result<Vec<Option<f64>>> {
        let search = |asked: &Asked<'_>, options: &ValueOptions| {
            let search = Neighbourhood::new(&asked.target.band, point(asked, self)?, *options);
            search.map_err(|source| asked.target.fault(source))
        };
        let searches = self.of_rows(asked, |(asked, options)| {
            let on_error = asked.ask.on_error;
            let search = search(asked, options).or_null(on_error)?.flatten();
            Ok(search.map(|search| Read { target: asked.target.clone(), sink: Mutex::new(search), on_error }))
        })?;
        let mut values: Vec<Option<f64>> = asked.iter().map(|_| None).collect();
        let mut under_way: Vec<_> =
            searches.into_iter().enumerate().filter_map(|(row, read)| Some((row, read.flatten()?))).collect();
        while !under_way.is_empty() {
            let (rows, reads): (Vec<_>, Vec<_>) = under_way.into_iter().unzip();
            let parts = self.read(&reads, Keep::Tiles)?;
            under_way = Vec::new();
            let read = rows.into_iter().zip(reads).zip(parts);
            for ((row, mut read), _) in read.filter(|(_, parts)| parts.is_some()) {
                let search = read.sink.get_mut().unwrap_or_else(PoisonError::into_inner);
                if search.wanted().is_empty() {
                    values[row] = search.value();
                } else {
                    under_way.push((row, read));
                }
            }
        }
        Ok(values)
    }
}

/// The point that a row asks about, in pixels.
fn point(asked: &Asked<'_>, session: &Session) -> Result<(f64, f64)> {
    let pixels = asked.pixels(session)?.unwrap_or_default();
    match pixels.points.as_slice() {
        [point] if pixels.lines.is_empty() && pixels.polygons.is_empty() => Ok((point.x, point.y)),
        _ => Err(Error::InvalidArgument { what: "point: expected a single point, found another geometry".to_owned() }),
    }
}

impl Sink for Mutex<Neighbourhood> {
    type Part = ();

    fn tiles(&self) -> Vec<(u32, u32)> {
        self.lock().unwrap_or_else(PoisonError::into_inner).wanted().to_vec()
    }

    fn part(&self, _tile: usize, block: &Block) {
        self.lock().unwrap_or_else(PoisonError::into_inner).consume(block);
    }
}
