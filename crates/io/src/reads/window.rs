//! Windows of pixels: what `cog_read` answers with.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::CogHeader;
use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowPart, WindowProfile, WindowSink};

use super::sink::Reading;
use super::{Asked, Target};
use crate::{Keep, Result, Session};

/// A window that is about to be read.
#[derive(Debug)]
pub struct PlannedWindow {
    target: Arc<Target>,
    sink: WindowSink,
}

/// Windows whose bytes are under way.
pub struct StartedWindows<'a> {
    windows: Vec<&'a WindowSink>,
    reading: Reading,
}

impl PlannedWindow {
    /// What is known before pixels are read.
    pub fn profile(&self) -> &WindowProfile {
        self.sink.profile()
    }

    /// The header of the file.
    pub fn header(&self) -> &CogHeader {
        self.target.file.header()
    }
}

impl Session {
    /// The windows of rows; None for None, and where the geometry lies outside the image. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry or its CRS is wrong, or a window is too large to be held.
    pub fn plan_windows(&self, asked: &[Option<(Asked<'_>, WindowOptions)>]) -> Result<Vec<Option<PlannedWindow>>> {
        let planned = self.of_rows(asked, |(asked, options)| {
            let sink = WindowSink::new(&asked.target.band, asked.pixels(self)?.as_ref(), *options);
            let sink = sink.map_err(|source| asked.target.fault(source))?;
            Ok(sink.map(|sink| PlannedWindow { target: asked.target.clone(), sink }))
        })?;
        Ok(planned.into_iter().map(Option::flatten).collect())
    }

    /// Asks for the bytes of windows, which come while the caller makes room for the pixels.
    pub fn start_windows<'a>(&self, windows: impl Iterator<Item = &'a PlannedWindow>) -> StartedWindows<'a> {
        let (targets, windows): (Vec<_>, Vec<_>) = windows.map(|window| (&window.target, &window.sink)).unzip();
        // Whole images pass through once; of what windows touch, other rows may want more.
        let is_scan = windows.iter().all(|window| window.is_whole());
        let questions = targets.into_iter().zip(windows.iter().map(|window| window.tiles()));
        let reading = self.reading(questions, if is_scan { Keep::Nothing } else { Keep::Tiles });
        reading.start();
        StartedWindows { windows, reading }
    }
}

impl StartedWindows<'_> {
    /// Writes the pixels of the windows, in their order, into zeroed memory.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read; what the buffers hold is then of no use.
    pub fn fill<'b>(self, buffers: impl Iterator<Item = WindowBuffers<'b>>) -> Result<()> {
        let Self { windows, reading } = self;
        let parts: Vec<Vec<Mutex<WindowPart<'_>>>> = windows
            .iter()
            .zip(buffers)
            .map(|(window, buffers)| window.parts(buffers).into_iter().map(Mutex::new).collect())
            .collect();
        reading.finish(|window, tile, block| {
            if let Some(part) = parts.get(window).and_then(|parts| parts.get(tile)) {
                windows[window].consume(block, &mut part.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        Ok(())
    }
}
