//! Windows of pixels: what `cog_read` answers with.

use std::sync::{Mutex, PoisonError};

use rasteret_cog::pixel::{Block, WindowData, WindowOptions, WindowSink};

use super::{Asked, Read, Sink};
use crate::{Keep, Result, Session};

impl Session {
    /// The windows of rows; None for None, and where the geometry lies outside the image.
    ///
    /// # Errors
    ///
    /// Where a geometry or its CRS is wrong, a window is too large to be held, or a file cannot be read.
    pub fn windows(&self, asked: &[Option<(Asked<'_>, WindowOptions)>]) -> Result<Vec<Option<WindowData>>> {
        let sinks = self.of_rows(asked, |(asked, options)| {
            let sink = WindowSink::new(&asked.target.band, asked.pixels(self)?.as_ref(), *options);
            let sink = sink.map_err(|source| asked.target.fault(source))?;
            Ok(sink.map(|sink| Read { target: asked.target.clone(), sink: Mutex::new(sink) }))
        })?;
        let (rows, reads): (Vec<_>, Vec<_>) =
            sinks.into_iter().enumerate().filter_map(|(row, read)| Some((row, read.flatten()?))).unzip();
        // Whole images pass through once; of what windows touch, other rows may want more.
        let is_scan = asked.iter().flatten().all(|(asked, _)| asked.ask.geometry.is_none());
        self.read(&reads, if is_scan { Keep::Nothing } else { Keep::Tiles })?;
        let mut windows: Vec<Option<WindowData>> = asked.iter().map(|_| None).collect();
        for (row, read) in rows.into_iter().zip(reads) {
            windows[row] = Some(read.sink.into_inner().unwrap_or_else(PoisonError::into_inner).finish());
        }
        Ok(windows)
    }
}

impl Sink for Mutex<WindowSink> {
    type Part = ();

    fn tiles(&self) -> Vec<(u32, u32)> {
        self.lock().unwrap_or_else(PoisonError::into_inner).tiles()
    }

    fn part(&self, block: &Block) {
        self.lock().unwrap_or_else(PoisonError::into_inner).consume(block);
    }
}
