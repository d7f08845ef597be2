//! Windows of pixels: what `cog_read` answers with.

use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::CogHeader;
use rasteret_cog::pixel::{Block, WindowBuffers, WindowOptions, WindowPart, WindowProfile, WindowSink};

use super::{Asked, Read, Sink, Target};
use crate::{Keep, Result, Session};

/// A window that is about to be read.
#[derive(Debug)]
pub struct PlannedWindow {
    target: Arc<Target>,
    sink: WindowSink,
}

/// A window that is being filled.
struct Filling<'a> {
    sink: WindowSink,
    tiles: Vec<(u32, u32)>,
    /// One for each tile.
    parts: Vec<Mutex<WindowPart<'a>>>,
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

    /// Reads the pixels of windows into zeroed memory.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read; what the buffers hold is then of no use.
    pub fn fill_windows(&self, windows: Vec<(PlannedWindow, WindowBuffers<'_>)>) -> Result<()> {
        // Whole images pass through once; of what windows touch, other rows may want more.
        let is_scan = windows.iter().all(|(window, _)| window.sink.is_whole());
        let fill = |(PlannedWindow { target, sink }, buffers)| {
            let parts = sink.parts(buffers);
            let tiles = parts.iter().map(WindowPart::tile).collect();
            let parts = parts.into_iter().map(Mutex::new).collect();
            Read { target, sink: Filling { sink, tiles, parts } }
        };
        let reads: Vec<_> = windows.into_iter().map(fill).collect();
        self.read(&reads, if is_scan { Keep::Nothing } else { Keep::Tiles })?;
        Ok(())
    }
}

impl Sink for Filling<'_> {
    type Part = ();

    fn tiles(&self) -> Vec<(u32, u32)> {
        self.tiles.clone()
    }

    fn part(&self, tile: usize, block: &Block) {
        if let Some(part) = self.parts.get(tile) {
            self.sink.consume(block, &mut part.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
