//! Windows of pixels: what `cog_read` answers with.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::CogHeader;
use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowPart, WindowProfile, WindowSink};

use super::sink::Reading;
use super::{Asked, OrNull, Target};
use crate::enrich::OnError;
use crate::{Keep, Result, Session};

/// A window that is about to be read.
#[derive(Debug)]
pub struct PlannedWindow {
    target: Arc<Target>,
    sink: WindowSink,
    on_error: OnError,
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
    /// The windows of rows; None for None, where the geometry lies outside the image, and where the file cannot be read and `on_error`
    /// allows that. Makes no request.
    ///
    /// # Errors
    ///
    /// Where a geometry or its CRS is wrong, or a window is too large to be held.
    pub fn plan_windows(&self, asked: &[Option<(Asked<'_>, WindowOptions)>]) -> Result<Vec<Option<PlannedWindow>>> {
        let sink = |asked: &Asked<'_>, options: &WindowOptions| {
            let sink = WindowSink::new(&asked.target.band, asked.pixels(self)?.as_ref(), *options);
            sink.map_err(|source| asked.target.fault(source))
        };
        let planned = self.of_rows(asked, |(asked, options)| {
            let on_error = asked.ask.on_error;
            let sink = sink(asked, options).or_null(on_error)?.flatten();
            Ok(sink.map(|sink| PlannedWindow { target: asked.target.clone(), sink, on_error }))
        })?;
        Ok(planned.into_iter().map(Option::flatten).collect())
    }

    /// Asks for the bytes of windows, which come while the caller makes room for the pixels.
    pub fn start_windows<'a>(&self, windows: impl Iterator<Item = &'a PlannedWindow>) -> StartedWindows<'a> {
        let (targets, windows): (Vec<_>, Vec<_>) =
            windows.map(|window| ((&window.target, window.on_error), &window.sink)).unzip();
        // Whole images pass through once; of what windows touch, other rows may want more.
        let is_scan = windows.iter().all(|window| window.is_whole());
        let questions = targets.into_iter().zip(&windows);
        let questions = questions.map(|((target, on_error), window)| (target, on_error, window.tiles()));
        let reading = self.reading(questions, if is_scan { Keep::Nothing } else { Keep::Tiles });
        reading.start();
        StartedWindows { windows, reading }
    }
}

impl StartedWindows<'_> {
    /// Writes the pixels of the windows, in their order, into zeroed memory. False for a window whose file cannot be read and whose
    /// `on_error` allows that: what its buffers hold is of no use.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read; what the buffers hold is then of no use.
    pub fn fill<'b>(self, buffers: impl Iterator<Item = WindowBuffers<'b>>) -> Result<Vec<bool>> {
        let Self { windows, reading } = self;
        let parts: Vec<Vec<Mutex<WindowPart<'_>>>> = windows
            .iter()
            .zip(buffers)
            .map(|(window, buffers)| window.parts(buffers).into_iter().map(Mutex::new).collect())
            .collect();
        let read = reading.finish(|window, tile, block| {
            if let Some(part) = parts.get(window).and_then(|parts| parts.get(tile)) {
                windows[window].consume(block, &mut part.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        Ok(read.iter().map(Option::is_some).collect())
    }
}
